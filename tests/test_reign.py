"""The cheapest of all along a dial is what a blind scan finds, and hands over where both cost the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from command_line import tunepoint
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.files import read_scenario
from simulator.run import run
from simulator.studies.reign import handovers, reigns

SCENARIOS = Path(__file__).parents[1] / "scenarios"
CALLS = "workload.calls_per_day"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0.01, 10), st.floats(0, 300)), min_size=2, max_size=5))
def test_stairs_of_several_options_hand_over_where_a_scan_of_100000_points_says(
    options: list[tuple[float, float, float]],
) -> None:
    """Each option costs a fixed sum, so much a call, and a step every 20 calls."""
    def costs(calls: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([fixed + each * calls + step * np.ceil(calls / 20) for fixed, each, step in options])

    steps = 20.0 * np.arange(1, 50)
    looked = np.unique(np.concatenate([np.linspace(1, 1000, 2001), steps, steps * (1 + 1e-9)]))
    found = handovers(costs, looked)
    points = np.linspace(1, 1000, 100_000)
    usd = costs(points)
    best = usd.argmin(axis=0)
    second = np.sort(usd, axis=0)[1]
    sure = second - usd.min(axis=0) > 1e-9 * usd.min(axis=0)         # a tie may be told either way
    held = np.asarray([row for _, row, _ in found])
    at = np.asarray([value for value, _, _ in found])
    told = np.concatenate([[costs(looked[:1]).argmin()], held]).astype(int)[np.searchsorted(at, points, side="left")]
    near = np.min(np.abs(points[:, None] - at), axis=1) < 1e-5 if len(at) else np.zeros(len(points), bool)
    assert np.all((told == best) | ~sure | near)


@pytest.mark.parametrize("name", ["how-sure", "cases/hundred-thousand-a-day", "cases/legal-doctrine",
                                  "cases/small-volume"])
def test_at_a_handover_both_cost_the_same_and_beside_it_each_is_the_cheapest(name: str) -> None:
    scenario = read_scenario(SCENARIOS / f"{name}.yaml")
    found = reigns(scenario)
    assert found[0].low == 10
    assert found[-1].high == 1e7
    assert len(found) > 1
    for before, after in itertools.pairwise(found):
        assert before.high == after.low
        sides = np.array([after.low * (1 - 1e-6), after.low * (1 + 1e-6)])
        usd = {}
        for option in scenario.options:
            result = run(scenario, option, draws={CALLS: sides})
            if result.feasible:
                usd[option] = np.where(result.feasible_draws, result.total_usd, np.inf)
        assert [min(usd, key=lambda option, i=i: usd[option][i]) for i in (0, 1)] == [before.cheapest, after.cheapest]
        if after.begins == "root":
            low, high = (usd[str(one.cheapest)] for one in (before, after))
            assert high == pytest.approx(low, rel=1e-4)


def test_break_even_ends_with_who_is_the_cheapest_of_all() -> None:
    """The comment of small-volume: the tuned model beats the cheapest prompt from 15.4 million calls a month."""
    shown = tunepoint("break-even", SCENARIOS / "cases/small-volume.yaml")
    assert "Cheapest of all: cheap-prompt below 507,558 calls a day, tuned above." in shown.words
    assert pytest.approx(15.4e6, rel=0.005) == 507_558 * 730 / 24
