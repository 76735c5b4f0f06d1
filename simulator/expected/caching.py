"""How often a shared prompt is found in the provider's cache: call arrivals against the time to live.

A call at `t` hits when its scope had a call in `[t - ttl, t)` (a read renews the life). With `r` the call
rate of a scope and `R` its integral, the share of calls that hit is

    E[ int r(t) (1 - exp(-(R(t) - R(t - ttl)))) dt ]  /  E[ int r(t) dt ],

the expectation over the demand factors. Within an hour the rate is constant, so `R(t) - R(t - ttl)` is
linear in `t` between two breaks and the integral is exact; the factors are integrated by Gauss-Hermite.
The result is tabulated over the logarithm of the rate, because every draw, day and price shares the table.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STEP = 0.05
"""Spacing of the table in log rate; six-point interpolation is then exact to about 1e-10."""
NODES = 5
"""Gauss-Hermite nodes a factor."""
LOWEST, HIGHEST = math.log(1e-12), math.log(1e9)
"""Calls per second beyond which the share is 0 or 1 to the last digit."""
CHUNK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Spread of the demand factors: log standard deviations, lag-1 of the hours, and on/off bursts.

    `burst` is (ratio, on_share, mean_on_s) or None.
    """

    day_sd: float = 0.0
    hour_sd: float = 0.0
    hour_lag1: float = 0.0
    burst: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWeek:
    """Everything the hit share depends on but the level of demand; hashable, so that tables are kept.

    `weekday` (7) and `hours` (24) are relative rates of mean one; `mask`, if given, is the part of each
    of the 168 hours that is looked at (a price window); `refresh` tells whether a read renews the life.
    """

    ttl_s: float
    weekday: tuple[float, ...]
    hours: tuple[float, ...]
    noise: Noise
    refresh: bool = True
    mask: tuple[float, ...] | None = None


def poisson_hit_share(calls_per_s: ArrayLike, ttl_s: float, refresh: bool = True) -> Array:
    """Hit share at a constant rate: `1 - exp(-rate ttl)`; without refresh `rate ttl / (1 + rate ttl)`.

    >>> round(float(poisson_hit_share(1 / 300, 300)), 6), float(poisson_hit_share(1 / 300, 300, refresh=False))
    (0.632121, 0.5)
    """
    mass = np.asarray(calls_per_s, dtype=float) * ttl_s
    share: Array = 1.0 - _miss(mass, ttl_s, refresh, None)
    return share


def burst_miss_share(mass: Array, ttl_s: float, burst: tuple[float, float, float]) -> Array:
    """Chance that a call finds no earlier call within `ttl_s` when arrivals switch between two rates.

    A two-state Markov-modulated Poisson process of mean `mass` calls per `ttl_s`, seen from its own
    calls: `sum_i pi_i m_i [exp((Q - diag(m) mass / ttl) ttl) 1]_i` (Fischer and Meier-Hellstern, The MMPP
    cookbook, 1993; the chain is reversible, so looking back equals looking ahead).

    Args:
        mass: expected calls per time to live, any shape.
        ttl_s: time to live.
        burst: ratio of the two rates, share of time on, mean length on in seconds.
    """
    ratio, on_share, mean_on_s = burst
    quiet = 1.0 / (on_share * ratio + 1.0 - on_share)
    m_on, m_off = ratio * quiet, quiet
    leave_on = ttl_s / mean_on_s
    leave_off = leave_on * on_share / (1.0 - on_share)
    # exp of the 2x2 matrix [[-a, b], [c, -d]], applied to (1, 1)
    a, b = leave_on + m_on * mass, leave_on
    c, d = leave_off, leave_off + m_off * mass
    mean, half = -(a + d) / 2, np.sqrt(((a - d) / 2) ** 2 + b * c)
    # cosh and sinh scaled by exp(mean) so that neither overflows: mean + half <= 0 always
    up, down = np.exp(mean + half), np.exp(mean - half)
    cosh = (up + down) / 2
    sinch = np.where(half > 1e-12, (up - down) / np.where(half > 1e-12, 2 * half, 1.0), up)
    from_on = cosh + sinch * (-a - mean + b)
    from_off = cosh + sinch * (c - d - mean)
    miss: Array = on_share * m_on * from_on + (1 - on_share) * m_off * from_off
    return miss


def _miss(mass: Array, ttl_s: float, refresh: bool, burst: tuple[float, float, float] | None) -> Array:
    if not refresh:
        return 1.0 / (1.0 + mass)
    return np.exp(-mass) if burst is None else burst_miss_share(mass, ttl_s, burst)


def _mean_miss(first: Array, last: Array, ttl_s: float, refresh: bool, burst: tuple[float, float, float] | None) -> Array:
    """Mean of the miss share while the mass runs linearly from `first` to `last`."""
    if refresh and burst is None:
        low, run = np.minimum(first, last), np.abs(last - first)
        small = run < 1e-9
        return np.exp(-low) * np.where(small, 1.0 - run / 2, -np.expm1(-run) / np.where(small, 1.0, run))
    points, weights = np.polynomial.legendre.leggauss(4)
    return sum(  # type: ignore[return-value]
        w / 2 * _miss(first + (last - first) * (p + 1) / 2, ttl_s, refresh, burst)
        for p, w in zip(points.tolist(), weights.tolist(), strict=True)
    )


def _hermite(sd: float) -> tuple[Array, Array]:
    """Standard normal nodes and weights; a factor without spread needs one."""
    if sd == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def _past_noise(noise: Noise, hours: float) -> tuple[float, float]:
    """Log-sd of the mean noise of the hours before this one, and its log covariance with this one.

    One earlier hour is exact; the mean of several is a lognormal of the same two moments (Fenton, 1960).
    """
    var, lag = noise.hour_sd**2, noise.hour_lag1
    count = max(1, math.ceil(hours))
    j = np.arange(1, count + 1)
    cov_now = np.expm1(var * lag**j).mean()
    apart = np.abs(j[:, None] - j[None, :])
    cov_past = np.expm1(var * lag**apart).mean()
    return math.sqrt(math.log1p(cov_past)), math.log1p(cov_now)


def week_hit_share(level: Array, week: CacheWeek) -> Array:
    """Hit share by day of the week at given levels of demand.

    Args:
        level: mean calls per second of a scope (over the whole week), shape (n,).
        week: shapes, spread, time to live, rule.

    Returns:
        (n, 7), Monday first: of the calls of that day (within the mask), the share that hits.
    """
    shape = np.outer(week.weekday, week.hours).ravel()
    mask = np.asarray(week.mask if week.mask is not None else np.ones(168), dtype=float)
    whole, part = divmod(week.ttl_s, 3600.0)
    k = int(whole)
    if k >= 168:
        k, part = 167, 3599.0

    def earlier(n: int) -> Array:
        """Mean relative rate mass, in seconds, of the n hours before each hour."""
        return sum((np.roll(shape, j) for j in range(1, n + 1)), np.zeros(168)) * 3600.0

    now_a, now_b = shape * part, shape * 3600.0
    past = [earlier(k) + np.roll(shape, k + 1) * part, earlier(k)]  # piece A: the ttl ends in the hour k + 1 back
    if k == 0:
        pieces = [((0 * shape, past[0], now_a, past[1]), part), ((now_a, 0 * shape, now_a, 0 * shape), 3600.0 - part)]
    else:
        rest = [earlier(k - 1) + np.roll(shape, k) * 3600.0, earlier(k - 1) + np.roll(shape, k) * part]
        pieces = [((0 * shape, past[0], now_a, past[1]), part), ((now_a, rest[0], now_b, rest[1]), 3600.0 - part)]
    sd_past, cov = _past_noise(week.noise, week.ttl_s / 3600.0)
    sd_now = week.noise.hour_sd
    corr = cov / (sd_past * sd_now) if sd_now > 0 and sd_past > 0 else 0.0
    z_day, w_day = _hermite(week.noise.day_sd)
    z_now, w_now = _hermite(sd_now)
    z_past, w_past = _hermite(sd_past)
    day = np.exp(week.noise.day_sd * z_day - week.noise.day_sd**2 / 2)[:, None, None]
    now = np.exp(sd_now * z_now - sd_now**2 / 2)[None, :, None]
    tilted = corr * z_now[:, None] + math.sqrt(max(0.0, 1 - corr**2)) * z_past[None, :]
    before = np.exp(sd_past * tilted - sd_past**2 / 2)[None]
    weight = (w_day[:, None, None] * day) * (w_now[None, :, None] * now) * w_past[None, None, :]
    day, now, before, weight = (np.broadcast_to(x, weight.shape).ravel() for x in (day, now, before, weight))
    weight = weight / weight.sum()
    shares = np.empty((len(level), 7))
    calls = (shape * mask).reshape(7, 24)
    total = calls.sum(axis=1)
    for begin in range(0, len(level), CHUNK):
        rate = level[begin : begin + CHUNK, None, None]
        miss = np.zeros((rate.shape[0], 168))
        for piece, seconds in pieces:
            if seconds > 0:
                alike, hour = np.unique(np.stack(piece), axis=1, return_inverse=True)
                now_0, past_0, now_1, past_1 = alike[:, :, None]
                first = rate * day * (now * now_0 + before * past_0)
                last = rate * day * (now * now_1 + before * past_1)
                average = _mean_miss(first, last, week.ttl_s, week.refresh, week.noise.burst) @ weight
                miss += seconds / 3600.0 * average[:, hour]
        hits = ((1.0 - miss) * calls.ravel()).reshape(-1, 7, 24).sum(axis=2)
        shares[begin : begin + CHUNK] = np.where(total > 0, hits / np.where(total > 0, total, 1.0), 0.0)
    return np.clip(shares, 0.0, 1.0)


class LogTable:
    """A smooth function of the logarithm of a rate, evaluated on demand on a fixed grid and interpolated.

    The grid does not depend on what is asked, so the same rate gives the same digits in every call.
    """

    def __init__(self, evaluate: Callable[[Array], Array]) -> None:
        """`evaluate` maps log rates (n,) to values (n, rows)."""
        self._evaluate = evaluate
        self._first = 0
        self._values: Array | None = None

    def __call__(self, log_rate: Array, row: NDArray[np.int64] | int = 0) -> Array:
        """Values at any shape of log rates; `row` picks the column and broadcasts."""
        x = np.clip(log_rate, LOWEST, HIGHEST) / STEP
        index = np.floor(x).astype(np.int64)
        values = self._covering(int(index.min()) - 2, int(index.max()) + 3)
        t = x - index
        base = index - self._first
        found: Array = np.zeros(np.broadcast_shapes(x.shape, np.shape(row)))
        for offset, weight in zip(range(-2, 4), _lagrange(t), strict=True):
            found += weight * values[base + offset, row]
        return found

    def _covering(self, first: int, last: int) -> Array:
        if self._values is None:
            self._first, self._values = first, self._evaluate(np.arange(first, last + 1) * STEP)
        if first < self._first:
            below = self._evaluate(np.arange(first, self._first) * STEP)
            self._values, self._first = np.concatenate([below, self._values]), first
        if last >= self._first + len(self._values):
            above = self._evaluate(np.arange(self._first + len(self._values), last + 1) * STEP)
            self._values = np.concatenate([self._values, above])
        return self._values


def _lagrange(t: Array) -> list[Array]:
    """Six-point interpolation weights at nodes -2..3 for t in [0, 1)."""
    nodes = range(-2, 4)
    return [
        np.prod([(t - other) / (node - other) for other in nodes if other != node], axis=0)  # type: ignore[misc]
        for node in nodes
    ]


@functools.lru_cache(maxsize=128)
def hit_table(week: CacheWeek) -> LogTable:
    """The hit share by day of the week (rows) over the log of calls per second and scope."""
    return LogTable(lambda log_rate: week_hit_share(np.exp(log_rate), week))


@functools.lru_cache(maxsize=256)
def span_table(week: CacheWeek, first_weekday: int, log_levels: tuple[float, ...], weights: tuple[float, ...]) -> LogTable:
    """The hit share over a span of days, tabulated over the log of the level at the start.

    Args:
        week: see `CacheWeek`.
        first_weekday: day of the week of the first day, Monday = 0.
        log_levels: log of growth and events by day, relative to the start.
        weights: calls by day, relative.
    """
    table = hit_table(week)
    levels, share = np.asarray(log_levels), np.asarray(weights) / max(sum(weights), 1e-300)
    rows = (first_weekday + np.arange(len(levels))) % 7

    def evaluate(log_rate: Array) -> Array:
        return (table(log_rate[:, None] + levels, rows) @ share)[:, None]

    return LogTable(evaluate)


def with_retries(hit_share: ArrayLike, attempts: ArrayLike, delivered: ArrayLike, failure_rate: ArrayLike, billed: bool
                 ) -> Array:
    """Hit share per billed attempt: a retry follows at once, so it finds what its first attempt left.

    All attempts billed: `(h + A - 1) / A`. Only successes billed: the first attempt succeeds with
    probability `1 - f`, later ones always hit: `((1 - f) h + s - (1 - f)) / s`.

    >>> float(with_retries(0.5, 1.25, 1.0, 0.2, True))
    0.6
    """
    h, a, s, f = (np.asarray(x, dtype=float) for x in (hit_share, attempts, delivered, failure_rate))
    if billed:
        return (h + a - 1) / a
    return np.where(s > 0, ((1 - f) * h + s - (1 - f)) / np.where(s > 0, s, 1.0), 0.0)


def eligible_prefix(prefix: ArrayLike, min_tokens: int, increment: int) -> Array:
    """The cacheable part of a prefix: nothing below the minimum, else whole increments.

    >>> [float(eligible_prefix(p, 1024, 128)) for p in (900, 1024, 2600)]
    [0.0, 1024.0, 2560.0]
    """
    tokens = np.asarray(prefix, dtype=float)
    return np.where((tokens > 0) & (tokens >= min_tokens), np.floor(tokens / increment) * increment, 0.0)
