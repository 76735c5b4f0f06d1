"""Every dial on offer can be moved alone: each of its ends is a scenario, and at its own value nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.files import read_scenario, shipped_scenarios
from simulator.studies.board import board


def inputs(scenario: Any) -> dict[str, Any]:
    """What is asked, without what remembers how it was written."""
    kept = {name: getattr(scenario, name) for name in scenario.__dataclass_fields__}
    return {name: value for name, value in kept.items() if name not in ("set_paths", "ranges", "prices", "gpus")}


@pytest.mark.parametrize("path", shipped_scenarios(), ids=lambda path: path.stem)
def test_both_ends_of_every_dial_are_scenarios(path: Path) -> None:
    for knob in board(read_scenario(path)):
        assert len(knob.stops) > 1, knob.path
        for end in (knob.stops[0], knob.stops[-1]):
            read_scenario(path, [f"{knob.path}={end!r}"])


@pytest.mark.parametrize("name", ["support-triage", "nightly-catalogue", "hundred-thousand-a-day"])
def test_a_dial_of_a_copy_that_is_laid_at_its_own_value_changes_nothing(name: str) -> None:
    path = next(path for path in shipped_scenarios() if path.stem == name)
    written = read_scenario(path)
    for knob in board(written):
        if knob.option:
            assert inputs(read_scenario(path, [f"{knob.path}={knob.value!r}"])) == inputs(written), knob.path


def test_a_dial_ends_where_what_it_belongs_to_ends_and_keeps_the_value_of_a_link() -> None:
    path = next(path for path in shipped_scenarios() if path.stem == "support-triage")
    fewest, most = (f"options.own-4090.fleet.replicas.{end}" for end in ("min", "max"))
    stops = {knob.path: knob.stops for knob in board(read_scenario(path), {fewest: 9.0})}
    assert stops[fewest] == (0, 1, 2, 3, 4, 9)
    assert stops[most][0] == 1
    assert "options.own-4090.ready_after_days" in stops
    assert "options.cheap-prompt.ready_after_days" not in stops, "nothing would serve until then"
