"""The pictures of the studies draw the numbers they are given, say them in words, and leave nothing unsaid."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from questions import asked

from simulator import charts
from simulator.domain.scenario import Scenario
from simulator.studies.backtest import monthly
from simulator.studies.compare import compare
from simulator.studies.flip import flips
from simulator.studies.map import cost_map, small_multiples
from simulator.studies.sensitivity import sobol, tornado

QUESTION = """
start: 2027-01-01
horizon_days: 100
baseline: a
workload: {calls_per_day: {low: 50, mode: 200, high: 600}, tokens: {input: 900, output: 50}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 9}}
  acme/small: {usd_per_mtok: {input: 1, output: 3}}
options:
  a: {kind: hosted_prompt, price: acme/big, prefix_tokens: 500}
  b: {kind: hosted_prompt, price: acme/small, prefix_tokens: 500, one_off_usd: {build: {low: 20, high: 60}}}
"""
X, Y = "workload.calls_per_day", "options.a.prefix_tokens"


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return asked(tmp_path, QUESTION)


def test_a_tornado_draws_both_ends_of_every_bar(scenario: Scenario) -> None:
    found = tornado(scenario)
    low, high = charts.tornado(found).data
    assert [x + low.base for x in low.x] == pytest.approx([bar.at_low for bar in found.bars])
    assert [x + high.base for x in high.x] == pytest.approx([bar.at_high for bar in found.bars])


def test_sobol_bars_are_the_indices(scenario: Scenario) -> None:
    found = sobol(scenario, 64)
    alone, whole = charts.sobol(found).data
    assert list(alone.x) == [row.first for row in found.rows]
    assert list(whole.x) == [row.total for row in found.rows]


def test_flips_are_drawn_at_their_relative_change(scenario: Scenario) -> None:
    found = flips(scenario)
    (bars,) = charts.flips(found).data
    near = [row.change for row in found.rows if row.change is not None and abs(row.change) <= 2][:15]
    assert list(bars.x) == near


def test_a_map_names_every_region_and_marks_today(scenario: Scenario) -> None:
    found = cost_map(scenario, X, Y, points=20)
    chart = charts.cost_map([found])
    (heat,) = (trace for trace in chart.data if trace.type == "heatmap")
    regions = np.floor(np.asarray(heat.z) + 1e-9)
    assert np.array_equal(regions, found.cheapest)
    (today,) = (trace for trace in chart.data if trace.name == "today")
    assert (today.x[0], today.y[0]) == found.today
    assert "Map of the cheapest option" in chart.layout.meta["alt"]
    several = charts.cost_map(small_multiples(scenario, X, Y, "options.b.price_factor", [0.5, 2.0], points=5))
    assert sum(trace.type == "heatmap" for trace in several.data) == 2
    with pytest.raises(ValueError, match="no map"):
        charts.cost_map([])


def test_the_distribution_and_the_bridge_draw_the_comparison(scenario: Scenario) -> None:
    found = compare(scenario, draws=500)
    assert found.uncertainty is not None
    lines = [trace for trace in charts.cost_distribution(found.uncertainty).data if trace.mode == "lines"]
    for line, risk in zip(lines, found.uncertainty.options.values(), strict=True):
        assert np.interp([0.05, 0.5, 0.95], line.y, line.x) == pytest.approx(risk.interval_usd)
    from simulator.studies.bridge import bridge

    results = {name: option.result for name, option in found.options.items()}
    taken = bridge(scenario, ("a", "b"), results)
    (steps,) = charts.bridge(taken).data
    assert sum(steps.y[:-1]) == pytest.approx(steps.y[-1]) == pytest.approx(taken.to_usd)


def test_a_backtest_rings_what_was_chosen(scenario: Scenario) -> None:
    found = list(monthly(scenario, date(2026, 1, 1), date(2026, 4, 1)))
    chart = charts.backtests(found)
    ring = chart.data[-1]
    paid = [one.options[str(one.choice)].paid_usd for one in found]
    assert list(ring.y) == pytest.approx([usd / 100 for usd in paid if usd is not None])
    assert len(ring.x) == 4
