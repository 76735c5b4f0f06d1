"""A batch gives every point the figures of hand calculation, wherever it is worked, and says what changed since."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from batches import BATCH, UPKEEP_USD, digests, rows, written
from command_line import QUESTION, tunepoint
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.domain.batch import FLEET_ROWS, QUICK_ROWS, Axis, Batch, Member
from simulator.files import default_scenario_path, read_scenario
from simulator.files.batch import read_batch
from simulator.studies.batch import price_points, priced_one_by_one
from simulator.studies.runners import check_versions

DEAR_USD = 0.0045
"""One call of the question: 1,000 tokens in at 3 and 100 out at 15 USD per million."""


def test_every_point_has_the_figures_of_hand_calculation(tmp_path: Path) -> None:
    assert tunepoint("batch", written(tmp_path), "--out", tmp_path / "out").code == 0
    for row in rows(tmp_path / "out"):
        calls = 30 * row["workload.calls_per_day"]
        assert row["total_usd.dear"] == pytest.approx(UPKEEP_USD + calls * DEAR_USD, rel=1e-9)
        assert row["total_usd.cheap"] == pytest.approx(UPKEEP_USD + 40 + calls * DEAR_USD / 2, rel=1e-9)
        assert row["saving_usd"] == pytest.approx(abs(row["total_usd.dear"] - row["total_usd.cheap"]), rel=1e-9)
        assert row["per_call_usd"] == pytest.approx(row["total_usd"] / calls, rel=1e-9)
    assert [row["choice"] for row in rows(tmp_path / "out")] == ["dear", "dear", "cheap", "cheap"]


def test_a_tie_goes_to_the_baseline(tmp_path: Path) -> None:
    same = QUESTION.replace("mine/small, one_off_usd: {set-up: 40}", "mine/big")
    batch = written(tmp_path, question=same)
    assert tunepoint("batch", batch, "--out", tmp_path / "out").code == 0
    assert {row["choice"] for row in rows(tmp_path / "out")} == {"dear"}


def test_axes_make_every_combination_once(tmp_path: Path) -> None:
    vary = "  options.dear.prefix_tokens: {from: 0, to: 500, points: 3}\n  horizon_days: [30, 60]\n"
    assert tunepoint("batch", written(tmp_path, BATCH + vary), "--out", tmp_path / "out").code == 0
    found = rows(tmp_path / "out")
    axes = ("workload.calls_per_day", "options.dear.prefix_tokens", "horizon_days")
    assert len({tuple(row[axis] for axis in axes) for row in found}) == len(found) == 24
    assert [row["point"] for row in found] == list(range(24))


def test_an_axis_of_words_makes_a_scenario_a_word(tmp_path: Path) -> None:
    batch = "scenarios: [question.yaml]\nvary: {options.cheap.price: [mine/small, mine/big]}\n"
    answer = tunepoint("batch", written(tmp_path, batch), "--out", tmp_path / "out", "--json")
    assert list(answer.json["scenarios"]) == ["question", "question-2"]
    assert rows(tmp_path / "out", "question-2")[0]["choice"] == "dear"


def test_the_baseline_of_each_scenario_is_turned_by_one_axis(tmp_path: Path) -> None:
    batch = "scenarios: [question.yaml]\nvary: {options.baseline.price_factor: [1, 2]}\n"
    assert tunepoint("batch", written(tmp_path, batch), "--out", tmp_path / "out").code == 0
    low, high = rows(tmp_path / "out")
    assert high["total_usd.dear"] - UPKEEP_USD == pytest.approx(2 * (low["total_usd.dear"] - UPKEEP_USD), rel=1e-9)


def test_drawn_points_fill_their_ranges_evenly() -> None:
    scenario = read_scenario(default_scenario_path())
    axes = (
        Axis(path="workload.calls_per_day", low=1e3, high=1e6, scale="log"),
        Axis(path="workload.tokens.input", low=100.0, high=300.0),
    )
    drawn = Member(name="a", source="a", scenario=scenario, axes=axes, draws=4096).at(0, 4096)
    for axis in axes:
        shares = (np.log10(drawn[axis.path]) - 3) / 3 if axis.scale == "log" else (drawn[axis.path] - 100) / 200
        counts, _ = np.histogram(shares, bins=64, range=(0, 1))
        assert counts.sum() == 4096
        assert abs(counts - 64).max() <= 4                      # 4,096 random ones would stray by about 25


@settings(max_examples=15)
@given(
    calls=st.lists(st.floats(10, 1e6), min_size=2, max_size=4, unique=True),
    prefix=st.lists(st.floats(0, 4000), min_size=1, max_size=3, unique=True),
    growth=st.lists(st.floats(-0.05, 0.1), min_size=1, max_size=2, unique=True),
    days=st.lists(st.integers(30, 400), min_size=1, max_size=2, unique=True),
    rank_by=st.sampled_from(["total_usd", "npv_usd"]),
)
def test_many_at_once_cost_what_each_costs_alone(
    calls: list[float], prefix: list[float], growth: list[float], days: list[int], rank_by: str
) -> None:
    scenario = dataclasses.replace(read_scenario(default_scenario_path()), rank_by=rank_by)
    values = {
        "horizon_days": days, "workload.growth_per_month": growth,
        "workload.calls_per_day": calls, "options.long-prompt.prefix_tokens": prefix,
    }
    axes = tuple(Axis(path=path, values=tuple(map(float, some))) for path, some in values.items())
    member = Member(name="a", source="a", scenario=scenario, axes=axes)
    together = price_points(member, 0, member.points)
    for name, alone in priced_one_by_one(member, 0, member.points).items():
        np.testing.assert_allclose(together[f"total_usd.{name}"], alone, rtol=1e-8)


@pytest.mark.parametrize("scenario", ["support-triage", "bursty-million"])
def test_fleets_whose_calls_differ_in_length_cost_together_what_each_costs_alone(scenario: str) -> None:
    """A grid in which lengths come again with other volumes, for fleets that stand alone and for one that overflows.

    What is beyond a fleet alone is beyond it here too, and a little less: here it is told by the share of calls.
    """
    asked = read_scenario(default_scenario_path().parent / f"{scenario}.yaml")
    values = {"workload.calls_per_day": (2e4, 3e5, 2e6), "workload.tokens.output": (20.0, 90.0)}
    axes = tuple(Axis(path=path, values=some) for path, some in values.items())
    member = Member(name="a", source="a", scenario=asked, axes=axes)
    together = price_points(member, 0, member.points)
    for name, alone in priced_one_by_one(member, 0, member.points).items():
        found = together[f"total_usd.{name}"]
        assert np.isnan(found)[np.isnan(alone)].all()
        served = np.isfinite(found)
        assert served.sum() >= 3
        np.testing.assert_allclose(found[served], np.asarray(alone)[served], rtol=1e-8)


@pytest.mark.parametrize("points", [1, 2])
def test_a_fleet_that_cannot_serve_the_calls_is_no_choice_there(points: int) -> None:
    """Four cards serve 3 million tickets a day at most; a single point in a block is judged like many."""
    scenario = read_scenario(default_scenario_path())
    axis = Axis(path="workload.calls_per_day", values=(2e7, 1e5)[:points])
    found = price_points(Member(name="a", source="a", scenario=scenario, axes=(axis,)), 0, points)
    assert np.isnan(found["total_usd.own-4090"]).tolist() == [True, False][:points]
    assert found["choice"][0] == list(scenario.options).index("cheap-prompt")


def test_a_scenario_without_axes_is_answered_as_compare_answers_it(tmp_path: Path) -> None:
    """Fleets that would be the cheapest and miss their latency target are no choice in either."""
    text = default_scenario_path().read_text("utf-8").replace("ttft_p95_s: 2.0", "ttft_p95_s: 0.001")
    assert "0.001" in text
    text = text.replace("calls_per_day: 50_000", "calls_per_day: 700_000")
    for targets, chosen in ((text, "cheap-prompt"), (re.sub(r"\n  slo: .*", "", text), "own-4090")):
        batch = written(tmp_path, BATCH.split("vary")[0], targets)
        assert tunepoint("batch", batch, "--out", tmp_path / chosen).code == 0
        (row,) = rows(tmp_path / chosen)
        compared = tunepoint("compare", tmp_path / "question.yaml", "--json").json
        assert row["choice"] == compared["verdict"]["choice"] == chosen
        for name, option in compared["options"].items():
            total = option["total_usd"]
            assert row[f"total_usd.{name}"] == (None if total is None else pytest.approx(total))


def test_a_piece_of_fleets_is_smaller_where_the_lengths_of_their_calls_vary() -> None:
    """Two fleets of unlike lengths take a hundred times as long, so a piece stays near half a second of work."""
    scenario = read_scenario(default_scenario_path())
    volume = Axis(path="workload.calls_per_day", values=(1e3, 1e4))
    quick, slow = (
        Member(name="a", source="a", scenario=scenario, axes=(volume, Axis(path=path, values=(10.0, 20.0))))
        for path in ("options.long-prompt.prefix_tokens", "workload.tokens.output")
    )
    assert quick.points_at_once("expected") == QUICK_ROWS // len(scenario.options)
    assert FLEET_ROWS // 2 * 0.9 < slow.points_at_once("expected") < FLEET_ROWS // 2


def test_an_option_that_retires_inside_some_horizons_is_no_choice_there(tmp_path: Path) -> None:
    question = QUESTION + (
        "  mine/ends:\n    versions:\n    - {effective: 2026-01-01, recorded: 2026-01-01,"
        " source: {title: t, seen_on: 2026-01-01, confidence: verified},"
        " usd_per_mtok: {input: 0.1, output: 0.1}, lifecycle: {retires_on: 2027-02-01}}\n"
    )
    question = question.replace("options:\n", "options:\n  ends: {kind: hosted_prompt, price: mine/ends}\n")
    batch = "scenarios: [question.yaml]\nvary: {horizon_days: [30, 90]}\n"
    answer = tunepoint("batch", written(tmp_path, batch, question), "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    short, long = rows(tmp_path / "out")
    assert (short["choice"], long["total_usd.ends"]) == ("ends", None)
    assert long["choice"] != "ends"


def test_every_engine_writes_the_same_bytes(tmp_path: Path) -> None:
    vary = BATCH + "  options.dear.prefix_tokens: {from: 0, to: 500, points: 30}\nchunk_points: 7\n"
    batch = written(tmp_path, vary)
    for place in ("serial", "processes:1", "processes:3"):
        assert tunepoint("batch", batch, "--out", tmp_path / place, "--on", place).code == 0
    assert digests(tmp_path / "serial") == digests(tmp_path / "processes:1") == digests(tmp_path / "processes:3")


def test_pieces_cover_every_point_once_and_hold_half_a_second() -> None:
    scenario = read_scenario(default_scenario_path())
    axis = Axis(path="workload.calls_per_day", values=tuple(np.geomspace(1e3, 1e6, 1_000_000)))
    batch = Batch(members=(Member(name="a", source="a", scenario=scenario, axes=(axis,)),))
    pieces = list(batch.pieces())
    assert [piece.first for piece in pieces[1:]] == [piece.after for piece in pieces[:-1]]
    assert (pieces[0].first, pieces[-1].after) == (0, 1_000_000)
    options = len(scenario.options)
    assert all((piece.after - piece.first) * options >= 900_000 for piece in pieces[:-1])
    assert len(list(batch.tasks(pieces))) == len(pieces)


def test_a_second_run_tells_what_changed_and_why(tmp_path: Path) -> None:
    batch = written(tmp_path)
    first = tunepoint("batch", batch, "--out", tmp_path / "out", "--fail-if", "verdict changed")
    assert first.code == 0
    written(tmp_path, question=QUESTION.replace("set-up: 40", "set-up: 39.9"))
    again = tunepoint("batch", batch, "--out", tmp_path / "out", "--fail-if", "verdict changed")
    assert again.code == 1
    assert "verdict_changed is 1" in again.err
    assert "workload.calls_per_day 592: dear -> cheap" in again.words
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["verdict_changed"] == 1
    assert (tmp_path / "out/previous/manifest.json").is_file()


def test_a_run_is_told_from_another_folder_by_its_price(tmp_path: Path) -> None:
    batch = written(tmp_path)
    tunepoint("batch", batch, "--out", tmp_path / "a")
    written(tmp_path, BATCH + "chunk_points: 3\n", QUESTION.replace("output: 7.5", "output: 70.5"))
    answer = tunepoint("batch", batch, "--out", tmp_path / "b", "--against", tmp_path / "a", "--json")
    change = answer.json["changes"]["question"]
    assert any(why.startswith("price mine/small") for why in change["why"])
    assert [point["workload.calls_per_day"] for point in change["points"]] == [593, 10_000]
    assert {(point["before"], point["after"]) for point in change["points"]} == {("cheap", "dear")}


def test_a_dial_that_the_axis_turns_is_no_cause(tmp_path: Path) -> None:
    """The scenario's own 1000 calls a day stand at no point, so that 2000 there change nothing; a set-up does."""
    batch = written(tmp_path)
    tunepoint("batch", batch, "--out", tmp_path / "a")
    question = QUESTION.replace("calls_per_day: 1000", "calls_per_day: 2000")
    assert question != QUESTION
    written(tmp_path, question=question)
    same = tunepoint("batch", batch, "--out", tmp_path / "b", "--against", tmp_path / "a", "--json")
    assert (same.json["verdict_changed"], same.json["changes"]) == (0, {})
    written(tmp_path, question=question.replace("set-up: 40", "set-up: 39.9"))
    other = tunepoint("batch", batch, "--out", tmp_path / "c", "--against", tmp_path / "a", "--json")
    assert other.json["changes"]["question"]["why"] == ["dial options.cheap.one_off_usd.set-up: 40 -> 39.9"]


def test_nothing_changed_is_said_of_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--json")
    assert (answer.json["verdict_changed"], answer.json["changes"]) == (0, {})


def test_a_run_against_its_own_folder_is_against_the_run_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert tunepoint("batch", written(tmp_path), "--out", out).code == 0
    again = written(tmp_path, question=QUESTION.replace("set-up: 40", "set-up: 39.9"))
    answer = tunepoint("batch", again, "--out", out, "--against", out)
    assert answer.code == 0, answer.err
    assert "Against previous: 1 point has another answer" in answer.out


@pytest.mark.parametrize(("condition", "code"), [
    ("total_usd > 900", 1), ("total_usd > 1e6", 0), ("saving_usd < 0.1", 1), ("points != 4", 0), ("points == 4", 1),
])
def test_a_condition_on_a_figure_is_asked_of_every_point(tmp_path: Path, condition: str, code: int) -> None:
    assert tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--fail-if", condition).code == code


def test_a_worker_with_another_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"worker a runs numpy 1\.0 and this machine 2\.0; install"):
        check_versions("worker a", {"numpy": "2.0"}, {"numpy": "1.0"})


def test_several_files_make_one_batch(tmp_path: Path) -> None:
    found = read_batch([written(tmp_path / "a"), written(tmp_path / "b")])
    assert [member.name for member in found.members] == ["question", "question-2"]
