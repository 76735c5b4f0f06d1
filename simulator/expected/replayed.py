"""Counts cache hits of calls whose times are known: which of them find a call before them within the time to live.

Twin of the cache in `simulated/each_call.py`, class *exact*: what is left to chance is only which calls a cache sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def alive_at_calls(stamps_ns: Counts, ttl_s: float, share: float, refresh: bool) -> Array:
    """Chance that each call finds a live cache, (rows,), where a cache sees each call with chance `share`.

    With refresh any earlier call within the time to live keeps it: `1 - (1 - share)^n`. Without it one such call
    must have written, and no two can: the sum of `share (1 - chance to find it alive)` over them.

    Args:
        stamps_ns: when the calls came, never falling, (rows,).
        ttl_s: time to live.
        share: of the calls that one cache sees; above 1, so many calls come for each one recorded.
        refresh: whether a read renews the cache.

    >>> at = np.array([0, 1, 2, 3]) * 1_000_000_000
    >>> alive_at_calls(at, 1.5, 1.0, True).tolist(), alive_at_calls(at, 1.5, 1.0, False).tolist()
    ([0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0])
    """
    rows = np.arange(len(stamps_ns))
    first = np.searchsorted(stamps_ns, stamps_ns - round(ttl_s * 1e9), side="left")
    if refresh:
        return _seen(rows - first, share)
    written = _written(first, min(share, 1.0))
    found: Array = min(share, 1.0) * (written[rows] - written[first])
    return found


def alive_by_period(stamps_ns: Counts, ttl_s: float, share: float, refresh: bool, edges_ns: Counts) -> Array:
    """Share of each period in which a cache is alive, (periods,).

    Args:
        stamps_ns: when the calls came, never falling, (rows,).
        ttl_s: time to live.
        share: of the calls that one cache sees.
        refresh: whether a read renews the cache.
        edges_ns: begin of each period and end of the last, (periods + 1,).

    >>> alive_by_period(np.array([0, 5]), 2e-9, 1.0, True, np.array([0, 10])).tolist()
    [0.4]
    """
    ttl_ns = round(ttl_s * 1e9)
    turns = np.unique(np.concatenate([stamps_ns, stamps_ns + ttl_ns, edges_ns]))
    turns = turns[(turns >= edges_ns[0]) & (turns <= edges_ns[-1])]
    first = np.searchsorted(stamps_ns, turns[:-1] - ttl_ns, side="right")
    last = np.searchsorted(stamps_ns, turns[:-1], side="right")
    if refresh:
        alive = _seen(last - first, share)
    else:
        written = _written(np.searchsorted(stamps_ns, stamps_ns - ttl_ns, side="left"), min(share, 1.0))
        alive = min(share, 1.0) * (written[last] - written[first])
    period = np.searchsorted(edges_ns, turns[:-1], side="right") - 1
    found: Array = np.bincount(period, alive * np.diff(turns), minlength=len(edges_ns) - 1) / np.diff(edges_ns)
    return found


def _seen(calls: Counts, share: float) -> Array:
    """Chance that a cache saw one of so many calls."""
    times, each = max(share, 1.0), min(share, 1.0)
    if each >= 1.0:
        return (calls > 0).astype(float)
    found: Array = -np.expm1(calls * times * np.log1p(-each))
    return found


def _written(first: Counts, share: float) -> Array:
    """Calls that wrote, in expectation, before each call that the cache sees, and before the end, (rows + 1,)."""
    sums = [0.0]
    for row, begin in enumerate(first.tolist()):
        sums.append(sums[row] + 1.0 - share * (sums[row] - sums[begin]))
    return np.asarray(sums)
