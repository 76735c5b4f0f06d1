"""The reason why an option never pays is the true one: without what it names, or with the change it names, it pays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from questions import asked, crossed

from simulator.domain.drawn import with_dials
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario
from simulator.run import run
from simulator.studies.nearest_change import nearest_change

TRIAGE = Path(__file__).parent.parent / "scenarios" / "support-triage.yaml"
VOLUME = "workload.calls_per_day"
RANGE = (10.0, 1e7)
PAGE = """
start: 2026-12-01
horizon_days: 360
hours_per_month: 720
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 0}}
prices:
  mine/cheap: {usd_per_mtok: {input: 1, output: 4}}
  mine/cheaper: {usd_per_mtok: {input: 0.9, output: 4}}
  mine/dear: {usd_per_mtok: {input: 4, output: 4}}
  mine/cached: {usd_per_mtok: {input: 1.25, cached_input: 0.1, output: 4}, rules: {caching: {mode: automatic,
    min_tokens: 1024, increment: 1}}}
options:
  a: {kind: hosted_prompt, price: mine/cheap}
  old: {kind: hosted_prompt, price: mine/dear}
  b: {kind: hosted_prompt, price: mine/cheaper, one_off_usd: {contract: 18}, ready_after_days: 36, until_ready: old}
"""


def costs(scenario: Scenario, calls: float, *names: str, **dials: float) -> list[float]:
    now = with_dials(scenario, {VOLUME: calls, **{path.replace("__", "."): value for path, value in dials.items()}})
    return [float(run(now, name).total_usd[0]) for name in names]


def test_the_waiting_is_named_where_it_keeps_an_option_dear_and_the_volume_from_which_it_pays_without(
    tmp_path: Path,
) -> None:
    """Ready at once, b saves 0.0001 x 360 a daily call and costs 18 up front: level at 500 calls a day.

    Waiting 36 days at 0.003 more a call loses 0.108 a daily call, more than 324 days of 0.0001 earn back.
    """
    found = crossed(asked(tmp_path, PAGE), "a", "b")
    assert found["answer"] == "never"
    assert found["reason"].startswith(
        "what keeps it dear is the 36 days on old until b is ready, where a call costs $0.004 against $0.001 with a; "
        "ready from the first day it would pay from 500 calls a day on; "
    )
    assert "too little" not in found["reason"]


def test_a_waiting_that_is_not_to_blame_is_not_blamed(tmp_path: Path) -> None:
    never = crossed(asked(tmp_path, PAGE, "options.b.one_off_usd.contract=400000"), "a", "b")
    assert never["answer"] == "never"
    assert "a call saves only $0.0001, too little for what b pays besides" in never["reason"]
    assert "what keeps it dear" not in never["reason"]
    waits = asked(tmp_path, PAGE, "options.b.until_ready=a", "options.b.one_off_usd.contract=340000")
    found = crossed(waits, "a", "b")["reason"]              # 360 days at 1e7 calls save 360,000, 324 days 324,000
    assert found.startswith("what keeps it dear is the 36 days on a until b is ready; ready from the first day")


def test_the_shipped_question_names_its_waiting_and_a_change_that_pays_when_it_is_run() -> None:
    scenario, pair = read_scenario(TRIAGE), ("cheap-prompt", "tuned-api")
    found = crossed(scenario, *pair)
    assert found["answer"] == "never"
    told = re.search(r"on long-prompt until tuned-api .* pay from ([\d,]+) calls a day on", found["reason"])
    assert told is not None
    ready = {"options__tuned-api__ready_after_days": 0.0}
    at = float(told.group(1).replace(",", ""))
    plain, tuned = costs(scenario, at * 0.999, *pair, **ready)
    assert plain < tuned
    plain, tuned = costs(scenario, at * 1.001, *pair, **ready)
    assert plain > tuned
    change = re.search(r"at ([\d,]+) calls a day it would pay if the prices of cheap-prompt rose to ([\d.]+) times",
                       found["reason"])
    assert change is not None
    place, factor = (float(part.replace(",", "")) for part in change.groups())
    plain, tuned = costs(scenario, place, *pair, **{"options__cheap-prompt__price_factor": factor})
    assert RANGE[0] <= place <= RANGE[1]
    assert tuned <= plain


def test_a_shorter_waiting_is_named_where_it_is_the_nearest_change(tmp_path: Path) -> None:
    """A day costs a 1.01, b 0.90 and old 4.00: level where 2.99 d = 0.11 (360 - d), at 12.8 days; 16 are too many.

    Of 16 days 12 are three quarters; the tokens of a are a hundredth of its cost, those of b as little.
    """
    scenario = asked(
        tmp_path, PAGE, "options.a.price_factor=0.01", "options.a.recurring_usd_per_month.seat=30",
        "options.b.price_factor=0.01", "options.b.recurring_usd_per_month.seat=26.73",
        "options.b.one_off_usd.contract=0", "options.b.ready_after_days=16",
    )
    assert nearest_change(scenario, ("a", "b")) == "it would pay if b were ready after 12 days"
    plain, waits = costs(scenario, 1000.0, "a", "b")
    assert waits > plain
    plain, waits = costs(scenario, 1000.0, "a", "b", options__b__ready_after_days=12.0)
    assert waits < plain


def test_a_cache_that_is_hit_more_often_is_named_where_it_is_the_nearest_change(tmp_path: Path) -> None:
    """Of 4,000 tokens at 1.25 every second is read at 0.10: 2,700, against 2,148 at 62 in 100, and 2,160 for a."""
    cached = (
        "  c: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 4000, input_tokens: 1, caching: {reach: 0.5}}"
    )
    scenario = asked(tmp_path, f"{PAGE}{cached}\n", f"{VOLUME}=1000000", "options.a.input_tokens=2160")
    assert nearest_change(scenario, ("a", "c")) == "it would pay if 62 % of the possible cache hits of c came"
    plain, cached_usd = costs(scenario, 1e6, "a", "c", options__c__caching__reach=0.62)
    assert cached_usd < plain


@pytest.mark.parametrize("along", ["options.other.prefix_tokens", "options.other.price_factor", "discount_rate"])
def test_a_dial_that_changes_neither_of_the_two_is_named_as_such(tmp_path: Path, along: str) -> None:
    scenario = asked(tmp_path, f"{PAGE}  other: {{kind: hosted_prompt, price: mine/dear, prefix_tokens: 10}}\n")
    for pair, answer in ((("old", "a"), "always"), (("a", "old"), "never")):
        found = crossed(scenario, *pair, along=along)
        assert found["answer"] == answer
        assert found["reason"].startswith(f"{along} changes nothing for the two; ")


def test_a_dial_of_a_stand_in_or_of_one_of_the_two_is_not_without_effect(tmp_path: Path) -> None:
    scenario = asked(tmp_path, PAGE)
    for pair, along in ((("a", "b"), "options.old.price_factor"), (("a", "old"), "options.a.price_factor"),
                        (("old", "a"), "workload.tokens.input"), (("a", "old"), "horizon_days")):
        assert "changes nothing" not in (crossed(scenario, *pair, along=along)["reason"] or "")
