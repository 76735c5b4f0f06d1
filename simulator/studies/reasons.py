"""Why an option never pays along a dial, in words, and the nearest change that would make it pay."""

from __future__ import annotations

import numpy as np

from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.options import HostedFineTuned, HostedOption
from simulator.domain.scenario import Scenario
from simulator.run import run

VOLUME = "workload.calls_per_day"


def never_reason(scenario: Scenario, between: tuple[str, str], along: str, bounds: tuple[float, float]) -> str:
    """The reason why the challenger costs more than the reference everywhere between the bounds.

    Args:
        scenario: the question, cut to the days on which both serve.
        between: the reference and the challenger.
        along: the dial that was scanned.
        bounds: the range that was scanned.
    """
    reference, challenger = between
    said = [_unit_costs(scenario, between)]
    if not _keeps_up(scenario, challenger):
        said.insert(0, f"{challenger} cannot keep up with today's calls")
    if premium := _premium(scenario, reference, challenger):
        said.append(premium)
    if (change := nearest_change(scenario, between)) is not None:
        said.append(change)
    if along != VOLUME:
        said.insert(0, f"from {bounds[0]:,.10g} to {bounds[1]:,.10g} {reference} stays cheaper")
    return "; ".join(said)


def unit_usd(scenario: Scenario, name: str) -> float:
    """Cost of one more call: the slope of the recurring cost over the calls of the horizon, ready from day one."""
    calls = scenario.workload.calls_per_day
    ready = with_dials(scenario, {f"options.{name}.ready_after_days": 0.0})
    beside = np.minimum(calls * np.array([1 - 1e-3, 1 + 1e-3]), find_dial(scenario, VOLUME).most)
    result = run(ready, name, draws={VOLUME: beside})
    cost = result.total_usd - result.one_off_usd
    return float((cost[1] - cost[0]) / (result.calls[1] - result.calls[0]))


def _keeps_up(scenario: Scenario, name: str) -> bool:
    """Whether an option serves today's calls; a fleet may be too small for them."""
    calls = scenario.workload.calls_per_day
    return bool(run(scenario, name, draws={VOLUME: np.array([calls, calls])}).feasible_draws[0])


def _unit_costs(scenario: Scenario, between: tuple[str, str]) -> str:
    reference, challenger = between
    units = {name: unit_usd(scenario, name) for name in between}
    if units[challenger] >= units[reference]:
        ratio = units[challenger] / units[reference] if units[reference] > 0 else float("inf")
        return (
            f"one more call costs ${units[challenger]:.3g} with {challenger} against ${units[reference]:.3g} with "
            f"{reference} ({ratio:.1f}x), so no volume pays for it"
        )
    saved = units[reference] - units[challenger]
    return (
        f"a call saves only ${saved:.3g}, too little for what {challenger} pays besides within this horizon and range"
    )


def _premium(scenario: Scenario, reference: str, challenger: str) -> str | None:
    """`a tuned token costs 2.0x, and the prompt shrinks by less than half`, where that is the case."""
    option, other = scenario.options[challenger], scenario.options[reference]
    if not isinstance(option, HostedFineTuned) or not isinstance(other, HostedOption):
        return None
    tuned, plain = (scenario.price_on(x.price, 0).usd_per_mtok for x in (option, other))
    if not (tuned.input and plain.input and tuned.output and plain.output):
        return None
    ratio = min(tuned.input / plain.input, tuned.output / plain.output)
    before, after = (
        x.prefix_tokens + (scenario.workload.tokens.input if x.input_tokens is None else x.input_tokens)
        for x in (other, option)
    )
    if ratio <= 1 or before <= 0:
        return None
    shrinks = 1 - after / before
    if shrinks < 1 - 1 / ratio:
        needed = f"less than the {100 * (1 - 1 / ratio):.0f} % needed"
        return f"a tuned token costs {ratio:.1f}x, and the prompt shrinks by {100 * shrinks:.0f} %, {needed}"
    return f"a tuned token costs {ratio:.1f}x, and most of what the shorter prompt saves was cached or goes into output"


def nearest_change(scenario: Scenario, between: tuple[str, str]) -> str | None:
    """The smallest change of one price or prompt, up to tenfold, that would make the challenger the cheaper one.

    Only changes that the words can state exactly are tried, so that the sentence holds to its last digit.
    """
    reference, challenger = between
    prefix = scenario.options[reference].prefix_tokens
    times = np.round(np.geomspace(1.0, 10.0, 181), 2)
    candidates = [
        (
            f"options.{challenger}.price_factor",
            scenario.options[challenger].price_factor,
            np.arange(100, 9, -1) / 100.0,
            f"the prices of {challenger} fell to {{percent:.0f}} % of today's",
        ),
        (
            f"options.{reference}.price_factor",
            scenario.options[reference].price_factor,
            times,
            f"the prices of {reference} rose to {{share:.3g}} times today's",
        ),
        (
            f"options.{reference}.prefix_tokens",
            prefix,
            np.ceil(prefix * times) / max(prefix, 1e-9),
            f"the prompt of {reference} were {{value:,.0f}} tokens long",
        ),
    ]
    best: tuple[float, str] | None = None
    for path, now, factors, words in candidates:
        if now <= 0:
            continue
        points = now * factors
        found = {name: run(scenario, name, draws={path: points}) for name in between}
        cost = {name: np.where(one.feasible_draws, one.total_usd, np.inf) for name, one in found.items()}
        pays = np.flatnonzero(np.isfinite(cost[challenger]) & (cost[challenger] <= cost[reference]))
        if len(pays) and (best is None or abs(np.log(factors[pays[0]])) < best[0]):
            factor = float(factors[pays[0]])
            said = words.format(share=factor, percent=100.0 * factor, value=now * factor)
            best = (abs(float(np.log(factor))), f"it would pay if {said}")
    return None if best is None else best[1]
