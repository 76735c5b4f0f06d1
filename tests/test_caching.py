"""The share of calls that find the prompt cached is the one that arrivals drawn call by call show.

Each comparison holds within four standard errors of a reference that draws arrivals and looks at gaps
(`arrivals.py`), with fixed seeds; then come limits, monotony, and the table against direct evaluation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arrivals import bursts_of_calls, hit_share, ratio, refreshed_hits, unrefreshed_hits, weeks_of_calls
from hypothesis import given, settings
from hypothesis import strategies as st
from questions import asked

from pricing.errors import InputError
from simulator.domain.findings import SimulationResult
from simulator.domain.shapes import HOURS, WEEKDAYS
from simulator.expected.caching import CacheWeek, Noise, hit_table, poisson_hit_share, span_table, week_hit_share
from simulator.run import run

PAGE = """
start: 2026-12-07
horizon_days: 28
hours_per_month: 720
baseline: a
workload: {{calls_per_day: {calls}, tokens: {{input: 0, output: 0}}, demand: {{{demand}}}}}
prices: {{mine/p: {price}}}
options: {{a: {{kind: hosted_prompt, price: mine/p, prefix_tokens: 1000, caching: {{reach: 1, {caching}}}, {option}}}}}
"""
PRICE = "{{usd_per_mtok: {{input: 1, cached_input: 0, output: 0}}, rules: {{caching: {{mode: automatic, {rule}}}}}}}"
OFFICE_DAYS = np.array(WEEKDAYS["office"]) / np.mean(WEEKDAYS["office"])
OFFICE_HOURS = np.array(HOURS["office"]) / np.mean(HOURS["office"])
Answer = Callable[..., SimulationResult]


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """The engine's answer over four whole weeks; without an own price, one with a time to live."""

    def found(
        calls: float, ttl_s: int = 300, demand: str = "", rule: str = "", caching: str = "", option: str = "",
        flags: tuple[str, ...] = (), price: str | None = None, daily: bool = True,
    ) -> SimulationResult:
        sold = price or PRICE.format(rule=f"ttl_s: [{ttl_s}], {rule}")
        text = PAGE.format(calls=calls, demand=demand, price=sold, caching=caching, option=option)
        return run(asked(tmp_path, text, *flags), "a", daily=daily)

    return found


FLAT: dict[str, Any] = {}
OFFICE = {"weekday": OFFICE_DAYS, "hours": OFFICE_HOURS}
SHAPE = "weekday: office, hours: office"


@pytest.mark.parametrize(
    ("ttl_s", "weeks", "demand", "drawn"),
    [
        (300, 200, "", FLAT),
        (300, 200, SHAPE, OFFICE),
        (1800, 600, "hour_sd: 0.5, hour_lag1: 0.7", {"hour": (0.5, 0.7)}),
        (3600, 1000, "hour_sd: 0.5, hour_lag1: 0.7", {"hour": (0.5, 0.7)}),
        (3600, 1000, "hour_sd: 0.5, hour_lag1: -0.5", {"hour": (0.5, -0.5)}),
        (300, 800, "day_sd: 0.5, day_lag1: 0.5", {"day": (0.5, 0.5)}),
        (43_200, 15_000, SHAPE, OFFICE),
        (43_200, 15_000, "day_sd: 0.5, day_lag1: 0.5", {"day": (0.5, 0.5)}),
        (86_400, 30_000, "hour_sd: 0.4, hour_lag1: 0.7", {"hour": (0.4, 0.7)}),
        (86_400, 30_000, "day_sd: 0.5", {"day": (0.5, 0)}),
        (86_400, 30_000, "day_sd: 0.4, day_lag1: 0.9", {"day": (0.4, 0.9)}),
        (3600, 1000, f"{SHAPE}, day_sd: 0.25, day_lag1: 0.5, hour_sd: 0.2, hour_lag1: 0.7",
         {**OFFICE, "day": (0.25, 0.5), "hour": (0.2, 0.7)}),
        (86_400, 30_000, f"{SHAPE}, day_sd: 0.25, day_lag1: 0.5, hour_sd: 0.2, hour_lag1: 0.7",
         {**OFFICE, "day": (0.25, 0.5), "hour": (0.2, 0.7)}),
    ],
)
def test_calls_hit_as_often_as_arrivals_drawn_one_by_one(
    answer: Answer, ttl_s: int, weeks: int, demand: str, drawn: dict[str, Any]
) -> None:
    calls = 86_400 / ttl_s                                                  # one in a time to live: most to tell
    replica, times = weeks_of_calls(np.random.default_rng(ttl_s + weeks), calls, weeks, ttl_s, **drawn)
    seen = hit_share(replica, times, refreshed_hits(replica, times, ttl_s))
    assert seen.error < 0.005
    assert seen.agrees(answer(calls, ttl_s, demand).cache_hit_rate[0])


@pytest.mark.parametrize(
    ("ttl_s", "calls", "hours"), [(300, 288, None), (60, 1440, None), (3600, 24, None), (300, 288, OFFICE_HOURS)]
)
def test_bursts_keep_caches_warm_as_the_two_state_formula_says(
    answer: Answer, ttl_s: int, calls: float, hours: Any
) -> None:
    burst = (12.0, 0.15, 600.0)
    replica, times = bursts_of_calls(np.random.default_rng(ttl_s), calls, 100, burst, hours)
    seen = hit_share(replica, times, refreshed_hits(replica, times, ttl_s))
    demand = "burst: {ratio: 12, on_share: 0.15, mean_on_s: 600}" + (", hours: office" if hours is not None else "")
    found = answer(calls, ttl_s, demand).cache_hit_rate[0]
    assert seen.agrees(found)
    assert not seen.agrees(answer(calls, ttl_s, "hours: office" if hours is not None else "").cache_hit_rate[0])


@pytest.mark.parametrize(("ttl_s", "calls"), [(300, 288), (3600, 48), (300, 30)])
def test_without_refresh_a_cache_dies_one_life_after_it_was_written(answer: Answer, ttl_s: int, calls: float) -> None:
    replica, times = weeks_of_calls(np.random.default_rng(5), calls, 200, ttl_s)
    seen = hit_share(replica, times, unrefreshed_hits(replica, times, ttl_s))
    assert seen.agrees(answer(calls, ttl_s, rule="refresh: false").cache_hit_rate[0])


def test_separate_caches_each_see_their_part_of_the_calls(answer: Answer) -> None:
    rng, calls, scopes = np.random.default_rng(6), 2000.0, 7
    replica, times = weeks_of_calls(rng, calls, 60, 300, **OFFICE)
    scoped = replica * scopes + rng.integers(0, scopes, len(times))
    order = np.lexsort((times, scoped))
    seen = hit_share(scoped[order], times[order], refreshed_hits(scoped[order], times[order], 300))
    assert seen.agrees(answer(calls, 300, SHAPE, caching=f"scopes: {scopes}").cache_hit_rate[0])


@pytest.mark.parametrize("billed", [True, False])
def test_retries_find_what_the_first_attempt_left(answer: Answer, billed: bool) -> None:
    rng, calls, fail, most = np.random.default_rng(7), 288.0, 0.3, 2
    replica, times = weeks_of_calls(rng, calls, 150, 300)
    hit = refreshed_hits(replica, times, 300)
    fails = rng.random((len(times), most + 1)) < fail
    tried = np.cumprod(np.concatenate([np.ones((len(times), 1)), fails[:, :most]], axis=1), axis=1).astype(bool)
    paid = tried if billed else tried & ~fails
    found = paid & np.concatenate([hit[:, None], np.ones((len(times), most), dtype=bool)], axis=1)
    size = int(replica.max()) + 1
    seen = ratio(np.bincount(replica, found.sum(axis=1), size), np.bincount(replica, paid.sum(axis=1), size))
    more = f"retries: {{failure_rate: {fail}, max: {most}, billed: {str(billed).lower()}}}"
    tokens = answer(calls, 300, option=more).tokens
    assert seen.agrees(tokens["cached_input"][0] / (tokens["cached_input"] + tokens["input"])[0])


def test_calls_sent_as_batch_keep_no_cache_warm_unless_the_rule_says_so(answer: Answer) -> None:
    batch = {"option": "batch_share: 0.5", "flags": ("workload.deferrable_share=0.5",)}
    price = ("{usd_per_mtok: {input: 1, cached_input: 0, output: 0, batch: {input: 1, cached_input: 0, output: 0}}, "
             "rules: {caching: {mode: automatic, batch_stacks: STACKS}}}")
    alone = answer(288, price=price.replace("STACKS", "false"), **batch)
    assert alone.cache_hit_rate[0] == pytest.approx(1 - np.exp(-0.75), rel=1e-9)
    assert alone.tokens["cached_input"][0] == pytest.approx(28 * 288 * 0.75 * 1000 * (1 - np.exp(-0.75)), rel=1e-9)
    together = answer(288, price=price.replace("STACKS", "true"), **batch)
    assert together.tokens["cached_input"][0] == pytest.approx(28 * 288 * 1000 * (1 - np.exp(-1)), rel=1e-9)


def test_a_capped_rate_keeps_caches_only_as_warm_as_the_calls_admitted(answer: Answer) -> None:
    capped = answer(2880, 300, flags=("workload.cap_per_s=0.005",))
    assert capped.calls[0] == pytest.approx(28 * 86_400 * 0.005)
    assert capped.cache_hit_rate[0] == pytest.approx(1 - np.exp(-1.5), rel=1e-9)
    assert "workload.cap_per_s" in " ".join(capped.approximate)             # exact for flat days only
    assert answer(2880, 300).approximate == ()


def test_a_stored_cache_is_paid_for_the_time_it_lives(answer: Answer) -> None:
    calls, ttl_s = 48.0, 3600
    replica, times = weeks_of_calls(np.random.default_rng(8), calls, 300, ttl_s, hour=(0.5, 0.7), **OFFICE)
    after = np.append(np.where(np.diff(replica) == 0, np.diff(times), np.inf), np.inf)
    begin, end = np.maximum(times, 0), np.minimum(times + np.minimum(after, ttl_s), 7 * 86_400)
    alive = np.bincount(replica, np.maximum(end - begin, 0), 300)
    seen = ratio(alive, np.full(300, 7 * 86_400.0))
    price = ("{usd_per_mtok: {input: 0, cached_input: 0, output: 0}, cache_storage_usd_per_mtok_hour: 1, "
             "rules: {caching: {mode: explicit, ttl_s: [3600]}}}")
    result = answer(calls, ttl_s, f"{SHAPE}, hour_sd: 0.5, hour_lag1: 0.7", price=price)
    assert seen.agrees(result.total_usd[0] / (28 * 24 * 1e-3))
    assert not seen.agrees(result.cache_hit_rate[0])                        # calls come when caches live


def test_within_a_price_window_only_its_own_calls_are_judged(answer: Answer) -> None:
    price = ('{usd_per_mtok: {input: 1, cached_input: 0.25, output: 0, windows: [{utc: "06:00-10:00", days: mon-fri, '
             "input: 2, cached_input: 0.5, output: 0}]}, rules: {caching: {mode: automatic, ttl_s: [1800]}}}")
    calls, ttl_s = 48.0, 1800
    replica, times = weeks_of_calls(np.random.default_rng(9), calls, 1500, ttl_s, **OFFICE)
    hit = refreshed_hits(replica, times, ttl_s)
    inside = (times // 86_400 % 7 < 5) & (times // 3600 % 24 >= 6) & (times // 3600 % 24 < 10)
    quantity = {line.usd[0].sum() / line.quantity[0].sum(): line.quantity[0].sum()
                for line in answer(calls, ttl_s, SHAPE, price=price).ledger.lines}
    assert sorted(quantity) == pytest.approx([0.25, 0.5, 1, 2])
    by_rate = [quantity[rate] for rate in sorted(quantity)]
    for which, cached, plain in ((~inside, by_rate[0], by_rate[2]), (inside, by_rate[1], by_rate[3])):
        kept = which & (times >= 0)
        seen = ratio(np.bincount(replica[kept & hit], minlength=1500).astype(float),
                     np.bincount(replica[kept], minlength=1500).astype(float))
        assert seen.agrees(cached / (cached + plain))


# Limits and laws

LIVES = [60.0, 300.0, 1800.0, 3600.0, 43_200.0, 86_400.0]
levels = st.floats(-14, 4)
weeks = st.builds(
    CacheWeek,
    ttl_s=st.sampled_from(LIVES),
    weekday=st.sampled_from([(1.0,) * 7, tuple(OFFICE_DAYS.tolist())]),
    hours=st.sampled_from([(1.0,) * 24, tuple(OFFICE_HOURS.tolist())]),
    noise=st.builds(Noise, day_sd=st.sampled_from([0.0, 0.3]), day_lag1=st.sampled_from([0.0, 0.5]),
                    hour_sd=st.sampled_from([0.0, 0.4]), hour_lag1=st.sampled_from([0.0, 0.7]),
                    burst=st.sampled_from([None, (8.0, 0.2, 900.0)])),
    refresh=st.booleans(),
)


@pytest.mark.parametrize("demand", ["", f"{SHAPE}, day_sd: 0.3, hour_sd: 0.3, hour_lag1: 0.5"])
@pytest.mark.parametrize("refresh", ["true", "false"])
def test_no_calls_never_hit_and_endless_calls_always(answer: Answer, demand: str, refresh: str) -> None:
    rule = f"refresh: {refresh}"
    assert answer(1e-7, 300, demand, rule).cache_hit_rate[0] == pytest.approx(0, abs=1e-8)
    assert answer(1e10, 300, demand, rule).cache_hit_rate[0] == pytest.approx(1, abs=1e-6)


def test_a_constant_rate_is_the_textbook_formula(answer: Answer) -> None:
    for calls, ttl_s in ((10, 300), (288, 300), (1e5, 300), (24, 3600), (1, 86_400)):
        for refresh in (True, False):
            found = answer(calls, ttl_s, rule=f"refresh: {str(refresh).lower()}").cache_hit_rate[0]
            mass = calls * ttl_s / 86_400
            by_hand = 1 - np.exp(-mass) if refresh else mass / (1 + mass)
            assert found == pytest.approx(by_hand, rel=1e-9)
            assert poisson_hit_share(calls / 86_400, ttl_s, refresh) == pytest.approx(by_hand, rel=1e-12)


@settings(max_examples=40)
@given(weeks, levels, st.floats(1e-3, 3))
def test_more_calls_never_hit_less_often(week: CacheWeek, log_rate: float, more: float) -> None:
    few, many = week_hit_share(np.exp([log_rate, log_rate + more]), week)
    assert np.all((few >= 0) & (many <= 1))
    assert np.all(many >= few - 1e-12)


@settings(max_examples=40)
@given(weeks, levels, st.sampled_from(LIVES))
def test_a_longer_life_never_hits_less_often(week: CacheWeek, log_rate: float, other: float) -> None:
    short, long = (week_hit_share(np.exp([log_rate]), dataclasses.replace(week, ttl_s=ttl_s))
                   for ttl_s in sorted((week.ttl_s, other)))
    assert np.all(long >= short - 1e-12)


@settings(max_examples=30)
@given(weeks, st.lists(levels, min_size=1, max_size=8))
def test_the_table_gives_what_direct_evaluation_gives(week: CacheWeek, log_rates: list[float]) -> None:
    x = np.asarray(log_rates)
    table = hit_table(week)(x[:, None], np.arange(7))
    assert table == pytest.approx(week_hit_share(np.exp(x), week), rel=1e-7, abs=1e-9)


@settings(max_examples=30)
@given(weeks, levels, st.integers(0, 6), st.floats(-0.01, 0.01))
def test_a_span_of_days_is_the_mean_over_its_calls(week: CacheWeek, log_rate: float, first: int, a_day: float) -> None:
    days = np.arange(10)
    weights = np.exp(a_day * days) * np.asarray(week.weekday)[(first + days) % 7]
    span = span_table(week, first, tuple((a_day * days).tolist()), tuple(weights.tolist()))
    by_day = week_hit_share(np.exp(log_rate + a_day * days), week)[days, (first + days) % 7]
    assert float(span(np.array(log_rate))) == pytest.approx(np.average(by_day, weights=weights), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("flags", [(), ("workload.growth_per_month=0.2",)])
def test_a_ledger_by_day_and_one_by_span_hit_alike(answer: Answer, flags: tuple[str, ...]) -> None:
    demand = f"{SHAPE}, day_sd: 0.3, hour_sd: 0.3, hour_lag1: 0.5"
    shares = [answer(288, 300, demand, flags=flags, daily=daily).cache_hit_rate[0] for daily in (True, False)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-7)


@pytest.mark.parametrize(("sd", "error"), [(0.25, 2e-7), (0.5, 5e-5), (1.0, 3e-3)])
def test_the_spread_is_integrated_within_the_error_that_is_stated(sd: float, error: float) -> None:
    """Against E[1 - exp(-m X)] over the calls, X lognormal of mean one, as a sum over 100,001 points."""
    z = np.linspace(-14.0, 14.0, 100_001)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    masses = np.logspace(-4, 4, 41)
    known = [1 - float((weight * np.exp(-mass * np.exp(sd * z + sd**2 / 2))).sum()) for mass in masses]
    week = CacheWeek(ttl_s=300.0, weekday=(1.0,) * 7, hours=(1.0,) * 24, noise=Noise(day_sd=sd))
    assert week_hit_share(masses / 300.0, week)[:, 0] == pytest.approx(known, abs=error)


@pytest.mark.parametrize(
    ("case", "told"),
    [({"ttl_s": 604_801}, "ttl_s is 604801, and hits are computed for caches of up to a week"),
     ({"rule": "refresh: false", "demand": "burst: {ratio: 5, on_share: 0.2, mean_on_s: 60}"},
      "burst: mine/p has rules.caching.refresh false")],
)
def test_a_cache_whose_hits_are_not_computed_is_refused(answer: Answer, case: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        answer(1000, **case)
    assert answer(1000, **case, option="cache_hit_rate: 0.5").hit_calls.sum() == pytest.approx(14_000)


def test_a_cache_of_a_week_is_computed_to_its_last_second(answer: Answer) -> None:
    """At two calls a week, evenly spread, a call hits with 1 - exp(-2)."""
    found = answer(2 / 7, ttl_s=604_800)
    assert found.hit_calls.sum() / found.eligible_calls.sum() == pytest.approx(1 - np.exp(-2), rel=1e-8)
