"""The part of the simulated engine that says what a fleet does in an hour at a steady rate: the kernel, tabulated.

Hourly totals do not serve calls one by one. What an hour of a rate brings was served once, call by call, at rates a
tenth apart in the logarithm, and is read off between them. Hours are taken as steady; the change from one to the next
is added where it is used.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.autoscaled import LIVES, AutoscaledFleet, Bounds
from simulator.simulated.each_fleet_call import lay_calls
from simulator.simulated.engine_fleet import COUNTED, FleetTerms
from simulator.simulated.latencies import Latencies
from simulator.simulated.slots import HOUR, HOUR_S
from simulator.simulated.streams import stream

Array = NDArray[np.float64]
STEP = 0.1
"""Spacing of the table in log rate."""
FULL = 0.97
"""Share of what the most replicas serve up to which an hour is steady; beyond it they are all full."""
STEADY_CALLS, SCALED_HOURS, MOST_CALLS, LEAST_CALLS, MOST_HOURS = 30_000, 8, 500_000, 100, 24 * 365
"""How long an hour is played: so many calls, where replicas come and go so many hours, within these bounds."""
WARM_HOURS = 2
NAMES = tuple(name for name in HOUR.names or () if name not in ("arrived", "finished", "shed"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SteadyHour:
    """An hour at a steady rate: values of NAMES in the mean, `turned_away` as a share of calls, and the latencies."""

    values: Array
    latencies: Latencies


@functools.lru_cache(maxsize=4096)
def steady_hour(terms: FleetTerms, least: int, most: int, place: int) -> SteadyHour:
    """Serve calls at the rate `exp(STEP place)` for long enough to know the mean hour."""
    rate = math.exp(STEP * place)
    hours = STEADY_CALLS / rate / HOUR_S
    if least < most or terms.policy.losses_per_s > 0:
        hours = min(max(hours, SCALED_HOURS), MOST_CALLS / rate / HOUR_S)
    count = WARM_HOURS + min(max(math.ceil(max(hours, LEAST_CALLS / rate / HOUR_S)), 1), MOST_HOURS)
    bounds = Bounds(begin_s=0.0, least=np.full(count, least), most=np.full(count, most))
    random = stream(0, "steady hour", place)
    fleet = AutoscaledFleet(terms.engine, terms.policy, bounds, random.exponential(size=LIVES))
    fleet.overloaded[:WARM_HOURS] = True
    law, load = terms.load.law(), terms.load
    mean = np.array([load.fixed, load.input, load.output, COUNTED[load.counted]])
    for hour in range(count):
        calls = int(random.poisson(rate * HOUR_S))
        times = HOUR_S * (hour + np.sort(random.random(calls)))
        first, rest = random.standard_normal((2, calls))
        second = law[2] * first + math.sqrt(max(1.0 - law[2] ** 2, 0.0)) * rest
        inputs, outputs = (np.exp(sd * z - sd * sd / 2.0) for sd, z in ((law[0], first), (law[1], second)))
        room = fleet.room_for(calls)
        none = np.empty(0, dtype=np.int64)
        lay_calls(room, room.size - calls, times, inputs, outputs, random.random(calls), none, mean)
        fleet.serve(room, HOUR_S * (hour + 1))
    seen = fleet.hours[WARM_HOURS:count]
    values = np.array([seen[name].mean() for name in NAMES])
    values[NAMES.index("turned_away")] = seen["turned_away"].sum() / max(seen["arrived"].sum(), 1.0)
    return SteadyHour(values=values, latencies=fleet.latencies)


class FleetLaw:
    """What a fleet does at any rate between two bounds; calls are remembered by the hours they came in.

    Args:
        terms: the fleet.
        least: replicas, without spares.
        most: the same.
        rows: runs whose latencies are kept apart.
    """

    def __init__(self, terms: FleetTerms, least: int, most: int, rows: int) -> None:
        self.terms, self.least, self.most, self.rows = terms, least, most, rows
        up = most + terms.policy.spare if most else 0
        self.room_per_s = up * terms.saturation_per_s
        self.limit_per_s = np.inf if terms.policy.overflow_above else self.room_per_s
        self._weights: dict[int, Array] = {}

    def read(self, rate_per_s: Array) -> dict[str, Array]:
        """Values of NAMES at rates of any shape; `turned_away` is a share, all others are per hour."""
        low, part = self._places(rate_per_s)
        first, last = int(low.min()), int(low.max()) + 1
        needed = set(np.unique(low).tolist())
        needed |= {place + 1 for place in needed}
        table = np.zeros((last - first + 1, len(NAMES)))
        for place in sorted(needed):
            table[place - first] = steady_hour(self.terms, self.least, self.most, place).values
        found = table[low - first] * (1.0 - part[..., None]) + table[low - first + 1] * part[..., None]
        return {name: found[..., column] for column, name in enumerate(NAMES)}

    def remember(self, rate_per_s: Array, calls: Array, rows: NDArray[np.int64]) -> None:
        """Keep that calls of some runs came at rates, (n, hours) each, for `latencies`."""
        low, part = self._places(rate_per_s)
        for place in np.unique(low).tolist():
            inside = (low == place) * calls
            for at, share in ((place, 1.0 - part), (place + 1, part)):
                weight = self._weights.setdefault(at, np.zeros(self.rows))
                weight[rows] += (inside * share).sum(axis=1)

    def latencies(self, row: int) -> Latencies:
        """Of the calls that are remembered of a run."""
        found = Latencies()
        for place, weights in self._weights.items():
            if weights[row] > 0:
                steady = steady_hour(self.terms, self.least, self.most, place).latencies
                found.add(steady, float(weights[row] / max(steady.sums[2, 0], 1.0)))
        return found

    def _places(self, rate_per_s: Array) -> tuple[NDArray[np.int64], Array]:
        """The table's place below each rate, and how far the rate lies beyond it."""
        least = 1.0 / (HOUR_S * MOST_HOURS / LEAST_CALLS)
        rate = np.clip(rate_per_s, least, max(FULL * self.limit_per_s, least) * math.exp(-STEP))
        at = np.log(rate) / STEP
        low = np.floor(at).astype(np.int64)
        return low, at - low
