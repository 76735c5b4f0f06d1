"""The part of the simulated engine that plays one run of one option or several call by call.

The horizon is cut into twelve fixed segments, whatever the number of workers, so that the numbers do not depend on
it; each begins a time to live early, with the same calls its forerunner saw, and so finds its caches as they were; a
fleet begins a day early, and where the segment before ends with a backlog, the next is played again from there.
"""

from __future__ import annotations

import copy
import itertools
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn, Draws
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.simulated import each_call
from simulator.simulated.engine_calls_day import DAY_S, Day, Hours, Post, Segment
from simulator.simulated.engine_calls_drawn import CALL_BY_CALL, DrawnCalls
from simulator.simulated.engine_control import Control, Duty, Schedule
from simulator.simulated.engine_demand import WARM_DAYS
from simulator.simulated.engine_fleet import FleetTerms
from simulator.simulated.engine_fleet_served import FleetDay, FleetServer
from simulator.simulated.engine_lines import Books
from simulator.simulated.engine_played import Played
from simulator.simulated.engine_served import CallServer
from simulator.simulated.streams import BLOCK_RUNS, stream

Array = NDArray[np.float64]
SEGMENTS = 12
FLEET_WARM_DAYS = 1
"""A fleet that is not behind forgets within minutes how it stood; a day also brings its autoscaler round."""


@dataclass(slots=True)
class Side:
    """An option in a segment: who serves there, and the days played so far, from `begins` on."""

    run: CallRun
    begins: int
    servers: dict[tuple[Any, ...], CallServer]
    fleets: dict[str, FleetServer]
    days: list[Day] = field(default_factory=list)


def play(calls: DrawnCalls, runs: Sequence[CallRun]) -> list[Played]:
    """Play options of one run side by side, so that every call is drawn once; the numbers are those of each alone."""
    edges = sorted({calls.days * part // SEGMENTS for part in range(SEGMENTS + 1)})
    spans = list(itertools.pairwise(edges))
    with ThreadPoolExecutor(max_workers=min(len(spans), os.cpu_count() or 1)) as pool:
        parts = list(pool.map(lambda span: _segments(calls, span, [run.side(span) for run in runs]), spans))
    found = []
    for run, own in zip(runs, map(list, zip(*parts, strict=True)), strict=True):
        for place in range(1, len(own)):
            if any(fleet.behind for fleet in own[place - 1].fleets.values()):
                own[place] = _segments(calls, spans[place], [run.side(spans[place], own[place - 1])])[0]
        found.append(run.booked(own))
    return found


def _segments(calls: DrawnCalls, span: tuple[int, int], sides: Sequence[Side]) -> list[Segment]:
    hours = Hours()
    for day in range(min(side.begins for side in sides), span[1]):
        _play_day(calls, day, span, [side for side in sides if side.begins <= day], hours)
    return [
        Segment(days=side.days[span[0] - side.begins :], servers=side.servers, fleets=side.fleets) for side in sides
    ]


def _play_day(calls: DrawnCalls, day: int, span: tuple[int, int], sides: Sequence[Side], hours: Hours) -> None:
    """Draw the calls of a day and let whoever is on duty in each option serve them."""
    arrivals, lengths = calls.streams(day)
    routes = [calls.stream("fallback", day) for _ in sides]
    posts = [side.run.posts(day, span, side.servers, side.fleets) for side in sides]
    total, peak = 0, 0
    for hour in range(24):
        count = calls.arrive(arrivals, lengths, day, hour, hours)
        total, peak = total + count, max(peak, count)
        columns = [column[:count] for column in (hours.times, hours.inputs, hours.outputs, hours.chances)]
        for side, route, serving in zip(sides, routes, posts, strict=True):
            chosen = side.run.routed(route, day, hour, count)
            for post in serving:
                picked = slice(None) if chosen is None else chosen[post.kind]
                post.serve([column[picked] for column in columns], DAY_S * day + 3600.0 * (hour + 1))
    for side, serving in zip(sides, posts, strict=True):
        for post in serving:
            post.close(day)
        side.days.append(Day(day=day, calls=float(total), peak_per_s=peak / 3600.0, posts=serving))


class CallRun:
    """One option in one run, call by call.

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
        view: Any = Drawn(scenario, whole) if whole else scenario
        self.control = Control(scenario, view, option, seed, block, told=self.row)
        self.schedule: Schedule = self.control.play()
        one = {path: values[:1] for path, values in draws.items()}
        self.one: Any = Drawn(scenario, one) if one else scenario
        days = len(self.schedule.duties)
        on_duty = {duty.stage.option for day in range(days) for duty in self._duties(day)}
        self.fleets = {
            name: FleetTerms.of(scenario, self.one, name)
            for name in sorted(on_duty)
            if isinstance(scenario.options[name], SelfHosted | Hybrid)
        }

    def side(self, span: tuple[int, int], before: Segment | None = None) -> Side:
        """How the option begins a segment: as the one before ended, or with a warm-up that is not counted."""
        first, after = span
        if before is None:
            return Side(run=self, begins=first - self._warm_days(first), servers={}, fleets={})
        fleets = {name: fleet.continued(self.scenario, first, after) for name, fleet in before.fleets.items()}
        return Side(run=self, begins=first, servers=copy.deepcopy(before.servers), fleets=fleets)

    def booked(self, parts: list[Segment]) -> Played:
        """Book what the segments counted."""
        days = len(self.schedule.duties)
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
                played.fleet.sums["preemptions"] += fleet.preemptions
        for fleet in parts[-1].fleets.values():
            played.fleet.sums["end_backlog_calls"] += fleet.left
        return played

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

    def posts(
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

    def routed(
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
