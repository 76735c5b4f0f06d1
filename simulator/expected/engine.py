"""The expected wing: asks its rooms for counts and hands over an Activity; it knows no dollars."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.costs import DEFAULT_EPOCHS
from simulator.domain.drawn import Drawn, Draws
from simulator.domain.options import OPS_HOURS, HostedFineTuned
from simulator.domain.plan import Stage, closed_reason, jobs_end, stages, training_price, version_spans
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, Count, JobPrice, RecurringPrice, TokenPrice, Typed, Wage
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar, clock_changes
from simulator.expected.engine_handover import Turn, turns
from simulator.expected.engine_replayed import ReplayedCalendar
from simulator.expected.engine_tokens import MTOK, token_counts
from simulator.expected.outages import share_of_time_out
from simulator.expected.outlook import expected_index
from simulator.expected.training import billed_hours, billed_tokens, jobs_ended, release_days

Array = NDArray[np.float64]
CAPPED = "cache hits are those of calls spread over the day like demand, at the mean rate workload.cap_per_s admits"


def count(scenario: Scenario, option: str, draws: Draws, *, daily: bool) -> Activity:
    """Count everything an option does over the horizon, in expectation.

    Args:
        scenario: the question.
        option: name of the option.
        draws: dials replaced by arrays of shape (D,).
        daily: periods of one day; else as long as every price is constant (fewer, faster, the same totals).

    Raises:
        InputError: the option cannot be counted as written (a time to live that is not sold, no data set size).
    """
    planned, stops = stages(scenario, option)
    view: Any = Drawn(scenario, draws) if draws else scenario
    served_by = turns(scenario, view, option, planned)
    plan = [turn.stage for turn in served_by]
    changes = sorted(_changes(scenario, plan).union(*(turn.changes for turn in served_by)))
    by_day = daily or scenario.outlook is not None
    edges = np.arange(int(scenario.horizon_days) + 1) if by_day else np.asarray(changes)
    calendar = (Calendar if scenario.workload.replay is None else ReplayedCalendar)(scenario, view, edges)
    shape = (max([len(calendar.calls), *(len(values) for values in draws.values())]), len(edges) - 1)
    counts: list[Count] = []
    eligible, hits, served = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for turn in served_by:
        stage = turn.stage
        for first, after in itertools.pairwise(day for day in changes if stage.first <= day <= stage.after):
            span = slice(int(np.searchsorted(edges, first)), int(np.searchsorted(edges, after)))
            chance = turn.share(edges[span.start : span.stop + 1])
            for name, price, share, time in _servers(scenario, view, stage, first):
                version = scenario.price_on(price, first)
                found = token_counts(calendar, view.options[name], name, price, version, span, share, time)
                counts += [_placed(item, span, shape, chance) for item in found.counts]
                if name == stage.option:
                    eligible[:, span] += chance * found.eligible
                    hits[:, span] += chance * found.hits
            answered = calendar.column(_answered(scenario, view, stage, first))
            served[:, span] += chance * calendar.calls[:, span] * answered
    flags = list(_unserved(scenario, plan))
    lines = _Lines(scenario, view, option, calendar, served_by)
    counts += [*lines.building(), *lines.releases(flags), *lines.recurring()]
    chosen = view.options[option]
    _, delivered = attempts(chosen.retries.failure_rate, chosen.retries.max)
    return Activity(
        option=option,
        edges=edges,
        counts=tuple(counts),
        calls=calendar.calls,
        served=served,
        eligible=eligible,
        hits=hits,
        peak_per_s=calendar.peak_per_s,
        delivered_share=np.atleast_1d(delivered),
        serves_until=stops,
        why_not=closed_reason(scenario, option),
        flags=tuple(flags),
        price_index=_price_index(scenario, view),
        approximate=(CAPPED,) if scenario.workload.cap_per_s is not None and eligible.any() else (),
    )


def _price_index(scenario: Scenario, view: Any) -> dict[str, Array]:
    """What unknown changes multiply every price by on each day, on average."""
    if scenario.outlook is None:
        return {}
    moves, days = view.outlook, int(scenario.horizon_days)
    index = expected_index(days, moves.changes_per_year, scenario.outlook.mean_factor, moves.drift_per_year)
    return dict.fromkeys(scenario.prices, index)


def _changes(scenario: Scenario, plan: list[Stage]) -> set[int]:
    """Days on which a stage begins, a price or a clock it is tied to may change, and the ends of the horizon."""
    found = {0, int(scenario.horizon_days)}
    if scenario.credits and scenario.credits.until:
        found.add(min(max(scenario.day_index(scenario.credits.until), 0), int(scenario.horizon_days)))
    for stage in plan:
        fallback = scenario.options[stage.option].fallback
        served = [(stage.price, stage.first, stage.after)]
        for other in stages(scenario, fallback.to)[0] if fallback else ():
            served.append((other.price, max(other.first, stage.first), min(other.after, stage.after)))
        for price, first, after in served:
            for span in version_spans(scenario, price, first, after) if first < after else ():
                found.update(span)
                if scenario.price_on(price, span[0]).usd_per_mtok.windows:
                    found.update(clock_changes(scenario.start, scenario.workload.timezone, *span))
        for price in _training_prices(scenario, stage):
            for span in version_spans(scenario, price, stage.first, stage.after):
                found.update(span)
    return found


def _unserved(scenario: Scenario, plan: list[Stage]) -> Iterator[str]:
    """What to say of a fallback that ends before the option that relies on it."""
    for stage in plan:
        fallback = scenario.options[stage.option].fallback
        stop = stages(scenario, fallback.to)[1] if fallback else None
        if fallback is not None and stop is not None and stop < stage.after:
            day = scenario.start + timedelta(days=max(stop, stage.first))
            yield f"nothing serves the fallback of {stage.option} from {day}, when {fallback.to} has stopped"


def _training_prices(scenario: Scenario, stage: Stage) -> Iterator[str]:
    """The prices at which the option of a stage trains and grades, besides the one that serves."""
    option = scenario.options[stage.option]
    training = option.training if isinstance(option, HostedFineTuned) else None
    if training is not None and training.price is not None and training.price != stage.price:
        yield training.price
    if training is not None and training.grader is not None:
        yield training.grader.price


def _servers(scenario: Scenario, view: Any, stage: Stage, day: int) -> Iterator[tuple[str, str, Any, Any]]:
    """Who serves a stage, at which price, with which share of the calls, in which share of the time.

    The option while it answers, and its fallback: for a share of the calls then, and for all during an outage.
    """
    out = np.atleast_1d(_time_out(view, stage.option))
    yield stage.option, stage.price, 1.0, 1.0 - out
    fallback = view.options[stage.option].fallback
    if fallback is not None:
        for other in stages(scenario, fallback.to)[0]:
            if other.first <= day < other.after:
                if np.any(np.asarray(fallback.share) > 0):
                    yield other.option, other.price, fallback.share, 1.0 - out
                if np.any(out > 0):
                    yield other.option, other.price, 1.0, out


def _answered(scenario: Scenario, view: Any, stage: Stage, day: int) -> Array:
    """Share of the calls of a stage that are served: all but those lost in outages without a fallback."""
    out = np.atleast_1d(_time_out(view, stage.option))
    fallback = scenario.options[stage.option].fallback
    relieved = fallback is not None and any(
        other.first <= day < other.after for other in stages(scenario, fallback.to)[0]
    )
    return np.ones(1) if relieved else 1.0 - out


def _time_out(view: Any, option: str) -> Array:
    outages = view.options[option].outages
    return share_of_time_out(outages.per_month, outages.hours, view.hours_per_month)


def _placed(item: Count, span: slice, shape: tuple[int, int], chance: Array | float) -> Count:
    """The count on the whole time axis, as likely as it is."""
    quantity = item.quantity * chance
    whole = np.zeros((len(quantity), shape[1]))
    whole[:, span] = quantity
    return Count(line=item.line, unit=item.unit, quantity=whole, basis=item.basis, option=item.option)


class _Lines:
    """Counts that are not tokens: building, releases, upkeep, hosting, people."""

    def __init__(self, scenario: Scenario, view: Any, name: str, calendar: Calendar, plan: list[Turn]) -> None:
        self.scenario, self.view, self.name, self.calendar, self.plan = scenario, view, name, calendar, plan
        self.option = view.options[name]

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
        option, path = self.option, f"options.{self.name}"
        dataset = option.dataset
        if dataset is not None:
            examples = dataset.examples
            plain = self.scenario.options[self.name]
            if examples is None and isinstance(plain, HostedFineTuned) and plain.training is not None:
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
        for label in self.scenario.options[self.name].one_off_usd:
            yield self._typed(label, "once", 1.0, option.one_off_usd[label], f"{path}.one_off_usd.{label}")

    def releases(self, flags: list[str]) -> Iterator[Count]:
        """Training jobs and evaluation at every release; the first is a one-off, later ones recur."""
        option, plain = self.option, self.scenario.options[self.name]
        training = option.training if isinstance(plain, HostedFineTuned) and plain.training else None
        own = [turn.stage for turn in self.plan if turn.stage.own]
        every = plain.training.retrain_every_days if isinstance(plain, HostedFineTuned) and plain.training else None
        first_release = True
        for stage in own:
            price = (
                training_price(plain, stage.price if stage.moved else None)
                if isinstance(plain, HostedFineTuned)
                else ""
            )
            for day in release_days(stage.first, stage.after, every):
                if training is not None:
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
                    path = f"options.{self.name}.evaluation_usd"
                    yield self._typed("evaluation", "release", 1.0, option.evaluation_usd, path, day, first_release)
                first_release = False

    def _too_few(self, training: Any, price: str, day: int) -> Iterator[str]:
        """What to say of a training set smaller than the provider takes."""
        least = self.scenario.price_on(price, day).rules.training.min_examples
        if training.examples is not None and np.any(np.asarray(training.examples) < least):
            yield f"a training job at {price} needs at least {least} examples"

    def _jobs(self, training: Any, price: str, day: int, one_off: bool) -> Iterator[Count]:
        """The training jobs of one release, and the tokens that grade them."""
        left = 24.0 * (self.scenario.horizon_days - (0 if one_off else day))  # the first job starts on the first day
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
            for label in plain.recurring_usd_per_month:
                usd = np.asarray(option.recurring_usd_per_month[label], dtype=float)
                path = f"options.{stage.option}.recurring_usd_per_month.{label}"
                yield self._count(label, "month", months, Typed(usd_per_unit=np.atleast_1d(usd), path=path))
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

    def _rented(self, turn: Turn, hours_per_month: Array) -> Iterator[Count]:
        """Hosting by the hour and storage by the month, where a version of the price has such rates.

        A model is stored where it was trained: a training price of its own may ask for storage too.
        """
        stage, chance = turn.stage, turn.share(self.calendar.edges)
        plain = self.scenario.options[stage.option]
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
        answered = calendar.column(_answered(self.scenario, self.view, stage, stage.first)) * turn.share(calendar.edges)
        return calendar.calls * (self._days(stage.first, stage.after) / calendar.days) * answered

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
