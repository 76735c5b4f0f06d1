"""The part of the expected engine that lays a fleet over the hours: what runs, what is used, who waits, what it takes.

The hours of a period are counted by how far their rate lies above the mean; a table over the logarithm of the rate says
what the fleet does in such an hour. Their product, summed, is read for every draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.fleet import Capacity, Replicas
from simulator.domain.options import SelfHosted
from simulator.domain.scenario import Scenario
from simulator.domain.usage import FleetUse
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar
from simulator.expected.engine_hours import REACH, STEP, HourBins, Tally, hour_bins
from simulator.expected.engine_kinds import Windows, by_kind, distinct, reach
from simulator.expected.engine_replica import (
    Lengths,
    Tables,
    hour_law,
    latency_table,
    looks_of,
    many_tables,
    out_of_domain,
    policy_of,
    replica_tables,
)
from simulator.expected.scaling import Looks, backlog, replicas_running

Array = NDArray[np.float64]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class FleetHours:
    """One fleet over the periods of a span, (D, T') each: paid, used and busy replica-hours, and calls by fate."""

    def __init__(
        self,
        scenario: Scenario,
        calendar: Calendar,
        name: str,
        view: Any,
        span: slice,
        overflow_above: Any = None,
    ) -> None:
        """`view` is the option or its drawn view; `overflow_above` the calls in the fleet above which one goes."""
        plain = scenario.options[name]
        assert isinstance(plain, SelfHosted)
        self.scenario, self.calendar, self.plain, self.view, self.span = scenario, calendar, plain, view, span
        self.above = overflow_above
        self.serving = scenario.serving[plain.serving] if isinstance(plain.serving, str) else plain.serving
        terms = scenario.gpu_on(plain.gpu, plain.commitment).terms if plain.gpu is not None else None
        self.granularity_s = float(terms.granularity_s or 0) if terms is not None else 0.0
        first, after = int(calendar.edges[span.start]), int(calendar.edges[span.stop])
        self.days = slice(first, after)
        columns = self._columns()
        self.attempts, self.smooth, self.limit, self.least, self.most = columns[:5]
        size = len(self.attempts)
        kinds, self.kind = distinct(columns[5:])
        alike = kinds.shape[1] == 1
        self.lengths = Lengths(*kinds[:, 0].tolist()) if alike else Lengths(*kinds)
        table = replica_tables if alike else many_tables
        self.tables = table(self.serving, self.lengths, plain.prefix_caching, int(plain.fleet.adapters))
        self._looks: dict[tuple[float, float], Looks | None] = {}
        shape = (size, span.stop - span.start)
        self.paid, self.used, self.busy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.calls, self.overload, self.overflow = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        apart = [self.smooth, self.limit, self.least, self.most, self._like_days(size)]
        if all(np.all(column == column[0]) for column in apart):
            self._add(np.arange(size))
            return
        _, group = np.unique(np.stack(apart), axis=1, return_inverse=True)
        order = np.argsort(group, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
            self._add(rows)

    def _columns(self) -> list[Array]:
        """By draw, (D,): attempts a day, the share of them spread over the day, overflow limit, replicas, lengths."""
        workload, view = self.calendar.scenario.workload, self.view
        tokens = workload.tokens
        output = tokens.output if view.output_tokens is None else view.output_tokens
        columns = (
            workload.calls_per_day * attempts(view.retries.failure_rate, view.retries.max)[0],
            np.asarray(workload.deferrable_share) * np.asarray(view.smooths),
            0.0 if self.above is None else self.above,
            np.minimum(view.fleet.replicas.min, view.fleet.replicas.max),
            view.fleet.replicas.max,
            view.prefix_tokens,
            tokens.input if view.input_tokens is None else view.input_tokens,
            np.asarray(output) + np.asarray(view.reasoning_tokens),
            tokens.input_cv,
            tokens.output_cv,
            tokens.correlation,
            np.zeros(len(self.calendar._admitted)),
        )
        return list(np.broadcast_arrays(*(np.atleast_1d(np.asarray(one, dtype=float)) for one in columns)))[:-1]

    def _like_days(self, size: int) -> NDArray[np.int64]:
        """A number for each draw that is the same where its days rise and fall alike, (D,)."""
        level = self.calendar._admitted
        if len(level) == 1:
            return np.zeros(size, dtype=np.int64)
        known: dict[bytes, int] = {}
        return np.array([known.setdefault(days.tobytes(), len(known)) for days in level[:, self.days]])

    def of_row(self, row: int) -> Tables:
        """What one replica does with the calls of one draw."""
        return replica_tables(*self._key(row))

    def of_call(self, row: int) -> Lengths:
        """The lengths of the calls of one draw."""
        at = int(self.kind[row])
        return self.lengths if np.ndim(self.lengths.input) == 0 else Lengths(*(float(x[at]) for x in self.lengths))

    @property
    def out_of_domain(self) -> bool:
        """Whether what a replica serves at most is a guess, for the calls of the first draw."""
        return out_of_domain(self.of_row(0), self.of_call(0))

    def _key(self, row: int) -> tuple[Any, ...]:
        return (self.serving, self.of_call(row), self.plain.prefix_caching, int(self.plain.fleet.adapters))

    def _level(self, row: int) -> Array:
        level = self.calendar._admitted
        return np.asarray(level[min(row, len(level) - 1), self.days])

    def hourly(self, row: int) -> Array:
        """Mean calls per second in every hour of the span, (days, 24): deferred calls spread over their day."""
        return np.asarray(self.attempts[row] * self._by_hour(row))

    def _by_hour(self, row: int) -> Array:
        """The same for one call a day on the first."""
        smooth = self.smooth[row]
        weekday = self.calendar.weekday[self.calendar._rows[self.days]]
        day = self._level(row) * weekday / 86_400
        return np.asarray(day[:, None] * ((1.0 - smooth) * self.calendar.hours + smooth))

    def bounds(self, row: int) -> Iterator[tuple[Replicas, NDArray[np.bool_]]]:
        """Replicas and the hours, (days, 24), in which they hold: shifts first, then the fleet's own bounds."""
        left = np.ones((self.days.stop - self.days.start, 24), dtype=bool)
        weekdays = self.calendar._rows[self.days]
        for shift in self.plain.fleet.shifts:
            days = np.isin(weekdays, [WEEKDAYS.index(day) for day in shift.weekdays])
            inside = left & days[:, None] & (np.arange(24) >= shift.hours[0]) & (np.arange(24) < shift.hours[1])
            left &= ~inside
            yield shift.replicas, inside
        yield Replicas(min=self.least[row], max=self.most[row]), left

    def _add(self, rows: NDArray[np.int64]) -> None:
        """Add up the hours of draws that differ in nothing but the number and the lengths of their calls."""
        row, periods = int(rows[0]), self.paid.shape[1]
        calls = np.maximum(self.attempts[rows], 1e-9)
        offsets = np.log(np.maximum(self._by_hour(row), 1e-12))
        period = np.repeat(np.arange(periods), np.diff(self.calendar.edges[self.span.start : self.span.stop + 1]))
        demand = self.scenario.workload.demand
        spread = round(float(np.hypot(demand.day_sd, demand.hour_sd)), 9)
        for bounds, inside in self.bounds(row):
            if not inside.any():
                continue
            bins = hour_bins(offsets[inside], period[np.nonzero(inside)[0]], periods, spread)
            at = np.log(calls) / STEP
            for some, kinds, number in by_kind(self.kind[rows], at, bins.hours.spread.shape[1]):
                self._book(rows[some], self.tables.rows(kinds), number, bounds, bins, at[some])

    def _book(
        self,
        rows: NDArray[np.int64],
        tables: Tables,
        number: NDArray[np.int64],
        bounds: Replicas,
        bins: HourBins,
        at: Array,
    ) -> None:
        """Add the hours of each bin to the sums by draw and period.

        `number` is the row of the tables of each draw, `at` the log of its calls a day, in bins. For each length of
        calls the law is tabulated once on the bins of all its draws; its sum over the hours is read between two whole
        positions.
        """
        policy = policy_of(self.plain.fleet, bounds, tables, self.granularity_s, self._looks_of(bounds))
        width, whole = bins.hours.spread.shape[1], np.floor(at).astype(np.int64)
        start, span = reach(number, whole)
        rate = np.exp((start[:, None] + bins.first + np.arange(width + int(span.max()) + 1)) * STEP)
        above = None if self.above is None else float(self.limit[rows[0]])
        law = hour_law(policy, tables, rate, above)
        part, low = (at - whole)[:, None], whole - start[number]
        found = Windows(number, low)

        def summed(values: Array, tally: Tally) -> Array:
            """The sum over the hours, (D, T), between the whole positions below and above."""
            below, above = found.summed(values, tally)
            return np.asarray(below * (1.0 - part) + above * part)

        calls = np.exp(at * STEP)[:, None]
        self.paid[rows] += summed(law.paid, bins.hours)
        self.busy[rows] += summed(law.busy, bins.hours)
        self.calls[rows] += calls * bins.calls.spread.sum(axis=1)
        self.overload[rows] += calls * summed(law.overload, bins.calls)
        self.overflow[rows] += calls * summed(law.overflow, bins.calls)
        self.used[rows] += calls * summed(law.served, bins.calls) / tables.saturation_per_s[number, None] / 3600.0

    def _looks_of(self, bounds: Replicas) -> Looks | None:
        """How the autoscaler sees the fleet within bounds, for some of all lengths that are drawn."""
        key = (bounds.min, bounds.max)
        if key not in self._looks:
            most = np.zeros(len(self.tables.saturation_per_s))
            np.maximum.at(most, self.kind, self.attempts)
            self._looks[key] = looks_of(self.plain.fleet, bounds, self.tables, most * self._highest())
        return self._looks[key]

    def _highest(self) -> float:
        """The highest rate of any hour for one call a day on the first, its spread included."""
        calendar, demand = self.calendar, self.scenario.workload.demand
        peak = float(calendar._admitted[:, self.days].max() * calendar.weekday.max() * calendar.hours.max())
        return max(peak, 1.0) / 86_400 * float(np.exp(REACH * np.hypot(demand.day_sd, demand.hour_sd)))

    def use(self, *, latency: bool) -> FleetUse:
        """The fleet's own account over the span; `latency` asks for mean times and backlogs, which take longer."""
        size = len(self.attempts)
        waits, left = np.zeros(size), np.zeros(size)
        times = np.full((3, size), np.nan)
        most = self.plain.fleet.most * self.tables.saturation_per_s[self.kind]
        for row in range(size) if latency and self.above is None else ():
            waits[row], left[row] = self._carried(row)
        if latency and not isinstance(self.serving, Capacity):
            for row in range(size):
                times[:, row] = self._latency(row)
        return FleetUse(
            paid_hours=self.paid.sum(axis=1),
            used_hours=self.used.sum(axis=1),
            busy_hours=np.minimum(self.busy, self.paid).sum(axis=1),
            calls=self.calls.sum(axis=1),
            overload_calls=self.overload.sum(axis=1),
            overflow_calls=self.overflow.sum(axis=1),
            most_per_s=most,
            backlog_s=waits,
            end_backlog_calls=left,
            ttft_s=times[0],
            tpot_s=times[1],
            e2e_s=times[2],
        )

    def _room(self, row: int) -> Array:
        """What the fleet can serve in every hour, calls per second."""
        room = np.zeros((self.days.stop - self.days.start, 24))
        for bounds, inside in self.bounds(row):
            if bounds.max:
                room[inside] = (bounds.max + self.plain.fleet.spare) * float(self.of_row(row).saturation_per_s[0])
        return room

    def _carried(self, row: int) -> tuple[float, float]:
        """Longest wait in seconds and calls left at the end, along the mean rate of every hour."""
        room = self._room(row).ravel()
        waiting = backlog(self.hourly(row).ravel(), room)
        return float(np.max(waiting / np.maximum(room, 1e-12))), float(waiting[-1])

    def _latency(self, row: int) -> Array:
        """Mean seconds over the calls of all hours that the fleet can serve, (3,)."""
        rate, total, sums = self.hourly(row), 0.0, np.zeros(3)
        tables = self.of_row(row)
        saturation, key = float(tables.saturation_per_s[0]), self._key(row)
        for bounds, inside in self.bounds(row):
            if not inside.any():
                continue
            policy = policy_of(self.plain.fleet, bounds, tables, 0.0)
            hours = rate[inside]
            serving = np.maximum(replicas_running(policy, hours[None]).serving[0], 1e-9)
            load = hours / serving / saturation
            count = np.clip(np.round(serving), 1, 2).astype(int)
            for replicas in np.unique(count).tolist():
                chosen = (count == replicas) & (load < 1.0)
                loads, seconds = latency_table(*key, replicas)
                weight = hours[chosen]
                sums += np.stack([np.interp(load[chosen], loads, values) for values in seconds]) @ weight
                total += float(weight.sum())
        return sums / total if total > 0 else np.full(3, np.nan)
