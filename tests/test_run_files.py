"""Runs kept in files join on the command line: the same numbers as played at once, and a sentence where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.files.runs import read_runs, write_runs
from simulator.studies.runs import play
from tests.command_line import QUESTION, is_one_sentence, tunepoint

SIMULATED = ("--engine", "simulated")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    path = tmp_path / "q.yaml"
    path.write_text(QUESTION, encoding="utf-8")
    return path


def near(one: Any, other: Any) -> bool:
    """Equal, numbers but for rounding: an average of averages is one."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return bool(one == other) or (isinstance(one, float) and one == pytest.approx(other, rel=1e-9))


def test_a_file_gives_the_runs_back_to_the_last_bit(tmp_path: Path) -> None:
    """The shipped scenario has fleets, a timeline, dates and latencies that are NaN: all of it comes back."""
    scenario: Scenario = read_scenario(default_scenario_path(), ["horizon_days=40"])
    runs = play(scenario, 2)
    write_runs(tmp_path / "a.runs", runs)
    back = read_runs(tmp_path / "a.runs")
    assert str(back.mean) == str(runs.mean)
    assert back.of == runs.of
    assert back.by_line["own-4090"].keys() == runs.by_line["own-4090"].keys()
    for name, usd in runs.total_usd.items():
        assert back.total_usd[name].tobytes() == usd.tobytes()
        assert back.mean[name].ledger.usd().tobytes() == runs.mean[name].ledger.usd().tobytes()
        assert back.mean[name].timeline == runs.mean[name].timeline
    assert back.payback_days["tuned-api"].tolist() == runs.payback_days["tuned-api"].tolist()
    assert np.array_equal(back.numbers, runs.numbers)


def test_runs_of_two_machines_answer_like_all_at_once(asked: Path, tmp_path: Path) -> None:
    whole = tunepoint("compare", asked, *SIMULATED, "--runs", 9, "--json").json
    first, rest = tmp_path / "first.runs", tmp_path / "rest.runs"
    kept = tunepoint("compare", asked, *SIMULATED, "--runs", 5, "--save-runs", first)
    assert "Runs written to" in kept.out
    tunepoint("compare", asked, *SIMULATED, "--runs", 4, "--runs-from", 5, "--save-runs", rest)
    joined = tunepoint("compare", asked, *SIMULATED, "--add-runs", rest, "--add-runs", first, "--json").json
    on = tunepoint("compare", asked, *SIMULATED, "--add-runs", first, "--runs", 4, "--json").json
    assert joined["runs"] == on["runs"] == 9
    assert near(joined, whole)
    assert near(on, whole)
    for name, option in whole["options"].items():
        assert joined["options"][name]["interval_usd"] == option["interval_usd"]


def test_what_does_not_join_is_said_in_a_sentence(asked: Path, tmp_path: Path) -> None:
    kept, odd = tmp_path / "kept.runs", tmp_path / "odd.runs"
    tunepoint("compare", asked, *SIMULATED, "--runs", 3, "--save-runs", kept)
    odd.write_bytes(kept.read_bytes()[:2000])
    sentences = {
        ("--add-runs", kept, "--add-runs", kept): "run 0 is in both sets",
        ("--add-runs", kept, "--runs", 1, "--runs-from", 2): "run 2 is in both sets",
        ("--add-runs", kept, "--seed", 4): "give the same file, --set, seed and fidelity",
        ("--add-runs", kept, "--set", "horizon_days=31"): "do not answer scenario",
        ("--add-runs", odd): "holds no runs",
        ("--add-runs", asked): "holds no runs",
        ("--add-runs", tmp_path / "none"): "no such file",
        ("--add-runs", tmp_path): "cannot be read",
        ("--runs-from", -1): "runs are counted from 0",
    }
    for flags, sentence in sentences.items():
        said = tunepoint("compare", asked, *SIMULATED, *flags)
        assert (said.code, said.out) == (2, "")
        assert sentence in said.err
        assert is_one_sentence(said.err)
    said = tunepoint("compare", asked, "--add-runs", kept)
    assert (said.code, "is of the simulated engine" in said.err) == (2, True)
    said = tunepoint("compare", asked, asked, "--diff", *SIMULATED, "--save-runs", kept)
    assert (said.code, "--diff tells of two" in said.err) == (2, True)


def test_runs_of_another_version_are_refused(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.runs"
    with monkeypatch.context() as changed:
        changed.setattr("simulator.files.runs.VERSION", "0.0.9")
        tunepoint("compare", asked, *SIMULATED, "--runs", 1, "--save-runs", kept)
    said = tunepoint("compare", asked, *SIMULATED, "--add-runs", kept)
    assert said.code == 2
    assert "version 0.0.9" in said.err


def test_precision_plays_on_after_the_runs_that_are_added(asked: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.runs"
    tunepoint("compare", asked, *SIMULATED, "--runs", 2, "--save-runs", kept)
    answer = tunepoint("compare", asked, *SIMULATED, "--add-runs", kept, "--precision", "0.01%", "--json").json
    assert answer["runs"] > 2
    assert answer["runs"] % 100 == 2


def test_what_was_played_is_told_where_it_cannot_be_kept(asked: Path) -> None:
    said = tunepoint("compare", asked, *SIMULATED, "--runs", 1, "--save-runs", asked / "inside.runs")
    assert said.code == 2
    assert "Choose" in said.out
    assert is_one_sentence(said.err)
