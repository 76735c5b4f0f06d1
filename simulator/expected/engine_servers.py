"""The part of the expected engine that says who serves: an option while it answers, its fallback when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.plan import Stage, stages
from simulator.domain.scenario import Scenario
from simulator.expected.outages import share_of_time_out

Array = NDArray[np.float64]


def servers(scenario: Scenario, view: Any, stage: Stage, day: int) -> Iterator[tuple[str, str, Any, Any]]:
    """Who serves a stage, at which price, with which share of the calls, in which share of the time.

    The option while it answers, and its fallback: for a share of the calls then, and for all during an outage.
    """
    out = np.atleast_1d(_time_out(view, stage.option))
    yield stage.option, stage.price, 1.0, 1.0 - out
    fallback = view.options[stage.option].fallback
    if fallback is not None:
        for other in stages(scenario, fallback.to)[0]:
            if other.first <= day < other.after:
                if np.any(np.asarray(fallback.share) > 0):
                    yield other.option, other.price, fallback.share, 1.0 - out
                if np.any(out > 0):
                    yield other.option, other.price, 1.0, out


def answered(scenario: Scenario, view: Any, stage: Stage, day: int) -> Array:
    """Share of the calls of a stage that are served: all but those lost in outages without a fallback."""
    out = np.atleast_1d(_time_out(view, stage.option))
    fallback = scenario.options[stage.option].fallback
    relieved = fallback is not None and any(
        other.first <= day < other.after for other in stages(scenario, fallback.to)[0]
    )
    return np.ones(1) if relieved else 1.0 - out


def _time_out(view: Any, option: str) -> Array:
    outages = view.options[option].outages
    return share_of_time_out(outages.per_month, outages.hours, view.hours_per_month)
