"""Every crossing that the verdict names is marked on cost against volume, exactly where two curves meet."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import simulator
from dashboard import work
from simulator import charts
from simulator.domain.findings import BreakEven, Comparison, CostCurve, Crossing, Meeting, Payback
from simulator.run import run
from simulator.studies.breakeven import VOLUME, all_crossings, break_even
from simulator.studies.compare import compare, cost_curve
from simulator.studies.reign import reigns

FILES = {path.stem: path for path in simulator.shipped_scenarios()}
NAMED = ("how-sure", "support-triage")
SAME = 1e-8


def read(name: str, *changes: str) -> Any:
    return simulator.read_scenario(FILES[name], list(changes))


def marks(chart: charts.Figure) -> dict[float, str]:
    """What is marked: volume, and what is read there; of running cost nothing."""
    drawn = [one for one in chart.data if one.mode == "markers" and "running" not in one.name]
    return {at: words for one in drawn for at, words in zip(one.x, one.text, strict=True)}


@pytest.fixture(scope="module", params=NAMED)
def asked(request: pytest.FixtureRequest) -> tuple[Any, Comparison, charts.Figure]:
    scenario = read(request.param)
    found, curve = compare(scenario), cost_curve(scenario)
    return scenario, found, work.CHARTS["cost-against-volume"].figure(found, curve)


def test_a_volume_at_which_the_verdict_says_the_cheapest_changes_is_marked(
    asked: tuple[Any, Comparison, charts.Figure]
) -> None:
    """The verdict rounds into the stretch, to five digits; an end set by a latency target is no crossing."""
    _, found, chart = asked
    named = re.search(r"; (?:at|between) ([\d,]+) .*?calls a day(?: or fewer)? (\S+) is cheaper", found.verdict.money)
    assert named
    volume, other = float(named[1].replace(",", "")), named[2]
    (at, words), = ((at, words) for at, words in marks(chart).items() if abs(at / volume - 1.0) < 1e-4)
    assert {other, found.verdict.choice} == set(re.findall(r"a day (\S+) is cheaper than (\S+)", words)[0])
    assert simulator.formats.reading(at, "1/day") in str(chart.layout.annotations)      # and told, not only marked
    assert f"{at:,.0f} calls a day" in chart.layout.meta["alt"]


def test_where_the_cheapest_changes_is_marked_and_both_cost_the_same_there(
    asked: tuple[Any, Comparison, charts.Figure]
) -> None:
    scenario, found, chart = asked
    leading = {one.crossing.at: one.crossing for one in found.meetings if one.leads}
    ends = [one.low for one in reigns(scenario)][1:]
    assert sorted(leading) == pytest.approx(ends, rel=SAME)
    assert set(leading) <= set(marks(chart))
    for one in found.meetings:
        told = break_even(scenario, (one.crossing.below, one.crossing.above)).crossings
        assert one.crossing.at in [pytest.approx(other.at, rel=SAME) for other in told if other.basis == "horizon"]
        if one.crossing.kind == "root":
            costs = [
                run(scenario, name, draws={VOLUME: np.array([one.crossing.at])}).total_usd[0]
                for name in (one.crossing.below, one.crossing.above)
            ]
            assert costs[0] == pytest.approx(costs[1], rel=SAME)


def test_a_crossing_under_a_third_line_is_a_small_mark_without_words() -> None:
    scenario = read("support-triage")
    found, curve = compare(scenario, flips=False), cost_curve(scenario)
    chart = charts.cost_against_volume(curve, found.break_even, found, meetings=found.meetings)
    small, large = (next(one for one in chart.data if one.name == name) for name in ("crossing of others", "crossing"))
    assert len(small.x) == 3
    assert small.marker.size < large.marker.size
    assert all(words.endswith("a third option is cheaper than both") for words in small.text)
    for at in small.x:
        assert simulator.formats.reading(at, "1/day") not in str(chart.layout.annotations)
    assert "A small mark is a crossing of options other than the baseline" in chart.layout.meta["alt"]


def test_where_a_line_ends_only_what_becomes_the_cheapest_is_marked_beside_the_baseline() -> None:
    """At 10 `full` ends: `base`, `low` and `mid` all cross it there, and `low` is the cheapest from there on."""
    x = np.array([1.0, 10.0, 100.0])
    curve = CostCurve(along=VOLUME, label="Calls per day", unit="1/day", scale="log", today=2.0, x=x, usd_per_month={
        "base": 9 + 0 * x, "low": 2 + 0 * x, "mid": 3 + 0 * x, "full": np.array([1.0, 1.0, np.nan])})

    def jump(above: str, *flags: str) -> Crossing:
        return Crossing(at=10.0, kind="jump", basis="horizon", below="full", above=above, flags=flags)

    pair = BreakEven(between=("base", "full"), along=VOLUME, unit="1/day", answer="crosses", cheaper=None,
                     crossings=(jump("base", "full is full"),), reason=None,
                     payback=Payback(days=None, date=None, reason=""))
    met = [Meeting(crossing=jump(name, "full is full"), leads=name == "low") for name in ("base", "mid", "low")]
    chart = charts.cost_against_volume(curve, [pair], meetings=met)
    (drawn,) = (one for one in chart.data if one.mode == "markers")
    assert list(zip(drawn.x, drawn.y, strict=True)) == [(10.0, 9.0), (10.0, 2.0)]
    assert drawn.name == "flagged jump"                                  # beyond what it can serve both are flagged


def test_a_crossing_without_the_baseline_is_flagged_as_it_is_when_its_pair_is_asked_about() -> None:
    """Above 223,873 calls a day `base-cards` is full; none of its crossings with the baseline lies there."""
    scenario = read("bursty-million")
    found, curve = compare(scenario, flips=False), cost_curve(scenario)
    for one in (meeting.crossing for meeting in found.meetings):
        told = break_even(scenario, (one.below, one.above)).crossings
        assert one.flags in [other.flags for other in told if other.at == pytest.approx(one.at, rel=SAME)]
    chart = charts.cost_against_volume(curve, found.break_even, found, meetings=found.meetings)
    (drawn,) = (one for one in chart.data if one.name == "flagged jump of others")
    assert [round(at) for at in drawn.x] == [223_873]
    assert drawn.text[0].endswith("base-cards serves 17.2 calls a second at most, and is full there")


def test_a_rate_limit_flags_a_crossing_of_two_hosted_options_without_the_baseline() -> None:
    scenario = read("support-triage", "options.tuned-api.limits.rpm=1")
    met = [one.crossing for one in all_crossings(scenario)[1]]
    limited = [one for one in met if "tuned-api" in (one.below, one.above) and scenario.baseline not in (
        one.below, one.above)]
    assert limited
    assert all(any(flag.startswith("tuned-api: ") for flag in one.flags) for one in limited)


def test_what_is_no_choice_meets_none() -> None:
    scenario = read("hundred-thousand-a-day")
    found = compare(scenario, flips=False)
    assert not found.options["tuned-openai"].result.feasible
    met = {name for one in found.meetings for name in (one.crossing.below, one.crossing.above)}
    assert met == set(scenario.options) - {"tuned-openai"}
