"""Which option is the cheapest of all over each stretch of a dial, and the exact values at which one hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.drawn import find_dial
from simulator.domain.plan import concerns
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Reign
from simulator.run import run
from simulator.studies.breakeven import VOLUME
from simulator.studies.scanpoints import WIDTH, scan_points
from simulator.studies.turns import EQUAL, LEAP, PIECES

Array = NDArray[np.float64]
TRIED = 33
"""Points at which a dial is asked whether it changes anything at all."""
NONE = -1
"""Stands for no option, where none serves."""


def reigns(
    scenario: Scenario, along: str = VOLUME, low: float | None = None, high: float | None = None
) -> tuple[Reign, ...]:
    """The cheapest option over each stretch of a dial, from its low to its high end, one-offs included.

    Args:
        scenario: the question; at the low end, equal costs go to the baseline, then to file order.
        along: dotted path of the dial.
        low: begin of the scan (default: the dial's range).
        high: its end.

    Raises:
        InputError: no such dial, or an empty range.
    """
    dial = find_dial(scenario, along)
    bounds = (dial.low if low is None else low, dial.high if high is None else high)
    if not (dial.least <= bounds[0] < bounds[1] <= dial.most):
        raise InputError(f"{along}: from {bounds[0]:g} to {bounds[1]:g} is no range of this dial")
    names = [scenario.baseline, *(name for name in scenario.options if name != scenario.baseline)]
    points = scan_points(scenario, tuple(names), along, dial, *bounds)

    def costs(at: Array) -> Array:
        found = np.empty((len(names), len(at)))
        for row, name in enumerate(names):
            result = run(scenario, name, draws={along: at if concerns(scenario, name, along) else at[:1]})
            found[row] = np.where(result.feasible_draws, result.total_usd, np.inf)
        return found

    borders = handovers(costs, points, dial.whole)
    holders = [_first(_near(costs(points[:1])), 0), *(after for _, after, _ in borders)]
    ends = [bounds[0], *(at for at, _, _ in borders), bounds[1]]
    kinds: list[Literal["root", "jump"] | None] = [None, *("jump" if jump else "root" for _, _, jump in borders)]
    return tuple(
        Reign(low=ends[i], high=ends[i + 1], cheapest=None if holder == NONE else names[holder], begins=kinds[i])
        for i, holder in enumerate(holders)
    )


def changes_nothing(scenario: Scenario, along: str, low: float | None = None, high: float | None = None) -> bool:
    """Whether a dial leaves the cost of every option as it is, from its low to its high end.

    Args:
        scenario: the question.
        along: dotted path of the dial.
        low: begin (default: the dial's range).
        high: its end.
    """
    dial = find_dial(scenario, along)
    at = np.linspace(dial.low if low is None else low, dial.high if high is None else high, TRIED)
    at = np.unique(np.round(at)) if dial.whole else at
    concerned = [name for name in scenario.options if concerns(scenario, name, along)]
    costs = (run(scenario, name, draws={along: at}).total_usd for name in concerned)
    return all(bool(np.ptp(cost) <= EQUAL * np.abs(cost).max()) for cost in costs)


def handovers(
    costs: Callable[[Array], Array], points: Array, whole: bool = False
) -> list[tuple[float, int, bool]]:
    """Where the cheapest row of costs changes: value, row from there on, and whether it is a jump.

    Args:
        costs: maps points (n,) to costs (rows, n), infinite where a row does not serve.
        points: where to look first, rising.
        whole: whether only whole numbers lie between the points.

    >>> found = handovers(lambda x: np.stack([x, 0 * x + 3.0, 10.0 - x / 2]), np.array([0.0, 9.0, 20.0]))
    >>> [(round(at, 6), row) for at, row, _ in found]
    [(3.0, 1), (14.0, 2)]
    """
    near = _near(costs(points))
    holder, found, start = _first(near, 0), list[tuple[float, int, bool]](), 0
    while (lost := np.flatnonzero(~_holds(near[:, start:], holder))).size:
        low, high = float(points[max(start + lost[0] - 1, 0)]), float(points[start + lost[0]])
        start += int(lost[0])
        while not _holds(near[:, start : start + 1], holder)[0]:         # a third option may reign in between
            at, beyond, after, jump = _narrowed(costs, low, high, holder, whole)
            found.append((at, after, jump))
            low, holder = beyond, after
    return found


def _narrowed(
    costs: Callable[[Array], Array], low: float, high: float, holder: int, whole: bool
) -> tuple[float, float, int, bool]:
    """The first value at which a holder is no longer the cheapest, the first point beyond, who is then, and how."""
    while high - low > max(WIDTH * max(abs(low), abs(high)), 1.0 if whole else 0.0):
        grid = np.linspace(low, high, PIECES + 1)
        grid = np.unique(np.round(grid)) if whole else grid
        lost = ~_holds(_near(costs(grid)), holder)
        lost[0], lost[-1] = False, True
        first = int(np.argmax(lost))
        if (grid[first - 1], grid[first]) == (low, high):
            break
        low, high = float(grid[first - 1]), float(grid[first])
    ends = costs(np.array([low, high]))
    after = _first(_near(ends), 1)
    jump = _leaps(ends, holder, after)
    return high if jump or whole else (low + high) / 2, high, after, jump


def _near(usd: Array) -> NDArray[np.bool_]:
    """Which rows cost no more than any other, to rounding, (rows, n)."""
    best = usd.min(axis=0)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.isfinite(usd) & (usd <= best + EQUAL * np.abs(best))
    return near


def _first(near: NDArray[np.bool_], column: int) -> int:
    """The first of the cheapest rows at a point; NONE where no row serves."""
    return int(np.argmax(near[:, column])) if near[:, column].any() else NONE


def _holds(near: NDArray[np.bool_], holder: int) -> NDArray[np.bool_]:
    """Where a holder is still one of the cheapest: who is caught up with does not hand over before it is dearer."""
    held: NDArray[np.bool_] = ~np.any(near, axis=0) if holder == NONE else near[holder]
    return held


def _leaps(ends: Array, before: int, after: int) -> bool:
    """Whether the difference of two rows, (rows, 2 ends), springs over zero instead of passing through it."""
    if NONE in (before, after) or not np.isfinite(ends[[before, after]]).all():
        return True
    apart = ends[after] - ends[before]
    return bool(abs(apart[1] - apart[0]) > LEAP * np.abs(ends[[before, after]]).sum(axis=0).max())
