"""Charts of many runs say in words and marks what the runs hold, are tables too, and reach the page unchanged."""

from __future__ import annotations

import dataclasses
import itertools
import json
from datetime import datetime

import numpy as np
import plotly.graph_objects as go
import pytest

import simulator
from simulator import charts
from simulator.formats import usd


@pytest.fixture(scope="module")
def played() -> simulator.Rehearsal:
    whole = simulator.read_scenario(simulator.default_scenario_path())
    hosted = {name: option for name, option in whole.options.items() if option.kind.startswith("hosted")}
    scenario = dataclasses.replace(whole, options=hosted)
    found: simulator.Rehearsal = simulator.rehearse(simulator.rehearsal_parts(scenario, 40)[0])
    return found


def test_every_chart_is_one_that_the_library_itself_accepts(played: simulator.Rehearsal) -> None:
    drawn = charts.played_pictures(played)
    assert list(drawn) == ["cost-fan", "payback", "events"]
    for chart in drawn.values():
        go.Figure(chart.to_dict())
        assert len(chart.layout.meta["alt"]) > 40


def test_the_fan_ends_where_the_runs_end(played: simulator.Rehearsal) -> None:
    traces = {trace.name: trace for trace in charts.cost_fan(played).data}
    for name in played.options:
        low, middle, high = played.runs.interval_usd(name)
        assert traces[f"{name}, 5 % of runs"].y[-1] == pytest.approx(low, rel=1e-6)
        assert traces[f"{name}, 95 % of runs"].y[-1] == pytest.approx(high, rel=1e-6)
        assert traces[f"{name}  {usd(middle)}".replace("$", "&#36;")].y[-1] == pytest.approx(middle, rel=1e-6)


def test_the_fan_is_read_under_the_pointer_as_the_table_writes_it(played: simulator.Rehearsal) -> None:
    for trace in charts.cost_fan(played).data:
        if trace.hoverinfo != "skip":
            low, middle, high = played.runs.interval_usd(trace.meta["series"])
            assert trace.customdata[-1].replace("&#36;", "$") == f"{usd(middle)} ({usd(low)} to {usd(high)})"


def test_paid_back_shares_rise_to_the_share_that_ever_pays_back(played: simulator.Rehearsal) -> None:
    (trace,) = charts.payback_chances(played).data
    assert trace.y[0] == 0
    assert np.all(np.diff(trace.y) >= 0)
    assert trace.y[-1] == pytest.approx(1 - played.runs.never_share(trace.name))


def test_options_that_pay_back_on_the_same_days_are_both_seen(
    played: simulator.Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = dict.fromkeys(played.options[1:], np.full(40, 20.0))
    found = dataclasses.replace(played, runs=dataclasses.replace(played.runs, payback_days=waited))
    monkeypatch.setattr("simulator.charts_played.late_payers", lambda _: list(waited))
    widths = [trace.line.width for trace in charts.payback_chances(found).data]
    assert len(widths) == len(waited) > 1
    assert all(below >= above + 2 for below, above in itertools.pairwise(widths))


def test_the_words_below_a_fan_fit_and_break_within_no_percent(played: simulator.Rehearsal) -> None:
    for chart in charts.played_pictures(played).values():
        room = charts.page_room(chart)
        assert " %" not in room["words"]
        assert not room["words"].endswith("...")
    fan = charts.cost_fan(played)
    assert "the cheapest 2, " in fan.layout.title.subtitle.text.replace("<br>", " ")
    assert len(charts.page_room(fan)["words"]) <= 3 * 60                   # three lines of half a screen


def test_no_mark_of_an_event_lies_on_the_edge(played: simulator.Rehearsal) -> None:
    begin, end = (datetime.fromisoformat(one) for one in charts.events(played).layout.xaxis.range)
    assert (played.start - begin.date()).days >= 0.019 * played.horizon_days
    assert (end.date() - played.start).days >= 1.019 * played.horizon_days


def test_what_never_pays_back_is_said_to_never_do_so(played: simulator.Rehearsal) -> None:
    never = {name: np.full_like(days, np.inf) for name, days in played.runs.payback_days.items()}
    found = dataclasses.replace(played, runs=dataclasses.replace(played.runs, payback_days=never))
    assert "never in 100 %" in charts.payback_chances(found).layout.meta["alt"]


def test_marks_of_events_carry_the_numbers_of_the_list(played: simulator.Rehearsal) -> None:
    rows = charts.event_rows(played)
    (trace,) = charts.events(played).data
    assert list(trace.text) == [str(row["number"]) for row in rows]
    assert len({(row["option"], row["day"]) for row in rows}) == len(rows)
    told = " ".join(str(row["what"]) for row in rows)
    assert all(moment.text in told for result in played.runs.mean.values() for moment in result.timeline)


@pytest.mark.parametrize("narrow", [False, True])
def test_the_text_a_page_draws_from_holds_all_that_its_figure_draws(played: simulator.Rehearsal, narrow: bool) -> None:
    for chart in charts.played_pictures(played).values():
        drawn = json.loads(charts.page_json(chart, 400, narrow=narrow))
        whole = json.loads(chart.to_json(validate=False))["data"]
        if narrow:  # the legend says but the name, which `meta` holds
            whole = [trace | ({"name": trace["meta"]["series"]} if {"meta", "name"} <= trace.keys() else {})
                     for trace in whole]
        assert drawn["data"] == whole
        assert drawn["layout"]["height"] == 400


def test_bands_change_colour_with_their_lines_at_night(played: simulator.Rehearsal) -> None:
    chart = charts.cost_fan(played)
    band, line = next(trace for trace in chart.data if trace.fill).fillcolor, chart.data[2].line.color
    assert band[:7] == line
    assert charts.NIGHT[band][:7] == charts.NIGHT[line] != line


def test_every_chart_of_the_break_even_page_is_a_table_too() -> None:
    scenario = simulator.read_scenario(simulator.default_scenario_path())
    found = simulator.cost_map(scenario, "workload.calls_per_day", "options.long-prompt.prefix_tokens")
    rows = charts.plotted(charts.cost_map([found]))
    grid = [row for row in rows if row["z"] is not None]
    assert {(row["x"], row["y"]) for row in grid} == {(x, y) for x in found.x_values for y in found.y_values}
    for chart in (charts.cost_map([found]), charts.tornado(simulator.tornado(scenario)),
                  charts.flips(simulator.flips(scenario))):
        assert len(simulator.as_csv(charts.plotted(chart)).splitlines()) == len(charts.plotted(chart)) + 1 > 1


def test_what_is_written_of_a_simulation_shows_its_runs() -> None:
    """When the runs pay back; an expectation and a single run have no such spread."""
    scenario = simulator.read_scenario(simulator.default_scenario_path(), ["horizon_days=60"])
    curve = simulator.cost_curve(scenario, points=5)
    drawn = charts.pictures(simulator.compare(scenario, engine="simulated", runs=3, flips=False), curve)
    assert "payback" in drawn
    assert "tuned-api" in " ".join(trace.name or "" for trace in drawn["payback"].data)
    one = simulator.compare(scenario, engine="simulated", runs=1, flips=False)
    for without in (one, simulator.compare(scenario, flips=False)):
        assert "payback" not in charts.pictures(without, curve)
