"""The ways to serve the calls: a hosted model with a prompt, a hosted model after tuning, a fleet, or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pricing.hardware import Commitment
from pricing.table import STRICT, CachingMode, Limits
from simulator.domain.costs import Dataset, Fallback, Human, Outages, Retries, Training
from simulator.domain.dials import Dial, check_dials
from simulator.domain.fleet import Capacity, Fleet, GpuTraining

OPS_HOURS = {"hosted_prompt": 2.0, "hosted_fine_tuned": 4.0, "self_hosted": 8.0, "hybrid": 8.0}
"""Upkeep in engineer hours a month where the scenario names none: both sides carry people. A judgement of ours that the
report lists as an assumption."""

REACH = {"automatic": 0.9, "explicit": 1.0, "off": 0.0}
"""Share of would-be cache hits that really come. Automatic caches are best effort: one 5,000-token prefix was measured
at 0, 51, 75 and 91 % (dev.to/sm1ck). The 0.9 is a judgement of ours that the report lists as an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """How an option uses the provider's prompt cache; what is not set follows the price table's rule.

    `scopes` caches share the traffic evenly; `calls_per_cache` replaces arrivals by a fixed number of
    calls that read a cache after one request has written it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    mode: CachingMode | None = None
    ttl: int | None = None
    scopes: Annotated[float, Dial("Separate caches", "caches", 1, 1000, "log", least=1)] = 1.0
    reach: Annotated[float | None, Dial("Would-be cache hits that come", "share", 0, 1, most=1)] = None
    calls_per_cache: Annotated[float | None, Dial("Calls per written cache", "calls", 1, 1000, "log", least=1e-9)] = (
        None
    )

    def __post_init__(self) -> None:
        check_dials(self)
        if self.ttl is not None and self.ttl <= 0:
            raise ValueError(f"ttl is {self.ttl}; a time to live is a positive number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOption:
    """What every kind shares: a prompt, calls, quality, building and people.

    `prefix_tokens` is the part of the prompt that every call repeats (system prompt, examples, tool
    definitions); `prompt` names the file it was counted from.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    prefix_tokens: Annotated[float, Dial("Shared prompt", "tokens", 0, 100_000)] = 0.0
    prompt: str | None = None
    prompt_exact: bool = True
    retries: Retries = field(default_factory=Retries)
    reasoning_tokens: Annotated[float, Dial("Hidden reasoning per call", "tokens", 0, 10_000)] = 0.0
    input_tokens: Annotated[float | None, Dial("Input per call", "tokens", 1, 200_000, "log")] = None
    output_tokens: Annotated[float | None, Dial("Output per call", "tokens", 1, 20_000, "log")] = None
    evaluation_usd: Annotated[float, Dial("Evaluation per release", "USD", 0, 10_000)] = 0.0
    engineering_hours: Annotated[float, Dial("Engineering to build it", "h", 0, 500)] = 0.0
    ops_hours_per_month: Annotated[float | None, Dial("Upkeep", "h/month", 0, 80)] = None
    ready_after_days: Annotated[float, Dial("Ready after", "days", 0, 180, whole=True)] = 0.0
    until_ready: str | None = None
    success_rate: Annotated[float | None, Dial("Answers that are right", "share", 0, 1, most=1)] = None
    price_factor: Annotated[float, Dial("Factor on book prices", "x", 0.1, 3, most=1000)] = 1.0
    one_off_usd: Annotated[dict[str, float], Dial("Paid once", "USD", 0, 100_000)] = field(default_factory=dict)
    recurring_usd_per_month: Annotated[dict[str, float], Dial("Paid every month", "USD/month", 0, 20_000)] = field(
        default_factory=dict
    )
    fallback: Fallback | None = None
    outages: Outages = field(default_factory=Outages)
    human: Human | None = None
    dataset: Dataset | None = None
    kind: Literal["hosted_prompt", "hosted_fine_tuned", "self_hosted", "hybrid"] = "hosted_prompt"

    def __post_init__(self) -> None:
        check_dials(self)
        if self.ready_after_days != int(self.ready_after_days):
            raise ValueError(f"ready_after_days is {self.ready_after_days:g}; count whole days")
        if self.ready_after_days > 0 and self.until_ready is None:
            raise ValueError(
                f"ready_after_days is {self.ready_after_days:g} and nothing serves until then; "
                "name an option in until_ready"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedOption(ServingOption):
    """What both hosted kinds share besides: a price, its cache, its service levels and its limits."""

    price: str
    caching: Caching = field(default_factory=Caching)
    cache_hit_rate: Annotated[float | None, Dial("Cache hit share", "share", 0, 1, most=1)] = None
    batch_share: Annotated[float, Dial("Deferrable calls sent as batch", "share", 0, 1, most=1)] = 0.0
    service: Literal["standard", "flex", "priority"] = "standard"
    successor: str = "stop"
    limits: Limits = field(default_factory=Limits)
    kind: Literal["hosted_prompt", "hosted_fine_tuned"] = "hosted_prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPrompt(HostedOption):
    """A hosted model that is told in every call what to do."""

    kind: Literal["hosted_prompt"] = "hosted_prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedFineTuned(HostedOption):
    """A hosted model that was trained on examples and needs a shorter prompt."""

    kind: Literal["hosted_fine_tuned"] = "hosted_fine_tuned"
    training: Training | None = None
    storage_gb: Annotated[float, Dial("Stored weights", "GB", 0, 100)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfHosted(ServingOption):
    """A model served on GPUs of one's own, rented or bought.

    `serving` names what a replica does (`engine/gpu/model/precision`), or types its speed; `gpu` names what it
    costs. `existing_gpus` are owned already and are not bought. `disk_gb` and `egress_gb_per_month` are paid by the
    terms of a rented GPU, a disk for as long as its replica is. `smooths` is the share of deferrable calls that
    the fleet takes when it is free: they are spread evenly over the day.
    """

    kind: Literal["self_hosted"] = "self_hosted"
    serving: str | Capacity
    gpu: str | None = None
    commitment: Commitment = "on_demand"
    gpu_usd_per_hour: Annotated[float | None, Dial("Rent of a GPU", "USD/h", 0.1, 20, "log")] = None
    existing_gpus: Annotated[float, Dial("GPUs already owned", "GPUs", 0, 64, whole=True)] = 0.0
    disk_gb: Annotated[float, Dial("Disk rented with a replica", "GB", 0, 1000)] = 0.0
    egress_gb_per_month: Annotated[float, Dial("Traffic out of the rented machines", "GB/month", 0, 1e5)] = 0.0
    fleet: Fleet = field(default_factory=Fleet)
    training: GpuTraining | None = None
    prefix_caching: bool = True
    smooths: Annotated[float, Dial("Deferrable calls spread over the day", "share", 0, 1, most=1)] = 1.0

    def __post_init__(self) -> None:
        ServingOption.__post_init__(self)
        if self.gpu is None and self.gpu_usd_per_hour is None:
            raise ValueError("gpu is missing; name what a GPU costs, as in vast/a100-80gb-sxm or owned/rtx-4090")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid(ServingOption):
    """A base fleet that takes what it can; calls that find `overflow_above` others in it go to a hosted option."""

    kind: Literal["hybrid"] = "hybrid"
    fleet_option: str
    overflow_option: str
    overflow_above: Annotated[float, Dial("Calls in the fleet above which calls overflow", "calls", 1, 4096, "log",
                                          least=1, most=16_384)]


Option = HostedPrompt | HostedFineTuned | SelfHosted | Hybrid
KINDS: dict[str, type[ServingOption]] = {
    "hosted_prompt": HostedPrompt,
    "hosted_fine_tuned": HostedFineTuned,
    "self_hosted": SelfHosted,
    "hybrid": Hybrid,
}
