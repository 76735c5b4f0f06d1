"""What is wrong with a range, a dial or a date is said in one sentence; what changes nothing, ties or fails is told."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from command_line import is_one_sentence, tunepoint

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TRIAGE, CASE = SCENARIOS / "support-triage.yaml", SCENARIOS / "cases/support-triage-2025-01.yaml"
CALLS = "workload.calls_per_day"
RANGES = {
    "{low: 100, high: 50}": "a range from 100 to 50; low must be below high",
    "{low: 10, mode: 5, high: 50}": "mode: 5; it must lie between low 10 and high 50",
    "{p10: 100, p90: 50}": "p10 must be below p90",
    "{mean: 100, sd: -1}": "sd: -1; a spread is above zero",
    "{values: []}": "a range needs at least two",
    "{values: [1, 2], weights: [1]}": "needs one number of zero or more for every value",
    "{low: 100, hi: 50}": "low, hi make no range; write {low, mode, high}, {low, high}",
    "{low: -5, high: 50}": "calls_per_day",
}
EQUAL = """
start: 2026-12-01
horizon_days: 90
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 500, output: 50}}
prices: {mine/p: {usd_per_mtok: {input: 1, output: 2}}}
options:
  a: {kind: hosted_prompt, price: mine/p, prefix_tokens: 100, one_off_usd: {low: 1, high: 2}}
  b: {kind: hosted_prompt, price: mine/p, prefix_tokens: 100, one_off_usd: {low: 1, high: 2}}
"""


@pytest.fixture
def equal(tmp_path: Path) -> Path:
    path = tmp_path / "equal.yaml"
    path.write_text(EQUAL.replace(", one_off_usd: {low: 1, high: 2}", ""), "utf-8")
    return path


@pytest.mark.parametrize("value", RANGES)
def test_a_range_that_cannot_be_is_told(value: str) -> None:
    answer = tunepoint("compare", TRIAGE, "--set", f"{CALLS}={value}")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert RANGES[value] in answer.err


@pytest.mark.parametrize("command", [
    ("break-even", "--along", "workload.cals_per_day"),
    ("map", "--x", "workload.cals_per_day", "--y", "horizon_days"),
    ("sweep", "--vary", "workload.cals_per_day=1..5:3"),
])
def test_a_dial_that_does_not_exist_names_the_nearest(command: tuple[str, ...]) -> None:
    answer = tunepoint(command[0], TRIAGE, *command[1:])
    assert answer.code == 2
    assert f'did you mean "{CALLS}"?' in answer.err


@pytest.mark.parametrize("command", [
    ("break-even", "--along", "workload.deferrable_share"),
    ("map", "--x", CALLS, "--y", "workload.deferrable_share", "--points", "5"),
    ("sweep", "--vary", "workload.deferrable_share=0..0.5:3"),
    ("sensitivity", "--method", "flips"),
])
def test_a_dial_that_changes_nothing_is_told(command: tuple[str, ...]) -> None:
    answer = tunepoint(command[0], CASE, *command[1:])
    assert answer.code == 0
    if command[0] == "sensitivity":
        assert "workload.deferrable_share" in answer.words.partition("Changes nothing:")[2]
    else:
        assert "workload.deferrable_share changes nothing in this scenario" in answer.words + answer.err


def test_two_equal_options_tie_and_keep_what_is_done_today(equal: Path) -> None:
    told = tunepoint("compare", equal).words
    assert "A tie; keep a: at 1,000 calls a day a and b both cost $714 over 90 days" in told
    assert "tie: a and b cost the same all along" in tunepoint("break-even", equal).words
    assert "A tie: a and b cost the same as things stand" in \
        tunepoint("sensitivity", equal, "--method", "flips").words
    assert "no input changes what it saves" in tunepoint("sensitivity", equal, "--method", "sobol").words
    assert tunepoint("sensitivity", equal, "--method", "voi", "--json").json["perfect_usd"] == 0
    assert tunepoint("compare", equal, "--out", equal.parent / "out").code == 0


def test_amounts_labelled_low_and_high_are_no_range(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text(EQUAL.replace("{low: 1, high: 2}", "{low: 1, middle: 2}"), "utf-8")
    answer = tunepoint("compare", tmp_path / "labels.yaml", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["options"]["a"]["one_off_usd"] == 3


def test_draws_in_which_an_option_does_not_serve_are_counted_and_shown() -> None:
    """Both models retire on 2027-01-14, 743 days after the start: days beyond are drawn, and nothing serves there."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = tunepoint("sensitivity", CASE, "--set", "horizon_days={low: 600, high: 900}", "--method", "voi")
    assert answer.code == 0, answer.err
    for name in ("long-prompt", "gpt-4o", "tuned"):
        assert f"{name} does not serve in 53.1 % of the draws" in answer.words      # 17 of 32 nodes above 743 days


def test_a_backtest_before_the_first_price_says_which_day_was_the_first() -> None:
    answer = tunepoint("backtest", SCENARIOS / "cases/support-triage-2024-09.yaml", "--decide-on", "2023-01-01")
    assert answer.code == 2
    assert answer.err.strip() == \
        "no option of this scenario had a price on 2023-01-01; the first of them was known on 2024-07-18"
