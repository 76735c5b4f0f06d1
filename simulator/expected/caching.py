"""How often a shared prompt is found in the provider's cache: call arrivals against the time to live.

A call at `t` hits when its scope had a call in `[t - ttl, t)` (a read renews the life). With `r` the call
rate of a scope and `R` its integral, the share of calls that hit is

    E[ int r(t) (1 - exp(-(R(t) - R(t - ttl)))) dt ]  /  E[ int r(t) dt ],

the expectation over the demand factors. Within an hour the rate is constant, so `R(t) - R(t - ttl)` is
linear in `t` between two breaks; the integral is closed there, and with bursts or without refresh a 4-point
Gauss-Legendre sum. The factors are integrated at `NODES` Gauss-Hermite nodes each.
The result is tabulated over the logarithm of the rate, because every draw, day and price shares the table.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STEP = 0.05
"""Spacing of the table in log rate; six-point interpolation is then exact to about 1e-10."""
NODES = 5
"""Gauss-Hermite nodes a factor. Largest error of the share over all levels of demand, measured against a fine sum for
one factor: 1e-7 at a log-sd of 0.25, 4e-5 at 0.5, 3e-3 at 1, 0.04 at 2, 0.3 at 3."""
WEEK_S = 7 * 86400.0
"""The longest time to live: the arrivals behind a call are those of one week that repeats."""
LOWEST, HIGHEST = math.log(1e-12), math.log(1e9)
"""Calls per second beyond which the share is 0 or 1 to the last digit."""
CHUNK = 16
"""Levels evaluated at once, which bounds the memory; tables of levels grow by as many."""
BLOCK = 4096  # values interpolated at once: what they need stays in a cache
SAME_DAY_S = 3600.0
"""Up to this time to live the calls before midnight are few enough to be taken at the level of the day itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Spread of the demand factors: log standard deviations, lag-1 of days and hours, and on/off bursts.

    `burst` is (ratio, on_share, mean_on_s) or None.
    """

    day_sd: float = 0.0
    day_lag1: float = 0.0
    hour_sd: float = 0.0
    hour_lag1: float = 0.0
    burst: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWeek:
    """Everything the hit share depends on but the level of demand; hashable, so that tables are kept.

    `weekday` (7) and `hours` (24) are relative rates of mean one; `mask`, if given, is the part of each
    of the 168 hours that is looked at (a price window); `refresh` tells whether a read renews the life.
    `by_time` asks for the share of time in which a cache lives instead of the share of calls that find one.
    `yesterday` is the level of the days before relative to that of the day itself.
    """

    ttl_s: float
    weekday: tuple[float, ...]
    hours: tuple[float, ...]
    noise: Noise
    refresh: bool = True
    mask: tuple[float, ...] | None = None
    by_time: bool = False
    yesterday: float = 1.0


def poisson_hit_share(calls_per_s: ArrayLike, ttl_s: float, refresh: bool = True) -> Array:
    """Hit share at a constant rate: `1 - exp(-rate ttl)`; without refresh `rate ttl / (1 + rate ttl)`.

    >>> round(float(poisson_hit_share(1 / 300, 300)), 6), float(poisson_hit_share(1 / 300, 300, refresh=False))
    (0.632121, 0.5)
    """
    mass = np.asarray(calls_per_s, dtype=float) * ttl_s
    share: Array = -np.expm1(-mass) if refresh else mass / (1.0 + mass)
    return share


def burst_miss_share(
    mass: Array, ttl_s: float, burst: tuple[float, float, float], by_time: bool = False
) -> Array:
    """Chance that a call finds no earlier call within `ttl_s` when arrivals switch between two rates.

    A two-state Markov-modulated Poisson process of mean `mass` calls per `ttl_s`, seen from its own
    calls: `sum_i pi_i m_i [exp((Q - diag(m) mass / ttl) ttl) 1]_i` (Fischer and Meier-Hellstern, The MMPP
    cookbook, 1993; the chain is reversible, so looking back equals looking ahead).

    Args:
        mass: expected calls per time to live, any shape.
        ttl_s: time to live.
        burst: ratio of the two rates, share of time on, mean length on in seconds.
        by_time: seen from any moment instead of from a call: without the `m_i` before the bracket.
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
    seen_on, seen_off = (1.0, 1.0) if by_time else (m_on, m_off)
    miss: Array = on_share * seen_on * from_on + (1 - on_share) * seen_off * from_off
    return miss


def _miss(mass: Array, week: CacheWeek) -> Array:
    if not week.refresh:
        return 1.0 / (1.0 + mass)
    burst = week.noise.burst
    return np.exp(-mass) if burst is None else burst_miss_share(mass, week.ttl_s, burst, week.by_time)


def _mean_miss(first: Array, last: Array, week: CacheWeek) -> Array:
    """Mean of the miss share while the mass runs linearly from `first` to `last`."""
    if week.refresh and week.noise.burst is None:
        low, run = np.minimum(first, last), np.abs(last - first)
        small = run < 1e-9
        return np.exp(-low) * np.where(small, 1.0 - run / 2, -np.expm1(-run) / np.where(small, 1.0, run))
    points, weights = np.polynomial.legendre.leggauss(4)
    return sum(  # type: ignore[return-value]
        w / 2 * _miss(first + (last - first) * (p + 1) / 2, week)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of every hour in which the window behind a call grows or shrinks evenly.

    Relative masses by hour of the week, (168,): calls of this hour and of the hours before it, at the
    beginning and at the end of the piece, which lasts `seconds`.
    """

    now_0: Array
    past_0: Array
    now_1: Array
    past_1: Array
    seconds: float


def _pieces(shape: Array, week: CacheWeek) -> list[_Piece]:
    """The hour cut where the beginning of the window passes from one earlier hour into the next."""
    whole, part = divmod(week.ttl_s, 3600.0)
    k, none = int(whole), 0.0 * shape
    hour_of_day = np.arange(168) % 24

    def earlier(hours: int) -> Array:
        return np.roll(shape, hours) * np.where(hour_of_day < hours, week.yesterday, 1.0)

    def before(hours: int) -> Array:
        return sum((earlier(j) for j in range(1, hours + 1)), none) * 3600.0

    ends_earlier = _Piece(
        now_0=none, past_0=before(k) + earlier(k + 1) * part, now_1=shape * part, past_1=before(k), seconds=part
    )
    if k == 0:
        inside = _Piece(now_0=shape * part, past_0=none, now_1=shape * part, past_1=none, seconds=3600.0 - part)
    else:
        inside = _Piece(
            now_0=shape * part,
            past_0=before(k),
            now_1=shape * 3600.0,
            past_1=before(k - 1) + earlier(k) * part,
            seconds=3600.0 - part,
        )
    return [piece for piece in (ends_earlier, inside) if piece.seconds > 0]


def _hour_factors(noise: Noise, ttl_s: float, by_time: bool) -> tuple[Array, Array, Array]:
    """Nodes of the factor of this hour, (n,), of the hours before, (n, p), and their weights, (n, p).

    The weights carry the factor of this hour where calls are what is counted.
    """
    sd_past, cov = _past_noise(noise, ttl_s / 3600.0)
    sd_now = noise.hour_sd
    corr = cov / (sd_past * sd_now) if sd_now > 0 and sd_past > 0 else 0.0
    z_now, w_now = _hermite(sd_now)
    z_past, w_past = _hermite(sd_past)
    now = np.exp(sd_now * z_now - sd_now**2 / 2)
    tilted = corr * z_now[:, None] + math.sqrt(max(0.0, 1 - corr**2)) * z_past
    weights = (w_now if by_time else w_now * now)[:, None] * w_past
    return now, np.exp(sd_past * tilted - sd_past**2 / 2), weights / weights.sum()


def week_hit_share(level: Array, week: CacheWeek) -> Array:
    """Hit share by day of the week at given levels of demand.

    Args:
        level: mean calls per second of a scope (over the whole week), shape (n,).
        week: shapes, spread, time to live, rule.

    Returns:
        (n, 7), Monday first: of the calls (or the time) of that day within the mask, the share that hits.
    """
    if week.noise.day_sd > 0:
        averaged = np.zeros((len(level), 7))
        for steady, factors, weights in _at_daily_levels(week):
            shares = week_hit_share(np.outer(level, factors).ravel(), steady).reshape(len(level), len(factors), 7)
            averaged += np.tensordot(shares, weights, axes=(1, 0))
        return averaged
    shape = np.outer(week.weekday, week.hours).ravel()
    mask = np.ones(168) if week.mask is None else np.asarray(week.mask)
    calls = (mask if week.by_time else shape * mask).reshape(7, 24)
    total = calls.sum(axis=1)
    now, before, weights = _hour_factors(week.noise, week.ttl_s, week.by_time)
    shares = np.empty((len(level), 7))
    for begin in range(0, len(level), CHUNK):
        rate = level[begin : begin + CHUNK, None, None]
        miss = np.zeros((rate.shape[0], 168))
        for piece in _pieces(shape, week):
            masses = np.stack([piece.now_0, piece.past_0, piece.now_1, piece.past_1])
            alike, hour = np.unique(masses, axis=1, return_inverse=True)
            now_0, past_0, now_1, past_1 = alike[:, :, None]
            alone = not (past_0.any() or past_1.any())
            here, there = (now, 0.0 * now) if alone else (np.repeat(now, before.shape[1]), before.ravel())
            weight = weights.sum(axis=1) if alone else weights.ravel()
            first, last = rate * (here * now_0 + there * past_0), rate * (here * now_1 + there * past_1)
            average = _mean_miss(first, last, week) @ weight
            miss += piece.seconds / 3600.0 * average[:, hour]
        hits = ((1.0 - miss) * calls.ravel()).reshape(-1, 7, 24).sum(axis=2)
        shares[begin : begin + CHUNK] = np.where(total > 0, hits / np.where(total > 0, total, 1.0), 0.0)
    return np.clip(shares, 0.0, 1.0)


def _at_daily_levels(week: CacheWeek) -> list[tuple[CacheWeek, Array, Array]]:
    """The week with the daily level held: for each ratio of yesterday's level to today's, today's nodes and weights.

    With log levels `sd z` of lag-1 correlation `c`, the log ratio is `sd d`, `d` of variance `2 (1 - c)`, and given
    `d` today's `z` has mean `-d / 2` and variance `(1 + c) / 2`. The weights carry the level, as calls are counted.
    """
    noise, sd = week.noise, week.noise.day_sd
    apart = math.sqrt(2.0 * (1.0 - noise.day_lag1)) if week.ttl_s > SAME_DAY_S else 0.0
    within = math.sqrt((1.0 + noise.day_lag1) / 2.0) if apart else 1.0
    nodes, weights = _hermite(1.0)
    found = []
    for z, share in zip(*_hermite(apart), strict=True):
        factors = np.exp(sd * (within * nodes - apart * z / 2.0) - sd**2 / 2)
        steady = dataclasses.replace(
            week, noise=dataclasses.replace(noise, day_sd=0.0, day_lag1=0.0), yesterday=math.exp(sd * apart * z)
        )
        found.append((steady, factors, share * weights * (1.0 if week.by_time else factors)))
    total = sum(weights.sum() for _, _, weights in found)
    return [(steady, factors, weights / total) for steady, factors, weights in found]


class LogTable:
    """A smooth function of the logarithm of a rate, evaluated on demand on a fixed grid and interpolated.

    The grid does not depend on what is asked, so the same rate gives the same digits in every call and process; what
    is known is replaced whole, first place and values together, so that threads may share a table without waiting.
    """

    def __init__(self, evaluate: Callable[[Array], Array]) -> None:
        """`evaluate` maps log rates (n,) to values (n, rows)."""
        self._evaluate = evaluate
        self._known: tuple[int, Array] | None = None

    def __call__(self, log_rate: Array, row: NDArray[np.int64] | int = 0) -> Array:
        """Values at any shape of log rates; `row` picks the column and broadcasts."""
        x = np.clip(log_rate, LOWEST, HIGHEST) / STEP
        index = np.floor(x).astype(np.int64)
        begin, values = self._covering(int(index.min()) - 2, int(index.max()) + 3)
        shape, rows = np.broadcast_shapes(x.shape, np.shape(row)), values.shape[1]
        t = np.broadcast_to(x - index, shape).ravel()
        place = np.broadcast_to((index - begin - 2) * rows + row, shape).ravel()
        flat, found = values.ravel(), np.zeros(t.size)
        for first in range(0, t.size, BLOCK):
            block = slice(first, first + BLOCK)
            for offset, weight in enumerate(_lagrange(t[block])):
                found[block] += weight * flat.take(place[block] + offset * rows)
        return found.reshape(shape)

    def _covering(self, first: int, last: int) -> tuple[int, Array]:
        """First place and values in whole blocks: each beside the same neighbours, whatever was asked before."""
        first, after = first // CHUNK * CHUNK, (last // CHUNK + 1) * CHUNK
        known = self._known
        begin, values = known if known is not None else (first, self._blocks(first, after))
        if first < begin:
            begin, values = first, np.concatenate([self._blocks(first, begin), values])
        if after > (end := begin + len(values)):
            values = np.concatenate([values, self._blocks(end, after)])
        if known is None or len(values) > len(known[1]):
            self._known = begin, values
        return begin, values

    def _blocks(self, first: int, after: int) -> Array:
        return np.concatenate([self._evaluate(_grid(at, at + CHUNK)) for at in range(first, after, CHUNK)])


def _grid(first: int, after: int) -> Array:
    return np.arange(first, after, dtype=np.float64) * STEP


def _lagrange(t: Array) -> list[Array]:
    """Six-point interpolation weights at nodes -2..3 for t in [0, 1)."""
    nodes = range(-2, 4)
    apart = [t - node for node in nodes]
    before = list(itertools.accumulate(apart[:-1], np.multiply, initial=np.ones_like(t)))
    after = list(itertools.accumulate(reversed(apart[1:]), np.multiply, initial=np.ones_like(t)))[::-1]
    scales = [math.prod(node - other for other in nodes if other != node) for node in nodes]
    return [b * a / scale for b, a, scale in zip(before, after, scales, strict=True)]


@functools.lru_cache(maxsize=128)
def hit_table(week: CacheWeek) -> LogTable:
    """The hit share by day of the week (rows) over the log of calls per second and scope.

    The spread of the daily level only shifts the log rate, so it is averaged over the table without it.
    """
    if week.noise.day_sd == 0:
        return LogTable(lambda log_rate: week_hit_share(np.exp(log_rate), week))
    tables = [(hit_table(steady), np.log(factors), weights) for steady, factors, weights in _at_daily_levels(week)]

    def evaluate(log_rate: Array) -> Array:
        shares = np.zeros((len(log_rate), 7))
        for table, shifts, weights in tables:
            shares += np.tensordot(weights, table(shifts[:, None, None] + log_rate[:, None], np.arange(7)), axes=1)
        return shares

    return LogTable(evaluate)


@functools.lru_cache(maxsize=1024)
def span_table(
    week: CacheWeek, first_weekday: int, log_levels: tuple[float, ...], weights: tuple[float, ...]
) -> LogTable:
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


def with_retries(
    hit_share: ArrayLike, attempts: ArrayLike, delivered: ArrayLike, failure_rate: ArrayLike, billed: bool
) -> Array:
    """Hit share per billed attempt: a retry follows at once, so it finds what its first attempt left.

    All attempts billed: `(h + A - 1) / A`. Only successes billed: the first attempt succeeds with
    probability `1 - f`, later ones always hit: `((1 - f) h + s - (1 - f)) / s`.

    >>> float(with_retries(0.5, 1.25, 1.0, 0.2, True))
    0.6
    """
    h, a, s, f = (np.asarray(x, dtype=float) for x in (hit_share, attempts, delivered, failure_rate))
    if billed:
        share: Array = (h + a - 1) / a
        return share
    return np.where(s > 0, ((1 - f) * h + s - (1 - f)) / np.where(s > 0, s, 1.0), 0.0)
