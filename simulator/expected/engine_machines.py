"""The part of the expected engine that counts machines: rent or purchase, power, training runs, and what overflows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.fleet import Capacity
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Count, FleetUse, GpuPrice, GpuRateName, Typed
from simulator.expected.engine_calendar import Calendar
from simulator.expected.engine_fleet import FleetHours
from simulator.expected.gpu_training import rented_hours, run_hours, tokens_per_s

Array = NDArray[np.float64]
DAYS_PER_YEAR = 365.0
NEARLY_FULL = 0.7
"""Share of what a fleet serves at most from which on an error of that may turn an hour into one beyond it."""
SUMS = (
    "paid_hours", "used_hours", "busy_hours", "calls", "overload_calls", "overflow_calls", "end_backlog_calls",
)  # fmt: skip
MAXIMA, TIMES = ("most_per_s", "backlog_s"), ("ttft_s", "tpot_s", "e2e_s")
RATES: tuple[GpuRateName, GpuRateName] = ("purchase", "residual")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetServed:
    """What a fleet counts over a span, how it did, and which option takes which share of the calls besides.

    `doubtful`: it is nearly full, and what it serves at most is out of the domain of the law.
    """

    counts: list[Count]
    use: FleetUse
    overflow_option: str = ""
    overflow_share: Any = 0.0
    doubtful: bool = False


def served_by_fleet(
    scenario: Scenario, view: Any, calendar: Calendar, name: str, stage_option: str, span: slice, alone: bool
) -> FleetServed | None:
    """The machines of an option over a span of periods, or None where it has none.

    Args:
        scenario: the question.
        view: the same with drawn dials as arrays.
        calendar: calls by period.
        name: the option that serves.
        stage_option: the option whose stage it is; a fallback is hosted.
        span: periods.
        alone: whether there are no draws, so that latency and backlog are worth their time.
    """
    plain = scenario.options[name]
    if name != stage_option or not isinstance(plain, SelfHosted | Hybrid):
        return None
    if isinstance(plain, SelfHosted):
        hours = FleetHours(scenario, calendar, name, view.options[name], span)
        if alone:
            check_fits(name, hours)
        use = hours.use(latency=alone)
        doubtful = alone and hours.out_of_domain and bool(hours.hourly(0).max() >= NEARLY_FULL * use.most_per_s[0])
        return FleetServed(counts=list(_machines(scenario, name, hours)), use=use, doubtful=doubtful)
    above = view.options[name].overflow_above
    hours = FleetHours(scenario, calendar, plain.fleet_option, view.options[plain.fleet_option], span, above)
    use = hours.use(latency=False)
    share = np.divide(use.overflow_calls, use.calls, out=np.zeros_like(use.calls), where=use.calls > 0)
    return FleetServed(
        counts=list(_machines(scenario, plain.fleet_option, hours)),
        use=use,
        overflow_option=plain.overflow_option,
        overflow_share=share,
    )


def check_fits(name: str, hours: FleetHours) -> None:
    """Refuse calls of which not even a mean one fits into the model's context and the KV cache.

    Raises:
        InputError: with the arithmetic.
    """
    if isinstance(hours.serving, Capacity):
        return
    lengths = hours.of_call(0)
    shared = lengths.prefix if hours.plain.prefix_caching else 0.0
    own = lengths.prefix - shared + lengths.input + lengths.output
    if (reason := hours.serving.why_too_long(shared, own)) is not None:
        raise InputError(f"options.{name}: {reason}")


def _machines(scenario: Scenario, name: str, hours: FleetHours) -> Iterator[Count]:
    """Rent, used and idle apart, or the electricity of what is owned."""
    option = hours.plain
    gpus = gpus_per_replica(scenario, option)
    billed = hours.serving.billed_share if isinstance(hours.serving, Capacity) else 1.0
    paid = hours.paid * billed
    used = np.minimum(hours.used, paid)
    if owned := ownership(scenario, option):
        busy = np.minimum(hours.busy, paid)
        kwh = owned.idle_w * (paid - busy) + owned.light_w * busy + (owned.saturated_w - owned.light_w) * used
        basis = GpuPrice(gpu=str(option.gpu), rate="electricity_usd_per_kwh")
        yield _count("electricity", "kWh", kwh * gpus * owned.pue / 1000.0, basis, name)
        yield from _beside(hours, name, paid)
        return
    for line, quantity in (("gpu", used), ("gpu_idle", paid - used)):
        yield _count(line, "GPU-h", quantity * gpus, rent(hours.view, option, f"options.{name}"), name)
    yield from _beside(hours, name, paid)


def _beside(hours: FleetHours, name: str, paid: Array) -> Iterator[Count]:
    """The disk rented with every replica, for as long as it is, and the traffic out, where they are asked for."""
    option, column = hours.plain, hours.calendar.column
    months = hours.calendar.days[:, hours.span] * 24.0 / column(hours.calendar.scenario.hours_per_month)
    disk = paid / column(hours.calendar.scenario.hours_per_month) * column(hours.view.disk_gb)
    out = months * column(hours.view.egress_gb_per_month)
    for line, unit, quantity, rate in (
        ("storage", "GB-month", disk, "storage_usd_per_gb_month"),
        ("egress", "GB", out, "egress_usd_per_gb"),
    ):
        if not np.any(quantity > 0):
            continue
        if option.gpu is None:
            raise InputError(f"options.{name}: a typed rent has no price of a GB; type recurring_usd_per_month")
        basis = GpuPrice(gpu=option.gpu, rate=rate, commitment=option.commitment)  # type: ignore[arg-type]
        yield _count(line, unit, quantity, basis, name)


def gpus_per_replica(scenario: Scenario, option: SelfHosted) -> int:
    """Cards under one replica; a typed speed is that of one."""
    return scenario.serving[option.serving].profile.gpus_per_replica if isinstance(option.serving, str) else 1


def ownership(scenario: Scenario, option: SelfHosted) -> Any:
    """What owning its GPU costs, or None where it is rented."""
    if option.gpu is None or option.gpu_usd_per_hour is not None:
        return None
    return scenario.gpu_on(option.gpu, option.commitment).owned


def rent(view: Any, option: SelfHosted, path: str) -> GpuPrice | Typed:
    """What prices a GPU-hour: the typed rent, else the book."""
    if option.gpu_usd_per_hour is not None:
        return Typed(usd_per_unit=np.atleast_1d(view.gpu_usd_per_hour), path=f"{path}.gpu_usd_per_hour")
    return GpuPrice(gpu=str(option.gpu), rate="usd_per_gpu_hour", commitment=option.commitment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """GPUs bought or sold again on a day: the line, how many, and what prices one."""

    line: str
    day: int
    gpus: Any
    basis: GpuPrice


def hardware(scenario: Scenario, view: Any, name: str, first: int, after: int) -> Iterator[Bought]:
    """Cards bought on the first day of service and again at the end of their life, and what they fetch.

    On the last day a card is worth its purchase less what straight-line wear has taken towards its residual.
    """
    option = scenario.options[name]
    assert isinstance(option, SelfHosted)
    owned = ownership(scenario, option)
    if owned is None or after <= first:
        return
    fleet, drawn = option.fleet, view.options[name]
    most = np.maximum(np.asarray(drawn.fleet.replicas.max), fleet.most - fleet.spare) + np.asarray(drawn.fleet.spare)
    gpus = np.maximum(most * gpus_per_replica(scenario, option) - np.asarray(drawn.existing_gpus), 0.0)
    if not np.any(gpus > 0):
        return
    purchase, residual = (GpuPrice(gpu=str(option.gpu), rate=rate) for rate in RATES)
    day, life_days = float(first), owned.life_years * DAYS_PER_YEAR
    while day < after:
        yield Bought(line="hardware", day=round(day), gpus=gpus, basis=purchase)
        ends = day + life_days
        worn = min((after - day) / life_days, 1.0)
        sold = min(round(ends), after) - 1
        yield Bought(line="residual", day=sold, gpus=-gpus * worn, basis=residual)
        if worn < 1.0:
            yield Bought(line="residual", day=sold, gpus=-gpus * (1.0 - worn), basis=purchase)
        day = ends


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """One run on GPUs: the hours it takes, what is billed for it (GPU-hours, kWh, or a sum), and what prices that."""

    hours: Any
    unit: str
    per_run: Any
    basis: GpuPrice | Typed


def training_run(scenario: Scenario, view: Any, name: str) -> TrainingRun:
    """How many GPU-hours one training run of an option takes, set-up included; one typed in dollars takes none."""
    plain = scenario.options[name]
    assert isinstance(plain, SelfHosted)
    assert plain.training is not None
    spec, training, path = plain.training, view.options[name].training, f"options.{name}.training"
    if spec.usd is not None:
        basis = Typed(usd_per_unit=np.atleast_1d(np.asarray(training.usd, dtype=float)), path=f"{path}.usd")
        return TrainingRun(hours=0.0, unit="run", per_run=1.0, basis=basis)
    if spec.gpu_hours is not None:
        hours = np.asarray(training.gpu_hours, dtype=float)
    else:
        size = training.tokens if spec.examples is None else np.asarray(training.examples) * training.tokens_per_example
        speed = training.tokens_per_s
        if spec.tokens_per_s is None:
            card = scenario.specs[scenario.gpus[str(spec.gpu)].gpu]
            model = spec.model or str(plain.serving).split("/")[2]
            speed = tokens_per_s(
                spec.method,
                card.bf16_tflops,
                scenario.models[model].matmul_params_b,
                training.tokens_per_example,
                spec.gradient_checkpointing,
            )
        hours = run_hours(np.asarray(size) * np.asarray(training.epochs), speed, training.set_up_minutes)
    book = None if spec.gpu is None else scenario.gpu_on(spec.gpu, spec.commitment)
    if spec.gpu_usd_per_hour is None and book is not None and book.owned is not None:
        # one's own card trains at the price of its power
        kwh = hours * book.owned.saturated_w * book.owned.pue / 1000.0
        power = GpuPrice(gpu=str(spec.gpu), rate="electricity_usd_per_kwh")
        return TrainingRun(hours=hours, unit="kWh", per_run=kwh, basis=power)
    billed = hours if book is None else rented_hours(hours, book.terms.granularity_s, book.terms.min_billed_s)
    if spec.gpu_usd_per_hour is not None:
        rate = np.atleast_1d(np.asarray(training.gpu_usd_per_hour, dtype=float))
        typed = Typed(usd_per_unit=rate, path=f"{path}.gpu_usd_per_hour")
        return TrainingRun(hours=hours, unit="GPU-h", per_run=billed, basis=typed)
    rented = GpuPrice(gpu=str(spec.gpu), rate="usd_per_gpu_hour", commitment=spec.commitment)
    return TrainingRun(hours=hours, unit="GPU-h", per_run=billed, basis=rented)


def as_likely(use: FleetUse, chance: Array) -> FleetUse:
    """The account of a span in which the fleet serves with a chance, (D,); how fast and how late stay what they are."""
    if np.all(chance == 1.0):
        return use
    return dataclasses.replace(use, **{name: getattr(use, name) * chance for name in SUMS})


def together(uses: list[FleetUse]) -> FleetUse | None:
    """The account of several spans of one fleet as one; latency is the mean over calls."""
    if len(uses) < 2:
        return uses[0] if uses else None

    def stacked(name: str) -> Array:  # a span in which the fleet serves for certain may be one row, others D
        return np.stack(np.broadcast_arrays(*(getattr(use, name) for use in uses)))

    calls = stacked("calls")
    sums = {field.name: stacked(field.name).sum(axis=0) for field in dataclasses.fields(FleetUse)}
    for name in MAXIMA:
        sums[name] = stacked(name).max(axis=0)
    for name in TIMES:
        sums[name] = np.sum(stacked(name) * calls, axis=0) / np.maximum(calls.sum(axis=0), 1e-300)
    return FleetUse(**sums)


def _count(line: str, unit: str, quantity: Array, basis: Any, option: str) -> Count:
    return Count(line=line, unit=unit, quantity=quantity, basis=basis, option=option)
