"""Tuning a small model for support tickets paid back in half a year until prompt caching came, then in 500 days.

A ticket is 2,600 tokens of prompt, 350 of its own and 9 of message overhead in, 40 out. Rates are written out here as
OpenAI's pages had them, USD per million tokens; nothing is read from the price tables.
"""

from __future__ import annotations

from datetime import date

import pytest
from by_hand import (
    ANNOTATOR_USD,
    ENGINEER_USD,
    MORE_UPKEEP,
    REACHED,
    call_usd,
    case,
    crossings,
    day_factors,
    only,
    paid_back,
    total,
)

from pricing.errors import NoFeasibleOption
from simulator.run import run
from simulator.studies.compare import compare
from simulator.studies.payback import payback

TICKETS, OUTLAY = 50_000, 800 * 2 / 60 * ANNOTATOR_USD + 3 * 800 * 600 * 3 * 3.00 / 1e6 + 16 * ENGINEER_USD
TUNED = call_usd((120 + 350 + 9, 0.30), (40, 1.20))


def mini(found: float) -> float:
    """The 2,600-token prompt on gpt-4o-mini; of it 2,560 tokens (20 x 128) can be cached, at half price."""
    return call_usd((2560 * found, 0.075), (2600 + 350 + 9 - 2560 * found, 0.15), (40, 0.60))


def large(found: float) -> float:
    """The same prompt on gpt-4o."""
    return call_usd((2560 * found, 1.25), (2600 + 350 + 9 - 2560 * found, 2.50), (40, 10.00))


def days_to_level(name: str, option: str, *flags: str) -> float | None:
    return payback(case(name, *flags), (option, "tuned")).days


def test_before_prompt_caching_tuning_paid_back_in_about_200_days() -> None:
    name, start = "support-triage-2024-09", date(2024, 9, 6)
    days = days_to_level(name, "long-prompt")
    assert days == pytest.approx(paid_back(OUTLAY, mini(0) - TUNED, TICKETS, 0, start), abs=1e-6)
    assert 190 < (days or 0) < 205
    assert days_to_level(name, "gpt-4o") == pytest.approx(paid_back(OUTLAY, large(0) - TUNED, TICKETS, 0, start))
    assert compare(case(name)).verdict.choice == "tuned"


def test_the_caching_of_october_2024_does_not_reach_a_plan_of_september() -> None:
    scenario = case("support-triage-2024-09")
    assert scenario.end > date(2024, 10, 1)
    for option in scenario.options:
        result = run(scenario, option)
        assert result.tokens["cached_input"][0] == 0
        assert len({line.price_version for line in result.ledger.lines if line.line == "input"}) == 1


def test_with_prompt_caching_the_same_tickets_need_more_than_500_days() -> None:
    name, start = "support-triage-2025-01", date(2025, 1, 1)
    days = days_to_level(name, "long-prompt")
    assert days == pytest.approx(paid_back(OUTLAY, mini(REACHED) - TUNED, TICKETS, 0, start), abs=1e-4)
    assert 500 < (days or 0) < 550
    perfect = days_to_level(name, "long-prompt", "options.long-prompt.caching.reach=1")
    assert perfect == pytest.approx(paid_back(OUTLAY, mini(1) - TUNED, TICKETS, 0, start), abs=1e-3)


def test_against_gpt_4o_tuning_the_small_model_paid_back_in_about_12_days() -> None:
    days = days_to_level("support-triage-2025-01", "gpt-4o")
    assert days == pytest.approx(paid_back(OUTLAY, large(REACHED) - TUNED, TICKETS, 0, date(2025, 1, 1)), abs=1e-6)
    assert 11 < (days or 0) < 13
    scenario = case("support-triage-2025-01")
    assert total(scenario, "long-prompt") < 0.1 * total(scenario, "gpt-4o")    # without any tuning


@pytest.mark.parametrize(("name", "found"), [("support-triage-2024-09", 0.0), ("support-triage-2025-01", REACHED)])
def test_two_hours_of_upkeep_a_month_double_the_payback_or_end_it(name: str, found: float) -> None:
    flag = "options.tuned.ops_hours_per_month=4"
    start = case(name).start
    by_hand = paid_back(OUTLAY, mini(found) - TUNED, TICKETS, MORE_UPKEEP, start)
    days = days_to_level(name, "long-prompt", flag)
    assert days == (None if by_hand is None else pytest.approx(by_hand, abs=1e-6))
    assert (days is None) == (found > 0)
    at = only(crossings(name, ("long-prompt", "tuned"), flag))
    one_ticket_a_day = (mini(found) - TUNED) * sum(day_factors(start, 730))
    assert at.at == pytest.approx((OUTLAY + 730 * MORE_UPKEEP) / one_ticket_a_day, rel=1e-6)


def test_no_payback_may_reach_beyond_the_retirement_of_the_models() -> None:
    assert case("support-triage-2025-01").end < date(2027, 1, 14)
    assert compare(case("support-triage-2025-01", "horizon_days=743")).verdict.choice == "tuned"
    with pytest.raises(NoFeasibleOption, match="tuned: it stops serving on 2027-01-14, inside the horizon"):
        compare(case("support-triage-2025-01", "horizon_days=744"))
