"""Counts training: how large a job is billed, when a model is released again, how many jobs a release takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


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
