"""Money over time: present value, cumulative cash, sums by month, payback."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.domain.findings import SimulationResult
from simulator.domain.scenario import Scenario

Array = NDArray[np.float64]
FRAGILE_DAYS = 30.0
"""A payback that only holds, or is undone, this close to the end of the horizon is called fragile: one month, a
judgement of ours."""


def present_value(cash_by_day: ArrayLike, rate_per_year: float) -> float:
    """Present value of daily cash: `sum c_d (1 + r)^(-d / 365)`, d counted from 0.

    >>> present_value([100.0], 0.08), round(present_value([0.0] * 365 + [108.0], 0.08), 9)
    (100.0, 100.0)
    """
    return float(np.sum(discounted(cash_by_day, rate_per_year)))


def discounted(cash_by_day: ArrayLike, rate_per_year: float) -> Array:
    """Daily cash as worth on the first day: `c_d (1 + r)^(-d / 365)`, d counted from 0, (days,).

    >>> discounted([100.0, 0.0], 0.08).tolist(), round(float(discounted([0.0] * 365 + [108.0], 0.08)[-1]), 9)
    ([100.0, 0.0], 100.0)
    """
    cash = np.asarray(cash_by_day, dtype=float)
    found: Array = cash * np.power(1.0 + rate_per_year, -np.arange(len(cash)) / 365.0)
    return found


def amortised_per_month(one_off_usd: float, months: float, rate_per_year: float = 0.0) -> float:
    """Level monthly payment that repays a one-off over `months`: `P i / (1 - (1 + i)^-n)`, `i = (1 + r)^(1/12) - 1`.

    >>> amortised_per_month(1200.0, 12), round(amortised_per_month(1000.0, 12, 0.08), 4)
    (100.0, 86.8594)
    """
    monthly = (1.0 + rate_per_year) ** (1.0 / 12.0) - 1.0
    if monthly == 0:
        return float(one_off_usd / months)
    return float(one_off_usd * monthly / (1.0 - (1.0 + monthly) ** -months))


def cumulative(one_off_by_day: ArrayLike, recurring_by_day: ArrayLike) -> tuple[Array, Array]:
    """Cash paid by the end of each day and, as one-offs fall at its beginning, just after they fell.

    Returns:
        `after_one_off` and `by_end`, each (days,): between them a day's recurring cash accrues evenly.

    >>> [x.tolist() for x in cumulative([10, 0], [1, 1])]
    [[10.0, 11.0], [11.0, 12.0]]
    """
    one_off, recurring = np.asarray(one_off_by_day, dtype=float), np.asarray(recurring_by_day, dtype=float)
    by_end = np.cumsum(one_off + recurring)
    return by_end - recurring, by_end


def served_months(scenario: Scenario, result: SimulationResult) -> float:
    """Months of `hours_per_month` from the start to the end of service or of the horizon; at least a day."""
    served = scenario.day_index(result.serves_until) if result.serves_until else int(scenario.horizon_days)
    return max(served, 1) * 24.0 / scenario.hours_per_month


def ceiling_usd_per_month(scenario: Scenario, result: SimulationResult) -> float:
    """The most that any change can save a month: all that an option costs, as no alternative costs less than nothing.

    What is paid once counts, spread over the horizon, and wrong answers do where the verdict weighs quality, so that
    no saving a verdict tells of is above it.
    """
    judged = scenario.failure_usd > 0 and any(one.success_rate is not None for one in scenario.options.values())
    paid = result.ledger.usd(without=() if judged else ("failures",))
    return max(0.0, float(paid[0].sum()) / served_months(scenario, result))


def by_month(cash_by_day: ArrayLike, days_per_month: float) -> list[float]:
    """Cash in consecutive months of equal length; a day that spans two is split, the last month may be short.

    >>> by_month([1.0] * 5, 2.0)
    [2.0, 2.0, 1.0]
    """
    path = np.concatenate([[0.0], np.cumsum(np.asarray(cash_by_day, dtype=float))])
    days = len(path) - 1
    edges = [*np.arange(0.0, days, days_per_month).tolist(), float(days)]
    return np.diff(np.interp(edges, np.arange(days + 1), path)).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybackDay:
    """When a difference of cumulative cash falls to zero or below for good; None if it does not."""

    days: float | None
    fragile: bool = False


def payback_day(after_one_off: ArrayLike, by_end: ArrayLike) -> PaybackDay:
    """First moment from which a cumulative difference stays at or below zero to the end of the horizon.

    Args:
        after_one_off: the difference at the beginning of each day, one-offs of that day included, (days,).
        by_end: the difference at the end of each day, (days,); it moves evenly in between.

    Returns:
        Fractional days from the start; `fragile` where it is reached, or undone again, within the last 30 days.

    >>> payback_day([10, 8, 6, 4, 2], [8, 6, 4, 2, 0]).days, payback_day([1], [1]).days, payback_day([0], [-1]).days
    (5.0, None, 0.0)
    """
    opens, ends = np.asarray(after_one_off, dtype=float), np.asarray(by_end, dtype=float)
    horizon = float(len(opens))
    held = _held_from(opens, ends, len(opens))
    if held is not None:
        return PaybackDay(days=held, fragile=held > 0 and held > horizon - FRAGILE_DAYS)
    for until in range(len(opens) - 1, max(0, len(opens) - int(FRAGILE_DAYS)) - 1, -1):
        if (held := _held_from(opens, ends, until)) is not None:
            return PaybackDay(days=held, fragile=True)
    return PaybackDay(days=None)


def _held_from(opens: Array, ends: Array, until: int) -> float | None:
    """First moment from which both ends of every day before `until` are at or below zero."""
    if until == 0 or ends[until - 1] > 0:
        return None
    above = np.flatnonzero((opens[:until] > 0) | (ends[:until] > 0))
    if not len(above):
        return 0.0
    day = int(above[-1])
    if ends[day] > 0:  # it falls below zero only by a one-off payment at the beginning of the next day
        return float(day + 1)
    return day + float(opens[day] / (opens[day] - ends[day]))


def present_values(cash_by_day: Array, rate_per_year: ArrayLike) -> Array:
    """Present value of many paths of daily cash, (D, days), at one rate or one a path, (D,).

    >>> present_values(np.array([[100.0, 0.0], [0.0, 100.0]]), [0.1, 0.0]).tolist()
    [100.0, 100.0]
    """
    rates = np.asarray(rate_per_year, dtype=float).reshape(-1, 1)
    found: Array = (cash_by_day * (1.0 + rates) ** (-np.arange(cash_by_day.shape[1]) / 365.0)).sum(axis=1)
    return found


def payback_days(after_one_off: Array, by_end: Array) -> Array:
    """`payback_day` of many paths at once, (D, days) each: fractional days, infinite where it is never reached.

    >>> payback_days(np.array([[10.0, 8.0], [1.0, 1.0]]), np.array([[8.0, -8.0], [1.0, 1.0]])).tolist()
    [1.5, inf]
    """
    days = by_end.shape[1]
    above = (after_one_off > 0) | (by_end > 0)
    last = days - 1 - np.argmax(above[:, ::-1], axis=1)
    rows = np.arange(len(by_end))
    opens, ends = after_one_off[rows, last], by_end[rows, last]
    falls = np.where(opens > ends, opens - ends, 1.0)
    inside = np.where(ends > 0, last + 1.0, last + opens / falls)
    found: Array = np.where(above.any(axis=1), inside, 0.0)
    return np.where(by_end[:, -1] > 0, np.inf, found)
