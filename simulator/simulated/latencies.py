"""Keeps the latencies of any number of calls in a fixed room: exact means, and percentiles to 0.4 %.

A time falls into one of 128 even steps of its power of two, which the bits of the number itself say without a
logarithm. Counts of several pieces or runs add up, whatever their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.arrivals import REFUSED
from simulator.simulated.kernels import compiled
from simulator.simulated.slots import SHED, TURNED_AWAY

Array = NDArray[np.float64]
NAMES = ("ttft_s", "tpot_s", "e2e_s")
STEP_BITS = 7
SHIFT = 52 - STEP_BITS
LEAST_S, MOST_S = 2.0**-20, 2.0**25  # a microsecond; a year
FIRST = int(np.float64(LEAST_S).view(np.int64)) >> SHIFT
BINS = (int(np.float64(MOST_S).view(np.int64)) >> SHIFT) - FIRST + 1
SHARES = (0.5, 0.95, 0.99)


class Latencies:
    """Counts by bin, (3, BINS), and number and sum of seconds, (3, 2), of first token, further token and whole call."""

    def __init__(self) -> None:
        self.counts = np.zeros((3, BINS))
        self.sums = np.zeros((3, 2))

    def add(self, other: Latencies, weight: float = 1.0) -> None:
        """Add the calls of another, each counted `weight` times."""
        self.counts += weight * other.counts
        self.sums += weight * other.sums

    def mean_s(self) -> Array:
        """Mean seconds of each latency, (3,); NaN where there was none."""
        found: Array = np.divide(self.sums[:, 1], self.sums[:, 0], out=np.full(3, np.nan), where=self.sums[:, 0] > 0)
        return found

    def percentiles_s(self) -> Array:
        """Seconds within which SHARES of the calls lie, (3, 3), by latency and share.

        >>> one = Latencies()
        >>> note(np.array([1.0, 1.0, 1.0, 4.0]), 2, one.counts, one.sums)
        >>> float(one.mean_s()[2]), [round(float(s), 1) for s in one.percentiles_s()[2]]
        (1.75, [1.0, 4.0, 4.0])
        """
        found = np.full((3, len(SHARES)), np.nan)
        edges = ((np.arange(BINS + 1) + FIRST) << SHIFT).view(np.float64)
        for row, counts in enumerate(self.counts):
            upto = np.cumsum(counts)
            if upto[-1] > 0:
                for place, share in enumerate(SHARES):
                    at = int(np.searchsorted(upto, share * upto[-1]))
                    before = upto[at - 1] if at else 0.0
                    part = (share * upto[-1] - before) / counts[at] if counts[at] else 0.0
                    found[row, place] = edges[at] + part * (edges[at + 1] - edges[at])
        return found


@compiled
def _bin_of(seconds: float) -> int:
    """The bin of a time."""
    place = int(np.float64(seconds).view(np.int64) >> SHIFT) - FIRST
    return min(max(place, 0), BINS - 1)


@compiled
def note(seconds: Array, row: int, counts: Array, sums: Array) -> None:
    """Add times to one row of counts and sums."""
    for one in seconds:
        counts[row, _bin_of(one)] += 1.0
        sums[row, 0] += 1.0
        sums[row, 1] += one


@compiled
def sort_out(
    calls: Any, first: int, left_out: NDArray[np.bool_], begin_s: float, counts: Array, sums: Array,
    number: NDArray[np.int64], away: NDArray[np.bool_],
) -> tuple[int, int, int]:  # fmt: skip
    """After a piece, note the calls that have ended and bring those under way to the front, in order.

    Args:
        calls: records of CALL; those from `first` on arrived in the piece.
        first: see above.
        left_out: hours whose calls are not noted, from `begin_s` on.
        begin_s: beginning of the first hour.
        counts: by bin, (3, BINS), as in `Latencies`.
        sums: the same, (3, 2).
        number: written: the new number of every call under way, (N,).
        away: set for calls that were turned away, by the order of arrival, (N - first,).

    Returns:
        How many are under way, were refused, and were shed.
    """
    under_way, refused, shed = 0, 0, 0
    for i in range(calls.size):
        call = calls[i]
        if call.emitted < 0:
            refused += call.emitted == REFUSED
            shed += call.emitted == SHED
            if i >= first:
                away[i - first] = call.emitted == TURNED_AWAY
            continue
        whole = call.e2e_s
        if whole != whole:
            number[i] = under_way
            if under_way < i:
                calls[under_way] = calls[i]
            under_way += 1
            continue
        hour = int((call.arrival_s - begin_s) / 3600.0)
        if 0 <= hour < left_out.size and left_out[hour]:
            continue
        counts[0, _bin_of(call.ttft_s)] += 1.0
        sums[0, 0] += 1.0
        sums[0, 1] += call.ttft_s
        counts[2, _bin_of(whole)] += 1.0
        sums[2, 0] += 1.0
        sums[2, 1] += whole
        if call.output >= 2:
            each = (whole - call.ttft_s) / (call.output - 1)
            counts[1, _bin_of(each)] += 1.0
            sums[1, 0] += 1.0
            sums[1, 1] += each
    return under_way, refused, shed
