"""What a study of uncertainty answers with: spreads, chances, regret, the value of knowing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIGNIFICANT_DIGITS = 4
"""Of a value of a dial, however large: rounding to one side then moves it by a thousandth at most."""
Spread = tuple[float, float, float]
"""The 5 %, 50 % and 95 % points."""


def spread(values: Array) -> Spread:
    """The 5 %, 50 % and 95 % points of draws.

    >>> spread(np.arange(101.0))
    (5.0, 50.0, 95.0)
    """
    found = np.quantile(values, (0.05, 0.5, 0.95))
    return float(found[0]), float(found[1]), float(found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRisk:
    """One option over all draws; regret is what it costs more than the cheapest of the same draw.

    `quantiles_usd` are evenly spaced quantiles of its cost, the least and the largest draw at the ends.
    """

    mean_usd: float
    interval_usd: Spread
    cheapest_share: float
    feasible_share: float
    expected_regret_usd: float | None
    regret_usd: Spread | None
    max_regret_usd: float | None
    regret_chances: tuple[tuple[float, float], ...] = ()
    quantiles_usd: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Which option to choose when inputs are ranges, how sure that is, and what it may cost to be wrong.

    `choice` is cheapest on average, `confidence` the share of draws in which it is cheapest, `robust` the
    option whose worst regret is least. `saving_usd` is the spread of what the choice saves against the runner-up,
    draw by draw. `perfect_usd` is the value of knowing everything beforehand.
    """

    draws: int
    seed: int
    paths: tuple[str, ...]
    options: Mapping[str, OptionRisk]
    choice: str
    confidence: float
    runner_up: str | None
    saving_usd: Spread | None
    robust: str
    perfect_usd: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What it is worth to know one input exactly before deciding; `error_usd` is one standard error."""

    path: str
    label: str
    usd: float
    error_usd: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEvenSpread:
    """Where two options cost the same along a dial, over draws.

    `crosses`, `always` and `never` are shares of draws (always, never: the challenger is cheaper); `at` is
    the spread of the lowest crossing among the draws that cross, `None` where none does.
    """

    between: tuple[str, str]
    along: str
    unit: str
    draws: int
    crosses: float
    always: float
    never: float
    at: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybackSpread:
    """When the larger one-off has paid back, over draws: the share that does, and its days and dates."""

    between: tuple[str, str]
    draws: int
    paid_share: float
    days: Spread | None
    dates: tuple[date, date, date] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a tornado: what moving a dial from low to high does to the difference of the two best options.

    `at_low` and `at_high` are the runner-up's cost less the choice's, in USD over the horizon.
    """

    path: str
    label: str
    unit: str
    low: float
    high: float
    today: float
    at_low: float
    at_high: float
    basis: Literal["range", "default range", "assumed"]

    @property
    def effect_usd(self) -> float:
        """How far the difference moves."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tornado:
    """All bars, longest first, the dials that change nothing, and those an end of which rules out one of the two."""

    choice: str
    runner_up: str
    difference_usd: float
    bars: tuple[Bar, ...]
    without_effect: tuple[str, ...]
    ruled_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolRow:
    """Share of the variance of the difference that a dial explains alone, and with all its interactions."""

    path: str
    label: str
    first: float
    first_interval: tuple[float, float]
    total: float
    total_interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sobol:
    """Sobol indices of the difference between the two best options."""

    choice: str
    runner_up: str
    samples: int
    rows: tuple[SobolRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The nearest value of one dial at which another option becomes the choice.

    `change` is relative to today's value, `None` where that is zero; `distance` orders flips: the size of the
    relative change, or the part of the dial's span where there is none.
    """

    path: str
    label: str
    unit: str
    today: float
    at: float
    to: str
    change: float | None
    distance: float
    kind: Literal["root", "jump"]


def told_at(at: float, today: float) -> float:
    """The value at which a flip is told: `SIGNIFICANT_DIGITS`, rounded away from today, so that it is beyond the flip.

    >>> told_at(10_592.6, 2_600.0), told_at(12.7763, 50.0), told_at(0.0, 1.0)
    (10600.0, 12.77, 0.0)
    """
    if not at:
        return 0.0
    decimals = SIGNIFICANT_DIGITS - math.floor(math.log10(abs(at))) - 1
    outward = math.ceil if at > today else math.floor
    scaled = at * 10.0**decimals if decimals >= 0 else at / 10.0**-decimals
    whole = float(outward(scaled + (-1e-6 if at > today else 1e-6)))
    return whole / 10.0**decimals if decimals >= 0 else whole * 10.0**-decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """All flips, nearest first; `steady` are dials over whose whole span the choice stays, `idle` change nothing."""

    choice: str
    rows: tuple[Flip, ...]
    steady: tuple[str, ...]
    idle: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMap:
    """Which option is cheapest over two dials.

    `usd` (options, ny, nx) is the monthly cost, `cheapest` (ny, nx) the index of the cheapest option (-1: none
    is feasible) and `margin_usd` (ny, nx) by how much a month it beats the runner-up. `lines` are points on
    the break-even lines between neighbouring regions, by pair.
    """

    x: str
    y: str
    x_label: str
    y_label: str
    x_unit: str
    y_unit: str
    x_scale: Literal["linear", "log"]
    y_scale: Literal["linear", "log"]
    x_values: Array
    y_values: Array
    today: tuple[float, float]
    names: tuple[str, ...]
    usd: Array
    cheapest: NDArray[np.int64]
    margin_usd: Array
    lines: Mapping[tuple[str, str], Array]
    facet: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """A stretch of a dial on which one option is the cheapest of all, one-offs included; None where none serves.

    `begins` is how it took over from the one below: `root` where both cost the same, `jump` where a cost springs;
    None at the low end of the scan.
    """

    low: float
    high: float
    cheapest: str | None
    begins: Literal["root", "jump"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What moves an answer, as far as there is something to tell; `reigns` are along the calls a day."""

    reigns: tuple[Reign, ...] = ()
    tornado: Tornado | None = None
    flips: Flips | None = None
    sobol: Sobol | None = None
    map: CostMap | None = None
