"""The part of the simulated engine in which a fleet serves a day call by call, and tells what its hours were."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.scenario import Scenario
from simulator.simulated.autoscaled import LIVES, AutoscaledFleet
from simulator.simulated.each_fleet_call import lay_calls, spread_over_day, try_each
from simulator.simulated.engine_fleet import COUNTED, FleetTerms
from simulator.simulated.latencies import Latencies
from simulator.simulated.slots import HOUR_S
from simulator.simulated.streams import stream

Array = NDArray[np.float64]
ONCE = np.empty(0, dtype=np.int64)
STALE_S = 300.0
"""A call that waits so long for its first token is a backlog, not the queue of a busy moment."""


@dataclass(slots=True)
class FleetDay:
    """A day of a fleet: calls, and by hour its records of HOUR, (24,)."""

    calls: float = 0.0
    delivered: float = 0.0
    attempts: float = 0.0
    overflow: float = 0.0
    overloaded: float = 0.0
    backlog_s: float = 0.0
    hours: Any = None
    kept: list[tuple[Array, ...]] = field(default_factory=list)


class FleetServer:
    """The fleet of an option in a segment of one run; what it saw before `counted_from` only warms it.

    Args:
        scenario: dates and shifts.
        terms: the fleet.
        first: its first day here.
        after: the day after its last.
        counted_from: first day whose calls are kept.
        seed: of the simulation.
        run: number of the run.
    """

    def __init__(
        self, scenario: Scenario, terms: FleetTerms, first: int, after: int, counted_from: int, seed: int, run: int
    ) -> None:
        self.terms, self.first, self.seed, self.run = terms, first, seed, run
        self.bounds = terms.bounds(scenario, first, after)
        lives: Array = np.ones(1)
        if terms.policy.losses_per_s > 0:
            lives = stream(seed, "spot", first, run).exponential(size=LIVES)
        self.fleet = AutoscaledFleet(terms.engine, terms.policy, self.bounds, lives, self._limits())
        self.warm_hours = 24 * max(counted_from - first, 0)
        self.fleet.overloaded[: self.warm_hours] = True
        self.shed, self._preempted = 0.0, 0

    def _limits(self) -> Array:
        """Calls a second from which on an hour is beyond the fleet; there is none where calls overflow."""
        room = self.terms.room_per_s(self.bounds)
        return np.full(room.shape, np.inf) if self.terms.policy.overflow_above else room

    def continued(self, scenario: Scenario, first: int, after: int) -> FleetServer:
        """The fleet as it stands at the end of its last day, for the days that follow."""
        other = object.__new__(FleetServer)
        other.terms, other.first, other.seed, other.run = self.terms, first, self.seed, self.run
        other.bounds = self.terms.bounds(scenario, first, after)
        other.fleet = self.fleet.continued(other.bounds, other._limits())
        other.shed, other.warm_hours, other._preempted = self.shed, 0, self.fleet.preemptions
        return other

    @property
    def latencies(self) -> Latencies:
        """Of the calls of the days that are kept, but those of hours beyond what the fleet can serve."""
        return self.fleet.latencies

    @property
    def preemptions(self) -> int:
        """Calls sent back for want of KV blocks on the days that are kept."""
        return self.fleet.preemptions - self._preempted

    @property
    def left(self) -> float:
        """Calls that nobody has begun to serve by now, if there is a backlog at all; those shed are among them."""
        return self.shed + (self.fleet.waiting if self.behind else 0.0)

    @property
    def behind(self) -> bool:
        """Whether it ends with a backlog."""
        return self.shed > 0 or self.fleet.now_s - self.fleet.oldest_s > STALE_S

    def serve_hour(
        self, generator: np.random.Generator, day: FleetDay, columns: tuple[Array, ...], end_s: float
    ) -> NDArray[np.bool_]:
        """Serve an hour's calls; says which of them find too many others and go elsewhere, (N,).

        Args:
            generator: of what befalls the calls today.
            day: where they are counted.
            columns: times, and relative inputs, outputs and chances of rounding, (N,) each.
            end_s: end of the hour.
        """
        times, inputs, outputs, chances = columns
        terms, tries, delivered = self.terms, ONCE, times.size
        if terms.failure_rate > 0:
            tries, delivered = try_each(generator, times.size, terms.failure_rate, terms.retries)
        attempts = int(tries.sum()) if tries.size else times.size
        calls = self.fleet.room_for(attempts)
        load = terms.load
        mean = np.array([load.fixed, load.input, load.output, COUNTED[load.counted]])
        first = calls.size - attempts
        lay_calls(calls, first, times, inputs, outputs, chances, tries, mean)
        hour = self.fleet.hour
        before = self.fleet.shed
        if hour == self.warm_hours:
            self._preempted = self.fleet.preemptions
        away = self.fleet.serve(calls, end_s)
        if hour >= self.warm_hours:
            self.shed += float(self.fleet.shed - before)
        if tries.size:
            away = away[np.cumsum(tries) - tries]  # a call goes where its first attempt goes
        room = max(float(self.terms.room_per_s(self.bounds)[hour]), 1e-12)
        day.calls += times.size
        day.delivered += delivered
        day.attempts += attempts
        day.overflow += float(np.count_nonzero(away))
        day.overloaded += attempts if self.fleet.overloaded[self.fleet.earlier + hour] else 0
        if self.behind:
            day.backlog_s = max(day.backlog_s, (self.fleet.waiting + self.shed) / room)
        return away

    def serve_day(
        self, generator: np.random.Generator, day: FleetDay, number: int
    ) -> tuple[tuple[Array, ...], NDArray[np.bool_]]:
        """Serve calls kept of a whole day, of which some may come at any hour; the calls as they came, and who left."""
        columns = [np.concatenate(parts) for parts in zip(*day.kept, strict=True)]
        day.kept.clear()
        midnight = 86_400.0 * number
        times, order = spread_over_day(generator, columns[0], self.terms.smooth, midnight)
        moved = (times, *(column[order] for column in columns[1:]))
        edges = midnight + HOUR_S * np.arange(25)
        cuts = np.searchsorted(times, edges)
        cuts[0], cuts[-1] = 0, times.size
        away = [
            self.serve_hour(generator, day, tuple(column[begin:end] for column in moved), edges[hour + 1])
            for hour, (begin, end) in enumerate(itertools.pairwise(cuts))
        ]
        return moved, np.concatenate(away)

    def close_day(self, day: FleetDay, number: int) -> None:
        """Note the hours of a day that is over."""
        begin = 24 * (number - self.first)
        day.hours = self.fleet.hours[begin : begin + 24].copy()
