"""Calls and lengths in expectation: growth, weeks, events, caps, retries and tiers agree with integrals and draws."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from questions import asked
from scipy import integrate

from simulator.domain.findings import SimulationResult
from simulator.domain.shapes import HOURS, WEEKDAYS, week_shape
from simulator.expected.calls import (
    attempts,
    capped_share,
    event_factors,
    growth_by_day,
    lognormal_sigma,
    tier_shares,
    window_hours,
)
from simulator.run import run

PAGE = """
start: 2026-12-01
horizon_days: 90
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 1, output: 1}}
prices: {mine/p: {usd_per_mtok: {input: 1, output: 1}}}
options: {a: {kind: hosted_prompt, price: mine/p}}
"""


def answer(folder: Path, *flags: str) -> SimulationResult:
    return run(asked(folder, PAGE, *flags), "a")


# Growth


@pytest.mark.parametrize("growth", [0.03, -0.1, 0.5])
@pytest.mark.parametrize("hours", [720, 730])
def test_growth_is_compounded_without_steps(tmp_path: Path, growth: float, hours: float) -> None:
    by_hand, _ = integrate.quad(lambda day: 1000 * (1 + growth) ** (24 * day / hours), 0, 90, epsrel=1e-12)
    result = answer(tmp_path, f"workload.growth_per_month={growth}", f"hours_per_month={hours}")
    assert result.calls[0] == pytest.approx(by_hand, rel=1e-11)


def test_a_month_of_growth_multiplies_a_day_by_one_and_the_rate() -> None:
    by_day = growth_by_day(0.03, 61, 720)[0]
    assert by_day[30:] / by_day[:31] == pytest.approx(np.full(31, 1.03), rel=1e-12)


@given(st.floats(-0.9, 9), st.floats(600, 760))
def test_growth_of_many_draws_is_that_of_each(growth: float, hours: float) -> None:
    several = growth_by_day(np.array([0.0, growth]), 40, hours)
    assert np.all(several[0] == 1)
    assert several[1] == pytest.approx(growth_by_day(growth, 40, hours)[0], rel=1e-12)


# The week, events, the cap


@pytest.mark.parametrize("weekday", list(WEEKDAYS))
@pytest.mark.parametrize("hours", list(HOURS))
def test_named_weeks_have_mean_one(weekday: str, hours: str) -> None:
    days, day_hours = week_shape(weekday, hours)
    assert (len(days), len(day_hours)) == (7, 24)
    assert np.outer(days, day_hours).mean() == pytest.approx(1, rel=1e-12)


@given(st.lists(st.floats(0, 1e6), min_size=7, max_size=7).filter(sum))
def test_typed_weeks_are_rescaled_to_mean_one_and_keep_their_shape(numbers: list[float]) -> None:
    days, hours = week_shape(numbers, "flat")
    assert days.mean() == pytest.approx(1, rel=1e-9)
    assert np.all(hours == 1)
    assert days / days.max() == pytest.approx(np.array(numbers) / max(numbers), rel=1e-9)


def test_calls_a_day_are_the_mean_over_whole_weeks_and_fall_on_their_weekday(tmp_path: Path) -> None:
    flags = ("workload.demand={weekday: [3, 1, 1, 1, 1, 0, 0]}", "start=2026-12-02")        # a Wednesday
    assert answer(tmp_path, *flags, "horizon_days=70").calls[0] == pytest.approx(70_000, rel=1e-12)
    mondays = sum((date(2026, 12, 2) + timedelta(days=n)).weekday() == 0 for n in range(3))
    assert answer(tmp_path, *flags, "horizon_days=3").calls[0] == pytest.approx(3000 * (1 + 2 * mondays), rel=1e-12)
    assert answer(tmp_path, *flags, "horizon_days=6").calls[0] == pytest.approx(6000, rel=1e-12)


def test_events_multiply_on_their_days_and_where_they_meet(tmp_path: Path) -> None:
    events = ("{name: sale, from: 2026-12-11, to: 2026-12-21, factor: 3}, "
              "{name: outage, from: 2026-12-20, to: 2026-12-22, factor: 0.5}, "
              "{name: before, from: 2026-11-01, to: 2026-12-03, factor: 2}")
    by_hand = 90 + 2 * (2 - 1) + 9 * (3 - 1) + (1.5 - 1) + (0.5 - 1)
    assert answer(tmp_path, f"workload.events=[{events}]").calls[0] == pytest.approx(1000 * by_hand, rel=1e-12)
    assert event_factors(4, [(-5, 1, 2.0), (3, 99, 0.0)]).tolist() == [2, 1, 1, 0]


def test_a_cap_admits_the_mean_of_the_smaller_of_rate_and_cap(tmp_path: Path) -> None:
    rng, draws = np.random.default_rng(1), 400_000
    hours = np.array(HOURS["office"]) / np.mean(HOURS["office"])
    spread = np.prod([np.exp(sd * rng.standard_normal(draws) - sd**2 / 2) for sd in (0.3, 0.4)], axis=0)
    cap = 1.2 * 1000 / 86_400
    admitted = np.minimum(spread[:, None] * hours * 1000 / 86_400, cap).mean(axis=1) * 86_400
    flags = ("workload.demand={hours: office, day_sd: 0.3, hour_sd: 0.4}", f"workload.cap_per_s={cap}")
    expected = answer(tmp_path, *flags).calls[0] / 90
    assert abs(expected - admitted.mean()) <= 4 * admitted.std() / np.sqrt(draws)
    assert expected < 950


@settings(max_examples=40)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(0, 2))
def test_a_capped_share_is_the_integral_over_the_lognormal(rate: float, cap: float, sd: float) -> None:
    share = float(capped_share(rate, cap, sd))
    if sd < 1e-3:
        assert share == pytest.approx(min(1, cap / rate), abs=1e-3)
        return
    edge = float(np.clip((np.log(cap / rate) + sd**2 / 2) / sd, -12, 12))

    def admitted(z: float) -> float:
        return min(np.exp(sd * z - sd**2 / 2), cap / rate) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    mean = sum(integrate.quad(admitted, *part, epsrel=1e-10)[0] for part in ((-12, edge), (edge, 12)))
    assert share == pytest.approx(mean, rel=1e-6, abs=1e-9)


def test_the_peak_is_the_busiest_hour_of_the_horizon(tmp_path: Path) -> None:
    flags = ("workload.demand={weekday: [1, 1, 1, 1, 3, 0, 0], hours: office}", "workload.growth_per_month=0.1")
    last_friday = max(n for n in range(90) if (date(2026, 12, 1) + timedelta(days=n)).weekday() == 4)
    level = growth_by_day(0.1, 90)[0, last_friday]
    by_hand = 1000 / 86_400 * level * 3 * max(HOURS["office"]) / np.mean(HOURS["office"])
    assert answer(tmp_path, *flags).peak_per_s[0] == pytest.approx(by_hand, rel=1e-12)
    assert answer(tmp_path, *flags, "workload.cap_per_s=0.01").peak_per_s[0] == pytest.approx(0.01)


# Attempts


@pytest.mark.parametrize(("fail", "most", "tries", "delivered"), [
    (0.0, 5, 1.0, 1.0), (1.0, 0, 1.0, 0.0), (1.0, 5, 6.0, 0.0), (0.2, 0, 1.0, 0.8), (0.2, 2, 1.24, 0.992)])
def test_attempts_are_a_cut_geometric_series(fail: float, most: int, tries: float, delivered: float) -> None:
    assert [float(x) for x in attempts(fail, most)] == pytest.approx([tries, delivered], rel=1e-12)


@given(st.floats(0, 1), st.integers(0, 30))
def test_attempts_are_the_sum_over_calls_still_failing(fail: float, most: int) -> None:
    tries, delivered = (float(x) for x in attempts(fail, most))
    assert tries == pytest.approx(sum(fail**k for k in range(most + 1)), rel=1e-9)
    assert delivered == pytest.approx(1 - fail ** (most + 1), abs=1e-12)
    assert delivered <= tries + 1e-12


def test_undelivered_calls_are_demanded_but_are_no_successes(tmp_path: Path) -> None:
    more = "{kind: hosted_prompt, price: mine/p, retries: {failure_rate: 0.5, max: 1}, success_rate: 0.8}"
    result = answer(tmp_path, f"options.a={more}")
    assert [result.calls[0], result.delivered_calls[0], result.success_calls[0]] == pytest.approx(
        [90_000, 67_500, 54_000])


# Tiers

THRESHOLDS = (900.0, 4000.0)
lengths = st.tuples(st.floats(0, 5000), st.floats(1, 5000), st.floats(0, 3), st.floats(0, 3), st.floats(-1, 1))


@given(lengths)
def test_tiers_part_calls_input_and_output_without_rest(shape: tuple[float, float, float, float, float]) -> None:
    for shares in tier_shares(*shape, THRESHOLDS):
        assert sum(float(share) for share in shares) == pytest.approx(1, abs=1e-12)
        assert all(-1e-12 <= float(share) <= 1 + 1e-12 for share in shares)


@settings(max_examples=25)
@given(st.floats(0, 3900), st.floats(50, 5000), st.floats(0.1, 2), st.floats(0, 2), st.floats(-1, 1))
def test_tiers_are_integrals_over_lengths(fixed: float, mean: float, cv: float, output_cv: float, corr: float) -> None:
    sd, lean = float(lognormal_sigma(cv)), corr * float(lognormal_sigma(output_cv))
    leans = (0.0, sd, lean)                                                 # calls, their input, their output
    edges = [-14.0]
    for above in THRESHOLDS:
        room = above - fixed
        edges.append(float(np.clip((np.log(room / mean) + sd**2 / 2) / sd, -14, 14)) if room > 0 else -14.0)
    edges.append(14.0)
    z = np.linspace(-14, 14, 56_001)
    for lean_on, shares in zip(leans, tier_shares(fixed, mean, cv, output_cv, corr, THRESHOLDS), strict=True):
        worth = np.exp(lean_on * z - lean_on**2 / 2 - z**2 / 2) / np.sqrt(2 * np.pi)
        below = np.interp(edges, z, integrate.cumulative_simpson(worth, x=z, initial=0))
        assert [float(share) for share in shares] == pytest.approx(np.diff(below).tolist(), abs=1e-7)


def test_lengths_without_spread_fall_into_one_tier() -> None:
    for fixed, band in ((0, 0), (700, 0), (701, 1), (3800, 1), (3801, 2)):
        for shares in tier_shares(fixed, 200, 0, 0.7, 0.5, THRESHOLDS):
            assert [float(share) for share in shares] == [float(n == band) for n in range(3)]


# Windows


@given(st.integers(0, 47), st.integers(1, 48), st.sets(st.integers(0, 6), min_size=1), st.integers(-24, 28))
def test_a_window_covers_as_many_hours_of_the_week_as_it_is_long(
    begin: int, half_hours: int, days: set[int], offset: int
) -> None:
    window = (begin / 2, (begin + half_hours) / 2 % 24)
    covered = window_hours(window, frozenset(days), offset / 2)
    assert covered.sum() == pytest.approx(len(days) * half_hours / 2)
    assert np.all((covered >= 0) & (covered <= 1))
