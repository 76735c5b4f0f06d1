"""The part of the simulated engine that knows an option's machines: training runs, purchases, rent and power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.options import SelfHosted
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Basis, GpuPrice, GpuRateName, Typed
from simulator.simulated.engine_tally import Tally
from simulator.simulated.gpu_training import billed_hours, hours_of_run, speed_per_s

Array = NDArray[np.float64]
DAYS_PER_YEAR = 365.0


def owned_terms(scenario: Scenario, option: SelfHosted) -> Any:
    """What owning its card costs, or None where it is rented."""
    if option.gpu is None or option.gpu_usd_per_hour is not None:
        return None
    return scenario.gpu_on(option.gpu, option.commitment).owned


def cards_of_replica(scenario: Scenario, option: SelfHosted) -> int:
    """GPUs under one replica; a typed speed is that of one."""
    return scenario.serving[option.serving].profile.gpus_per_replica if isinstance(option.serving, str) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training run on GPUs: how long it takes, (rows,) hours, and what is billed for it."""

    hours: Array
    unit: str
    per_job: Any
    basis: Basis


def gpu_job(scenario: Scenario, view: Any, name: str) -> Job:
    """One training run of a self-hosted option, set-up included.

    A run that is typed in dollars takes no time on the calendar.
    """
    plain = scenario.options[name]
    assert isinstance(plain, SelfHosted)
    spec, drawn, path = plain.training, view.options[name].training, f"options.{name}.training"
    assert spec is not None
    if spec.usd is not None:
        return Job(hours=np.zeros(1), unit="run", per_job=1.0, basis=_typed(drawn.usd, f"{path}.usd"))
    if spec.gpu_hours is not None:
        hours = np.atleast_1d(np.asarray(drawn.gpu_hours, dtype=float))
    else:
        hours = np.atleast_1d(np.vectorize(_hours(scenario, plain), otypes=[float])(
            1.0 if spec.tokens is None else drawn.tokens,
            1.0 if spec.examples is None else drawn.examples,
            np.nan if spec.tokens_per_example is None else drawn.tokens_per_example,
            drawn.epochs,
            np.nan if spec.tokens_per_s is None else drawn.tokens_per_s,
            drawn.set_up_minutes,
        ))  # fmt: skip
    typed = spec.gpu_usd_per_hour is not None
    rate = scenario.gpu_on(spec.gpu, spec.commitment) if spec.gpu is not None else None
    owned = rate.owned if rate is not None and not typed else None
    if owned is not None:
        kwh = hours * owned.saturated_w * owned.pue / 1000.0
        return Job(
            hours=hours, unit="kWh", per_job=kwh, basis=GpuPrice(gpu=str(spec.gpu), rate="electricity_usd_per_kwh")
        )
    billed = hours
    if rate is not None:
        terms = rate.terms
        billed = np.array([billed_hours(one, terms.granularity_s, terms.min_billed_s) for one in hours.tolist()])
    rent: Basis = GpuPrice(gpu=str(spec.gpu), rate="usd_per_gpu_hour", commitment=spec.commitment)
    if typed:
        rent = _typed(drawn.gpu_usd_per_hour, f"{path}.gpu_usd_per_hour")
    return Job(hours=hours, unit="GPU-h", per_job=billed, basis=rent)


def _hours(scenario: Scenario, plain: SelfHosted) -> Any:
    """Hours of a run as a function of numbers; what is not typed is NaN."""
    spec = plain.training
    assert spec is not None

    def hours(
        tokens: float, examples: float, each: float, epochs: float, measured: float, set_up_minutes: float
    ) -> float:
        size = tokens if np.isnan(each) else examples * each
        speed = measured
        if np.isnan(measured):
            card = scenario.specs[scenario.gpus[str(spec.gpu)].gpu]
            model = scenario.models[spec.model or str(plain.serving).split("/")[2]]
            length = None if np.isnan(each) else each
            speed = speed_per_s(
                spec.method, card.bf16_tflops, model.matmul_params_b, length, spec.gradient_checkpointing
            )
        return hours_of_run(size * epochs, speed, set_up_minutes)

    return hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Cards bought or sold on a day; `gpus` is negative for what comes back, a number or (rows,)."""

    day: int
    line: str
    gpus: Any
    rate: GpuPrice


def trades(scenario: Scenario, view: Any, name: str, first: int, after: int) -> Iterator[Trade]:
    """Cards of one's own: bought on the first day of service and whenever their life ends, and sold then.

    Wear is straight-line: a card that served `w` of its life is sold for `purchase - w (purchase - residual)`.
    """
    option = scenario.options[name]
    assert isinstance(option, SelfHosted)
    owned = owned_terms(scenario, option)
    if owned is None or after <= first:
        return
    drawn = view.options[name]
    replicas = np.maximum(np.asarray(drawn.fleet.replicas.max), option.fleet.most - option.fleet.spare)
    cards = (replicas + drawn.fleet.spare) * cards_of_replica(scenario, option)
    cards = np.maximum(cards - np.asarray(drawn.existing_gpus), 0.0)
    if not np.any(cards > 0):
        return
    purchase = GpuPrice(gpu=str(option.gpu), rate="purchase")
    residual = GpuPrice(gpu=str(option.gpu), rate="residual")
    life = owned.life_years * DAYS_PER_YEAR
    bought = float(first)
    while bought < after:
        yield Trade(day=round(bought), line="hardware", gpus=cards, rate=purchase)
        worn = min(1.0, (after - bought) / life)
        sold = min(after, round(bought + life)) - 1
        yield Trade(day=sold, line="residual", gpus=-cards * worn, rate=residual)
        if worn < 1.0:
            yield Trade(day=sold, line="residual", gpus=-cards * (1.0 - worn), rate=purchase)
        bought += life


def book_machines(
    tally: Tally, scenario: Scenario, view: Any, name: str, day: int, on_duty: Any, paid_h: Array, used_h: Array,
    busy_h: Array,
) -> None:  # fmt: skip
    """A day of a fleet: rent, used and idle apart, or the electricity of what is owned, and what is rented beside it.

    Args:
        tally: where it is booked.
        scenario: whose machines they are.
        view: the same with drawn dials.
        name: the self-hosted option.
        day: the column.
        on_duty: 1 for runs in which the fleet serves that day, else 0; a number or (rows,).
        paid_h: replica-hours, (rows,), as the next two.
        used_h: of them, what the calls fill.
        busy_h: of them, with a call.
    """
    option = scenario.options[name]
    assert isinstance(option, SelfHosted)
    cards = cards_of_replica(scenario, option)
    if not isinstance(option.serving, str):
        paid_h = paid_h * option.serving.billed_share
    _book_beside(tally, view, name, option, day, on_duty, paid_h)
    used_h, busy_h = np.minimum(used_h, paid_h), np.minimum(busy_h, paid_h)
    owned = owned_terms(scenario, option)
    if owned is not None:
        watt_h = owned.idle_w * (paid_h - busy_h) + owned.light_w * busy_h
        watt_h = watt_h + (owned.saturated_w - owned.light_w) * np.minimum(used_h, busy_h)
        power = GpuPrice(gpu=str(option.gpu), rate="electricity_usd_per_kwh")
        tally.add(day, watt_h * owned.pue * cards / 1000.0, "electricity", "kWh", power, name)
        return
    if option.gpu_usd_per_hour is not None:
        rent: Basis = _typed(view.options[name].gpu_usd_per_hour, f"options.{name}.gpu_usd_per_hour")
    else:
        rent = GpuPrice(gpu=str(option.gpu), rate="usd_per_gpu_hour", commitment=option.commitment)
    tally.add(day, used_h * cards, "gpu", "GPU-h", rent, name)
    tally.add(day, (paid_h - used_h) * cards, "gpu_idle", "GPU-h", rent, name)


def _book_beside(
    tally: Tally, view: Any, name: str, option: SelfHosted, day: int, on_duty: Any, paid_h: Array
) -> None:
    """The disk of every replica for as long as it is paid, and the traffic out of days of service."""
    month_h = np.asarray(view.hours_per_month)
    disk = paid_h / month_h * np.asarray(view.options[name].disk_gb)
    out = 24.0 / month_h * np.asarray(view.options[name].egress_gb_per_month) * on_duty
    rates: tuple[tuple[str, str, Array, GpuRateName], ...] = (
        ("storage", "GB-month", disk, "storage_usd_per_gb_month"), ("egress", "GB", out, "egress_usd_per_gb"),
    )  # fmt: skip
    for line, unit, quantity, rate in rates:
        if not np.any(quantity > 0):
            continue
        if option.gpu is None:
            raise InputError(f"options.{name}: a typed rent has no price of a GB; type recurring_usd_per_month")
        basis = GpuPrice(gpu=option.gpu, rate=rate, commitment=option.commitment)
        tally.add(day, quantity, line, unit, basis, name)


def _typed(usd: Any, path: str) -> Typed:
    return Typed(usd_per_unit=np.atleast_1d(np.asarray(usd, dtype=float)), path=path)
