"""The part of the simulated engine that plays one run call by call.

The horizon is cut into twelve fixed segments, whatever the number of workers, so that the numbers do not depend on
it; each begins a time to live early, with the same calls its forerunner saw, and so finds its caches as they were; a
fleet begins a day early, and where the segment before ends with a backlog, the next is played again from there.
"""

from __future__ import annotations

import copy
import itertools
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn, Draws
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.simulated import each_call
from simulator.simulated.bursts import switches
from simulator.simulated.engine_calls_day import DAY_S, Day, Hours, Log, Post, Segment
from simulator.simulated.engine_control import Control, Duty, Schedule
from simulator.simulated.engine_demand import WARM_DAYS, Demand
from simulator.simulated.engine_fleet import FleetTerms
from simulator.simulated.engine_fleet_served import FleetDay, FleetServer
from simulator.simulated.engine_lines import Books
from simulator.simulated.engine_played import Played
from simulator.simulated.engine_served import CallServer
from simulator.simulated.streams import BLOCK_RUNS, stream

Array = NDArray[np.float64]
SEGMENTS = 12
CALL_BY_CALL = 10_000
"""First part of the streams of this fidelity; the hourly totals use the parts below."""
FLEET_WARM_DAYS = 1
"""A fleet that is not behind forgets within minutes how it stood; a day also brings its autoscaler round."""
SPARE_SDS = 20.0
"""Room for an hour's calls above their mean, in standard deviations of a Poisson count."""


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
        self.log = Log.of(scenario, self.one)
        demand = Demand(scenario, self.view, seed, block, self.row + 1)
        days = len(self.schedule.duties)
        self.rates = np.stack([demand.next_rates()[self.row].copy() for _ in range(WARM_DAYS + days)])
        tokens = self.one.workload.tokens
        sds = (np.sqrt(np.log1p(np.square(np.ravel(cv)[0]))) for cv in (tokens.input_cv, tokens.output_cv))
        self.law = np.array([*sds, np.ravel(tokens.correlation)[0]], dtype=float)
        self.bursts, self.cap = demand.bursts, demand.cap_per_s
        self.switches = list(self._switches(days)) if self.bursts else []
        on_duty = {duty.stage.option for day in range(days) for duty in self._duties(day)}
        self.fleets = {
            name: FleetTerms.of(scenario, self.one, name)
            for name in sorted(on_duty)
            if isinstance(scenario.options[name], SelfHosted | Hybrid)
        }

    def play(self) -> Played:
        """Play the segments, and book what they counted."""
        days = len(self.schedule.duties)
        edges = sorted({days * part // SEGMENTS for part in range(SEGMENTS + 1)})
        spans = list(itertools.pairwise(edges))
        with ThreadPoolExecutor(max_workers=min(len(spans), os.cpu_count() or 1)) as pool:
            parts = list(pool.map(lambda span: self._segment(*span), spans))
        for place in range(1, len(parts)):
            if any(fleet.behind for fleet in parts[place - 1].fleets.values()):
                parts[place] = self._segment(*spans[place], parts[place - 1])
        played = Played(self.option, 1, days, self.schedule)
        here = slice(self.row, self.row + 1)
        played.price_index = {price: index[here] for price, index in self.schedule.price_index.items()}
        books = Books(self.scenario, self.one, played.tally)
        own = [stage for stage in self.control.plan if stage.own]
        books.building(*((own[0].first, own[-1].after) if own else (0, 0)))
        for release in self.schedule.releases:
            books.release(replace(release, jobs=release.jobs[here]))
        for day in (day for part in parts for day in part.days):
            self._book(played, books, day)
        for part in parts:
            for fleet in part.fleets.values():
                played.fleet.latencies[0].add(fleet.latencies)
                played.fleet.sums["preemptions"] += fleet.fleet.preemptions
        for fleet in parts[-1].fleets.values():
            played.fleet.sums["end_backlog_calls"] += fleet.left
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

    def _segment(self, first: int, after: int, before: Segment | None = None) -> Segment:
        """Days `first` up to `after`: on from the segment before, or after a warm-up whose counts are thrown away."""
        hours = Hours()
        servers: dict[tuple[Any, ...], CallServer] = {}
        fleets: dict[str, FleetServer] = {}
        warm = self._warm_days(first)
        if before is not None:
            warm, servers = 0, copy.deepcopy(before.servers)
            fleets = {name: fleet.continued(self.scenario, first, after) for name, fleet in before.fleets.items()}
        days = [
            self._day(day, (first, after), servers, fleets, hours) for day in range(first - warm, after)
        ]
        return Segment(days=days[warm:], servers=servers, fleets=fleets)

    def _warm_days(self, first: int) -> int:
        """Days in which the caches on duty forget everything."""
        stages = [duty.stage for duty in self._duties(first)]
        lives = [self._opened(self._hosted(stage.option), stage.price, first).ttl_s for stage in stages if stage.price]
        fleets = [FLEET_WARM_DAYS for stage in stages if stage.option in self.fleets and first > 0]
        return min(WARM_DAYS, max([*(math.ceil(ttl / DAY_S) for ttl in lives), *fleets], default=0))

    def _hosted(self, name: str) -> str:
        """The hosted option behind a name: of a hybrid, the one that calls overflow to."""
        plain = self.scenario.options[name]
        return plain.overflow_option if isinstance(plain, Hybrid) else name

    def _duties(self, day: int) -> list[Duty]:
        return [duty for duty in self.schedule.duties[max(day, 0)] if duty.share[self.row] > 0]

    def _opened(self, name: str, price: str, day: int) -> CallServer:
        return CallServer(self.scenario, self.one, name, price, self.scenario.price_on(price, max(day, 0)))

    def _day(
        self,
        day: int,
        span: tuple[int, int],
        servers: dict[tuple[Any, ...], CallServer],
        fleets: dict[str, FleetServer],
        hours: Hours,
    ) -> Day:
        """Draw the calls of a day and let whoever is on duty serve them."""
        arrivals, lengths, route = (
            stream(self.seed, name, day, self.run, CALL_BY_CALL) for name in ("arrivals", "lengths", "fallback")
        )
        posts = self._posts(day, span, servers, fleets)
        total, peak = 0, 0
        for hour in range(24):
            count = self._arrive(arrivals, lengths, day, hour, hours)
            total, peak = total + count, max(peak, count)
            columns = [column[:count] for column in (hours.times, hours.inputs, hours.outputs, hours.chances)]
            chosen = self._routed(route, day, hour, count)
            for post in posts:
                picked = slice(None) if chosen is None else chosen[post.kind]
                post.serve([column[picked] for column in columns], DAY_S * day + 3600.0 * (hour + 1))
        for post in posts:
            post.close(day)
        return Day(day=day, calls=float(total), peak_per_s=peak / 3600.0, posts=posts)

    def _posts(
        self,
        day: int,
        span: tuple[int, int],
        servers: dict[tuple[Any, ...], CallServer],
        fleets: dict[str, FleetServer],
    ) -> list[Post]:
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
            post = Post(duty, kind, stream(self.seed, "hits", day, self.run, CALL_BY_CALL + place))
            if name in self.fleets and day >= 0:  # before the first day there is none; caches have a past all the same
                if name not in fleets:
                    fleets[name] = FleetServer(
                        self.scenario, self.fleets[name], day, span[1], span[0], self.seed, self.run
                    )
                post.fleet, post.of_fleet = fleets[name], FleetDay()
                post.tried = stream(self.seed, "tried", day, self.run, CALL_BY_CALL + place)
            if price:
                hosted = self._hosted(name)
                version = self.scenario.price_on(price, max(day, 0))
                key = (hosted, price, kind, version.effective, version.recorded)
                if key not in servers:
                    servers[key] = self._opened(hosted, price, day)
                post.server = servers[key]
                midnight = datetime.combine(self.scenario.start, datetime.min.time()) + timedelta(days=day)
                post.flows, post.counts = post.server.flow_by_minute(midnight), post.server.counts()
                post.open_s = np.zeros(1)
            posts.append(post)
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

    def _book(self, played: Played, books: Books, day: Day) -> None:
        """Book a day: tokens of every post, and what the calls cost besides."""
        played.calls[0, day.day] = day.calls
        played.peak_per_s[0] = max(played.peak_per_s[0], day.peak_per_s)
        for duty in self._duties(day.day):
            served = delivered = 0.0
            for post in day.posts:
                if post.duty is not duty:
                    continue
                if post.of_fleet is not None:
                    served, delivered = served + post.of_fleet.calls, delivered + post.of_fleet.delivered
                    self._book_fleet(played, post, day.day)
                if post.server is None or post.counts is None or post.open_s is None:
                    continue
                post.server.book(played.tally, day.day, post.counts, float(post.open_s[0]) / 3600.0)
                sums = post.counts.sum(axis=1)
                if post.kind != "again" and post.fleet is None:
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

    def _book_fleet(self, played: Played, post: Post, day: int) -> None:
        """Book what a fleet did on a day."""
        done, terms, account = post.of_fleet, self.fleets[post.duty.stage.option], played.fleet
        assert done is not None
        hours = {name: done.hours[name][None, :] for name in done.hours.dtype.names}
        account.add(played.tally, self.scenario, self.one, terms.option, day, hours, terms.saturation_per_s)
        for name, value in (
            ("calls", done.attempts), ("overload_calls", done.overloaded), ("overflow_calls", done.overflow)
        ):  # fmt: skip
            account.sums[name] += value
        account.sums["most_per_s"] = np.maximum(account.sums["most_per_s"], terms.most_per_s)
        account.sums["backlog_s"] = np.maximum(account.sums["backlog_s"], done.backlog_s)

    def _stream(self, day: int, phenomenon: str, part: int) -> np.random.Generator:
        return stream(self.seed, phenomenon, day, self.run, CALL_BY_CALL + part)
