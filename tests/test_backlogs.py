"""A fleet that falls behind is told alike whether its days are played in pieces or in one: nothing is counted twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.domain.usage import FleetUse
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


def cut_and_whole(
    folder: Path, calls: int, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[FleetUse, NDArray[np.float64]]]:
    """What the fleet did and what it cost, played in four pieces and in one."""
    found = []
    for pieces in (4, 1):
        monkeypatch.setattr(engine_calls, "SEGMENTS", pieces)
        scenario = asked(folder, BEHIND.replace("CALLS", str(calls)))
        result = run(scenario, "own", engine="simulated", runs=1, seed=4, fidelity="call")
        assert result.fleet is not None
        found.append((result.fleet, result.total_usd))
    return found


def test_a_fleet_that_is_always_behind_is_the_same_in_pieces_and_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cut, cut_usd), (whole, whole_usd) = cut_and_whole(tmp_path, 130_000, monkeypatch)
    assert float(whole.end_backlog_calls[0]) > 1000
    assert float(whole.preemptions[0]) > 1000
    assert 0 < float(whole.overload_calls[0]) < float(whole.calls[0])
    for field in dataclasses.fields(whole):
        mine, theirs = getattr(cut, field.name), getattr(whole, field.name)
        assert mine == pytest.approx(theirs, rel=1e-9, nan_ok=True), field.name
    assert cut_usd == pytest.approx(whole_usd, rel=1e-12)


def test_preemptions_of_the_day_that_only_warms_a_piece_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cut, _), (whole, _) = cut_and_whole(tmp_path, 40_000, monkeypatch)
    assert float(whole.preemptions[0]) > 100
    assert float(whole.end_backlog_calls[0]) == 0
    assert np.ravel(cut.preemptions) == pytest.approx(np.ravel(whole.preemptions), rel=0.01)
