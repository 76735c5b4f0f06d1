"""The machines of one's own: how many replicas run when, what they can do, and how a model is trained on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pricing.hardware import Commitment, GpuSpec, ModelSpec
from pricing.serving import GIB, REPORTED, WEIGHT_BYTES
from pricing.table import STRICT
from simulator.domain.dials import Dial, check_dials

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TARGET_LOAD = 0.7
"""Share of what a replica can serve at which the autoscaler asks for one more, where no target is typed."""
SETUP_MINUTES = 10.0
"""Before and after a training run: fetching the weights, compiling (about 5 min, Unsloth), checking, merging."""
GpuTrainingMethod = Literal[
    "lora-hf", "qlora-hf", "full-hf", "lora-unsloth", "qlora-unsloth", "lora-torchtune", "qlora-torchtune",
    "full-torchtune",
]
HELD_BYTES = {
    "full-hf": (("weights", 2.0), ("gradients", 2.0), ("two Adam states", 4.0)),
    "full-torchtune": (("weights", 2.0),),
    "lora": (("weights", 2.0), ("adapters", 0.005 * 16.0)),
    "qlora": (("weights in 4 bits", WEIGHT_BYTES["int4"]), ("adapters", 0.005 * 16.0)),
}
"""Bytes a card must hold for each weight of the model, at the least: all in bf16, activations left out.

The parts are those of ZeRO (Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054), which counts 16 bytes in mixed
precision: 2 + 2 for weights and gradients and 12 for Adam, a copy and two moments in fp32. Read in an implementation of
it that says so (https://nn.labml.ai/scaling/zero3), not in the paper itself. An adapter of rank 16 has 0.5 % of the
weights and takes those 16. torchtune's full recipe frees each gradient at once and pages
8-bit states out: 18.9 GiB with an 8B model (its README, Sept 2024), of which weights are 15.0.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The fewest and the most replicas; `min: 0` lets the fleet stop when nobody calls."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    min: Annotated[float, Dial("Replicas at least", "replicas", 0, 16, whole=True)] = 1.0
    max: Annotated[float, Dial("Replicas at most", "replicas", 1, 64, least=1, whole=True)] = 1.0

    def __post_init__(self) -> None:
        check_dials(self)
        for name in ("min", "max"):
            if getattr(self, name) != int(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name):g}; count whole replicas")
        if self.min > self.max:
            raise ValueError(f"min is {self.min:g}; it cannot exceed max, which is {self.max:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Hours of the week, in the workload's time zone, with replicas of their own; `hours` are whole, [8, 20]."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    hours: tuple[int, int]
    replicas: Replicas
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = WEEKDAYS  # type: ignore[assignment]

    def __post_init__(self) -> None:
        first, after = self.hours
        if not 0 <= first < after <= 24:
            raise ValueError(f"hours is [{first}, {after}]; write two hours of one day, as in [8, 20]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many replicas run: an autoscaler between bounds, spares on top, delays, and shifts.

    `target_concurrency` is the mean number of calls a replica is meant to hold (unset: that at 70 % of what it can
    serve). A new replica is paid from its request and serves after `provisioning_s + load_s`; one too many stops
    after `down_window_s`. `interruptions_per_day` takes a spot replica away; it is started again at full cost.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    replicas: Replicas = field(default_factory=Replicas)
    spare: Annotated[float, Dial("Spare replicas (N+1)", "replicas", 0, 8, whole=True)] = 0.0
    target_concurrency: Annotated[
        float | None, Dial("Calls a replica is meant to hold", "calls", 1, 256, "log", least=0.01)
    ] = None
    window_s: Annotated[float, Dial("Autoscaler looks back", "s", 30, 600, least=1)] = 60.0
    control_s: Annotated[float, Dial("Autoscaler decides every", "s", 10, 600, least=1)] = 60.0
    down_window_s: Annotated[float, Dial("Kept after it was needed", "s", 60, 3600)] = 600.0
    provisioning_s: Annotated[
        float, Dial("Until a machine is there", "s", 10, 900, default_from="RunPod pods start in 0.6 to 0.8 min")
    ] = 45.0
    load_s: Annotated[
        float, Dial("Until the model is loaded", "s", 5, 900, default_from="vLLM, 70 s with snapshots, 460 s without")
    ] = 120.0
    interruptions_per_day: Annotated[float, Dial("Spot interruptions", "1/day", 0, 24)] = 0.0
    adapters: Annotated[float, Dial("Adapters on one base", "adapters", 1, 64, least=1, whole=True)] = 1.0
    shifts: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        check_dials(self)
        for name in ("spare", "adapters"):
            if getattr(self, name) != int(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name):g}; count whole ones")

    @property
    def most(self) -> int:
        """The most replicas that ever run at once, spares included."""
        return int(max([self.replicas.max, *(shift.replicas.max for shift in self.shifts)]) + self.spare)

    @property
    def startup_s(self) -> float:
        """From the request of a replica to its first call."""
        return self.provisioning_s + self.load_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """A replica whose speed is typed, not simulated: a vendor's endpoint, provisioned units, a published example.

    Exactly one of `output_tokens_per_s` and `tokens_per_s` (input and output together). `max_utilisation` is the
    share of it that can be used, `billed_share` the share of hours that is paid.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    output_tokens_per_s: Annotated[float | None, Dial("Output speed", "tokens/s", 1, 1e5, "log", least=1e-9)] = None
    tokens_per_s: Annotated[float | None, Dial("Speed, in and out", "tokens/s", 1, 1e6, "log", least=1e-9)] = None
    max_utilisation: Annotated[float, Dial("Usable share", "share", 0.05, 1, least=1e-6, most=1)] = 1.0
    billed_share: Annotated[float, Dial("Hours that are paid", "share", 0, 1, most=1)] = 1.0

    def __post_init__(self) -> None:
        check_dials(self)
        if (self.output_tokens_per_s is None) == (self.tokens_per_s is None):
            raise ValueError("give one of output_tokens_per_s and tokens_per_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTraining:
    """One training campaign on GPUs: tokens, a method and a card make hours; hours and failed runs make the bill.

    Exactly one of `usd`, `tokens`, `examples` with `tokens_per_example`, and `gpu_hours` sizes a run.
    `tokens_per_s` replaces the speed by one that was measured. `set_up_minutes` are paid with every run.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    usd: Annotated[float | None, Dial("Training run", "USD", 1, 100_000, "log")] = None
    tokens: Annotated[float | None, Dial("Training set", "tokens", 1e4, 1e9, "log")] = None
    examples: Annotated[float | None, Dial("Training examples", "examples", 10, 100_000, "log", least=1)] = None
    tokens_per_example: Annotated[float | None, Dial("Tokens per example", "tokens", 50, 20_000, "log")] = None
    gpu_hours: Annotated[float | None, Dial("GPU time of a run", "GPU-h", 0.1, 10_000, "log")] = None
    epochs: Annotated[float, Dial("Epochs", "passes", 1, 10, least=1e-6)] = 3.0
    gpu: str | None = None
    commitment: Commitment = "on_demand"
    gpu_usd_per_hour: Annotated[float | None, Dial("Rent of a training GPU", "USD/h", 0.1, 20, "log")] = None
    model: str | None = None
    method: GpuTrainingMethod = "qlora-hf"
    gradient_checkpointing: bool = True
    tokens_per_s: Annotated[float | None, Dial("Training speed", "tokens/s", 10, 1e5, "log", least=1e-6)] = None
    set_up_minutes: Annotated[
        float, Dial("Set-up around a run", "min", 0, 120, default_from="weights 5 to 15 GB, compiling 5 min, merging")
    ] = SETUP_MINUTES
    runs_per_model: Annotated[float, Dial("Runs per released model", "runs", 1, 10)] = 1.0
    failure_rate: Annotated[float, Dial("Training runs that fail and are paid", "share", 0, 0.9, most=0.99)] = 0.0
    retrain_every_days: Annotated[float | None, Dial("Retrain every", "days", 7, 730, least=1, whole=True)] = None

    def __post_init__(self) -> None:
        check_dials(self)
        if (self.examples is None) != (self.tokens_per_example is None):
            raise ValueError("examples and tokens_per_example go together; give both or neither")
        sizes = [name for name in ("usd", "tokens", "examples", "gpu_hours") if getattr(self, name) is not None]
        if len(sizes) != 1:
            given = " and ".join(sizes) or "nothing"
            raise ValueError(f"a run is sized by one of usd, tokens, examples or gpu_hours; {given} is given")
        if self.usd is None and self.gpu is None and self.gpu_usd_per_hour is None:
            raise ValueError("gpu is missing; name the card it trains on, as in runpod-secure/rtx-4090")


def why_untrainable(
    method: GpuTrainingMethod, name: str, model: ModelSpec, card_name: str, card: GpuSpec
) -> str | None:
    """Why one card cannot hold a model that is trained with a method, with the arithmetic; None where it may.

    Args:
        method: how it is trained.
        name: of the model.
        model: its shapes.
        card_name: the GPU.
        card: its spec.
    """
    parts = HELD_BYTES.get(method) or HELD_BYTES[method.partition("-")[0]]
    held_gb = [(part, model.params_b * each) for part, each in parts]
    room_gb, needed_gb = card.memory_gb * GIB * REPORTED / 1e9, sum(gb for _, gb in held_gb)
    if needed_gb <= room_gb:
        return None
    sums = ", ".join(f"{gb:.1f} GB of {part}" for part, gb in held_gb)
    return (
        f"{method} of {name} holds {sums}, {needed_gb:.1f} GB in all before any activation, and one {card_name} "
        f"reports {room_gb:.1f} GB; take a larger card or a lighter method, or type tokens_per_s of a run over several"
    )
