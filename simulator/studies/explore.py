"""What moves an answer, gathered for a report: dials one at a time, what flips it, a map of two, the variance."""

from __future__ import annotations

import numpy as np

from pricing.errors import TunepointError
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import CostMap, Explored
from simulator.studies.flip import flips
from simulator.studies.map import cost_map
from simulator.studies.moves import explicit, today_usd
from simulator.studies.sensitivity import sobol, tornado

CALLS = "workload.calls_per_day"


def explore(scenario: Scenario, seed: int = 0) -> Explored:
    """What of an answer is worth a picture: nothing that compares where one option serves, no variance without ranges.

    The map is over the calls a day and the prompt of the baseline.
    """
    serving = int(np.isfinite(today_usd(explicit(scenario))).sum())
    return Explored(
        tornado=tornado(scenario) if serving > 1 else None,
        flips=flips(scenario) if serving > 1 else None,
        sobol=sobol(scenario, seed=seed) if serving > 1 and scenario.ranges else None,
        map=_map(scenario) if serving > 1 else None,
    )


def _map(scenario: Scenario) -> CostMap | None:
    """None where a price of the scenario ends inside the spans of the dials: a report does not fail for one picture."""
    try:
        return cost_map(scenario, CALLS, f"options.{scenario.baseline}.prefix_tokens")
    except TunepointError:
        return None
