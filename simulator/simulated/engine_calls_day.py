"""The part of the simulated engine that holds one day of one run, call by call: who serves, and what was counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.scenario import Scenario
from simulator.simulated.engine_control import Duty
from simulator.simulated.engine_fleet_served import FleetDay, FleetServer
from simulator.simulated.engine_served import CallServer
from simulator.simulated.resampled import relative

Array = NDArray[np.float64]
DAY_S = 86_400.0
NS_PER_S = 1e9


class Hours:
    """An hour's calls, in arrays that a worker uses again and again."""

    def __init__(self) -> None:
        self.times, self.inputs, self.outputs, self.chances = np.zeros((4, 0))

    def reserve(self, calls: int) -> None:
        """Make room for so many calls."""
        if len(self.times) < calls:
            self.times, self.inputs, self.outputs, self.chances = np.zeros((4, calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Calls of a log: lengths relative to their means, and when they came (none where only lengths are drawn)."""

    inputs: Array
    outputs: Array
    times: Array

    @classmethod
    def of(cls, scenario: Scenario, view: Any) -> Log | None:
        """The log of a scenario; None where demand and lengths are typed.

        Raises:
            InputError: another number of calls is asked of a log that is played as recorded.
        """
        recorded = scenario.recorded
        if recorded is None:
            return None
        replayed = scenario.replayed
        asked = float(np.ravel(view.workload.calls_per_day)[0])
        if replayed is not None and not math.isclose(asked, replayed.calls_per_day, rel_tol=1e-9):
            raise InputError(
                f"workload.calls_per_day is {asked:g}; the log that is replayed has {replayed.calls_per_day:g} a day, "
                "so ask the expected engine, or draw from the log by workload.tokens.trace"
            )
        times = np.zeros(0) if replayed is None else replayed.stamps / NS_PER_S
        return cls(inputs=relative(recorded.inputs), outputs=relative(recorded.outputs), times=times)

    def play(self, day: int, hour: int, hours: Hours, lengths: np.random.Generator) -> int:
        """Copy the calls of an hour; by the chances lengths that are scaled become whole tokens."""
        begin = DAY_S * day + 3600.0 * hour
        first, after = np.searchsorted(self.times, (begin, begin + 3600.0))
        count = int(after - first)
        hours.reserve(count)
        for column, values in ((hours.times, self.times), (hours.inputs, self.inputs), (hours.outputs, self.outputs)):
            column[:count] = values[first:after]
        hours.chances[:count] = lengths.random(count)
        return count


@dataclass(slots=True)
class Post:
    """A server on a day: on duty, called again for a share, or standing in while the other is away.

    A fleet has no `server`; a hybrid has both, and its server takes what overflows.
    """

    duty: Duty
    kind: Literal["duty", "again", "away"]
    generator: np.random.Generator
    server: CallServer | None = None
    flows: NDArray[np.int64] | None = None
    counts: Array | None = None
    open_s: Array | None = None
    fleet: FleetServer | None = None
    tried: np.random.Generator | None = None
    of_fleet: FleetDay | None = None

    def serve(self, columns: list[Array], end_s: float) -> None:
        """Serve an hour's calls: times, and relative inputs, outputs and chances of rounding."""
        if self.fleet is None or self.of_fleet is None or self.tried is None:
            self._hosted(columns)
        elif self.fleet.terms.smooth > 0:
            self.of_fleet.kept.append(tuple(column.copy() for column in columns))
        else:
            away = self.fleet.serve_hour(self.tried, self.of_fleet, tuple(columns), end_s)
            if self.server is not None:
                self._hosted([column[away] for column in columns])

    def close(self, day: int) -> None:
        """Serve what was kept for any hour of the day, and note its hours."""
        if self.fleet is None or self.of_fleet is None or self.tried is None:
            return
        if self.of_fleet.kept:
            moved, away = self.fleet.serve_day(self.tried, self.of_fleet, day)
            if self.server is not None:
                self._hosted([column[away] for column in moved])
        self.fleet.close_day(self.of_fleet, day)

    def _hosted(self, columns: list[Array]) -> None:
        if self.server is None or self.flows is None or self.counts is None or self.open_s is None:
            return
        times, inputs, outputs, chances = columns
        self.server.serve(self.generator, times, inputs, outputs, chances, self.flows, self.counts, self.open_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Arrivals of a day and what became of them."""

    day: int
    calls: float
    peak_per_s: float
    posts: list[Post]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Days played one after the other, and how the servers stand at their end."""

    days: list[Day]
    servers: dict[tuple[Any, ...], CallServer]
    fleets: dict[str, FleetServer]
