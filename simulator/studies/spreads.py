"""Break-even and payback over draws: not one number, but where it lies in 90 of 100 cases."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Draws, find_dial
from simulator.domain.findings import SimulationResult
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import BreakEvenSpread, PaybackSpread, spread
from simulator.run import run
from simulator.studies.finance import payback_days
from simulator.studies.turns import BEYOND_USD

Array = NDArray[np.float64]

VOLUME = "workload.calls_per_day"
GRID = 25
"""Points along the dial at which every draw is looked at first."""
WIDTH = 1e-4
"""Relative width to which every draw's bracket is halved: far below what the draws themselves leave open."""
MOST = 1000
"""Draws used; more would move the points less than they can be read."""
DAILY_CHUNK = 250


def break_even_spread(
    scenario: Scenario, between: tuple[str, str], draws: Draws, along: str = VOLUME
) -> BreakEvenSpread:
    """The spread of the lowest crossing of two options along a dial.

    Args:
        scenario: the question.
        between: the reference and the challenger.
        draws: values of the ranged dials; the dial itself is not drawn but scanned.
        along: dotted path of the dial.
    """
    dial = find_dial(scenario, along)
    rest = {path: values[:MOST] for path, values in draws.items() if path != along}
    size = len(next(iter(rest.values()))) if rest else 1
    spaced = np.geomspace if dial.scale == "log" and dial.low > 0 else np.linspace
    grid = spaced(dial.low, dial.high, GRID)

    def apart(points: Array, rows: NDArray[np.int64]) -> Array:
        at = {**{path: values[rows] for path, values in rest.items()}, along: points}
        reference, challenger = (_cost(run(scenario, name, draws=at)) for name in between)
        return np.broadcast_to(challenger - reference, points.shape)

    everywhere = apart(np.tile(grid, size), np.repeat(np.arange(size), GRID)).reshape(size, GRID)
    cheaper = everywhere < 0
    turns = cheaper[:, 1:] != cheaper[:, :-1]
    rows = np.flatnonzero(turns.any(axis=1))
    crossing = np.empty(0)
    if len(rows):
        left = np.argmax(turns[rows], axis=1)
        low, high, side = grid[left], grid[left + 1], cheaper[rows, left]
        while np.any(high - low > WIDTH * np.abs(high)):
            middle = np.sqrt(low * high) if spaced is np.geomspace else (low + high) / 2
            same = (apart(middle, rows) < 0) == side
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        crossing = high
    return BreakEvenSpread(
        between=between,
        along=along,
        unit=dial.unit,
        draws=size,
        crosses=len(rows) / size,
        always=float(cheaper.all(axis=1).mean()),
        never=float((~cheaper.any(axis=1)).mean()),
        at=spread(crossing) if len(crossing) else None,
    )


def _cost(result: SimulationResult) -> Array:
    """Dollars by draw; more than anything costs where a fleet cannot serve the calls."""
    return result.total_usd if result.ruled_out is None else np.where(result.ruled_out, BEYOND_USD, result.total_usd)


def payback_spread(scenario: Scenario, between: tuple[str, str], draws: Draws) -> PaybackSpread | None:
    """The spread of the payback of the larger one-off; None where neither pays anything up front.

    Args:
        scenario: the question.
        between: two options.
        draws: values of the ranged dials.
    """
    size = min(MOST, len(next(iter(draws.values()))))
    found = []
    for first in range(0, size, DAILY_CHUNK):
        some = {path: values[first : min(first + DAILY_CHUNK, size)] for path, values in draws.items()}
        ledgers = [run(scenario, name, draws=some, daily=True).ledger for name in between]
        one_offs = [ledger.spent_usd(one_off=True) for ledger in ledgers]
        recurring = [ledger.spent_usd(one_off=False) for ledger in ledgers]
        larger = int(one_offs[1].sum() >= one_offs[0].sum())
        if one_offs[larger].sum() <= 0:
            return None
        days = min(path.shape[1] for path in (*one_offs, *recurring))
        once, daily = (cash[larger][:, :days] - cash[1 - larger][:, :days] for cash in (one_offs, recurring))
        by_end = np.cumsum(once + daily, axis=1)
        found.append(payback_days(by_end - daily, by_end))
    paid = np.concatenate(found)
    reached = paid[np.isfinite(paid)]
    points = spread(reached) if len(reached) else None
    return PaybackSpread(
        between=between,
        draws=size,
        paid_share=len(reached) / size,
        days=points,
        dates=None if points is None else tuple(scenario.start + timedelta(days=math.ceil(x)) for x in points),  # type: ignore[arg-type]
    )
