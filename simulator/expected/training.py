"""Counts training: how large a job is billed, when a model is released again, how many jobs a release takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
NEVER_LATE = 1e-12
"""Chance below which a model is taken to be trained: less of a bill than its last digit."""


def billed_tokens(
    set_tokens: ArrayLike,
    epochs: ArrayLike,
    validation_tokens: ArrayLike = 0.0,
    evaluations: ArrayLike = 0.0,
    validation_billed: bool = False,
) -> Array:
    """Tokens a job is billed for: `set x epochs`, plus `validation x evaluations` where the provider bills it.

    A validation set without a stated number of evaluations is gone through once.

    >>> float(billed_tokens(5e6, 3, 1e6, 0, validation_billed=True))
    16000000.0
    """
    trained = np.asarray(set_tokens, dtype=float) * epochs
    passes = np.maximum(np.asarray(evaluations, dtype=float), 1.0)
    return trained + (np.asarray(validation_tokens, dtype=float) * passes if validation_billed else 0.0)


def jobs_per_release(runs_per_model: ArrayLike, failure_rate: ArrayLike) -> Array:
    """Jobs paid for one released model: runs, each repeated until it does not fail: `runs / (1 - f)`.

    >>> float(jobs_per_release(3, 0.25))
    4.0
    """
    jobs: Array = np.asarray(runs_per_model, dtype=float) / (1.0 - np.asarray(failure_rate, dtype=float))
    return jobs


def jobs_ended(
    runs_per_model: ArrayLike, failure_rate: ArrayLike, job_hours: ArrayLike, hours_left: float
) -> Array:
    """Jobs of one release that end before the horizon does: `sum over n h < H of P(N >= n)`, N the jobs it takes.

    Args:
        runs_per_model: a number or (D,), as the next two.
        failure_rate: chance that a job fails.
        job_hours: how long a job takes; where they take none, all end.
        hours_left: from the first job to the end of the horizon.

    Returns:
        (D,).

    >>> jobs_ended(3, 0.0, 10.0, 25.0).tolist(), jobs_ended(3, 0.5, 0.0, 25.0).tolist()
    ([2.0], [6.0])
    """
    runs, fail, hours = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=float)) for x in (runs_per_model, failure_rate, job_hours))
    )
    found = np.array(jobs_per_release(runs, fail))
    room = np.where(hours > 0, np.ceil(hours_left / np.where(hours > 0, hours, 1.0) - 1e-9) - 1.0, np.inf)
    short = np.isfinite(room)
    short[short] = 1.0 - _trained(runs[short], fail[short], room[short]) > NEVER_LATE
    for row in np.flatnonzero(short).tolist():
        before = np.arange(max(0.0, room[row]))
        found[row] = np.sum(1.0 - _trained(np.full(len(before), runs[row]), np.full(len(before), fail[row]), before))
    return found


def release_days(first: int, after: int, every: float | None) -> list[int]:
    """Days on which a model is released: `first`, then every so many days, before `after`.

    >>> release_days(21, 365, 120)
    [21, 141, 261]
    """
    if after <= first:
        return []
    return [first] if every is None else list(range(first, after, int(every)))


def billed_hours(hours: ArrayLike, decimals: int | None) -> Array:
    """Hours of a job as billed, rounded where the provider rounds.

    >>> float(billed_hours(1.2345, 2))
    1.23
    """
    exact = np.asarray(hours, dtype=float)
    return exact if decimals is None else np.round(exact, decimals)


def late_share(days: ArrayLike, runs_per_model: ArrayLike, failure_rate: ArrayLike, job_hours: ArrayLike) -> Array:
    """Chance that the first model is not trained by the midnight that begins a day.

    Jobs follow each other from the first midnight on, so by day d there was time for `floor(24 d / hours)` of them.

    Args:
        days: day numbers, (T,).
        runs_per_model: a number or (D,), as all that follow.
        failure_rate: chance that a job fails.
        job_hours: how long a job takes.

    Returns:
        (D, T).

    >>> late_share([6, 7, 14], 1.0, 0.5, 168.0)[0].tolist()
    [1.0, 0.5, 0.25]
    """
    runs, fail, hours, day = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=float))[:, None] for x in (runs_per_model, failure_rate, job_hours)),
        np.asarray(days, dtype=float),
    )
    jobs = np.where(hours > 0, np.floor(24.0 * day / np.where(hours > 0, hours, 1.0) + 1e-9), np.inf)
    late = 1.0 - _trained(runs, fail, jobs)
    return np.where(late > NEVER_LATE, late, 0.0)


def _trained(runs: Array, fail: Array, jobs: Array) -> Array:
    """Chance that so many jobs are enough for the runs of a model; all arrays of one shape.

    k runs need a negative binomial number of jobs: at most n with chance `P(Binomial(n, 1 - f) >= k)`, which is the
    incomplete beta function `I_{1-f}(k, n - k + 1)` (Feller, An Introduction to Probability Theory, vol. 1, 3rd ed.,
    section VI.8). A fractional number of runs is met on average, by the whole number below or above it.
    """
    from scipy.special import betainc

    def enough(needed: Array) -> Array:
        between = (jobs >= needed) & np.isfinite(jobs) & (needed >= 1)
        chance = betainc(np.where(between, needed, 1.0), np.where(between, jobs - needed + 1.0, 1.0), 1.0 - fail)
        return np.where(between, chance, (jobs >= needed).astype(float))

    whole = np.floor(runs)
    found: Array = (1.0 - (runs - whole)) * enough(whole) + (runs - whole) * enough(whole + 1)
    return found
