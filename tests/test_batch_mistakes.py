"""A bad batch is told in one sentence; a bad scenario among good ones is listed, and the others finish."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import BATCH, parts_in, rows, written
from command_line import QUESTION, is_one_sentence, tunepoint

DECIDE = "scenarios: [question.yaml]\ndecide_on: "
CALLS = "vary: {workload.calls_per_day: "
SAID = {
    "": "names nothing",
    "scenarios: []": "scenarios: is empty",
    "scenarios: [cases/*.yaml]": '"cases/*.yaml" matches no file',
    "scenarios: [/etc/*.yaml]": "is not below this folder",
    "scenarioz: [question.yaml]": 'did you mean "scenarios"?',
    "scenarios: [question.yaml]\n" + CALLS + "[500]}": "1 value varies nothing",
    "scenarios: [question.yaml]\n" + CALLS + "[5, 5]}": "5 stands twice",
    "scenarios: [question.yaml]\n" + CALLS + "[5, .nan]}": "no plain value",
    "scenarios: [question.yaml]\n" + CALLS + "7}": "7 is no axis",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 1, to: 9, points: 1}}": "points: 1; an axis has at least 2",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 1, to: 9, points: 9000000000000}}": "has at most 1,000,000",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 9, to: 1, points: 3}}": "must be above from",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 0, to: 1, points: 3, scale: log}}": "a log axis begins above 0",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 1, to: 9}}": "points is missing",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 1, to: .inf, points: 3}}": "finite",
    "scenarios: [question.yaml]\n" + CALLS + "{from: 1, to: 9, points: 3, scale: root}}": "not one of linear, log",
    "scenarios: [question.yaml]\nvary: []": "axes are expected",
    "scenarios: [question.yaml]\nvary: {horizon_days: [1, 99999]}": "horizon_days is 99999",
    "scenarios: [question.yaml]\nvary: {horizon_days: [30, 30.5]}": "counts whole days",
    "scenarios: [question.yaml]\nvary: {workload.calls_per_dya: [1, 2]}": "did you mean \"calls_per_day\"",
    "scenarios: [question.yaml]\ndraws: 5": "no axis to draw from",
    "scenarios: [question.yaml]\ndraws: 5\n" + CALLS + "[1, 2]}": "a list cannot be drawn from",
    "scenarios: [question.yaml]\ndraws: 5\n" + CALLS + "{from: 1, to: 2, points: 3}}": "points stands beside draws",
    "scenarios: [question.yaml]\nruns: 5": "runs: 5",
    "scenarios: [question.yaml]\nengine: guess": "not one of",
    "scenarios: [question.yaml]\nseed: 5": "seed: 5; the expected engine plays nothing by chance",
    "scenarios: [question.yaml]\nengine: simulated\nseed: -1": "a whole number from 0 to 2^64 - 1",
    "scenarios: [question.yaml]\nengine: simulated\nseed: 1.5": "1.5",
    "scenarios: [question.yaml]\nchunk_points: 0": "chunk_points: 0",
    "scenarios: [question.yaml]\ndraws: 1e6\n" + CALLS + "{from: 1, to: 2}}\nchunk_points: 2.5": "a whole number",
    "scenarios: [nowhere.yaml]": "there is no such file",
    DECIDE + "{from: 2024-09-15}": "to: is required and missing",
    DECIDE + "{from: 2024-09-31, to: 2025-01-01}": "is not a date; write YYYY-MM-DD",
    DECIDE + "{from: 2025-01-01, to: 2024-09-15}": "must not be before from, which is 2025-01-01",
    DECIDE + "{from: 2024-09-15, to: 2025-01-01, every_months: 0}": "every_months: 0; months between two decisions",
    DECIDE + "{from: 2024-09-15, to: 2025-01-01, until: 2025-01-01}": "must be after the last decision",
    DECIDE + "{from: 2024-09-15, to: 2931-01-01, every_months: 6}": "decide_on: 2930-09-15 lies in the future",
    DECIDE + "{from: 2024-09-15, too: 2025-01-01}": 'did you mean "to"?',
    DECIDE + "2024-09-15": "stands where keys and values are expected",
    "draws: 5\n" + DECIDE + "{from: 2024-09-15, to: 2025-01-01}": "draws: stands beside decide_on",
}


@pytest.mark.parametrize("batch", SAID)
def test_a_bad_batch_is_told_in_one_sentence(tmp_path: Path, batch: str) -> None:
    answer = tunepoint("batch", written(tmp_path, batch), "--out", tmp_path / "out")
    assert answer.code == 2
    assert is_one_sentence(answer.err)
    assert SAID[batch] in answer.err
    assert not (tmp_path / "out").exists()


def test_a_bad_scenario_among_many_is_listed_and_the_others_finish(tmp_path: Path) -> None:
    batch = written(tmp_path, BATCH.replace("question.yaml", "'*n*.yaml'"))
    for number in range(20):
        (tmp_path / f"n{number:02d}.yaml").write_text(QUESTION.replace("1000,", f"{number + 1},"), "utf-8")
    (tmp_path / "n07.yaml").write_text(QUESTION.replace("price: mine/small", "price: mine/smal"), "utf-8")
    (tmp_path / "n11.yaml").write_text(QUESTION.replace("output: 7.5", "cached_input: 7.5"), "utf-8")
    answer = tunepoint("batch", batch, "--out", tmp_path / "out", "--json")
    assert answer.code == 1
    assert "2 of 21 scenarios failed" in answer.err
    failed = answer.json["failed"]
    assert len(failed) == 2
    assert any('did you mean "mine/small"' in why for why in failed.values())
    assert "has no output rate" in failed["n11"]
    assert len(answer.json["scenarios"]) == 19
    assert (tmp_path / "out/manifest.json").is_file()


def test_a_value_that_one_scenario_refuses_fails_that_scenario_alone(tmp_path: Path) -> None:
    batch = written(tmp_path, "scenarios: [question.yaml, other.yaml]\nvary: {options.cheap.price_factor: [1, 2]}\n")
    (tmp_path / "other.yaml").write_text(QUESTION.replace("  cheap:", "  chap:"), "utf-8")
    answer = tunepoint("batch", batch, "--out", tmp_path / "out", "--json")
    assert answer.code == 1
    assert list(answer.json["scenarios"]) == ["question"]
    assert 'no option "cheap"' in next(iter(answer.json["failed"].values()))


PLACES = {
    "procesess:2": 'did you mean "processes"?', "processes:0": "names no number", "processes:": "names no number",
    "dask:": "names no scheduler", "dask:127.0.0.1:8786": "names no scheduler", "moon": "is no place to work",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_none_is_told_in_one_sentence(tmp_path: Path, place: str) -> None:
    answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--on", place)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert PLACES[place] in answer.err


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.md").write_text("years of work", "utf-8")
    answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out")
    assert (answer.code, parts_in(tmp_path / "out")) == (2, 0)
    assert "holds thesis.md and is no folder of a batch" in answer.err


def test_another_batch_cannot_continue_a_folder(tmp_path: Path) -> None:
    tunepoint("batch", written(tmp_path), "--out", tmp_path / "out")
    (tmp_path / "out/manifest.json").unlink()
    refused = tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "out")
    assert "--resume continues it" in refused.err
    written(tmp_path, BATCH.replace("592, ", ""))
    answer = tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "out", "--resume")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "question has other axes" in answer.err
    assert len(rows(tmp_path / "out")) == 4


@pytest.mark.parametrize("there", ["nowhere", "text"])
def test_a_run_to_compare_with_must_be_one(tmp_path: Path, there: str) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text/batch.json").write_text("[]", "utf-8")
    against = tmp_path / there
    answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--against", against)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "name the folder of a batch" in answer.err


@pytest.mark.parametrize(("condition", "said"), [
    ("totl_usd > 5", 'no key "totl_usd"; did you mean "total_usd"?'),
    ("regret_usd > 5", 'no key "regret_usd"; there are total_usd'),
])
def test_a_condition_that_can_never_hold_is_told_before_any_work(tmp_path: Path, condition: str, said: str) -> None:
    answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--fail-if", condition)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert said in answer.err
    assert not (tmp_path / "out").exists()
