"""The part of the simulated engine in which one option serves call by call: terms for the kernel, counts from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pricing.table import PriceVersion, Service
from simulator.domain.scenario import Scenario
from simulator.simulated import each_call
from simulator.simulated.engine_tally import Tally
from simulator.simulated.engine_tokens import Server
from simulator.simulated.windows import minutes_inside

Array = NDArray[np.float64]
NEVER_S = -1e18
"""When a cache that was never written was last used."""


class CallServer:
    """One option at one price version in one run; it remembers when its caches were last used.

    Args:
        scenario: dates and time zone.
        view: the scenario with drawn dials as arrays of one value.
        name: the option.
        price: id of the price that serves.
        version: its version in force.
    """

    def __init__(self, scenario: Scenario, view: Any, name: str, price: str, version: PriceVersion) -> None:
        self.name = name
        self._server = Server.opened(scenario, view, name, price, version, None)
        self._zone = ZoneInfo(scenario.workload.timezone)
        self._windows = version.usd_per_mtok.windows if self._server.option.service == "standard" else ()
        self.thresholds = np.asarray([tier.above for tier in version.usd_per_mtok.tiers], dtype=float)
        option, plan, tokens = self._server.option, self._server.plan, view.workload.tokens
        # a fractional number of caches is met as the nearest whole one: a call goes to one cache or another
        self._last_s = np.full(max(1, round(_number(option.caching.scopes))), NEVER_S)
        input_tokens = tokens.input if option.input_tokens is None else option.input_tokens
        output_tokens = tokens.output if option.output_tokens is None else option.output_tokens
        pinned = 1.0 if plan.calls_per_cache is not None else plan.pinned
        self._terms = each_call.terms_of(
            ttl_s=float(plan.ttl_s),
            refresh=plan.refresh,
            reach=_number(plan.reach),
            pinned=None if pinned is None else _number(pinned),
            cacheable=_number(plan.cacheable),
            deferred=_number(self._server.deferred),
            batch_too=plan.batch_too,
            failure_rate=_number(option.retries.failure_rate),
            max_retries=_number(option.retries.max),
            failures_billed=bool(option.retries.billed),
            fixed=_number(self._server.fixed),
            mean_input=_number(input_tokens),
            mean_output=_number(output_tokens) + _number(option.reasoning_tokens),
        )

    @property
    def ttl_s(self) -> float:
        """Time to live of its cache, 0 where nothing is cached by arrivals."""
        return self._server.ttl_s

    def counts(self) -> Array:
        """Room for a day's counts: the price windows, the time outside them, and the batch, by length band."""
        return np.zeros((len(self._windows) + 2, len(self.thresholds) + 1, each_call.QUANTITIES))

    def flow_by_minute(self, midnight: datetime) -> NDArray[np.int64]:
        """Which flow a call at each minute of the day belongs to, (1440,)."""
        flows = np.full(1440, len(self._windows), dtype=np.int64)
        start = datetime.combine(midnight.date(), datetime.min.time(), self._zone)
        starts = [start + timedelta(hours=hour) for hour in range(24)]
        for number, window in reversed(list(enumerate(self._windows))):
            flows[minutes_inside(starts, window.hours, window.weekdays).ravel()] = number
        return flows

    def serve(
        self,
        generator: np.random.Generator,
        times: Array,
        inputs: Array,
        outputs: Array,
        chances: Array,
        flows: NDArray[np.int64],
        counts: Array,
        open_s: Array,
    ) -> None:
        """Serve calls in order of time; see `each_call.serve`."""
        each_call.serve(
            generator,
            len(times),
            times,
            inputs,
            outputs,
            chances,
            flows,
            self._last_s,
            self._terms,
            self.thresholds,
            counts,
            open_s,
        )

    def book(self, tally: Tally, day: int, counts: Array, open_h: float) -> None:
        """Add a day's counts to the tally, and the hours in which caches were open."""
        plan = self._server.plan
        for flow, by_band in enumerate(counts):
            if not by_band.any():
                continue
            service: Service = "batch" if flow == len(counts) - 1 else self._server.option.service
            column = {
                name: by_band[:, [at]]
                for name, at in (
                    ("billed", each_call.BILLED),
                    ("cached", each_call.CACHED),
                    ("inputs", each_call.INPUT),
                    ("outputs", each_call.OUTPUT),
                )
            }
            self._server.book(
                tally,
                day,
                service,
                flow if flow < len(self._windows) else None,
                by_band[:, each_call.CALLS].sum(keepdims=True),
                column["billed"],
                column["billed"] - column["cached"],
                column["inputs"],
                column["outputs"],
            )
        if plan.stored:
            eligible = counts[:-1, :, each_call.ELIGIBLE].sum(keepdims=True).ravel()
            hours = open_h if plan.pinned is None else 24.0 * _number(plan.pinned) * len(self._last_s)
            self._server.store(tally, day, np.atleast_1d(hours), eligible)


def _number(value: Any) -> float:
    return float(np.ravel(value)[0])
