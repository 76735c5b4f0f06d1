"""Chances, regret and the value of knowing are those of a two-branch example worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from questions import asked

from pricing.errors import InputError
from simulator.answers import comparison_json
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.compare import compare
from simulator.studies.finance import payback_day, payback_days
from simulator.studies.probability import Sample, sample, uncertainty, worth_of_knowing
from simulator.studies.spreads import break_even_spread, payback_spread

# a costs 100; b costs 50 or 140, each half the time: mean 95, and to know which before choosing is worth
# 95 - (50 + 100) / 2 = 20. Whoever takes a regrets 50 half the time, whoever takes b regrets 40 half the time.
BRANCHES = """
start: 2027-01-01
horizon_days: 30
baseline: a
workload: {calls_per_day: 1, tokens: {input: 1, output: 1}}
prices: {acme/free: {usd_per_mtok: {input: 0, output: 0}}}
options:
  a: {kind: hosted_prompt, price: acme/free, one_off_usd: {licence: 100}}
  b: {kind: hosted_prompt, price: acme/free, one_off_usd: {licence: {values: [50, 140]}}}
"""
TUNED = """
start: 2027-01-01
horizon_days: 300
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 0.001}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 0}}
  acme/small: {usd_per_mtok: {input: 1, output: 0}}
options:
  a: {kind: hosted_prompt, price: acme/big}
  b: {kind: hosted_prompt, price: acme/small, one_off_usd: {build: {low: 100, high: 300}}}
"""


def drawn(folder: Path, text: str, *flags: str, size: int = 2000) -> Sample:
    return sample(asked(folder, text, *flags), size)


def test_two_branches_by_hand(tmp_path: Path) -> None:
    found = uncertainty(drawn(tmp_path, BRANCHES), regret_above=(39.0, 45.0))
    a, b = found.options["a"], found.options["b"]
    assert (found.choice, found.robust) == ("b", "b")
    assert (a.mean_usd, b.mean_usd) == pytest.approx((100, 95))
    assert (a.cheapest_share, b.cheapest_share) == pytest.approx((0.5, 0.5))
    assert (a.expected_regret_usd, b.expected_regret_usd) == pytest.approx((25, 20))
    assert (a.max_regret_usd, b.max_regret_usd) == pytest.approx((50, 40))
    assert found.perfect_usd == pytest.approx(20)
    assert dict(a.regret_chances) == pytest.approx({39.0: 0.5, 45.0: 0.5})
    assert dict(b.regret_chances) == pytest.approx({39.0: 0.5, 45.0: 0.0})


def test_the_one_input_that_matters_is_worth_all_and_another_nothing(tmp_path: Path) -> None:
    found = drawn(tmp_path, BRANCHES, "discount_rate={low: 0, high: 0.2}")
    worth = {one.path: one for one in worth_of_knowing(found)}
    assert worth["options.b.one_off_usd.licence"].usd == pytest.approx(20)
    assert worth["options.b.one_off_usd.licence"].error_usd < 2
    assert worth["discount_rate"].usd < 3 * max(worth["discount_rate"].error_usd, 0.5)


def test_knowing_one_of_two_inputs_by_hand(tmp_path: Path) -> None:
    """b = x + y, both even on [0, 100], against 100: to know x is worth E|x - 50| / 2 = 12.5, everything 100 / 6."""
    text = BRANCHES.replace("{licence: {values: [50, 140]}}", "{x: {low: 0, high: 100}, y: {low: 0, high: 100}}")
    found = drawn(tmp_path, text, size=10_000)
    for one in worth_of_knowing(found):
        assert one.usd == pytest.approx(12.5, abs=0.25 + 4 * one.error_usd)
    assert uncertainty(found).perfect_usd == pytest.approx(100 / 6, rel=0.05)


def test_knowing_more_is_never_worth_less_than_one_input(tmp_path: Path) -> None:
    found = drawn(tmp_path, TUNED, "workload.calls_per_day={p10: 50, p90: 2000}")
    worth = worth_of_knowing(found)
    assert max(one.usd for one in worth) <= uncertainty(found).perfect_usd + 4 * max(one.error_usd for one in worth)


def test_break_even_and_payback_over_draws_by_hand(tmp_path: Path) -> None:
    """A call saves 0.2 cents, so 300 days pay back a build of 100 to 300 USD from 167 to 500 calls a day."""
    found = drawn(tmp_path, TUNED)
    level = break_even_spread(found.scenario, ("a", "b"), found.draws)
    assert (level.crosses, level.always, level.never) == (1.0, 0.0, 0.0)
    assert level.at == pytest.approx([(100 + 200 * q) / 0.002 / 300 for q in (0.05, 0.5, 0.95)], rel=0.03)
    paid = payback_spread(found.scenario, ("a", "b"), found.draws)
    assert paid is not None
    assert paid.paid_share == 1.0
    assert paid.days == pytest.approx([(100 + 200 * q) / 2.0 for q in (0.05, 0.5, 0.95)], rel=0.03)


def test_many_paybacks_are_each_the_payback_of_one() -> None:
    rng = np.random.default_rng(3)
    once = np.zeros((200, 60))
    once[:, 0], once[:, 20] = rng.uniform(0, 30, 200), rng.uniform(-5, 15, 200)
    by_end = np.cumsum(once + rng.normal(-0.5, 1.0, (200, 60)), axis=1)
    opens = by_end - np.diff(by_end, axis=1, prepend=0.0) + once
    for row, days in enumerate(payback_days(opens, by_end)):
        alone = payback_day(opens[row], by_end[row])
        if alone.days is None or (alone.fragile and by_end[row, -1] > 0):
            assert days == np.inf
        else:
            assert days == pytest.approx(alone.days)


def test_compare_is_the_mean_over_draws(tmp_path: Path) -> None:
    scenario = asked(tmp_path, TUNED, "workload.calls_per_day={p10: 50, p90: 2000}")
    told = comparison_json(compare(scenario, draws=1000))
    found = sample(scenario, 1000)
    for name, option in told["options"].items():
        assert option["total_usd"] == pytest.approx(found.usd[name].mean())
        assert option["interval_usd"] == pytest.approx(np.quantile(found.usd[name], (0.05, 0.5, 0.95)))
        assert sum(line["usd"] for line in option["lines"]) == pytest.approx(option["total_usd"])
        assert sum(option["by_month"]) == pytest.approx(option["total_usd"])
    assert told["verdict"]["confidence"] == told["options"][told["verdict"]["choice"]]["cheapest_share"]
    assert sum(option["cheapest_share"] for option in told["options"].values()) == pytest.approx(1.0)


def test_the_mean_is_not_the_cost_at_the_mean(tmp_path: Path) -> None:
    """Retries make cost convex in the failure rate: 1 / (1 - f) summed, so E[f(X)] exceeds f(E[X])."""
    scenario = asked(tmp_path, TUNED, "options.a.retries={failure_rate: {low: 0, high: 0.5}, max: 10}")
    assert sample(scenario, 2000).usd["a"].mean() > 1.01 * float(run(scenario, "a").total_usd[0])


def test_without_ranges_nothing_is_drawn(tmp_path: Path) -> None:
    scenario = asked(tmp_path, TUNED, "options.b.one_off_usd.build=200")
    told = comparison_json(compare(scenario))
    assert told["uncertainty"] is None
    assert told["verdict"]["confidence"] is None
    with pytest.raises(InputError, match="nothing is uncertain here"):
        sample(scenario)


def test_an_option_that_some_draws_rule_out_is_counted_and_no_choice(tmp_path: Path) -> None:
    text = TUNED.replace("acme/small: {", "acme/small: {lifecycle: {retires_on: 2027-07-20}, ")
    scenario: Scenario = asked(tmp_path, text, "horizon_days={low: 100, high: 300}")
    found = uncertainty(sample(scenario, 2000))
    assert found.options["b"].feasible_share == pytest.approx(0.5, abs=0.05)
    assert found.options["b"].expected_regret_usd is None
    assert found.choice == "a"
    assert any("b does not serve in" in note for note in found.notes)
    assert any("b does not serve in" in caveat for caveat in compare(scenario, draws=500).verdict.caveats)


def test_two_equal_options_are_a_tie(tmp_path: Path) -> None:
    text = BRANCHES.replace("{values: [50, 140]}", "100")
    comparison = compare(asked(tmp_path, text))
    assert comparison.verdict.choice == "a"
    assert "A tie: a and b cost the same." in comparison.verdict.caveats
    assert comparison.break_even[0].answer == "tie"
