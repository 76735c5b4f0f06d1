"""A chart shows the findings and nothing else: lines end at the totals, marks stand where hand calculation puts them.

The question, by hand: 1,000 calls of 1,000 tokens in and 100 out a day. `today` costs $4.50 a day. `tuned` pays
$150 once, then $1.50 a day, and from day 40 on, by an announced cut, $0.75: level with `today` on day
40 + (150 - 40 x 3) / 3.75 = 48. `old` costs $3 a day and retires after 60 days.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from questions import asked

from simulator import charts, charts_style
from simulator.charts_cash import MOST_POINTS, cash_path
from simulator.charts_words import text
from simulator.domain.findings import BreakEven, Comparison, CostCurve, Crossing, Payback
from simulator.studies.compare import compare, cost_curve

SOURCE = "source: {title: A page, seen_on: 2026-12-01, confidence: reported}"
QUESTION = f"""
question: Is <b>tuning</b> worth $150 & more, or $200?
start: 2027-01-01
horizon_days: 100
hours_per_month: 730
baseline: today
workload: {{calls_per_day: 1_000, tokens: {{input: 1_000, output: 100}}}}
options:
  today: {{kind: hosted_prompt, price: mine/big}}
  tuned: {{kind: hosted_fine_tuned, price: mine/small, one_off_usd: {{"<i>labels</i> $x$": 150}}}}
  old: {{kind: hosted_prompt, price: mine/old}}
prices:
  mine/big: {{usd_per_mtok: {{input: 3, output: 15}}}}
  mine/small:
    versions:
    - {{effective: 2026-01-01, recorded: 2026-01-01, usd_per_mtok: {{input: 1, output: 5}}, {SOURCE}}}
    - {{effective: 2027-02-10, recorded: 2026-12-01, usd_per_mtok: {{input: 0.5, output: 2.5}}, {SOURCE}}}
  mine/old:
    versions:
    - {{effective: 2026-01-01, recorded: 2026-01-01, usd_per_mtok: {{input: 2, output: 10}}, {SOURCE},
       lifecycle: {{retires_on: 2027-03-02}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("charts")


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[Comparison, CostCurve]:
    scenario = asked(folder, QUESTION)
    return compare(scenario), cost_curve(scenario)


def trace(chart: go.Figure, name: str) -> Any:
    (only,) = [one for one in chart.data if one.name == name or one.name.startswith(name + "  ")]
    return only


def words(chart: go.Figure) -> str:
    """Everything a reader sees in a chart, as the chart was told it."""
    shown = [chart.layout.title.text, chart.layout.title.subtitle.text, chart.layout.xaxis.title.text,
             chart.layout.yaxis.title.text, *(note.text for note in chart.layout.annotations),
             *(one.name for one in chart.data)]
    return "\n".join(str(one) for one in shown)


def day_of(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime(2027, 1, 1)).total_seconds() / 86_400


def all_charts(found: tuple[Comparison, CostCurve]) -> dict[str, go.Figure]:
    return charts.pictures(*found)


# Cumulative cost

def test_each_line_of_cash_begins_at_nothing_and_ends_at_the_total(found: tuple[Comparison, CostCurve]) -> None:
    chart = charts.cumulative_cost(found[0])
    for name, usd in (("today", 450.0), ("tuned", 150 + 40 * 1.5 + 60 * 0.75)):
        line = trace(chart, name)
        assert line.y[0] == 0
        assert line.y[-1] == pytest.approx(usd, rel=1e-12)
        assert (line.x[0], line.x[-1]) == ("2027-01-01", "2027-04-11")
    assert trace(chart, "tuned").y[1:3] == (0, 150)                     # the one-off falls at the start of its day


def test_the_payback_is_marked_where_the_lines_meet_and_dated(found: tuple[Comparison, CostCurve]) -> None:
    chart = charts.cumulative_cost(found[0])
    mark = trace(chart, "payback")
    assert day_of(mark.x[0]) == pytest.approx(48)
    assert mark.y[0] == pytest.approx(48 * 4.5)
    assert "18 Feb 2027, after 48 days" in words(chart)


def test_a_retired_option_ends_with_a_mark_and_is_dashed_and_called_no_choice(
    found: tuple[Comparison, CostCurve]
) -> None:
    chart = charts.cumulative_cost(found[0])
    line, mark = trace(chart, "old (no choice)"), trace(chart, "stops serving")
    assert (line.x[-1], line.line.dash) == ("2027-03-02", "dash")
    assert line.y[-1] == pytest.approx(180)
    assert (mark.x[0], mark.y[0], mark.marker.symbol) == (line.x[-1], line.y[-1], "x")
    assert "old is no choice" in words(chart)
    assert trace(chart, "today").line.dash == "solid"


def test_a_long_horizon_is_thinned_but_keeps_every_step_and_both_ends(folder: Path) -> None:
    scenario = asked(folder, QUESTION, "horizon_days=3000", "options.old.successor=mine/big")
    option = compare(scenario).options["tuned"]
    path = cash_path(option, scenario.start)
    assert len(path.days) <= MOST_POINTS + 4
    assert (path.days[-1], path.usd[1:3]) == (3000, [0, 150])
    assert path.usd[-1] == pytest.approx(150 + 40 * 1.5 + 2960 * 0.75)


def test_what_is_no_choice_is_not_marked_as_paid_back(found: tuple[Comparison, CostCurve], folder: Path) -> None:
    assert "tuned pays back" in words(charts.cumulative_cost(found[0]))
    closed = "{input: 1, output: 5}, lifecycle: {no_new_customers_from: 2026-12-01}"
    barred = compare(asked(folder, QUESTION.replace("{input: 1, output: 5}", closed)))
    assert "tuned is no choice" in words(charts.cumulative_cost(barred))
    assert "pays back" not in words(charts.cumulative_cost(barred))


# Cost per day

def test_the_lines_of_a_day_add_up_to_what_the_ledger_paid_without_the_one_off(
    found: tuple[Comparison, CostCurve], folder: Path
) -> None:
    comparison = compare(asked(folder, QUESTION, "horizon_days=92", "options.old.successor=mine/big"))
    chart = charts.cost_per_day(comparison, "tuned")
    stacked = np.sum([one.y for one in chart.data], axis=0)
    assert stacked == pytest.approx([1.5] * 40 + [0.75] * 53)           # 92 days and the end of the last one
    assert "Besides &#36;150 paid once" in words(chart)


def test_the_prices_in_force_are_named_and_their_change_is_marked_on_its_day(
    found: tuple[Comparison, CostCurve]
) -> None:
    chart = charts.cost_per_day(found[0], "tuned")
    assert "In force from the first day: mine/small@2026-01-01" in words(chart)
    assert "from 10 Feb 2027<br>mine/small@2027-02-10" in words(chart)
    assert [shape.x0 for shape in chart.layout.shapes] == ["2027-02-10"]


@pytest.mark.parametrize(("horizon", "step", "count"), [(92, "", 92), (100, "week", 14), (365, "week", 52),
                                                        (1000, "month", 33)])
def test_too_many_days_are_averaged_over_whole_weeks_then_calendar_months(
    folder: Path, horizon: int, step: str, count: int
) -> None:
    office = "workload.demand={weekday: office}"
    comparison = compare(asked(folder, QUESTION, f"horizon_days={horizon}", "options.old.successor=mine/big", office))
    chart = charts.cost_per_day(comparison, "today")
    stacked = np.sum([one.y for one in chart.data], axis=0)[:-1]
    assert len(stacked) == count
    assert step in chart.layout.yaxis.title.text
    assert ("Not drawn" in words(chart)) == (step == "week")            # none of these horizons is whole weeks
    if step == "week":                                                  # each has five working days and a weekend
        assert stacked == pytest.approx([4.5] * count)
    widths = np.diff([day_of(moment) for moment in chart.data[0].x])
    drawn = comparison.options["today"].result.ledger.usd(one_off=False)[0][: int(widths.sum())]
    assert stacked @ widths == pytest.approx(drawn.sum())


# Bills side by side

def test_the_bars_of_an_option_add_up_to_its_bill_and_the_cheapest_stands_on_top(
    found: tuple[Comparison, CostCurve]
) -> None:
    chart = charts.bill_by_line(found[0])
    names = chart.data[0].y
    total = {name: sum(one.x[i] for one in chart.data) for i, name in enumerate(names)}
    assert total == pytest.approx({"tuned": 255, "today": 450, "old": 180})
    assert names == ("tuned", "today", "old")                           # what is no choice stands below
    assert chart.layout.yaxis.categoryarray == names[::-1]              # the axis counts from below
    assert chart.layout.yaxis.ticktext == ("tuned", "today", "old (no choice)")
    assert {"<b>&#36;255</b>", "<b>&#36;450</b>"} <= {note.text for note in chart.layout.annotations}


# Cost against a dial

def test_a_crossing_is_marked_where_both_cost_the_same_with_todays_volume_beside_it(
    found: tuple[Comparison, CostCurve]
) -> None:
    comparison, curve = found
    chart = charts.cost_against_volume(curve, comparison.break_even, comparison)
    mark = trace(chart, "crossing")
    volume = 150 / (100 * 0.0045 - 40 * 0.0015 - 60 * 0.00075)
    assert mark.x[0] == pytest.approx(volume, rel=1e-6)
    assert mark.y[0] == pytest.approx(volume * 100 * 0.0045 / (100 * 24 / 730), rel=1e-2)   # read off the curve
    assert mark.marker.symbol == "circle"
    assert "Above 435 calls a day tuned is cheaper than today" in words(chart)
    assert [shape.x0 for shape in chart.layout.shapes] == [1000]
    assert "today 1,000 calls a day" in words(chart)
    assert (chart.layout.xaxis.type, chart.layout.yaxis.type) == ("log", "log")
    assert chart.layout.xaxis.range[0] < 1 < 7 < chart.layout.xaxis.range[1]


def test_jumps_recurring_crossings_and_flags_each_have_a_mark_and_a_legend_of_their_own(
    found: tuple[Comparison, CostCurve]
) -> None:
    comparison, curve = found
    crossings = (
        Crossing(at=100, kind="jump", basis="horizon", below="today", above="tuned"),
        Crossing(at=200, kind="root", basis="steady_state", below="today", above="tuned"),
        Crossing(at=300, kind="root", basis="horizon", below="today", above="tuned", flags=("the limit is 5 a day",)),
        Crossing(at=1e9, kind="root", basis="horizon", below="today", above="tuned"),
    )
    pair = BreakEven(between=("today", "tuned"), along=curve.along, unit=curve.unit, answer="crosses", cheaper=None,
                     crossings=crossings, reason=None, payback=Payback(days=None, date=None, reason=""))
    other = dataclasses.replace(pair, along="workload.tokens.input")
    chart = charts.cost_against_volume(curve, (pair, other), comparison)
    marks = {one.name: (one.x, one.marker.symbol) for one in chart.data if one.mode == "markers"}
    assert marks == {
        "jump": ((100,), "diamond"),
        "crossing (running)": ((200,), "circle-open"),
        "flagged crossing": ((300,), "circle"),
    }
    assert "the limit is 5 a day" in words(chart)


def test_a_dial_with_a_linear_scale_and_costs_below_zero_is_drawn_on_linear_axes() -> None:
    curve = CostCurve(along="options.a.cache_hit_rate", label="Cache hit share", unit="share", scale="linear",
                      today=0.5, x=np.linspace(0, 1, 5), usd_per_month={"a": np.linspace(3, -1, 5), "b": np.ones(5)})
    chart = charts.cost_against_volume(curve, ())
    assert (chart.layout.xaxis.type, chart.layout.yaxis.type) == ("linear", "linear")
    assert "No two of the options compared change places" in words(chart)
    assert "today 50 %" in words(chart)


# What holds for every chart

@given(st.integers(0, 83), st.integers(0, 83))
def test_no_two_of_84_options_look_alike_and_each_looks_the_same_everywhere(one: int, other: int) -> None:
    styles = [charts_style.line_style(place) for place in (one, other)]
    looks = {(style["line"]["color"], style["marker"]["symbol"]) for style in styles}
    assert (len(looks) == 1) == (one == other)


def test_an_option_has_one_colour_by_its_place_in_the_scenario_in_every_chart(
    found: tuple[Comparison, CostCurve]
) -> None:
    comparison, curve = found
    lines = [charts.cumulative_cost(comparison), charts.cost_against_volume(curve, comparison.break_even, comparison)]
    colours = [[trace(chart, name).line.color for name in ("today", "tuned", "old (no choice)")] for chart in lines]
    assert colours == [list(charts_style.COLOURS[:3])] * 2
    assert all({"today", "tuned", "old"} <= {row["series"] for row in charts.plotted(chart)} for chart in lines)


def test_a_line_of_the_bill_has_one_look_and_no_two_share_it() -> None:
    assert len(set(charts_style.LINE_LOOKS.values())) == len(charts_style.LINE_LOOKS)
    own = charts_style.line_looks(["input", "one of mine", "another"])
    assert len(set(own.values())) == 3


def test_every_chart_says_its_question_its_units_its_days_and_its_prices(found: tuple[Comparison, CostCurve]) -> None:
    for name, chart in all_charts(found).items():
        told = words(chart)
        assert chart.layout.title.text.endswith("?</b>"), name
        assert "USD" in f"{chart.layout.yaxis.title.text} {chart.layout.xaxis.title.text}", name
        assert "From 1 Jan 2027 over 100 days" in told, name
        assert found[0].prices_digest in told, name
        assert found[0].digest in told, name
        assert "mine (" in told, name
        assert "reported" in told, name
        assert chart.layout.paper_bgcolor == "white", name


def test_every_chart_can_be_read_without_seeing_it(found: tuple[Comparison, CostCurve]) -> None:
    told = {name: chart.layout.meta["alt"] for name, chart in all_charts(found).items()}
    assert all(len(alt) > 40 and alt.endswith(".") for alt in told.values())
    assert all(part in told["cumulative-cost"] for part in ("today $450", "tuned $255", "old $180 until 2 Mar 2027"))


def test_text_of_the_user_is_shown_as_text_and_never_as_tags_or_formulas(found: tuple[Comparison, CostCurve]) -> None:
    for chart in all_charts(found).values():
        assert "<b>tuning" not in words(chart)
        assert "<i>" not in words(chart)
        assert "$" not in words(chart).replace(charts_style.TICKS_USD[0]["value"], "")
    assert text("<i>labels</i> $x$") in words(charts.bill_by_line(found[0]))


def test_what_is_placed_on_a_page_cannot_end_its_script_and_is_the_chart_itself(
    found: tuple[Comparison, CostCurve]
) -> None:
    chart = charts.bill_by_line(found[0])
    chart.layout.meta["alt"] = "</script><script>alert(1)</script>\u2028"
    script = charts.placed(chart, "here")
    assert "</script" not in script
    assert "\u2028" not in script
    drawn = script.split("})(", 1)[1].removesuffix(");")
    assert json.loads(drawn) == json.loads(chart.to_json())


def test_twelve_options_with_long_names_leave_room_and_stay_apart(folder: Path) -> None:
    names = [f"support-desk-with-a-prompt-that-is-much-too-long-{i}" for i in range(12)]
    options = "\n".join(f"  {name}: {{kind: hosted_prompt, price: mine/big, prefix_tokens: {100 * i}}}"
                        for i, name in enumerate(names))
    head, tail = QUESTION.split("options:\n")[0], "prices:" + QUESTION.split("prices:")[1]
    head = head.replace("baseline: today", f"baseline: {names[0]}")
    scenario = asked(folder, f"{head}options:\n{options}\n{tail}")
    found = compare(scenario)
    lines, bars = charts.cumulative_cost(found), charts.bill_by_line(found)
    for shown in ([one.name.split("  ")[0] for one in lines.data], bars.layout.yaxis.ticktext):
        assert len(set(shown)) == 12
        assert max(len(name) for name in shown) <= 28
    rooms = [chart.layout.height - chart.layout.margin.t - chart.layout.margin.b for chart in (lines, bars)]
    assert rooms[0] >= 12 * charts_style.LEGEND_LINE_PX
    assert rooms[1] >= 12 * 30
    assert bars.layout.margin.l > 28 * 6                                # 13 px letters are about 6 px wide


def test_a_picture_is_named_by_the_plain_name_of_its_file(found: tuple[Comparison, CostCurve]) -> None:
    assert list(all_charts(found)) == ["cumulative-cost", "bill-by-line", "cost-against-volume", "cost-per-day-today",
                                       "cost-per-day-tuned", "cost-per-day-old"]


def test_no_chart_shows_a_day_outside_the_horizon(found: tuple[Comparison, CostCurve]) -> None:
    for chart in all_charts(found).values():
        if chart.layout.xaxis.type == "date":
            days = [date.fromisoformat(str(moment)[:10]) for one in chart.data for moment in one.x]
            assert min(days) >= date(2027, 1, 1)
            assert max(days) <= date(2027, 4, 11)


def test_a_chart_that_is_built_unchecked_would_pass_the_checks(found: tuple[Comparison, CostCurve]) -> None:
    for chart in all_charts(found).values():
        for one in (chart.to_dict(), json.loads(charts.page_json(chart))):
            checked = go.Figure(one)                        # raises where a key or a value is none of Plotly's
            assert len(checked.data) == len(chart.data)


def test_each_axis_has_its_own_title(found: tuple[Comparison, CostCurve]) -> None:
    for chart in all_charts(found).values():
        assert chart.layout.xaxis.title.text != chart.layout.yaxis.title.text


@pytest.mark.parametrize("colour", charts_style.COLOURS)
@pytest.mark.parametrize("dark", [False, True])
def test_an_option_stands_out_from_the_page(colour: str, dark: bool) -> None:
    """Relative luminance and contrast as in WCAG 2.2; a large mark needs 3, and its symbol tells it apart besides."""
    def luminance(code: str) -> float:
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    shown = charts.NIGHT.get(colour, colour) if dark else colour
    paper = charts.NIGHT["white"] if dark else "#ffffff"
    light, deep = sorted((luminance(shown), luminance(paper)), reverse=True)
    assert (light + 0.05) / (deep + 0.05) >= (3.0 if dark else 2.0)
