"""What an engine counts: quantities by day or period, each with the thing that prices it; no dollars here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricing.hardware import Commitment
from pricing.table import Service, TrainingMethod

Array = NDArray[np.float64]
TokenMeter = Literal["input", "cached_input", "cache_write", "output"]
RecurringRate = Literal[
    "hosting_usd_per_hour", "storage_usd_per_month", "storage_usd_per_gb_month", "cache_storage_usd_per_mtok_hour"
]

OVERLOADED = 0.01
"""Share of calls in hours beyond its capacity from which a fleet does not serve a draw: a judgement of ours."""
GpuRateName = Literal["usd_per_gpu_hour", "purchase", "residual", "electricity_usd_per_kwh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """Million tokens on a meter; `band` counts length tiers from 0, `window` daily windows from 0 (None: outside)."""

    price: str
    meter: TokenMeter
    service: Service = "standard"
    band: int = 0
    window: int | None = None
    ttl_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringPrice:
    """Hours, months or GB-months at a rate of the price table."""

    price: str
    rate: RecurringRate


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPrice:
    """Training jobs: the quantity counts jobs, `per_job` says how large one is (million tokens or hours)."""

    price: str
    method: TrainingMethod
    per_job: Array
    by_hour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPrice:
    """GPU-hours rented at a commitment, GPUs bought or sold again, or kWh they use, at the price of one GPU table."""

    gpu: str
    rate: GpuRateName
    commitment: Commitment = "on_demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wage:
    """Hours of a person."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """Units at an amount the scenario names itself."""

    usd_per_unit: Array
    path: str


Basis = TokenPrice | RecurringPrice | JobPrice | GpuPrice | Wage | Typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One counted thing.

    `quantity` has shape (D, T): draws by periods (either may be 1 and broadcast). `option` names whose
    price factor applies. `one_off` tells what is paid once from what recurs with the calls and the calendar.
    """

    line: str
    unit: str
    quantity: Array
    basis: Basis
    option: str
    one_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened on a day, counted from the first."""

    day: int
    text: str


def _unknown() -> Array:
    return np.full(1, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetUse:
    """What a fleet did over the horizon, all arrays (D,): paid replica-hours, what of them was used, and how well.

    `used_hours` are replica-hours of tokens at saturation speed, `busy_hours` those with a call in the replica.
    `overload_calls` came in hours beyond what the fleet can serve; latency is the mean over the other hours.
    `backlog_s` is the longest wait that carried-over calls meet, `end_backlog_calls` what is left unserved.
    Percentiles, preemptions, starts and losses of replicas come from calls that were served one by one, else NaN.
    """

    paid_hours: Array
    used_hours: Array
    busy_hours: Array
    calls: Array
    overload_calls: Array
    overflow_calls: Array
    most_per_s: Array
    backlog_s: Array
    end_backlog_calls: Array
    ttft_s: Array
    tpot_s: Array
    e2e_s: Array
    ttft_p50_s: Array = field(default_factory=_unknown)
    ttft_p95_s: Array = field(default_factory=_unknown)
    ttft_p99_s: Array = field(default_factory=_unknown)
    tpot_p50_s: Array = field(default_factory=_unknown)
    tpot_p95_s: Array = field(default_factory=_unknown)
    tpot_p99_s: Array = field(default_factory=_unknown)
    e2e_p50_s: Array = field(default_factory=_unknown)
    e2e_p95_s: Array = field(default_factory=_unknown)
    e2e_p99_s: Array = field(default_factory=_unknown)
    preemptions: Array = field(default_factory=_unknown)
    starts: Array = field(default_factory=_unknown)
    losses: Array = field(default_factory=_unknown)

    @property
    def utilisation(self) -> Array:
        """Served tokens over tokens at saturation, in the hours that are paid."""
        return np.divide(self.used_hours, self.paid_hours, out=np.zeros_like(self.paid_hours),
                         where=self.paid_hours > 0)

    @property
    def busy_share(self) -> Array:
        """Share of paid time in which a replica holds a call."""
        return np.divide(self.busy_hours, self.paid_hours, out=np.zeros_like(self.paid_hours),
                         where=self.paid_hours > 0)

    @property
    def overload_share(self) -> Array:
        """Share of calls that come in hours beyond what the fleet can serve."""
        return np.divide(self.overload_calls, self.calls, out=np.zeros_like(self.calls), where=self.calls > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetRecord:
    """Hour by hour what a fleet did in the first run of a simulation, (H,) each; `begin_day` opens the first hour.

    `replicas` are paid, `serving` take calls; `used` are replicas kept full by the calls that ended in the hour.
    `inside` is the mean number of calls in the fleet, `queue` that of calls not yet admitted.
    """

    begin_day: int
    calls: Array
    overflow: Array
    replicas: Array
    serving: Array
    used: Array
    inside: Array
    queue: Array

    @property
    def utilisation(self) -> Array:
        """Share of the paid replicas that the served calls fill."""
        return np.divide(self.used, self.replicas, out=np.zeros_like(self.used), where=self.replicas > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Everything one option does over the horizon.

    `edges` (T+1,) are day numbers that bound the periods; within one period every price is constant.
    `calls`, `served`, `eligible`, `hits` have shape (D, T). `serves_until` is the first day without
    service, or None; `why_not` the sentence that rules the option out, or None. `timeline` is what happened
    in the first run of a simulation, in order. `price_index` is what unknown changes multiply a price by, by price id,
    each (D, T).
    """

    option: str
    edges: NDArray[np.int64]
    counts: tuple[Count, ...]
    calls: Array
    served: Array
    eligible: Array
    hits: Array
    peak_per_s: Array
    delivered_share: Array
    serves_until: int | None = None
    why_not: str | None = None
    flags: tuple[str, ...] = ()
    approximate: tuple[str, ...] = ()
    timeline: tuple[Moment, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    fleet: FleetUse | None = None
    price_index: Mapping[str, Array] = field(default_factory=dict)
    record: FleetRecord | None = None
