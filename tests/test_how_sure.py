"""The scenario of ranges teaches what its comment says: what is likely, what is best on average, what to measure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from command_line import tunepoint

from pricing.load import shipped_book
from simulator import charts
from simulator.domain.findings import Comparison
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario
from simulator.report import report_html
from simulator.studies.compare import compare, cost_curve
from simulator.studies.explore import explore
from simulator.studies.outlook import outlook

PATH = Path(__file__).parents[1] / "scenarios" / "how-sure.yaml"
CALLS, AGAIN = "workload.calls_per_day", "options.cheap-prompt.fallback.share"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return read_scenario(PATH)


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> Comparison:
    return compare(scenario)


def test_every_range_says_where_it_comes_from(scenario: Scenario) -> None:
    assert len(scenario.ranges) == 12
    assert set(scenario.ranges) <= set(scenario.assumes)


def test_the_best_on_average_is_not_the_likeliest(found: Comparison) -> None:
    unsure = found.uncertainty
    assert unsure is not None
    assert unsure.choice == found.verdict.choice == "tuned"
    assert 0.35 < unsure.options["tuned"].cheapest_share < 0.45          # "dearer in three of five draws"
    assert found.verdict.too_close
    assert found.verdict.money.startswith("Too close to call; tuned leads: at 31,275 calls a day it saves")
    assert sum(risk.cheapest_share for risk in unsure.options.values()) == pytest.approx(1.0)


def test_what_to_measure_first_is_worth_what_the_comment_says(found: Comparison) -> None:
    assert found.uncertainty is not None
    assert found.uncertainty.perfect_usd == pytest.approx(2100, abs=100)
    worth = {one.path: one for one in found.worth}
    first, second, third = sorted(worth, key=lambda path: -worth[path].usd)[:3]
    assert (first, second) == (CALLS, AGAIN)
    assert third.endswith(".caching.reach")
    assert worth[CALLS].usd > 0.5 * found.uncertainty.perfect_usd
    for path in ("dataset.minutes_per_example", "training.runs_per_model"):
        one = worth[f"options.tuned.{path}"]
        assert one.usd <= 3 * one.error_usd
    for one in found.worth:                                              # one input is never worth more than all
        assert one.usd - 3 * one.error_usd <= found.uncertainty.perfect_usd


def test_the_two_routes_to_what_matters_name_the_same_inputs() -> None:
    """By variance (Sobol), by moving one dial (tornado) and by money (value of information)."""
    rows = {method: tunepoint("sensitivity", PATH, "--method", method, "--json").json["rows"]
            for method in ("sobol", "tornado", "voi")}
    assert [found[0]["path"] for found in rows.values()] == [CALLS] * 3
    assert [found[1]["path"] for found in rows.values()] == [AGAIN] * 3


def test_the_report_shows_chances_values_and_both_halves(scenario: Scenario, found: Comparison) -> None:
    page = report_html(found, cost_curve(scenario), explore(scenario))
    for said in ("Over 10,000 draws of 12 uncertain inputs", "What to measure first", "Is tuning due",
                 "What should be measured first?", "What will each option cost, and how sure is that?",
                 "What moves the saving of tuned against cheap-prompt?",
                 "Which input makes the saving of tuned uncertain?", "Which option is cheapest where?",
                 "How far must a dial move to end the lead of tuned?"):
        assert said in page
    assert re.search(r"Not yet, because it is not known whether a prompt was shown to fail\..{0,40}It would be worth",
                     page, re.DOTALL)


def test_diagnose_says_both_halves_and_the_most_that_can_be_saved() -> None:
    told = tunepoint("diagnose", PATH, "--json").json
    assert told["justified"] is None
    assert told["missing"] == ["prompt_cannot"]
    assert [one["answer"] for one in told["signs"]] == [True, True, True, True, None]
    assert "Nothing can save more than" in told["worth"]


def test_the_pictures_pass_the_library_checks_and_tell_what_the_rows_say(scenario: Scenario, found: Comparison) -> None:
    explored = explore(scenario)
    drawn = charts.pictures(found, cost_curve(scenario), explored)
    for chart in drawn.values():
        go.Figure(chart.to_dict())
    axis = drawn["cost-distribution"].layout.xaxis
    assert axis.type == "log"                                            # the frontier model is six times as dear
    low, high = axis.range
    for risk in found.uncertainty.options.values():                      # no line and no dot on the edge of the chart
        ends = np.log10([np.quantile(risk.quantiles_usd, part) for part in (0.01, 0.99)])
        assert low + 0.02 * (high - low) < ends[0] < ends[1] < high - 0.02 * (high - low)
    assert explored.map is not None
    assert (explored.map.x, explored.map.y) == (CALLS, AGAIN)
    assert "Cheapest of all: cheap-prompt below 27,524 calls a day, tuned above." in \
        drawn["cost-against-volume"].layout.title.subtitle.text
    bars = [bar for trace in drawn["what-moves-it"].data for bar in zip(trace.y, trace.text, strict=True)]
    assert ("Calls served again elsewhere, cheap-prompt", "17 %") in bars


def test_waiting_is_drawn_beside_committing_and_nothing_is_drawn_of_nothing(
    found: Comparison, tmp_path: Path
) -> None:
    told = tunepoint("outlook", PATH, "--wait", "2", "--out", tmp_path / "outlook.html", "--json").json
    assert "Commit now, or wait for other prices?" in (tmp_path / "outlook.html").read_text("utf-8")
    looked = outlook(read_scenario(PATH), shipped_book(), waits=[2])
    chart = charts.outlook(looked)
    go.Figure(chart.to_dict())
    means = {trace.y[0]: trace.x[0] for trace in chart.data}
    assert means["wait 2 months"] == told["waits"][0]["expected_usd"]
    assert means["commit to tuned"] == told["expected_usd"]["tuned"]
    assert found.uncertainty is not None
    empty = charts.worth([], found.uncertainty)
    assert [words.text for words in empty.layout.annotations if words.text] == ["Nothing to draw."]
