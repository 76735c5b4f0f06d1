"""The table of a chart names its lines as the scenario names its options, whatever the legend adds for a reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import plotly.graph_objects as go
import pytest

import simulator
from simulator import charts
from tests.dashboards import HOSTED_PATH

LONG = "gpt-4o-with-the-whole-guide-in-its-prompt"
SET = ("workload.calls_per_day={low: 5000, mode: 12000, high: 30000}",
       "options.tuned.dataset.minutes_per_example={low: 1, high: 5}")
DRESSED = re.compile(r"&#|&lt;|<br>|  \$|\(no choice\)")


@pytest.fixture(scope="module")
def scenario() -> simulator.Scenario:
    written = HOSTED_PATH.read_text("utf-8").replace("gpt-4o:", f"{LONG}:")
    written = written.replace("options.gpt-4o.", f"options.{LONG}.")
    found: simulator.Scenario = simulator.parse_scenario(written.encode(), "long.yaml", SET)
    assert LONG in found.options
    return found


@pytest.fixture(scope="module")
def drawn(scenario: simulator.Scenario) -> dict[str, go.Figure]:
    """Every chart of the pages that has options in it, and all others a comparison has."""
    compared = simulator.compare(scenario, book=simulator.shipped_book())
    pictures = charts.pictures(compared, simulator.cost_curve(scenario), simulator.explore(scenario))
    played = simulator.rehearse(simulator.rehearsal_parts(scenario, 10)[0])
    batch = simulator.parse_batch(b"scenarios: [../cases/support-triage-2024-09.yaml]\n"
                                  b"vary: {workload.calls_per_day: [10, 5000, 500000]}", "few.yaml")
    task = simulator.BatchTask(pieces=tuple((piece, batch.members[0]) for piece in batch.pieces()), engine="expected",
                               packed=simulator.packed)
    points = simulator.batch_points(batch, [(one.piece, one.content) for one in simulator.price_task(task)])
    price = simulator.shipped_book().table("openai/gpt-5.4-mini")
    return pictures | charts.played_pictures(played) | {
        "batch": charts.batch_scatter(points, "workload.calls_per_day", "total_usd"),
        "price": charts.price_over_time(price, date(2026, 11, 23)),
    }


def series(chart: go.Figure) -> set[str]:
    return {row["series"] for row in charts.plotted(chart)}


def test_no_table_of_a_chart_holds_what_only_its_picture_needs(drawn: Mapping[str, go.Figure]) -> None:
    for name, chart in drawn.items():
        cells = {str(cell) for row in charts.plotted(chart) for cell in row.values()}
        assert cells, name
        assert not {cell for cell in cells if DRESSED.search(cell)}, name


@pytest.mark.parametrize("name", ["cumulative-cost", "cost-against-volume", "cost-distribution", "cost-fan"])
def test_every_option_is_called_by_its_name(
    drawn: Mapping[str, go.Figure], scenario: simulator.Scenario, name: str
) -> None:
    assert set(scenario.options) <= series(drawn[name])


def test_a_point_of_a_batch_is_called_by_its_choice(drawn: Mapping[str, go.Figure]) -> None:
    assert series(drawn["batch"]) <= {"long-prompt", "gpt-4o", "tuned"}
