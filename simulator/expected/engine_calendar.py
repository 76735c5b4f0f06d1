"""The part of the expected engine that lays demand over days: calls, hit shares and price windows by period."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pricing.table import WindowRates
from simulator.domain.scenario import Scenario
from simulator.domain.shapes import week_shape
from simulator.expected.caching import CacheWeek, Noise, hit_table, span_table
from simulator.expected.calls import (
    capped_share,
    event_factors,
    growth_at,
    growth_by_day,
    growth_rate,
    window_hours,
)
from simulator.expected.engine_log import LogLengths, whole_log

Array = NDArray[np.float64]
CHUNK = 256
"""Draws handled at once where growth differs by draw, so that what they need stays in a processor's cache."""
MANY = 64
"""Draws of growth beyond which hit shares are interpolated between some rates of growth."""
GROWTH_CELL, GROWTH_NODES = 4e-4, 13
"""Cells, in log-growth an hour (34 % a month), that do not depend on what is drawn, and nodes in each."""


def utc_offset_h(start: date, timezone: str, day: int) -> float:
    """Local time minus UTC at noon of a day, in hours."""
    noon = datetime.combine(start + timedelta(days=day), time(12), ZoneInfo(timezone)).utcoffset()
    return noon.total_seconds() / 3600 if noon else 0.0


@functools.lru_cache(maxsize=256)
def clock_changes(start: date, timezone: str, first: int, after: int) -> tuple[int, ...]:
    """Days within (first, after) on which the clocks are not what they were the day before.

    >>> clock_changes(date(2027, 3, 1), "Europe/Berlin", 0, 60)
    (27,)
    """
    offsets = [utc_offset_h(start, timezone, day) for day in range(first, after)]
    return tuple(first + 1 + at for at, (one, two) in enumerate(itertools.pairwise(offsets)) if one != two)


class Calendar:
    """Calls (D, T) of a scenario over periods, and what depends on when they come.

    Args:
        scenario: the scenario itself: its dates and shapes.
        view: the same, with drawn dials as arrays.
        edges: day numbers (T+1,) that bound the periods.
    """

    def __init__(self, scenario: Scenario, view: Any, edges: NDArray[np.int64]) -> None:
        self.scenario: Any = view
        self.edges = edges
        self._start = scenario.start
        self._timezone = scenario.workload.timezone
        demand, days = scenario.workload.demand, int(edges[-1])
        self.weekday, self.hours = week_shape(demand.weekday, demand.hours)
        self._first_weekday = scenario.start.weekday()
        self._rows = (self._first_weekday + np.arange(days)) % 7
        events = [
            (scenario.day_index(event.from_), scenario.day_index(event.to), event.factor)
            for event in scenario.workload.events
        ]
        self._growth = np.atleast_1d(growth_rate(view.workload.growth_per_month, view.hours_per_month))
        self._events = event_factors(days, events)
        self._level = growth_by_day(view.workload.growth_per_month, days, view.hours_per_month) * self._events
        burst = demand.burst
        self._noise = Noise(
            day_sd=demand.day_sd,
            day_lag1=demand.day_lag1,
            hour_sd=demand.hour_sd,
            hour_lag1=demand.hour_lag1,
            burst=(burst.ratio, burst.on_share, burst.mean_on_s) if burst else None,
        )
        self._admitted = self._level * self._under_cap()
        self._by_day = self._admitted * self.weekday[self._rows]
        self.calls = self.column(view.workload.calls_per_day) * self._sum(self._by_day)

    def column(self, value: Any) -> Array:
        """A scalar as (1, 1), draws as (D, 1): ready to broadcast over periods."""
        array = np.asarray(value, dtype=float)
        return array.reshape(-1, 1) if array.ndim < 2 else array

    @property
    def days(self) -> Array:
        """Length of every period in days, (1, T)."""
        return np.diff(self.edges).astype(float)[None, :]

    @property
    def peak_per_s(self) -> Array:
        """Expected rate of the busiest hour of the horizon in calls per second, (D,)."""
        busiest = (self._level * self.weekday[self._rows]).max(axis=1, keepdims=True) * self.hours.max()
        rate = self.column(self.scenario.workload.calls_per_day) * busiest / 86_400
        cap = self.scenario.workload.cap_per_s
        peak: Array = (rate if cap is None else np.minimum(rate, cap))[:, 0]
        return peak

    def lengths(self, span: slice) -> LogLengths:
        """Where the lengths of the calls of `span` come from, if from a log."""
        recorded = self.scenario.recorded
        return LogLengths() if recorded is None else whole_log(recorded)

    def hit_share(
        self,
        ttl_s: float,
        refresh: bool,
        arriving: Array,
        mask: tuple[float, ...] | None,
        span: slice,
        by_time: bool = False,
    ) -> Array:
        """Share of calls that hit by period of `span`, (D, T'), or `by_time` the share of time a cache lives.

        `arriving` is the share of calls that one cache sees.
        """
        week = CacheWeek(
            ttl_s=ttl_s,
            weekday=tuple(self.weekday.tolist()),
            hours=tuple(self.hours.tolist()),
            noise=self._noise,
            refresh=refresh,
            mask=mask,
            by_time=by_time,
        )
        rate = self.column(self.scenario.workload.calls_per_day) / 86_400 * arriving
        start = np.log(np.maximum(rate, 1e-300))
        first, after = int(self.edges[span.start]), int(self.edges[span.stop])
        rows = self._rows[first:after]
        level = np.log(np.maximum(self._admitted[:, first:after], 1e-300))
        weights = np.ones((1, after - first)) if by_time else self._by_day[:, first:after]
        weights = weights * (1.0 if mask is None else self._inside(mask)[rows])
        inner = self.edges[span.start : span.stop + 1] - first
        if len(inner) - 1 == after - first:
            return hit_table(week)(start + level, rows)
        if len(level) == 1 and len(weights) == 1:
            shares = [
                span_table(week, int(rows[a]), tuple(level[0, a:b].tolist()), tuple(weights[0, a:b].tolist()))(
                    start[:, 0]
                )
                for a, b in itertools.pairwise(inner.tolist())
            ]
            return np.stack(shares, axis=1)
        if self.scenario.workload.cap_per_s is None and len(level) > MANY:
            return self._over_growth(week, start[:, 0], rows, inner, first, after, mask)
        return self._by_draw(week, start, level, weights, rows, inner)

    def windows(
        self, windows: Sequence[WindowRates], span: slice
    ) -> Iterator[tuple[int | None, Any, tuple[float, ...] | None]]:
        """Each daily price window of a version: its number (None: outside all), its part of the calls, its hours.

        Within `span` the clocks must not change (see `clock_changes`).
        """
        if not windows:
            yield None, 1.0, None
            return
        rest_mask, rest_part = np.ones((7, 24)), np.ones((1, span.stop - span.start))
        offset = utc_offset_h(self._start, self._timezone, int(self.edges[span.start]))
        for number, window in enumerate(windows):
            mask = window_hours(window.hours, window.weekdays, offset)
            parts = []
            for first, after in itertools.pairwise(self.edges[span.start : span.stop + 1].tolist()):
                calls = self._by_day[:, first:after]
                inside = (calls * self._inside(mask)[self._rows[first:after]]).sum(axis=1)
                parts.append(inside / np.maximum(calls.sum(axis=1), 1e-300))
            part = np.stack(parts, axis=1)
            rest_mask, rest_part = rest_mask - mask, rest_part - part
            yield number, part, tuple(mask.ravel().tolist())
        yield None, rest_part, tuple(np.clip(rest_mask, 0, 1).ravel().tolist())

    def _under_cap(self) -> Array | float:
        """Share of calls under the cap, (D, days)."""
        cap = self.scenario.workload.cap_per_s
        if cap is None:
            return 1.0
        demand = self.scenario.workload.demand
        spread = np.hypot(demand.day_sd, demand.hour_sd)
        mean = self.column(self.scenario.workload.calls_per_day) / 86_400 * self._level * self.weekday[self._rows]
        rates, limit = mean[:, :, None] * self.hours, np.asarray(cap).reshape(-1, 1, 1)
        admitted = np.zeros(())
        for factor, lasting in self._burst_states():
            admitted = admitted + lasting * factor * capped_share(rates * factor, limit, spread)
        share: Array = (admitted * self.hours).mean(axis=2)
        return share

    def _burst_states(self) -> list[tuple[float, float]]:
        """Relative rate and share of time of each state of the bursts; one state without them."""
        if self._noise.burst is None:
            return [(1.0, 1.0)]
        ratio, on_share, _ = self._noise.burst
        off = 1.0 / (ratio * on_share + 1.0 - on_share)
        return [(ratio * off, on_share), (off, 1.0 - on_share)]

    def _inside(self, mask: Any) -> Array:
        """Part of the calls of each day of the week that falls into the masked hours, (7,)."""
        part: Array = (np.asarray(mask).reshape(7, 24) * self.hours).mean(axis=1)
        return part

    def _sum(self, by_day: Array) -> Array:
        return by_day if len(self.edges) - 1 == by_day.shape[1] else np.add.reduceat(by_day, self.edges[:-1], axis=1)

    def _by_draw(
        self,
        week: CacheWeek,
        start: Array,
        level: Array,
        weights: Array,
        rows: NDArray[np.int64],
        inner: NDArray[np.int64],
    ) -> Array:
        table, draws = hit_table(week), max(len(start), len(level), len(weights))
        pieces = []
        for begin in range(0, draws, CHUNK):
            part = [x if len(x) == 1 else x[begin : begin + CHUNK] for x in (start, level, weights)]
            weighted = table(part[0] + part[1], rows) * part[2]
            total = np.broadcast_to(part[2], weighted.shape)
            sums = (np.add.reduceat(x, inner[:-1], axis=1) for x in (weighted, total))
            pieces.append(np.divide(*sums))
        return np.concatenate(pieces)

    def _over_growth(
        self,
        week: CacheWeek,
        start: Array,
        rows: NDArray[np.int64],
        inner: NDArray[np.int64],
        first: int,
        after: int,
        mask: tuple[float, ...] | None,
    ) -> Array:
        """Hit shares where only growth differs by draw: exact at some growth rates, interpolated between.

        The share over a span is a smooth function of the rate of growth, so that barycentric interpolation at
        Chebyshev points (Berrut and Trefethen, Barycentric Lagrange interpolation, 2004) is within
        3e-8 of the direct sum even from -10 to +40 % a month.
        """
        growth = np.broadcast_to(self._growth, (max(len(self._growth), len(start)),))
        start = np.broadcast_to(start, growth.shape)
        shares = np.zeros((len(growth), len(inner) - 1))
        admitted = self.weekday[rows] * (1.0 if mask is None else self._inside(mask)[rows])
        turns = np.arange(GROWTH_NODES)
        signs = np.where(turns % 2, -1.0, 1.0) * np.where((turns == 0) | (turns == GROWTH_NODES - 1), 0.5, 1.0)
        cells = np.floor(growth / GROWTH_CELL)
        for cell in np.unique(cells).tolist():
            there = np.flatnonzero(cells == cell)
            nodes = GROWTH_CELL * (cell + 0.5 + 0.5 * np.cos(np.pi * turns / (GROWTH_NODES - 1)))
            apart = growth[there, None] - nodes
            hit = apart == 0
            parts = np.where(hit.any(axis=1)[:, None], hit, signs / np.where(hit, 1.0, apart))
            parts /= parts.sum(axis=1, keepdims=True)
            for node, part in zip(nodes.tolist(), parts.T, strict=True):
                level = growth_at(node, after)[0, first:after] * self._events[first:after]
                weights = level * admitted
                log_level = np.log(np.maximum(level, 1e-300))
                for period, (a, b) in enumerate(itertools.pairwise(inner.tolist())):
                    table = span_table(week, int(rows[a]), tuple(log_level[a:b].tolist()), tuple(weights[a:b].tolist()))
                    shares[there, period] += part * table(start[there])
        return shares
