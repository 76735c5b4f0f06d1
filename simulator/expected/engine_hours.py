"""The part of the expected engine that counts hours by how far their rate lies above the mean of a scenario's calls.

The spread of an hour's rate is laid into the same bins, so that a fleet's law is asked once for every bin.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP = 0.01
"""Width of a bin in log rate: halving it moves a fleet's bill by less than 1e-5."""
REACH, NODE = 5.0, 0.125
"""Standard deviations over which an hour's rate is spread, and the distance of the nodes: a fleet's stairs are finer
than Gauss-Hermite nodes (nine of them miss a staircase of twelve replicas by 3 %, these by less than 1e-4)."""


class HourBins(NamedTuple):
    """Hours and calls by period and bin, (T, B): bin b holds rates of `exp((first + b) STEP)` times the mean.

    `calls` are in units of the mean rate times 3600 s.
    """

    first: int
    hours: Array
    calls: Array


def hour_bins(offsets: Array, when: NDArray[np.int64], periods: int, spread: float) -> HourBins:
    """Count hours by the logarithm of their rate over the mean.

    Args:
        offsets: (H,) log of the rate of every hour over the mean rate.
        when: (H,) the period each hour belongs to.
        periods: T.
        spread: log standard deviation of an hour's rate around that; its mean is kept.

    >>> found = hour_bins(np.zeros(2), np.zeros(2, dtype=np.int64), 1, 0.3)
    >>> float(found.hours.sum()), round(float(found.calls.sum()), 6)
    (2.0, 7200.0)
    """
    return _kept(offsets.tobytes(), when.tobytes(), periods, spread)


@functools.lru_cache(maxsize=24)
def _kept(offsets: bytes, when: bytes, periods: int, spread: float) -> HourBins:
    position, period = np.frombuffer(offsets) / STEP, np.frombuffer(when, dtype=np.int64)
    low = np.floor(position).astype(np.int64)
    first, size = int(low.min()), int(low.max() - low.min()) + 2
    mass = np.exp(position * STEP) * 3600.0
    hours, calls = (
        _by_bin(low - first, position - low, values, period, (periods, size)) for values in (np.ones_like(mass), mass)
    )
    if spread > 0:
        nodes, weights = _normal_nodes()
        shifts = spread * nodes - spread * spread / 2.0
        by_calls = weights * np.exp(shifts)  # a call sees the busier hours more often
        left = int(np.floor(shifts.min() / STEP))
        hours = _spread(hours, shifts / STEP - left, weights)
        calls = _spread(calls, shifts / STEP - left, by_calls / by_calls.sum())
        first += left
    return HourBins(first, hours, calls)


@functools.cache
def _normal_nodes() -> tuple[Array, Array]:
    nodes = np.linspace(-REACH, REACH, round(2 * REACH / NODE) + 1)
    weights = np.exp(-nodes * nodes / 2.0)
    return nodes, weights / weights.sum()


def _spread(values: Array, shifts: Array, weights: Array) -> Array:
    """Values (T, B) moved up by shifts in bins, each with its weight and shared between two bins."""
    low = np.floor(shifts).astype(np.int64)
    size = values.shape[1]
    found = np.zeros((len(values), size + int(low.max()) + 1))
    for at, part, weight in zip(low.tolist(), (shifts - low).tolist(), weights.tolist(), strict=True):
        found[:, at : at + size] += weight * (1.0 - part) * values
        found[:, at + 1 : at + 1 + size] += weight * part * values
    return found


def _by_bin(
    low: NDArray[np.int64], part: Array, values: Array, when: NDArray[np.int64], shape: tuple[int, int]
) -> Array:
    """Values by period and bin, each shared between the two bins it lies between."""
    index = when * shape[1] + low
    size = shape[0] * shape[1]
    sums = np.bincount(index, values * (1.0 - part), minlength=size)
    sums = sums + np.bincount(index + 1, values * part, minlength=size + 1)[:size]
    return np.asarray(sums.reshape(shape))
