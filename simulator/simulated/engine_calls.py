"""The part of the simulated engine that plays one run call by call.

The horizon is cut into twelve fixed segments, whatever the number of workers, so that the numbers do not depend on
it; each begins a time to live early, with the same calls its forerunner saw, and so finds its caches as they were.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.drawn import Drawn, Draws
from simulator.domain.scenario import Scenario
from simulator.simulated import each_call
from simulator.simulated.bursts import switches
from simulator.simulated.engine_control import Control, Duty, Schedule
from simulator.simulated.engine_demand import WARM_DAYS, Demand
from simulator.simulated.engine_lines import Books
from simulator.simulated.engine_played import Played
from simulator.simulated.engine_served import CallServer
from simulator.simulated.resampled import relative
from simulator.simulated.streams import BLOCK_RUNS, stream

Array = NDArray[np.float64]
SEGMENTS = 12
DAY_S = 86_400.0
NS_PER_S = 1e9
CALL_BY_CALL = 10_000
"""First part of the streams of this fidelity; the hourly totals use the parts below."""
SPARE_SDS = 20.0
"""Room for an hour's calls above their mean, in standard deviations of a Poisson count."""


class _Hours:
    """An hour's calls, in arrays that a worker uses again and again."""

    def __init__(self) -> None:
        self.times, self.inputs, self.outputs, self.chances = np.zeros((4, 0))

    def reserve(self, calls: int) -> None:
        """Make room for so many calls."""
        if len(self.times) < calls:
            self.times, self.inputs, self.outputs, self.chances = np.zeros((4, calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """Calls of a log: lengths relative to their means, and when they came (none where only lengths are drawn)."""

    inputs: Array
    outputs: Array
    times: Array

    @classmethod
    def of(cls, scenario: Scenario, view: Any) -> _Log | None:
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

    def play(self, day: int, hour: int, hours: _Hours, lengths: np.random.Generator) -> int:
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
class _Post:
    """A server on a day: on duty, called again for a share, or standing in while the other is away."""

    duty: Duty
    kind: Literal["duty", "again", "away"]
    server: CallServer
    generator: np.random.Generator
    flows: NDArray[np.int64]
    counts: Array
    open_s: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """Arrivals of a day and what became of them."""

    day: int
    calls: float
    peak_per_s: float
    posts: list[_Post]


class CallRun:
    """One run, call by call.

    Args:
        scenario: the question.
        option: name of the option.
        draws: dials of this run, arrays of one value.
        seed: of the simulation.
        run: number of the run.
    """

    def __init__(self, scenario: Scenario, option: str, draws: Draws, seed: int, run: int) -> None:
        self.scenario, self.option, self.seed, self.run = scenario, option, seed, run
        block, self.row = divmod(run, BLOCK_RUNS)
        whole = {path: np.full(BLOCK_RUNS, values[0]) for path, values in draws.items()}
        self.view: Any = Drawn(scenario, whole) if whole else scenario
        self.control = Control(scenario, self.view, option, seed, block, told=self.row)
        self.schedule: Schedule = self.control.play()
        one = {path: values[:1] for path, values in draws.items()}
        self.one: Any = Drawn(scenario, one) if one else scenario
        self.log = _Log.of(scenario, self.one)
        demand = Demand(scenario, self.view, seed, block, self.row + 1)
        days = len(self.schedule.duties)
        self.rates = np.stack([demand.next_rates()[self.row].copy() for _ in range(WARM_DAYS + days)])
        tokens = self.one.workload.tokens
        sds = (np.sqrt(np.log1p(np.square(np.ravel(cv)[0]))) for cv in (tokens.input_cv, tokens.output_cv))
        self.law = np.array([*sds, np.ravel(tokens.correlation)[0]], dtype=float)
        self.bursts, self.cap = demand.bursts, demand.cap_per_s
        self.switches = list(self._switches(days)) if self.bursts else []

    def play(self) -> Played:
        """Play the segments, and book what they counted."""
        days = len(self.schedule.duties)
        edges = sorted({days * part // SEGMENTS for part in range(SEGMENTS + 1)})
        with ThreadPoolExecutor(max_workers=min(len(edges), os.cpu_count() or 1)) as pool:
            parts = list(pool.map(self._segment, edges[:-1], edges[1:]))
        played = Played(self.option, 1, days, self.schedule)
        own = slice(self.row, self.row + 1)
        played.price_index = {price: index[own] for price, index in self.schedule.price_index.items()}
        books = Books(self.scenario, self.one, played.tally)
        books.building()
        for release in self.schedule.releases:
            books.release(replace(release, jobs=release.jobs[own]))
        for day in (day for part in parts for day in part):
            self._book(played, books, day)
        return played

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

    def _segment(self, first: int, after: int) -> list[_Day]:
        """Days `first` up to `after`, after a warm-up whose counts are thrown away."""
        servers: dict[tuple[Any, ...], CallServer] = {}
        hours = _Hours()
        warm = self._warm_days(first)
        return [self._day(day, servers, hours) for day in range(first - warm, after)][warm:]

    def _warm_days(self, first: int) -> int:
        """Days in which the caches on duty forget everything."""
        stages = [duty.stage for duty in self._duties(first)]
        lives = [self._opened(stage.option, stage.price, first).ttl_s for stage in stages]
        return min(WARM_DAYS, max([math.ceil(ttl / DAY_S) for ttl in lives], default=0))

    def _duties(self, day: int) -> list[Duty]:
        return [duty for duty in self.schedule.duties[max(day, 0)] if duty.share[self.row] > 0]

    def _opened(self, name: str, price: str, day: int) -> CallServer:
        return CallServer(self.scenario, self.one, name, price, self.scenario.price_on(price, max(day, 0)))

    def _day(self, day: int, servers: dict[tuple[Any, ...], CallServer], hours: _Hours) -> _Day:
        """Draw the calls of a day and let whoever is on duty serve them."""
        arrivals, lengths, route = (
            stream(self.seed, name, day, self.run, CALL_BY_CALL) for name in ("arrivals", "lengths", "fallback")
        )
        posts = self._posts(day, servers)
        total, peak = 0, 0
        for hour in range(24):
            count = self._arrive(arrivals, lengths, day, hour, hours)
            total, peak = total + count, max(peak, count)
            columns = [column[:count] for column in (hours.times, hours.inputs, hours.outputs, hours.chances)]
            chosen = self._routed(route, day, hour, count)
            for post in posts:
                picked = slice(None) if chosen is None else chosen[post.kind]
                times, inputs, outputs, chances = (column[picked] for column in columns)
                post.server.serve(post.generator, times, inputs, outputs, chances, post.flows, post.counts, post.open_s)
        return _Day(day=day, calls=float(total), peak_per_s=peak / 3600.0, posts=posts)

    def _posts(self, day: int, servers: dict[tuple[Any, ...], CallServer]) -> list[_Post]:
        """The option on duty, and its fallback for calls served again and during outages."""
        wanted: list[tuple[Duty, Literal["duty", "again", "away"], str, str]] = []
        for duty in self._duties(day):
            wanted.append((duty, "duty", duty.stage.option, duty.stage.price))
            fallback = self.scenario.options[duty.stage.option].fallback
            for stage in self.control.standby(fallback.to) if fallback else ():
                if stage.first <= max(day, 0) < stage.after:
                    wanted.append((duty, "again", stage.option, stage.price))
                    if self.schedule.away_on(duty.stage.option, max(day, 0)) is not None:
                        wanted.append((duty, "away", stage.option, stage.price))
        posts = []
        for place, (duty, kind, name, price) in enumerate(wanted):
            version = self.scenario.price_on(price, max(day, 0))
            key = (name, price, kind, version.effective, version.recorded)
            if key not in servers:
                servers[key] = self._opened(name, price, day)
            server, own = servers[key], stream(self.seed, "hits", day, self.run, CALL_BY_CALL + place)
            midnight = datetime.combine(self.scenario.start, datetime.min.time()) + timedelta(days=day)
            flows = server.flow_by_minute(midnight)
            posts.append(_Post(duty, kind, server, own, flows, server.counts(), np.zeros(1)))
        return posts

    def _routed(
        self, generator: np.random.Generator, day: int, hour: int, count: int
    ) -> dict[str, NDArray[np.int64]] | None:
        """Which calls go where; None where all go to the option on duty."""
        duties = self._duties(day)
        name = duties[0].stage.option if duties else self.option
        away, fallback = self.schedule.away_on(name, max(day, 0)), self.one.options[name].fallback
        if fallback is None and away is None:
            return None
        lost = generator.random(count) < (0.0 if away is None else away[self.row, hour])
        here = np.flatnonzero(~lost)
        share = 0.0 if fallback is None else float(np.ravel(fallback.share)[0])
        return {"duty": here, "away": np.flatnonzero(lost), "again": here[generator.random(len(here)) < share]}

    def _arrive(
        self, generator: np.random.Generator, lengths: np.random.Generator, day: int, hour: int, hours: _Hours
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

    def _timed(self, generator: np.random.Generator, day: int, hour: int, hours: _Hours) -> int:
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

    def _book(self, played: Played, books: Books, day: _Day) -> None:
        """Book a day: tokens of every post, and what the calls cost besides."""
        played.calls[0, day.day] = day.calls
        played.peak_per_s[0] = max(played.peak_per_s[0], day.peak_per_s)
        for duty in self._duties(day.day):
            served = delivered = 0.0
            for post in day.posts:
                if post.duty is not duty:
                    continue
                post.server.book(played.tally, day.day, post.counts, float(post.open_s[0]) / 3600.0)
                sums = post.counts.sum(axis=1)
                if post.kind != "again":
                    served += sums[:, each_call.CALLS].sum()
                    delivered += sums[:, each_call.DELIVERED].sum()
                if post.kind == "duty":
                    played.eligible[0, day.day] += sums[:-1, each_call.ELIGIBLE].sum()
                    played.hits[0, day.day] += sums[:-1, each_call.HITS].sum()
            played.served[0, day.day] += served
            played.delivered[0, day.day] += delivered
            streams = partial(self._stream, day.day)
            own = replace(duty, share=duty.share[self.row : self.row + 1])
            books.day(day.day, own, np.array([served]), np.array([delivered]), streams)

    def _stream(self, day: int, phenomenon: str, part: int) -> np.random.Generator:
        return stream(self.seed, phenomenon, day, self.run, CALL_BY_CALL + part)
