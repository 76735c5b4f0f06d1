"""What a study answers with: results of options, crossings, payback, verdict; plain values, no pictures."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.domain.advice import Alternative, Bridge, Control, Diagnosed
from simulator.domain.dials import Dial
from simulator.domain.ledger import CostLedger
from simulator.domain.uncertain import BreakEvenSpread, PaybackSpread, Uncertainty, Worth
from simulator.domain.usage import FleetRecord, FleetUse, Moment

if TYPE_CHECKING:
    from simulator.domain.played import Runs

Array = NDArray[np.float64]
VERSION = "0.1.0"
"""Of this program: the same version gives the same numbers."""
Engine = Literal["expected", "simulated"]
Answer = Literal["crosses", "always", "never", "tie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """What one option does and costs; arrays have one entry a draw, shape (D,).

    `runs` are the numbers of the simulated runs, one a draw; empty for an expectation.
    """

    option: str
    kind: str
    engine: Engine
    ledger: CostLedger
    calls: Array
    served_calls: Array
    delivered_calls: Array
    success_calls: Array
    eligible_calls: Array
    hit_calls: Array
    peak_per_s: Array
    tokens: Mapping[str, Array]
    why_not: str | None = None
    serves_until: date | None = None
    flags: tuple[str, ...] = ()
    approximate: tuple[str, ...] = ()
    timeline: tuple[Moment, ...] = ()
    runs: tuple[int, ...] = ()
    ruled_out: NDArray[np.bool_] | None = None
    fleet: FleetUse | None = None
    record: FleetRecord | None = None
    meets_slo: bool | None = None

    @property
    def keeps_up(self) -> bool:
        """Whether it serves all calls for as long as it serves at all: only then does a payback mean anything."""
        return self.feasible or self.serves_until is not None

    def pays_back_against(self, other: SimulationResult) -> bool:
        """Whether it pays more up front than another, and both keep up; else there is nothing that it could pay back.

        What hardware fetches at the end is no cash until then.
        """
        mine, theirs = (one.ledger.spent_usd(one_off=True).sum(axis=1).mean() for one in (self, other))
        return bool(mine > theirs) and self.keeps_up and other.keeps_up

    @property
    def feasible(self) -> bool:
        """Whether it can be bought and serves every day (in at least one draw)."""
        return self.why_not is None

    @property
    def feasible_draws(self) -> NDArray[np.bool_]:
        """Whether it can be bought and serves every day, by draw, shape (D,)."""
        if self.ruled_out is None or not self.feasible:
            return np.full(self.ledger.draws, self.feasible)
        return ~self.ruled_out

    @property
    def total_usd(self) -> Array:
        """All dollars until the end of the horizon or of service."""
        total: Array = self.ledger.usd().sum(axis=1)
        return total

    @property
    def one_off_usd(self) -> Array:
        """Dollars paid once."""
        total: Array = self.ledger.usd(one_off=True).sum(axis=1)
        return total

    @property
    def money_usd(self) -> Array:
        """All dollars but those of wrong answers: the comparison at equal quality."""
        total: Array = self.ledger.usd(without=("failures",)).sum(axis=1)
        return total

    @property
    def cache_hit_rate(self) -> Array:
        """Share of the calls with a cacheable prefix that found it cached; 0 where none could."""
        return np.divide(
            self.hit_calls, self.eligible_calls, out=np.zeros_like(self.hit_calls), where=self.eligible_calls > 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of a latency over calls; NaN where there were none."""

    mean: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRun:
    """Calls served one by one on so many replicas: latencies, speeds, and what stood in the way."""

    ttft_s: Times
    tpot_s: Times
    e2e_s: Times
    calls: int
    output_tokens_per_s: float
    requests_per_s: float
    mean_concurrency: float
    busy_share: float
    preemptions: int
    refused: int
    makespan_s: float
    most_decoding: int
    prefill_tokens: int
    waiting_at_end: int
    replicas: int
    saturation_per_s: float = 0.0
    utilisation: float = 0.0
    overload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The smallest fleet that meets the latency targets at the sizing hour, and what binds one replica less.

    `replicas` is None where no fleet can: `binds` then says why. `usd_per_month` pays it around the clock.
    """

    option: str
    rate_per_s: float
    replicas: int | None
    binds: str
    run: ServingRun | None
    usd_per_month: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A value of a dial at which the cheaper option changes."""

    at: float
    kind: Literal["root", "jump"]
    basis: Literal["steady_state", "horizon"]
    below: str
    above: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A crossing of any two options that serve every day; `leads` where the cheapest of all changes there."""

    crossing: Crossing
    leads: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Payback:
    """From when the cumulative cash of the dearer-to-start option stays at or below the other's.

    `discounted_days` and `discounted_date` say the same of cash at its present value, and `discounted` in words; none
    where the scenario does not discount.
    """

    days: float | None
    date: date | None
    reason: str
    flags: tuple[str, ...] = ()
    discounted_days: float | None = None
    discounted_date: datetime.date | None = None
    discounted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where two options cost the same along a dial, and when the larger one-off has paid back."""

    between: tuple[str, str]
    along: str
    unit: str
    answer: Answer
    cheaper: str | None
    crossings: tuple[Crossing, ...]
    reason: str | None
    payback: Payback


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """Monthly cost of every option along a dial, averaged over the horizon: `x` and each cost have shape (n,).

    A cost is NaN where the option cannot serve the calls.
    """

    along: str
    label: str
    unit: str
    scale: Literal["linear", "log"]
    today: float
    x: Array
    usd_per_month: Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSummary:
    """The readings of one option that a table shows."""

    result: SimulationResult
    total_usd: float | None
    total_until: float | None
    npv_usd: float
    monthly_usd: float
    fixed_usd_per_month: float
    unit_usd: float
    per_call_usd: float
    per_success_usd: float | None
    one_off_usd: float
    recurring_usd: float
    by_month: tuple[float, ...]
    meets_slo: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer in words, with the numbers each sentence rests on."""

    choice: str
    runner_up: str | None
    saving_usd: float
    saving_vs_baseline_usd: float
    too_close: bool
    money: str
    with_quality: str | None
    quality_gap_to_flip: float | None
    max_saving_usd_per_month: float
    because: tuple[str, ...]
    caveats: tuple[str, ...]
    flips: tuple[str, ...]
    confidence: float | None = None
    control: str | None = None
    diagnosis: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A value the answer rests on, where it came from, and whether the user set it."""

    path: str
    value: float | str
    source: str
    set_by_user: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUsed:
    """A version of a price that paid for something; `id` names the version, `price` the table."""

    id: str
    price: str
    effective: date
    recorded: date
    confidence: str
    age_days: int
    title: str
    href: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every option side by side; of a simulation, `options` hold the mean run and `played` all of them.

    `break_even` tells of every option against the baseline along the volume, `meetings` of any two of three or more.
    """

    scenario_name: str
    question: str
    digest: str
    baseline: str
    start: date
    horizon_days: int
    options: Mapping[str, OptionSummary]
    break_even: tuple[BreakEven, ...]
    verdict: Verdict
    assumptions: tuple[Assumption, ...]
    prices_used: tuple[PriceUsed, ...]
    prices_digest: str
    stale: tuple[str, ...]
    uncertainty: Uncertainty | None = None
    worth: tuple[Worth, ...] = ()
    break_even_spreads: tuple[BreakEvenSpread, ...] = ()
    payback_spreads: tuple[PaybackSpread, ...] = ()
    bridge: Bridge | None = None
    control: Control | None = None
    alternatives: tuple[Alternative, ...] = ()
    diagnosed: Diagnosed | None = None
    engine: Engine = "expected"
    fidelity: str | None = None
    seed: int = 0
    played: Runs | None = None
    meetings: tuple[Meeting, ...] = ()
    version: str = VERSION

    def earns_back(self, name: str) -> bool:
        """Whether an option pays more up front than the baseline, and so has something to pay back."""
        return self.options[name].result.pays_back_against(self.options[self.baseline].result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A dial on the board.

    `at_hand` ones are shown at once: what the scenario sets, and what is asked for first. `option` names
    whose dial it is, or is empty.
    """

    path: str
    group: str
    option: str
    dial: Dial
    value: float
    stops: tuple[float, ...]
    source: str
    at_hand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One option in words; `against` is its difference a month to the baseline, `saves` tells which way it goes."""

    option: str
    colour: str
    chosen: bool
    monthly: str
    against: str
    saves: bool | None
    facts: dict[str, str]
    why_not: str
