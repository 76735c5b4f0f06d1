"""The part of the simulated engine that books what is not tokens: building, releases, upkeep, people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.costs import DEFAULT_EPOCHS
from simulator.domain.options import OPS_HOURS, HostedFineTuned, SelfHosted
from simulator.domain.plan import training_price
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Basis, JobPrice, RecurringPrice, TokenPrice, Typed, Wage
from simulator.simulated.calls import thin
from simulator.simulated.engine_control import Duty, Release, parts_of
from simulator.simulated.engine_machines import gpu_job, trades
from simulator.simulated.engine_tally import Tally
from simulator.simulated.engine_tokens import Streams

Array = NDArray[np.float64]
MTOK = 1e6


class Books:
    """Books everything but tokens of one option into a tally."""

    def __init__(self, scenario: Scenario, view: Any, tally: Tally) -> None:
        self.scenario, self.view, self.tally = scenario, view, tally
        self.parts = parts_of(scenario, tally.option)

    def building(self, first: int = 0, after: int = 0) -> None:
        """What is paid to build it: machines of one's own, the data set, engineering, typed one-offs.

        Args:
            first: day on which it takes over.
            after: day after its last.
        """
        for name in self.parts:
            if isinstance(self.scenario.options[name], SelfHosted):
                for item in trades(self.scenario, self.view, name, first, after):
                    self.tally.add(item.day, item.gpus, item.line, "GPU", item.rate, one_off=True)
        for name in self.parts:
            self._building(name)

    def _building(self, name: str) -> None:
        option, plain = self.view.options[name], self.scenario.options[name]
        path, book = f"options.{name}", self.tally.add
        dataset = option.dataset
        if dataset is not None:
            examples = dataset.examples
            if examples is None and isinstance(plain, HostedFineTuned | SelfHosted) and plain.training is not None:
                examples = option.training.examples
            wage = Wage(name=plain.dataset.wage if plain.dataset else "annotator")
            if dataset.minutes_per_example is not None:
                book(0, np.asarray(examples) * dataset.minutes_per_example / 60, "dataset", "h", wage, one_off=True)
            if dataset.hours is not None:
                book(0, dataset.hours, "dataset", "h", wage, one_off=True)
            if dataset.usd_per_example is not None:
                each = _typed(dataset.usd_per_example, f"{path}.dataset.usd_per_example")
                book(0, examples, "dataset", "example", each, one_off=True)
            if dataset.usd is not None:
                book(0, 1.0, "dataset", "data set", _typed(dataset.usd, f"{path}.dataset.usd"), one_off=True)
        if np.any(np.asarray(option.engineering_hours) > 0):
            book(0, option.engineering_hours, "engineering", "h", Wage(name="engineer"), one_off=True)
        for label, usd in plain.one_off_usd.items():
            book(0, 1.0, label, "once", _typed(usd, f"{path}.one_off_usd.{label}"), one_off=True)

    def release(self, release: Release) -> None:
        """The jobs and the evaluation of a released model."""
        name = release.option
        plain, option = self.scenario.options[name], self.view.options[name]
        if release.price:
            self._jobs(release, option.training, f"options.{name}.training.usd")
        elif isinstance(plain, SelfHosted) and plain.training is not None:
            job = gpu_job(self.scenario, self.view, name)
            quantity = release.jobs * job.per_job
            self.tally.add(release.day, quantity, "training", job.unit, job.basis, one_off=release.first)
        if np.any(np.asarray(option.evaluation_usd) > 0):
            basis = _typed(option.evaluation_usd, f"options.{name}.evaluation_usd")
            self.tally.add(release.day, 1.0, "evaluation", "release", basis, one_off=release.first)

    def _jobs(self, release: Release, training: Any, path: str) -> None:
        rule = self.scenario.price_on(release.price, release.day).rules.training
        if training.usd is not None:
            basis: Basis = _typed(training.usd, path)
        elif training.hours is not None:
            hours = np.asarray(training.hours, dtype=float)
            size = hours if rule.hour_decimals is None else np.round(hours, rule.hour_decimals)
            basis = JobPrice(price=release.price, method=training.method, per_job=np.atleast_1d(size), by_hour=True)
        else:
            passes = self._epochs(training, rule.epochs)
            tokens = (
                np.asarray(training.tokens)
                if training.examples is None
                else np.asarray(training.examples) * training.tokens_per_example
            )
            size = tokens * passes
            if rule.validation_billed:
                size = size + training.validation_tokens * np.maximum(training.evaluations, 1.0)
            basis = JobPrice(price=release.price, method=training.method, per_job=np.atleast_1d(size / MTOK))
        day, first = release.day, release.first
        self.tally.add(day, release.jobs, "training", "job", basis, one_off=first)
        if training.grader is not None:
            graded = (("input", training.grader.input_tokens), ("output", training.grader.output_tokens))
            for meter, tokens in graded:
                price = TokenPrice(price=training.grader.price, meter=meter)  # type: ignore[arg-type]
                self.tally.add(day, release.jobs * tokens / MTOK, "training", "Mtok", price, one_off=first)

    @staticmethod
    def _epochs(training: Any, rule: Any) -> Any:
        if training.epochs is not None:
            return training.epochs
        if rule is None:
            return DEFAULT_EPOCHS
        if training.examples is None:
            return rule.target
        return np.vectorize(rule.epochs, otypes=[float])(training.examples)

    def day(self, day: int, duty: Duty, calls: Array, delivered: Array, streams: Streams) -> None:
        """What a day of service costs beside tokens.

        Args:
            day: the column.
            duty: who serves, in which runs.
            calls: of the day that are served, (rows,).
            delivered: those that came back, (rows,).
            streams: today's randomness.
        """
        name, book = duty.stage.option, self.tally.add
        option, plain = self.view.options[name], self.scenario.options[name]
        months = duty.share * 24.0 / np.ravel(self.view.hours_per_month)
        ops = option.ops_hours_per_month
        if ops is None:
            ops = 0.0 if self.scenario.bare else OPS_HOURS[plain.kind]
        if np.any(np.asarray(ops) > 0):
            book(day, ops * months, "ops", "h", Wage(name="engineer"))
        for part in self.parts if duty.stage.own else (name,):
            for label, usd in self.scenario.options[part].recurring_usd_per_month.items():
                book(day, months, label, "month", _typed(usd, f"options.{part}.recurring_usd_per_month.{label}"))
        if duty.stage.price:
            self._rented(day, duty, months)
        if option.human is not None:
            seen = thin(streams("human", 0), calls, np.asarray(option.human.share))
            book(day, seen, "human", "call", _typed(option.human.usd, f"options.{name}.human.usd"))
        if plain.success_rate is not None and np.any(np.asarray(self.view.failure_usd) > 0):
            wrong = thin(streams("wrong", 0), delivered, 1.0 - np.asarray(option.success_rate))
            book(day, wrong, "failures", "call", _typed(self.view.failure_usd, "failure_usd"))

    def _rented(self, day: int, duty: Duty, months: Array) -> None:
        """Hosting by the hour and storage by the month, where the price has such rates."""
        name, serving, book = duty.stage.option, duty.stage.price, self.tally.add
        option, plain = self.view.options[name], self.scenario.options[name]
        trained_at = training_price(plain, serving) if isinstance(plain, HostedFineTuned) else serving
        if self.scenario.price_on(serving, day).hosting_usd_per_hour is not None:
            book(day, duty.share * 24.0, "hosting", "h", RecurringPrice(price=serving, rate="hosting_usd_per_hour"))
        for price in dict.fromkeys((serving, trained_at)):  # a model is stored where it was trained, too
            if self.scenario.price_on(price, day).storage_usd_per_month is not None:
                book(day, months, "storage", "month", RecurringPrice(price=price, rate="storage_usd_per_month"))
        if isinstance(plain, HostedFineTuned) and np.any(np.asarray(option.storage_gb) > 0):
            rate = RecurringPrice(price=serving, rate="storage_usd_per_gb_month")
            book(day, months * option.storage_gb, "storage", "GB-month", rate)


def _typed(usd: Any, path: str) -> Typed:
    return Typed(usd_per_unit=np.atleast_1d(np.asarray(usd, dtype=float)), path=path)
