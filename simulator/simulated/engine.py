"""The simulated wing: plays the days out, run by run, and hands over an Activity; it knows no dollars.

The control plane (`engine_control.py`) decides who serves; this file lets demand come and be served, an hour's
totals at once for all runs of a block (`fidelity: aggregate`) or call by call (`engine_calls.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn, Draws
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.overload import fleet_flags, overwhelmed
from simulator.domain.plan import Stage, closed_reason
from simulator.domain.recorded import LENGTHS_OF_A_FLEET
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, Moment
from simulator.simulated.calls import thin
from simulator.simulated.engine_control import Control, Duty
from simulator.simulated.engine_demand import Demand
from simulator.simulated.engine_fleet_block import FleetBlock
from simulator.simulated.engine_fleet_use import fleet_of_runs, mean_use
from simulator.simulated.engine_lines import Books
from simulator.simulated.engine_played import Played
from simulator.simulated.engine_tally import joined
from simulator.simulated.engine_tokens import Outcome, Server, Streams, column
from simulator.simulated.streams import BLOCK_RUNS, stream

Array = NDArray[np.float64]


def count(
    scenario: Scenario, option: str, draws: Draws, *, seed: int, runs: NDArray[np.int64], fidelity: str
) -> Activity:
    """Play one option over the horizon and count what it does.

    Args:
        scenario: the question.
        option: name of the option.
        draws: dials replaced by arrays with one value a run, in the order of `runs`.
        seed: of every random stream.
        runs: numbers of the runs, rising; the numbers of a run do not depend on which others are played.
        fidelity: `aggregate` or `call`.

    Raises:
        InputError: the option cannot be counted as written.
    """
    blocks: list[Played] = []
    rows: list[NDArray[np.int64]] = []
    if fidelity == "call":
        from simulator.simulated.engine_calls import CallRun

        for index, run in enumerate(runs.tolist()):
            of_run = {path: values[index : index + 1] for path, values in draws.items()}
            blocks.append(CallRun(scenario, option, of_run, seed, run).play())
            rows.append(np.zeros(1, dtype=np.int64))
    else:
        for block in np.unique(runs // BLOCK_RUNS).tolist():
            inside = np.flatnonzero(runs // BLOCK_RUNS == block)
            at = runs[inside] - block * BLOCK_RUNS
            told = None if blocks else int(at[0])
            blocks.append(_Block(scenario, option, _spread(draws, inside, at), seed, block, told).play())
            rows.append(at)
    return _activity(scenario, option, fidelity, blocks, rows)


def _spread(draws: Draws, inside: NDArray[np.int64], at: NDArray[np.int64]) -> Draws:
    """The draws of a whole block; runs that are not asked for repeat the first value."""
    found = {}
    for path, values in draws.items():
        found[path] = np.full(BLOCK_RUNS, values[inside[0]])
        found[path][at] = values[inside]
    return found


class _Block:
    """Plays a block of runs with hourly totals."""

    def __init__(self, scenario: Scenario, option: str, draws: Draws, seed: int, block: int, told: int | None) -> None:
        self.scenario, self.name, self.seed, self.block = scenario, option, seed, block
        self.view: Any = Drawn(scenario, draws) if draws else scenario
        self.control = Control(scenario, self.view, option, seed, block, told)
        self.demand = Demand(scenario, self.view, seed, block, BLOCK_RUNS)
        self.servers: dict[tuple[Any, ...], Server] = {}
        self.fleets: dict[str, FleetBlock] = {}

    def play(self) -> Played:
        """Play every day of the horizon."""
        schedule = self.control.play()
        days = len(schedule.duties)
        played = Played(self.name, BLOCK_RUNS, days, schedule)
        books = Books(self.scenario, self.view, played.tally)
        own = [stage for stage in self.control.plan if stage.own]
        books.building(*((own[0].first, own[-1].after) if own else (0, 0)))
        for release in schedule.releases:
            books.release(release)
        self.demand.warm()
        for day, duties in enumerate(schedule.duties):
            calls = self.demand.next_day()
            played.calls[:, day] = calls.sum(axis=1)
            played.peak_per_s = np.maximum(played.peak_per_s, calls.max(axis=1) / 3600.0)
            for place, duty in enumerate(duties):
                self._serve(played, books, day, duty, calls * duty.share[:, None], 10 * place)
        for fleet in self.fleets.values():
            fleet.close(played)
        return played

    def _serve(self, played: Played, books: Books, day: int, duty: Duty, calls: Array, slot: int) -> None:
        """A day's calls at the option on duty, and at its fallback."""
        name, streams = duty.stage.option, self._streams(day, slot)
        away = played.schedule.away_on(name, day)
        fallback = self.view.options[name].fallback
        lost = np.zeros_like(calls) if away is None else thin(streams("lost", 0), calls, away)
        here = calls - lost
        up = 1.0 if away is None else 1.0 - away
        present = duty.share[:, None] * up
        if isinstance(self.scenario.options[name], SelfHosted | Hybrid):
            outcome = self._by_fleet(played, day, duty, here, present, streams)
        else:
            outcome = self._at(played, day, name, duty.stage.price, here, 1.0, present, streams)
        served, delivered = here.sum(axis=1), outcome.delivered
        if fallback is not None:
            again = thin(streams("fallback", 0), here, column(fallback.share))
            other = self._standby(fallback.to, day)
            if other is not None:
                second, third = self._streams(day, slot + 1), self._streams(day, slot + 2)
                if again.any():
                    self._at(played, day, other.option, other.price, again, column(fallback.share), present, second)
                if away is not None and lost.any():
                    found = self._at(
                        played, day, other.option, other.price, lost, 1.0, duty.share[:, None] * away, third
                    )
                    served, delivered = served + lost.sum(axis=1), delivered + found.delivered
        played.served[:, day] += served
        played.delivered[:, day] += delivered
        played.eligible[:, day] += outcome.eligible.sum(axis=1)
        played.hits[:, day] += outcome.hits.sum(axis=1)
        books.day(day, duty, served, delivered, streams)

    def _at(
        self,
        played: Played,
        day: int,
        name: str,
        price: str,
        calls: Array,
        share: Any,
        present: Array,
        streams: Streams,
    ) -> Outcome:
        version = self.scenario.price_on(price, day)
        key = (name, price, version.effective, version.recorded)
        if key not in self.servers:
            self.servers[key] = Server.opened(self.scenario, self.view, name, price, version, self.demand.bursts)
        server = self.servers[key]
        midnight = datetime.combine(self.scenario.start, datetime.min.time()) + timedelta(days=day)
        rates = self.demand.rates_behind(server.ttl_s)
        return server.serve(played.tally, day, midnight, calls, rates, share, present, streams)

    def _by_fleet(
        self, played: Played, day: int, duty: Duty, calls: Array, present: Array, streams: Streams
    ) -> Outcome:
        """A day's calls on machines of one's own; of a hybrid, those that overflow at the hosted option."""
        name, plain = duty.stage.option, self.scenario.options[duty.stage.option]
        if name not in self.fleets:
            self.fleets[name] = FleetBlock(self.scenario, self.view, name, BLOCK_RUNS)
        fleet = self.fleets[name]
        outcome = fleet.serve(played, day, calls, self.demand.mean_per_s, present, streams)
        if not isinstance(plain, Hybrid):
            return outcome
        away = thin(streams("overflow", 0), calls, fleet.overflow_share)
        version = self.scenario.price_on(duty.stage.price, day)
        key = (plain.overflow_option, duty.stage.price, version.effective, version.recorded)
        if key not in self.servers:
            self.servers[key] = Server.opened(
                self.scenario, self.view, plain.overflow_option, duty.stage.price, version, self.demand.bursts
            )
        server = self.servers[key]
        midnight = datetime.combine(self.scenario.start, datetime.min.time()) + timedelta(days=day)
        rates = self.demand.rates_behind(server.ttl_s)
        rates = rates * fleet.share_at(day, rates)
        hosted = server.serve(played.tally, day, midnight, away, rates, 1.0, present, streams)
        played.fleet.sums["overflow_calls"] += away.sum(axis=1)
        return Outcome(delivered=outcome.delivered, eligible=hosted.eligible, hits=hosted.hits)

    def _standby(self, name: str, day: int) -> Stage | None:
        """Who serves on a day where an option is asked as fallback; None if nobody does."""
        return next((stage for stage in self.control.standby(name) if stage.first <= day < stage.after), None)

    def _streams(self, day: int, slot: int) -> Streams:
        return lambda phenomenon, part: stream(self.seed, phenomenon, day, self.block, 100 * slot + part)


def _approximate(scenario: Scenario, fidelity: str) -> Iterator[str]:
    """What is said of a fleet's numbers."""
    if fidelity == "call":
        yield "the fleet: its speed is that of a model of the engine"
    else:
        yield "the fleet: replicas and latency, hours taken as steady"
        if scenario.recorded is not None:
            yield LENGTHS_OF_A_FLEET


def _activity(
    scenario: Scenario, option: str, fidelity: str, blocks: Sequence[Played], rows: Sequence[NDArray[np.int64]]
) -> Activity:
    def of(name: str) -> Array:
        return np.concatenate([getattr(block, name)[at] for block, at in zip(blocks, rows, strict=True)])

    served, delivered = of("served"), of("delivered")
    whole = served.sum(axis=1)
    share = np.divide(delivered.sum(axis=1), whole, out=np.zeros_like(whole), where=whole > 0)
    schedules = [block.schedule for block in blocks]
    timeline: tuple[Moment, ...] = tuple(schedules[0].timeline)
    flags = [flag for schedule in schedules for flag in schedule.flags]
    fleet = fleet_of_runs([block.fleet for block in blocks], rows)
    mean = None if fleet is None else mean_use(fleet)
    if mean is not None:
        flags += fleet_flags(mean)
    return Activity(
        option=option,
        edges=np.arange(served.shape[1] + 1),
        counts=joined([(block.tally, at) for block, at in zip(blocks, rows, strict=True)]),
        calls=of("calls"),
        served=served,
        eligible=of("eligible"),
        hits=of("hits"),
        peak_per_s=of("peak_per_s"),
        delivered_share=share,
        serves_until=schedules[0].stops,
        why_not=closed_reason(scenario, option) or (None if mean is None else overwhelmed(mean)),
        flags=tuple(dict.fromkeys(flags)),
        timeline=timeline,
        price_index={
            price: np.concatenate([block.price_index[price][at] for block, at in zip(blocks, rows, strict=True)])
            for price in schedules[0].price_index
        },
        fleet=fleet,
        record=blocks[0].fleet.record(),
        approximate=() if fleet is None else tuple(_approximate(scenario, fidelity)),
    )
