"""The main job: every option side by side, what it costs, what it rests on, and the verdict."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from pricing.book import PriceBook, canonical
from pricing.errors import NoFeasibleOption
from simulator.domain.findings import Comparison, CostCurve, OptionSummary, PriceUsed, SimulationResult
from simulator.domain.ledger import TOKEN_LINES
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.assumptions import assumptions
from simulator.studies.breakeven import VOLUME, Costs, break_even, dial_at, steady
from simulator.studies.finance import by_month, present_value
from simulator.studies.sizing import meets_slo, missed
from simulator.studies.verdict import verdict

PER_CALL_LINES = TOKEN_LINES | {"human", "failures"}
"""Lines that grow with the calls; the rest of the recurring cost is fixed."""
STALE_DAYS = 90


def compare(scenario: Scenario) -> Comparison:
    """Run every option, compare, and say what to do.

    Raises:
        NoFeasibleOption: nothing can be bought that serves the whole horizon.
    """
    results = {name: _kept_promises(scenario, run(scenario, name)) for name in scenario.options}
    if not any(result.feasible for result in results.values()):
        reasons = "; ".join(f"{name}: {result.why_not}" for name, result in results.items())
        raise NoFeasibleOption(f"no option serves the whole horizon ({reasons})")
    summaries = {name: summary(scenario, result) for name, result in results.items()}
    costs = Costs()
    crossings = tuple(
        break_even(scenario, (scenario.baseline, name), costs=costs, results=results)
        for name in scenario.options
        if name != scenario.baseline
    )
    used = prices_used(scenario, results)
    stale = tuple(f"{price.id} ({price.age_days} days)" for price in used if price.age_days > STALE_DAYS)
    return Comparison(
        scenario_name=scenario.name,
        question=scenario.question,
        digest=scenario.digest,
        baseline=scenario.baseline,
        start=scenario.start,
        horizon_days=int(scenario.horizon_days),
        options=summaries,
        break_even=crossings,
        verdict=verdict(scenario, summaries, crossings, used, costs),
        assumptions=assumptions(scenario),
        prices_used=used,
        prices_digest=_digest(scenario),
        stale=stale,
    )


def _kept_promises(scenario: Scenario, result: SimulationResult) -> SimulationResult:
    """A fleet that misses its latency targets in its busiest hour is no choice, whatever it costs."""
    if result.fleet is None or result.why_not is not None:
        return result
    kept, served = meets_slo(scenario, result.option)
    if kept is None or served is None or kept:
        return dataclasses.replace(result, meets_slo=kept)
    why = f"it misses the latency targets in its busiest hour ({', '.join(missed(served, scenario.workload.slo))})"
    return dataclasses.replace(result, meets_slo=False, why_not=why)


def _digest(scenario: Scenario) -> str:
    """Twelve hex digits of every price the scenario is bound to, GPUs and their speeds included."""
    prices = PriceBook(prices=scenario.prices).digest
    if not scenario.gpus and not scenario.serving:
        return prices
    machines = canonical({"gpus": _plain(scenario.gpus), "serving": _plain(scenario.serving)})
    return hashlib.sha256(f"{prices} {machines}".encode()).hexdigest()[:12]


def _plain(things: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dataclasses.asdict(thing) for name, thing in sorted(things.items())}


def summary(scenario: Scenario, result: SimulationResult) -> OptionSummary:
    """The readings of one option.

    `monthly_usd` is the recurring cost a month of `hours_per_month`; `unit_usd` one more call and
    `fixed_usd_per_month` what does not grow with calls, both as if ready from the first day.
    """
    total, one_off = float(result.total_usd[0]), float(result.one_off_usd[0])
    days_per_month = scenario.hours_per_month / 24.0
    served = scenario.day_index(result.serves_until) if result.serves_until else int(scenario.horizon_days)
    months = max(served, 1) / days_per_month
    cash = result.ledger.usd()[0]
    calls = scenario.workload.calls_per_day
    near = run(
        steady(scenario, result.option), result.option, draws={VOLUME: calls * np.array([1 - 1e-3, 1.0, 1 + 1e-3])}
    )
    recurring = near.total_usd - near.one_off_usd
    growing = sum(
        (line.total_usd[1] for line in near.ledger.lines if line.line in PER_CALL_LINES or line.line == "adjust"), 0.0
    )
    more_calls = near.calls[2] - near.calls[0]
    unit = float((recurring[2] - recurring[0]) / more_calls) if more_calls else 0.0
    fixed = float(recurring[1] - growing)
    if near.fleet is not None:  # a fleet grows in part with the calls: what one more call does not explain is fixed
        fixed = float(recurring[1] - unit * near.calls[1])
    return OptionSummary(
        result=result,
        total_usd=total if result.feasible else None,
        total_until=None if result.feasible else total,
        npv_usd=present_value(cash, scenario.discount_rate),
        monthly_usd=(total - one_off) / months,
        fixed_usd_per_month=max(0.0, fixed) / months,
        unit_usd=unit,
        per_call_usd=_each(total, result.served_calls[0]),
        per_success_usd=_each(total, result.success_calls[0]),
        one_off_usd=one_off,
        recurring_usd=total - one_off,
        by_month=tuple(by_month(cash, days_per_month)),
        meets_slo=None if result.fleet is None else result.meets_slo,
    )


def _each(total: float, count: float) -> float:
    return float(total / count) if count > 0 else 0.0


def prices_used(scenario: Scenario, results: Mapping[str, SimulationResult]) -> tuple[PriceUsed, ...]:
    """Every version of a price that paid for something, with its age on the first day of the scenario."""
    paid = {line.price_version for result in results.values() for line in result.ledger.lines}
    found = []
    for _, table in sorted(scenario.prices.items()):
        for version in table.versions:
            if table.version_id(version) in paid:
                source = version.source
                typed = version.effective <= date(1970, 1, 1)
                found.append(
                    PriceUsed(
                        id=table.version_id(version),
                        price=table.id,
                        effective=version.effective,
                        recorded=version.recorded,
                        confidence=source.confidence,
                        title=source.title,
                        href=source.href,
                        age_days=0 if typed else max(0, (scenario.start - source.seen_on).days),
                    )
                )
    return tuple(found + _machines_used(scenario, paid))


def _machines_used(scenario: Scenario, paid: set[str]) -> list[PriceUsed]:
    """The same for GPUs: rents, purchases and their electricity."""
    found = []
    for table in (scenario.gpus[name] for name in sorted(scenario.gpus)):
        for version in table.versions:
            source, id = version.source, f"{table.id}@{version.effective}"
            if id not in paid:
                continue
            typed, owned = version.effective <= date(1970, 1, 1), version.owned
            unverified = owned is not None and owned.unverified
            found.append(
                PriceUsed(
                    id=id,
                    price=table.id,
                    effective=version.effective,
                    recorded=version.recorded,
                    confidence="partly unverified" if unverified else source.confidence,
                    title=source.title,
                    href=source.href,
                    age_days=0 if typed or owned else max(0, (scenario.start - source.seen_on).days),
                )
            )
    return found


def cost_curve(
    scenario: Scenario, along: str = VOLUME, low: float | None = None, high: float | None = None, points: int = 161
) -> CostCurve:
    """Monthly cost of every option along a dial, averaged over the horizon, one-offs included.

    Args:
        scenario: the question.
        along: dotted path of the dial.
        low: begin of the curve (default: the dial's range).
        high: its end.
        points: number of points.
    """
    dial = dial_at(scenario, along)
    ends = (dial.low if low is None else low, dial.high if high is None else high)
    spaced = np.geomspace if dial.scale == "log" and ends[0] > 0 else np.linspace
    x = spaced(*ends, points)
    if dial.whole:
        x = np.unique(np.round(x))
    months = scenario.horizon_days * 24.0 / scenario.hours_per_month
    usd = {name: run(scenario, name, draws={along: x}).total_usd / months for name in scenario.options}
    today = float(_read(scenario, along))
    return CostCurve(
        along=along, label=dial.label, unit=dial.unit, scale=dial.scale, today=today, x=x, usd_per_month=usd
    )


def _read(scenario: Scenario, path: str) -> float:
    node: object = scenario
    for key in path.split("."):
        node = node[key] if isinstance(node, Mapping) else getattr(node, key)
    return float(node)  # type: ignore[arg-type]
