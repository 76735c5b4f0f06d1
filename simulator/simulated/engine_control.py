"""The control plane: SimPy plays data set, training, cut-over, outages, retirement and price changes of one option.

No call is an event here. What comes out is a schedule: who serves which run on which day, in which hours the
provider is away, how many jobs were trained, and the story of the first run as a timeline.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from simulator.domain.options import HostedFineTuned, HostedOption, Hybrid, SelfHosted
from simulator.domain.plan import Stage, jobs_end, stages, training_price, version_spans
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Moment
from simulator.simulated.engine_machines import gpu_job
from simulator.simulated.outages import mark_hours, outages
from simulator.simulated.outlook import drifted, price_changes
from simulator.simulated.streams import BLOCK_RUNS, stream
from simulator.simulated.training import Process, campaign, models_to_train

Array = NDArray[np.float64]
AFTER_MIDNIGHT_H = 1e-6
"""The calendar looks this long after midnight, so that a job that ends at midnight has ended."""


OWNED = "owned/"
"""How the id of a machine of one's own begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """That an option serves at a price: `share` is 1 for the runs where it does and 0 elsewhere, (rows,)."""

    stage: Stage
    share: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A model of an option released on a day: jobs it took in each run, (rows,), none where nothing is trained.

    `price` is where they were bought, '' for jobs on GPUs.
    """

    option: str
    day: int
    price: str
    jobs: Array
    first: bool


@dataclass(slots=True)
class Schedule:
    """What the control plane hands over.

    `away` holds the share of each hour lost by option and run, `price_index` what unknown changes multiply a price by,
    by price id, each (BLOCK_RUNS, days).
    """

    duties: list[list[Duty]]
    stops: int | None
    releases: list[Release] = field(default_factory=list)
    away: dict[str, list[list[float]]] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)
    price_index: dict[str, Array] = field(default_factory=dict)

    def away_on(self, option: str, day: int) -> Array | None:
        """Share of each hour of a day in which an option does not answer, (rows, 24); None if it always does."""
        if option not in self.away:
            return None
        return np.asarray([hours[24 * day : 24 * day + 24] for hours in self.away[option]])


class Control:
    """Plays one option for one block of runs.

    Args:
        scenario: the question.
        view: the same with drawn dials as arrays of shape (BLOCK_RUNS,).
        name: the option.
        seed: of the simulation.
        block: number of the block of runs.
        told: the run of the block whose story is kept, or None.
    """

    def __init__(self, scenario: Scenario, view: Any, name: str, seed: int, block: int, told: int | None = 0) -> None:
        self.told = told
        self.scenario, self.view, self.name, self.seed, self.block = scenario, view, name, seed, block
        self.plain = scenario.options[name]
        self.option = view.options[name]
        self.plan, stops = stages(scenario, name)
        self.horizon = int(scenario.horizon_days)
        self.env = simpy.Environment()
        self.parts = parts_of(scenario, name)
        self.planned = float(min(int(self.plain.ready_after_days), self.horizon))
        self.ready = np.full(BLOCK_RUNS, self.planned)
        self.under_way = np.zeros(BLOCK_RUNS, dtype=np.int64)
        self.done = np.zeros(BLOCK_RUNS)
        self.schedule = Schedule(duties=[], stops=stops)
        self._others: dict[str, list[Stage]] = {}

    def play(self) -> Schedule:
        """Run the calendar to the end of the horizon."""
        for text, day in self._dated():
            self.env.process(self._notice(text, day))
        for name in sorted(self._serving()):
            self._start_outages(name)
        for price in sorted(self._prices()) if self.scenario.outlook else ():
            self._start_changes(price)
        for part in self.parts:
            self.env.process(self._releases(part))
        self.env.process(self._calendar())
        self.env.run(until=24.0 * self.horizon)
        self.schedule.timeline.sort(key=lambda moment: moment.day)
        return self.schedule

    def standby(self, name: str) -> list[Stage]:
        """The stages of another option, for a fallback."""
        if name not in self._others:
            self._others[name] = stages(self.scenario, name)[0]
        return self._others[name]

    def _tell(self, text: str) -> None:
        """Note what happens now to the run whose story is kept."""
        if self.told is not None and 0 <= self.env.now < 24.0 * self.horizon:
            self.schedule.timeline.append(Moment(day=int(self.env.now // 24), text=text))

    def _calendar(self) -> Process:
        """At every midnight, after all that ends then: who serves the day."""
        yield self.env.timeout(AFTER_MIDNIGHT_H)
        for day in range(self.horizon):
            today = []
            late = self.ready > day
            for stage in self._standing_in(day) if late.any() else []:
                today.append(Duty(stage=stage, share=late.astype(float)))
            for stage in self.plan:
                if stage.own and stage.first <= day < stage.after:
                    today.append(Duty(stage=stage, share=(~late).astype(float)))
            self.schedule.duties.append([duty for duty in today if duty.share.any()])
            if day and self.plain.until_ready and self.ready[self.told or 0] == day:
                self._tell(f"{self.name} takes over from {self.plain.until_ready}")
            yield self.env.timeout(24)

    def _standing_in(self, day: int) -> Iterator[Stage]:
        """The stage that serves before the cut-over; where jobs failed it goes on after the planned day."""
        for stage in self.standby(self.plain.until_ready) if self.plain.until_ready else ():
            if stage.first <= day < stage.after:
                yield Stage(option=stage.option, price=stage.price, first=stage.first, after=stage.after, own=False)

    def _releases(self, part: str) -> Process:
        """The first model, trained from the first day on; then retraining by cadence and at a change of price."""
        plain = self.scenario.options[part]
        tuned = plain if isinstance(plain, HostedFineTuned) else None
        training = plain.training if isinstance(plain, HostedFineTuned | SelfHosted) else None
        every = training.retrain_every_days if training else None
        first = True
        for stage in (stage for stage in self.plan if stage.own):
            price = training_price(tuned, stage.price if stage.moved else None) if tuned and training else ""
            for day in range(stage.first, stage.after, int(every) if every else self.horizon + 1):
                start = 0.0 if first else 24.0 * day
                yield self.env.timeout(max(0.0, start - self.env.now))
                closes = jobs_end(self.scenario, price) if price else None
                if closes is not None and self.scenario.day_index(closes) <= day and not first:
                    self.schedule.flags.append(
                        f"{price} takes no training jobs from {closes}, so the model is not retrained after"
                    )
                    break
                release = Release(option=part, day=day, price=price, jobs=np.zeros(BLOCK_RUNS), first=first)
                self.schedule.releases.append(release)
                if training is not None:
                    self._train(release)
                first = False

    def _train(self, release: Release) -> None:
        part, plain, training = release.option, self.scenario.options[release.option], self.view.options[release.option]
        training, price, day = training.training, release.price, release.day
        if release.first and plain.dataset is not None:
            self._tell("the data set is made")
        self._tell(f"training at {price or training.gpu or 'a rented GPU'} begins")
        if price:
            least = self.scenario.price_on(price, day).rules.training.min_examples
            if release.first and training.examples is not None and np.any(np.asarray(training.examples) < least):
                self.schedule.flags.append(f"a training job at {price} needs at least {least} examples")
        takes = training.job_hours if price else gpu_job(self.scenario, self.view, part).hours
        dials = [np.broadcast_to(x, (BLOCK_RUNS,)) for x in (training.runs_per_model, training.failure_rate)]
        hours = np.broadcast_to(takes, (BLOCK_RUNS,))
        for run in range(BLOCK_RUNS):
            generator = stream(self.seed, "training", day, self.block * BLOCK_RUNS + run, self.parts.index(part))
            needed = models_to_train(generator, float(dials[0][run]))
            failed = partial(self._tell, "a training job failed and is run again") if run == self.told else _silent
            ended = partial(_one_more, release.jobs, run)  # one that runs on after the horizon is not paid in it
            jobs = campaign(self.env, generator, needed, float(dials[1][run]), float(hours[run]), failed, ended)
            self.env.process(self._released(release, run, jobs))

    def _released(self, release: Release, run: int, jobs: Process) -> Process:
        """Count the jobs of one run, and put its first cut-over off while they are not done."""
        waits = release.first and self.plain.until_ready is not None
        if waits:
            self.under_way[run] += 1
            self.ready[run] = self.horizon
        yield self.env.process(jobs)
        if waits:
            self.under_way[run] -= 1
            self.done[run] = max(self.done[run], np.ceil(self.env.now / 24.0))
            if not self.under_way[run]:
                self.ready[run] = max(self.planned, self.done[run])
        if run == self.told:
            self._tell(f"the model is evaluated and released after {release.jobs[run]:.0f} jobs")

    def _start_outages(self, name: str) -> None:
        out = self.view.options[name].outages
        often, long, month = (
            np.broadcast_to(np.asarray(x, dtype=float), (BLOCK_RUNS,))
            for x in (out.per_month, out.hours, self.view.hours_per_month)
        )
        if not np.any(often * long > 0):
            return
        lost = [[0.0] * (24 * self.horizon) for _ in range(BLOCK_RUNS)]
        self.schedule.away[name] = lost
        for run in np.flatnonzero(often * long > 0).tolist():
            generator = stream(self.seed, "outages", 0, self.block * BLOCK_RUNS + run, self._provider(name))
            up = month[run] / often[run] - long[run]
            self.env.process(outages(self.env, generator, up, float(long[run]), partial(self._out, name, run)))

    def _provider(self, name: str) -> int:
        """A number for whoever runs an option: what one provider serves is away together, and nothing else with it."""
        option = self.scenario.options[name]
        served_at = option.price if isinstance(option, HostedOption) else getattr(option, "gpu", None) or OWNED
        provider = f"{OWNED}{name}" if served_at.startswith(OWNED) else served_at.partition("/")[0]
        return zlib.crc32(provider.encode())

    def _out(self, name: str, run: int, begin: float, end: float) -> None:
        mark_hours(self.schedule.away[name][run], begin, end)
        day, stops = begin // 24, self.schedule.stops
        standing_in = self.plain.until_ready is not None and day < self.ready[run]
        if run == self.told and (name != self.name) == standing_in and (stops is None or day < stops):
            self._tell(f"{name} is away for {end - begin:.1f} hours")

    def _serving(self) -> set[str]:
        """Who may be on duty: the option, and who stands in, as planned or because jobs take longer."""
        return {self.name} | ({self.plain.until_ready} if self.plain.until_ready else set())

    def _prices(self) -> set[str]:
        """Every price that may be billed: of the option, and of who stands in or takes calls over."""
        asked = self._serving()
        fallbacks = [self.scenario.options[name].fallback for name in asked]
        asked |= {fallback.to for fallback in fallbacks if fallback is not None}
        found = {stage.price for name in asked for stage in self.standby(name)} - {""}
        options = [self.scenario.options[name] for name in asked]
        return found | {training_price(option) for option in options if isinstance(option, HostedFineTuned)}

    def _billed(self, day: int) -> set[str]:
        """The prices that pay for something of the run whose story is kept, from a day on."""
        standing_in = self.plain.until_ready is not None and day < self.ready[self.told or 0]
        on_duty = {self.name, self.plain.until_ready or ""} - {""} if standing_in else {self.name}
        fallbacks = [self.scenario.options[name].fallback for name in on_duty]
        on_duty |= {fallback.to for fallback in fallbacks if fallback is not None}
        found = {stage.price for name in on_duty for stage in self.standby(name) if stage.after > day}
        return found | ({training_price(self.plain)} if isinstance(self.plain, HostedFineTuned) else set())

    def _start_changes(self, price: str) -> None:
        """Let a price change as the outlook says; every option that uses it sees the same path."""
        moves = self.view.outlook
        self.schedule.price_index[price] = drifted(self.horizon, moves.drift_per_year, BLOCK_RUNS)
        often = np.broadcast_to(np.asarray(moves.changes_per_year, dtype=float), (BLOCK_RUNS,))
        for run in np.flatnonzero(often > 0).tolist():
            part = zlib.crc32(price.encode())
            generator = stream(self.seed, "outlook", 0, self.block * BLOCK_RUNS + run, part)
            changed = partial(self._changed, price, run)
            self.env.process(price_changes(self.env, generator, float(often[run]), moves.factors, changed))

    def _changed(self, price: str, run: int, day: int, factor: float) -> None:
        self.schedule.price_index[price][run, day:] *= factor
        if run == self.told and day < self.horizon and price in self._billed(day):
            text = f"{price} changes its prices by {100 * (factor - 1):+.0f} %, unannounced"
            self.schedule.timeline.append(Moment(day=day, text=text))

    def _notice(self, text: str, day: int) -> Process:
        yield self.env.timeout(24.0 * day)
        self._tell(text)

    def _dated(self) -> Iterator[tuple[str, int]]:
        """What is known beforehand: campaigns, price changes, retirements."""
        for event in self.scenario.workload.events:
            day = self.scenario.day_index(event.from_)
            if day < self.horizon and self.scenario.day_index(event.to) > 0:
                yield f"{event.name}: calls x {event.factor:g} until {event.to}", max(day, 0)
        for stage in self.plan:
            for first, _ in version_spans(self.scenario, stage.price, stage.first, stage.after):
                if first > stage.first:
                    yield f"{stage.price} changes its prices", first
            if stage.own and stage.moved:
                yield f"{self.name} moves to {stage.price}", stage.first
        if self.schedule.stops is not None:
            yield f"{self.name} stops serving", self.schedule.stops


def parts_of(scenario: Scenario, name: str) -> tuple[str, ...]:
    """The options whose models and machines an option needs: itself, and of a hybrid both that it rests on."""
    plain = scenario.options[name]
    return (name, plain.fleet_option, plain.overflow_option) if isinstance(plain, Hybrid) else (name,)
def _one_more(counts: Array, run: int) -> None:
    counts[run] += 1


def _silent() -> None:
    """Nothing is told of the other runs."""
