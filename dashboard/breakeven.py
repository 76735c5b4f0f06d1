"""Where two options cost the same: along any dial, every crossing in words and on the curve, and the payback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, pictures, question, shown, take, view, work
from dashboard.guard import guarded
from simulator import as_csv, break_even_json, charts
from simulator.domain.findings import Knob
from simulator.flip_words import flip_words
from simulator.formats import day, share

if TYPE_CHECKING:
    from dashboard.work import Question
    from simulator import Scenario
    from simulator.charts import Figure
    from simulator.domain.findings import BreakEven, Crossing
    from simulator.domain.uncertain import Flips

VOLUME = "workload.calls_per_day"
CROSSINGS, MAP, MOVES, FLIPS = PARTS = ("Crossings", "Map of two dials", "What moves it", "What would flip it")
TALL_PX = 620
BASES = {"horizon": "one-offs included", "steady_state": "running cost alone"}


@st.fragment
def page() -> None:
    """Two options, a dial and its range."""
    shown.title("Break-even", "Where do two options cost the same, and when has the larger outlay been earned back?")
    with guarded():
        asked = question.asked()
        question.keep_in_address(asked)
        scenario = work.scenario_of(asked)
        names = list(scenario.options)
        if len(names) < 2:
            shown.say(f"{names[0]} is the only option of this scenario; there is nothing to compare it with.")
            return
        knobs = {knob.path: knob for knob in answer.knobs_of(asked, ())}
        part = view.switch(st.container(), "What to look at", PARTS, PARTS[0], "part", label_visibility="collapsed")
        if part == MAP:
            _map(asked, knobs)
        elif part == MOVES:
            shown.say("Each dial from low to high, the largest effect on the lead on top; a dial without a range is "
                      "tried a quarter up and down.")
            with shown.working():
                moved = answer.tornado_of(asked)
            if moved.bars:
                _shown(asked, "tornado", charts.tornado(moved))
            else:
                shown.say("No dial alone moves what the choice saves.")
        elif part == FLIPS:
            with shown.working():
                flipped = answer.flips_of(asked)
            _flips(asked, flipped)
        else:
            _pair(asked, scenario, names, knobs)
        take.scenario(asked)


def _flips(asked: Question, flipped: Flips) -> None:
    """Flips as bars, where one is near enough to be drawn, and all of them in words."""
    if charts.near_flips(flipped):
        _shown(asked, "flips", charts.flips(flipped))
    elif flipped.rows:
        shown.say(f"No dial that moves by less than {share(charts.FAR)} alone ends the lead of {flipped.choice}.")
    else:
        shown.say(f"No dial alone ends the lead of {flipped.choice} within its span.")
    shown.points("In words, the nearest first", flip_words(flipped))


def _shown(asked: Question, name: str, figure: Figure, height: int = TALL_PX) -> None:
    """A chart, and what of it can be taken along."""
    pictures.show(name, figure, height)
    take.charts_of(question.called(asked), {name: figure})


def _pair(asked: Question, scenario: Scenario, names: list[str], knobs: dict[str, Knob]) -> None:
    """Two options along one dial."""
    pair, knob, ends = _chosen(asked, scenario, names, knobs)
    if pair[0] == pair[1]:
        shown.say(f"{pair[0]} stands twice; choose two options.")
        return
    with shown.working():
        found, curve = answer.crossings_of(asked, pair, knob.path, ends)
    shown.points(f"{pair[1]} against {pair[0]}", _crossings(found))
    _shown(asked, "break-even", charts.cost_against_volume(curve, [found], answer.comparison_of(asked)), 480)
    shown.points("Payback", _payback(found))
    st.download_button(
        "Every crossing (CSV)", on_click="ignore", file_name="break-even.csv", mime="text/csv",
        data=lambda: as_csv(break_even_json([found])[0]["crossings"]),
    )


def _map(asked: Question, knobs: dict[str, Knob]) -> None:
    """The cheapest option over two dials, how clearly, and the lines on which two cost the same."""
    paths = [knob.path for knob in knobs.values() if knob.at_hand]
    prompts = [path for path in paths if path.endswith("prefix_tokens")] or paths[1:]
    across, up = st.columns(2)
    x = view.choice(across, "Across", paths, VOLUME, "across", format_func=_labelled(knobs))
    y = view.choice(up, "Upwards", paths, prompts[0], "up", format_func=_labelled(knobs))
    with shown.working("Pricing every option at 100 by 100 pairs of values; with machines it takes a while."):
        found = answer.map_of(asked, x, y)
    _shown(asked, "map", charts.cost_map([found]))


def _labelled(knobs: dict[str, Knob]) -> Callable[[str], str]:
    return lambda path: f"{knobs[path].dial.label}: {path}"


def _chosen(
    asked: Question, scenario: Scenario, names: list[str], knobs: dict[str, Knob]
) -> tuple[tuple[str, str], Knob, tuple[float, float]]:
    """The pair, the dial, and the ends of its range."""
    with shown.working():
        best = answer.comparison_of(asked).verdict
    against = best.runner_up if best.runner_up not in (None, scenario.baseline) else best.choice
    first, second, dial = st.columns([1, 1, 2])
    one = view.choice(first, "Between", names, scenario.baseline, "first")
    other = view.choice(second, "and", names, str(against), "second")
    path = view.choice(dial, "Along", list(knobs), VOLUME, "along", format_func=_labelled(knobs))
    knob = knobs[path]
    low, high = st.columns(2)
    begin = view.number(low, "From", float(knob.dial.low), f"from {path}", format="%.6g")
    end = view.number(high, "To", float(knob.dial.high), f"to {path}", format="%.6g")
    return (one, other), knob, (begin, end)


def _crossings(found: BreakEven) -> list[str]:
    if found.answer != "crosses":
        return [f"{found.answer}: {found.reason}."]
    return [_crossing(one, found.unit) for one in found.crossings]


def _crossing(one: Crossing, unit: str) -> str:
    jump = ", a jump" if one.kind == "jump" else ""
    flags = f"; {'; '.join(one.flags)}" if one.flags else ""
    return f"{charts.crossing_words(one, unit)}, below it is {one.below} ({BASES[one.basis]}{jump}){flags}."


def _payback(found: BreakEven) -> list[str]:
    paid = found.payback
    when = f", on {day(paid.date)}" if paid.date else ""
    later = f"; {paid.discounted}" if paid.discounted else ""
    return [f"{paid.reason}{when}{later}.", *(f"Careful: {flag}." for flag in paid.flags)]
