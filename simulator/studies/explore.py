"""What moves an answer, gathered for a report: dials one at a time, what flips it, a map of two, the variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pricing.errors import TunepointError
from simulator.domain.drawn import BY_DAY, find_dial, is_structural
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Bar, CostMap, Explored
from simulator.studies.breakeven import VOLUME
from simulator.studies.flip import flips
from simulator.studies.map import cost_map
from simulator.studies.moves import explicit, today_usd
from simulator.studies.reign import reigns
from simulator.studies.sensitivity import sobol, tornado

WIDER = 4.0
"""How far a map goes where nothing is said of its dial, as a factor up and down: a choice of the picture."""


def explore(scenario: Scenario, seed: int = 0) -> Explored:
    """What of an answer is worth a picture: nothing that compares where one option serves, no variance without ranges.

    The map is over the calls a day and the dial that moves the lead most besides, over its range; where it has none,
    from a quarter to four times today's value.
    """
    if np.isfinite(today_usd(explicit(scenario))).sum() < 2:
        return Explored()
    moved = tornado(scenario)
    return Explored(
        reigns=reigns(scenario),
        tornado=moved,
        flips=flips(scenario),
        sobol=sobol(scenario, seed=seed) if scenario.ranges else None,
        map=_map(explicit(scenario), moved.bars),
    )


def _map(scenario: Scenario, bars: Sequence[Bar]) -> CostMap | None:
    """None where nothing else moves the lead, or where a price ends inside the spans of the dials."""
    for bar in bars:
        if bar.path != VOLUME and not is_structural(bar.path) and bar.path not in BY_DAY:
            dial = find_dial(scenario, bar.path)
            low, high = (bar.low, bar.high) if bar.basis != "assumed" else (bar.today / WIDER, bar.today * WIDER)
            try:
                return cost_map(scenario, VOLUME, bar.path, y_ends=(max(low, dial.least), min(high, dial.most)))
            except TunepointError:
                return None
    return None
