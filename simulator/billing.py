"""The till: the one place where counts become dollars.

Every count names what prices it. A token count is looked up in the version of the price that is in force
in its period: service level, length tier, daily window, then the meter. A job is billed per million tokens
or per hour with the provider's minimum fee. Hours of people and typed amounts carry their own rate. Then
come negotiated factors and prepaid credit, each as a line of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import NotSold
from pricing.table import MeterRates, PriceVersion
from simulator.domain.ledger import TOKEN_LINES, CostLedger, LedgerLine
from simulator.domain.plan import version_spans
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, Count, GpuPrice, JobPrice, RecurringPrice, TokenPrice, Typed, Wage

Array = NDArray[np.float64]

BOOK = (TokenPrice, RecurringPrice, JobPrice, GpuPrice)
"""What a price table prices; only these bills are negotiated down (`adjust`) and paid from credit, never wages."""


def bill(scenario: Scenario, activity: Activity, view: Any = None, draws: int = 1) -> CostLedger:
    """Price everything an engine counted for one option.

    Args:
        scenario: prices in force, wages, negotiated factors, credit.
        activity: what was counted, by draw and period.
        view: the scenario with drawn dials as arrays (default: the scenario itself).
        draws: number of draws D.

    Returns:
        The ledger, lines of shape (D, T).

    Raises:
        NotSold: a positive count on a meter for which the provider has no rate.
    """
    view = scenario if view is None else view
    periods = len(activity.edges) - 1
    lines: dict[tuple[Any, ...], LedgerLine] = {}
    booked: list[LedgerLine] = []
    for count in activity.counts:
        for line in _priced(scenario, view, activity, count, (draws, periods)):
            key = (line.line, line.unit, line.price_version, line.one_off, _unit_key(line))
            lines[key] = _added(lines.get(key), line)
            if isinstance(count.basis, BOOK):
                booked.append(line)
    adjusted = _adjustments(scenario, activity.option, booked)
    credited = _credit(scenario, activity, booked, adjusted)
    everything = tuple(lines.values()) + tuple(adjusted) + tuple(credited)
    return CostLedger(option=activity.option, edges=activity.edges, lines=everything, draws=draws)


def token_rate(version: PriceVersion, basis: TokenPrice) -> float | None:
    """USD per million tokens on a meter at a service level, length tier and daily window; None if not sold.

    A level without a cached rate bills the cached part as its input. A length tier stated for standard
    service holds for the other levels and windows in the same proportion, and so do cache writes of a level
    that lists none.

    Args:
        version: the price version in force.
        basis: meter, service level, length tier (0: below the first threshold), window, time to live of a write.

    >>> from pricing.table import Rates, Source, TierRates
    >>> from datetime import date
    >>> rates = Rates(
    ...     input=2.0, cached_input=0.5, output=8.0, batch=MeterRates(input=1.0, output=4.0),
    ...     tiers=(TierRates(above=200_000, input=4.0, output=12.0),),
    ... )
    >>> seen = Source(title="typed", seen_on=date(2026, 1, 1), confidence="verified")
    >>> sold = PriceVersion(effective=seen.seen_on, recorded=seen.seen_on, source=seen, usd_per_mtok=rates)
    >>> def rate(meter, **where):
    ...     return token_rate(sold, TokenPrice(price="mine/p", meter=meter, **where))
    >>> rate("output", band=1), rate("output", service="batch", band=1)  # 4 x 12 / 8
    (12.0, 6.0)
    >>> rate("cached_input"), rate("cached_input", service="batch"), rate("output", service="flex")
    (0.5, 1.0, None)
    """
    rates = version.usd_per_mtok
    level = rates if basis.service == "standard" else getattr(rates, basis.service)
    if level is None:
        return None
    if basis.window is not None:
        level = rates.windows[basis.window]
    rate = _meter(level, basis)
    if rate is None and basis.meter == "cached_input":
        rate = _meter(level, basis, "input")
    if rate is None and basis.meter == "cache_write" and basis.service != "standard":
        write = _meter(rates, basis)
        rate = None if write is None or not rates.input or level.input is None else write * level.input / rates.input
    if rate is None or basis.band == 0:
        return rate
    base = _meter(rates, basis)
    tier = _meter(rates.tiers[basis.band - 1], basis)
    return rate if base is None or tier is None or base == 0 else rate * tier / base


def job_usd(version: PriceVersion, basis: JobPrice) -> Array | None:
    """USD of one training job, never less than the provider's minimum fee; None if not sold.

    Args:
        version: the price version in force.
        basis: method, and the size of each job in million tokens or hours, (D,).

    Returns:
        USD a job, (D,).

    >>> from pricing.table import Rules, Source, TrainingRate, TrainingRule
    >>> from datetime import date
    >>> seen = Source(title="typed", seen_on=date(2026, 1, 1), confidence="verified")
    >>> sold = PriceVersion(
    ...     effective=seen.seen_on, recorded=seen.seen_on, source=seen,
    ...     training={"sft": TrainingRate(usd_per_mtok=3.0)}, rules=Rules(training=TrainingRule(min_usd=4.0)),
    ... )
    >>> job_usd(sold, JobPrice(price="mine/p", method="sft", per_job=np.array([1.0, 2.0]))).tolist()
    [4.0, 6.0]
    >>> job_usd(sold, JobPrice(price="mine/p", method="sft", per_job=np.array([1.0]), by_hour=True)) is None
    True
    """
    rate = version.training.get(basis.method)
    usd = None if rate is None else rate.usd_per_hour if basis.by_hour else rate.usd_per_mtok
    if usd is None:
        return None
    return np.maximum(basis.per_job * usd, version.rules.training.min_usd)


def gpu_rate(scenario: Scenario, basis: GpuPrice) -> float:
    """USD of one unit at the price of a GPU: an hour of rent, a card with its share of a host, a kWh, a GB.

    Raises:
        NotSold: the GPU is bought where rent is asked, or rented where a purchase is, or a term of its rent is unknown.
    """
    version = scenario.gpu_on(basis.gpu, basis.commitment)
    if basis.rate in ("storage_usd_per_gb_month", "egress_usd_per_gb"):
        rate: float | None = getattr(version.terms, basis.rate)
        if rate is None or version.owned is not None:
            raise NotSold(
                f"{basis.gpu} has no {basis.rate}; leave disk_gb or egress_gb_per_month out and type the sum under "
                "recurring_usd_per_month"
            )
        return rate
    if basis.rate == "usd_per_gpu_hour":
        if version.owned is not None:
            raise NotSold(f"{basis.gpu} is bought, not rented; name a rented GPU or type gpu_usd_per_hour")
        return version.usd_per_gpu_hour[basis.commitment]
    owned = version.owned
    if owned is None:
        raise NotSold(f"{basis.gpu} is rented, not bought; name one of owned/ or type it under gpus")
    if basis.rate == "purchase":
        return owned.purchase_usd + owned.host_usd
    return owned.residual_usd if basis.rate == "residual" else owned.electricity_usd_per_kwh


def _gpu_version(scenario: Scenario, basis: GpuPrice) -> str:
    return scenario.gpus[basis.gpu].version_id(scenario.gpu_on(basis.gpu, basis.commitment))


def _meter(level: MeterRates, basis: TokenPrice, meter: str | None = None) -> float | None:
    rate: float | Mapping[int, float] | None = getattr(level, meter or basis.meter)
    if isinstance(rate, Mapping):
        return None if basis.ttl_s is None else rate.get(basis.ttl_s)
    return rate


def _priced(
    scenario: Scenario, view: Any, activity: Activity, count: Count, shape: tuple[int, int]
) -> Iterable[LedgerLine]:
    """The ledger lines of one count: one for each version of its price."""
    basis, edges = count.basis, activity.edges
    quantity = np.broadcast_to(count.quantity, shape)
    if isinstance(basis, Wage):
        yield _line(count, quantity, _column(view.wages_usd_per_hour[basis.name]), f"wages_usd_per_hour.{basis.name}")
    elif isinstance(basis, Typed):
        yield _line(count, quantity, basis.usd_per_unit[:, None], basis.path)
    elif isinstance(basis, GpuPrice):
        factor = np.asarray(view.options[count.option].price_factor, dtype=float).reshape(-1, 1)
        rate = gpu_rate(scenario, basis)
        yield _line(count, quantity, rate * factor, _gpu_version(scenario, basis))
    else:
        table = scenario.prices[basis.price]
        factor = _column(view.options[count.option].price_factor)
        for first, after in version_spans(scenario, basis.price, 0, int(edges[-1])):
            inside = (edges[:-1] >= first) & (edges[:-1] < after)
            part = quantity if inside.all() else np.where(inside, quantity, 0.0)
            if not part.any():
                continue
            version = scenario.price_on(basis.price, first)
            usd = _book_rate(version, basis)
            if usd is None:
                raise NotSold(_not_sold(basis, activity.option, table.version_id(version)))
            index = 1.0 if isinstance(basis, JobPrice) else activity.price_index.get(basis.price, 1.0)
            yield _line(count, part, usd * factor * index, table.version_id(version))


def _column(value: Any) -> Array:
    """A number or one value a draw, ready to broadcast over periods."""
    return np.asarray(value, dtype=float).reshape(-1, 1)


def _book_rate(version: PriceVersion, basis: TokenPrice | RecurringPrice | JobPrice) -> Any:
    if isinstance(basis, TokenPrice):
        return token_rate(version, basis)
    if isinstance(basis, RecurringPrice):
        return getattr(version, basis.rate)
    job = job_usd(version, basis)
    return None if job is None else job[:, None]


def _not_sold(basis: TokenPrice | RecurringPrice | JobPrice, option: str, version: str) -> str:
    if isinstance(basis, TokenPrice):
        ttl = f" for {basis.ttl_s} s" if basis.ttl_s is not None else ""
        level = "" if basis.service == "standard" else f"{basis.service} "
        return f"options.{option}: {version} has no {level}{basis.meter} rate{ttl}; choose another service or price"
    if isinstance(basis, RecurringPrice):
        return f"options.{option}: {version} has no {basis.rate}; leave it out or choose another price"
    unit = "hour" if basis.by_hour else "token"
    return (
        f"options.{option}: {version} sells no {basis.method} training by the {unit}; name another training.price "
        "or training.method, or type training.usd"
    )


def _line(count: Count, quantity: Array, rate: Any, version: str) -> LedgerLine:
    return LedgerLine(
        line=count.line,
        quantity=quantity,
        unit=count.unit,
        usd=quantity * rate,
        price_version=version,
        one_off=count.one_off,
    )


def _unit_key(line: LedgerLine) -> float:
    """Lines of one key share one unit price, so that quantity x price stays readable."""
    quantity = line.quantity[0].sum()
    return float(f"{line.usd[0].sum() / quantity:.10g}") if quantity else 0.0


def _added(before: LedgerLine | None, line: LedgerLine) -> LedgerLine:
    if before is None:
        return line
    return dataclasses.replace(line, quantity=before.quantity + line.quantity, usd=before.usd + line.usd)


def _adjustments(scenario: Scenario, option: str, booked: list[LedgerLine]) -> list[LedgerLine]:
    """Negotiated factors, one after the other, each as the difference it makes; `tokens` names all token lines."""
    left = [line.usd for line in booked]
    found: list[LedgerLine] = []
    for item in scenario.adjust:
        if item.on and option not in item.on:
            continue
        wanted = {name for key in item.lines for name in (TOKEN_LINES if key == "tokens" else {key})}
        for one_off in (False, True):
            change: Any = 0.0
            for index, line in enumerate(booked):
                if line.one_off == one_off and (not wanted or line.line in wanted):
                    change = change + left[index] * (item.factor - 1.0)
                    left[index] = left[index] * item.factor
            if isinstance(change, np.ndarray) and change.any():
                found.append(_extra(change, f'adjust "{item.label}"', one_off))
    return found


def _credit(
    scenario: Scenario, activity: Activity, booked: list[LedgerLine], adjusted: list[LedgerLine]
) -> list[LedgerLine]:
    """Prepaid credit pays book prices, one-offs too, from the first day until it is used up or on `until`, exclusive.

    It is one recurring line: a one-off paid from credit stays a one-off, and the credit is what comes back.
    """
    credit = scenario.credits
    if credit is None or credit.usd == 0 or not booked:
        return []
    due = sum(line.usd for line in [*booked, *adjusted])
    if credit.until is not None:
        due = np.where(activity.edges[:-1] < scenario.day_index(credit.until), due, 0.0)
    paid = np.diff(np.minimum(np.cumsum(due, axis=1), credit.usd), axis=1, prepend=0.0)
    return [_extra(-paid, "credit", False)]


def _extra(usd: Array, label: str, one_off: bool) -> LedgerLine:
    return LedgerLine(line="adjust", quantity=usd, unit="USD", usd=usd, price_version=label, one_off=one_off)
