"""The 90 % interval of a total holds the truth as often as it says, and values of information repeat over seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.ranges import Lognormal, Normal, Pert, Range, Uniform, Values
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.run import run
from simulator.studies.draws import quantile
from simulator.studies.probability import sample, uncertainty, worth_of_knowing

TRUTHS = 200
RANGES: dict[str, Range] = {
    "workload.calls_per_day": Lognormal(p10=20_000, p90=110_000),
    "workload.growth_per_month": Normal(mean=0.03, sd=0.02, least=-0.99),
    "workload.tokens.input": Pert(low=150, mode=350, high=900),
    "workload.demand.day_sd": Uniform(low=0.05, high=0.6),
    "horizon_days": Uniform(low=300, high=430),
    "options.long-prompt.caching.reach": Pert(low=0.3, mode=0.9, high=0.99),
    "options.cheap-prompt.reasoning_tokens": Values(values=(0, 50, 400), weights=(3, 2, 1)),
    "options.tuned-api.dataset.minutes_per_example": Pert(low=1, mode=2, high=6),
    "wages_usd_per_hour.engineer": Uniform(low=80, high=150),
}


def ranged() -> Scenario:
    """The shipped scenario with nine uncertain inputs of every form, two of which are drawn on a few nodes."""
    scenario = read_scenario(default_scenario_path(), ("options.long-prompt.caching.reach=0.9",))
    return dataclasses.replace(scenario, ranges=RANGES)


def close_call() -> Scenario:
    """The shipped scenario of published ranges, whose two best options are close: here inputs are worth measuring."""
    return read_scenario(default_scenario_path().parent / "how-sure.yaml")


@pytest.mark.parametrize("question", [ranged, close_call])
def test_the_interval_holds_the_truth_in_85_to_95_of_100_cases(question: Callable[[], Scenario]) -> None:
    """Truths are drawn one by one from the ranges themselves, each run as a scenario of its own, on no nodes."""
    scenario = question()
    intervals = {name: risk.interval_usd for name, risk in uncertainty(sample(scenario, seed=1)).options.items()}
    rng = np.random.default_rng(20_261_201)
    held = dict.fromkeys(intervals, 0)
    for _ in range(TRUTHS):
        truth = {}
        for path, one in scenario.ranges.items():
            value = float(quantile(one, rng.random()))
            truth[path] = float(round(value)) if find_dial(scenario, path).whole else value
        real = with_dials(scenario, truth)
        for name, (low, _, high) in intervals.items():
            held[name] += low <= float(run(real, name).total_usd[0]) <= high
    told = ", ".join(f"{name} {count / TRUTHS:.1%}" for name, count in held.items())
    print(f"\n90 % interval of the total, {scenario.name}: holds {TRUTHS} drawn truths in {told} (85 to 95 % wanted)")
    for name, count in held.items():
        assert 0.85 <= count / TRUTHS <= 0.95, name


def test_the_error_of_a_value_of_information_covers_its_scatter_over_seeds() -> None:
    """Over 10 seeds a value scatters no more than twice what its own standard error says, and no less than a tenth."""
    scenario = close_call()
    runs = [{one.path: one for one in worth_of_knowing(sample(scenario, 2000, seed))} for seed in range(10)]
    told = 0
    print(f"\nvalue of knowing, {scenario.name}, 2,000 draws, 10 seeds:")
    for path in scenario.ranges:
        values = np.asarray([found[path].usd for found in runs])
        errors = np.asarray([found[path].error_usd for found in runs])
        if values.mean() <= 4 * errors.mean():
            continue
        told += 1
        print(f"  {path}: {values.mean():.0f} USD, scatter {values.std(ddof=1):.1f}, stated {errors.mean():.1f}")
        assert 0.1 * errors.mean() <= values.std(ddof=1) <= 2 * errors.mean()
    assert told >= 3


def test_latin_hypercube_and_sobol_agree_on_every_mean() -> None:
    scenario = ranged()
    latin, even = (sample(scenario, 8192, 3, method) for method in ("latin", "sobol"))
    for name in scenario.options:
        assert abs(latin.usd[name].mean() / even.usd[name].mean() - 1) < 0.005
