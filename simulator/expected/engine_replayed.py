"""The part of the expected engine that replays a log: its calls by day, its lengths, its cache hits.

Class *exact* at the number of calls recorded, but for the lengths of calls in a daily price window, which are taken
to be those of the period. A dial that asks for more or fewer calls thins the log, or packs it (*approximate*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.table import WindowRates
from simulator.domain.recorded import NS_PER_DAY
from simulator.domain.scenario import Scenario
from simulator.expected.calls import window_hours
from simulator.expected.engine_calendar import Calendar, utc_offset_h
from simulator.expected.engine_log import LogLengths, log_by_period
from simulator.expected.replayed import alive_at_calls, alive_by_period

Array = NDArray[np.float64]
HOUR_NS = NS_PER_DAY // 24
NODES = 33
"""Shares of the calls between which a hit share is interpolated, where draws ask for more."""


class ReplayedCalendar(Calendar):
    """The calls of a log over periods, scaled where another number of calls a day is asked."""

    def __init__(self, scenario: Scenario, view: Any, edges: NDArray[np.int64]) -> None:
        super().__init__(scenario, view, edges)
        log = scenario.replayed
        assert log is not None
        self.log = log
        self.stamps = log.stamps[: np.searchsorted(log.stamps, NS_PER_DAY * int(edges[-1]))]
        by_hour = np.bincount(self.stamps // HOUR_NS, minlength=24 * int(edges[-1])).astype(float)
        self._by_hour = by_hour.reshape(-1, 24)
        self._by_day = self._level = self._admitted = self._by_hour.sum(axis=1)[None, :] / log.calls_per_day
        self.calls = self.column(view.workload.calls_per_day) * self._sum(self._by_day)

    @property
    def peak_per_s(self) -> Array:
        """Rate of the busiest hour of the log, (D,)."""
        peak: Array = self._more()[:, 0] * (self._by_hour.max() / 3600.0)
        return peak

    def lengths(self, span: slice) -> LogLengths:
        """Lengths of the calls of each period of `span`."""
        whole = log_by_period(self.log, tuple(self.edges.tolist()))
        return LogLengths(input=whole.input[:, span], output=whole.output[:, span], pairs=whole.pairs[span])

    def hit_share(
        self,
        ttl_s: float,
        refresh: bool,
        arriving: Array,
        mask: tuple[float, ...] | None,
        span: slice,
        by_time: bool = False,
    ) -> Array:
        """Share of calls that hit by period of `span`, (D, T'), or `by_time` the share of time a cache lives."""
        edges = NS_PER_DAY * self.edges.astype(np.int64)[span.start : span.stop + 1]
        if by_time:
            return self._each(arriving, lambda p: alive_by_period(self.stamps, ttl_s, p, refresh, edges))
        first, after = np.searchsorted(self.stamps, (edges[0], edges[-1]))
        own = self.stamps[first:after]
        weights = np.ones(len(own)) if mask is None else np.asarray(mask).reshape(7, 24)[self._hours_of(own)]
        period = np.searchsorted(edges, own, side="right") - 1
        periods = len(edges) - 1
        total = np.bincount(period, weights, minlength=periods)

        def share(p: float) -> Array:
            alive = alive_at_calls(self.stamps, ttl_s, p, refresh)[first:after]
            hits = np.bincount(period, alive * weights, minlength=periods)
            return np.divide(hits, total, out=np.zeros(periods), where=total > 0)

        return self._each(arriving, share)

    def windows(
        self, windows: Sequence[WindowRates], span: slice
    ) -> Iterator[tuple[int | None, Any, tuple[float, ...] | None]]:
        """Each daily price window of a version: its number (None: outside all), its part of the calls, its hours."""
        if not windows:
            yield None, 1.0, None
            return
        days = self.edges[span.start : span.stop + 1]
        calls = self._by_hour[int(days[0]) : int(days[-1])]
        weekdays, inner = self._rows[int(days[0]) : int(days[-1])], days[:-1] - days[0]
        total = np.add.reduceat(calls.sum(axis=1), inner)
        rest_mask, rest_part = np.ones((7, 24)), np.ones((1, len(inner)))
        offset = utc_offset_h(self._start, self._timezone, int(days[0]))
        for number, window in enumerate(windows):
            mask = np.minimum(window_hours(window.hours, window.weekdays, offset), rest_mask)
            inside = np.add.reduceat((calls * mask[weekdays]).sum(axis=1), inner)
            part = np.divide(inside, total, out=np.zeros(len(inner)), where=total > 0)[None, :]
            rest_mask, rest_part = rest_mask - mask, rest_part - part
            yield number, part, tuple(mask.ravel().tolist())
        yield None, rest_part, tuple(np.clip(rest_mask, 0, 1).ravel().tolist())

    def _more(self) -> Array:
        """Calls asked for each one recorded, (D, 1)."""
        return self.column(self.scenario.workload.calls_per_day) / self.log.calls_per_day

    def _hours_of(self, stamps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Weekday and hour of calls."""
        return self._rows[stamps // NS_PER_DAY], stamps // HOUR_NS % 24

    def _each(self, arriving: Array, found: Callable[[float], Array]) -> Array:
        """What is found at each share of the calls a cache sees, (D, T'); interpolated where many are asked."""
        shares = np.ravel(arriving * self._more())
        asked = np.unique(shares)
        if len(asked) > NODES:
            asked = np.geomspace(max(asked[0], 1e-12), max(asked[-1], 1e-12), NODES)
        at_nodes = np.stack([found(float(share)) for share in asked])
        if len(asked) == 1:
            return np.broadcast_to(at_nodes, (len(shares), at_nodes.shape[1]))
        logs = np.log(np.maximum(asked, 1e-300))
        there = np.log(np.maximum(shares, 1e-300))
        return np.stack([np.interp(there, logs, column) for column in at_nodes.T], axis=1)
