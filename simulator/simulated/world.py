"""Plays the demand that every option faces: levels by day, noise by hour, bursts, a cap; day after day.

    rate(t) = calls_per_day x growth(day) x events(day) x hour_of_week(t) x level(day) x noise(hour) x burst(t)

Every factor has mean one. Level and noise are `exp(sd z - sd^2 / 2)` of a stationary autoregressive `z`; a burst is
a two-state process. The streams are keyed by day, so the days must be asked for in order, and come out the same
whatever else is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.simulated.streams import stream

Array = NDArray[np.float64]

MIXED_S = 36.0
"""A burst process that forgets its state within this time (a hundredth of an hour) has hours that are independent
to 1 %; their share of time in bursts is then drawn as a beta law of the exact mean and variance, not played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """On/off bursts: rates relative to the mean in both states, and how often each state is left, per second."""

    on: float
    off: float
    leave_on_per_s: float
    leave_off_per_s: float

    @classmethod
    def of(cls, ratio: float, on_share: float, mean_on_s: float) -> Bursts:
        """The process whose mean is one.

        >>> Bursts.of(4.0, 0.5, 60.0).on
        1.6
        """
        off = 1.0 / (ratio * on_share + 1.0 - on_share)
        leave_on = 1.0 / mean_on_s
        return cls(
            on=ratio * off, off=off, leave_on_per_s=leave_on, leave_off_per_s=leave_on * on_share / (1.0 - on_share)
        )

    @property
    def on_share(self) -> float:
        """Share of time in bursts."""
        return self.leave_off_per_s / (self.leave_on_per_s + self.leave_off_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Log standard deviations of level and noise, and their correlation from one day or hour to the next."""

    day_sd: float = 0.0
    day_lag1: float = 0.0
    hour_sd: float = 0.0
    hour_lag1: float = 0.0
    bursts: Bursts | None = None


class World:
    """The demand of one block of runs.

    Args:
        spread: how far rates stray from their expectation.
        seed: of the simulation.
        block: number of the block.
        rows: how many runs of the block are played, the first ones.
    """

    def __init__(self, spread: Spread, seed: int, block: int, rows: int) -> None:
        self._spread, self._seed, self._block, self._rows = spread, seed, block, rows
        self._level: Array | None = None
        self._noise: Array | None = None
        self._bursting: Array | None = None

    def factors(self, day: int) -> Array:
        """Level x noise by hour of the next day, (rows, 24) or (rows, 1); mean one."""
        spread, found = self._spread, np.ones((self._rows, 1))
        if spread.day_sd > 0:
            fresh = self._normals("level", day, 1)[:, 0]
            self._level = fresh if self._level is None else autoregressed(self._level, fresh, spread.day_lag1)
            found = np.exp(spread.day_sd * self._level - spread.day_sd**2 / 2)[:, None]
        if spread.hour_sd > 0:
            path = self._normals("noise", day, 24)
            for hour in range(24):
                if self._noise is not None:
                    path[:, hour] = autoregressed(self._noise, path[:, hour], spread.hour_lag1)
                self._noise = path[:, hour]
            found = found * np.exp(spread.hour_sd * path - spread.hour_sd**2 / 2)
        return found

    def burst_time(self, day: int) -> Array | None:
        """Share of each hour of the next day that lies in bursts, (rows, 24); None without bursts."""
        bursts = self._spread.bursts
        if bursts is None:
            return None
        generator = stream(self._seed, "burst", day, self._block)
        leave = bursts.leave_on_per_s + bursts.leave_off_per_s
        if leave * MIXED_S >= 1.0:
            mean, var = bursts.on_share, _variance_of_time(bursts.on_share, leave, 3600.0)
            size = mean * (1.0 - mean) / var - 1.0
            return generator.beta(mean * size, (1.0 - mean) * size, size=(self._rows, 24))
        if self._bursting is None:
            self._bursting = (generator.random(self._rows) < bursts.on_share).astype(float)
        from simulator.simulated.bursts import play_day

        return play_day(generator, self._bursting, bursts.leave_on_per_s, bursts.leave_off_per_s)

    def _normals(self, phenomenon: str, day: int, columns: int) -> Array:
        return stream(self._seed, phenomenon, day, self._block).standard_normal((self._rows, columns))


def autoregressed(before: Array, fresh: Array, lag1: float) -> Array:
    """The next value of a stationary process of unit variance: `lag1 before + sqrt(1 - lag1^2) fresh`."""
    return lag1 * before + math.sqrt(1.0 - lag1**2) * fresh


def growth_on(day: int, growth_per_month: ArrayLike, hours_per_month: ArrayLike) -> Array:
    """Mean over one day of `(1 + g)^(t / hours_per_month)`, t in hours.

    >>> float(growth_on(0, 0.0, 730.0))
    1.0
    """
    rate = np.log1p(growth_per_month) * 24.0 / np.asarray(hours_per_month, dtype=float)
    still = rate == 0
    found: Array = np.exp(rate * day) * np.where(still, 1.0, np.expm1(rate) / np.where(still, 1.0, rate))
    return found


def mean_rates(rate_per_s: Array, burst_time: Array | None, bursts: Bursts | None, cap_per_s: Array | None) -> Array:
    """Mean rate of every hour once bursts and the cap have acted: `E[min(rate, cap)]` over the time of the hour."""
    if bursts is None or burst_time is None:
        return rate_per_s if cap_per_s is None else np.minimum(rate_per_s, cap_per_s)
    on, off = rate_per_s * bursts.on, rate_per_s * bursts.off
    if cap_per_s is not None:
        on, off = np.minimum(on, cap_per_s), np.minimum(off, cap_per_s)
    return burst_time * on + (1.0 - burst_time) * off


def _variance_of_time(on_share: float, leave_per_s: float, length_s: float) -> float:
    """Variance of the share of `length_s` that a stationary two-state process spends in one state.

    `2 p (1 - p) (x - 1 + exp(-x)) / x^2` with `x = leave_per_s length_s`: the double integral of its
    covariance `p (1 - p) exp(-leave |s - t|)`.
    """
    x = leave_per_s * length_s
    return 2.0 * on_share * (1.0 - on_share) * (x + math.expm1(-x)) / x**2
