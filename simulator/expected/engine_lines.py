"""The part of the expected engine that counts what is not tokens: building, releases, machines, upkeep and people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.costs import DEFAULT_EPOCHS
from simulator.domain.options import OPS_HOURS, HostedFineTuned, Hybrid, SelfHosted
from simulator.domain.plan import jobs_end, training_price, version_spans
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Count, JobPrice, RecurringPrice, TokenPrice, Typed, Wage
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar
from simulator.expected.engine_handover import Turn
from simulator.expected.engine_machines import hardware, training_run
from simulator.expected.engine_servers import answered
from simulator.expected.engine_tokens import MTOK
from simulator.expected.training import billed_hours, billed_tokens, jobs_ended, release_days

Array = NDArray[np.float64]


class Lines:
    """Counts that are not tokens: building, releases, upkeep, hosting, people."""

    def __init__(self, scenario: Scenario, view: Any, name: str, calendar: Calendar, plan: list[Turn]) -> None:
        self.scenario, self.view, self.name, self.calendar, self.plan = scenario, view, name, calendar, plan
        self.option = view.options[name]
        plain = scenario.options[name]
        self.parts = (name, plain.fleet_option, plain.overflow_option) if isinstance(plain, Hybrid) else (name,)

    def _once(self, day: int, quantity: Any) -> Array:
        """A quantity that falls on one day, on the time axis."""
        column = self.calendar.column(quantity)
        placed = np.zeros((len(column), len(self.calendar.edges) - 1))
        period = int(np.searchsorted(self.calendar.edges, day, side="right")) - 1
        placed[:, min(period, placed.shape[1] - 1)] = column[:, 0]
        return placed

    def _days(self, first: int, after: int) -> Array:
        """Days of each period within [first, after), (1, T)."""
        edges = self.calendar.edges
        covered = np.minimum(edges[1:], after) - np.maximum(edges[:-1], first)
        days: Array = np.maximum(covered, 0).astype(float)[None, :]
        return days

    def building(self) -> Iterator[Count]:
        """What is paid on the first day: the data set, engineering, typed one-offs."""
        yield from self._bought()
        for name in self.parts:
            yield from self._building(name)

    def _building(self, name: str) -> Iterator[Count]:
        option, path = self.view.options[name], f"options.{name}"
        dataset = option.dataset
        if dataset is not None:
            examples = dataset.examples
            plain = self.scenario.options[name]
            trained = isinstance(plain, HostedFineTuned | SelfHosted) and plain.training is not None
            if examples is None and trained:
                examples = option.training.examples
            if dataset.minutes_per_example is not None:
                hours = np.asarray(examples) * dataset.minutes_per_example / 60.0
                yield self._one_off("dataset", "h", 0, hours, Wage(name=dataset.wage))
            if dataset.hours is not None:
                yield self._one_off("dataset", "h", 0, dataset.hours, Wage(name=dataset.wage))
            if dataset.usd_per_example is not None:
                yield self._typed(
                    "dataset", "example", examples, dataset.usd_per_example, f"{path}.dataset.usd_per_example"
                )
            if dataset.usd is not None:
                yield self._typed("dataset", "data set", 1.0, dataset.usd, f"{path}.dataset.usd")
        if np.any(np.asarray(option.engineering_hours) > 0):
            yield self._one_off("engineering", "h", 0, option.engineering_hours, Wage(name="engineer"))
        for label in self.scenario.options[name].one_off_usd:
            yield self._typed(label, "once", 1.0, option.one_off_usd[label], f"{path}.one_off_usd.{label}")

    def _bought(self) -> Iterator[Count]:
        """Machines of one's own, on the days they are bought and sold."""
        for name in self.parts:
            own = [turn.stage for turn in self.plan if turn.stage.own]
            if not own or not isinstance(self.scenario.options[name], SelfHosted):
                continue
            for item in hardware(self.scenario, self.view, name, own[0].first, own[-1].after):
                yield self._one_off(item.line, "GPU", item.day, item.gpus, item.basis)

    def releases(self, flags: list[str]) -> Iterator[Count]:
        """Training jobs and evaluation at every release; the first is a one-off, later ones recur."""
        for name in self.parts:
            yield from self._releases(name, flags)

    def _releases(self, name: str, flags: list[str]) -> Iterator[Count]:
        option, plain = self.view.options[name], self.scenario.options[name]
        trained = isinstance(plain, HostedFineTuned | SelfHosted) and plain.training is not None
        training = option.training if trained else None
        own = [turn.stage for turn in self.plan if turn.stage.own]
        every = None if training is None else plain.training.retrain_every_days  # type: ignore[attr-defined]
        first_release = True
        for stage in own:
            price = (
                training_price(plain, stage.price if stage.moved else None)
                if isinstance(plain, HostedFineTuned)
                else ""
            )
            for day in release_days(stage.first, stage.after, every):
                if training is not None and isinstance(plain, SelfHosted):
                    yield from self._gpu_runs(name, training, day, first_release)
                elif training is not None:
                    if first_release:
                        flags += self._too_few(training, price, day)
                    closes = jobs_end(self.scenario, price)
                    if closes is not None and self.scenario.day_index(closes) <= day and not first_release:
                        flags.append(
                            f"{price} takes no training jobs from {closes}, so the model is not retrained after"
                        )
                        break
                    yield from self._jobs(training, price, day, first_release)
                if np.any(np.asarray(option.evaluation_usd) > 0):
                    path = f"options.{name}.evaluation_usd"
                    yield self._typed("evaluation", "release", 1.0, option.evaluation_usd, path, day, first_release)
                first_release = False

    def _too_few(self, training: Any, price: str, day: int) -> Iterator[str]:
        """What to say of a training set smaller than the provider takes."""
        least = self.scenario.price_on(price, day).rules.training.min_examples
        if training.examples is not None and np.any(np.asarray(training.examples) < least):
            yield f"a training job at {price} needs at least {least} examples"

    def _hours_left(self, day: int, first: bool) -> float:
        """From the first job of a release to the end of the horizon; those of the first begin on the first day."""
        return 24.0 * (self.scenario.horizon_days - (0 if first else day))

    def _gpu_runs(self, name: str, training: Any, day: int, one_off: bool) -> Iterator[Count]:
        """The training runs of one release on GPUs."""
        run = training_run(self.scenario, self.view, name)
        jobs = jobs_ended(training.runs_per_model, training.failure_rate, run.hours, self._hours_left(day, one_off))
        yield self._one_off("training", run.unit, day, jobs * run.per_run, run.basis, one_off)

    def _jobs(self, training: Any, price: str, day: int, one_off: bool) -> Iterator[Count]:
        """The training jobs of one release, and the tokens that grade them."""
        left = self._hours_left(day, one_off)
        jobs = jobs_ended(training.runs_per_model, training.failure_rate, training.job_hours, left)
        version = self.scenario.price_on(price, day)
        rule = version.rules.training
        if training.usd is not None:
            path = f"options.{self.name}.training.usd"
            yield self._typed("training", "job", jobs, training.usd, path, day, one_off)
        elif training.hours is not None:
            hours = billed_hours(training.hours, rule.hour_decimals)
            basis = JobPrice(price=price, method=training.method, per_job=np.atleast_1d(hours), by_hour=True)
            yield self._one_off("training", "job", day, jobs, basis, one_off)
        else:
            examples = training.examples
            tokens = training.tokens if examples is None else np.asarray(examples) * training.tokens_per_example
            epochs = training.epochs
            if epochs is None and rule.epochs is not None and examples is not None:
                epochs = np.vectorize(rule.epochs.epochs, otypes=[float])(examples)
            elif epochs is None:
                epochs = DEFAULT_EPOCHS if rule.epochs is None else rule.epochs.target
            billed = billed_tokens(
                tokens, epochs, training.validation_tokens, training.evaluations, rule.validation_billed
            )
            basis = JobPrice(price=price, method=training.method, per_job=np.atleast_1d(billed / MTOK))
            yield self._one_off("training", "job", day, jobs, basis, one_off)
        if training.grader is not None:
            for meter, tokens in (("input", training.grader.input_tokens), ("output", training.grader.output_tokens)):
                grading = TokenPrice(price=training.grader.price, meter=meter)  # type: ignore[arg-type]
                yield self._one_off("training", "Mtok", day, jobs * tokens / MTOK, grading, one_off)

    def recurring(self) -> Iterator[Count]:
        """What accrues with the calendar while a stage serves, and with the calls."""
        column, hours_per_month = self.calendar.column, self.calendar.column(self.view.hours_per_month)
        for turn in self.plan:
            stage = turn.stage
            option, plain = self.view.options[stage.option], self.scenario.options[stage.option]
            months = self._days(stage.first, stage.after) * turn.share(self.calendar.edges) * 24.0 / hours_per_month
            ops = option.ops_hours_per_month
            if ops is None:
                ops = 0.0 if self.scenario.bare else OPS_HOURS[plain.kind]
            if np.any(np.asarray(ops) > 0):
                yield self._count("ops", "h", column(ops) * months, Wage(name="engineer"))
            for part in self.parts if stage.own else (stage.option,):
                yield from self._by_month(part, months)
            yield from self._rented(turn, hours_per_month)
            if isinstance(plain, HostedFineTuned) and np.any(np.asarray(option.storage_gb) > 0):
                by_size = RecurringPrice(price=stage.price, rate="storage_usd_per_gb_month")
                yield self._count("storage", "GB-month", months * column(option.storage_gb), by_size)
            if option.human is not None:
                basis = Typed(usd_per_unit=np.atleast_1d(option.human.usd), path=f"options.{stage.option}.human.usd")
                yield self._count("human", "call", self._stage_calls(turn) * column(option.human.share), basis)
            if plain.success_rate is not None and np.any(np.asarray(self.view.failure_usd) > 0):
                _, delivered = attempts(option.retries.failure_rate, option.retries.max)
                wrong = self._stage_calls(turn) * column(delivered) * (1.0 - column(option.success_rate))
                yield self._count(
                    "failures",
                    "call",
                    wrong,
                    Typed(usd_per_unit=np.atleast_1d(self.view.failure_usd), path="failure_usd"),
                )

    def _by_month(self, name: str, months: Array) -> Iterator[Count]:
        """Typed sums that accrue with the calendar."""
        for label in self.scenario.options[name].recurring_usd_per_month:
            usd = np.asarray(self.view.options[name].recurring_usd_per_month[label], dtype=float)
            path = f"options.{name}.recurring_usd_per_month.{label}"
            yield self._count(label, "month", months, Typed(usd_per_unit=np.atleast_1d(usd), path=path))

    def _rented(self, turn: Turn, hours_per_month: Array) -> Iterator[Count]:
        """Hosting by the hour and storage by the month, where a version of the price has such rates.

        A model is stored where it was trained: a training price of its own may ask for storage too.
        """
        stage, chance = turn.stage, turn.share(self.calendar.edges)
        plain = self.scenario.options[stage.option]
        if not stage.price:
            return
        trained_at = training_price(plain, stage.price) if isinstance(plain, HostedFineTuned) else stage.price
        for price in dict.fromkeys((stage.price, trained_at)):
            for first, after in version_spans(self.scenario, price, stage.first, stage.after):
                version, hours = self.scenario.price_on(price, first), self._days(first, after) * chance * 24.0
                if version.hosting_usd_per_hour is not None and price == stage.price:
                    yield self._count("hosting", "h", hours, RecurringPrice(price=price, rate="hosting_usd_per_hour"))
                if version.storage_usd_per_month is not None:
                    basis = RecurringPrice(price=price, rate="storage_usd_per_month")
                    yield self._count("storage", "month", hours / hours_per_month, basis)

    def _stage_calls(self, turn: Turn) -> Array:
        stage, calendar = turn.stage, self.calendar
        share = calendar.column(answered(self.scenario, self.view, stage, stage.first)) * turn.share(calendar.edges)
        return calendar.calls * (self._days(stage.first, stage.after) / calendar.days) * share

    def _count(self, line: str, unit: str, quantity: Array, basis: Any) -> Count:
        return Count(line=line, unit=unit, quantity=quantity, basis=basis, option=self.name)

    def _one_off(self, line: str, unit: str, day: int, quantity: Any, basis: Any, one_off: bool = True) -> Count:
        return Count(
            line=line, unit=unit, quantity=self._once(day, quantity), basis=basis, option=self.name, one_off=one_off
        )

    def _typed(
        self, line: str, unit: str, quantity: Any, usd: Any, path: str, day: int = 0, one_off: bool = True
    ) -> Count:
        return self._one_off(
            line,
            unit,
            day,
            quantity,
            Typed(usd_per_unit=np.atleast_1d(np.asarray(usd, dtype=float)), path=path),
            one_off,
        )
