"""A fleet that falls behind is told alike whether its days are played in pieces or in one: nothing is counted twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from simulator.domain.findings import SimulationResult
from simulator.run import run
from simulator.simulated import engine_calls
from tests.questions import asked

BEHIND = """
start: 2026-12-01
horizon_days: 4
baseline: own
workload:
  calls_per_day: CALLS
  demand: {hours: office, day_sd: 0.2}
  tokens: {input: 600, output: 1000, input_cv: 0.5, output_cv: 0.5}
options:
  own:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu_usd_per_hour: 1
    fleet: {replicas: {min: 1, max: 1}}
"""


def played(folder: Path, calls: int, pieces: int, monkeypatch: pytest.MonkeyPatch) -> SimulationResult:
    monkeypatch.setattr(engine_calls, "SEGMENTS", pieces)
    scenario = asked(folder, BEHIND.replace("CALLS", str(calls)))
    return run(scenario, "own", engine="simulated", runs=1, seed=4, fidelity="call")


def test_a_fleet_that_is_always_behind_is_the_same_in_pieces_and_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, whole = (played(tmp_path, 130_000, pieces, monkeypatch) for pieces in (4, 1))
    assert cut.fleet is not None
    assert whole.fleet is not None
    assert float(whole.fleet.end_backlog_calls[0]) > 1000
    assert float(whole.fleet.preemptions[0]) > 1000
    assert 0 < float(whole.fleet.overload_calls[0]) < float(whole.fleet.calls[0])
    for field in dataclasses.fields(whole.fleet):
        mine, theirs = getattr(cut.fleet, field.name), getattr(whole.fleet, field.name)
        assert mine == pytest.approx(theirs, rel=1e-9, nan_ok=True), field.name
    assert cut.total_usd == pytest.approx(whole.total_usd, rel=1e-12)


def test_preemptions_of_the_day_that_only_warms_a_piece_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, whole = (played(tmp_path, 40_000, pieces, monkeypatch) for pieces in (4, 1))
    assert cut.fleet is not None
    assert whole.fleet is not None
    assert float(whole.fleet.preemptions[0]) > 100
    assert float(whole.fleet.end_backlog_calls[0]) == 0
    assert np.ravel(cut.fleet.preemptions) == pytest.approx(np.ravel(whole.fleet.preemptions), rel=0.01)
