"""Both engines give the same bill: exactly where nothing is random, else within four standard errors of the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from agreement import agrees, results_agree
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.domain.scenario import Scenario
from simulator.expected.scaling import BAND
from simulator.files import default_scenario_path, read_scenario, shipped_scenarios
from simulator.run import run

RUNS = 100
SMALL = ["workload.calls_per_day=3000", "workload.growth_per_month=0.05", "horizon_days=60"]

CASES: dict[str, list[str]] = {
    "flat": ["workload.demand={}"],
    "office": ["workload.demand={weekday: office, hours: office}"],
    "hourly noise": ["workload.demand={hours: office, hour_sd: 0.5, hour_lag1: 0.7}"],
    "daily level": ["workload.demand={weekday: office, day_sd: 0.5, day_lag1: 0.5}"],
    "few calls": ["workload.calls_per_day=60", "workload.demand={hours: office, day_sd: 0.4, hour_sd: 0.5}"],
    "long bursts": ["workload.demand={burst: {ratio: 20, on_share: 0.1, mean_on_s: 900}}"],
    "short bursts": ["workload.demand={burst: {ratio: 20, on_share: 0.1, mean_on_s: 10}}"],
    "retries": ["options.long-prompt.retries={failure_rate: 0.2, max: 3}"],
    "failures not billed": ["options.long-prompt.retries={failure_rate: 0.2, max: 1, billed: false}"],
    "always failing": ["options.long-prompt.retries={failure_rate: 1, max: 2}"],
    "batch": ["workload.deferrable_share=0.5", "options.long-prompt.batch_share=0.6"],
    "a campaign": ["workload.events=[{from: 2026-12-10, to: 2026-12-20, factor: 3, name: launch}]"],
    "another takes some": ["options.long-prompt.fallback={to: cheap-prompt, share: 0.2}"],
    "outages": [
        "options.long-prompt.outages={per_month: 4, hours: 6}",
        "options.long-prompt.fallback={to: cheap-prompt}",
    ],
    "outages that lose calls": ["options.long-prompt.outages={per_month: 4, hours: 6}"],
    "failing jobs": ["options.tuned-api.training.failure_rate=0.3", "options.tuned-api.training.runs_per_model=1.5"],
    "quality": [
        "options.long-prompt.success_rate=0.9",
        "options.tuned-api.success_rate=0.9",
        "options.cheap-prompt.success_rate=0.8",
        "options.own-4090.success_rate=0.9",
        "options.rented-a100.success_rate=0.9",
        "failure_usd=0.1",
        "options.long-prompt.human={share: 0.1, usd: 0.5}",
    ],
    "tied lengths": ["workload.tokens={input: 350, output: 40, input_cv: 1, output_cv: 1, correlation: 0.6}"],
    "a pinned hit share": ["options.long-prompt.cache_hit_rate=0.4"],
    "caches written ahead": ["options.long-prompt.caching={calls_per_cache: 5}"],
    "many caches": ["options.long-prompt.caching={scopes: 40}"],
    "a cap": ["workload.cap_per_s=0.05", "options.long-prompt.caching={mode: off}"],
    "a cap on bursts": [
        "workload.cap_per_s=0.1",
        "workload.demand={burst: {ratio: 20, on_share: 0.1, mean_on_s: 300}}",
        "options.long-prompt.caching={mode: off}",
    ],
    "tiers": ["prices={my/x: {usd_per_mtok: {input: 3, output: 15, tiers: [{above: 2900, input: 6, output: 20}]}}}",
              "options.long-prompt.price=my/x", "workload.tokens.input_cv=1.5"],
    "price windows": ["prices={my/x: {usd_per_mtok: {input: 3, output: 15, windows: "
                      "[{utc: '16:30-00:30', days: mon-fri, input: 1.5, output: 7}]}}}",
                      "options.long-prompt.price=my/x", "workload.timezone=Europe/Berlin"],
}

CALL_BY_CALL = (
    "flat", "office", "few calls", "long bursts", "short bursts", "retries", "failures not billed", "batch",
    "another takes some", "a pinned hit share", "many caches", "a cap", "tiers", "price windows",
)  # fmt: skip


def read(changes: list[str]) -> Scenario:
    return read_scenario(default_scenario_path(), [*SMALL, *changes])


@pytest.mark.parametrize("case", CASES)
def test_hourly_totals_have_the_expected_mean(case: str) -> None:
    scenario = read(CASES[case])
    name = "tuned-api" if case == "failing jobs" else "long-prompt"
    results_agree(run(scenario, name, engine="simulated", runs=RUNS, seed=11), run(scenario, name))


@pytest.mark.parametrize("case", CALL_BY_CALL)
def test_every_call_drawn_has_the_expected_mean(case: str) -> None:
    scenario = read([*CASES[case], "horizon_days=7"])
    simulated = run(scenario, "long-prompt", engine="simulated", runs=50, seed=5, fidelity="call")
    results_agree(simulated, run(scenario, "long-prompt"))


@pytest.mark.parametrize("path", shipped_scenarios(), ids=lambda path: path.stem)
def test_every_shipped_scenario_has_the_expected_mean(path: Path) -> None:
    scenario = read_scenario(path)
    for name in scenario.options:
        simulated, expected = run(scenario, name, engine="simulated", runs=RUNS, seed=3), run(scenario, name)
        if expected.fleet is None:
            results_agree(simulated, expected)
            continue
        agrees(simulated.calls, float(expected.calls[0]), f"{name} calls")
        apart = float(simulated.total_usd.mean() / expected.total_usd[0]) - 1.0
        print(f"{path.stem}, {name}: total {apart:+.2%}")
        assert abs(apart) < BAND, name                         # a fleet agrees by its class, *approximate*


def test_what_is_not_random_is_the_same_to_the_ninth_digit() -> None:
    scenario = read(["options.tuned-api.one_off_usd={licence: 77}", "options.tuned-api.evaluation_usd=40"])
    expected = run(scenario, "tuned-api").ledger.by_line()
    simulated = run(scenario, "tuned-api", engine="simulated", runs=3).ledger.by_line()
    for line in ("dataset", "training", "evaluation", "ops", "licence"):
        assert simulated[line] == pytest.approx(np.full(3, expected[line][0]), rel=1e-9)


def test_a_job_that_fails_puts_the_cut_over_off_and_the_prompt_is_paid_until_then() -> None:
    """Every job takes a week and half of them fail: the cut-over comes k weeks late with probability 2^-k."""
    scenario = read(
        ["options.tuned-api.training={examples: 800, tokens_per_example: 600, failure_rate: 0.5, job_hours: 168}",
         "options.tuned-api.ready_after_days=7", "horizon_days=364", "workload.growth_per_month=0"]
    )
    simulated = run(scenario, "tuned-api", engine="simulated", runs=400, seed=2)
    at_the_prompt = sum(
        line.quantity.sum(axis=1) for line in simulated.ledger.lines
        if line.line == "output" and line.price_version.startswith("openai/gpt-5.4-mini")
    )  # fmt: skip
    days = at_the_prompt / simulated.tokens["output"] * 1e6 * 364
    agrees(days, 7 / 0.5, "days at the prompt")


LATE = {
    "fails half the time": ["ready_after_days=7", "{failure_rate: 0.5, job_hours: 168}"],
    "from the first day, some runs twice": [
        "ready_after_days=0", "{failure_rate: 0.3, job_hours: 50, runs_per_model: 2.5, retrain_every_days: 60}"],
    "surely late": ["ready_after_days=3", "{job_hours: 100, runs_per_model: 3}"],
    "hardly within the horizon": ["ready_after_days=7", "{failure_rate: 0.9, job_hours: 500}"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "fidelity"), [*((case, "aggregate") for case in LATE), ("fails half the time", "call")]
)
def test_jobs_that_take_hours_put_the_cut_over_off_in_both_engines(case: str, fidelity: str) -> None:
    """With outages, people, a fallback and prices that move, who stands in is paid for as long as he stands in."""
    ready, jobs = LATE[case]
    training = jobs.replace("{", "{examples: 800, tokens_per_example: 600, ")
    scenario = read([
        f"options.tuned-api.{ready}", f"options.tuned-api.training={training}", "horizon_days=60",
        "workload.calls_per_day=500", "options.long-prompt.outages={per_month: 4, hours: 6}",
        "options.long-prompt.fallback={to: cheap-prompt}", "options.long-prompt.human={share: 0.1, usd: 0.5}",
        "outlook={changes_per_year: 2, factors: [0.7, 1.2]}",
    ])  # fmt: skip
    simulated = run(scenario, "tuned-api", engine="simulated", runs=50, seed=3, fidelity=fidelity)
    results_agree(simulated, run(scenario, "tuned-api"))
    days = run(scenario, "tuned-api", draws={"workload.calls_per_day": np.array([500.0, 1000.0])})
    assert days.total_usd[0] == pytest.approx(float(run(scenario, "tuned-api").total_usd[0]), rel=1e-9)


@settings(max_examples=8)
@given(
    calls=st.floats(300, 1e6),
    growth=st.floats(-0.05, 0.1),
    day_sd=st.floats(0, 0.4),
    hour_sd=st.floats(0, 0.4),
    lag1=st.floats(0, 0.9),
    prefix=st.integers(0, 6000),
    input_cv=st.floats(0, 1.5),
    failure=st.floats(0, 0.5),
    retries=st.integers(0, 3),
    deferred=st.just(0.0) | st.floats(0.01, 1),  # below, no run may have a batch call, and none says how dear one is
)
def test_drawn_scenarios_have_the_expected_mean(
    calls: float, growth: float, day_sd: float, hour_sd: float, lag1: float,
    prefix: int, input_cv: float, failure: float, retries: int, deferred: float,
) -> None:  # fmt: skip
    scenario = read_scenario(
        default_scenario_path(),
        [
            f"workload.calls_per_day={calls}", f"workload.growth_per_month={growth}", "horizon_days=28",
            f"workload.demand={{hours: office, day_sd: {day_sd}, hour_sd: {hour_sd}, hour_lag1: {lag1}}}",
            f"workload.tokens.input_cv={input_cv}", f"workload.deferrable_share={deferred}",
            f"options.long-prompt.prefix_tokens={prefix}", "options.long-prompt.batch_share=0.5",
            f"options.long-prompt.retries={{failure_rate: {failure}, max: {retries}}}",
        ],
    )  # fmt: skip
    results_agree(run(scenario, "long-prompt", engine="simulated", runs=RUNS, seed=1), run(scenario, "long-prompt"))


def test_the_story_of_the_first_run_names_what_happened_on_its_day() -> None:
    scenario = read(["workload.events=[{from: 2026-12-10, to: 2026-12-20, factor: 3, name: launch}]"])
    story = run(scenario, "tuned-api", engine="simulated", runs=2).timeline
    told = {moment.text.split(":")[0]: moment.day for moment in story}
    assert told["launch"] == 9
    assert told["tuned-api takes over from long-prompt"] == 21
    assert [moment.day for moment in story] == sorted(moment.day for moment in story)
