"""Every value of a dial at which the cheaper of two options changes, and when a larger one-off has paid back.

Crossings are plural: caches with a smallest prefix, tiers and whole steps make jumps and stairs. The dial is
scanned densely, with a point on each side of every known discontinuity, and every change of sign is narrowed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.dials import Dial
from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.findings import Answer, BreakEven, Crossing, Payback, SimulationResult
from simulator.domain.options import HostedOption
from simulator.domain.plan import closed_reason, concerns, ready_at_once, stages
from simulator.domain.scenario import Scenario
from simulator.domain.usage import OVERLOADED
from simulator.formats import day as spoken_day
from simulator.formats import days as spoken
from simulator.formats import share
from simulator.run import run
from simulator.studies.finance import cumulative, discounted, payback_day
from simulator.studies.reasons import never_reason, without_effect
from simulator.studies.scanpoints import scan_points
from simulator.studies.turns import BEYOND_USD, EQUAL, Change, Turns, turns

Array = NDArray[np.float64]
Basis = Literal["steady_state", "horizon"]

VOLUME = "workload.calls_per_day"
BASES: tuple[Basis, ...] = ("horizon", "steady_state")
KEPT = 64
"""Searches whose crossings a process keeps: where options cross along the volume is asked again at every volume."""
Found = tuple[tuple[Crossing, ...], Answer, str | None]
"""Of a pair: its crossings, the answer they give, and the option that is cheaper all along, if one is."""


def break_even(
    scenario: Scenario,
    between: tuple[str, str],
    along: str = VOLUME,
    low: float | None = None,
    high: float | None = None,
    *,
    results: Mapping[str, SimulationResult] | None = None,
) -> BreakEven:
    """Where two options cost the same along a dial, and when the larger one-off has paid back.

    Args:
        scenario: the question.
        between: the reference and the challenger; `always` and `never` speak of the challenger.
        along: dotted path of the dial.
        low: begin of the scan (default: the dial's range).
        high: its end.
        results: daily results already at hand, by option name.

    Raises:
        InputError: no such dial or option, or an empty range.
    """
    return break_evens(scenario, (between,), along, low, high, results=results)[0]


def break_evens(
    scenario: Scenario,
    pairs: Sequence[tuple[str, str]],
    along: str = VOLUME,
    low: float | None = None,
    high: float | None = None,
    *,
    results: Mapping[str, SimulationResult] | None = None,
) -> tuple[BreakEven, ...]:
    """The break-evens of several pairs, searched side by side: an option they share is run once for all of them."""
    dial = find_dial(scenario, along)
    bounds = (dial.low if low is None else low, dial.high if high is None else high)
    if not (dial.least <= bounds[0] < bounds[1] <= dial.most):
        raise InputError(
            f"{along}: from {bounds[0]:g} to {bounds[1]:g} is no range of this dial; it runs from {dial.least:g} to "
            f"{dial.most:g} {dial.unit}".rstrip()
        )
    # from every volume the same; the upper end, as a scenario of no calls is refused
    alike = with_dials(scenario, {along: bounds[1]}) if along == VOLUME else scenario
    crossed = _crossed(_Search(digest=alike.digest, pairs=tuple(pairs), along=along, ends=bounds, scenario=alike))
    return tuple(
        _told(scenario, between, (along, dial, bounds), found, results)
        for between, found in zip(pairs, crossed, strict=True)
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Pairs, a dial and its range: what crossings are searched for, and what those found are kept under.

    Scenarios are told apart by their digest alone.
    """

    digest: str
    pairs: tuple[tuple[str, str], ...]
    along: str
    ends: tuple[float, float]
    scenario: Scenario = dataclasses.field(compare=False, repr=False)


@functools.lru_cache(maxsize=KEPT)
def _crossed(asked: _Search) -> tuple[Found, ...]:
    """What is found of every pair, in their order; a tuple, as all who ask the same are handed the same."""
    scenario, pairs, along = asked.scenario, asked.pairs, asked.along
    dial = find_dial(scenario, along)
    spans = {between: _common_span(scenario, between) for between in pairs}
    points = {between: scan_points(span[0], between, along, dial, *asked.ends) for between, span in spans.items()}
    searches = {
        (between, basis): (Difference(spans[between][0], between, basis), turns(points[between], dial.whole))
        for between in pairs
        for basis in BASES
    }
    found = dict(zip(searches, _turned_together(along, list(searches.values())), strict=True))
    told = []
    for between in pairs:
        crossings = tuple(
            Crossing(
                at=change.at,
                kind="jump" if change.jump else "root",
                basis=basis,
                below=between[0] if change.below > 0 else between[1],
                above=between[0] if change.above > 0 else between[1],
                flags=tuple(spans[between][1] + _limit_flags(scenario, between, along, change.at)),
            )
            for basis in BASES
            for change in found[between, basis][0]
        )
        crosses, signs = found[between, "horizon"]
        told.append((crossings, *_answer(signs, bool(crosses), between)))
    return tuple(told)


def _told(
    scenario: Scenario,
    between: tuple[str, str],
    asked: tuple[str, Dial, tuple[float, float]],
    found: Found,
    results: Mapping[str, SimulationResult] | None,
) -> BreakEven:
    """What was found of a pair along a dial (its path, itself, and its range), with its reason and its payback."""
    along, dial, bounds = asked
    crossings, answer, cheaper = found
    reason = None
    if answer != "crosses":
        together = _common_span(scenario, between)[0]
        unit = "calls a day" if along == VOLUME else dial.unit
        reason = f"{between[1]} is cheaper from {bounds[0]:,.10g} to {bounds[1]:,.10g} {unit}".rstrip()
        if answer == "never":
            reason = never_reason(together, between, along, bounds)
        elif answer == "tie":
            reason = f"{between[0]} and {between[1]} cost the same all along {along}"
        if without_effect(together, between, along, bounds):
            reason = f"{along} changes nothing for the two; {reason}"
    return BreakEven(
        between=between,
        along=along,
        unit=dial.unit,
        answer=answer,
        cheaper=cheaper,
        crossings=crossings,
        reason=reason,
        payback=payback(scenario, between, results),
    )


def _answer(signs: NDArray[np.int64], crosses: bool, between: tuple[str, str]) -> tuple[Answer, str | None]:
    """The answer, and the option that is cheaper all along: `signs` are those of challenger less reference, in USD."""
    if crosses:
        return "crosses", None
    if not signs.any():
        return "tie", None
    return ("always", between[1]) if signs.sum() < 0 else ("never", between[0])


def _common_span(scenario: Scenario, between: tuple[str, str]) -> tuple[Scenario, list[str]]:
    """The scenario cut to the days on which both serve, and what to say of it."""
    flags, days = [], int(scenario.horizon_days)
    for name in between:
        if (reason := closed_reason(scenario, name)) is not None:
            flags.append(f"{name} is no choice: {reason}")
        stop = stages(scenario, name)[1]
        if stop is not None:
            day = scenario.start + timedelta(days=stop)
            flags.append(f"{name} stops serving on {day}, inside the horizon")
            days = min(days, stop)
    cut = scenario if days == scenario.horizon_days or days < 1 else with_dials(scenario, {"horizon_days": float(days)})
    return cut, flags


def steady(scenario: Scenario, name: str) -> Scenario:
    """The scenario as if an option were ready from the first day: the state its recurring cost settles in."""
    return ready_at_once(scenario, name)


class Difference(NamedTuple):
    """What a challenger costs more than a reference, in a scenario and on a basis."""

    scenario: Scenario
    between: tuple[str, str]
    basis: Basis

    def at(self, along: str, points: Array) -> tuple[Array, Array]:
        """The difference and the sum of both costs, (n,) each, at points (n,) of a dial."""
        return _differences(along, [(self, points)], {})[0]


def _turned_together(
    along: str, searches: Sequence[tuple[Difference, Turns]]
) -> list[tuple[list[Change], NDArray[np.int64]]]:
    """The changes of sign and the signs that every search finds, in their order.

    The searches go side by side: in each round every one asks for costs at some points, and an option that several ask
    for is run once.
    """
    found: dict[int, tuple[list[Change], NDArray[np.int64]]] = {}
    asked = {index: next(search) for index, (_, search) in enumerate(searches)}
    ready: dict[tuple[int, str], Scenario] = {}
    while asked:
        answers = _differences(along, [(searches[index][0], points) for index, points in asked.items()], ready)
        for index, answer in zip(list(asked), answers, strict=True):
            try:
                asked[index] = searches[index][1].send(answer)
            except StopIteration as stop:
                found[index] = stop.value
                del asked[index]
    return [found[index] for index in range(len(searches))]


def _differences(
    along: str, asked: Sequence[tuple[Difference, Array]], ready: dict[tuple[int, str], Scenario]
) -> list[tuple[Array, Array]]:
    """Of each pair of costs the difference and the sum, (n,) each, at its own points (n,) of the dial.

    Args:
        along: dotted path of the dial.
        asked: what is compared, and where.
        ready: scenarios of steady states, kept between calls by the scenario's id and the option's name.
    """
    wanted: dict[tuple[int, str], tuple[Scenario, list[Array]]] = {}
    keys = {}
    for number, (what, points) in enumerate(asked):
        for name in what.between:
            scenario = _counted_in(what, name, along, ready)
            keys[number, name] = key = id(scenario), name
            wanted.setdefault(key, (scenario, []))[1].append(points)
    costs = {
        key: _Costs(scenario, key[1], along, np.unique(np.concatenate(parts)))
        for key, (scenario, parts) in wanted.items()
    }
    found = []
    for number, (what, points) in enumerate(asked):
        reference, challenger = (costs[keys[number, name]].at(points, what.basis) for name in what.between)
        found.append((challenger - reference, np.abs(challenger) + np.abs(reference)))
    return found


def _counted_in(what: Difference, name: str, along: str, ready: dict[tuple[int, str], Scenario]) -> Scenario:
    """The scenario an option is counted in: one in which it is ready from the first day, where that is asked."""
    scenario = what.scenario
    option = scenario.options[name]
    builds = option.ready_after_days > 0 or option.until_ready is not None
    if what.basis != "steady_state" or not builds or along == f"options.{name}.ready_after_days":
        return scenario
    key = id(scenario), name
    if key not in ready:
        ready[key] = steady(scenario, name)
    return ready[key]


class _Costs:
    """What an option costs at rising points of a dial, from one run over all of them."""

    def __init__(self, scenario: Scenario, name: str, along: str, points: Array) -> None:
        self.turned, self.points = concerns(scenario, name, along), points
        self.result = run(scenario, name, draws={along: points if self.turned else points[:1]})

    def at(self, points: Array, basis: Basis) -> Array:
        """Dollars at some of the points, (n,)."""
        result = self.result
        cost = result.total_usd - (result.one_off_usd if basis == "steady_state" else 0.0)
        if result.ruled_out is not None:
            cost = np.where(result.ruled_out, BEYOND_USD, cost)
        return cost[np.searchsorted(self.points, points)] if self.turned else np.broadcast_to(cost, points.shape)


def _limit_flags(scenario: Scenario, between: tuple[str, str], along: str, at: float) -> list[str]:
    """What limits the options at a crossing: rate limits of hosted ones, the capacity of fleets."""
    flags = []
    for name in between:
        option = scenario.options[name]
        if not isinstance(option, HostedOption):
            flags += _capacity_flags(scenario, name, along, at)
            continue
        limits = (option.limits, scenario.price_on(option.price, 0).limits)
        if any(limit.rpm is not None or limit.tpm is not None for limit in limits):
            flags += [
                f"{name}: {flag}" for flag in run(with_dials(scenario, {along: at}), name).flags if "limit is" in flag
            ]
    return flags


def _capacity_flags(scenario: Scenario, name: str, along: str, at: float) -> list[str]:
    """Whether a crossing lies where a fleet stops keeping up, rather than where two costs meet."""
    near = run(scenario, name, draws={along: np.array([at * (1.0 - 1e-3), at * (1.0 + 1e-3)])}).fleet
    if near is None or float(near.overload_share.max()) <= OVERLOADED:
        return []
    return [f"{name} serves {near.most_per_s[0]:,.3g} calls a second at most, and is full there"]


def payback(
    scenario: Scenario, between: tuple[str, str], results: Mapping[str, SimulationResult] | None = None
) -> Payback:
    """When the option with the larger one-off has paid it back against the other, in cash and discounted.

    Args:
        scenario: the question.
        between: the two options.
        results: daily results already at hand, by option name.
    """
    found = {name: (results or {}).get(name) or run(scenario, name) for name in between}
    paid = {name: [found[name].ledger.spent_usd(one_off=kind)[0] for kind in (True, False)] for name in between}
    one_offs = {name: float(paid[name][0].sum()) for name in between}
    other, larger = sorted(between, key=lambda name: (one_offs[name], name == between[1]))
    flags = tuple(_common_span(scenario, between)[1])
    if one_offs[larger] <= 0:
        return Payback(days=None, date=None, reason="neither option pays anything up front", flags=flags)
    if late := [name for name in between if not found[name].keeps_up]:
        reason = f"none, as {late[0]} is no choice: {found[late[0]].why_not}"
        return Payback(days=None, date=None, reason=reason, flags=tuple(flag for flag in flags if flag not in reason))
    days = min(_served_days(scenario, name) for name in between)
    one_off, recurring = (paid[larger][kind][:days] - paid[other][kind][:days] for kind in (0, 1))
    after_one_off, by_end = cumulative(one_off, recurring)
    day = payback_day(after_one_off, by_end)
    later = _discounted(scenario, one_off, recurring, told=day.days is not None)
    more = one_offs[larger] - one_offs[other]
    spent = f"{larger} pays ${more:,.0f} more up front than {other}"
    if more <= EQUAL * one_offs[larger]:
        spent = f"{larger} and {other} pay the same ${one_offs[larger]:,.0f} up front; {larger}"
    if day.days is None:
        short = float(by_end[-1]) if len(by_end) else 0.0
        reason = f"{spent} and is still ${short:,.0f} behind after {spoken(days)}"
        return dataclasses.replace(later, reason=reason, flags=flags)
    return dataclasses.replace(
        later,
        days=day.days,
        date=_date(scenario, day.days),
        reason=f"{spent} and is level after {day.days:,.1f} days",
        flags=flags + (("fragile",) if day.fragile else ()),
    )


def _date(scenario: Scenario, days: float) -> date:
    return scenario.start + timedelta(days=math.ceil(days))


def _discounted(scenario: Scenario, one_off: Array, recurring: Array, told: bool) -> Payback:
    """The discounted part of a payback: cash of each day at its present value; that there is none is said if `told`."""
    rate = scenario.discount_rate
    if rate <= 0:
        return Payback(days=None, date=None, reason="")
    day = payback_day(*cumulative(discounted(one_off, rate), discounted(recurring, rate)))
    lead = f"discounted at {share(rate)} a year"
    if day.days is None:
        words = f"{lead} not level within {spoken(len(one_off))}" if told else None
        return Payback(days=None, date=None, reason="", discounted=words)
    when = _date(scenario, day.days)
    near = " (fragile)" if day.fragile else ""
    return Payback(
        days=None,
        date=None,
        reason="",
        discounted_days=day.days,
        discounted_date=when,
        discounted=f"{lead} level after {day.days:,.1f} days, on {spoken_day(when)}{near}",
    )


def _served_days(scenario: Scenario, name: str) -> int:
    stop = stages(scenario, name)[1]
    return int(scenario.horizon_days) if stop is None else stop
