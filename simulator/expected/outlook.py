"""Expects unknown prices: what a price that drifts and jumps is multiplied by on each day, on average.

Twin of `simulated/outlook.py`, class *unbiased*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def expected_index(
    days: int, changes_per_year: ArrayLike, mean_factor: ArrayLike, drift_per_year: ArrayLike = 0.0
) -> Array:
    """Mean of a price relative to the known one by day, (D, days), one on the first.

    `exp(rate (m - 1) t) (1 + drift)^t` with t years since the first midnight: the mean of a compound Poisson
    process whose jumps multiply by m on average (Ross, Stochastic Processes, 2nd ed., section 2.5).

    Args:
        days: length of the horizon.
        changes_per_year: of one price, a number or (D,).
        mean_factor: what a change multiplies the price by, on average.
        drift_per_year: share a year, a number or (D,).

    >>> float(expected_index(366, 2.0, 0.5)[0, 365]) == float(np.exp(-1.0))
    True
    """
    rate = np.asarray(changes_per_year, dtype=float) * (np.asarray(mean_factor, dtype=float) - 1.0)
    slope = np.atleast_1d(rate + np.log1p(np.asarray(drift_per_year, dtype=float)))
    found: Array = np.exp(slope[:, None] * (np.arange(days) / 365.0))
    return found
