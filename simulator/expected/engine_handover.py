"""The part of the expected engine that says how likely each option of a plan serves on each day.

Training jobs that take hours, or fail, put the cut-over off; until then whoever stands in goes on serving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.options import HostedFineTuned, Hybrid, SelfHosted
from simulator.domain.plan import Stage, stages
from simulator.domain.scenario import Scenario
from simulator.expected.engine_machines import training_run
from simulator.expected.training import late_share

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """A stage and the chance that it is the one that serves, by day of the horizon, (D, days); None: it always is."""

    stage: Stage
    chance: Array | None = None

    def share(self, edges: NDArray[np.int64]) -> Array | float:
        """The chance in each period, (D, T); the days on which it changes are periods of their own."""
        return 1.0 if self.chance is None else self.chance[:, edges[:-1]]

    @property
    def changes(self) -> set[int]:
        """Days on which the chance is not what it was the day before, and the day after each."""
        if self.chance is None:
            return set()
        moved = np.flatnonzero(np.any(np.diff(self.chance, axis=1) != 0, axis=0)) + 1
        return set(moved.tolist()) | {0}


def turns(scenario: Scenario, view: Any, name: str, plan: list[Stage]) -> list[Turn]:
    """The stages of an option with their chances: after the planned cut-over it may not be trained yet.

    Args:
        scenario: the question.
        view: the same with drawn dials as arrays (D,).
        name: the option.
        plan: its stages as planned.
    """
    option = scenario.options[name]
    own = [stage for stage in plan if stage.own]
    if option.until_ready is None or not own:
        return [Turn(stage=stage) for stage in plan]
    parts = (name, option.fleet_option, option.overflow_option) if isinstance(option, Hybrid) else (name,)
    campaigns = [one for part in parts if (one := _campaign(scenario, view, part)) is not None]
    first, horizon = own[0].first, int(scenario.horizon_days)
    if not any(late_share([first], *campaign).any() for campaign in campaigns):
        return [Turn(stage=stage) for stage in plan]
    trained: Any = 1.0
    for campaign in campaigns:  # a hybrid waits for the last of its models
        trained = trained * (1.0 - late_share(np.arange(first, horizon), *campaign))
    late = np.pad(1.0 - trained, ((0, 0), (first, 0)))
    after = int(np.flatnonzero(late.any(axis=0))[-1]) + 1
    found = [Turn(stage=stage, chance=1.0 - late if stage.own else None) for stage in plan]
    for stage in stages(scenario, option.until_ready)[0]:
        first, end = max(stage.first, own[0].first), min(stage.after, after)
        if first < end:
            waiting = Stage(option=stage.option, price=stage.price, first=first, after=end, own=False)
            found.append(Turn(stage=waiting, chance=late))
    return found


def _campaign(scenario: Scenario, view: Any, name: str) -> tuple[Any, Any, Any] | None:
    """Runs of the first model of an option, the share that fails, and hours of one; None where no time passes."""
    option = scenario.options[name]
    if not isinstance(option, HostedFineTuned | SelfHosted) or option.training is None:
        return None
    training = view.options[name].training
    hours = training_run(scenario, view, name).hours if isinstance(option, SelfHosted) else training.job_hours
    return (training.runs_per_model, training.failure_rate, hours) if np.any(np.asarray(hours) > 0) else None
