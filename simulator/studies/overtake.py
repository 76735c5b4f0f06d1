"""Where another option becomes the cheapest, said with a round number at which it is true when typed in.

A bill that rises in stairs (cache increments, length tiers) can cross another one many times within a few
percent. So a dial is scanned outwards from where it stands; the nearest stretch over which one and the same
other option is the cheapest is narrowed, its ends are rounded into it, and what is said holds at the number
said and at every point scanned from there to the end of the stretch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import find_dial, value_at, with_dials
from simulator.domain.findings import SimulationResult
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.plan import concerns
from simulator.domain.scenario import Scenario
from simulator.domain.workload import Slo
from simulator.run import run
from simulator.studies.scanpoints import scan_points
from simulator.studies.sizing import kept_promises

Array = NDArray[np.float64]
Basis = Literal["money", "with_quality"]
"""Whether wrong answers cost; either is undiscounted cash over the horizon."""

POINTS = 241
"""Scan points on either side of today, besides the known discontinuities."""
PARTS = 128
"""Parts into which the end of a stretch is cut."""
HALVINGS = 6
"""Of the distance between an end that is not true as typed in and one that is."""
NARROW = 1.1
"""Stretches whose ends are not this factor apart are a step of a staircase, not an answer: nobody hits them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Values of a dial, the nearer and the farther end from today, over which `to` is the cheapest.

    `open` tells that the stretch reaches the end of the scan.
    """

    to: str
    near: float
    far: float
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """The cheapest option at every point of a dial, from where it stands outwards."""

    along: str
    points: Array
    won: list[str]

    @property
    def today(self) -> float:
        """Where the dial stands."""
        return float(self.points[0])

    def first_other(self, choice: str) -> float:
        """How far out, as a log ratio, another option first wins; infinite where none does."""
        others = (at for at, name in zip(self.points, self.won, strict=True) if name != choice)
        return abs(math.log(next(others, math.inf) / self.today))


def scans(scenario: Scenario, asked: Sequence[tuple[str, float]], basis: Basis) -> list[Scan]:
    """Scans of dials from where they stand to an end each, every option run once for all of them.

    Args:
        scenario: the question.
        asked: dotted path of a dial that stands above zero, and where its scan ends, above or below.
        basis: whether wrong answers cost.

    Returns:
        The scans in order, without those that have no length within the bounds of their dial.
    """
    lines = [(along, points) for along, end in asked if (points := _outwards(scenario, along, end)) is not None]
    if not lines:
        return []
    ends = np.cumsum([0, *(len(points) for _, points in lines)])
    today = {along: value_at(scenario, along) for along, _ in lines}
    names = sorted(scenario.options, key=lambda name: name != scenario.baseline)
    usd = np.empty((len(names), ends[-1]))
    for row, name in enumerate(names):
        moved = [index for index, (along, _) in enumerate(lines) if concerns(scenario, name, along)]
        paths = dict.fromkeys(lines[index][0] for index in moved) or {lines[0][0]: None}
        size = 1 + sum(len(lines[index][1]) for index in moved)
        draws = {path: np.full(size, today[path]) for path in paths}  # the last draw is today's
        first = 0
        for index in moved:
            along, points = lines[index]
            draws[along][first : first + len(points)] = points
            first += len(points)
        cost = _cost(run(scenario, name, draws=draws), basis)
        usd[row] = cost[-1]
        first = 0
        for index in moved:
            after = first + len(lines[index][1])
            usd[row, ends[index] : ends[index + 1]] = cost[first:after]
            first = after
    best = [names[index] for index in np.argmin(usd, axis=0)]
    return [
        Scan(along=along, points=points, won=best[ends[i] : ends[i + 1]]) for i, (along, points) in enumerate(lines)
    ]


def _outwards(scenario: Scenario, along: str, end: float) -> Array | None:
    """Points of a dial from where it stands to an end; None where there is no way to go."""
    dial, today = find_dial(scenario, along), value_at(scenario, along)
    end = min(max(end, dial.least), dial.most)
    low, high = sorted((today, end))
    if not 0 < low < high:
        return None
    points = scan_points(scenario, tuple(scenario.options), along, dial, low, high, POINTS)
    return points[::-1] if end < today else points


def stretch(
    scenario: Scenario, choice: str, scan: Scan, *, basis: Basis, digits: int = 3, narrow: float = NARROW
) -> Stretch | None:
    """The nearest stretch of a scan over which one other option wins.

    Args:
        scenario: the question.
        choice: the option that wins today.
        scan: of the dial, outwards from today.
        basis: whether wrong answers cost.
        digits: significant digits of the ends that are said, relative to today for a price factor.
        narrow: stretches whose ends are less than this factor apart are passed over.

    Returns:
        The stretch, its ends rounded into it; None where `choice` stays or never was the cheapest.
    """
    along, points, won, today, end = scan.along, scan.points, scan.won, scan.today, float(scan.points[-1])
    if won[0] != choice:
        return None
    starts = [0, *(index for index in range(1, len(won)) if won[index] != won[index - 1]), len(won)]
    for first, after in itertools.pairwise(starts):
        to = won[first]
        if to == choice:
            continue
        near = _inside(scenario, along, points[first - 1], points[first], to, basis)
        closed = after < len(won)
        far = _inside(scenario, along, points[after], points[after - 1], to, basis) if closed else float(points[-1])
        unit = today if along.endswith("price_factor") else 1.0
        near = unit * _rounded(near / unit, digits, up=end > today)
        if closed:
            far = unit * _rounded(far / unit, digits, up=end < today)
        held = _held(scenario, along, near, far, to, basis, unit)
        if held is None:
            continue
        closed, near, far = closed or held[1] != far, *held
        outward = far / near if end > today else near / far
        if outward < narrow or near == today:
            continue
        if _winners(scenario, along, np.array([near, far]), basis) == [to, to]:
            return Stretch(to=to, near=near, far=far, open=not closed)
    return None


def _held(
    scenario: Scenario, along: str, near: float, far: float, to: str, basis: Basis, unit: float
) -> tuple[float, float] | None:
    """The ends moved inwards until the option wins at them as typed in, its machines keeping up and their promises.

    A scan asks of a fleet only whether it is full; only its calls served one by one tell whether they come in time.
    """
    fleets = [name for name, option in scenario.options.items() if isinstance(option, SelfHosted | Hybrid)]
    if to not in fleets and (scenario.workload.slo != Slo() or not fleets):  # promises rule out fleets only
        return near, far
    held = [_typed_in(scenario, along, value, basis) == to for value in (near, far)]
    if not any(held):
        return None
    if all(held):
        return near, far
    outer, inner = (near, far) if held[1] else (far, near)
    for _ in range(HALVINGS):
        middle = math.sqrt(outer * inner)
        there = with_dials(scenario, {along: middle})  # it is the cheapest there by the scan
        kept = kept_promises(there, run(there, to, daily=False)).feasible
        outer, inner = (outer, middle) if kept else (middle, inner)
    inner = unit * _rounded(inner / unit, 3, up=inner > outer)
    if _typed_in(scenario, along, inner, basis) != to:
        return None
    return (inner, far) if held[1] else (near, inner)


def _typed_in(scenario: Scenario, along: str, value: float, basis: Basis) -> str | None:
    """The cheapest option at a value, each judged as if the value were written in the scenario."""
    there: Scenario = with_dials(scenario, {along: value})
    results = {name: run(there, name, daily=False) for name in there.options}
    costs = {
        name: float((result.total_usd if basis == "with_quality" else result.money_usd)[0])
        for name, result in results.items()
    }
    for name in sorted(costs, key=lambda name: (costs[name], name != scenario.baseline)):
        if kept_promises(there, results[name]).feasible:
            return name
    return None


def stays_throughout(scenario: Scenario, choice: str, along: str, low: float, high: float, basis: Basis) -> bool:
    """Whether an option is the cheapest at every scanned value of a dial."""
    points = scan_points(scenario, tuple(scenario.options), along, find_dial(scenario, along), low, high, 2 * POINTS)
    return set(_winners(scenario, along, points, basis)) == {choice}


def _winners(scenario: Scenario, along: str, points: Array, basis: Basis) -> list[str]:
    """The cheapest option that serves the whole horizon at every point; of equal ones the baseline."""
    names = sorted(scenario.options, key=lambda name: name != scenario.baseline)
    usd = np.empty((len(names), len(points)))
    for row, name in enumerate(names):
        draws = {along: points if concerns(scenario, name, along) else points[:1]}
        usd[row] = _cost(run(scenario, name, draws=draws), basis)
    return [names[index] for index in np.argmin(usd, axis=0)]


def _cost(result: SimulationResult, basis: Basis) -> Array:
    """Dollars by draw; infinite where the option does not serve."""
    cost = result.total_usd if basis == "with_quality" else result.money_usd
    return np.where(result.feasible_draws, cost, np.inf)


def _inside(scenario: Scenario, along: str, outside: float, inside: float, to: str, basis: Basis) -> float:
    """The end of a stretch between a point outside and one inside it, on the inner side."""
    cuts = np.linspace(outside, inside, PARTS + 1)
    without = [index for index, name in enumerate(_winners(scenario, along, cuts, basis)) if name != to]
    # A scan of many lengths at once knows a fleet less exactly than this one does: it may win all along.
    return float(cuts[min(without[-1] + 1, PARTS) if without else 0])


def _rounded(value: float, digits: int, *, up: bool) -> float:
    """The next number of `digits` significant digits above (or below) a value, and a whole one from ten on.

    >>> _rounded(2.523, 2, up=True), _rounded(0.904, 2, up=False), _rounded(10_893.6, 3, up=True)
    (2.6, 0.9, 10900.0)
    >>> _rounded(2.5, 2, up=True), _rounded(16.47, 5, up=False)
    (2.5, 16.0)
    """
    step = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    step = max(step, 1.0) if value >= 10 else step  # nobody types a part of a call or of a token
    steps = math.ceil(value / step - 1e-9) if up else math.floor(value / step + 1e-9)
    return float(f"{steps * step:.{digits}g}")
