"""How many replicas an autoscaled fleet runs at a given rate of calls, how much of them is used, and what power.

Class *approximate*: BAND says how closely paid replica-hours agree with the policy played step by step, and where.

Where a replica's calls are known by its load, the autoscaler is followed in the mean (`autoscaler.py`). Where they are
not, stays are taken as all alike: it asks for one more replica above k while the rate seen over its window exceeds
`k mu`, mu being the rate at which a replica holds its target. The rate seen is the mean rate with the scatter of a
Poisson stream over window and stay, so a look finds more than k wanted with `p_k = P(X > k mu)`. A replica stays until
no look within its down window wanted it, so it is up with `1 - (1 - p_k)^(1 + (down + startup) / (window + stay))`:
fresh looks at a stream forget each other after window and stay. `E = min + sum_k up_k + spare`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.expected.autoscaler import Look, followed
from simulator.expected.queueing import prefill_parts, saturation_per_s
from simulator.expected.steptime import Station

Array = NDArray[np.float64]
BAND, BAND_BY_HOUR = 0.05, 0.10  # relative difference of paid replica-hours: billed by the second, by the hour
OVERFLOW_BAND = 0.03  # difference of the share of calls that overflow, at up to 1.2 times what the replicas serve
SURELY = 1.6  # a fleet at so many times less than what asks for one more never asks
MOST_FOLLOWED = 9
"""Lengths of calls for which the autoscaler is followed one by one: along the output of the shipped scenario the paid
hours of a hundred lengths are then within 0.3 % of those followed one by one, with three within 2 %."""
LEAST_PER_WINDOW = 5.0  # ... where a window sees at least so many calls at mu
LOADS = 61
"""Loads, equally apart, at which a replica's occupancy is tabulated."""
ALMOST_FULL = 0.999
FEW_REPLICAS = 16
"""Replicas up to which a Poisson law is summed term by term; the incomplete gamma function costs ten times as much."""


class Looks(NamedTuple):
    """Lengths of calls for which an autoscaler is followed: the log of mu, rising, and its look by number."""

    log_mu: Array
    look: Callable[[int], Look]


class Policy(NamedTuple):
    """What decides on replicas; the rates of a replica and the stay may be (D, 1), a row for each of D lengths.

    least, most: without spares. mu_per_s: rate at which one more is asked for. saturation_per_s: of one replica.
    stay_s: of a call, at its target. granularity_s: billed spans are rounded up to it. looks: how the calls in the
    fleet tell what is wanted, for some lengths among which the D lie.
    """

    least: int
    most: int
    spare: int
    mu_per_s: float | Array
    saturation_per_s: float | Array
    stay_s: float | Array
    window_s: float
    down_window_s: float
    startup_s: float
    granularity_s: float = 0.0
    interruptions_per_day: float = 0.0
    looks: Looks | None = None


class Running(NamedTuple):
    """By rate: replicas paid, replicas that serve, and the share of the calls that the whole fleet could serve."""

    paid: Array
    serving: Array
    served_share: Array


def replicas_running(policy: Policy, rate_per_s: ArrayLike) -> Running:
    """Mean replicas of a fleet at given rates, any shape.

    >>> fixed = Policy(2, 2, 1, 1.0, 2.0, 1.0, 60.0, 600.0, 120.0)
    >>> [float(x) for x in replicas_running(fixed, 9.0)]     # three replicas serve 6 of 9 calls a second
    [3.0, 3.0, 0.6666666666666666]
    """
    rate = np.asarray(rate_per_s, dtype=np.float64)
    serving = np.full(rate.shape, float(policy.least))
    starts, coming = np.zeros(rate.shape), np.zeros(rate.shape)
    hold = policy.down_window_s + policy.startup_s
    memory = policy.window_s + policy.stay_s
    for k in range(policy.least, policy.most):
        if k == 0:
            up = _alive(rate, policy.stay_s + policy.down_window_s, policy.startup_s)
        elif policy.looks is not None:
            break
        else:
            from scipy.special import ndtr

            spread = np.sqrt(np.maximum(rate, 1e-300) / memory)
            below = ndtr((k * policy.mu_per_s - rate) / spread)
            up = 1.0 - below ** (1.0 + hold / memory)
        serving = serving + up
        starts = starts + up * (1.0 - up) / hold
    if policy.looks is not None and policy.most > max(policy.least, 1):
        paid, up, fresh = _followed(policy, rate)
        serving, starts, coming = serving + up, starts + fresh, coming + paid - up
    serving = serving + (policy.spare if policy.most else 0)
    paid = serving * (1.0 + policy.interruptions_per_day / 86_400 * policy.startup_s) + coming
    paid = paid + starts * policy.granularity_s / 2.0
    paid = paid + serving * policy.interruptions_per_day / 86_400 * policy.granularity_s / 2.0
    room = (policy.most + policy.spare) * policy.saturation_per_s
    return Running(paid, serving, np.minimum(1.0, room / np.maximum(rate, 1e-300)))


def _followed(policy: Policy, rate: Array) -> tuple[Array, Array, Array]:
    """Replicas beyond the fewest, paid and serving, and starts per second, as the autoscaler is followed in the mean.

    Of many lengths of calls some are followed; others are read off the two on either side, by the rate over mu, and
    lie between them as the logarithm of their mu does.
    """
    assert policy.looks is not None
    mu = np.ravel(np.asarray(policy.mu_per_s, dtype=np.float64))
    flat = rate.reshape(mu.size, -1)
    found = np.zeros((3, *flat.shape))
    asks = policy.interruptions_per_day > 0
    rows = np.flatnonzero(asks | may_ask(flat.max(axis=1, initial=0.0), mu, policy.least))
    if rows.size:
        log_mu = np.log(mu[rows])
        at = np.interp(log_mu, policy.looks.log_mu, np.arange(policy.looks.log_mu.size))
        for number, node in enumerate(policy.looks.log_mu.tolist()):
            near = np.flatnonzero(np.abs(at - number) < 1.0)
            if not near.size:
                continue
            chosen, more = rows[near], followed(policy.looks.look(number))
            log_rate = np.log(np.maximum(flat[chosen] * np.exp(node - log_mu[near])[:, None], 1e-300))
            weight = 1.0 - np.abs(at[near] - number)[:, None]
            for part, values in zip(found, more[1:], strict=True):
                part[chosen] += weight * np.interp(log_rate, more.log_rate, values)
    paid, up, fresh = found.reshape(3, *rate.shape)
    return paid, up, fresh


def may_ask(most_per_s: Array, mu_per_s: Array, least: int) -> NDArray[np.bool_]:
    """Whether a fleet may ever ask for more than the fewest replicas, at the most calls a second there are.

    >>> may_ask(np.array([1.0, 4.0]), np.array([2.0, 2.0]), 1).tolist()
    [False, True]
    """
    return np.asarray(most_per_s * SURELY >= mu_per_s * max(least, 1))


def spread_out(places: Array, among: NDArray[np.int64], most: int = MOST_FOLLOWED) -> NDArray[np.int64]:
    """Which of given places stand for all: rising, each another place, about so many around those that count.

    Evenly by number and by distance alike, so that neither a crowd nor a wide gap is left out. What counts decides how
    finely, by halves: the same places are chosen again and again, and what is known of them can be kept.

    >>> places = np.array([9.0, 0.0, 0.1, 0.2, 5.0, 9.0])
    >>> spread_out(places, np.arange(6), 3).tolist(), spread_out(places, np.array([1, 2, 3]), 4).tolist()
    ([1, 4, 0], [1, 3, 4, 0])
    """
    order = np.unique(places, return_index=True)[1]
    if order.size <= most:
        return order
    rising = places[order]
    along = (rising - rising[0]) / (rising[-1] - rising[0]) + np.linspace(0.0, 1.0, order.size)
    counts = (rising >= places[among].min()) & (rising <= places[among].max())
    enough = min(most - 2, int(counts.sum()))  # the two beyond the ends stand for them as well
    parts = most - 1
    while True:
        nearest = np.unique(np.abs(along[:, None] - np.linspace(0.0, 2.0, parts + 1)).argmin(axis=0))
        if counts[nearest].sum() >= enough or parts > order.size * most:
            return np.asarray(order[nearest])
        parts *= 2


def _alive(rate: Array, life_s: float | Array, startup_s: float) -> Array:
    """Share of time a replica runs that starts with a call and ends when none came for so long.

    A renewal cycle: off for 1 / rate, then the start and a life renewed by every call, `(e^(rate life) - 1) / rate`.
    """
    exponent = np.minimum(rate * life_s, 700.0)
    on = startup_s + np.where(rate > 0, np.expm1(exponent) / np.maximum(rate, 1e-300), 0.0)
    return np.asarray(np.where(rate > 0, on / (on + 1.0 / np.maximum(rate, 1e-300)), 0.0))


class Occupancy(NamedTuple):
    """By load of one replica (rate over saturation): calls in it, and the share of time in which there are any."""

    load: Array
    calls: Array
    busy_share: Array


def busy_replicas(serving: ArrayLike, calls: ArrayLike, alone: ArrayLike) -> Array:
    """Mean number of replicas with a call in them, where a call goes to the replica with the fewest.

    So calls share a replica only when all others have one too: `E[min(N, R)] = E[N] P(N <= R - 2) + R P(N >= R)`, N
    Poisson, on a line between whole R. What one replica alone is busy is known better than that, and kept.

    serving: replicas, R. calls: mean calls in one. alone: share of time in which one alone would be busy.

    >>> float(busy_replicas(1.0, 0.3, 0.25)), round(float(busy_replicas(2.0, 0.25, 1.0 - np.exp(-0.25))), 4)
    (0.25, 0.4837)
    """
    count, mean = np.broadcast_arrays(np.asarray(serving, dtype=np.float64), np.asarray(calls, dtype=np.float64))
    total = count * mean
    whole = np.floor(count)
    fewer, less, up_to = _poisson_sums(whole, total)
    busy = whole * (1.0 - less) + total * fewer + (count - whole) * (1.0 - up_to)
    apart = -np.expm1(-np.maximum(mean, 1e-12))
    return np.asarray(np.minimum(busy * np.asarray(alone) / apart, count))


def _poisson_sums(whole: Array, mean: Array) -> tuple[Array, Array, Array]:
    """P(N <= R - 2), P(N <= R - 1) and P(N <= R) for N Poisson and whole R: the series while R is small."""
    last = np.exp(-mean)
    fewer, before = np.zeros_like(mean), np.zeros_like(mean)
    for k in range(1, int(min(whole.max(initial=0.0), FEW_REPLICAS)) + 1):
        inside = whole >= k
        fewer += np.where(inside, before, 0.0)
        before = np.where(inside, last, before)
        last = np.where(inside, last * (mean / k), last)
    less = np.asarray(fewer + before)
    up_to = np.asarray(less + last)
    if (many := whole > FEW_REPLICAS).any():
        from scipy.special import pdtr

        for sums, gap in ((fewer, 2.0), (less, 1.0), (up_to, 0.0)):
            sums[many] = pdtr(whole[many] - gap, mean[many])
    return fewer, less, up_to


def occupancy(at: Station, saturation_per_s: Array) -> Occupancy:
    """How full a replica is at every load from 0 to 1: the insensitive product form, slowed by prefill.

    `pi_n = pi_(n-1) x_n`, `x_n = rate m tau(n') / n' / (1 - rho)`, rho the share of time prefill takes (Cohen, 1979).
    Summed from above, so that nothing overflows: with g_n the share that n calls have of the law from n on, and b_n
    the mean of that part, `g_(n-1) = g_n / (g_n + x_n)` and `b_(n-1) = (n - 1) g_(n-1) + (1 - g_(n-1)) b_n`; beyond
    the most sequences x_n is constant. (L,), or (D, L) for a station of D laws.
    """
    load = np.linspace(0.0, 1.0, LOADS)
    rate = np.asarray(saturation_per_s)[..., None] * load
    rho = np.minimum(rate * at.mean(at.prefill_s - at.engine.step.overhead_s)[..., None], 0.999)
    slowed, most = rate / (1.0 - rho), np.maximum(at.most, 1.0)[..., None]
    number = np.arange(1.0, at.engine.max_num_seqs + 1.0)
    decoding = np.minimum(number, most)
    each = at.steps[..., None] * at.decode_s(decoding) / decoding
    beyond = np.minimum(slowed * each[..., -1:], ALMOST_FULL)
    share, mean = 1.0 - beyond, number[-1] + beyond / (1.0 - beyond)
    for n in range(number.size, 0, -1):
        share = share / (share + slowed * each[..., n - 1 : n])
        mean = (n - 1) * share + (1.0 - share) * mean
    prefilling = at.steps[..., None] == 0
    calls = np.where(prefilling, load / np.maximum(1.0 - load, 1e-3), mean)
    return Occupancy(load, calls, np.where(prefilling, load, 1.0 - share * (1.0 - rho)))


def overflow_share(at: Station, rate_per_s: ArrayLike, replicas: int, above: float) -> Array:
    """Share of calls, (L,), that find `above` calls in the fleet already and go elsewhere.

    The product form of all calls in the fleet, cut at its limit: the loss of a station is insensitive to the law of
    lengths (Cohen, 1979). `pi_K = pi_(K-1) rate (m T(n) + first(n)) / K` with n = K / R, the time a step takes with
    the prefills that ride along, and none of them where calls are turned away.
    """
    rate = np.atleast_1d(np.asarray(rate_per_s, dtype=np.float64))
    levels = np.append(np.arange(float(np.ceil(at.most))), at.most)
    known = float(saturation_per_s(at)) * np.linspace(0.1, 0.95, 6)
    parts = prefill_parts(at, known, levels, replicas)
    inside = np.arange(1.0, max(round(above), 1) + 1.0)
    held = np.clip(inside / replicas, 1.0, max(float(at.most), 1.0))
    each = np.minimum(inside, max(float(at.most), 1.0) * replicas)
    one = np.clip(rate / replicas, known[0], known[-1])
    at_level = (np.array([np.interp(held, levels, row) for row in values]) for values in parts)
    extra, first = (np.stack([np.interp(one, known, column) for column in values.T], axis=1) for values in at_level)
    rho = np.minimum(rate[:, None] / replicas * extra, 0.95)
    rho[:, -1] = 0.0
    stay = at.steps * at.decode_s(held) / (1.0 - rho) + first
    grown = np.cumsum(np.log(np.maximum(rate, 1e-300)[:, None] * stay / each), axis=1)
    logs = np.concatenate([np.zeros((rate.size, 1)), grown], axis=1)
    law = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(law[:, -1] / law.sum(axis=1))


def backlog(rate_per_s: ArrayLike, room_per_s: ArrayLike, step_s: float = 3600.0) -> Array:
    """Calls carried over at the end of each step, fluid: what comes beyond the room waits until there is some.

    >>> backlog([3.0, 1.0, 1.0], [2.0, 2.0, 2.0], 1.0).tolist()
    [1.0, 0.0, 0.0]
    """
    walk = np.cumsum((np.asarray(rate_per_s, dtype=np.float64) - np.asarray(room_per_s)) * step_s)
    return np.asarray(walk - np.minimum(np.minimum.accumulate(walk), 0.0))


def watts(load: ArrayLike, busy_share: ArrayLike, idle_w: float, light_w: float, saturated_w: float) -> Array:
    """Mean power of a GPU: idle while empty, light while it decodes at all, rising to saturated with its load.

    >>> [float(w) for w in watts([0.0, 1.0], [0.0, 1.0], 20.0, 200.0, 400.0)]
    [20.0, 400.0]
    """
    busy, used = np.asarray(busy_share, dtype=np.float64), np.asarray(load, dtype=np.float64)
    return np.asarray(idle_w * (1.0 - busy) + light_w * busy + (saturated_w - light_w) * np.minimum(used, busy))
