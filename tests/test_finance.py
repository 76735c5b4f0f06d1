"""Money over time gives the textbook's values, and keeps the laws of discounting, months and payback."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from questions import asked, crossed, told

from simulator.studies.finance import amortised_per_month, by_month, cumulative, payback_day, present_value

cash = st.lists(st.floats(0, 1e6), min_size=1, max_size=400)
rates = st.floats(-0.5, 5)


# Present value


def test_a_hundred_in_a_year_is_worth_a_hundred_over_one_plus_the_rate() -> None:
    year = [0.0] * 365
    assert present_value([*year, 110.0], 0.10) == pytest.approx(100)
    assert present_value([-1000.0, *year[1:], 1100.0], 0.10) == pytest.approx(0, abs=1e-9)
    # Brealey, Myers and Allen, Principles of Corporate Finance: 420,000 in a year at 5 % is worth 400,000 today.
    assert present_value([*year, 420_000.0], 0.05) == pytest.approx(400_000)
    two_years = [*year, 50.0, *year[1:], 50.0]
    assert present_value(two_years, 0.25) == pytest.approx(50 / 1.25 + 50 / 1.25**2)


@given(cash, rates, rates)
def test_the_present_value_of_costs_falls_as_the_rate_rises(amounts: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert present_value(amounts, high) <= present_value(amounts, low) * (1 + 1e-12)


@given(cash, st.floats(0, 5))
def test_halving_the_rate_never_lowers_a_present_cost(amounts: list[float], rate: float) -> None:
    assert present_value(amounts, rate / 2) >= present_value(amounts, rate) * (1 - 1e-12)
    assert present_value(amounts, 0.0) == pytest.approx(sum(amounts))


@given(cash, cash, rates)
def test_present_values_add(one: list[float], other: list[float], rate: float) -> None:
    both = np.zeros(max(len(one), len(other)))
    both[: len(one)] += one
    both[: len(other)] += other
    assert present_value(both, rate) == pytest.approx(present_value(one, rate) + present_value(other, rate))


# Level payments


def test_a_level_payment_is_the_textbook_mortgage() -> None:
    # 200,000 over 360 months at half a per cent a month: 1,199.10 a month in any table of annuities.
    assert amortised_per_month(200_000, 360, 1.005**12 - 1) == pytest.approx(1199.10, abs=0.005)
    assert amortised_per_month(1200, 12, 0.0) == 100


@given(st.floats(1, 1e6), st.integers(1, 120), st.floats(1e-4, 2))
def test_level_payments_are_worth_what_they_repay(amount: float, months: int, rate: float) -> None:
    payment = amortised_per_month(amount, months, rate)
    worth = sum(payment * (1 + rate) ** (-month / 12) for month in range(1, months + 1))
    assert worth == pytest.approx(amount, rel=1e-6)
    assert payment >= amount / months * (1 - 1e-9)


# Months and cumulative cash


@given(cash, st.floats(1, 60))
def test_months_sum_to_the_whole_and_each_holds_its_days(amounts: list[float], days: float) -> None:
    months = by_month(amounts, days)
    assert sum(months) == pytest.approx(sum(amounts), abs=1e-6)
    assert len(months) == int(np.ceil(len(amounts) / days))
    level = by_month([1.0] * len(amounts), days)
    assert level[:-1] == pytest.approx([days] * (len(level) - 1))


def test_a_day_that_spans_two_months_is_split() -> None:
    assert by_month([2.0, 2.0, 2.0], 1.5) == pytest.approx([3.0, 3.0])


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=50))
def test_cumulative_cash_counts_a_one_off_before_its_day(days: list[tuple[float, float]]) -> None:
    one_off, recurring = zip(*days, strict=True)
    after, by_end = cumulative(one_off, recurring)
    ends = list(accumulate(a + b for a, b in days))
    assert by_end.tolist() == pytest.approx(ends)
    assert after.tolist() == pytest.approx([end - today for end, today in zip(ends, recurring, strict=True)])


# Payback

SAVES = [-1.0] * 100


def paid_back(one_offs: dict[int, float], recurring: list[float] = SAVES) -> tuple[float | None, bool]:
    days = np.zeros(len(recurring))
    for day, usd in one_offs.items():
        days[day] = usd
    found = payback_day(*cumulative(days, recurring))
    return found.days, found.fragile


def test_payback_by_hand() -> None:
    assert paid_back({0: 10}) == (10.0, False)
    assert paid_back({0: 10.25}) == (10.25, False)
    assert paid_back({20: 10}) == (0.0, False)                              # 20 saved before 10 are paid
    assert paid_back({0: 10, 20: 15}) == (25.0, False)                      # level, behind again, then for good
    assert paid_back({0: 100}) == (100.0, True)                             # on the very last day
    assert paid_back({0: 71}) == (71.0, True)                               # within the last thirty days
    assert paid_back({0: 70}) == (70.0, False)
    assert paid_back({0: 101}) == (None, False)
    assert paid_back({0: 10, 5: -8}) == (5.0, False)                        # a refund settles it
    assert paid_back({0: 0}) == (0.0, False)
    assert paid_back({0: 10}, [1.0] * 100) == (None, False)


def test_a_payback_undone_near_the_end_is_fragile_and_undone_for_long_is_none() -> None:
    assert paid_back({0: 10, 95: 95}) == (10.0, True)                       # behind for the last five days
    assert paid_back({0: 10, 71: 95}) == (10.0, True)
    assert paid_back({0: 10, 60: 95}) == (None, False)                      # behind for the last forty
    assert paid_back({0: 10, 60: 60}) == (70.0, False)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.0, 5.0, 20.0]), st.integers(-4, 2)), min_size=31, max_size=80))
def test_from_payback_on_cash_stays_level_and_just_before_it_is_behind(days: list[tuple[float, int]]) -> None:
    one_off, recurring = zip(*days, strict=True)
    after, by_end = cumulative(one_off, recurring)
    found = payback_day(after, by_end)
    held = [max(a, b) <= 0 for a, b in zip(after, by_end, strict=True)]
    if by_end[-1] > 0:                                                      # undone again, or never
        assert found.days is None or found.fragile
        return
    assert found.days is not None
    day = int(found.days)
    left = by_end[-1] if day == len(days) else after[day] + (found.days - day) * recurring[day]
    assert left <= 1e-9
    assert all(held[int(np.ceil(found.days)) :])
    assert found.days == 0 or not held[int(np.ceil(found.days)) - 1]
    assert found.fragile is (found.days > max(0, len(days) - 30))


# The same through a scenario

PAGE = """
start: 2026-12-01
horizon_days: 365
discount_rate: 0.1
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 0}}
prices:
  mine/p: {usd_per_mtok: {input: 10, output: 0}}
  mine/q: {usd_per_mtok: {input: 4, output: 0}}
options:
  a: {kind: hosted_prompt, price: mine/p}
  b: {kind: hosted_fine_tuned, price: mine/q, training: {usd: 150}}
"""


def test_readings_of_a_level_bill_by_hand(tmp_path: Path) -> None:
    found = told(asked(tmp_path, PAGE))
    by_hand = 150 + 4 * sum(1.1 ** (-day / 365) for day in range(365))
    assert found["b"]["npv_usd"] == pytest.approx(by_hand, rel=1e-12)
    assert found["b"]["total_usd"] == pytest.approx(150 + 4 * 365)
    assert found["b"]["monthly_usd"] == pytest.approx(4 * 730 / 24)
    assert found["b"]["per_call_usd"] == pytest.approx((150 + 4 * 365) / 365_000)
    assert found["b"]["unit_usd"] == pytest.approx(0.004)
    assert found["b"]["by_month"] == pytest.approx([150 + 4 * 730 / 24] + [4 * 730 / 24] * 11)
    assert (found["b"]["one_off_usd"], found["b"]["recurring_usd"]) == pytest.approx((150, 1460))


@pytest.mark.parametrize(
    ("flags", "days", "when", "fragile"),
    [((), 25.0, "2026-12-26", False),
     (("options.b.training.usd=151",), 151 / 6, "2026-12-27", False),
     (("options.b.training.retrain_every_days=20",), None, None, False),    # 7.5 a day for 6 saved a day
     (("options.b.training.retrain_every_days=360",), 25.0, "2026-12-26", False),
     (("horizon_days=40",), 25.0, "2026-12-26", True)],
)
def test_payback_of_a_scenario_by_hand(
    tmp_path: Path, flags: tuple[str, ...], days: float | None, when: str | None, fragile: bool
) -> None:
    found = crossed(asked(tmp_path, PAGE, *flags), "a", "b")["payback"]
    assert found["days"] == (None if days is None else pytest.approx(days))
    assert found["date"] == when
    assert ("fragile" in found["flags"]) is fragile


def test_a_payback_that_retraining_undoes_in_the_last_month_is_fragile(tmp_path: Path) -> None:
    flags = ("options.b.training={usd: 150, retrain_every_days: 30}", "horizon_days=31")
    found = crossed(asked(tmp_path, PAGE, *flags), "a", "b")["payback"]
    assert (found["days"], found["flags"]) == (pytest.approx(25), ["fragile"])


@pytest.mark.parametrize(("usd", "rate", "when"), [(150, 0.1, "2026-12-27"), (1500, 0.1, "2027-08-17"),
                                                   (1500, 0.3, "2027-09-03"), (2100, 0.1, None), (1500, 0, None)])
def test_a_discounted_payback_is_that_of_a_geometric_series(
    tmp_path: Path, usd: int, rate: float, when: str | None
) -> None:
    """n days of 6 dollars are worth 6 (1 - q^n) / (1 - q) on the first, q = (1 + r)^(-1/365); a day accrues evenly.

    Undiscounted, 150 are level after 25 days, 1,500 after 250 and 2,100 after 350; 365 days at 10 % are worth 2,088.
    """
    scenario = asked(tmp_path, PAGE, f"options.b.training.usd={usd}", f"discount_rate={rate}")
    found = crossed(scenario, "a", "b")["payback"]
    assert found["days"] == pytest.approx(usd / 6)
    assert found["discounted_date"] == when
    if when is None:
        assert found["discounted_days"] is None
        return
    q = (1 + rate) ** (-1 / 365)
    whole = int(np.log(1 - usd / 6 * (1 - q)) / np.log(q))
    rest = usd - 6 * (1 - q**whole) / (1 - q)
    assert found["discounted_days"] == pytest.approx(whole + rest / (6 * q**whole), rel=1e-9)
    assert found["discounted_days"] > found["days"]
