"""Draws the calls of a scope one by one and counts cache hits: a reference that shares nothing with the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HOUR, WEEK = 3600.0, 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share estimated from independent replicas, with its standard error."""

    value: float
    error: float

    def agrees(self, other: float) -> bool:
        """Whether a value lies within four standard errors."""
        return abs(self.value - other) <= 4.0 * self.error


def ratio(parts: Array, wholes: Array) -> Share:
    """Sum of parts over sum of wholes, with the standard error of a ratio over independent replicas."""
    value = parts.sum() / wholes.sum()
    spread = np.sqrt(np.square(parts - value * wholes).sum() * len(parts) / (len(parts) - 1))
    return Share(value=float(value), error=float(spread / wholes.sum()))


def levels(rng: np.random.Generator, shape: tuple[int, int], sd: float, lag1: float) -> Array:
    """Autocorrelated lognormal levels of mean one, replicas by steps, started in their steady state."""
    z = np.empty(shape)
    z[:, 0] = rng.standard_normal(shape[0])
    for step in range(1, shape[1]):
        z[:, step] = lag1 * z[:, step - 1] + np.sqrt(1 - lag1**2) * rng.standard_normal(shape[0])
    return np.exp(sd * z - sd**2 / 2)


def weeks_of_calls(
    rng: np.random.Generator, calls_per_day: float, weeks: int, ttl_s: float, *, weekday: Array | None = None,
    hours: Array | None = None, day: tuple[float, float] = (0, 0), hour: tuple[float, float] = (0, 0),
) -> tuple[NDArray[np.int64], Array]:
    """Independent weeks from Monday on, each with the days before it that a cache can remember.

    Returns the replica and the time in seconds of every call, sorted; calls before Monday have negative times.
    """
    before = 24 * int(np.ceil(ttl_s / HOUR / 24))
    at = (np.arange(-before, WEEK) // 24) % 7, np.arange(-before, WEEK) % 24
    shape = (np.ones(7) if weekday is None else weekday)[at[0]] * (np.ones(24) if hours is None else hours)[at[1]]
    rate = calls_per_day / 24 * shape * levels(rng, (weeks, before + WEEK), *hour)
    rate = rate * np.repeat(levels(rng, (weeks, (before + WEEK) // 24), *day), 24, axis=1)
    counts = rng.poisson(rate)
    replica = np.repeat(np.arange(weeks), counts.sum(axis=1))
    begin = np.repeat(np.tile(np.arange(-before, WEEK) * HOUR, weeks), counts.ravel())
    times = begin + HOUR * rng.random(len(begin))
    order = np.lexsort((times, replica))
    return replica[order], times[order]


def refreshed_hits(replica: NDArray[np.int64], times: Array, ttl_s: float) -> NDArray[np.bool_]:
    """Which calls find an earlier call of their replica within the time to live."""
    hit = np.zeros(len(times), dtype=bool)
    hit[1:] = (replica[1:] == replica[:-1]) & (times[1:] - times[:-1] <= ttl_s)
    return hit


def unrefreshed_hits(replica: NDArray[np.int64], times: Array, ttl_s: float) -> NDArray[np.bool_]:
    """Which calls fall within the time to live of the last call that had to write."""
    hit = np.zeros(len(times), dtype=bool)
    written, who = -np.inf, -1
    for index, (one, time) in enumerate(zip(replica.tolist(), times.tolist(), strict=True)):
        if one == who and time - written <= ttl_s:
            hit[index] = True
        else:
            written, who = time, one
    return hit


def hit_share(replica: NDArray[np.int64], times: Array, hit: NDArray[np.bool_]) -> Share:
    """Share of the calls from Monday on that hit."""
    inside = times >= 0
    size = int(replica.max()) + 1
    hits, calls = (np.bincount(replica[mask], minlength=size).astype(float) for mask in (hit & inside, inside))
    return ratio(hits, calls)


def bursts_of_calls(
    rng: np.random.Generator, calls_per_day: float, replicas: int, burst: tuple[float, float, float],
    hours: Array | None = None,
) -> tuple[NDArray[np.int64], Array]:
    """Calls of seven days, and of the day before, that switch between two rates: replica and time of each, sorted.

    `burst` is the ratio of the rates, the share of time on, and the mean length on in seconds.
    """
    ratio, on_share, mean_on_s = burst
    shape = np.ones(24) if hours is None else hours
    quiet = 1.0 / (on_share * ratio + 1.0 - on_share)
    most = max(ratio, 1.0) * quiet * shape.max() * calls_per_day / 86_400
    begin, end = -86_400.0, 7 * 86_400.0
    found = []
    for _ in range(replicas):
        candidates = np.sort(rng.uniform(begin, end, rng.poisson(most * (end - begin))))
        on = rng.random() < on_share
        means = np.array([mean_on_s, mean_on_s * (1 - on_share) / on_share])
        switches = int(4 * (end - begin) / means.sum()) + 50
        lengths = rng.exponential(np.resize(means if on else means[::-1], switches))
        turned = np.searchsorted(begin + np.cumsum(lengths), candidates)
        rate = np.where((turned % 2 == 0) == on, ratio, 1.0) * quiet * shape[(candidates // HOUR % 24).astype(int)]
        found.append(candidates[rng.random(len(candidates)) < rate * calls_per_day / 86_400 / most])
    return np.repeat(np.arange(replicas), [len(times) for times in found]), np.concatenate(found)
