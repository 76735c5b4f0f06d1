"""A range has the moments of its theory, is drawn evenly and repeatably, and leaves its mean where it stood."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from questions import asked

from pricing.errors import InputError
from simulator.domain.ranges import Lognormal, Normal, Pert, Range, Uniform, Values
from simulator.run import is_structural
from simulator.studies.draws import NODES, draw, quantile

QUESTION = """
start: 2027-01-01
horizon_days: 100
baseline: a
workload: {calls_per_day: {low: 100, mode: 200, high: 600}, tokens: {input: {p10: 100, p90: 900}, output: 10}}
prices:
  acme/small: {usd_per_mtok: {input: 1, output: 2}}
options:
  a: {kind: hosted_prompt, price: acme/small, one_off_usd: {licence: {mean: 50, sd: 10}}}
  b: {kind: hosted_prompt, price: acme/small, prefix_tokens: {values: [100, 300], weights: [3, 1]}}
"""
EVEN = (np.arange(200_000) + 0.5) / 200_000

# range: mean and variance by theory
MOMENTS: dict[str, tuple[Range, float, float]] = {
    "PERT (beta of shape 4)": (Pert(low=1, mode=2, high=9), 3.0, (3 - 1) * (9 - 3) / 7),
    "uniform": (Uniform(low=2, high=8), 5.0, 36 / 12),
    "normal": (Normal(mean=5, sd=2), 5.0, 4.0),
    "lognormal": (
        Lognormal(p10=math.exp(1 - 1.2815515655446004 * 0.5), p90=math.exp(1 + 1.2815515655446004 * 0.5)),
        math.exp(1 + 0.125), (math.exp(0.25) - 1) * math.exp(2.25),
    ),
    "values": (Values(values=(10, 20), weights=(3, 1)), 12.5, 18.75),
    "half-normal": (Normal(mean=0, sd=1, least=0), math.sqrt(2 / math.pi), 1 - 2 / math.pi),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_mean_and_variance_are_those_of_theory(name: str) -> None:
    found, mean, variance = MOMENTS[name]
    values = quantile(found, EVEN)
    assert found.expected == pytest.approx(mean, rel=1e-9)
    assert values.mean() == pytest.approx(mean, rel=1e-4)
    assert values.var() == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("name", MOMENTS)
def test_a_larger_probability_never_gives_a_smaller_value(name: str) -> None:
    assert np.all(np.diff(quantile(MOMENTS[name][0], EVEN[::97])) >= 0)


def test_one_in_ten_lies_below_p10_and_one_in_ten_above_p90() -> None:
    assert quantile(Lognormal(p10=3, p90=70), [0.1, 0.9]).tolist() == pytest.approx([3, 70])


def test_a_range_is_cut_at_the_bounds_of_its_dial() -> None:
    share = Lognormal(p10=0.5, p90=0.95, most=1.0)
    assert quantile(share, EVEN).max() <= 1.0
    assert quantile(share, EVEN).mean() == pytest.approx(share.expected, rel=1e-4)


def test_the_dial_holds_the_mean_of_its_range(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    assert scenario.workload.calls_per_day == pytest.approx((100 + 4 * 200 + 600) / 6)
    assert scenario.options["b"].prefix_tokens == 150
    assert scenario.options["a"].one_off_usd["licence"] == pytest.approx(50, abs=1e-4)
    assert set(scenario.ranges) == {
        "workload.calls_per_day", "workload.tokens.input", "options.a.one_off_usd.licence", "options.b.prefix_tokens",
    }
    assert set(scenario.ranges) <= scenario.set_paths


def test_whole_dials_are_drawn_as_whole_numbers_and_hold_a_whole_mean(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "horizon_days={low: 90, mode: 100, high: 121}")
    assert scenario.horizon_days == 102
    days = draw(scenario, 1000)["horizon_days"]
    assert np.all(days == np.round(days))


def test_every_slice_of_a_dial_is_drawn_from_once(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "workload.calls_per_day={low: 0.5, high: 1000.5}")
    slices = np.floor(draw(scenario, 1000)["workload.calls_per_day"] - 0.5)
    assert sorted(slices.tolist()) == list(range(1000))


def test_the_same_seed_draws_the_same_and_another_range_changes_no_other(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    more = asked(tmp_path, QUESTION, "discount_rate={low: 0, high: 0.2}")
    once, again = draw(scenario, 500, 7), draw(scenario, 500, 7)
    wider, other = draw(more, 500, 7), draw(scenario, 500, 8)
    for path, values in once.items():
        assert np.array_equal(values, again[path])
        assert np.array_equal(values, wider[path])
        assert len(set(values)) < 3 or not np.array_equal(values, other[path])


def test_a_sobol_sequence_has_the_mean_of_the_range_closer_than_chance(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    values = draw(scenario, 1024, 3, "sobol")["workload.calls_per_day"]
    spread = scenario.ranges["workload.calls_per_day"]
    assert values.mean() == pytest.approx(spread.expected, rel=0.02 / math.sqrt(1024) * 10)


def test_correlated_dials_keep_their_own_distribution(tmp_path: Path) -> None:
    text = QUESTION + "correlations: [{between: [workload.calls_per_day, workload.tokens.input], rho: -0.7}]\n"
    values = draw(asked(tmp_path, text), 20_000)
    calls, tokens = (np.argsort(np.argsort(values[p])) for p in ("workload.calls_per_day", "workload.tokens.input"))
    rank = 6 / math.pi * math.asin(-0.7 / 2)                       # Spearman's rho of a Gaussian copula
    assert np.corrcoef(calls, tokens)[0, 1] == pytest.approx(rank, abs=4 / math.sqrt(20_000))
    assert values["workload.calls_per_day"].mean() == pytest.approx(250, rel=0.02)


@pytest.mark.parametrize("many", [1, 2, 3])
def test_dials_that_cost_a_run_each_take_few_values_together(tmp_path: Path, many: int) -> None:
    flags = ["horizon_days={low: 50, high: 150}", "workload.demand.day_sd={low: 0, high: 0.5}",
             "workload.demand.hour_sd={low: 0, high: 0.5}"][:many]
    scenario = asked(tmp_path, QUESTION, *flags)
    few = np.stack([values for path, values in draw(scenario, 5000).items() if is_structural(path)])
    assert 2 <= np.unique(few, axis=1).shape[1] <= NODES
    for path in scenario.ranges:
        if is_structural(path):
            assert draw(scenario, 5000)[path].mean() == pytest.approx(scenario.ranges[path].expected, rel=0.05)


def test_contradicting_correlations_are_told(tmp_path: Path) -> None:
    pairs = [("workload.calls_per_day", "workload.tokens.input", 0.9),
             ("workload.tokens.input", "options.b.prefix_tokens", 0.9),
             ("workload.calls_per_day", "options.b.prefix_tokens", -0.9)]
    text = "".join(f"- {{between: [{a}, {b}], rho: {rho}}}\n" for a, b, rho in pairs)
    with pytest.raises(InputError, match="correlations: contradict each other"):
        asked(tmp_path, f"{QUESTION}correlations:\n{text}")
