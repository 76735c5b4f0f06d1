"""Many runs become intervals, shares and a payback distribution, and stop where the precision asked for is reached."""

from __future__ import annotations

import numpy as np
import pytest

from pricing.errors import InputError
from simulator import comparison_json, cost_curve, report_html
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.formats import played_words
from simulator.run import run
from simulator.studies.compare import compare
from simulator.studies.runs import play, precise

WILD = "workload.demand={day_sd: 0.8, day_lag1: 0.9}"


def read(*changes: str) -> Scenario:
    return read_scenario(default_scenario_path(), ["workload.calls_per_day=9000", "horizon_days=60", *changes])


def test_intervals_and_shares_are_those_of_the_runs() -> None:
    scenario = read(WILD)
    played = play(scenario, 40)
    answer = comparison_json(compare(scenario, engine="simulated", runs=40))
    for name, option in answer["options"].items():
        assert option["interval_usd"] == pytest.approx(np.percentile(played.total_usd[name], (5, 50, 95)))
        assert option["total_usd"] == pytest.approx(played.total_usd[name].mean())
        for line, usd in option["by_line"].items():
            assert usd == pytest.approx(played.by_line[name][line].mean())
    costs = np.stack([played.total_usd[name] for name in answer["options"]])
    for row, name in enumerate(answer["options"]):
        assert answer["options"][name]["cheapest_share"] == np.mean(costs.argmin(axis=0) == row)
    assert answer["verdict"]["confidence"] == answer["options"][answer["verdict"]["choice"]]["cheapest_share"]
    assert (answer["runs"], answer["fidelity"], answer["engine"]) == (40, "aggregate", "simulated")


def test_some_runs_pay_back_and_some_never_do() -> None:
    """Days vary so much that tuning pays back early in busy runs and not at all in quiet ones."""
    played = play(read("workload.demand={day_sd: 1.5, day_lag1: 0.98}", "workload.calls_per_day=30000"), 100)
    never = played.never_share("tuned-api")
    assert 0 < never < 1
    days = played.payback_days["tuned-api"]
    saved = played.total_usd["long-prompt"] - played.total_usd["tuned-api"]
    assert (np.isfinite(days) == (saved >= 0)).all()
    assert ((days >= 21) & ((days <= 60) | ~np.isfinite(days))).all()
    assert (played.payback_interval("tuned-api")[2] is None) == (never > 0.05)


def test_runs_are_added_until_the_two_best_are_told_apart() -> None:
    scenario = read(WILD)
    few = play(scenario, 10)
    target = few.half_width_usd() / float(few.total_usd[few.best_two()[0]].mean()) / 3
    enough = play(scenario, 10, precision=target)
    assert not precise(few, target)
    assert precise(enough, target)
    assert len(enough.numbers) > 10
    assert enough.numbers.tolist() == list(range(len(enough.numbers)))
    assert enough.total_usd["long-prompt"][:10].tolist() == few.total_usd["long-prompt"].tolist()


def test_a_single_option_is_told_apart_at_once() -> None:
    scenario = read("assumes={}", "options={long-prompt: {kind: hosted_prompt, price: openai/gpt-5.4-mini}}")
    assert len(play(scenario, 3, precision=0.01).numbers) == 3


@pytest.mark.parametrize("precision", [0.0, 1.0, -0.1])
def test_a_precision_is_a_share(precision: float) -> None:
    with pytest.raises(InputError, match="must be a share above 0 and below 1"):
        play(read(), 2, precision=precision)


def test_the_report_tells_the_runs_and_the_story_of_the_first() -> None:
    scenario = read()
    page = report_html(compare(scenario, engine="simulated", runs=3), cost_curve(scenario, points=11))
    assert "22 Dec 2026 (day 21)</td><td>tuned-api takes over from long-prompt</td>" in page
    assert 'id="chart-timeline"' in page
    assert "3 runs, fidelity aggregate, seed 0" in page
    assert 'href="#runs"' in page
    assert 'id="runs"' not in report_html(compare(scenario), cost_curve(scenario, points=11))


@pytest.mark.parametrize(
    ("outages", "sentence"),
    [
        ("{per_month: 0.1, hours: 2000}", "an outage must end within the horizon of 1440 hours"),
        ("{per_month: 10, hours: 80}", "fill a month of 730 h"),
    ],
)
def test_an_outage_without_an_end_is_told(outages: str, sentence: str) -> None:
    with pytest.raises(InputError) as told:
        read(f"options.long-prompt.outages={outages}")
    assert sentence in str(told.value)
    assert "options.long-prompt.outages" in str(told.value)


def test_a_horizon_before_the_start_is_told() -> None:
    with pytest.raises(InputError, match="horizon_days"):
        read("horizon_days=-30")


def test_a_campaign_that_is_under_way_at_the_start_is_told_on_the_first_day() -> None:
    began = "{name: sale, from: 2026-11-20, to: 2026-12-05, factor: 2}"
    over = "{name: old, from: 2026-10-01, to: 2026-12-01, factor: 3}"
    scenario = read_scenario(default_scenario_path(), [f"workload.events=[{began}, {over}]", "horizon_days=30"])
    told = run(scenario, "long-prompt", engine="simulated", runs=1).timeline
    assert [(moment.day, moment.text) for moment in told] == [(0, "sale: calls x 2 until 2026-12-05")]


def test_when_an_option_pays_back_is_told_with_its_spread() -> None:
    more = read("workload.calls_per_day=50_000", "horizon_days=120", WILD)
    comparison = compare(more, engine="simulated", runs=30)
    ranges, _ = played_words(comparison)
    assert comparison.played is not None
    low, _, high = comparison.played.payback_interval("tuned-api")
    (said,) = (words for words in ranges if words.startswith("tuned-api"))
    assert low is not None
    assert high is not None
    assert f"pays back in every run, after {low:,.0f} to {high:,.0f} days in nine of ten" in said


def test_few_runs_claim_no_nine_of_ten_and_the_most_calls_of_the_dial_can_be_played() -> None:
    """Ten thousand million calls a day are allowed, so the cost of one more is read from below."""
    comparison = compare(read("workload.calls_per_day=1e10", "horizon_days=2"), engine="simulated", runs=2)
    said, _ = played_words(comparison)
    assert comparison.played is not None
    assert all(" in 2 runs, median " in words and "nine" not in words for words in said[:-1])
    assert comparison.options["long-prompt"].unit_usd > 0


def test_outages_are_told_only_of_who_serves() -> None:
    """After the cut-over the story of an option leaves the outages of its predecessor out, and before it its own."""
    away = "{per_month: 20, hours: 4}"
    changes = [f"options.{name}.outages={away}" for name in ("long-prompt", "tuned-api")]
    scenario = read_scenario(default_scenario_path(), ["horizon_days=60", *changes])
    story = run(scenario, "tuned-api", engine="simulated", runs=1, fidelity="aggregate").timeline
    told = {who: [m.day for m in story if m.text.startswith(f"{who} is away")] for who in ("long-prompt", "tuned-api")}
    assert 0 <= max(told["long-prompt"]) < 21
    assert min(told["tuned-api"]) >= 21


def test_providers_are_away_at_hours_of_their_own() -> None:
    """Two options of one provider are away together, one of another provider is not."""
    away = [f"options.{name}.outages={{per_month: 6, hours: 4}}" for name in ("long-prompt", "cheap-prompt")]
    one = ["horizon_days=30", "workload.calls_per_day=100", *away]
    other = [*one, "options.cheap-prompt.price=mistral/ministral-3b-2512"]

    def days_away(changes: list[str], name: str) -> list[str]:
        found = run(read(*changes), name, engine="simulated", runs=1).timeline
        return [f"{moment.day} {moment.text.split(' is ')[1]}" for moment in found if "is away" in moment.text]

    assert days_away(one, "long-prompt") == days_away(one, "cheap-prompt") != []
    assert days_away(other, "long-prompt") != days_away(other, "cheap-prompt")


def test_runs_of_another_seed_fidelity_or_scenario_do_not_join() -> None:
    short = read("horizon_days=3", "workload.calls_per_day=20")
    found = play(short, range(2))
    others = play(short, range(2, 4), seed=1), play(read("horizon_days=4", "workload.calls_per_day=20"), range(2, 4))
    for other in others:
        with pytest.raises(InputError, match="do not join"):
            found.merged(other)


def test_a_precision_that_is_not_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.studies.runs.MOST", 3)
    found = compare(
        read("horizon_days=3", "workload.calls_per_day=20"), engine="simulated", runs=3, precision=1e-9, flips=False
    )
    assert found.verdict.caveats[0] == "The two best are not told apart to 1e-07 % in 3 runs."


def test_a_fallback_that_may_be_away_itself_is_a_caveat() -> None:
    """Engines let a fallback answer in every outage; where it may be away too, the reader is told."""
    away = ["options.long-prompt.outages={per_month: 2, hours: 3}"]
    to = "options.long-prompt.fallback={{to: {}, share: 0}}"
    both = "options.tuned-api.outages={per_month: 1, hours: 2}"

    def told(*changes: str) -> list[str]:
        caveats = compare(read(*away, *changes), flips=False).verdict.caveats
        return [caveat for caveat in caveats if "falls back to" in caveat]

    (same,) = told(to.format("cheap-prompt"))
    assert "both are served by openai" in same
    (other,) = told(to.format("tuned-api"), both)
    assert "outages of tuned-api are counted for its own calls alone" in other
    assert told(to.format("tuned-api")) == told() == []
