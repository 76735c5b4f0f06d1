"""A batch of simulations gives at every point what `compare` plays there, and the same bytes wherever it is worked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batches import digests, parts_in, rows, written
from clusters import started, wait_for_workers
from command_line import QUESTION, is_one_sentence, tunepoint

BATCH = """\
scenarios: [question.yaml]
vary: {workload.calls_per_day: [400, 600, 800, 1500], options.cheap.price_factor: [1, 1.8]}
engine: simulated
runs: 12
chunk_points: 3
"""
SPREAD = QUESTION.replace("{calls_per_day", "{demand: {day_sd: 0.6}, calls_per_day")


def test_every_point_is_what_compare_plays_there(tmp_path: Path) -> None:
    batch = written(tmp_path, BATCH, SPREAD)
    assert tunepoint("batch", batch, "--out", tmp_path / "out").code == 0
    found = rows(tmp_path / "out")
    assert len(found) == 8
    for row in (found[0], found[5]):
        flags = [f"--set={path}={row[path]}" for path in ("workload.calls_per_day", "options.cheap.price_factor")]
        flags += ["--engine", "simulated", "--runs", "12", "--json"]
        played = tunepoint("compare", tmp_path / "question.yaml", *flags).json
        for name, option in played["options"].items():
            assert row[f"total_usd.{name}"] == pytest.approx(option["total_usd"], rel=1e-12)
        assert row["choice"] == played["verdict"]["choice"]
        assert row["cheapest_share"] == pytest.approx(played["options"][row["choice"]]["cheapest_share"])


def test_a_seed_plays_what_compare_plays_under_it_and_is_told_as_the_reason_of_a_change(tmp_path: Path) -> None:
    """The baseline alone at one volume is enough: another seed, other calls, other dollars."""
    text = "scenarios: [question.yaml]\nengine: simulated\nruns: 12\n"
    for seed in ("", "seed: 7\n"):
        out = tmp_path / f"out{seed[6:7]}"
        assert tunepoint("batch", written(tmp_path, text + seed, SPREAD), "--out", out).code == 0
    flags = ["--engine", "simulated", "--runs", "12", "--seed", "7", "--json"]
    played = tunepoint("compare", tmp_path / "question.yaml", *flags).json["options"]
    (first,), (other,) = rows(tmp_path / "out"), rows(tmp_path / "out7")
    for name, option in played.items():
        assert other[f"total_usd.{name}"] == pytest.approx(option["total_usd"], rel=1e-12)
    assert other["total_usd"] != first["total_usd"]
    batch, before = tmp_path / "batch.yaml", tmp_path / "out"
    answer = tunepoint("batch", batch, "--out", tmp_path / "new", "--against", before, "--json").json
    assert answer["changes"]["question"]["why"] == ["seed 0 -> 7"]
    (before / "manifest.json").unlink()
    refused = tunepoint("batch", batch, "--out", before, "--resume")
    assert (refused.code, is_one_sentence(refused.err)) == (2, True)
    assert "question has another seed" in refused.err


def test_where_demand_spreads_the_choice_is_not_the_cheapest_in_every_run(tmp_path: Path) -> None:
    """Near the crossing, at 593 calls a day, both options win some runs; far from it one wins all."""
    batch = written(tmp_path, BATCH.replace("1.8]", "1.000001]").replace("1500]", "5000]"), SPREAD)
    assert tunepoint("batch", batch, "--out", tmp_path / "out").code == 0
    shares = {row["workload.calls_per_day"]: row["cheapest_share"] for row in rows(tmp_path / "out")}
    assert 0 < shares[600] < 1
    assert shares[5000] == 1


def test_every_engine_writes_the_same_bytes_and_a_resumed_one_too(tmp_path: Path) -> None:
    batch = written(tmp_path, BATCH, SPREAD)
    for place in ("serial", "processes:2"):
        assert tunepoint("batch", batch, "--out", tmp_path / place, "--on", place).code == 0
    wanted = digests(tmp_path / "serial")
    assert digests(tmp_path / "processes:2") == wanted
    with started(tmp_path) as (address, _):
        wait_for_workers(address)
        assert tunepoint("batch", batch, "--out", tmp_path / "dask", "--on", f"dask:{address}").code == 0
    assert digests(tmp_path / "dask") == wanted
    torn = tmp_path / "serial"
    (torn / "manifest.json").unlink()
    sorted(torn.glob("scenarios/*/part-*.parquet"))[1].unlink()
    assert parts_in(torn) == 2
    assert tunepoint("batch", batch, "--out", torn, "--resume", "--on", "processes:2").code == 0
    assert digests(torn) == wanted


def test_without_runs_each_scenario_plays_its_own(tmp_path: Path) -> None:
    text = BATCH.replace("runs: 12\n", "").replace("[400, 600, 800, 1500]", "[400, 600]")
    batch = written(tmp_path, text, SPREAD + "simulation: {runs: 4}\n")
    assert tunepoint("batch", batch, "--out", tmp_path / "out").code == 0
    shares = np.array([row["cheapest_share"] for row in rows(tmp_path / "out")])
    assert np.array_equal(shares * 4, np.rint(shares * 4))


def test_another_engine_cannot_continue_a_folder_and_is_told_as_the_reason_of_a_change(tmp_path: Path) -> None:
    simulated = written(tmp_path, BATCH, SPREAD)
    assert tunepoint("batch", simulated, "--out", tmp_path / "out").code == 0
    expected = written(tmp_path, BATCH.replace("engine: simulated\nruns: 12\n", ""), SPREAD)
    (tmp_path / "out/manifest.json").unlink()
    refused = tunepoint("batch", expected, "--out", tmp_path / "out", "--resume")
    assert (refused.code, is_one_sentence(refused.err)) == (2, True)
    assert "its engine was simulated" in refused.err
    answer = tunepoint("batch", expected, "--out", tmp_path / "new", "--against", tmp_path / "out", "--json").json
    assert "engine simulated -> expected" in answer["changes"]["question"]["why"]


def test_batch_files_of_two_engines_are_no_batch(tmp_path: Path) -> None:
    files = written(tmp_path / "a", BATCH), written(tmp_path / "b", "scenarios: [question.yaml]\n")
    answer = tunepoint("batch", *files, "--out", tmp_path / "out")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "a batch has one engine" in answer.err
