"""The main job: every option side by side, what it costs, what it rests on, and the verdict."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pricing.book import STALE_DAYS, PriceBook, canonical
from pricing.errors import NoFeasibleOption
from pricing.table import ALWAYS
from simulator.domain.advice import Bridge
from simulator.domain.drawn import find_dial
from simulator.domain.findings import (
    Comparison,
    CostCurve,
    Engine,
    OptionSummary,
    PriceUsed,
    SimulationResult,
    Verdict,
)
from simulator.domain.options import HostedFineTuned
from simulator.domain.plan import stages
from simulator.domain.played import Runs
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.alternatives import alternatives, control
from simulator.studies.assumptions import assumptions
from simulator.studies.averages import averaged
from simulator.studies.breakeven import VOLUME, all_crossings, steady
from simulator.studies.bridge import bridge
from simulator.studies.diagnose import diagnose
from simulator.studies.draws import DRAWS
from simulator.studies.finance import by_month, present_value, served_months
from simulator.studies.probability import sample, uncertainty, worth_of_knowing
from simulator.studies.runs import joins, play, precise
from simulator.studies.sizing import kept_promises
from simulator.studies.spreads import break_even_spread, payback_spread
from simulator.studies.verdict import verdict

ALMOST_NONE = 1e-9
"""Part of the calls at which only what does not grow with them is left of a bill."""
ROUNDING = 1e-12
"""Share of a bill below which a difference is a rounding error: a fleet with room to spare takes one more call free."""
NEARBY = 1e-3
"""Relative distance on either side over which the cost of one more call is read."""


def compare(
    scenario: Scenario,
    *,
    engine: Engine = "expected",
    runs: int | range | None = None,
    seed: int = 0,
    fidelity: str | None = None,
    precision: float | None = None,
    played: Runs | None = None,
    book: PriceBook | None = None,
    draws: int = DRAWS,
    flips: bool = True,
) -> Comparison:
    """Run every option, compare, and say what to do; with ranges, every figure is the mean over draws.

    Args:
        scenario: the question.
        engine: which wing counts; of a simulation the means are compared, and the runs say how sure that is.
        runs: how many runs are simulated, or which (default: the scenario's).
        seed: of the simulation, and of the draws from ranges.
        fidelity: `aggregate` or `call` (default: the scenario's).
        precision: see `studies.runs.play`.
        played: of a simulation, runs that `studies.runs.play` has played, so that none is played here.
        book: every price there is; with it, the saving is taken apart and alternatives are priced.
        draws: number of draws, where inputs are ranges.
        flips: whether to look for what would change the choice, which takes most of the time; see `with_flips`.

    Raises:
        NoFeasibleOption: nothing can be bought that serves the whole horizon.
    """
    if engine != "simulated":
        played = None
    elif played is None:
        played = play(scenario, runs, seed=seed, fidelity=fidelity, precision=precision)
    else:
        joins(played, scenario, seed, fidelity)
    results = dict(played.mean) if played else {name: run(scenario, name) for name in scenario.options}
    results = {name: kept_promises(scenario, result) for name, result in results.items()}
    if played is not None:
        played = dataclasses.replace(played, mean=results)
    if not any(result.feasible for result in results.values()):
        reasons = "; ".join(f"{name}: {result.why_not}" for name, result in results.items())
        raise NoFeasibleOption(f"no option serves the whole horizon ({reasons})")
    drawn = sample(scenario, draws, seed) if scenario.ranges and engine == "expected" else None
    if drawn is not None:
        results = {name: averaged(results[name], drawn.results[name]) for name in results}
    summaries = {name: summary(scenario, result) for name, result in results.items()}
    pairs = [(scenario.baseline, name) for name in scenario.options if name != scenario.baseline]
    crossings, meetings = all_crossings(scenario, results=results)
    unsure = uncertainty(drawn) if drawn is not None else None
    tuned = _best(scenario, summaries, HostedFineTuned)
    model = control(scenario, results, tuned)
    diagnosed = diagnose(scenario, summaries, crossings) if scenario.diagnosis is not None else None
    used = prices_used(scenario, results)
    stale = tuple(f"{price.id} ({price.age_days} days)" for price in used if price.age_days > STALE_DAYS)
    said = verdict(
        scenario, summaries, crossings, used, unsure=unsure, control=model, diagnosed=diagnosed, look=flips
    )
    if played is not None and precision is not None and not precise(played, precision):
        short = f"The two best are not told apart to {100.0 * precision:g} % in {len(played.numbers):,} runs."
        said = dataclasses.replace(said, caveats=(short, *said.caveats))
    paid = [payback_spread(scenario, between, drawn.draws) for between in pairs] if drawn is not None else []
    return Comparison(
        scenario_name=scenario.name,
        question=scenario.question,
        digest=scenario.digest,
        baseline=scenario.baseline,
        start=scenario.start,
        horizon_days=int(scenario.horizon_days),
        options=summaries,
        break_even=crossings,
        meetings=meetings,
        verdict=said,
        assumptions=assumptions(scenario),
        prices_used=used,
        prices_digest=_digest(scenario),
        stale=stale,
        engine=engine,
        fidelity=(fidelity or scenario.simulation.fidelity) if played else None,
        seed=seed,
        played=played,
        uncertainty=unsure,
        worth=worth_of_knowing(drawn) if drawn is not None else (),
        break_even_spreads=tuple(break_even_spread(scenario, between, drawn.draws) for between in pairs)
        if drawn is not None
        else (),
        payback_spreads=tuple(one for one in paid if one is not None),
        bridge=_taken_apart(scenario, said, results) if book is not None else None,
        control=model,
        alternatives=alternatives(scenario, book, results[scenario.baseline]) if book is not None else (),
        diagnosed=diagnosed,
    )


def with_flips(scenario: Scenario, found: Comparison) -> Comparison:
    """A comparison made without them, with the volumes and the changes at which another option is the cheapest."""
    said = verdict(
        scenario, found.options, found.break_even, found.prices_used,
        unsure=found.uncertainty, control=found.control, diagnosed=found.diagnosed,
    )  # fmt: skip
    return dataclasses.replace(found, verdict=said)


def _best(scenario: Scenario, options: Mapping[str, OptionSummary], kind: type) -> str | None:
    """The cheapest feasible option of a kind."""
    able = {name: option.total_usd for name, option in options.items() if option.total_usd is not None}
    of_kind = [name for name in able if isinstance(scenario.options[name], kind)]
    return min(of_kind, key=lambda name: able[name], default=None)


def _taken_apart(scenario: Scenario, said: Verdict, results: Mapping[str, SimulationResult]) -> Bridge | None:
    """The way from the baseline to the choice, or to the runner-up where the baseline is the choice."""
    to = said.choice if said.choice != scenario.baseline else said.runner_up
    return None if to is None else bridge(scenario, (scenario.baseline, to), results)


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
    `fixed_usd_per_month` the recurring cost at almost no calls, both as if ready from the first day.
    """
    total, one_off = float(result.total_usd[0]), float(result.one_off_usd[0])
    months = served_months(scenario, result)
    cash = result.ledger.usd()[0]
    calls = scenario.workload.calls_per_day
    beside = calls * np.array([ALMOST_NONE, 1 - NEARBY, 1 + NEARBY])
    near = run(
        steady(scenario, result.option),
        result.option,
        draws={VOLUME: np.minimum(beside, find_dial(scenario, VOLUME).most)},
    )
    recurring = near.total_usd - near.one_off_usd
    more_calls, more_usd = near.calls[2] - near.calls[1], recurring[2] - recurring[1]
    unit = float(more_usd / more_calls) if more_calls and abs(more_usd) > ROUNDING * recurring[2] else 0.0
    return OptionSummary(
        result=result,
        total_usd=total if result.feasible else None,
        total_until=None if result.feasible else total,
        npv_usd=present_value(cash, scenario.discount_rate),
        monthly_usd=(total - one_off) / months,
        fixed_usd_per_month=float(recurring[0]) / months,
        unit_usd=unit,
        per_call_usd=_each(total, result.served_calls[0]),
        per_success_usd=float(total / result.success_calls[0]) if result.success_calls[0] > 0 else None,
        one_off_usd=one_off,
        recurring_usd=total - one_off,
        by_month=tuple(by_month(cash, scenario.hours_per_month / 24.0)),
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
                typed = version.effective == ALWAYS
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
            source, id = version.source, table.version_id(version)
            if id not in paid:
                continue
            typed, owned = version.effective == ALWAYS, version.owned
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
    """Monthly cost of every option along a dial, averaged over the days it serves, one-offs included.

    Args:
        scenario: the question.
        along: dotted path of the dial.
        low: begin of the curve (default: the dial's range).
        high: its end.
        points: number of points.
    """
    dial = find_dial(scenario, along)
    ends = (dial.low if low is None else low, dial.high if high is None else high)
    spaced = np.geomspace if dial.scale == "log" and ends[0] > 0 else np.linspace
    x = spaced(*ends, points)
    if dial.whole:
        x = np.unique(np.round(x))
    usd = {}
    for name in scenario.options:
        stop = stages(scenario, name)[1]
        served = scenario.horizon_days if stop is None else max(stop, 1)
        found = run(scenario, name, draws={along: x})
        full = found.ruled_out if found.ruled_out is not None else False
        usd[name] = np.where(full, np.nan, found.total_usd) / (served * 24.0 / scenario.hours_per_month)
    today = float(_read(scenario, along))
    return CostCurve(
        along=along, label=dial.label, unit=dial.unit, scale=dial.scale, today=today, x=x, usd_per_month=usd
    )


def _read(scenario: Scenario, path: str) -> float:
    node: object = scenario
    for key in path.split("."):
        node = node[key] if isinstance(node, Mapping) else getattr(node, key)
    return float(node)  # type: ignore[arg-type]
