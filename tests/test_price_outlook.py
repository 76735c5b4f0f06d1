"""Prices that nobody announced: both engines agree on them, options share them, and a run tells of each on its day."""

from __future__ import annotations

import itertools
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import simpy
from agreement import agrees, results_agree
from command_line import is_one_sentence, tunepoint
from questions import asked

from pricing.load import shipped_book
from simulator.domain.outlook import PriceOutlook, drift
from simulator.expected.outlook import expected_index
from simulator.files import default_scenario_path, read_scenario
from simulator.run import run
from simulator.simulated.outlook import drifted, price_changes
from simulator.simulated.streams import stream
from simulator.studies.compare import compare

QUESTION = """\
question: What if prices move?
start: 2026-12-01
horizon_days: 200
baseline: one
outlook: {changes_per_year: 3, factors: [0.5, 0.9, 1.4], drift_per_year: -0.2}
workload: {calls_per_day: 2000, tokens: {input: 1000, output: 100}}
options:
  one: {kind: hosted_prompt, price: mine/big, prefix_tokens: 500, fallback: {to: other, share: 0.3}}
  same: {kind: hosted_prompt, price: mine/big, prefix_tokens: 500}
  other: {kind: hosted_prompt, price: mine/small, one_off_usd: {set-up: 40}}
  tuned:
    kind: hosted_fine_tuned
    price: mine/small
    training: {tokens: 1000000, price: mine/tuning, retrain_every_days: 60}
    ready_after_days: 30
    until_ready: one
prices:
  mine/big: {usd_per_mtok: {input: 3, output: 15}, hosting_usd_per_hour: 0.05}
  mine/small: {usd_per_mtok: {input: 1.5, output: 7.5}}
  mine/tuning: {usd_per_mtok: {input: 1.5}, training: {sft: {usd_per_mtok: 3}}, storage_usd_per_month: 5}
"""


def paths(days: int, per_year: float, factors: tuple[float, ...], size: int) -> np.ndarray:
    """The index of many prices by day, as the process plays it."""
    found = np.ones((size, days))
    for row in range(size):

        def changed(day: int, factor: float, row: int = row) -> None:
            found[row, day:] *= factor

        env = simpy.Environment()
        env.process(price_changes(env, stream(5, "outlook", 0, row), per_year, factors, changed))
        env.run(until=24.0 * days)
    return found


def test_the_twins_have_one_mean_on_every_day() -> None:
    played = paths(120, 4.0, (0.5, 0.8, 1.5), 4000)
    mean = expected_index(120, 4.0, (0.5 + 0.8 + 1.5) / 3)[0]
    for day in (1, 30, 119):
        agrees(played[:, day], float(mean[day]), f"day {day}")
    assert np.all(played[:, 0] == 1)


def test_drift_alone_is_exact() -> None:
    assert drifted(400, -0.3, 1)[0] == pytest.approx(expected_index(400, 0.0, 1.0, -0.3)[0], rel=1e-12)


def test_both_engines_expect_the_same_bill(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    for name in scenario.options:
        results_agree(run(scenario, name, engine="simulated", runs=200, seed=7), run(scenario, name))


def test_call_by_call_too(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "horizon_days=40", "workload.calls_per_day=200")
    results_agree(
        run(scenario, "one", engine="simulated", runs=50, seed=7, fidelity="call"), run(scenario, "one")
    )


def test_the_mean_bill_is_the_known_price_times_the_index_of_every_day(tmp_path: Path) -> None:
    """By hand: 2,000 calls of 1,500 + 100 tokens and an hour of hosting, each day at its index."""
    scenario = asked(tmp_path, QUESTION)
    m = (0.5 + 0.9 + 1.4) / 3
    index = [math.exp(3 * (m - 1) * day / 365) * 0.8 ** (day / 365) for day in range(200)]
    a_day = 2000 * (1500 * 3 + 100 * 15) / 1e6 + 24 * 0.05
    assert float(run(scenario, "same").total_usd[0]) == pytest.approx(a_day * math.fsum(index), rel=1e-9)
    draws = {"outlook.changes_per_year": np.array([0.0, 3.0])}
    still = a_day * math.fsum(0.8 ** (day / 365) for day in range(200))
    assert run(scenario, "same", draws=draws).total_usd == pytest.approx([still, a_day * math.fsum(index)], rel=1e-9)


def test_options_at_one_price_see_one_path_and_training_keeps_its_own(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "options.one.fallback=null")
    one, same = (run(scenario, name, engine="simulated", runs=20, seed=1) for name in ("one", "same"))
    assert one.total_usd == pytest.approx(same.total_usd, rel=1e-12)
    assert np.ptp(same.total_usd) > 0
    jobs = run(scenario, "tuned", engine="simulated", runs=20, seed=1).ledger.by_line()["training"]
    assert jobs == pytest.approx(np.full(20, 3 * 9.0), rel=1e-12)  # days 30, 90 and 150: three passes at 3 dollars


def test_the_first_run_tells_of_every_change_and_its_bill_follows(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "outlook={changes_per_year: 12, factors: [0.5]}")
    found = run(scenario, "same", engine="simulated", runs=range(3, 4), seed=2)
    said = "mine/big changes its prices by -50 %, unannounced"
    days = [moment.day for moment in found.timeline if moment.text == said]
    assert len(days) >= 2
    by_day = found.ledger.usd()[0]
    edges = [0, *days, 200]
    for number, (first, after) in enumerate(itertools.pairwise(edges)):
        hosting = next(line for line in found.ledger.lines if line.line == "hosting")
        assert hosting.usd[0, first:after] == pytest.approx(np.full(after - first, 1.2 * 0.5**number), rel=1e-12)
    assert by_day[0] == pytest.approx(2000 * 6000 / 1e6 + 1.2, rel=0.2)


def test_history_is_what_the_tables_show_and_is_told_as_an_assumption(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "outlook=history")
    moves = drift(tuple(shipped_book().prices.values()), date(2026, 12, 1))
    assert scenario.outlook is not None
    assert scenario.outlook.changes_per_year == pytest.approx(len(moves.changes) / moves.years, rel=1e-5)
    assert math.log(scenario.outlook.factors[0]) == pytest.approx(min(moves.changes), abs=1e-5)
    told = {one.path: one for one in compare(scenario).assumptions}
    assert told["outlook.changes_per_year"].source.startswith(f"history: {len(moves.changes)} price changes of ")
    assert told["outlook.factors"].value == pytest.approx(scenario.outlook.mean_factor)
    earlier = asked(tmp_path, QUESTION, "outlook=history", "start=2026-06-01")
    assert earlier.outlook is not None
    assert len(earlier.outlook.factors) < len(scenario.outlook.factors)


def test_a_price_that_no_longer_pays_is_not_told(tmp_path: Path) -> None:
    """The prices of who stood in change on after the cut-over, and that is not the story of the option any more."""
    scenario = read_scenario(default_scenario_path(), ["outlook={changes_per_year: 30, factors: [0.9]}"])
    told = run(scenario, "tuned-api", engine="simulated", runs=1).timeline
    by_price: dict[str, list[int]] = {}
    for moment in told:
        if "unannounced" in moment.text:
            by_price.setdefault(moment.text.split(" ")[0], []).append(moment.day)
    assert set(by_price) == {"openai/gpt-5.4-mini", "tinker/qwen3-8b-ft"}
    assert max(by_price["openai/gpt-5.4-mini"]) < 21
    assert max(by_price["tinker/qwen3-8b-ft"]) > 300


def test_without_an_outlook_prices_stay(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "outlook=null")
    found = run(scenario, "same", engine="simulated", runs=20)
    hosting = found.ledger.by_line()["hosting"]
    assert hosting == pytest.approx(np.full(20, 200 * 24 * 0.05), rel=1e-12)


BAD = {
    "yes": "outlook: \"yes\" is no outlook; write history, or {changes_per_year: 0.4, factors: [0.5, 0.8, 1.2]}",
    "{changes_per_year: 1, factors: []}": "factors: is empty" ,
    "{changes_per_year: 1, factors: [0]}": "factors",
    "{changes_per_year: -1, factors: [1]}": "changes_per_year: -1; it must lie between 0 and 100",
    "{changes_per_year: 1}": "outlook.factors: is required and missing",
}  # fmt: skip


@pytest.mark.parametrize("value", BAD)
def test_an_outlook_that_cannot_be_is_told_in_a_sentence(value: str, tmp_path: Path) -> None:
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    answer = tunepoint("compare", tmp_path / "question.yaml", "--set", f"outlook={value}")
    assert answer.code == 2
    assert is_one_sentence(answer.err)
    assert BAD[value] in answer.err


def test_the_mean_factor_is_the_plain_mean() -> None:
    assert PriceOutlook(changes_per_year=1, factors=(0.5, 1.0, 1.5)).mean_factor == pytest.approx(1.0)
