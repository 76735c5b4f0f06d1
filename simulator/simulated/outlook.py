"""Plays the price changes that nobody announced: at random times, each by one of the factors that history shows.

Twin of `expected/outlook.py`, class *unbiased*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import simpy
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from simulator.simulated.training import Process

Array = NDArray[np.float64]
HOURS_PER_YEAR = 365.0 * 24.0


def price_changes(
    env: simpy.Environment,
    generator: Generator,
    changes_per_year: float,
    factors: Sequence[float],
    changed: Callable[[int, float], None],
) -> Process:
    """A process that changes a price now and then: exponential times between, and a factor drawn at each.

    Args:
        env: the calendar, in hours.
        generator: decides when, and by how much.
        changes_per_year: above 0.
        factors: what a change may multiply the price by, each as likely as any other.
        changed: called at each change with the day from whose midnight it holds, and the factor.
    """
    while True:
        yield env.timeout(generator.exponential(HOURS_PER_YEAR / changes_per_year))
        factor = factors[int(generator.random() * len(factors))]
        changed(math.ceil(env.now / 24.0), factor)


def drifted(days: int, drift_per_year: ArrayLike, rows: int) -> Array:
    """What drift alone multiplies a price by on each day, (rows, days), one on the first.

    >>> drifted(366, 0.5, 1)[0, [0, 365]].tolist()
    [1.0, 1.5]
    """
    yearly = np.broadcast_to(1.0 + np.asarray(drift_per_year, dtype=float), (rows,))
    found: Array = yearly[:, None] ** (np.arange(days) / 365.0)
    return found
