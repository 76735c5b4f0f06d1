"""How many replicas an autoscaler runs that looks at the calls in a fleet, which depend on how many replicas run.

A replica holds more calls the closer it is to what it can serve, and more than in proportion. So a fleet that is one
replica short asks for several, and once they serve it holds so few calls that it lets them go again: between two
steady numbers it goes round in a cycle that no stationary formula has. The cycle is followed here in the mean: calls
flow into the fleet and out of it as a fluid, the autoscaler looks at them with the scatter of a Poisson stream.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SPACING = 0.04
"""Of the rates that are followed, in the logarithm."""
PATHS = 4
"""Paths of the scatter that are followed at each rate."""
WARM_CYCLES, CYCLES = 1.0, 6.0
"""A cycle lasts a down window and a start; what happens in the first is not counted."""
LOSSES_S = 86_400.0
"""How long a fleet is followed whose replicas are taken away now and then."""
FAR = 1.25
"""Beyond what the most replicas can serve, times this, a fleet stays full; below the fewest at their target, small."""


class Look(NamedTuple):
    """What decides on replicas beyond the fewest; `loads` and `calls` say how many calls a replica holds at a load.

    `losses_per_s` is the rate at which a replica is taken away, to come back after another start.
    """

    least: int
    most: int
    spare: int
    target: float
    saturation_per_s: float
    window_s: float
    control_s: float
    down_window_s: float
    startup_s: float
    losses_per_s: float
    loads: tuple[float, ...]
    calls: tuple[float, ...]


class Followed(NamedTuple):
    """By log rate: replicas paid and serving beyond the fewest and the spares, and starts per second."""

    log_rate: Array
    paid: Array
    serving: Array
    starts_per_s: Array


@functools.lru_cache(maxsize=1024)
def followed(look: Look) -> Followed:
    """Follow the fleet at every rate at which it may run more than the fewest, and fewer than the most."""
    load_at_target = float(np.interp(look.target, look.calls, look.loads))
    mu = load_at_target * look.saturation_per_s
    low = math.log(mu * max(look.least, 1) / FAR)
    if look.losses_per_s > 0:  # the calls that wait for a lost replica ask for more
        low = min(low, math.log(0.5 * look.target / max(look.startup_s, look.control_s)))
    high = math.log(max(look.most * mu, (look.most + look.spare) * look.saturation_per_s) * FAR)
    log_rate = np.linspace(low, high, max(int((high - low) / SPACING), 2))
    paid, serving, starts = _follow(look, np.exp(log_rate))
    return Followed(log_rate, paid, serving, starts)


def _follow(look: Look, rate: Array) -> tuple[Array, Array, Array]:
    """Replicas paid, serving and started per second beyond the fewest, in the mean over time and paths, (G,)."""
    levels = np.arange(max(look.least, 1), look.most)
    scatter = _scatter(look)
    flow = np.repeat(rate, PATHS)
    size = flow.size
    held, grown = _fluid(look)
    last = np.full((size, levels.size), -np.inf)
    ready = np.full((size, levels.size), np.inf)
    on = np.zeros((size, levels.size), dtype=bool)
    up = np.full(size, float(max(look.least, 1) + look.spare))
    inside = up * np.interp(flow / up / look.saturation_per_s, look.loads, look.calls)
    seen = np.repeat(inside[:, None], max(round(look.window_s / look.control_s), 1), axis=1)
    sums = np.zeros((3, size))
    hazard = np.tile(np.arange(PATHS) / PATHS, rate.size)
    gone = np.zeros((size, max(round(look.startup_s / look.control_s), 1)))
    first = math.ceil(WARM_CYCLES * scatter.shape[1] / (WARM_CYCLES + CYCLES))
    for step in range(scatter.shape[1]):
        now = step * look.control_s
        before = inside
        for _ in range(2):  # implicit: stable however fast calls leave
            came = inside + 0.5 * look.control_s * flow
            inside = np.where(up > 0, up * np.interp(came / np.maximum(up, 1.0), grown, held), came)
        seen[:, step % seen.shape[1]] = 0.5 * (before + inside)
        mean = seen.mean(axis=1)
        stay_s = mean / flow
        error = np.sqrt(2.0 * mean * np.minimum(stay_s / (look.control_s * seen.shape[1]), 0.5))
        wish = np.ceil((mean + error * np.tile(scatter[:, step], rate.size)) / look.target)[:, None]
        last[wish > levels] = now
        stays = now - last < look.down_window_s
        fresh = stays & ~on
        ready[fresh] = now + look.startup_s
        on = stays
        serves = on & (ready <= now)
        up = max(look.least, 1) + look.spare + serves.sum(axis=1)
        if look.losses_per_s > 0:
            more = hazard + look.losses_per_s * look.control_s * up
            gone[:, step % gone.shape[1]] = np.floor(more) - np.floor(hazard)
            hazard, up = more, np.maximum(up - gone.sum(axis=1), 0.0)
        if step >= first:
            sums += on.sum(axis=1), serves.sum(axis=1), fresh.sum(axis=1) / look.control_s
    mean_by_rate = (sums / (scatter.shape[1] - first)).reshape(3, rate.size, PATHS).mean(axis=2)
    return mean_by_rate[0], mean_by_rate[1], mean_by_rate[2]


def _scatter(look: Look) -> Array:
    """Standard normals by path and look: the same quasi-random ones for every rate, so that neighbours agree."""
    from scipy.special import ndtri

    cycle = look.down_window_s + look.startup_s + 2.0 * max(look.window_s, look.control_s)
    whole = max((WARM_CYCLES + CYCLES) * cycle, LOSSES_S if look.losses_per_s > 0 else 0.0)
    steps = math.ceil(whole / look.control_s)
    golden = (1.0 + math.sqrt(5.0)) / 2.0
    places = (np.arange(steps)[None, :] * golden + np.arange(PATHS)[:, None] / PATHS) % 1.0
    return np.asarray(ndtri(np.clip(places, 1e-3, 1.0 - 1e-3)))


def _fluid(look: Look) -> tuple[Array, Array]:
    """Calls in a replica before and after half an interval in which none arrive, as a table to be read backwards."""
    calls, loads = np.asarray(look.calls), np.asarray(look.loads)
    far = calls[-1] + np.geomspace(1.0, 1e7, 60)
    held = np.concatenate([calls, far])
    leaving = np.concatenate([loads, np.ones(far.size)]) * look.saturation_per_s
    return held, held + 0.5 * look.control_s * leaving
