"""Counts calls and tokens in expectation: growth, the week, caps, retries, and lengths across tiers."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

def growth_by_day(growth_per_month: ArrayLike, days: int, hours_per_month: ArrayLike = 730.0) -> Array:
    """Mean over each day of `(1 + g) ** (t / hours_per_month)`, t in hours: the exact integral of continuous growth.

    Args:
        growth_per_month: share a month, scalar or (D,).
        days: number of days.
        hours_per_month: scalar or (D,).

    Returns:
        (D, days), or (1, days) for scalars.

    >>> growth_by_day(0.0, 2)
    array([[1., 1.]])
    """
    return growth_at(growth_rate(growth_per_month, hours_per_month), days)


def growth_rate(growth_per_month: ArrayLike, hours_per_month: ArrayLike) -> Array:
    """Continuous growth an hour: `ln(1 + g) / hours_per_month`."""
    rate: Array = np.log1p(growth_per_month) / np.asarray(hours_per_month, dtype=float)
    return rate


def growth_at(rate_per_hour: ArrayLike, days: int) -> Array:
    """Mean over each day of `exp(rate t)`, t in hours; (D, days), or (1, days) for one rate."""
    a_day = 24.0 * np.atleast_1d(np.asarray(rate_per_hour, dtype=float))[:, None]
    mean_of_first = np.where(a_day == 0, 1.0, np.expm1(a_day) / np.where(a_day == 0, 1.0, a_day))
    factors: Array = mean_of_first * np.exp(a_day * np.arange(days))
    return factors


def event_factors(days: int, events: list[tuple[int, int, float]]) -> Array:
    """Product of dated multipliers (first day, day after the last, factor) by day, shape (days,)."""
    factors = np.ones(days)
    for first, after, factor in events:
        factors[max(first, 0) : max(after, 0)] *= factor
    return factors


def capped_share(rate: ArrayLike, cap: ArrayLike, log_sd: ArrayLike) -> Array:
    """`E[min(X, cap)] / E[X]` for a lognormal rate X of mean `rate` and log standard deviation `log_sd`.

    Formula: `Phi(d - sd) + (cap / rate) Phi(-d)` with `d = (ln(cap / rate) + sd^2 / 2) / sd`
    (limited expected value of the lognormal, Klugman et al., Loss Models, app. A).

    >>> float(capped_share(4.0, 2.0, 0.0))
    0.5
    """
    mean, sd = np.broadcast_arrays(np.asarray(rate, dtype=float), np.asarray(log_sd, dtype=float))
    ratio = np.asarray(cap, dtype=float) / np.maximum(mean, 1e-300)
    certain: Array = np.asarray(np.minimum(1.0, ratio))
    spreads = sd > 1e-12  # less is no spread: the depth would overflow
    if not np.any(spreads):
        return certain
    from scipy.special import ndtr

    spread = np.where(spreads, sd, 1.0)
    depth = (np.log(ratio) + spread**2 / 2) / spread
    return np.where(spreads, ndtr(depth - spread) + ratio * ndtr(-depth), certain)


def attempts(failure_rate: ArrayLike, max_retries: ArrayLike) -> tuple[Array, Array]:
    """Expected attempts per call and the share of calls delivered.

    `A = (1 - f^(R+1)) / (1 - f)`, `s = 1 - f^(R+1)`; at f = 1 every call takes R + 1 attempts for nothing.

    >>> [float(x) for x in attempts(0.5, 1)], [float(x) for x in attempts(1.0, 3)]
    ([1.5, 0.75], [4.0, 0.0])
    """
    fail = np.asarray(failure_rate, dtype=float)
    tries = np.asarray(max_retries, dtype=float) + 1
    delivered = 1.0 - fail**tries
    return np.where(fail == 1, tries, delivered / np.where(fail == 1, 1.0, 1.0 - fail)), delivered


def lognormal_sigma(cv: ArrayLike) -> Array:
    """Log standard deviation of a lognormal with the given coefficient of variation: `sqrt(ln(1 + cv^2))`."""
    sigma: Array = np.sqrt(np.log1p(np.square(np.asarray(cv, dtype=float))))
    return sigma


def tier_shares(
    fixed: ArrayLike,
    mean_input: ArrayLike,
    input_cv: ArrayLike,
    output_cv: ArrayLike,
    correlation: ArrayLike,
    thresholds: tuple[float, ...],
) -> tuple[list[Array], list[Array], list[Array]]:
    """How calls, input and output spread over length tiers; a tier re-prices the whole request.

    The prompt is `fixed + I`, `I` a lognormal of mean `mean_input`; the output a lognormal whose log
    correlates with that of the input. Partial expectations, so that a bill is `E[f(X)]`, never `f(E[X])`.

    Returns:
        Three lists with one array per band (len(thresholds) + 1, lowest first): the share of calls,
        of input tokens and of output tokens in the band.

    >>> calls, inputs, outputs = tier_shares(100, 50, 0, 0, 0, (149,))
    >>> [float(c) for c in calls]
    [0.0, 1.0]
    """
    one = np.ones(np.broadcast_shapes(*(np.shape(x) for x in (fixed, mean_input, input_cv, output_cv, correlation))))
    above = [(one, one, one)]
    for threshold in thresholds:
        above.append(
            _shares_above(
                np.asarray(threshold - np.asarray(fixed, dtype=float)) * one,
                mean_input,
                input_cv,
                output_cv,
                correlation,
            )
        )
    above.append((0 * one, 0 * one, 0 * one))
    bands = list(itertools.pairwise(above))
    return ([a[0] - b[0] for a, b in bands], [a[1] - b[1] for a, b in bands], [a[2] - b[2] for a, b in bands])


def _shares_above(
    room: Array, mean: ArrayLike, cv: ArrayLike, output_cv: ArrayLike, correlation: ArrayLike
) -> tuple[Array, Array, Array]:
    """Shares of calls, input and output whose input exceeds `room` tokens."""
    size, spread = np.asarray(mean, dtype=float), lognormal_sigma(cv)
    step = np.where(size > room, 1.0, 0.0)
    if not np.any(spread > 0) or np.all(room <= 0):
        return step, step, step
    from scipy.special import ndtr

    sigma = np.where(spread > 0, spread, 1.0)
    with np.errstate(divide="ignore"):
        depth = (np.log(size) - sigma**2 / 2 - np.log(np.maximum(room, 0))) / sigma
    shift = np.asarray(correlation, dtype=float) * lognormal_sigma(output_cv)
    certain = (room <= 0) | (spread == 0)
    return tuple(np.where(certain, step, ndtr(depth + by)) for by in (0.0, sigma, shift))  # type: ignore[return-value]


def window_hours(hours: tuple[float, float], weekdays: frozenset[int], utc_offset_h: float) -> Array:
    """The part of every local hour of the week that lies in a daily UTC window, shape (7, 24).

    Args:
        hours: begin and end of the window in UTC hours; an end at or before the begin passes midnight.
        weekdays: days (Monday = 0) on which the window begins, in UTC.
        utc_offset_h: local time minus UTC, in hours.

    >>> float(window_hours((1.0, 4.0), frozenset({0}), 0.0).sum())
    3.0
    """
    begin, end = hours
    length = (end - begin) % 24.0 or 24.0
    week = np.zeros(168)
    for weekday in weekdays:
        first = (weekday * 24 + begin + utc_offset_h) % 168.0
        for hour in range(math.floor(first), math.ceil(first + length)):
            week[hour % 168] += min(hour + 1, first + length) - max(hour, first)
    return week.reshape(7, 24)
