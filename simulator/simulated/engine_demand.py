"""The part of the simulated engine that lays a scenario's demand over hours: rates that happened, and calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.scenario import Scenario
from simulator.domain.shapes import week_shape
from simulator.simulated.caching import hours_behind
from simulator.simulated.calls import draw_calls
from simulator.simulated.streams import stream
from simulator.simulated.world import Bursts, Spread, World, growth_on, mean_rates

Array = NDArray[np.float64]
WARM_DAYS = 8
"""Days played before the first, more than the longest time to live; all options see one history."""


class Demand:
    """The demand of a block of runs, asked for day by day.

    Args:
        scenario: dates and shapes.
        view: the same with drawn dials as arrays (rows,).
        seed: of the simulation.
        block: number of the block.
        rows: runs of the block that are played.
    """

    def __init__(self, scenario: Scenario, view: Any, seed: int, block: int, rows: int) -> None:
        self.scenario, self.workload, self.view = scenario, view.workload, view
        self.seed, self.block, self.rows = seed, block, rows
        demand = scenario.workload.demand
        self.weekday, self.hours = week_shape(demand.weekday, demand.hours)
        burst = demand.burst
        self.bursts = Bursts.of(burst.ratio, burst.on_share, burst.mean_on_s) if burst else None
        spread = Spread(
            day_sd=demand.day_sd,
            day_lag1=demand.day_lag1,
            hour_sd=demand.hour_sd,
            hour_lag1=demand.hour_lag1,
            bursts=self.bursts,
        )
        cap = self.workload.cap_per_s
        self.cap_per_s = None if cap is None else np.reshape(np.asarray(cap, dtype=float), (-1, 1))
        self.world = World(spread, seed, block, rows)
        self.day = -WARM_DAYS
        self.past = np.zeros((rows, 0))
        self.mean_per_s = np.zeros((rows, 24))

    def warm(self) -> None:
        """Play the days before the first, which only warm the caches."""
        while self.day < 0:
            self.next_rates()

    def next_rates(self) -> Array:
        """Mean calls per second by hour of the next day, before bursts and cap act, (rows, 24)."""
        day = self.day
        weekday = (self.scenario.start.weekday() + day) % 7
        known = max(day, 0)  # the days before the first have its growth and events
        growth = growth_on(known, self.workload.growth_per_month, self.view.hours_per_month)
        level = growth * self._events(known) * self.workload.calls_per_day / 86_400.0 * self.weekday[weekday]
        rates = np.reshape(level, (-1, 1)) * self.hours * self.world.factors(day)
        rates = np.broadcast_to(rates, (self.rows, 24))
        self.past = np.concatenate([self.past, rates], axis=1)[:, -24 * WARM_DAYS - 24 :]
        self.day += 1
        return rates

    def next_day(self) -> Array:
        """Calls by hour of the next day, whole numbers, (rows, 24)."""
        day = self.day
        rates = self.next_rates()
        self.mean_per_s = mean_rates(rates, self.world.burst_time(day), self.bursts, self.cap_per_s)
        return draw_calls(stream(self.seed, "arrivals", day, self.block), 3600.0 * self.mean_per_s)

    def rates_behind(self, ttl_s: float) -> Array:
        """Rates, before the cap, of the last day played and of the hours before it that a time to live reaches into."""
        return self.past[:, -(24 + hours_behind(ttl_s)) :]

    def _events(self, day: int) -> Any:
        factor: Any = 1.0
        for index, event in enumerate(self.scenario.workload.events):
            if self.scenario.day_index(event.from_) <= day < self.scenario.day_index(event.to):
                factor = factor * self.workload.events[index].factor
        return factor
