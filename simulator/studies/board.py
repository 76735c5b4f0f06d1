"""The dials of a scenario as a board: in groups a reader knows, each with its positions and where its value is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from simulator.domain.dials import DialAt, stops, walk_dials
from simulator.domain.drawn import with_dials
from simulator.domain.findings import Knob
from simulator.domain.scenario import Scenario
from simulator.studies.assumptions import DEFAULT, UNSAID, assumptions

GROUPS = {
    "Volume": r"workload\.(calls_per_day|growth_per_month|deferrable_share|cap_per_s|demand\..*|events\..*)",
    "Prompt and answer": r"workload\.tokens\..*|options\.[^.]+\.(prefix|input|output|reasoning)_tokens",
    "Cache and retries": r"options\.[^.]+\.(caching\..*|cache_hit_rate|batch_share|retries\..*)",
    "Tuned model": r"options\.[^.]+\.(training\..*|ready_after_days|storage_gb|evaluation_usd)",
    "People": r"options\.[^.]+\.(dataset\..*|engineering_hours|ops_hours_per_month|human\..*|fallback\..*)",
    "Hosting and GPU": r"workload\.slo\..*|options\.[^.]+\.(fleet|hosting|serving|gpu|existing_gpus|outages|latency).*",
    "Quality and money": r".*",
}
"""Groups in the order of the board and the paths they take; a path goes to the first that fits."""

AT_HAND = ("workload.calls_per_day", "workload.growth_per_month", "horizon_days", "discount_rate")
"""Dials that are at hand even where the scenario leaves them at their default."""
ALWAYS_OF_AN_OPTION = r"options\.[^.]+\.(price_factor|caching\.reach)"


def board(scenario: Scenario, also: Mapping[str, float] | None = None) -> tuple[Knob, ...]:
    """Every dial of a scenario that has a value and can be moved alone, group by group.

    Args:
        scenario: the question.
        also: further positions by path, as values that a link has set.
    """
    sources = {item.path: item.source for item in assumptions(scenario)}
    found = []
    for at in walk_dials(scenario):
        typed = at.path in scenario.set_paths
        group = next(name for name, paths in GROUPS.items() if re.fullmatch(paths, at.path))
        further = (at.value,) if also is None or at.path not in also else (at.value, also[at.path])
        positions = _accepted(scenario, at, further)
        if len(positions) < 2:
            continue
        found.append(
            Knob(
                path=at.path,
                group=group,
                option=at.path.split(".")[1] if at.path.startswith("options.") else "",
                dial=at.dial,
                value=at.value,
                stops=positions,
                source=sources.get(at.path) or at.dial.default_from or (UNSAID if typed else DEFAULT),
                at_hand=typed or at.path in AT_HAND or re.fullmatch(ALWAYS_OF_AN_OPTION, at.path) is not None,
            )
        )
    order = list(GROUPS)
    return tuple(sorted(found, key=lambda knob: order.index(knob.group)))


def _accepted(scenario: Scenario, at: DialAt, further: tuple[float, ...]) -> tuple[float, ...]:
    """The positions that what the dial belongs to accepts while all else stays as it is, and those asked for.

    Nothing may be ready later where nothing serves until then; the fewest replicas end at the most.
    """
    *above, name = at.path.split(".")
    owner: Any = scenario
    for key in above:
        owner = owner[key] if isinstance(owner, Mapping) else getattr(owner, key)

    def stands(value: float) -> bool:
        try:
            with_dials(owner, {name: value})
        except ValueError:
            return False
        return True

    found = stops(at.dial, *further)
    if stands(found[0]) and stands(found[-1]):
        return found
    return tuple(value for value in found if value in further or stands(value))
