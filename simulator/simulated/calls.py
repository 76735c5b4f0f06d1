"""Draws how many calls come, wait, fail and are tried again: an hour's or a day's totals for all runs at once.

Twin of `expected/calls.py`, class *unbiased*. The cost does not depend on the number of calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXACT_POISSON = 1e12
"""Above this mean a Poisson count is drawn as a rounded normal: the generator's own limit is near 9.2e18, and
here the two laws differ by less than a millionth of their standard deviation."""


def draw_calls(generator: Generator, mean: Array) -> Array:
    """Poisson counts of the given means, whole numbers, same shape.

    >>> draw_calls(np.random.default_rng(0), np.zeros(2)).tolist()
    [0.0, 0.0]
    """
    if np.all(mean < EXACT_POISSON):
        return generator.poisson(mean).astype(float)
    normal = np.rint(mean + np.sqrt(mean) * generator.standard_normal(mean.shape))
    return np.where(mean < EXACT_POISSON, generator.poisson(np.minimum(mean, EXACT_POISSON)), normal).astype(float)


def thin(generator: Generator, count: Array, share: Array | float) -> Array:
    """How many of `count` are chosen, each with probability `share` on its own.

    >>> thin(np.random.default_rng(0), np.array([3.0]), 1.0).tolist()
    [3.0]
    """
    likely = np.broadcast_to(np.asarray(share, dtype=float), count.shape)
    if not likely.any():
        return np.zeros_like(count)
    if np.all(likely == 1.0):
        return count
    return generator.binomial(count.astype(np.int64), np.clip(likely, 0.0, 1.0)).astype(float)


def split(generator: Generator, count: Array, shares: Array) -> Array:
    """`count` (rows,) thrown into bands with the given shares (bands, rows or 1): whole numbers, (bands, rows)."""
    bands, left, rest = [], count, 1.0 + 0.0 * count
    for band, share in enumerate(np.broadcast_to(shares, (len(shares), *count.shape))):
        last = band == len(shares) - 1
        ratio = np.divide(share, rest, out=np.zeros_like(rest), where=rest > 0)
        chosen = left if last else thin(generator, left, np.clip(ratio, 0.0, 1.0))
        bands.append(chosen)
        left, rest = left - chosen, rest - share
    return np.stack(bands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of calls, all of one shape.

    Attempts that are billed, the sum of their squares by call, calls delivered, and billed attempts that were the
    first of their call.
    """

    billed: Array
    squares: Array
    delivered: Array
    first: Array


def try_calls(generator: Generator, calls: Array, failure_rate: Array | float, max_retries: int, billed: bool) -> Tried:
    """Attempts of calls that fail and are tried again at once.

    Args:
        generator: where the randomness comes from.
        calls: number of calls.
        failure_rate: chance that an attempt fails.
        max_retries: how often a call is tried again.
        billed: whether failed attempts are billed.

    >>> found = try_calls(np.random.default_rng(0), np.array([5.0]), 1.0, 2, True)
    >>> found.billed.tolist(), found.squares.tolist(), found.delivered.tolist()
    ([15.0], [45.0], [0.0])
    """
    going, attempts, squares = calls, np.zeros_like(calls), np.zeros_like(calls)
    first_failed = calls
    for attempt in range(max_retries + 1):
        attempts = attempts + going
        squares = squares + (2 * attempt + 1) * going
        going = thin(generator, going, failure_rate)
        if attempt == 0:
            first_failed = going
    delivered = calls - going
    if billed:
        return Tried(billed=attempts, squares=squares, delivered=delivered, first=calls)
    return Tried(billed=delivered, squares=delivered, delivered=delivered, first=calls - first_failed)
