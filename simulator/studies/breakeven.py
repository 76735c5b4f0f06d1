"""Every value of a dial at which the cheaper of two options changes.

Crossings are plural: caches with a smallest prefix, tiers and whole steps make jumps and stairs. The dial is
scanned densely, with a point on each side of every known discontinuity, and every change of sign is narrowed.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.dials import Dial
from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.findings import Answer, BreakEven, Crossing, Meeting, SimulationResult
from simulator.domain.options import HostedOption
from simulator.domain.overload import per_second
from simulator.domain.plan import concerns, ready_at_once
from simulator.domain.scenario import Scenario
from simulator.domain.usage import OVERLOADED
from simulator.run import run
from simulator.studies.payback import common_span, payback
from simulator.studies.reasons import never_reason, without_effect
from simulator.studies.scanpoints import WIDTH, scan_points
from simulator.studies.turns import BEYOND_USD, Change, Turns, turns

Array = NDArray[np.float64]
Turned = tuple[list[Change], NDArray[np.int64]]
"""Changes of sign of a difference, and its sign at every point scanned."""
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
    return _searched(scenario, pairs, (), (along, low, high), results)[0]


def all_crossings(
    scenario: Scenario, *, results: Mapping[str, SimulationResult] | None = None
) -> tuple[tuple[BreakEven, ...], tuple[Meeting, ...]]:
    """Break-evens of every option against the baseline along the volume, and where any two that serve every day meet.

    These count what is paid once. All are searched side by side; with two options there is but the break-even.

    Args:
        scenario: the question.
        results: daily results already at hand, by option name.
    """
    pairs = [(scenario.baseline, name) for name in scenario.options if name != scenario.baseline]
    able = [name for _, name in pairs if not common_span(scenario, (name, name))[1]]
    return _searched(scenario, pairs, tuple(itertools.combinations(able, 2)), (VOLUME, None, None), results)


def _searched(
    scenario: Scenario,
    pairs: Sequence[tuple[str, str]],
    beside: tuple[tuple[str, str], ...],
    asked: tuple[str, float | None, float | None],
    results: Mapping[str, SimulationResult] | None,
) -> tuple[tuple[BreakEven, ...], tuple[Meeting, ...]]:
    """What is found of pairs, and where those beside them meet, along a dial (its path and the ends asked for)."""
    along, low, high = asked
    dial = find_dial(scenario, along)
    bounds = (dial.low if low is None else low, dial.high if high is None else high)
    if not (dial.least <= bounds[0] < bounds[1] <= dial.most):
        raise InputError(
            f"{along}: from {bounds[0]:g} to {bounds[1]:g} is no range of this dial; it runs from {dial.least:g} to "
            f"{dial.most:g} {dial.unit}".rstrip()
        )
    # from every volume the same; the upper end, as a scenario of no calls is refused
    alike = with_dials(scenario, {along: bounds[1]}) if along == VOLUME else scenario
    crossed, met = _crossed(
        _Search(digest=alike.digest, pairs=tuple(pairs), beside=beside, along=along, ends=bounds, scenario=alike)
    )
    return tuple(
        _told(scenario, between, (along, dial, bounds), found, results)
        for between, found in zip(pairs, crossed, strict=True)
    ), met


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Pairs, a dial and its range: what crossings are searched for, and what those found are kept under.

    Of those `beside` nothing but where they cross over the horizon is asked. Scenarios are told apart by their digest.
    """

    digest: str
    pairs: tuple[tuple[str, str], ...]
    along: str
    ends: tuple[float, float]
    beside: tuple[tuple[str, str], ...] = ()
    scenario: Scenario = dataclasses.field(compare=False, repr=False)


@functools.lru_cache(maxsize=KEPT)
def _crossed(asked: _Search) -> tuple[tuple[Found, ...], tuple[Meeting, ...]]:
    """What is found of every pair, in their order; tuples, as all who ask the same are handed the same."""
    scenario, pairs, along = asked.scenario, asked.pairs, asked.along
    dial = find_dial(scenario, along)
    spans = {between: common_span(scenario, between) for between in (*pairs, *asked.beside)}
    points = {between: scan_points(span[0], between, along, dial, *asked.ends) for between, span in spans.items()}
    wanted = [*((between, basis) for between in pairs for basis in BASES),
              *((between, "horizon") for between in asked.beside)]
    searches = [
        (Difference(spans[between][0], between, basis), turns(points[between], dial.whole)) for between, basis in wanted
    ]
    found = dict(zip(wanted, _turned_together(along, searches), strict=True))
    limits = functools.cache(functools.partial(_limit_flags, scenario, along))  # many cross where one is full
    told = []
    for between in pairs:
        crossings = tuple(
            _crossing(between, basis, change, [*spans[between][1], *_of_both(between, limits, change.at)])
            for basis in BASES
            for change in found[between, basis][0]
        )
        crosses, signs = found[between, "horizon"]
        told.append((crossings, *_answer(signs, bool(crosses), between)))
    over_all = {between: crossed for (between, basis), crossed in found.items() if basis == "horizon"}
    able = {between: crossed for between, crossed in over_all.items() if not spans[between][1]}
    if not asked.beside:
        return tuple(told), ()
    return tuple(told), tuple(
        Meeting(crossing=one, leads=_leads(one, able))
        for between in able
        for one in (
            _crossing(between, "horizon", change, _of_both(between, limits, change.at))
            for change in able[between][0]
        )
    )


def _crossing(between: tuple[str, str], basis: Basis, change: Change, flags: Sequence[str]) -> Crossing:
    """A change of sign of challenger less reference as a crossing."""
    return Crossing(
        at=change.at,
        kind="jump" if change.jump else "root",
        basis=basis,
        below=between[0] if change.below > 0 else between[1],
        above=between[0] if change.above > 0 else between[1],
        flags=tuple(flags),
    )


def _of_both(between: tuple[str, str], limits: Callable[[str, float], list[str]], at: float) -> list[str]:
    return [flag for name in between for flag in limits(name, at)]


def _leads(crossing: Crossing, found: Mapping[tuple[str, str], Turned]) -> bool:
    """Whether the cheapest of all changes at a crossing: no other option is cheaper than either just beside it."""
    for (reference, challenger), crossed in found.items():
        for holder, above in ((crossing.below, False), (crossing.above, True)):
            other = {reference: challenger, challenger: reference}.get(holder)
            if other is None or other in (crossing.below, crossing.above):
                continue
            dearer = _sign(crossed, crossing.at, above=above)
            if (dearer if holder == challenger else -dearer) > 0:
                return False
    return True


def _sign(crossed: Turned, at: float, *, above: bool) -> int:
    """The sign of a difference just below or above a value; what turns within the width of a search turns there."""
    changes, signs = crossed
    beside = at * (1.0 + 4.0 * WIDTH if above else 1.0 - 4.0 * WIDTH)
    before = [change.above for change in changes if change.at <= beside]
    return before[-1] if before else changes[0].below if changes else int(np.sign(signs.sum()))


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
        together = common_span(scenario, between)[0]
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
) -> list[Turned]:
    """The changes of sign and the signs that every search finds, in their order.

    The searches go side by side: in each round every one asks for costs at some points, and an option that several ask
    for is run once.
    """
    found: dict[int, Turned] = {}
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


def _limit_flags(scenario: Scenario, along: str, name: str, at: float) -> list[str]:
    """What limits an option at a crossing: rate limits of a hosted one, the capacity of a fleet."""
    option = scenario.options[name]
    if not isinstance(option, HostedOption):
        return _capacity_flags(scenario, name, along, at)
    limits = (option.limits, scenario.price_on(option.price, 0).limits)
    if not any(limit.rpm is not None or limit.tpm is not None for limit in limits):
        return []
    return [f"{name}: {flag}" for flag in run(with_dials(scenario, {along: at}), name).flags if "limit is" in flag]


def _capacity_flags(scenario: Scenario, name: str, along: str, at: float) -> list[str]:
    """Whether a crossing lies where a fleet stops keeping up, rather than where two costs meet."""
    near = run(scenario, name, draws={along: np.array([at * (1.0 - 1e-3), at * (1.0 + 1e-3)])}).fleet
    if near is None or float(near.overload_share.max()) <= OVERLOADED:
        return []
    return [f"{name} serves {per_second(near.most_per_s[0])} calls a second at most, and is full there"]
