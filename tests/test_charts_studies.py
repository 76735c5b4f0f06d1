"""The pictures of the studies draw the numbers they are given, say them in words, and leave nothing unsaid."""

from __future__ import annotations

import dataclasses
import html
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from questions import asked

from simulator import charts, charts_style
from simulator.answers_unsure import bridge_json
from simulator.domain.advice import Bridge, BridgePart
from simulator.domain.scenario import Scenario
from simulator.studies.backtest import monthly
from simulator.studies.bridge import bridge
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


def test_bars_are_named_as_their_dials_and_their_ends_carry_a_unit(scenario: Scenario) -> None:
    low, high = charts.tornado(tornado(scenario)).data
    ends = dict(zip(low.y, zip(low.text, high.text, strict=True), strict=True))
    assert ends["Calls per day"] == ("50 a day", "600 a day")
    assert ends["Paid once (build), b"] == ("20 USD", "60 USD")
    assert all("." not in name for name in ends)
    assert any(X in words for words in low.hovertext)                      # where it is, under the pointer
    chart = charts.flips(flips(scenario))
    assert all("." not in name for name in chart.data[0].y)
    assert any(X in words for words in chart.data[0].customdata)
    ticks = chart.layout.xaxis.ticktext
    assert "0 %" in ticks
    assert all(tick.endswith(" %") for tick in ticks)


def test_dials_of_one_name_keep_bars_of_their_own(scenario: Scenario) -> None:
    found = tornado(scenario)
    twins = tuple(dataclasses.replace(found.bars[0], path=f"options.{name}.one", label="The same") for name in
                  ("an-option-with-many-words-and-more-of-the-same", "an-option-with-many-sorts-and-more-of-the-same"))
    assert len(set(charts.tornado(dataclasses.replace(found, bars=twins)).data[0].y)) == 2
    same = tuple(dataclasses.replace(one, path=path) for one, path in zip(twins, ("a.x", "a.y"), strict=True))
    assert charts.tornado(dataclasses.replace(found, bars=same)).data[0].y == ("a.x", "a.y")


def test_sobol_bars_are_the_indices(scenario: Scenario) -> None:
    found = sobol(scenario, 64)
    whole, alone = charts.sobol(found).data
    assert list(alone.x) == [row.first for row in found.rows]
    assert list(whole.x) == [row.total for row in found.rows]


def test_a_single_bar_is_a_bar_and_no_block(tmp_path: Path) -> None:
    found = sobol(asked(tmp_path, QUESTION.replace("{low: 20, high: 60}", "40")), 64)
    chart = charts.sobol(found)
    assert len(found.rows) == 1
    assert chart.layout.yaxis.range is None
    assert 1 - chart.layout.bargap <= 0.65 / 4                            # no thicker than one of four


def test_the_legend_of_sobol_names_the_upper_bar_first(scenario: Scenario) -> None:
    """Of a group of lying bars the first trace is the lowest; a reversed legend names the last trace first."""
    chart = charts.sobol(sobol(scenario, 64))
    assert [trace.name for trace in chart.data] == ["with interactions", "alone"]
    assert chart.layout.legend.traceorder == "reversed"


def test_flips_are_drawn_at_their_relative_change(scenario: Scenario) -> None:
    found = flips(scenario)
    (bars,) = charts.flips(found).data
    near = [row.change for row in found.rows if row.change is not None and abs(row.change) <= 2][:15]
    assert list(bars.x) == near


def test_the_axis_of_flips_ends_where_nothing_is_left_of_a_dial_and_its_label_goes_beside(scenario: Scenario) -> None:
    found = flips(scenario)
    row = next(row for row in found.rows if row.change is not None and row.change < 0)
    rows = (dataclasses.replace(row, change=-0.98), dataclasses.replace(row, path="options.a.other", change=1.5),
            dataclasses.replace(row, path="options.a.third", change=-0.1))
    chart = charts.flips(dataclasses.replace(found, rows=rows))
    assert chart.layout.xaxis.range[0] == -1
    assert list(chart.data[0].textposition) == ["none", "outside", "outside"]
    (label,) = (one for one in chart.layout.annotations if one.y == chart.data[0].y[0])
    assert (label.x, label.xanchor) == (0, "left")
    assert label.text == chart.data[0].text[0]
    through = charts.flips(dataclasses.replace(found, rows=(dataclasses.replace(row, change=-1.4),)))
    assert through.layout.xaxis.range[0] == -1.4


def test_the_ends_of_a_bridge_have_the_colour_of_no_option() -> None:
    parts = (BridgePart(part="price", usd=60.0),)
    chart = charts.bridge(Bridge(between=("a", "b"), days=(365, 365), from_usd=100.0, to_usd=40.0, parts=parts))
    assert chart.data[0].totals.marker.color not in charts_style.COLOURS


@pytest.mark.parametrize("parts", [(99.0, -1.0), (50.0, 49.9), (104.0, -8.0), (120.0, 5.0), (-30.0, 129.5), (100.5,)])
def test_no_amount_of_a_bridge_stands_on_the_zero_line(parts: tuple[float, ...]) -> None:
    taken = Bridge(between=("a", "b"), days=(365, 365), from_usd=100.0, to_usd=100.0 - sum(parts),
                   parts=tuple(BridgePart(part=f"part {n}", usd=usd) for n, usd in enumerate(parts)))
    chart = charts.bridge(taken)
    low, high = chart.layout.yaxis.range
    words = 0.05 * (high - low)                                            # a line of 12 px in a plot of 300 px
    labels = [one for one in chart.layout.annotations if one.yref is None]
    assert len(labels) == len(parts) + 2
    for label in labels:
        below, above = (label.y, label.y + words) if label.yanchor == "bottom" else (label.y - words, label.y)
        assert below >= 0 or above <= 0
        assert low <= below
        assert above <= high


def test_a_map_names_every_region_and_marks_today(scenario: Scenario) -> None:
    found = cost_map(scenario, X, Y, points=20)
    chart = charts.cost_map([found])
    (heat,) = (trace for trace in chart.data if trace.type == "heatmap")
    regions = np.floor(np.asarray(heat.z) + 1e-9)
    assert np.array_equal(regions, found.cheapest)
    (today,) = (trace for trace in chart.data if trace.name == "today")
    assert (today.x[0], today.y[0]) == found.today
    assert "~r}" in heat.hovertemplate                                  # "51,520", where g would say 5.152e+4
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
    results = {name: option.result for name, option in found.options.items()}
    taken = bridge(scenario, ("a", "b"), results)
    (steps,) = charts.bridge(taken).data
    assert sum(steps.y[:-1]) == pytest.approx(steps.y[-1]) == pytest.approx(taken.to_usd)


def test_a_bridge_says_of_its_steps_what_its_bars_show() -> None:
    """From $100 to $130: people add $50, tokens take $20 away; the other way round the same with other signs."""
    parts = (BridgePart(part="tokens bought", usd=20.0), BridgePart(part="people", usd=-50.0))
    dearer = Bridge(between=("a", "b"), from_usd=100.0, to_usd=130.0, parts=parts, days=(365, 365))
    back = tuple(BridgePart(part=part.part, usd=-part.usd) for part in parts)
    cheaper = Bridge(between=("b", "a"), from_usd=130.0, to_usd=100.0, parts=back, days=(365, 365))
    for taken, title, steps in (
        (dearer, "b costs $30 more over the horizon against a. Largest part: people, $50 more.", ("-$20", "+$50")),
        (cheaper, "a saves $30 over the horizon against b. Largest part: people, $50 less.", ("+$20", "-$50")),
    ):
        chart = charts.bridge(taken)
        assert title in plain(chart)
        assert tuple(map(html.unescape, chart.data[0].text[1:-1])) == steps
        assert list(chart.data[0].y[1:-1]) == [-part.usd for part in taken.parts]


def test_a_bridge_between_unlike_spans_says_so(scenario: Scenario) -> None:
    """An option that stops after 52 days is not held against a whole year without a word."""
    found = compare(scenario)
    results = {name: option.result for name, option in found.options.items()}
    stopped = dataclasses.replace(results["b"], serves_until=scenario.start + timedelta(days=52))
    taken = bridge(scenario, ("a", "b"), {**results, "b": stopped})
    whole = int(scenario.horizon_days)
    assert taken.days == (whole, 52)
    assert f"in 52 days against a in {whole} days: not the same time" in plain(charts.bridge(taken))
    assert {(row["from_days"], row["to_days"]) for row in bridge_json(taken)} == {(whole, 52)}
    assert taken.notes[0] == f"the two are not paid for the same time: a {whole} days and b 52 days"
    alike = bridge(scenario, ("a", "b"), results)
    assert alike.days == (whole, whole)
    assert "not the same time" not in plain(charts.bridge(alike))


def plain(chart: Any) -> str:
    """What stands below the title of a chart, without its line ends."""
    return html.unescape(chart.layout.title.subtitle.text.replace("<br>", " "))


def test_a_backtest_rings_what_was_chosen(scenario: Scenario) -> None:
    found = list(monthly(scenario, date(2026, 1, 1), date(2026, 4, 1)))
    chart = charts.backtests(found)
    ring = chart.data[-1]
    paid = [one.options[str(one.choice)].paid_usd for one in found]
    assert list(ring.y) == pytest.approx([usd / 100 for usd in paid if usd is not None])
    assert len(ring.x) == 4
