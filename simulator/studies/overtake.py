"""Where another option becomes the cheapest, said with a round number at which it is true when typed in.

A bill that rises in stairs (cache increments, length tiers) can cross another one many times within a few
percent. So a dial is scanned outwards from where it stands; the nearest stretch over which one and the same
other option is the cheapest is narrowed, its ends are rounded into it, and what is said holds at the number
said and at every point scanned from there to the end of the stretch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

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

    `open` tells that the stretch reaches the end of the scan; `late` is the end beyond which `to` costs the least still
    but misses its latency targets.
    """

    to: str
    near: float
    far: float
    open: bool
    late: float | None = None


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


class Ask(NamedTuple):
    """Points of a dial, and by what the cheapest option at each is judged."""

    along: str
    points: Array
    basis: Basis


Found = TypeVar("Found")
Search: TypeAlias = Generator[Ask, list[str], Found]
"""Asks for the cheapest option at points, one ask after the other, until it has found what it looks for."""


def found_together(scenario: Scenario, searches: Sequence[Search[Any]]) -> list[Any]:
    """What every search finds: they go side by side, and every option is run once for all that is asked in a round."""
    found: dict[int, Any] = {}
    replies: dict[int, list[str] | None] = dict.fromkeys(range(len(searches)))
    while replies:
        asked: dict[int, Ask] = {}
        for index, reply in replies.items():
            try:
                asked[index] = searches[index].send(reply)  # type: ignore[arg-type]
            except StopIteration as stop:
                found[index] = stop.value
        replies = dict(zip(asked, _winners(scenario, list(asked.values())), strict=True))
    return [found[index] for index in range(len(searches))]


def scans(scenario: Scenario, along: str, ends: Sequence[float], basis: Basis) -> Search[list[Scan]]:
    """Scans of a dial that stands above zero from there to each end; without those of no length within its bounds."""
    lines = [points for end in ends if (points := _outwards(scenario, along, end)) is not None]
    if not lines:
        return []
    won = yield Ask(along, np.concatenate(lines), basis)
    after = np.cumsum([len(points) for points in lines]).tolist()
    return [
        Scan(along=along, points=points, won=won[end - len(points) : end])
        for points, end in zip(lines, after, strict=True)
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
) -> Search[Stretch | None]:
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
        closed = after < len(won)
        if closed and max(points[first - 1], points[after]) < narrow * min(points[first - 1], points[after]):
            continue
        unit = today if along.endswith("price_factor") else 1.0
        ends = [(float(points[first - 1]), float(points[first]))]  # of each end, a point outside and one inside
        if closed:
            ends.append((float(points[after]), float(points[after - 1])))
        while True:
            cuts = [np.linspace(*pair, PARTS + 1) for pair in ends]
            won_at = iter((yield Ask(along, np.concatenate(cuts), basis)))
            ends = [_closer(cut, list(itertools.islice(won_at, PARTS + 1)), to) for cut in cuts]
            if all(abs(outside - inside) <= unit * _step(inside / unit, digits) for outside, inside in ends):
                break
        near, far = ends[0][1], ends[-1][1] if closed else float(points[-1])
        near = unit * _rounded(near / unit, digits, up=end > today)
        if closed:
            far = unit * _rounded(far / unit, digits, up=end < today)
        held = _held(scenario, along, near, far, to, basis, unit)
        if held is None:
            continue
        closed, near, far, late = closed or held[1] != far, *held
        outward = far / near if end > today else near / far
        if outward < narrow or near == today:
            continue
        if (yield Ask(along, np.array([near, far]), basis)) == [to, to]:
            return Stretch(to=to, near=near, far=far, open=not closed, late=late)
    return None


def _held(
    scenario: Scenario, along: str, near: float, far: float, to: str, basis: Basis, unit: float
) -> tuple[float, float, float | None] | None:
    """The ends moved inwards until the option wins at them as typed in, its machines keeping up and their promises.

    A scan asks of a fleet only whether it is full; only its calls served one by one tell whether they come in time.
    The end that was moved because they come late is told once more.
    """

    def judged(value: float) -> SimulationResult:
        there = with_dials(scenario, {along: value})
        return kept_promises(there, run(there, to, daily=False))

    fleets = [name for name, option in scenario.options.items() if isinstance(option, SelfHosted | Hybrid)]
    if to not in fleets and (scenario.workload.slo != Slo() or not fleets):  # promises rule out fleets only
        return near, far, None
    held = [_typed_in(scenario, along, value, basis) == to for value in (near, far)]
    if not any(held):
        return None
    if all(held):
        return near, far, None
    outer, inner = (near, far) if held[1] else (far, near)
    for _ in range(HALVINGS):
        middle = math.sqrt(outer * inner)  # it is the cheapest there by the scan
        outer, inner = (outer, middle) if judged(middle).feasible else (middle, inner)
    misses = judged(outer).meets_slo is False
    inner = unit * _rounded(inner / unit, 3, up=inner > outer)
    if _typed_in(scenario, along, inner, basis) != to:
        return None
    late = inner if misses else None
    return (inner, far, late) if held[1] else (near, inner, late)


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


def _winners(scenario: Scenario, asked: Sequence[Ask]) -> list[list[str]]:
    """The cheapest option that serves the whole horizon at every point of every ask; of equal ones the baseline."""
    names = sorted(scenario.options, key=lambda name: name != scenario.baseline)
    usd = [[np.empty(0)] * len(asked) for _ in names]
    for row, name in enumerate(names):
        for dials in _run_together(scenario, name, asked):
            some = [index for index, ask in enumerate(asked) if ask.along in dials]
            for index, cost in zip(some, _costs(scenario, name, [asked[index] for index in some]), strict=True):
                usd[row][index] = cost
    return [[names[index] for index in np.argmin(costs, axis=0)] for costs in zip(*usd, strict=True)]


def _run_together(scenario: Scenario, name: str, asked: Sequence[Ask]) -> list[list[str]]:
    """The dials asked about, by those moved in one run of an option: a fleet is known best with few lengths in it."""
    moved: list[str] = []
    still: list[str] = []
    for dial in dict.fromkeys(ask.along for ask in asked):
        (moved if concerns(scenario, name, dial) else still).append(dial)
    machines = isinstance(scenario.options[name], SelfHosted | Hybrid)
    return [part for part in (still, *([dial] for dial in moved if machines), [] if machines else moved) if part]


def _costs(scenario: Scenario, name: str, asked: Sequence[Ask]) -> list[Array]:
    """What an option costs at every point of every ask, the dials of the others standing as they are."""
    ends = np.cumsum([0, *(len(ask.points) for ask in asked)]).tolist()
    parts = [slice(*both) for both in itertools.pairwise(ends)]
    draws = {ask.along: np.full(ends[-1], value_at(scenario, ask.along)) for ask in asked}
    for ask, part in zip(asked, parts, strict=True):
        draws[ask.along][part] = ask.points
    if not concerns(scenario, name, asked[0].along):
        draws = {asked[0].along: asked[0].points[:1]}
    result = run(scenario, name, draws=draws)
    return [np.broadcast_to(_cost(result, ask.basis), ends[-1])[part] for ask, part in zip(asked, parts, strict=True)]


def _cost(result: SimulationResult, basis: Basis) -> Array:
    """Dollars by draw; infinite where the option does not serve."""
    cost = result.total_usd if basis == "with_quality" else result.money_usd
    return np.where(result.feasible_draws, cost, np.inf)


def _closer(cuts: Array, won: list[str], to: str) -> tuple[float, float]:
    """The last of the cuts that is outside a stretch and the first inside it; the last cut of all is inside."""
    without = [index for index, name in enumerate(won) if name != to]
    # A scan of many lengths at once knows a fleet less exactly than this one does: it may win all along.
    inside = min(without[-1] + 1, PARTS) if without else 0
    return float(cuts[max(inside - 1, 0)]), float(cuts[inside])


def _step(value: float, digits: int) -> float:
    """The distance of numbers of so many significant digits near a value."""
    step: float = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    return max(step, 1.0) if value >= 10 else step  # nobody types a part of a call or of a token


def _rounded(value: float, digits: int, *, up: bool) -> float:
    """The next number of `digits` significant digits above (or below) a value, and a whole one from ten on.

    >>> _rounded(2.523, 2, up=True), _rounded(0.904, 2, up=False), _rounded(10_893.6, 3, up=True)
    (2.6, 0.9, 10900.0)
    >>> _rounded(2.5, 2, up=True), _rounded(16.47, 5, up=False)
    (2.5, 16.0)
    """
    step = _step(value, digits)
    steps = math.ceil(value / step - 1e-9) if up else math.floor(value / step + 1e-9)
    return float(f"{steps * step:.{digits}g}")
