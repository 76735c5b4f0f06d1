"""Counts the calls that a provider's outages send elsewhere or lose.

Twin of `simulated/outages.py`, class *unbiased*: outages that begin `per_month` times a month and last `hours` on
average fill that share of all time, however they are spread, and calls come without regard to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def share_of_time_out(per_month: ArrayLike, hours: ArrayLike, hours_per_month: ArrayLike) -> Array:
    """Share of time in outages: `per_month x hours / hours_per_month`.

    >>> float(share_of_time_out(2, 3.65, 730))
    0.01
    """
    share: Array = np.asarray(per_month, dtype=float) * hours / np.asarray(hours_per_month, dtype=float)
    return share
