"""How many calls of an hour find the shared prompt cached, given the rates this run really had.

Twin of `expected/caching.py`, class *unbiased*: there the factors of demand are integrated, here they have happened.
With the integral `R` of the call rate of one cache, a call at `t` misses with probability `exp(-(R(t) - R(t - ttl)))`
where a read renews the life; rates are constant within an hour, so the mean over the hour is exact.

Without renewal the hour is taken as long enough to be steady, `1 / (1 + R(t) - R(t - ttl))`, in both wings; call by
call it is played (`replayed.py`), and the difference is measured in `verification/`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.world import Bursts

Array = NDArray[np.float64]
HOUR_S = 3600.0
GAUSS = tuple(zip(*(x.tolist() for x in np.polynomial.legendre.leggauss(4)), strict=True))
"""Nodes in [-1, 1] and weights of a mean over a piece on which the mass changes evenly, where it has no closed form."""


def hours_behind(ttl_s: float) -> int:
    """How many earlier hours a time to live reaches into.

    >>> hours_behind(300), hours_behind(3600), hours_behind(86400)
    (1, 2, 25)
    """
    return int(ttl_s // HOUR_S) + 1


def hit_share(
    rates: Array,
    ttl_s: float,
    refresh: bool,
    bursts: Bursts | None = None,
    cap_per_s: Array | None = None,
    by_time: bool = False,
) -> Array:
    """Share of the calls of every hour that hit.

    Args:
        rates: mean calls per second of one cache by hour, (rows, behind + hours): the earlier hours that the time
            to live reaches into come first, `hours_behind(ttl_s)` of them.
        ttl_s: time to live.
        refresh: whether a read renews it.
        bursts: the on/off process within the hours; the rates are then its means.
        cap_per_s: the most that one cache is sent, (rows, 1).
        by_time: the share of time in which the cache lives instead; the same but for bursts.

    Returns:
        (rows, hours).

    >>> rates = np.full((1, 2), 1 / 300)
    >>> round(float(hit_share(rates, 300.0, True)[0, 0]), 6), float(hit_share(rates, 300.0, False)[0, 0])
    (0.632121, 0.5)
    """
    rates = _capped(rates, cap_per_s)
    masses = _masses(rates, ttl_s)
    if bursts is None or not refresh:
        miss = [_mean_miss(first, last, refresh) for first, last in pairwise(masses)]
    else:
        on, off = _capped(rates * bursts.on, cap_per_s), _capped(rates * bursts.off, cap_per_s)
        both = list(zip(_masses(on, ttl_s), _masses(off, ttl_s), strict=True))
        hours = slice(hours_behind(ttl_s), None)
        calls_on, calls_off = bursts.on_share * on[:, hours], (1.0 - bursts.on_share) * off[:, hours]
        seen_on = bursts.on_share + 0.0 * calls_on if by_time else calls_on / np.maximum(calls_on + calls_off, 1e-300)
        miss = [_mean_bursty_miss(first, last, ttl_s, bursts, seen_on) for first, last in pairwise(both)]
    part = ttl_s % HOUR_S
    share: Array = 1.0 - (part * miss[0] + (HOUR_S - part) * miss[1]) / HOUR_S
    return np.clip(share, 0.0, 1.0)


def _capped(rates: Array, cap_per_s: Array | None) -> Array:
    return rates if cap_per_s is None else np.minimum(rates, cap_per_s)


def _masses(rates: Array, ttl_s: float) -> list[Array]:
    """Expected calls in the time to live behind a call at the beginning of each hour, at `part`, and at its end.

    `part` is where the window behind leaves one earlier hour for the next; between these moments it moves evenly.
    """
    behind, part = hours_behind(ttl_s), ttl_s % HOUR_S
    upto = np.cumsum(rates, axis=1) * HOUR_S - rates * HOUR_S
    now = rates[:, behind:]
    begin, hours = upto[:, behind:], now.shape[1]
    if behind == 1:  # from `part` on only this hour lies behind, whatever rounding says
        return [rates[:, :hours] * part, now * part, now * part]
    first, near = slice(0, hours), slice(1, hours + 1)
    left = HOUR_S - part
    masses = (
        begin - upto[:, first] - rates[:, first] * left,
        begin + now * part - upto[:, near],
        begin + now * HOUR_S - upto[:, near] - rates[:, near] * left,
    )
    return [np.maximum(mass, 0.0) for mass in masses]


def _mean_miss(first: Array, last: Array, refresh: bool) -> Array:
    """Mean miss share while the mass behind a call goes evenly from `first` to `last`."""
    if not refresh:
        between = ((weight / 2.0, first + (last - first) * (node + 1.0) / 2.0) for node, weight in GAUSS)
        found: Array = sum((share / (1.0 + mass) for share, mass in between), np.zeros_like(first))
        return found
    run = np.abs(last - first)  # the mean over the piece does not depend on its direction
    if not run.any():
        return np.exp(-first)
    small = run < 1e-6
    safe = np.where(small, 1.0, run)
    return np.where(small, np.exp(-(first + last) / 2), np.exp(-np.minimum(first, last)) * -np.expm1(-safe) / safe)


def _mean_bursty_miss(
    first: tuple[Array, Array], last: tuple[Array, Array], ttl_s: float, bursts: Bursts, seen_on: Array
) -> Array:
    """The same where arrivals switch between two rates; `first` and `last` hold the masses of both states."""
    found = np.zeros_like(seen_on)
    for node, weight in GAUSS:
        on, off = (a + (b - a) * (node + 1.0) / 2.0 for a, b in zip(first, last, strict=True))
        found += weight / 2.0 * _bursty_miss(on / ttl_s, off / ttl_s, ttl_s, bursts, seen_on)
    return found


def _bursty_miss(on: Array, off: Array, ttl_s: float, bursts: Bursts, seen_on: Array) -> Array:
    """Chance that a call finds no call in the `ttl_s` before it when arrivals follow a two-state process.

    Seen from a call the state is `on` with probability `seen_on`; going back, it changes as the process itself does
    (two-state processes are reversible), and no call falls into the time with probability `pi exp((Q - L) ttl) 1`,
    by the eigenvalues of the 2 x 2 matrix `Q - L`.

    Source: Fischer and Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", 1993, section 2.
    """
    a, d = -(bursts.leave_on_per_s + on), -(bursts.leave_off_per_s + off)
    b, c = bursts.leave_on_per_s, bursts.leave_off_per_s
    middle, gap = (a + d) / 2, np.sqrt(((a - d) / 2) ** 2 + b * c)
    high, low = middle + gap, middle - gap
    grown, shrunk = np.exp(high * ttl_s), np.exp(low * ttl_s)
    slope = (grown - shrunk) / (high - low)  # never zero, as b c > 0
    rest = (high * shrunk - low * grown) / (high - low)
    missed: Array = seen_on * (rest + slope * (a + b)) + (1.0 - seen_on) * (rest + slope * (c + d))
    return missed
