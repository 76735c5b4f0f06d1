"""The part of the expected engine that lays a fleet over the hours: what runs, what is used, who waits, what it takes.

Every hour of a period has a rate; a table over the logarithm of the rate says what the fleet does in such an hour.
The hours of a period are counted by how far their rate lies above the mean, so the work does not grow with draws.
"""

from __future__ import annotations

import math
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
from simulator.expected.engine_replica import (
    STEP,
    HourLaw,
    Lengths,
    Tables,
    hour_law,
    latency_table,
    policy_of,
    replica_tables,
)
from simulator.expected.scaling import backlog, replicas_running

Array = NDArray[np.float64]
CHUNK = 4096
"""Draws handled at once, so that memory stays small."""
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
        self.rows = self._rows()
        shape = (len(self.rows), span.stop - span.start)
        self.paid, self.used, self.busy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.calls, self.overload, self.overflow = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        groups: dict[Any, list[int]] = {}
        for row, (_, *rest) in enumerate(self.rows):
            groups.setdefault((*map(str, rest), min(row, len(calendar._admitted) - 1)), []).append(row)
        for rows in groups.values():
            self._add(np.array(rows), shape[1])

    def _rows(self) -> list[tuple[float, Lengths, float, float, Any]]:
        """Per draw: attempts a day, lengths, the share of calls spread over the day, the overflow limit, replicas."""
        workload, view, calendar = self.calendar.scenario.workload, self.view, self.calendar
        tokens = workload.tokens
        columns = {
            "calls": workload.calls_per_day,
            "tries": attempts(view.retries.failure_rate, view.retries.max)[0],
            "prefix": view.prefix_tokens,
            "input": tokens.input if view.input_tokens is None else view.input_tokens,
            "output": np.asarray(tokens.output if view.output_tokens is None else view.output_tokens)
            + np.asarray(view.reasoning_tokens),
            "input_cv": tokens.input_cv,
            "output_cv": tokens.output_cv,
            "correlation": tokens.correlation,
            "smooth": np.asarray(workload.deferrable_share) * np.asarray(view.smooths),
            "above": np.nan if self.above is None else self.above,
            "min": view.fleet.replicas.min,
            "max": view.fleet.replicas.max,
            "level": np.zeros(len(calendar._admitted)),
        }
        values = np.broadcast_arrays(*(np.atleast_1d(np.asarray(column, dtype=float)) for column in columns.values()))
        named = dict(zip(columns, values, strict=True))
        found = []
        for row in range(len(values[0])):
            at = {key: float(column[row]) for key, column in named.items()}
            lengths = Lengths(*(at[key] for key in Lengths._fields))
            bounds = Replicas(min=min(at["min"], at["max"]), max=at["max"])
            found.append((at["calls"] * at["tries"], lengths, at["smooth"], at["above"], bounds))
        return found

    def tables(self, row: int) -> Tables:
        """What one replica does with the calls of a draw."""
        return replica_tables(*self._key(row))

    def _key(self, row: int) -> tuple[Any, ...]:
        return (self.serving, self.rows[row][1], self.plain.prefix_caching, int(self.plain.fleet.adapters))

    def _level(self, row: int) -> Array:
        level = self.calendar._admitted
        return np.asarray(level[min(row, len(level) - 1), self.days])

    def hourly(self, row: int) -> Array:
        """Mean calls per second in every hour of the span, (days, 24): deferred calls spread over their day."""
        calls, _, smooth, _, _ = self.rows[row]
        weekday = self.calendar.weekday[self.calendar._rows[self.days]]
        day = calls / 86_400 * self._level(row) * weekday
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
        yield self.rows[row][4], left

    def _add(self, rows: NDArray[np.int64], periods: int) -> None:
        """Add up the hours of draws that differ in nothing but their calls."""
        row = int(rows[0])
        calls, _, _, above, _ = self.rows[row]
        start = np.log(np.maximum([self.rows[one][0] for one in rows], 1e-9))
        with np.errstate(divide="ignore"):
            offsets = np.log(np.maximum(self.hourly(row) / max(calls, 1e-9), 1e-12))
        period = np.repeat(np.arange(periods), np.diff(self.calendar.edges[self.span.start : self.span.stop + 1]))
        demand = self.scenario.workload.demand
        spread = round(float(np.hypot(demand.day_sd, demand.hour_sd)), 9)
        tables = self.tables(row)
        for bounds, inside in self.bounds(row):
            if not inside.any():
                continue
            policy = policy_of(self.plain.fleet, bounds, tables, self.granularity_s)
            position = offsets[inside] / STEP
            low = np.floor(position).astype(np.int64)
            bins = np.arange(low.min(), low.max() + 2)
            when = period[np.nonzero(inside)[0]]
            mass = np.exp(offsets[inside]) * 3600.0
            hours, weighted = (
                _by_bin(low - bins[0], position - low, values, when, (periods, len(bins)))
                for values in (np.ones_like(mass), mass)
            )
            at = start / STEP
            ends = math.floor(at.min()) + bins[0], math.floor(at.max()) + bins[-1] + 1
            first, after = ends[0] // 64 * 64, ends[1] // 64 * 64 + 64
            law = hour_law(policy, spread, first, after, self._key(row), None if np.isnan(above) else above)
            for begin in range(0, len(rows), CHUNK):
                some = slice(begin, begin + CHUNK)
                self._book(rows[some], law, tables, at[some], bins, hours, weighted)

    def _book(
        self, rows: NDArray[np.int64], law: HourLaw, tables: Tables, at: Array, bins: NDArray[np.int64],
        hours: Array, weighted: Array,
    ) -> None:
        """Add the hours of each bin, whose rates lie so far above the mean, to the sums by draw and period."""
        whole = np.floor(at).astype(np.int64)
        low, part = whole[:, None] + bins - law.first, (at - whole)[:, None]
        calls = np.exp(at * STEP)[:, None]

        def read(values: Array) -> Array:
            return np.asarray(values[low] * (1.0 - part) + values[low + 1] * part)

        stays = 1.0 - read(law.overflow)
        self.paid[rows] += read(law.paid) @ hours.T
        self.busy[rows] += read(law.busy) @ hours.T
        self.calls[rows] += calls * weighted.sum(axis=1)
        self.overload[rows] += calls * (read(law.overload) @ weighted.T)
        self.overflow[rows] += calls * (read(law.overflow) @ weighted.T)
        self.used[rows] += calls * ((stays * read(law.served)) @ weighted.T) / tables.saturation_per_s / 3600.0

    def use(self, *, latency: bool) -> FleetUse:
        """The fleet's own account over the span; `latency` asks for mean times and backlogs, which take longer."""
        size = len(self.rows)
        waits, left = np.zeros(size), np.zeros(size)
        times = np.full((3, size), np.nan)
        most = np.array([self.plain.fleet.most * self.tables(row).saturation_per_s for row in range(size)])
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
                room[inside] = (bounds.max + self.plain.fleet.spare) * self.tables(row).saturation_per_s
        return room

    def _carried(self, row: int) -> tuple[float, float]:
        """Longest wait in seconds and calls left at the end, along the mean rate of every hour."""
        room = self._room(row).ravel()
        waiting = backlog(self.hourly(row).ravel(), room)
        return float(np.max(waiting / np.maximum(room, 1e-12))), float(waiting[-1])

    def _latency(self, row: int) -> Array:
        """Mean seconds over the calls of all hours that the fleet can serve, (3,)."""
        rate, total, sums = self.hourly(row), 0.0, np.zeros(3)
        tables = self.tables(row)
        for bounds, inside in self.bounds(row):
            if not inside.any():
                continue
            policy = policy_of(self.plain.fleet, bounds, tables, 0.0)
            hours = rate[inside]
            serving = np.maximum(replicas_running(policy, hours).serving, 1e-9)
            load = hours / serving / tables.saturation_per_s
            count = np.clip(np.round(serving), 1, 2).astype(int)
            for replicas in np.unique(count).tolist():
                chosen = (count == replicas) & (load < 1.0)
                loads, seconds = latency_table(*self._key(row), replicas)
                weight = hours[chosen]
                sums += np.stack([np.interp(load[chosen], loads, values) for values in seconds]) @ weight
                total += float(weight.sum())
        return sums / total if total > 0 else np.full(3, np.nan)


def _by_bin(
    low: NDArray[np.int64], part: Array, values: Array, when: NDArray[np.int64], shape: tuple[int, int]
) -> Array:
    """Values by period and bin, each shared between the two bins it lies between."""
    index = when * shape[1] + low
    size = shape[0] * shape[1]
    sums = np.bincount(index, values * (1.0 - part), minlength=size)
    sums = sums + np.bincount(index + 1, values * part, minlength=size + 1)[:size]
    return np.asarray(sums.reshape(shape))
