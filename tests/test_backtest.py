"""A backtest decides with what was known, pays what followed, and names every version; all by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from questions import asked

from pricing.errors import InputError
from simulator.domain.scenario import Scenario
from simulator.files import shipped_scenarios
from simulator.files.scenario import read_scenario
from simulator.studies.backtest import backtest, known_on, monthly, that_followed

# One call a day of a million input tokens: a day costs what a million tokens cost.
QUESTION = """
start: 2026-06-01
horizon_days: 100
baseline: a
workload: {calls_per_day: 1, tokens: {input: 1_000_000, output: 0.001}}
prices:
  acme/a:
    versions:
    - effective: 2024-01-01
      recorded: 2024-01-01
      usd_per_mtok: {input: 10, output: 0}
      source: &s {title: acme, seen_on: 2024-01-01, confidence: verified}
    - {effective: 2025-02-10, recorded: 2025-02-10, usd_per_mtok: {input: 4, output: 0}, source: *s}
  acme/b:
    versions:
    - {effective: 2024-01-01, recorded: 2024-01-01, usd_per_mtok: {input: 8, output: 0}, source: *s}
    - {effective: 2024-01-01, recorded: 2025-03-01, usd_per_mtok: {input: 9, output: 0}, source: *s}
  acme/c:
    versions:
    - {effective: 2025-01-15, recorded: 2025-01-15, usd_per_mtok: {input: 1, output: 0}, source: *s}
    - effective: 2025-01-15
      recorded: 2025-04-01
      usd_per_mtok: {input: 1, output: 0}
      lifecycle: {retires_on: 2025-05-01}
      source: *s
  acme/always: {usd_per_mtok: {input: 100, output: 0}}
options:
  a: {kind: hosted_prompt, price: acme/a}
  b: {kind: hosted_prompt, price: acme/b}
  c: {kind: hosted_prompt, price: acme/c, successor: stop}
  dear: {kind: hosted_prompt, price: acme/always}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return asked(tmp_path, QUESTION.replace("start: 2026-06-01", "start: 2025-04-20"))


def test_planned_at_known_prices_and_paid_at_those_that_followed(scenario: Scenario) -> None:
    """On 2025-01-01: b at 8 beats a at 10; but a falls to 4 after 40 days, and b turns out to cost 9 throughout."""
    found = backtest(scenario, date(2025, 1, 1))
    assert (found.choice, found.best) == ("b", "a")
    assert {name: paid.planned_usd for name, paid in found.options.items()} == pytest.approx(
        {"a": 1000, "b": 800, "c": None, "dear": 10_000})
    assert {name: paid.paid_usd for name, paid in found.options.items()} == pytest.approx(
        {"a": 40 * 10 + 60 * 4, "b": 900, "c": None, "dear": 10_000})
    assert found.regret_usd == pytest.approx(900 - 640)
    assert found.options["c"].why_not == "acme/c was not sold on 2025-01-01; its first price was known on 2025-01-15"
    assert found.options["a"].versions == ("acme/a@2024-01-01", "acme/a@2025-02-10")
    assert found.changes == ("acme/a@2025-02-10: input 10 to 4 USD per Mtok",)


def test_a_retirement_nobody_knew_of_ends_the_bill(scenario: Scenario) -> None:
    """On 2025-02-01 c at 1 wins; it ends on 2025-05-01 after 89 days, and was the cheapest until then."""
    found = backtest(scenario, date(2025, 2, 1))
    assert (found.choice, found.best, found.regret_usd) == ("c", "c", 0.0)
    assert found.options["c"].paid_usd == pytest.approx(89)
    assert found.options["c"].serves_until == date(2025, 5, 1)
    assert "it stopped serving on 2025-05-01" in found.sentence


def test_once_it_is_known_an_option_that_ends_is_no_choice(scenario: Scenario) -> None:
    found = backtest(scenario, date(2025, 4, 2))
    assert found.choice == "a"
    assert found.options["c"].why_not == "it stops serving on 2025-05-01, inside the horizon"


def test_what_is_known_never_comes_from_later(scenario: Scenario) -> None:
    day = date(2025, 2, 1)
    for table in scenario.prices.values():
        known = known_on(table, day)
        assert known is not None
        assert all(version.recorded <= day for version in known.versions)
    assert known_on(scenario.prices["acme/c"], date(2025, 1, 1)) is None


def test_what_followed_has_the_last_word_of_every_day(scenario: Scenario) -> None:
    (version,) = that_followed(scenario.prices["acme/b"]).versions
    assert version.usd_per_mtok.input == 9


def test_the_same_day_decides_the_same_and_months_are_those_days(scenario: Scenario) -> None:
    days = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]
    assert [one.decided_on for one in monthly(scenario, days[0], date(2025, 3, 15))] == days
    assert list(monthly(scenario, days[0], days[2])) == [backtest(scenario, day) for day in days]


def test_a_day_before_the_first_price_is_told(tmp_path: Path) -> None:
    text = QUESTION.replace("  dear: {kind: hosted_prompt, price: acme/always}\n", "")
    scenario = asked(tmp_path, text.replace("start: 2026-06-01", "start: 2025-04-20"))
    with pytest.raises(InputError, match=r"had a price on 2023-06-01; the first of them was known on 2024-01-01"):
        backtest(scenario, date(2023, 6, 1))
    with pytest.raises(InputError, match="take 1 to 3650"):
        backtest(scenario, date(2025, 1, 1), date(2025, 1, 1))
    with pytest.raises(InputError, match="is before the first"):
        list(monthly(scenario, date(2025, 1, 1), date(2024, 1, 1)))


def test_a_day_after_the_last_retirement_is_not_told_as_one_before_the_first_price(tmp_path: Path) -> None:
    kept = [line for line in QUESTION.splitlines() if not line.startswith(("  a:", "  b:", "  dear:"))]
    text = "\n".join(kept).replace("baseline: a", "baseline: c")
    scenario = asked(tmp_path, text.replace("start: 2026-06-01", "start: 2025-01-20"))
    with pytest.raises(InputError, match="was sold on 2025-06-01: acme/c had retired on 2025-05-01"):
        backtest(scenario, date(2025, 6, 1))


def test_the_support_case_of_2024_by_its_price_history() -> None:
    """Tuned was chosen at 0.30/1.20 against 0.15/0.60, and two weeks later caching halved the base's repeated input."""
    (path,) = (path for path in shipped_scenarios() if path.stem == "support-triage-2024-09")
    found = backtest(read_scenario(path), date(2024, 9, 15))
    assert found.choice == "tuned"
    base = found.options["long-prompt"]
    assert base.versions == ("openai/gpt-4o-mini@2024-07-18", "openai/gpt-4o-mini@2024-10-01")
    assert base.paid_usd is not None
    assert base.planned_usd is not None
    assert base.paid_usd < base.planned_usd
    assert found.regret_usd == 0
    assert any("openai/gpt-4o-mini@2024-10-01: cached_input unsold to 0.075" in change for change in found.changes)
