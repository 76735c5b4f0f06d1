"""What one replica of a serving engine does on a GPU: measured where somebody measured, else derived and marked."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pricing.errors import InputError
from pricing.hardware import BF16_BYTES, GpuSpec, ModelSpec
from pricing.table import STRICT, Source, not_negative

Scheduler = Literal["chunked", "stall"]
GIB = 2.0**30
REPORTED = 0.98
"""Of the GiB a card is sold with, those its driver reports: 23.5 of 24 (RTX 4090), 79.3 of 80 (A100, H100)."""
MEMORY_UTIL = 0.9
"""Share of the memory an engine takes (vLLM's gpu_memory_utilization)."""
SMALL_CARD_GB, SMALL_RESERVE_GIB, RESERVE_GIB = 30.0, 1.4, 4.66
"""Lost to activations, graphs and context: 1.5 GB on a 24 GB card; 4 to 5 GB where an H100 reported its KV tokens."""
WEIGHT_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "awq": 0.56, "int4": 0.56,
                "q4_k_m": 4.9 / 8}
"""Bytes of a weight; 4-bit formats carry scales of about half a bit (AWQ, groups of 128); llama.cpp's Q4_K_M takes
4.9 bits on an 8B model (its README)."""
DEPLOYMENT_FACTOR = 0.85
"""What the step-time model leaves out in production; 0.7 to 1 by the runs it was held against."""
DEPLOYMENT_RANGE = (0.7, 1.0)
ESTIMATED_RANGES = {
    "vllm": {"step_overhead_s": (0.003, 0.001), "mbu": (0.75, 0.90), "mfu": (0.40, 0.65)},
    "sglang": {"step_overhead_s": (0.003, 0.001), "mbu": (0.75, 0.90), "mfu": (0.40, 0.65)},
    "llama.cpp": {"mbu": (0.31, 0.81), "mfu": (0.15, 0.82)},
}
"""Slow and fast end of each parameter over the cards and models that were measured, by engine."""
KV_BLOCK = 16
"""Tokens of a block, in which the cache of keys and values is handed out (vLLM's block_size)."""
NVLINK_EFFICIENCY = 0.8
"""Of the speed of N cards, what N cards with NVLink reach together: an estimate."""
_PART = r"[a-z0-9][a-z0-9._-]*"
_ID = re.compile(rf"({_PART})/({_PART})/({_PART})/({_PART})(?:/tp([1-9][0-9]?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileName:
    """The parts of `engine/gpu/model/precision[/tpN]`."""

    engine: str
    gpu: str
    model: str
    precision: str
    gpus: int = 1


def profile_name(serving_id: str) -> ProfileName:
    """Read a serving id.

    Raises:
        InputError: it is not written like one, or its precision is not known.

    >>> profile_name("vllm/rtx-4090/llama-3.1-8b/bf16").gpus, profile_name("vllm/h100-sxm/qwen3-32b/fp8/tp2").gpus
    (1, 2)
    """
    found = _ID.fullmatch(serving_id)
    if found is None:
        raise InputError(
            f'"{serving_id}" is no serving profile; write engine/gpu/model/precision, '
            "as in vllm/rtx-4090/llama-3.1-8b/bf16"
        )
    engine, gpu, model, precision, gpus = found.groups()
    if precision not in WEIGHT_BYTES:
        raise InputError(f'"{serving_id}": precision {precision} is not one of {", ".join(WEIGHT_BYTES)}')
    return ProfileName(engine=engine, gpu=gpu, model=model, precision=precision, gpus=int(gpus or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeconds:
    """Seconds of one step of a replica, by what it does; the step-time rooms of both wings read the same names."""

    overhead_s: float
    weights_s: float
    experts_s: float
    active_share: float
    per_token_s: float
    per_sequence_s: float
    read_s: float
    read_window_s: float
    pair_s: float
    pair_window_s: float
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingProfile:
    """Step-time parameters of an engine with a model on a GPU, and where they come from.

    `mbu` and `mfu` are the shares of bandwidth and dense arithmetic really reached. `kv_tokens` is what the engine
    reported; without it the memory left is counted. `points` were fitted, `error_share` is their mean absolute
    error. `deployment_factor` divides every second: what the model leaves out.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    step_overhead_s: float
    mbu: float
    mfu: float
    per_sequence_s: float
    source: Source
    points: int = 0
    error_share: float | None = None
    reserve_gib: float | None = None
    kv_tokens: int | None = None
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    scheduler: Scheduler = "chunked"
    gpus_per_replica: int = 1
    tp_efficiency: float = 1.0
    deployment_factor: float = DEPLOYMENT_FACTOR

    def __post_init__(self) -> None:
        not_negative(self, "step_overhead_s", "per_sequence_s", "reserve_gib", "points")
        for name in ("mbu", "mfu", "tp_efficiency", "deployment_factor"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share above 0 and at most 1")
        for name in ("kv_tokens", "max_num_seqs", "max_num_batched_tokens", "gpus_per_replica"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica with everything bound: the profile, the GPU under it and the model on it."""

    id: str
    gpu_name: str
    model_name: str
    precision: str
    profile: ServingProfile
    gpu: GpuSpec
    model: ModelSpec
    measured: bool

    def __post_init__(self) -> None:
        if self.precision == "fp8" and self.gpu.fp8_tflops is None:
            raise ValueError(f"{self.gpu_name} has no fp8 arithmetic; choose bf16 or a card that has it")
        if self.precision == "int8" and self.gpu.int8_tops is None:
            raise ValueError(f"{self.gpu_name} has no int8 arithmetic; choose bf16 or a card that has it")
        self._check_split()
        if self.kv_tokens < 1:
            raise ValueError(self.arithmetic)

    def _check_split(self) -> None:
        """Tensor parallel deals whole heads to the cards (vLLM asserts it); llama.cpp deals out layers instead."""
        cards, heads, kv_heads = self.profile.gpus_per_replica, self.model.heads, self.model.kv_heads
        if self.id.startswith("llama.cpp/"):
            return
        if heads % cards or (kv_heads % cards and cards % kv_heads):
            fit = [str(n) for n in range(1, 17) if not heads % n and (not kv_heads % n or not n % kv_heads)]
            raise ValueError(
                f"{cards} cards cannot share the {heads} heads and {kv_heads} KV heads of {self.model_name} evenly; "
                f"take {', '.join(fit)} cards"
            )

    @property
    def weights_bytes(self) -> float:
        """Bytes of all weights: as published for bf16 (or a format of the model's own), else by the precision."""
        if WEIGHT_BYTES[self.precision] == BF16_BYTES:
            return self.model.weights_gb * 1e9
        return min(self.model.params_b * 1e9 * WEIGHT_BYTES[self.precision], self.model.weights_gb * 1e9)

    @property
    def memory_bytes(self) -> float:
        """What the drivers of all cards of the replica report."""
        return self.gpu.memory_gb * GIB * REPORTED * self.profile.gpus_per_replica

    @property
    def kv_tokens(self) -> int:
        """Tokens the KV cache holds: what the engine reported, else `(util memory - weights - reserve) / kv_bytes`."""
        if self.profile.kv_tokens is not None:
            return self.profile.kv_tokens
        return math.floor(self._room_bytes / self.model.kv_bytes_per_token())

    @property
    def _reserve_bytes(self) -> float:
        reserve = self.profile.reserve_gib
        if reserve is None:
            reserve = SMALL_RESERVE_GIB if self.gpu.memory_gb < SMALL_CARD_GB else RESERVE_GIB
        return reserve * GIB * self.profile.gpus_per_replica

    @property
    def _room_bytes(self) -> float:
        return MEMORY_UTIL * self.memory_bytes - self.weights_bytes - self._reserve_bytes

    @property
    def arithmetic(self) -> str:
        """Whether the model fits, with the numbers."""
        n, gb = self.profile.gpus_per_replica, 1e9
        cards = f"{n} x {self.gpu_name} report" if n > 1 else f"{self.gpu_name} reports"
        sums = (
            f"{cards} {self.memory_bytes / gb:.1f} GB, of which an engine takes {MEMORY_UTIL:.0%}; "
            f"{self.model_name} in {self.precision} weighs {self.weights_bytes / gb:.1f} GB and "
            f"{self._reserve_bytes / gb:.1f} GB go to activations and graphs"
        )
        held = f"{self.kv_tokens:,} tokens of {self.model.kv_bytes_per_token():,.0f} bytes"
        if self.profile.kv_tokens is not None:
            return f"{sums}; " + (f"the engine reported {held}" if self.measured else f"kv_tokens is typed: {held}")
        sums += f", so {self._room_bytes / gb:.1f} GB are left"
        if self.kv_tokens >= 1:
            return f"{sums} for {held}"
        return f"{self.model_name} does not fit: {sums}; take a larger card, more of them (/tp2) or a smaller precision"

    def why_too_long(self, shared: float, own: float) -> str | None:
        """Why a call can never be served by this replica, in words; None where it can.

        Args:
            shared: tokens of a cached prefix, which are held once.
            own: its other tokens, input and output together.
        """
        tokens, most = shared + own, self.model.max_context
        if tokens > most:
            return (
                f"a call of {tokens:,.0f} tokens is longer than the {most:,} that {self.model_name} reads "
                "(max_context); shorten the prompt or take a model with a longer context"
            )
        if self._blocks(shared) + self._blocks(own) > self.kv_tokens // KV_BLOCK:
            return (
                f"a call of {tokens:,.0f} tokens does not fit alone into the {self.kv_tokens:,} tokens of a KV cache "
                f"held in blocks of {KV_BLOCK} ({self.arithmetic}); shorten the prompt or take a larger card"
            )
        return None

    def _blocks(self, tokens: float) -> float:
        """Blocks of all layers that so many tokens fill; a windowed layer holds no more than its window."""
        near = min(tokens, self.model.window or tokens)
        return self.full_share * math.ceil(tokens / KV_BLOCK) + (1.0 - self.full_share) * math.ceil(near / KV_BLOCK)

    def step_seconds(self) -> StepSeconds:
        """Seconds of one step by what it does: `overhead + max(W / (MBU BW), 2 P n / (MFU F)) + ...`."""
        profile, model, gpu = self.profile, self.model, self.gpu
        reached = profile.gpus_per_replica * profile.tp_efficiency * profile.deployment_factor
        tflops = {"fp8": gpu.fp8_tflops, "int8": gpu.int8_tops}.get(self.precision) or gpu.bf16_tflops
        bandwidth = profile.mbu * gpu.bandwidth_gb_s * 1e9 * reached
        flops = profile.mfu * tflops * 1e12 * reached
        matmul, experts = model.matmul_params_b * 1e9, model.expert_params_b * 1e9
        per_weight = self.weights_bytes / (model.params_b * 1e9)
        dense = matmul - experts * model.active_experts / model.experts
        width = model.heads * model.head_dim
        return StepSeconds(
            overhead_s=profile.step_overhead_s / profile.deployment_factor,
            weights_s=dense * per_weight / bandwidth,
            experts_s=experts * per_weight / bandwidth,
            active_share=model.active_experts / model.experts,
            per_token_s=2.0 * matmul / flops,
            per_sequence_s=profile.per_sequence_s / profile.deployment_factor,
            read_s=model.kv_bytes_beyond_window() / bandwidth,
            read_window_s=(model.kv_bytes_per_token() - model.kv_bytes_beyond_window()) / bandwidth,
            pair_s=4.0 * width * (model.layers - model.windowed_layers) / flops,
            pair_window_s=4.0 * width * model.windowed_layers / flops,
            window=model.window or 0,
        )

    @property
    def estimated(self) -> bool:
        """Whether nobody measured this pair: the profile was derived from its card or from the engine's default."""
        return self.profile.source.confidence == "estimated"

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Slow and fast end of every parameter that is not certain: the deployment's, and all of an estimated one's."""
        found = {"deployment_factor": DEPLOYMENT_RANGE}
        if self.estimated:
            found |= ESTIMATED_RANGES.get(self.id.partition("/")[0], {})
        return {
            name: (min(slow, own), max(fast, own)) if slow < fast else (max(slow, own), min(fast, own))
            for name, (slow, fast) in found.items()
            for own in (getattr(self.profile, name),)
        }

    @property
    def ends(self) -> tuple[Replica, Replica]:
        """The same replica at the slow and at the fast end of all its ranges together."""
        found = []
        for end in (0, 1):
            values: dict[str, Any] = {name: pair[end] for name, pair in self.ranges.items()}
            found.append(dataclasses.replace(self, profile=dataclasses.replace(self.profile, **values)))
        return found[0], found[1]

    @property
    def full_share(self) -> float:
        """Share of a token's KV bytes that stands in full-attention layers."""
        return self.model.kv_bytes_beyond_window() / self.model.kv_bytes_per_token()


def spread_over(profile: ServingProfile, name: ProfileName, gpu: GpuSpec) -> ServingProfile:
    """The profile of one card as `name` asks for it, over its number of cards.

    With NVLink N cards reach 0.8 of N; over PCIe as much as one (measured: 1 to 4 RTX 4090 serve a 7B model alike).
    """
    if name.gpus == profile.gpus_per_replica:
        return profile
    linked = "nvlink" in (gpu.interconnect or "").lower().replace("no nvlink", "")
    return dataclasses.replace(
        profile,
        gpus_per_replica=name.gpus,
        tp_efficiency=NVLINK_EFFICIENCY if linked else 1.0 / name.gpus,
        kv_tokens=None,
        points=0,
        error_share=None,
    )
