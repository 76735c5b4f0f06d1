"""The part of the expected engine that looks at many draws of a fleet at once: each length of calls is tabulated once.

Draws of a map or of moved dials share their lengths, and differ in how many calls they have. So a fleet's law is
tabulated for each length over the rates of all its draws, and every draw reads its own stretch of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simulator.expected.engine_hours import Tally

Array = NDArray[np.float64]
CELLS = 2**17
"""Lengths times rates tabulated at once, so that memory stays small."""
FEW = 4
"""Tables so few that their sums are taken one by one; those of more cost less by their Fourier transforms, but where
there are so many periods that only the bins that are not empty are looked at."""
COPYING, TURNING = 8, 8
"""What copying a stretch, and a step of a Fourier transform, cost, in products."""


class Windows:
    """Stretches of tables (K, B) that begin at `low` and one bin later, of table `number`, by draw.

    >>> one, hours = Windows(np.array([0, 0]), np.array([0, 1])), Tally(np.array([[1.0, 10.0]]), None, np.ones(1))
    >>> [part.tolist() for part in one.summed(np.array([[1.0, 2.0, 3.0, 4.0]]), hours)]
    [[[21.0], [32.0]], [[32.0], [43.0]]]
    """

    def __init__(self, number: NDArray[np.int64], low: NDArray[np.int64]) -> None:
        self._number, self._low = number, low
        self._used, at = np.unique(np.concatenate([low, low + 1]), return_inverse=True)
        self._below, self._above = np.split(np.ravel(at), 2)

    def summed(self, values: Array, tally: Tally) -> tuple[Array, Array]:
        """Sums of every draw's two stretches of tables (K, B) over the hours or calls of T periods: (D, T) each.

        Of many tables: stretch by stretch, or over all places of every table by Fourier transforms where that is less.
        """
        if not values.any():
            nothing = np.zeros((self._number.size, len(tally.spread)))
            return nothing, nothing
        if len(values) <= FEW or tally.sharp is not None:
            found = np.stack([tally.over(row, self._used) for row in values])
        else:
            size = 1 << (values.shape[1] - 1).bit_length()
            periods, width = tally.spread.shape
            stretches = self._number.size * width * (1 + COPYING // periods)
            if stretches <= len(values) * size * size.bit_length() * TURNING:
                windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=1)
                below, above = (windows[self._number, self._low + later] @ tally.spread.T for later in (0, 1))
                return below, above
            turned = np.fft.rfft(values, size)
            hours = [np.fft.rfft(one, size).conj() for one in tally.spread]
            found = np.stack([np.fft.irfft(turned * one, size)[:, self._used] for one in hours], axis=2)
        return found[self._number, self._below], found[self._number, self._above]


def distinct(columns: list[Array]) -> tuple[Array, NDArray[np.int64]]:
    """The distinct rows of columns (D,) as columns (K,), and which of them each row is, (D,)."""
    if all(np.all(column == column[0]) for column in columns):
        return np.stack([column[:1] for column in columns]), np.zeros(len(columns[0]), dtype=np.int64)
    kinds, number = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return kinds, np.ravel(number)


def reach(number: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first position of each number, and how far its last lies from it, (K,) each.

    >>> [found.tolist() for found in reach(np.array([0, 1, 0]), np.array([7, 5, 4]))]
    [[4, 5], [3, 0]]
    """
    size = int(number.max()) + 1
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, number, whole)
    np.maximum.at(last, number, whole)
    return first, last - first


def by_kind(
    kind: NDArray[np.int64], at: Array, width: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Draws whose lengths are tabulated together: which draws, which kinds, and which of these each draw is.

    Kinds that reach equally far go together, so that a table has no more than CELLS and is hardly wider than it must.
    """
    if not kind.any():
        yield np.arange(len(kind)), np.zeros(1, dtype=np.int64), kind
        return
    kinds, number = np.unique(kind, return_inverse=True)
    span = reach(number, np.floor(at).astype(np.int64))[1] + width + 1
    order = np.argsort(span, kind="stable")
    first = 0
    while first < order.size:
        after = first + 1
        while (
            after < order.size
            and span[order[after]] <= 2 * span[order[first]]
            and span[order[after]] * (after + 1 - first) <= CELLS
        ):
            after += 1
        place = np.full(kinds.size, -1)
        place[order[first:after]] = np.arange(after - first)
        some = np.flatnonzero(place[number] >= 0)
        yield some, kinds[order[first:after]], place[number[some]]
        first = after
