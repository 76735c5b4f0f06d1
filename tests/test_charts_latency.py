"""Latency and the busiest week of a simulated fleet are drawn as its runs say, beside the targets of the scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

import simulator
from simulator import charts
from simulator.domain.scenario import Scenario
from tests.questions import asked

FLEET = """
start: 2026-12-01
horizon_days: 14
baseline: api
workload:
  calls_per_day: 100_000
  tokens: {input: 300, output: 100}
  slo: {ttft_p95_s: TTFT, e2e_p95_s: 60}
options:
  api: {kind: hosted_prompt, price: openai/gpt-5.4-mini}
  cards:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: runpod-community/rtx-4090
    fleet: {replicas: {min: 1, max: 4}}
"""


def fleet(folder: Path, ttft_s: float) -> Scenario:
    return asked(folder, FLEET.replace("TTFT", str(ttft_s)))


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return fleet(tmp_path_factory.mktemp("fleet"), 2.0)


@pytest.fixture(scope="module")
def played(scenario: Scenario) -> simulator.Rehearsal:
    found: simulator.Rehearsal = simulator.rehearse(simulator.rehearsal_parts(scenario, 2)[0])
    return found


def test_a_fleet_brings_its_week_and_its_latency_and_other_options_do_not(played: simulator.Rehearsal) -> None:
    drawn = charts.played_pictures(played)
    assert [name for name in drawn if name == "latency" or name.startswith("fleet-week")] == [
        "latency", "fleet-week-cards"]
    for chart in drawn.values():
        go.Figure(chart.to_dict())
        assert charts.plotted(chart)
        assert len(chart.layout.meta["alt"]) > 40


def test_marks_stand_where_the_runs_say(played: simulator.Rehearsal) -> None:
    use = played.runs.mean["cards"].fleet
    assert use is not None
    traces = {trace.name: trace for trace in charts.latency(played).data if trace.mode == "markers"}
    for words, level in (("half of the calls", "p50"), ("95 % of the calls", "p95"), ("99 % of the calls", "p99")):
        told = [float(np.mean(getattr(use, f"{wait}_{level}_s"))) for wait in ("ttft", "tpot", "e2e")]
        assert list(traces[words].x) == pytest.approx(told)
    assert list(traces["half of the calls"].x) < list(traces["95 % of the calls"].x)


def test_targets_are_lines_at_what_the_scenario_promises(played: simulator.Rehearsal) -> None:
    lines = [trace for trace in charts.latency(played).data if trace.name == "target for 95 %"]
    assert [tuple(line.x) for line in lines] == [(2.0, 2.0), (60.0, 60.0)]
    assert [line.showlegend for line in lines] == [True, False]
    assert "cards keeps every target" in charts.latency(played).layout.meta["alt"]


def test_a_missed_target_is_said(tmp_path: Path) -> None:
    late = simulator.rehearse(simulator.rehearsal_parts(fleet(tmp_path, 0.001), 1)[0])
    assert "cards misses: first token" in charts.latency(late).layout.meta["alt"]


def test_the_week_is_that_of_the_first_run_however_the_runs_are_cut(
    scenario: Scenario, played: simulator.Rehearsal
) -> None:
    first, second = (
        simulator.rehearse(simulator.rehearsal_parts(scenario, 2)[0].__class__(
            scenario=scenario, numbers=numbers, seed=0, fidelity=played.fidelity))
        for numbers in (range(1), range(1, 2))
    )
    whole = charts.played_pictures(first.merged(second))["fleet-week-cards"]
    np.testing.assert_array_equal(whole.data[0].y, charts.played_pictures(played)["fleet-week-cards"].data[0].y)
