"""Random numbers by name: the stream of a phenomenon on a day is the same whoever asks, and in whatever order.

Options that face the same day draw the same demand (common random numbers), one more option or one more worker
changes nothing, and runs may be added later or elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, Philox

BLOCK_RUNS = 100
"""Runs that share a stream, row after row: a stream costs as much to open as a thousand numbers to draw."""

EPOCH_DAY = 1 << 20
"""Added to days, so that the days before the start, which warm the caches, have streams too."""

PHENOMENA = {
    "level": 1,
    "noise": 2,
    "burst": 3,
    "arrivals": 4,
    "deferred": 5,
    "windows": 6,
    "hits": 7,
    "bands": 8,
    "retries": 9,
    "lengths": 10,
    "fallback": 11,
    "outages": 12,
    "training": 13,
    "outlook": 14,
    "burst path": 15,
    "scopes": 16,
    "lost": 17,
    "pairs": 18,
    "wrong": 19,
    "human": 20,
    "spot": 21,
    "tried": 22,
    "spread": 23,
    "steady hour": 24,
    "overflow": 25,
}
"""What is random, by number; a number is never given to another thing, or every result would change."""


def stream(seed: int, phenomenon: str, day: int = 0, block: int = 0, part: int = 0) -> Generator:
    """The generator of one phenomenon on one day.

    Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) has a key and a counter;
    the key is (seed, phenomenon), the upper words of the counter are (part, block, day), and 2^64 numbers lie
    between two streams.

    Args:
        seed: of the whole simulation, 0 to 2^64 - 1.
        phenomenon: a key of `PHENOMENA`.
        day: day number, 0 on the first day; it may be below zero.
        block: number of the block of `BLOCK_RUNS` runs, or of the single run.
        part: tells several streams of one phenomenon and day apart.

    >>> float(stream(1, "noise", 3).random()) == float(stream(1, "noise", 3).random())
    True
    """
    key = np.array([seed, PHENOMENA[phenomenon]], dtype=np.uint64)
    counter = np.array([0, part, block, day + EPOCH_DAY], dtype=np.uint64)
    return Generator(Philox(key=key, counter=counter))
