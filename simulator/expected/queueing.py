"""Mean latency, load and saturation of replicas of a continuously batching engine, in closed form.

Twin of `simulated/queueing.py`, class *approximate*: BAND says how closely the mean stay agrees, and where. Means
only: percentiles and every verdict on a latency target come from the kernel.

One replica, scheduler *stall*. Prefill has priority, so calls reach decode in batches G: the calls that a busy period
of an M/G/1 queue with service S serves, `E[G] = 1 / (1 - rho)`, `Var G = (rho + lambda^2 Var S) / (1 - rho)^3`.
Outside prefill the number decoding balances across every level n:
`pi_n n' / (m tau(n')) = lambda sum_{k<n} pi_k P(G > n - 1 - k)`.
Scheduler *chunked*. Prefill rides with the decodes of a step, so a step with n of them lasts T(n) on average, and
`pi_n n' / (m T(n')) = lambda pi_{n-1}`.
Without prefill both are the insensitive product form of a processor-sharing station (Cohen, 1979).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.expected.steptime import Engine, Station, StepTime, station

Array = NDArray[np.float64]
__all__ = ["BAND", "Engine", "Station", "Stay", "StepTime", "in_domain", "saturation_per_s", "station", "stay"]

HUGE = 1e200  # shares are scaled down before they overflow
LEAST_LEFT = 1e-6  # of a server's time at the top level; a law without any left has no mean
MOST_AT_ONCE = 96
"""Prefills in one step that are told apart at most."""
MANY_AT_ONCE = 48
"""Prefills in a step, on average, from which on they are taken together: Poisson's law reaches beyond those told apart.
"""
LEAST_STEPS = 1e-9  # fewer bound nothing: by then the tokens of a step do


class Band(NamedTuple):
    """Up to which share of saturation the mean stay agrees within which relative difference."""

    load: float
    difference: float


BAND = (Band(0.70, 0.05), Band(0.85, 0.08))
PREFILL_DOMAIN = 0.1  # the bands hold where E[S] <= 0.1 m tau(1) ...
PREEMPTION_DOMAIN = 0.01  # ... and fewer than one call in a hundred is preempted
FLEET_BAND = (Band(0.70, 0.06), Band(0.85, 0.08))  # two and more replicas, lengths that vary (see LEAST_CV)
LEAST_CV = 0.3  # calls of one and the same length fall into step with each other, which no mean-value law sees
SATURATION_BAND, SATURATION_BAND_KV = 0.02, 0.08  # of lambda_sat; the second where KV binds, and then ...
KV_DOMAIN = 5.0  # ... where lengths vary and a call decodes at most so many times the tokens of its prefill


class Stay(NamedTuple):
    """Mean times of a call and the state of a replica, (L,) over the rates; infinite at or beyond saturation.

    e2e_s, ttft_s, tpot_s: seconds. decoding: sequences decoding. busy_share: of time, not idle. load: rate over
    saturation, so the utilisation while the calls can be served.
    """

    e2e_s: Array
    ttft_s: Array
    tpot_s: Array
    decoding: Array
    busy_share: Array
    load: Array


def saturation_per_s(at: Station) -> Array:
    """The rate one replica can just serve: `1 / (E[S] + m tau(n') / n')` with n' sequences, as many as there can be.

    Chunked: n' / m calls end per step, whose prefill rides along, so the step lasts `tau(n') + E[extra of Poisson(n'/m)
    prefills]`. Where KV binds, the share `m / (q + m)` of the m tokens a call grows by is taken from the call admitted
    last, which must compute as many anew, so prefill work grows by `m^2 / (q + m) / q` (q: tokens of a prefill;
    read off kernel runs, a heuristic: they compute 0.02 to 8.3 times q anew where this says 0.02 to 9.1).
    Calls that hardly decode share a step all the same: what ends in one is bounded by the tokens and the sequences of
    a step, which is the limit for m = 0 too. (D,) for a station of D laws.
    """
    q = at.mean(at.fresh)
    again = np.where(at.kv_binds, at.steps**2 / (q + at.steps) / q, 0.0)
    alone = 1.0 / (at.mean(at.prefill_s) * (1.0 + again) + at.steps * at.decode_s(at.most) / at.most)
    if at.engine.scheduler == "stall":
        return np.asarray(alone)
    engine = at.engine
    ending = np.minimum(engine.max_num_batched_tokens / (q + at.steps), float(engine.max_num_seqs))
    ending = np.minimum(ending, at.most / np.maximum(at.steps, LEAST_STEPS))
    decoding = np.where(at.steps > 0, at.most, 1.0)
    seconds, chance = _mixed_steps(at, decoding[..., None], MOST_AT_ONCE)
    mean = (seconds * chance).sum(axis=-1)[..., 0, :]
    joining = ending * (1.0 + again)
    few = (_poisson(joining, np.arange(MOST_AT_ONCE)) * mean).sum(axis=-1)
    return np.asarray(ending / np.where(joining > MANY_AT_ONCE, _full_step_s(at, decoding, joining), few))


def _full_step_s(at: Station, decoding: Array, joining: Array) -> Array:
    """Mean seconds of a step of so many decodes with prefills that are too many to be told apart.

    Their tokens, a compound Poisson sum, by three Gauss-Hermite points of its mean and variance.
    """
    step, tokens = at.engine.step, joining * at.mean(at.fresh)
    around = np.sqrt(3.0 * joining * at.mean(at.fresh**2))
    products = sum(
        weight * step.matmul_s(decoding + np.maximum(tokens + sign * around, 0.0))
        for sign, weight in ((-1.0, 1 / 6), (0.0, 2 / 3), (1.0, 1 / 6))
    )
    each = step.per_sequence_s + at.mean(at.attention_s)
    return np.asarray(at.decode_s(decoding) - step.matmul_s(decoding) + products + joining * each)


def in_domain(at: Station) -> bool:
    """Whether prefill is short enough beside decoding for the bands to hold: `E[S] <= 0.1 m tau(1)`."""
    return bool(at.mean(at.prefill_s) <= PREFILL_DOMAIN * at.steps * at.decode_s(1.0))


def stay(at: Station, rate_per_s: ArrayLike, *, replicas: int = 1) -> Stay:
    """Mean stay of a call at so many replicas that share calls arriving at given rates.

    rate_per_s: (L,), all replicas together. With two or more, calls go to the least loaded, which evens the arrivals
    out: each replica is then the product form at `rate / replicas`, without batches and without a queue for prefill.

    >>> step = StepTime(overhead_s=0.01, weights_s=0.0)
    >>> alone = station(Engine(step=step, kv_tokens=1e6, scheduler="stall"), [100], [11])
    >>> round(float(stay(alone, 1e-9).e2e_s[0]), 6)   # one prefill and ten steps of 10 ms
    0.11
    """
    rate = np.atleast_1d(np.asarray(rate_per_s, dtype=np.float64)) / replicas
    load = rate / saturation_per_s(at)
    served = np.flatnonzero((load < 1.0) & (rate > 0.0))
    empty = np.full(rate.size, np.inf)
    out = Stay(empty.copy(), empty.copy(), empty.copy(), empty.copy(), np.ones(rate.size), load)
    if served.size:
        for values, part in zip(out[:5], _laws(at, rate[served], replicas), strict=True):
            values[served] = part
    idle = rate <= 0.0
    out.busy_share[idle] = out.decoding[idle] = 0.0
    return out


def prefill_parts(at: Station, rate: Array, levels: Array, replicas: int) -> tuple[Array, Array]:
    """Per rate of one replica and level: what a prefill adds to the steps, and the mean time to the first token."""
    if at.engine.scheduler == "stall" or at.steps == 0:
        like = np.ones((rate.size, levels.size))
        return _alone_s(at) * like, _stall_first_token(at, rate, replicas)[:, None] * like
    extra, _, first = _chunked_parts(at, rate, levels, replicas)
    return extra, first


def _laws(at: Station, rate: Array, replicas: int) -> tuple[Array, ...]:
    """Solve the level-crossing law for every rate at once."""
    levels = np.append(np.arange(float(math.ceil(at.most))), at.most)  # 0, 1, .. and n'_max, which need not be whole
    tau = at.decode_s(levels)
    tau[0] = 0.0
    if at.engine.scheduler == "stall" or at.steps == 0:
        s = at.prefill_s
        extra = np.full((rate.size, levels.size), _alone_s(at))
        square = np.full_like(extra, at.mean(s * s))
        first = _stall_first_token(at, rate, replicas)[:, None] + 0.0 * extra
    else:
        extra, square, first = _chunked_parts(at, rate, levels, replicas)
    rho = np.minimum(rate[:, None] * extra, 0.999)
    if replicas == 1:
        tail = _batch_tail(rho, rate[:, None] ** 2 * np.maximum(square - extra**2, 0.0))
    else:
        tail = 1.0 / (1.0 - rho)[:, :, None]  # one at a time, in time stretched by prefill
    law = _levels(rate, tau, levels, tail, float(at.steps))
    top = levels.size - 1
    weight = law.known / (1.0 - rho)  # a level's share of all time, prefill included
    beyond, excess = law.beyond / (1.0 - rho[:, top]), law.excess / (1.0 - rho[:, top])
    whole = weight.sum(axis=1) + beyond
    weight, beyond, excess = weight / whole[:, None], beyond / whole, excess / whole
    decoding = weight @ levels + beyond * levels[top]
    queued = (weight[:, top] + beyond) * (top - levels[top]) + excess
    half = 0.0
    if at.engine.scheduler == "stall" or at.steps == 0:
        half = (weight @ tau + beyond * tau[top]) / 2.0
    ttft = queued / rate + np.sum(weight * first, axis=1) + beyond * first[:, top] + half
    e2e = ttft + decoding / rate
    tpot = decoding / rate / at.steps if at.steps > 0 else np.zeros_like(e2e)
    return e2e, ttft, tpot, decoding, 1.0 - law.known[:, 0] / whole


def _stall_first_token(at: Station, rate: Array, replicas: int) -> Array:
    """Mean wait behind other prefills, and the own one: M/G/1 with decode steps as vacations (Doshi, 1986).

    Their residual, half a step, is added by the caller. With several replicas hardly two prefills meet.
    """
    s = at.prefill_s
    mean, rho = at.mean(s), np.minimum(rate * _alone_s(at), 0.999)
    return mean + rate * at.mean(s * s) / (2.0 * (1.0 - rho)) / replicas


def _alone_s(at: Station) -> float:
    """Seconds that a prefill keeps others waiting; calls that decode nothing share a chunked step when many wait."""
    return float(1.0 / saturation_per_s(at) if at.steps == 0 else at.mean(at.prefill_s))


def _batch_tail(rho: Array, spread: Array) -> Array:
    """P(G > j), (L, levels, J): one call and a negative binomial with the mean and variance of those that follow it."""
    rho = np.maximum(rho, 1e-9)
    mean = rho / (1.0 - rho)
    variance = (rho + spread) / (1.0 - rho) ** 3
    p = mean / variance
    size = mean * p / (1.0 - p)
    chance = p**size
    more = 1.0 - chance
    tail = [np.ones_like(rho), more]
    while more.max() > 1e-9 and len(tail) < 400:
        j = len(tail) - 2
        chance = chance * (j + size) / (j + 1.0) * (1.0 - p)
        more = np.maximum(more - chance, 0.0)
        tail.append(more)
    return np.stack(tail, axis=2)


class _Law(NamedTuple):
    """Shares of the time outside prefill, not scaled to one, by the number decoding or waiting to.

    known: (L, top + 1), from none to as many as there can be. beyond: (L,), all states above. excess: (L,), by how
    many they lie above, summed.
    """

    known: Array
    beyond: Array
    excess: Array


def _levels(rate: Array, tau: Array, levels: Array, tail: Array, steps: float) -> _Law:
    """Stationary law of the number decoding or waiting to, by balance across every level, from below.

    Above the top level nothing depends on the level any more: `pi_(top+i) = a (u_i + sum_{0<k<i} pi_(top+k) T_(i-1-k))`
    with a the constant factor, T the tail of G and u what jumps there from below. Summed over i, once plain and once
    times i, that gives the two sums without their states: `P = a (sum u + P E[G])`, and Q alike.
    """
    top, span = levels.size - 1, tail.shape[2]
    factor = rate[:, None] * steps * tau[1:] / levels[1:]
    known = np.zeros((rate.size, top + 1))
    known[:, 0] = 1.0
    up = np.zeros((rate.size, top + span))  # calls per second crossing each level upwards, less the rate
    for n in range(1, top + 1):
        up[:, n - 1 : n - 1 + span] += known[:, n - 1, None] * tail[:, n - 1]
        known[:, n] = factor[:, n - 1] * up[:, n - 1]
        if (most := known[:, n].max()) > HUGE:
            known, up = known / most, up / most
    u, last, a = up[:, top:], tail[:, top], factor[:, -1]
    u = u + known[:, top, None] * last
    far = np.arange(1.0, span + 1.0)
    left = np.maximum(1.0 - a * last.sum(axis=1), LEAST_LEFT)
    beyond = a * u.sum(axis=1) / left
    excess = a * (u @ far + beyond * (last @ far)) / left
    return _Law(known, beyond, excess)


def _most_at_once(mean: float) -> int:
    """Prefills in one step that need be told apart when so many come on average."""
    return int(min(mean + 8.0 * mean**0.5 + 12.0, float(MOST_AT_ONCE)))


def _poisson(mean: Array, count: NDArray[np.int64]) -> Array:
    """Poisson probabilities, (..., J)."""
    logs = np.cumsum(np.log(np.maximum(count, 1)))
    mean = np.maximum(np.asarray(mean, dtype=np.float64), 1e-300)[..., None]
    return np.asarray(np.exp(count * np.log(mean) - mean - logs))


def _mixed_steps(at: Station, n: Array, most: int) -> tuple[Array, Array]:
    """Seconds and probabilities, (levels, J, 12), of a step of n decodes with j prefills of drawn lengths.

    One prefill: twelve equal parts of its law. More: three Gauss-Hermite points of their sum's mean and variance.
    D laws at once: n is (D, levels), and so is what comes out, (D, levels, J, 12).
    """
    step = at.engine.step
    middles = _quantiles(at.fresh, at.weights)
    parts = middles.reshape(*middles.shape[:-1], 12, -1).mean(axis=-1)
    mean = at.mean(at.fresh)
    spread = np.maximum(at.mean(at.fresh**2) - mean**2, 0.0) ** 0.5
    j = np.arange(most, dtype=np.float64)
    tokens, chance = np.zeros((*mean.shape, most, 12)), np.zeros((most, 12))
    around = np.sqrt(3.0 * j)[:, None] * spread[..., None, None] * np.array([-1.0, 0.0, 1.0])
    tokens[..., :3] = np.maximum(j[:, None] * mean[..., None, None] + around, j[:, None])
    chance[:, :3] = (1 / 6, 2 / 3, 1 / 6)
    if most > 1:
        tokens[..., 1, :], chance[1] = parts, 1 / 12
    tokens[..., 0, :], chance[0, 1:] = 0.0, 0.0
    chance[0, 0] = 1.0
    each = step.per_sequence_s + at.mean(at.attention_s)
    wide = n[..., None, None]
    products = step.matmul_s(wide + tokens[..., None, :, :]) - step.matmul_s(wide)
    seconds = at.decode_s(n)[..., None, None] + products + (j[:, None] * each[..., None, None])[..., None, :, :]
    return seconds, np.broadcast_to(chance, seconds.shape)


def _quantiles(values: Array, weights: Array) -> Array:
    """So many values of a weighted law that each stands for the same probability; of (D, K) laws, equal weights."""
    at = (np.arange(240) + 0.5) / 240
    order = np.argsort(values, axis=-1)
    edges = np.cumsum(weights[order] if values.ndim == 1 else weights)
    return np.take_along_axis(values, order, axis=-1)[..., np.minimum(np.searchsorted(edges, at), weights.size - 1)]


def _chunked_parts(at: Station, rate: Array, levels: Array, replicas: int) -> tuple[Array, Array, Array]:
    """Per rate and level: what a prefill adds to the steps, its mean square, and the mean time to the first token.

    The number of prefills in a step is a Markov chain: calls that come during a step of T seconds, Poisson(rate T), are
    prefilled together in the next one, which is the longer for it. A call waits for the rest of the step it finds
    (longer ones are found more often), then for a step with its own prefill and those of the others who came.
    Routing to the least loaded of R replicas evens arrivals out: a share 1 - R^(-1/2) of steps takes just the mean.
    """
    some = np.unique(np.round(np.geomspace(1, levels.size - 1, 14)).astype(int))
    n = levels[some]
    count = np.arange(_most_at_once(float(rate.max() * (at.decode_s(at.most) + at.mean(at.prefill_s)))))
    seconds, chance = _mixed_steps(at, n, count.size)
    coming = rate[:, None, None, None] * seconds
    arrivals = others = _poisson(coming, count)
    if replicas > 1:
        even = np.maximum(1.0 - np.abs(coming[..., None] - count), 0.0)  # the two whole numbers beside the mean
        beside = np.append(even[..., 1:] * count[1:], np.zeros((*coming.shape, 1)), axis=-1) / coming[..., None]
        uneven = replicas**-0.5
        arrivals = arrivals * uneven + even * (1.0 - uneven)
        others = others * uneven + beside * (1.0 - uneven)
    move = np.einsum("njk,lnjki->lnji", chance, arrivals)
    move[..., -1] += np.maximum(1.0 - move.sum(axis=-1), 0.0)
    share = _stationary(move)
    mean = np.einsum("njk,njk->nj", seconds, chance)
    length = np.einsum("lnj,nj->ln", share, mean)
    extra = (length - at.decode_s(n)) / np.maximum(share @ count, 1e-300)
    own = np.einsum("nk,nk->n", seconds[:, 1] - seconds[:, 0, :1], chance[:, 1])
    square = np.einsum("nk,nk->n", (seconds[:, 1] - seconds[:, 0, :1]) ** 2, chance[:, 1])
    square = square / np.maximum(own, 1e-300) ** 2
    rest = np.einsum("lnj,njk,njk->ln", share, seconds**2, chance) / length / 2.0
    after = np.append(mean[:, 1:], mean[:, -1:], axis=1)  # a step with one prefill more
    found = np.einsum("njk,lnjki,ni->lnj", seconds * chance, others, after)
    first = rest + np.einsum("lnj,lnj->ln", share, found) / length
    s = at.prefill_s

    def over_levels(at_empty: Array, values: Array) -> Array:
        inner = np.array([np.interp(levels[1:], n, row) for row in values])
        return np.concatenate([np.full((rate.size, 1), float(at_empty)), inner], axis=1)

    return (
        over_levels(at.mean(s), extra),
        over_levels(at.mean(s * s), extra**2 * square),
        over_levels(at.mean(s), first),
    )


def _stationary(move: Array) -> Array:
    """Stationary law of each chain, (..., J), by squaring its transition matrix."""
    for _ in range(12):
        move = move @ move
        move = move / move.sum(axis=-1, keepdims=True)
    return np.asarray(move[..., 0, :])
