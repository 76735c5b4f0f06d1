"""The part of the expected engine that counts hours by how far their rate lies above the mean of a scenario's calls.

The spread of an hour's rate is laid into the same bins, so that a fleet's law is asked once for every bin.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP = 0.01
"""Width of a bin in log rate: halving it moves a fleet's bill by less than 1e-5."""
MANY_PERIODS = 30
"""Periods from which on it pays to look only at the bins that are not empty."""
REACH, NODE = 5.0, 0.125
"""Standard deviations over which an hour's rate is spread, and the distance of the nodes: a fleet's stairs are finer
than Gauss-Hermite nodes (nine of them miss a staircase of twelve replicas by 3 %, these by less than 0.1 %)."""


class Tally(NamedTuple):
    """Hours or calls by period and bin, (T, B), with their rates `spread`.

    Where there are many periods, `sharp` is a sparse matrix of the same before `kernel` spread them: a day has 48 bins
    that are not empty.
    """

    spread: Array
    sharp: Any
    kernel: Array

    def over(self, values: Array, places: NDArray[np.int64]) -> Array:
        """The sum of `values` (V,), read from each of `places` on, over the bins of every period: (places, T).

        Over many periods the values are spread rather than the bins: the same sum, with few bins that are not empty.
        """
        if self.sharp is None:
            every = [np.correlate(values, one, "valid") for one in self.spread]
            return np.stack(every, axis=1)[places]
        smooth = np.convolve(values, self.kernel[::-1], "valid")
        return np.asarray((self.sharp @ smooth[np.add.outer(np.arange(self.sharp.shape[1]), places)]).T)


class HourBins(NamedTuple):
    """Hours and calls by period and bin: bin b holds rates of `exp((first + b) STEP)` times the mean.

    `calls` are in units of the mean rate times 3600 s.
    """

    first: int
    hours: Tally
    calls: Tally


def hour_bins(offsets: Array, when: NDArray[np.int64], periods: int, spread: float) -> HourBins:
    """Count hours by the logarithm of their rate over the mean.

    Args:
        offsets: (H,) log of the rate of every hour over the mean rate.
        when: (H,) the period each hour belongs to.
        periods: T.
        spread: log standard deviation of an hour's rate around that; its mean is kept.

    >>> found = hour_bins(np.zeros(2), np.zeros(2, dtype=np.int64), 1, 0.3)
    >>> float(found.hours.spread.sum()), round(float(found.calls.spread.sum()), 6)
    (2.0, 7200.0)
    """
    return _kept(offsets.tobytes(), when.tobytes(), periods, spread)


@functools.lru_cache(maxsize=24)
def _kept(offsets: bytes, when: bytes, periods: int, spread: float) -> HourBins:
    position, period = np.frombuffer(offsets) / STEP, np.frombuffer(when, dtype=np.int64)
    low = np.floor(position).astype(np.int64)
    first, size = int(low.min()), int(low.max() - low.min()) + 2
    mass = np.exp(position * STEP) * 3600.0
    left, *kernels = _kernels(spread) if spread > 0 else (0, np.ones(1), np.ones(1))
    tallies = []
    for values, kernel in zip((np.ones_like(mass), mass), kernels, strict=True):
        bins = _by_bin(low - first, position - low, values, period, (periods, size))
        whole = np.stack([np.convolve(row, kernel) for row in bins])
        tallies.append(Tally(whole, _sparse(bins) if periods >= MANY_PERIODS else None, kernel))
    return HourBins(first + left, *tallies)


def _sparse(bins: Array) -> Any:
    from scipy.sparse import csr_array

    return csr_array(bins)


@functools.lru_cache(maxsize=64)
def _kernels(spread: float) -> tuple[int, Array, Array]:
    """The first bin, and the shares of hours and of calls in each, of one hour's rate spread around its mean."""
    nodes = np.linspace(-REACH, REACH, round(2 * REACH / NODE) + 1)
    weights = np.exp(-nodes * nodes / 2.0)
    shifts = spread * nodes - spread * spread / 2.0
    low = np.floor(shifts / STEP).astype(np.int64)
    shape = (1, int(low.max() - low.min()) + 2)
    one = np.zeros(low.size, dtype=np.int64)
    found = []
    for values in (weights, weights * np.exp(shifts)):  # a call sees the busier hours more often
        found.append(_by_bin(low - low.min(), shifts / STEP - low, values / values.sum(), one, shape)[0])
    return int(low.min()), found[0], found[1]


def _by_bin(
    low: NDArray[np.int64], part: Array, values: Array, when: NDArray[np.int64], shape: tuple[int, int]
) -> Array:
    """Values by period and bin, each shared between the two bins it lies between."""
    index = when * shape[1] + low
    size = shape[0] * shape[1]
    sums = np.bincount(index, values * (1.0 - part), minlength=size)
    sums = sums + np.bincount(index + 1, values * part, minlength=size + 1)[:size]
    return np.asarray(sums.reshape(shape))
