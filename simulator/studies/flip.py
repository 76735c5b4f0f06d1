"""What would change the choice: of every dial, the smallest change at which another option becomes the cheapest.

Each dial is moved outwards from where it stands, in steps that double, to the ends of its span; the first
bracket in which the choice changes is then narrowed by cutting it into many parts at once. All dials are
searched together, so that one run an option serves a round of the search. What is found is priced alone at last, as
whoever types it in does: a fleet's cost at one length of calls hangs, a little, on the other lengths in its run.
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
from simulator.domain.uncertain import Flip, Flips, told_at
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
FIRST_STEP = 1e-4
"""Relative step, fourfold each time, in which a bracket that does not hold alone is looked for."""


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
        if not found and not changed:
            idle.append(at.path)
    _narrow(scenario, brackets, choice, baseline, today)
    alone = _Alone(scenario, choice, baseline, today)
    brackets = [bracket for bracket in brackets if _holds(bracket, alone)]
    rows = _rows(brackets, choice, names, alone)
    apart = {*idle, *(row.path for row in rows)}
    steady = [at.path for at in dials if at.path not in apart]
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


class _Alone:
    """What wins with one dial moved, priced in a run of its own."""

    def __init__(self, scenario: Scenario, choice: int, baseline: int, today: Array) -> None:
        self.scenario, self.choice, self.baseline, self.today = scenario, choice, baseline, today
        self._known: dict[tuple[str, float], Array] = {}

    def usd(self, at: DialAt, value: float) -> Array:
        """What every option costs, (options,)."""
        if (key := (at.path, value)) not in self._known:
            self._known[key] = priced(self.scenario, [key], self.today)[:, 0]
        return self._known[key]

    def winner(self, at: DialAt, value: float) -> int:
        return int(cheapest_first(self.usd(at, value)[:, None], self.baseline)[0, 0])

    def lost(self, at: DialAt, value: float) -> bool:
        return self.winner(at, value) != self.choice


def _holds(bracket: _Bracket, alone: _Alone) -> bool:
    """Lay a bracket where the choice changes with its dial priced alone; False where from there on it never does.

    The value that is told must flip the choice as well, to the same option: where costs fall again before it, as with
    the one more token that makes a whole one for the cache, the search goes on from there.
    """
    at = bracket.at
    outward = 1.0 if bracket.lost > at.value else -1.0
    span = (max(at.dial.least, min(at.dial.low, at.value)), min(at.dial.most, max(at.dial.high, at.value)))
    end = span[1] if outward > 0 else span[0]

    def moved(value: float, by: float) -> float:
        """A value further out by a part of itself, or further in, no further than today's."""
        step = math.copysign(max(abs(by * value), 1.0 if at.dial.whole else 1e-12), by * outward)
        found = round(value + step) if at.dial.whole else value + step
        return min(max(found, min(at.value, end)), max(at.value, end))

    while True:
        step = FIRST_STEP
        while not alone.lost(at, bracket.lost):
            if bracket.lost == end:
                return False
            bracket.kept, bracket.lost, step = bracket.lost, moved(bracket.lost, step), 4.0 * step
        step = FIRST_STEP
        while bracket.kept != at.value and alone.lost(at, bracket.kept):
            bracket.kept, bracket.lost, step = moved(bracket.kept, -step), bracket.kept, 4.0 * step
        while not bracket.fine:
            middle = (bracket.kept + bracket.lost) / 2.0
            middle = round(middle) if at.dial.whole else middle
            if alone.lost(at, middle):
                bracket.lost = middle
            else:
                bracket.kept = middle
        told = min(max(told_at(bracket.lost, at.value), at.dial.least), at.dial.most)
        if alone.lost(at, told):
            if alone.winner(at, told) != alone.winner(at, bracket.lost):
                bracket.lost = told
            return True
        bracket.kept, bracket.lost = told, moved(told, FIRST_STEP)


def _rows(brackets: list[_Bracket], choice: int, names: list[str], alone: _Alone) -> tuple[Flip, ...]:
    nearest: dict[str, Flip] = {}
    for bracket in brackets:
        at, other = bracket.at, alone.winner(bracket.at, bracket.lost)
        kept, lost = (alone.usd(at, value) for value in (bracket.kept, bracket.lost))
        both = np.stack([kept, lost], axis=1)[[other, choice]]
        leaps = not np.isfinite(both).all()
        if not leaps:
            margins = both[0] - both[1]
            leaps = bool(abs(margins[1] - margins[0]) > LEAP * abs(kept[choice]))
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
