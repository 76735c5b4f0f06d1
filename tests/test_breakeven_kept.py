"""Crossings along the volume hold at every volume: they are the same from each, and are searched for once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator.domain.drawn import find_dial, with_dials
from simulator.studies import breakeven
from simulator.studies.breakeven import VOLUME, break_evens

PATHS = simulator.shipped_scenarios()


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_where_two_cross_along_the_volume_is_the_same_from_every_volume(path: Path) -> None:
    found = []
    for volume in (1.0, 3e6):
        scenario = with_dials(simulator.read_scenario(path), {VOLUME: volume})
        pairs = tuple((scenario.baseline, name) for name in scenario.options if name != scenario.baseline)
        ends = find_dial(scenario, VOLUME).low, find_dial(scenario, VOLUME).high
        asked = breakeven._Search(digest=str(volume), pairs=pairs, along=VOLUME, ends=ends, scenario=scenario)
        found.append(breakeven._crossed(asked))
    assert found[0] == found[1]


def test_the_volume_can_be_scanned_from_no_calls_at_all() -> None:
    scenario = simulator.read_scenario(next(path for path in PATHS if path.stem == "small-volume"))
    (found,) = break_evens(scenario, [(scenario.baseline, "middle-prompt")], VOLUME, 0.0, 1e6)
    assert found.reason == "middle-prompt is cheaper from 0 to 1,000,000 calls a day"


def test_a_search_is_made_again_only_when_more_than_the_volume_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    turned = breakeven._turned_together
    monkeypatch.setattr(breakeven, "_turned_together", lambda *a: searched.append(1) or turned(*a))
    path = next(path for path in PATHS if path.stem == "small-volume")
    scenario = simulator.read_scenario(path)
    pairs = [(scenario.baseline, name) for name in scenario.options if name != scenario.baseline]

    def crossings(**dials: float) -> list[Any]:
        asked = with_dials(scenario, {path.replace("__", "."): value for path, value in dials.items()})
        return [one.crossings for one in break_evens(asked, pairs)]

    breakeven._crossed.cache_clear()
    first = crossings(workload__calls_per_day=123.0)
    assert crossings(workload__calls_per_day=456_000.0) == first
    assert len(searched) == 1
    assert crossings(workload__calls_per_day=123.0, workload__growth_per_month=0.09) != first
    assert len(searched) == 2
