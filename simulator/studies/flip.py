"""What would change the choice: of every dial, the smallest change at which another option becomes the cheapest.

Each dial is moved outwards from where it stands, in steps that double, to the ends of its span; the first
bracket in which the choice changes is then narrowed by cutting it into many parts at once. All dials are
searched together, so that one run an option serves a round of the search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import NoFeasibleOption
from simulator.domain.dials import DialAt
from simulator.domain.drawn import is_structural
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Flip, Flips
from simulator.studies.moves import cheapest_first, explicit, movable, priced, today_usd

Array = NDArray[np.float64]

STEPS = 22
"""Doublings from the first step to the end of the span: the first is half a millionth of it."""
STRUCTURAL_STEPS = 6
"""The same for dials each value of which costs a run."""
PARTS, STRUCTURAL_PARTS = 16, 4
WIDTH = 1e-7
"""Relative width to which a bracket is narrowed."""
STRUCTURAL_WIDTH = 1e-3
LEAP = 1e-5


@dataclass(slots=True)
class _Bracket:
    """A move during which the choice changes: it stays at `kept` and is another's at `lost`."""

    at: DialAt
    kept: float
    lost: float

    @property
    def fine(self) -> bool:
        structural = is_structural(self.at.path)
        width = STRUCTURAL_WIDTH if structural else WIDTH
        apart = abs(self.lost - self.kept)
        if self.at.dial.whole:
            return apart <= 1
        return apart <= width * max(abs(self.kept), abs(self.lost), 1e-12)

    @property
    def inside(self) -> list[float]:
        parts = STRUCTURAL_PARTS if is_structural(self.at.path) else PARTS
        cuts = np.linspace(self.kept, self.lost, parts + 1)[1:-1]
        cuts = np.unique(np.round(cuts)) if self.at.dial.whole else cuts
        ordered = sorted(cuts.tolist(), reverse=self.lost < self.kept)
        return [cut for cut in ordered if cut not in (self.kept, self.lost)]


def flips(scenario: Scenario) -> Flips:
    """The nearest change of every dial that changes the choice, nearest first; those that begin at zero come last.

    Raises:
        NoFeasibleOption: nothing serves the whole horizon.
    """
    scenario = explicit(scenario)
    names = list(scenario.options)
    baseline = names.index(scenario.baseline)
    today = today_usd(scenario)
    if not np.isfinite(today).any():
        raise NoFeasibleOption("no option serves the whole horizon, so there is no choice to change")
    choice = int(cheapest_first(today[:, None], baseline)[0, 0])
    dials = movable(scenario)
    reach = {at.path: _outward(at) for at in dials}
    idle = _idle(scenario, reach, today)
    dials = tuple(at for at in dials if at.path not in idle)
    reach = {at.path: reach[at.path] for at in dials}
    moves = [(path, value) for path, ways in reach.items() for way in ways for value in way]
    usd = priced(scenario, moves, today)
    lost = cheapest_first(usd, baseline)[0] != choice
    brackets: list[_Bracket] = []
    steady: list[str] = []
    index = 0
    for at in dials:
        found, changed = [], False
        for way in reach[at.path]:
            here = slice(index, index + len(way))
            index += len(way)
            changed = changed or _differs(usd[:, here], today[:, None])
            if lost[here].any():
                first = int(np.argmax(lost[here]))
                found.append(_Bracket(at=at, kept=way[first - 1] if first else at.value, lost=way[first]))
        brackets += found
        if not found:
            (steady if changed else idle).append(at.path)
    _narrow(scenario, brackets, choice, baseline, today)
    rows = _rows(scenario, brackets, choice, baseline, names, today)
    return Flips(choice=names[choice], rows=rows, steady=tuple(steady), idle=tuple(idle))


def _idle(scenario: Scenario, reach: Mapping[str, tuple[list[float], list[float]]], today: Array) -> list[str]:
    """Dials each value of which costs a run, and which change nothing at either end of their span: nor within it."""
    ends = {path: [way[-1] for way in ways if way] for path, ways in reach.items() if is_structural(path)}
    moves = [(path, end) for path, values in ends.items() for end in values]
    usd = priced(scenario, moves, today) if moves else np.empty((len(today), 0))
    paths = np.array([path for path, _ in moves])
    return [path for path in ends if not _differs(usd[:, paths == path], today[:, None])]


def _differs(usd: Array, today: Array) -> bool:
    """Whether any option costs other than today, or serves where it did not; infinite means it does not serve."""
    serves = np.isfinite(usd) & np.isfinite(today)
    apart = np.abs(np.where(serves, usd, 0.0) - np.where(serves, today, 0.0))
    return bool(np.any(apart > 1e-12 * np.abs(today)) or np.any(np.isfinite(usd) != np.isfinite(today)))


def _outward(at: DialAt) -> tuple[list[float], list[float]]:
    """Values below and above today's, in steps that double, to the ends of the dial's span."""
    low = max(at.dial.least, min(at.dial.low, at.value))
    high = min(at.dial.most, max(at.dial.high, at.value))
    steps = STRUCTURAL_STEPS if is_structural(at.path) else STEPS
    shares = 2.0 ** -np.arange(steps - 1, -1, -1)
    ways: list[list[float]] = []
    for end in (low, high):
        if end == at.value:
            ways.append([])
            continue
        if at.dial.scale == "log" and at.value > 0 and end > 0:
            values = at.value * np.exp(math.log(end / at.value) * shares)
            values[-1] = end
        else:
            values = at.value + (end - at.value) * shares
        if at.dial.whole:
            values = np.round(values)
            values = values[np.sort(np.unique(values, return_index=True)[1])]
            values = values[values != at.value]
        ways.append(values.tolist())
    return ways[0], ways[1]


def _narrow(scenario: Scenario, brackets: list[_Bracket], choice: int, baseline: int, today: Array) -> None:
    while wide := [bracket for bracket in brackets if not bracket.fine]:
        moves = [(bracket.at.path, value) for bracket in wide for value in bracket.inside]
        lost = cheapest_first(priced(scenario, moves, today), baseline)[0] != choice
        index = 0
        for bracket in wide:
            inside = bracket.inside
            gone = lost[index : index + len(inside)]
            index += len(inside)
            first = int(np.argmax(gone)) if gone.any() else len(inside)
            path = [bracket.kept, *inside, bracket.lost]
            bracket.kept, bracket.lost = path[first], path[first + 1]


def _rows(
    scenario: Scenario, brackets: list[_Bracket], choice: int, baseline: int, names: list[str], today: Array
) -> tuple[Flip, ...]:
    if not brackets:
        return ()
    usd = priced(scenario, [(b.at.path, value) for b in brackets for value in (b.kept, b.lost)], today)
    order = cheapest_first(usd, baseline)
    nearest: dict[str, Flip] = {}
    for number, bracket in enumerate(brackets):
        at, kept, lost = bracket.at, 2 * number, 2 * number + 1
        other = int(order[0, lost])
        both = usd[[[other], [choice]], [kept, lost]]
        leaps = not np.isfinite(both).all()
        if not leaps:
            margins = both[0] - both[1]
            leaps = bool(abs(margins[1] - margins[0]) > LEAP * abs(usd[choice, kept]))
        change = (bracket.lost - at.value) / at.value if at.value else None
        part = abs(bracket.lost - at.value) / (at.dial.high - at.dial.low)
        flip = Flip(
            path=at.path,
            label=at.dial.label,
            unit=at.dial.unit,
            today=at.value,
            at=bracket.lost,
            to=names[other],
            change=change,
            distance=part if change is None else abs(change),
            kind="jump" if leaps else "root",
        )
        if at.path not in nearest or flip.distance < nearest[at.path].distance:
            nearest[at.path] = flip
    return tuple(sorted(nearest.values(), key=lambda flip: (flip.change is None, flip.distance)))
