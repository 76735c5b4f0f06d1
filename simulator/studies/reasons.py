"""Why an option never pays along a dial, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.options import HostedFineTuned, HostedOption
from simulator.domain.plan import concerns, ready_at_once
from simulator.domain.scenario import Scenario
from simulator.formats import count
from simulator.run import run
from simulator.studies.nearest_change import nearest_change
from simulator.studies.scanpoints import scan_points
from simulator.studies.turns import BEYOND_USD, EQUAL, sign_changes

VOLUME = "workload.calls_per_day"
EFFECT_POINTS = 9
"""Points at which it is looked for whether a dial changes anything."""
POINTS = 101
"""Points at which it is looked for whether an option would pay without the waiting."""


def never_reason(scenario: Scenario, between: tuple[str, str], along: str, bounds: tuple[float, float]) -> str:
    """The reason why the challenger costs more than the reference everywhere between the bounds.

    Args:
        scenario: the question, cut to the days on which both serve.
        between: the reference and the challenger.
        along: the dial that was scanned.
        bounds: the range that was scanned.
    """
    reference, challenger = between
    said = [_waiting(scenario, between, along, bounds) or _unit_costs(scenario, between)]
    if not _keeps_up(scenario, challenger):
        said.insert(0, f"{challenger} cannot keep up with today's calls")
    if premium := _premium(scenario, reference, challenger):
        said.append(premium)
    if (change := nearest_change(scenario, between, along, bounds)) is not None:
        said.append(change)
    if along != VOLUME:
        said.insert(0, f"from {bounds[0]:,.10g} to {bounds[1]:,.10g} {reference} stays cheaper")
    return "; ".join(said)


def without_effect(scenario: Scenario, between: tuple[str, str], along: str, bounds: tuple[float, float]) -> bool:
    """Whether a dial changes nothing that either option costs, or whether it serves, anywhere between the bounds."""
    points = np.linspace(*bounds, EFFECT_POINTS)
    if find_dial(scenario, along).whole:
        points = np.unique(np.round(points).clip(np.ceil(bounds[0]), np.floor(bounds[1])))
    for name in between:
        if not concerns(scenario, name, along):
            continue
        found = run(scenario, name, draws={along: points})
        cost, serves = found.total_usd, found.feasible_draws
        if np.ptp(cost) > EQUAL * np.abs(cost).max() or serves.any() != serves.all():
            return False
    return True


def unit_usd(scenario: Scenario, name: str) -> float:
    """Cost of one more call: the slope of the recurring cost over the calls of the horizon, ready from day one."""
    calls = scenario.workload.calls_per_day
    ready = ready_at_once(scenario, name)
    beside = np.minimum(calls * np.array([1 - 1e-3, 1 + 1e-3]), find_dial(scenario, VOLUME).most)
    result = run(ready, name, draws={VOLUME: beside})
    cost = result.total_usd - result.one_off_usd
    return float((cost[1] - cost[0]) / (result.calls[1] - result.calls[0]))


def _keeps_up(scenario: Scenario, name: str) -> bool:
    """Whether an option serves today's calls; a fleet may be too small for them."""
    calls = scenario.workload.calls_per_day
    return bool(run(scenario, name, draws={VOLUME: np.array([calls, calls])}).feasible_draws[0])


def _waiting(scenario: Scenario, between: tuple[str, str], along: str, bounds: tuple[float, float]) -> str | None:
    """The days until the challenger is ready, where it would pay somewhere in the range if there were none."""
    reference, challenger = between
    option, dial = scenario.options[challenger], find_dial(scenario, along)
    path = f"options.{challenger}.ready_after_days"
    if option.ready_after_days <= 0 or along == path:
        return None
    ready = with_dials(scenario, {path: 0.0})

    def apart(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        cost = []
        for name in between:
            one = run(ready, name, draws={along: points})
            cost.append(np.where(one.feasible_draws, one.total_usd, BEYOND_USD))
        return cost[1] - cost[0], cost[0] + cost[1]

    changes, signs = sign_changes(apart, scan_points(ready, between, along, dial, *bounds, POINTS), dial.whole)
    if not changes and signs.sum() >= 0:
        return None
    where = "all along"
    if changes:
        ends = [count(change.at) for change in changes[:2]]
        unit = ("calls a day" if along == VOLUME else dial.unit) or f"of {along}"
        after = f"from {ends[0]} to {ends[1]} {unit}" if len(ends) > 1 else f"from {ends[0]} {unit} on"
        where = after if changes[0].below > 0 else f"below {ends[0]} {unit}"
    waiting = f"the {option.ready_after_days:g} day{'s' * (option.ready_after_days != 1)} on {option.until_ready}"
    dearer = ""
    if (stands_in := option.until_ready) is not None and stands_in != reference:
        waited, plain = unit_usd(scenario, stands_in), unit_usd(scenario, reference)
        dearer = f", where a call costs ${waited:.3g} against ${plain:.3g} with {reference}" if waited > plain else ""
    return (
        f"what keeps it dear is {waiting} until {challenger} is ready{dearer}; ready from the first day it would pay "
        f"{where}"
    )


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
