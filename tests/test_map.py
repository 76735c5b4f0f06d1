"""A map and a sweep show at every point what a run of it costs, and lines lie where two options cost the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from questions import asked

from pricing.errors import InputError
from simulator.domain.drawn import with_dials
from simulator.run import run
from simulator.studies.map import cost_map, small_multiples
from simulator.studies.sweep import axis, idle, sweep

QUESTION = """
start: 2027-01-01
horizon_days: 365
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 300, output: 20}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 10}}
  acme/small: {usd_per_mtok: {input: 1, output: 5}}
options:
  a: {kind: hosted_prompt, price: acme/big, prefix_tokens: 1000}
  b: {kind: hosted_prompt, price: acme/small, prefix_tokens: 500, one_off_usd: {build: 400}}
  c: {kind: hosted_prompt, price: acme/small, prefix_tokens: 100, one_off_usd: {build: 3000}}
"""
X, Y = "workload.calls_per_day", "options.b.prefix_tokens"


def test_every_cell_is_a_run(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    found = cost_map(scenario, X, Y, points=9)
    months = 365 * 24 / 730
    for i, j in ((0, 0), (4, 7), (8, 2), (8, 8)):
        there = with_dials(scenario, {X: float(found.x_values[j]), Y: float(found.y_values[i])})
        costs = [float(run(there, name).total_usd[0]) / months for name in found.names]
        assert found.usd[:, i, j] == pytest.approx(costs)
        assert found.names[found.cheapest[i, j]] == found.names[int(np.argmin(costs))]
        assert found.margin_usd[i, j] == pytest.approx(sorted(costs)[1] - min(costs), abs=1e-9)


def test_on_a_line_both_options_cost_the_same(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    found = cost_map(scenario, X, Y, x_ends=(100, 10_000), y_ends=(100, 5000), points=80)
    assert set(found.lines) == {("a", "b"), ("a", "c"), ("b", "c")}
    for (one, other), points in found.lines.items():
        for x, y in points[:: max(1, len(points) // 5)].tolist():
            there = with_dials(scenario, {X: x, Y: y})
            costs = [float(run(there, name).total_usd[0]) for name in (one, other)]
            assert costs[0] == pytest.approx(costs[1], rel=0.02)


def test_small_multiples_are_maps_of_their_own(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    low, high = small_multiples(scenario, X, Y, "options.a.price_factor", [0.5, 2.0], points=6)
    alone = cost_map(with_dials(scenario, {"options.a.price_factor": 2.0}), X, Y, points=6)
    assert (low.facet, high.facet) == (("options.a.price_factor", 0.5), ("options.a.price_factor", 2.0))
    assert np.array_equal(high.usd, alone.usd)
    assert np.all(low.usd[0] < high.usd[0])


def test_where_nothing_serves_no_option_is_cheapest(tmp_path: Path) -> None:
    text = QUESTION.replace("{usd_per_mtok", "{lifecycle: {retires_on: 2027-06-01}, usd_per_mtok")
    found = cost_map(asked(tmp_path, text), X, "horizon_days", y_ends=(100, 200), points=5)
    assert np.all(found.cheapest[found.y_values > 151] == -1)
    assert np.all(found.cheapest[found.y_values <= 151] >= 0)


def test_a_sweep_is_the_runs_of_its_points_in_order(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    (piece,) = sweep(scenario, [axis(scenario, f"{X}=10..1e4:4:log"), axis(scenario, f"{Y}=100,700")])
    assert piece.dials[X].tolist() == pytest.approx([10, 10, 100, 100, 1000, 1000, 10_000, 10_000])
    assert piece.dials[Y].tolist() == [100, 700] * 4
    there = with_dials(scenario, {X: 1000.0, Y: 700.0})
    for name in scenario.options:
        assert piece.usd[name][5] == pytest.approx(float(run(there, name).total_usd[0]))


def test_a_dial_that_changes_nothing_is_named(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    axes = [axis(scenario, text) for text in ("discount_rate=0..0.2:3", f"{X}=10,100")]
    assert idle(scenario, axes) == ("discount_rate",)


@pytest.mark.parametrize(("text", "sentence"), [
    ("workload.cals_per_day=1..2:3", 'did you mean "workload.calls_per_day"?'),
    (f"{X}", "is no axis"),
    (f"{X}=1..2", "after LO..HI comes :N"),
    (f"{X}=2..1:5", "2 is not below 1"),
    (f"{X}=0..5:5:log", "begins above zero"),
    (f"{X}=1..5:1", "take a whole number of two or more"),
    (f"{X}=a,b", '"a" is not a number'),
    (f"{X}=1,nan", "is not an ordinary number"),
    (f"{Y}=-5,5", "it must be at least 0"),
])
def test_an_axis_that_is_none_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError) as told:
        axis(asked(tmp_path, QUESTION), text)
    assert sentence in str(told.value)


def test_a_map_that_is_none_is_told(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    with pytest.raises(InputError, match="named twice"):
        cost_map(scenario, X, X)
    with pytest.raises(InputError, match="is no range of this dial"):
        cost_map(scenario, X, Y, x_ends=(5, 5))
    with pytest.raises(InputError, match="between 2 and 1000"):
        cost_map(scenario, X, Y, points=1)
