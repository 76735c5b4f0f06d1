"""Training on GPUs takes hours on the calendar and is billed as its card is rented, alike in both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.domain.scenario import Scenario
from simulator.expected.gpu_training import rented_hours
from simulator.run import run
from simulator.simulated.gpu_training import billed_hours
from tests.agreement import agrees
from tests.questions import asked, billed

WAITING = """
start: 2026-12-01
horizon_days: 60
baseline: api
prices:
  mine/api: {usd_per_mtok: {input: 1, output: 2}}
  mine/tuned: {usd_per_mtok: {input: 1, output: 2}, training: {sft: {usd_per_mtok: 3}}}
workload: {calls_per_day: 2000, demand: {day_sd: 0}, tokens: {input: 300, output: 50}}
options:
  api: {kind: hosted_prompt, price: mine/api}
  own:
    kind: self_hosted
    serving: vllm/a100-80gb-sxm/llama-3.1-8b/bf16
    gpu: lambda/a100-80gb-sxm
    fleet: {replicas: {min: 1, max: 1}}
    training: {gpu: lambda/a100-80gb-sxm, TRAINING}
    ready_after_days: 10
    until_ready: api
  tuned: {kind: hosted_fine_tuned, price: mine/tuned, training: {tokens: 1e6, epochs: 1, job_hours: 90}}
  both:
    {kind: hybrid, fleet_option: own, overflow_option: tuned, overflow_above: 20, ready_after_days: 2, until_ready: api}
"""
TWICE = "gpu_hours: 100.001, runs_per_model: 2, failure_rate: 0.4, retrain_every_days: 20"


def waiting(folder: Path, training: str, *more: str) -> Scenario:
    return asked(folder, WAITING.replace("TRAINING", training), *more)


@pytest.mark.parametrize("option", ["own", "both"])
def test_hours_of_gpu_training_put_the_cut_over_off_in_both_engines(tmp_path: Path, option: str) -> None:
    """Two runs of 100 hours of which four in ten fail: on day 10 hardly any model is ready, on day 20 most are."""
    scenario = waiting(tmp_path, TWICE)
    expected = run(scenario, option)
    simulated = run(scenario, option, engine="simulated", runs=100, seed=2)
    agrees(simulated.total_usd, float(expected.total_usd[0]), f"{option} total")
    theirs = expected.ledger.by_line()
    for line, usd in simulated.ledger.by_line().items():
        agrees(usd, float(theirs[line][0]), f"{option} {line}")
    assert expected.fleet is not None
    assert simulated.fleet is not None
    agrees(simulated.fleet.paid_hours, float(expected.fleet.paid_hours[0]), "paid hours")
    agrees(simulated.fleet.calls, float(expected.fleet.calls[0]), "calls of the fleet")
    assert float(expected.fleet.paid_hours[0]) < 24 * (60 - 14)


def test_a_day_more_of_training_is_a_day_more_of_who_stands_in(tmp_path: Path) -> None:
    surely = {hours: billed(waiting(tmp_path, f"gpu_hours: {hours}"), "own") for hours in (200, 250, 274)}
    assert surely[200].get("input") == pytest.approx(10 * 2000 * 300 / 1e6)       # ready in time: as planned
    assert surely[250]["input"] == pytest.approx(11 * 2000 * 300 / 1e6)
    assert surely[274]["input"] == pytest.approx(12 * 2000 * 300 / 1e6)
    assert surely[274]["gpu_idle"] < surely[250]["gpu_idle"]


def test_a_drawn_number_of_hours_counts_as_if_it_were_typed(tmp_path: Path) -> None:
    hours = [50.0, 250.0, 400.0]
    drawn = run(waiting(tmp_path, "gpu_hours: 1"), "own", draws={"options.own.training.gpu_hours": np.array(hours)})
    for at, one in enumerate(hours):
        alone = run(waiting(tmp_path, f"gpu_hours: {one}"), "own")
        assert float(drawn.total_usd[at]) == pytest.approx(float(alone.total_usd[0]), rel=1e-6)


def test_runs_that_end_after_the_horizon_are_paid_in_neither_engine(tmp_path: Path) -> None:
    scenario = waiting(tmp_path, "gpu_hours: 700, runs_per_model: 3")
    for engine in ("expected", "simulated"):
        found = run(scenario, "own", engine=engine, runs=2 if engine == "simulated" else None).ledger.by_line()
        assert found["training"] == pytest.approx(2 * 700 * 2.79)


@pytest.mark.parametrize(("gpu", "usd"), [("lambda/a100-80gb-sxm", 2.79), ("aws/a100-80gb-sxm", 3.4309)])
def test_a_begun_span_of_rent_is_paid_whole(tmp_path: Path, gpu: str, usd: float) -> None:
    """Lambda rents by the minute, AWS by the second and a minute at least."""
    for hours in (1.0, 1.0001, 0.0025, 0.02):
        spans = {"lambda": np.ceil(round(hours * 60, 9)) * 60, "aws": max(np.ceil(round(hours * 3600, 9)), 60)}
        scenario = waiting(tmp_path, f"gpu_hours: {hours}", f"options.own.training.gpu={gpu}")
        for engine in ("expected", "simulated"):
            paid = run(scenario, "own", engine=engine, runs=2 if engine == "simulated" else None).ledger.by_line()
            assert paid["training"] == pytest.approx(spans[gpu.split("/")[0]] / 3600 * usd, rel=1e-4), (hours, engine)


def test_both_rooms_count_billed_hours_alike() -> None:
    random = np.random.default_rng(3)
    for granularity, least in ((None, 0), (1, 0), (1, 60), (60, 0), (3600, 0), (3600, 7200)):
        hours = [0.0, 1.0, 1 / 60, 1 / 3600, *random.exponential(2.0, 50)]
        found = [billed_hours(one, granularity, least) for one in hours]
        assert rented_hours(hours, granularity, least).tolist() == pytest.approx(found, rel=1e-12)
        assert all(paid >= used * (1 - 1e-9) for paid, used in zip(found, hours, strict=True))
