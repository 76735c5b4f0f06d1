"""The part of the simulated engine that draws the calls of one run, hour by hour, alike for every option."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn, Draws
from simulator.domain.scenario import Scenario
from simulator.simulated import each_call
from simulator.simulated.bursts import switches
from simulator.simulated.engine_calls_day import Hours, Log
from simulator.simulated.engine_demand import WARM_DAYS, Demand
from simulator.simulated.streams import BLOCK_RUNS, stream

Array = NDArray[np.float64]
CALL_BY_CALL = 10_000
"""First part of the streams of this fidelity; the hourly totals use the parts below."""
SPARE_SDS = 20.0
"""Room for an hour's calls above their mean, in standard deviations of a Poisson count."""


class DrawnCalls:
    """The calls of one run.

    Args:
        scenario: the question.
        draws: dials of this run, arrays of one value.
        seed: of the simulation.
        run: number of the run.
    """

    def __init__(self, scenario: Scenario, draws: Draws, seed: int, run: int) -> None:
        self.seed, self.run, self.days = seed, run, int(scenario.horizon_days)
        block, self.row = divmod(run, BLOCK_RUNS)
        whole = {path: np.full(BLOCK_RUNS, values[0]) for path, values in draws.items()}
        one: Any = Drawn(scenario, {path: values[:1] for path, values in draws.items()}) if draws else scenario
        self.log = Log.of(scenario, one)
        demand = Demand(scenario, Drawn(scenario, whole) if whole else scenario, seed, block, self.row + 1)
        self.rates = np.stack([demand.next_rates()[self.row].copy() for _ in range(WARM_DAYS + self.days)])
        tokens = one.workload.tokens
        sds = (np.sqrt(np.log1p(np.square(np.ravel(cv)[0]))) for cv in (tokens.input_cv, tokens.output_cv))
        self.law = np.array([*sds, np.ravel(tokens.correlation)[0]], dtype=float)
        self.bursts, self.cap = demand.bursts, demand.cap_per_s
        self.switches = list(self._switches(self.days)) if self.bursts else []

    def stream(self, phenomenon: str, day: int) -> np.random.Generator:
        """The generator of what befalls all calls of a day."""
        return stream(self.seed, phenomenon, day, self.run, CALL_BY_CALL)

    def streams(self, day: int) -> tuple[np.random.Generator, np.random.Generator]:
        """Of the arrivals and of the lengths of a day."""
        return self.stream("arrivals", day), self.stream("lengths", day)

    def arrive(
        self, generator: np.random.Generator, lengths: np.random.Generator, day: int, hour: int, hours: Hours
    ) -> int:
        """Draw the calls of an hour, or take them from the log; times count from the first midnight."""
        if self.log is not None and len(self.log.times):
            return self.log.play(day, hour, hours, lengths)
        count = self._timed(generator, day, hour, hours)
        if self.log is None:
            each_call.draw_lengths(lengths, count, self.law, hours.inputs, hours.outputs, hours.chances)
        else:
            pairs = (self.log.inputs, self.log.outputs)
            each_call.draw_pairs(lengths, count, *pairs, hours.inputs, hours.outputs, hours.chances)
        return count

    def _timed(self, generator: np.random.Generator, day: int, hour: int, hours: Hours) -> int:
        """Draw when the calls of an hour come."""
        begin, end = 86_400.0 * day + 3600.0 * hour, 86_400.0 * day + 3600.0 * (hour + 1)
        rate = float(self.rates[day + WARM_DAYS, hour])
        edges, factors = np.array([begin, end]), np.ones(1)
        if self.bursts is not None:
            edges, factors = self._pieces(day, begin, end)
        rates = rate * factors
        if self.cap is not None:
            rates = np.minimum(rates, float(np.ravel(self.cap)[min(self.row, len(np.ravel(self.cap)) - 1)]))
        mean = float(np.diff(edges) @ rates)
        hours.reserve(int(mean + SPARE_SDS * math.sqrt(mean)) + 100)
        return each_call.draw_arrivals(generator, edges, rates, hours.times)

    def _pieces(self, day: int, begin: float, end: float) -> tuple[Array, Array]:
        """Moments in an hour at which the burst state changes, and the relative rate of each piece."""
        assert self.bursts is not None
        on, moments = self.switches[day + WARM_DAYS]
        moments = moments + 86_400.0 * day
        first, last = np.searchsorted(moments, (begin, end))
        edges = np.concatenate([[begin], moments[first:last], [end]])
        states = (on + first + np.arange(len(edges) - 1)) % 2
        return edges, np.where(states == 1, self.bursts.on, self.bursts.off)

    def _switches(self, days: int) -> Iterator[tuple[bool, Array]]:
        """State at midnight and the moments at which it changes, for every day from the first warm one."""
        assert self.bursts is not None
        first = stream(self.seed, "burst path", -WARM_DAYS, self.run, 1)
        on = bool(first.random() < self.bursts.on_share)
        for day in range(-WARM_DAYS, days):
            generator = stream(self.seed, "burst path", day, self.run)
            moments = switches(generator, on, self.bursts.leave_on_per_s, self.bursts.leave_off_per_s)
            yield on, moments
            on = on != (len(moments) % 2 == 1)
