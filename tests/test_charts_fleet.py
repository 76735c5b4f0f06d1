"""The picture of a fleet's busiest week shows what the simulation recorded, and the JSON tells its percentiles."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from simulator import charts
from simulator.answers import comparison_json
from simulator.charts_fleet import busiest_week, fleet_week, fleet_weeks
from simulator.domain.findings import Comparison
from simulator.domain.usage import FleetRecord
from simulator.run import simulate_all
from simulator.studies.compare import compare, cost_curve, summary
from simulator.studies.sizing import kept_promises
from tests.questions import asked

QUESTION = """start: 2026-12-01
horizon_days: 15
baseline: hosted
workload: {calls_per_day: 600000, demand: {hours: office}, tokens: {input: 300, output: 60, output_cv: 0.5},
  slo: {e2e_p95_s: 20}, events: [{from: 2026-12-09, to: 2026-12-12, factor: 2, name: sale}]}
options:
  hosted: {kind: hosted_prompt, price: openai/gpt-6-luna}
"""
FLEETS = """  fleet: {kind: self_hosted, serving: vllm/rtx-4090/llama-3.1-8b/bf16, gpu: runpod-secure/rtx-4090,
    fleet: {replicas: {min: 1, max: 2}}}
  both: {kind: hybrid, fleet_option: fleet, overflow_option: hosted, overflow_above: 40}
"""


@pytest.fixture(scope="module", params=["aggregate", "call"])
def comparison(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The hosted option compared, with what the fleets beside it did: the verdict on them takes too long here."""
    folder = tmp_path_factory.mktemp("week")
    hosted, scenario = compare(asked(folder, QUESTION)), asked(folder, QUESTION + FLEETS)
    results = simulate_all(scenario, runs=1, fidelity=request.param)
    options = {name: summary(scenario, kept_promises(scenario, result)) for name, result in results.items()}
    return dataclasses.replace(hosted, options=options)


def test_the_busiest_week_is_the_seven_days_with_most_calls() -> None:
    calls = np.repeat([1.0, 1, 9, 1, 1, 1, 1, 1, 2, 10], 24)
    other = dict.fromkeys(("overflow", "replicas", "serving", "used", "inside", "queue"), calls)
    week = busiest_week(FleetRecord(begin_day=0, calls=calls, **other))
    assert (week.start, week.stop) == (24 * 3, 24 * 10)
    short = {name: values[:48] for name, values in other.items()}
    assert busiest_week(FleetRecord(begin_day=0, calls=calls[:48], **short)) == slice(0, 48)


def test_every_fleet_has_its_week_with_the_recorded_hours(comparison: Comparison) -> None:
    weeks = fleet_weeks(comparison)
    assert set(weeks) == {"fleet-week-fleet", "fleet-week-both"}
    record = comparison.options["both"].result.record
    assert record is not None
    week = busiest_week(record)
    assert week.stop - week.start == 168
    chart = weeks["fleet-week-both"]
    drawn = {trace.name: np.asarray(trace.y)[:-1] for trace in chart.data}
    assert drawn["paid"] == pytest.approx(record.replicas[week])
    assert drawn["waiting for a place"] == pytest.approx(record.queue[week])
    assert drawn["overflow"].max() > 0
    assert drawn["paid"].max() <= 2 + 1e-9
    go.Figure(chart.to_dict())                               # the library checks every value
    assert "replicas paid" in chart.layout.meta["alt"]


def test_the_week_is_among_the_pictures_that_are_kept(comparison: Comparison, tmp_path: Path) -> None:
    kept = charts.pictures(comparison, cost_curve(asked(tmp_path, QUESTION), points=3))
    assert {"fleet-week-fleet", "fleet-week-both"} <= set(kept)


def test_what_was_not_simulated_has_no_week(tmp_path: Path) -> None:
    comparison = compare(asked(tmp_path, QUESTION))
    assert fleet_weeks(comparison) == {}
    with pytest.raises(ValueError, match="no record"):
        fleet_week(comparison, "hosted")


def test_percentiles_rise_and_a_hybrid_is_judged_too(comparison: Comparison) -> None:
    told = comparison_json(comparison)["options"]
    for name in ("fleet", "both"):
        assert told[name]["meets_slo"] is not None
    for latency in told["both"]["latency"].values():
        assert 0 < latency["p50"] < latency["p95"] < latency["p99"]
        assert latency["p50"] < 2 * latency["mean"]
    assert told["hosted"]["latency"] is None
