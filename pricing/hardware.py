"""What a GPU is, what a model asks of it, and what an hour of it costs, each dated and with who says so."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, ClassVar, Literal, TypeVar

from pricing.book import STALE_DAYS, canonical
from pricing.errors import InputError, NotInForce
from pricing.nearest import nearest
from pricing.table import ALWAYS, STRICT, Source, in_force, not_negative

Commitment = Literal["on_demand", "spot", "reserved_1y", "serverless"]
T = TypeVar("T")
BF16_BYTES = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSpec:
    """One GPU: memory, bandwidth, dense arithmetic with FP32 accumulation, and its power limit.

    `memory_gb` and `bandwidth_gb_s` are decimal gigabytes as vendors print them.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    architecture: str
    memory_gb: float
    bandwidth_gb_s: float
    bf16_tflops: float
    tdp_w: float
    source: Source
    fp8_tflops: float | None = None
    int8_tops: float | None = None
    fp4_tflops: float | None = None
    interconnect: str | None = None

    def __post_init__(self) -> None:
        _positive(self, "memory_gb", "bandwidth_gb_s", "bf16_tflops", "tdp_w", "fp8_tflops", "int8_tops", "fp4_tflops")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model by the shapes of its layers; everything a server must hold follows from them.

    `matmul_params_b` are the weights (billions) that one token is multiplied with: the input embedding is left out,
    and only the active experts count. `windowed_layers` attend to the last `window` tokens only.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    hf_id: str
    params_b: float
    active_params_b: float
    matmul_params_b: float
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    max_context: int
    weights_gb: float
    source: Source
    windowed_layers: int = 0
    window: int | None = None
    experts: int = 1
    active_experts: int = 1

    def __post_init__(self) -> None:
        _positive(self, "params_b", "active_params_b", "matmul_params_b", "layers", "hidden", "ffn", "heads",
                  "kv_heads", "head_dim", "vocab", "max_context", "weights_gb", "window", "experts", "active_experts")
        not_negative(self, "windowed_layers")
        if self.windowed_layers > self.layers:
            raise ValueError(f"windowed_layers is {self.windowed_layers}; the model has {self.layers} layers")
        if (self.windowed_layers > 0) != (self.window is not None):
            raise ValueError("give window and windowed_layers together")
        if self.active_experts > self.experts:
            raise ValueError(f"active_experts is {self.active_experts}; the model has {self.experts} experts")

    def kv_bytes_per_token(self, bytes_per_value: float = BF16_BYTES) -> float:
        """Bytes of keys and values a token takes over all layers: `2 layers kv_heads head_dim bytes`."""
        return self._kv(self.layers, bytes_per_value)

    def kv_bytes_beyond_window(self, bytes_per_value: float = BF16_BYTES) -> float:
        """Bytes a further token takes once the windowed layers are full: the other layers only."""
        return self._kv(self.layers - self.windowed_layers, bytes_per_value)

    def kv_bytes(self, context: float, bytes_per_value: float = BF16_BYTES) -> float:
        """Bytes of keys and values of a sequence; a windowed layer holds `min(context, window)` tokens.

        Args:
            context: tokens of the sequence.
            bytes_per_value: 2 for bf16, 1 for fp8.
        """
        windowed = min(context, self.window or 0)
        return (self._kv(self.layers - self.windowed_layers, bytes_per_value) * context
                + self._kv(self.windowed_layers, bytes_per_value) * windowed)

    @property
    def expert_params_b(self) -> float:
        """Weights (billions) that sit in experts: `(params - active) / (1 - k/E)`; zero for a dense model."""
        if self.experts == self.active_experts:
            return 0.0
        return (self.params_b - self.active_params_b) / (1 - self.active_experts / self.experts)

    def _kv(self, layers: int, bytes_per_value: float) -> float:
        return 2 * layers * self.kv_heads * self.head_dim * bytes_per_value


@dataclass(frozen=True, slots=True, kw_only=True)
class RentTerms:
    """How rent is counted, and what comes beside the GPU. An unset term was not found."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    granularity_s: int | None = None
    min_billed_s: int = 0
    storage_usd_per_gb_month: float | None = None
    stopped_storage_usd_per_gb_month: float | None = None
    egress_usd_per_gb: float | None = None
    cpu_usd_per_core_hour: float | None = None
    memory_usd_per_gib_hour: float | None = None

    def __post_init__(self) -> None:
        not_negative(self, "min_billed_s", "storage_usd_per_gb_month", "stopped_storage_usd_per_gb_month",
                     "egress_usd_per_gb", "cpu_usd_per_core_hour", "memory_usd_per_gib_hour")
        _positive(self, "granularity_s")

    def billed_s(self, used_s: float) -> float:
        """Seconds billed for one span of use: at least the minimum, rounded up to the granularity where one is known.

        >>> RentTerms(granularity_s=60).billed_s(61), RentTerms(granularity_s=1, min_billed_s=60).billed_s(5)
        (120, 60)
        >>> RentTerms(granularity_s=60).billed_s(0)
        0
        """
        if used_s <= 0:
            return 0
        least = max(used_s, self.min_billed_s)
        return least if self.granularity_s is None else math.ceil(least / self.granularity_s) * self.granularity_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What a GPU of one's own costs: bought once, with its share of a host, and fed with electricity.

    `unverified` names the figures that no source supports; they are assumptions to be replaced.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    purchase_usd: float
    electricity_usd_per_kwh: float
    idle_w: float
    light_w: float
    saturated_w: float
    life_years: float
    residual_usd: float = 0.0
    host_usd: float = 0.0
    pue: float = 1.0
    unverified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "purchase_usd", "electricity_usd_per_kwh", "idle_w", "residual_usd", "host_usd")
        _positive(self, "life_years")
        paid = self.purchase_usd + self.host_usd
        if self.residual_usd > paid:
            raise ValueError(
                f"residual_usd is {self.residual_usd:,.10g}, more than was paid, {paid:,.10g} for the card and "
                "its host; type what it sells for at the end of its life"
            )
        if not self.idle_w <= self.light_w <= self.saturated_w:
            raise ValueError(f"power is {self.idle_w}, {self.light_w}, {self.saturated_w} W; "
                             "it must rise from idle to light to saturated")
        if self.pue < 1:
            raise ValueError(f"pue is {self.pue}; a building uses at least what its machines use")
        known = {f.name for f in dataclasses.fields(self)} - {"unverified"}
        for name in self.unverified:
            if name not in known:
                raise ValueError(f'unverified names "{name}"; known here: {", ".join(sorted(known))}')


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRate:
    """What a GPU costs from `effective` until the next version: rent by commitment in USD per GPU-hour, or ownership.

    `gpus_per_instance` is the smallest number one can rent.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    effective: date
    recorded: date
    source: Source
    usd_per_gpu_hour: dict[Commitment, float] = field(default_factory=dict)
    terms: RentTerms = field(default_factory=RentTerms)
    instance: str | None = None
    gpus_per_instance: int = 1
    owned: Ownership | None = None

    def __post_init__(self) -> None:
        if bool(self.usd_per_gpu_hour) == (self.owned is not None):
            raise ValueError("give one of usd_per_gpu_hour and owned")
        for commitment, rate in self.usd_per_gpu_hour.items():
            if rate <= 0:
                raise ValueError(f"usd_per_gpu_hour.{commitment} is {rate}; it must be above zero")
        _positive(self, "gpus_per_instance")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTable:
    """All versions of the price of one GPU at one provider, oldest first; `gpu` names its spec."""

    id: str
    gpu: str
    versions: tuple[GpuRate, ...]

    def __post_init__(self) -> None:
        if not self.versions:
            raise ValueError("a GPU table needs at least one version")
        dates = [(version.effective, version.recorded) for version in self.versions]
        if len(set(dates)) < len(dates):
            raise ValueError(f"{self.id}: two versions share effective and recorded; correct by a later recorded day")
        object.__setattr__(self, "versions", tuple(sorted(self.versions, key=lambda v: (v.effective, v.recorded))))

    @property
    def commitments(self) -> tuple[Commitment, ...]:
        """Every commitment that some version sells, in the order first seen; none for a GPU one owns."""
        return tuple(dict.fromkeys(name for version in self.versions for name in version.usd_per_gpu_hour))

    def on(self, day: date, commitment: Commitment = "on_demand", known_by: date | None = None) -> GpuRate:
        """The version in force on `day` that sells `commitment`; a GPU one owns has one kind of version.

        Args:
            day: the day asked for.
            commitment: how one is bound.
            known_by: only versions recorded on or before this day count (default: all of them).

        Raises:
            NotInForce: no such version on that day; what there is instead is named.
        """
        found = in_force((v for v in self.versions if v.owned or commitment in v.usd_per_gpu_hour), day, known_by)
        if found is None:
            sold = ", ".join(self.commitments) or "ownership"
            first = min(v.effective for v in self.versions)
            raise NotInForce(f'"{self.id}" has no {commitment} price on {day}; it has {sold}, first on {first}')
        return found

    def known_on(self, day: date, commitment: Commitment = "on_demand") -> GpuRate:
        """The version in force on `day`, as it could be known on that day."""
        return self.on(day, commitment, known_by=day)

    def version_id(self, version: GpuRate) -> str:
        """`id@effective`; the id if it holds for ever."""
        return self.id if version.effective == ALWAYS else f"{self.id}@{version.effective}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareBook:
    """GPU prices, GPU specs and model specs by id.

    >>> sorted(HardwareBook().on(date(2026, 11, 23)))
    []
    """

    gpus: Mapping[str, GpuTable] = field(default_factory=dict)
    specs: Mapping[str, GpuSpec] = field(default_factory=dict)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)

    def table(self, gpu_id: str) -> GpuTable:
        """The prices of an id such as `vast/a100-80gb-sxm`; InputError with the nearest id if there is none."""
        return _named(self.gpus, gpu_id, "GPU price")

    def spec(self, gpu: str) -> GpuSpec:
        """The spec of a GPU such as `a100-80gb-sxm`; InputError with the nearest name if there is none."""
        return _named(self.specs, gpu, "GPU spec")

    def model(self, name: str) -> ModelSpec:
        """The spec of a model such as `llama-3.1-8b`; InputError with the nearest name if there is none."""
        return _named(self.models, name, "model spec")

    def on(self, day: date, commitment: Commitment = "on_demand") -> dict[str, GpuRate]:
        """Every price in force on `day` for a commitment, owned GPUs included, by all we know now."""
        return self._standing(day, commitment, None)

    def known_on(self, day: date, commitment: Commitment = "on_demand") -> dict[str, GpuRate]:
        """Every price in force on `day` that was recorded by then."""
        return self._standing(day, commitment, day)

    def stale(self, day: date, older_than: timedelta = timedelta(days=STALE_DAYS)) -> dict[str, int]:
        """Age in days of every GPU whose freshest price by `day` was last seen longer ago than `older_than`."""
        ages = {name: (day - max(v.source.seen_on for v in table.versions if v.effective <= day)).days
                for name, table in sorted(self.gpus.items()) if any(v.effective <= day for v in table.versions)}
        return {name: age for name, age in ages.items() if age > older_than.days}

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any figure, date or source of the book."""
        whole = hashlib.sha256()
        for kind in (self.gpus, self.specs, self.models):
            for name, value in sorted(kind.items()):
                whole.update(f"{name} {canonical(value)}\n".encode())
        return whole.hexdigest()[:12]

    def _standing(self, day: date, commitment: Commitment, known_by: date | None) -> dict[str, GpuRate]:
        found = {}
        for name, table in sorted(self.gpus.items()):
            try:
                found[name] = table.on(day, commitment, known_by)
            except NotInForce:
                continue
        return found


def _named(things: Mapping[str, T], name: str, kind: str) -> T:
    if name not in things:
        raise InputError(f'no {kind} "{name}"{nearest(name, things)}')
    return things[name]


def _positive(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is not None and value <= 0:
            raise ValueError(f"{name} is {value}; it must be above zero")
