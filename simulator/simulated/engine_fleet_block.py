"""The part of the simulated engine in which a fleet serves hourly totals, for all runs of a block at once.

Rates are those that happened; what a fleet does at them is read off the kernel's table (`engine_fleet_law.py`). Calls
beyond its room wait for the next hour (fluid), and replicas an hour no longer needs are paid for the down window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn
from simulator.domain.scenario import Scenario
from simulator.simulated.calls import try_calls
from simulator.simulated.engine_fleet import FleetTerms
from simulator.simulated.engine_fleet_law import NAMES, FleetLaw
from simulator.simulated.engine_played import Played
from simulator.simulated.engine_tokens import Outcome, Streams
from simulator.simulated.slots import HOUR, HOUR_S

Array = NDArray[np.float64]


class FleetBlock:
    """The fleet of an option over a block of runs.

    Args:
        scenario: dates and shifts.
        view: the scenario with drawn dials as arrays (rows,).
        name: the option.
        rows: runs.
    """

    def __init__(self, scenario: Scenario, view: Any, name: str, rows: int) -> None:
        self.scenario, self.view, self.name, self.rows = scenario, view, name, rows
        self.groups = _groups(scenario, view, name, rows)
        self.laws: dict[tuple[FleetTerms, int, int], FleetLaw] = {}
        self.backlog = np.zeros(rows)
        self.serving = np.full(rows, np.nan)
        self.overflow_share = np.zeros((rows, 24))

    def serve(
        self, played: Played, day: int, on_duty: Array, calls: Array, rates: Array, present: Array, streams: Streams
    ) -> Outcome:
        """Serve a day's calls and book what it took.

        Args:
            played: where it is booked.
            day: the column.
            on_duty: 1 for runs in which the fleet serves that day, else 0, (rows,).
            calls: by hour, (rows, 24).
            rates: mean calls per second of the workload by hour, (rows, 24).
            present: share of each hour in which the fleet is asked, (rows, 24) or (rows, 1).
            streams: today's randomness.
        """
        retries = self.view.options[self.groups[0][0].option].retries
        day_calls = calls.sum(axis=1)
        done = try_calls(
            streams("retries", 0), day_calls[None, :], np.asarray(retries.failure_rate), int(np.max(retries.max)), True
        )
        tries = np.divide(done.billed[0], day_calls, out=np.ones_like(day_calls), where=day_calls > 0)
        attempts = calls * tries[:, None]
        hours = {name: np.zeros((self.rows, 24)) for name in HOUR.names or ()}
        hours["arrived"] = attempts
        saturation = np.ones(self.rows)
        asked = np.broadcast_to(present, (self.rows, 24)) > 0
        for terms, rows in self.groups:
            saturation[rows] = terms.saturation_per_s
            level = rates[rows] * np.broadcast_to(present, (self.rows, 24))[rows] * tries[rows, None]
            level = (1.0 - terms.smooth) * level + terms.smooth * level.mean(axis=1, keepdims=True)
            self._group(played, terms, rows, day, level, attempts, hours, asked)
        played.fleet.add(
            played.tally, self.scenario, self.view, self.groups[0][0].option, day, hours, saturation, on_duty
        )
        played.fleet.sums["calls"] += attempts.sum(axis=1)
        self.overflow_share = hours["turned_away"] / np.maximum(attempts, 1e-300)
        none = np.zeros_like(calls)
        return Outcome(delivered=done.delivered[0], eligible=none, hits=none)

    def _group(
        self, played: Played, terms: FleetTerms, rows: NDArray[np.int64], day: int, level: Array, attempts: Array,
        hours: dict[str, Array], asked: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """The hours of the runs that have one fleet."""
        bounds = terms.bounds(self.scenario, day, day + 1)
        policy = terms.policy
        came = attempts[rows]
        if policy.overflow_above == 0 and terms.smooth > 0:  # deferred calls come at other hours than they were made
            came = level * HOUR_S
        kinds = np.stack([bounds.least, bounds.most])
        room, scales = np.zeros(24), bounds.least < bounds.most
        for least, most in np.unique(kinds, axis=1).T.tolist():
            law, inside = self._law(terms, least, most), (kinds[0] == least) & (kinds[1] == most)
            room[inside] = law.room_per_s
            found, on = law.read(level[:, inside]), asked[np.ix_(rows, inside)]
            for name in NAMES:
                hours[name][np.ix_(rows, inside)] = np.where(on, found[name], 0.0)
            law.remember(
                level[:, inside], np.where(on & (level[:, inside] < law.limit_per_s), came[:, inside], 0.0), rows
            )
        hours["turned_away"][rows] *= attempts[rows]
        limit = np.inf if policy.overflow_above else room
        over = asked[rows] & (level >= limit)
        played.fleet.sums["overload_calls"][rows] += np.where(over, came, 0.0).sum(axis=1)
        most_per_s = played.fleet.sums["most_per_s"]
        most_per_s[rows] = np.maximum(most_per_s[rows], terms.most_per_s)
        hours["finished"][rows] = came - (hours["turned_away"][rows] if policy.overflow_above else 0.0)
        if over.any() or self.backlog[rows].any():
            self._carry(played, rows, hours, over, room * HOUR_S, room / terms.saturation_per_s)
        self._keep(rows, hours, asked, scales * float(min(policy.down_window_s, HOUR_S)))

    def _carry(
        self, played: Played, rows: NDArray[np.int64], hours: dict[str, Array], over: NDArray[np.bool_], room: Array,
        replicas: Array,
    ) -> None:  # fmt: skip
        """Let calls beyond the room of an hour wait for the next; the fleet is full until they are served."""
        wait = played.fleet.sums["backlog_s"]
        for hour in range(24):
            due = self.backlog[rows] + hours["finished"][rows, hour]
            finished = np.minimum(due, np.where(over[:, hour] | (self.backlog[rows] > 0), room[hour], np.inf))
            hours["finished"][rows, hour] = finished
            self.backlog[rows] = due - finished
            full = over[:, hour] | (self.backlog[rows] > 0)
            for name in ("paid_s", "up_s", "busy_s"):
                hours[name][rows, hour] = np.where(full, replicas[hour] * HOUR_S, hours[name][rows, hour])
            hours["queue_s"][rows, hour] += self.backlog[rows] * HOUR_S
            seconds = self.backlog[rows] / max(room[hour], 1e-12) * HOUR_S
            wait[rows] = np.maximum(wait[rows], seconds)

    def _keep(self, rows: NDArray[np.int64], hours: dict[str, Array], asked: NDArray[np.bool_], kept_s: Any) -> None:
        """Pay for replicas that the hour no longer needs, until the down window is over."""
        up = np.where(asked[rows], hours["up_s"][rows] / HOUR_S, np.nan)
        before = np.concatenate([self.serving[rows, None], up[:, :-1]], axis=1)
        kept = np.maximum(np.nan_to_num(before - up), 0.0) * kept_s
        hours["paid_s"][rows] += kept
        hours["up_s"][rows] += kept
        self.serving[rows] = up[:, -1]

    def share_at(self, day: int, rates: Array) -> Array:
        """Share of the calls that overflow at rates of the day and of the hours before it, (rows, hours)."""
        found = np.zeros_like(rates)
        for terms, rows in self.groups:
            bounds = terms.bounds(self.scenario, day, day + 1)
            law = self._law(terms, int(bounds.least[-1]), int(bounds.most[-1]))
            found[rows] = law.read(rates[rows])["turned_away"]
        return found

    def close(self, played: Played) -> None:
        """Put the latencies and what is left unserved into the account."""
        played.fleet.sums["end_backlog_calls"] += self.backlog
        for law in self.laws.values():
            for row in range(self.rows):
                played.fleet.latencies[row].add(law.latencies(row))

    def _law(self, terms: FleetTerms, least: int, most: int) -> FleetLaw:
        key = (terms, least, most)
        if key not in self.laws:
            self.laws[key] = FleetLaw(terms, least, most, self.rows)
        return self.laws[key]


def _groups(scenario: Scenario, view: Any, name: str, rows: int) -> list[tuple[FleetTerms, NDArray[np.int64]]]:
    """The runs by the fleet they have."""
    if not isinstance(view, Drawn):
        return [(FleetTerms.of(scenario, view, name), np.arange(rows))]
    found: dict[FleetTerms, list[int]] = {}
    for row in range(rows):
        found.setdefault(FleetTerms.of(scenario, view.row(row), name), []).append(row)
    return [(terms, np.array(at)) for terms, at in found.items()]
