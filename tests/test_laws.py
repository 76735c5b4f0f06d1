"""Laws that every bill keeps, on questions drawn with tiers, windows, caches, cut-overs, retirement and growth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from questions import asked, told

from pricing.errors import NotSold
from simulator.domain.dials import walk_dials
from simulator.domain.drawn import STRUCTURAL, find_dial, with_dials
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.compare import summary

EXACT = 1e-9
TABLED = 1e-7
"""Where the hit share comes from a table, by day in one run and over a span in the other."""
Page = dict[str, Any]

maybe = st.booleans()
money = st.floats(0.01, 20).map(lambda x: round(x, 4))


@st.composite
def rates(draw: st.DrawFn, writes: bool) -> Page:
    """Everything a price can sell by the token."""
    def level() -> Page:
        sold = {"input": draw(money), "cached_input": draw(money), "output": draw(money)}
        return sold | ({"cache_write": draw(money)} if writes else {})

    found = level() | {"batch": level(), "flex": level()}
    if draw(maybe):
        found["tiers"] = [{"above": draw(st.integers(200, 4000)), **level()}]
    if draw(maybe):
        found["windows"] = [{"utc": "22:30-04:00", "days": "mon-fri", **level()}]
    return found


@st.composite
def versions(draw: st.DrawFn) -> Page:
    """A price that may rise inside the horizon, host, store, train, and cache by its own rules."""
    writes = draw(maybe)
    caching = {
        "mode": draw(st.sampled_from(["automatic", "explicit", "off"])), "min_tokens": draw(st.sampled_from([0, 1024])),
        "increment": draw(st.sampled_from([1, 128])), "ttl_s": [draw(st.sampled_from([300, 3600]))],
        "refresh": draw(maybe), "writes_billed": writes, "batch_stacks": draw(maybe),
    }
    fixed = {
        "hosting_usd_per_hour": draw(st.sampled_from([None, 1.7])), "storage_usd_per_gb_month": 0.1,
        "storage_usd_per_month": draw(st.sampled_from([None, 2])),
        "cache_storage_usd_per_mtok_hour": draw(st.sampled_from([None, 0.5])),
        "training": {"sft": {"usd_per_mtok": draw(money)}},
        "rules": {"caching": caching, "training": {"min_usd": draw(st.sampled_from([0, 4]))},
                  "tokens": {"per_message": 3, "per_request": 3}},
        "source": {"title": "drawn", "seen_on": "2026-11-01", "confidence": "reported"},
    }
    days = ["2026-01-01", *(["2027-01-20"] if draw(maybe) else [])]
    return {"versions": [{"effective": day, "recorded": "2026-01-01", "usd_per_mtok": draw(rates(writes)), **fixed}
                         for day in days]}


@st.composite
def pages(draw: st.DrawFn) -> Page:
    """A question of two options, the second tuned, cut over, retrained, with a fallback or without."""
    prefix = st.integers(0, 3000)
    both = {"service": draw(st.sampled_from(["standard", "flex"])), "batch_share": draw(st.sampled_from([0, 0.5])),
            "retries": {"failure_rate": draw(st.sampled_from([0, 0.1])), "max": 2, "billed": draw(maybe)}}
    ready = draw(st.sampled_from([0, 21]))
    tuned = {
        "kind": "hosted_fine_tuned", "price": "mine/q", "prefix_tokens": draw(prefix), **both,
        "training": {"examples": draw(st.integers(10, 900)), "tokens_per_example": 600, "runs_per_model": 2.5,
                     "retrain_every_days": draw(st.sampled_from([None, 40]))},
        "dataset": {"minutes_per_example": 2}, "evaluation_usd": 30, "recurring_usd_per_month": {"index": 12},
        **({"ready_after_days": ready, "until_ready": "a"} if ready else {}),
        **({"fallback": {"to": "a", "share": 0.05}} if draw(maybe) else {}),
    }
    demand = {"weekday": draw(st.sampled_from(["flat", "office"])), "hours": draw(st.sampled_from(["flat", "office"])),
              "day_sd": draw(st.sampled_from([0, 0.25])), "hour_sd": draw(st.sampled_from([0, 0.2])), "hour_lag1": 0.7}
    workload = {
        "calls_per_day": draw(st.sampled_from([20.0, 300.0, 5000.0])), "demand": demand,
        "timezone": draw(st.sampled_from(["UTC", "Europe/Berlin"])),
        "growth_per_month": draw(st.sampled_from([0, 0.05])), "deferrable_share": draw(st.sampled_from([0, 0.4])),
        "tokens": {"input": draw(st.integers(10, 2000)), "input_cv": draw(st.sampled_from([0, 0.8])), "output": 40,
                   "output_cv": draw(st.sampled_from([0, 0.6]))},
    }
    prices = {"mine/p": draw(versions()), "mine/q": draw(versions())}
    if draw(maybe):
        tuned["successor"] = "mine/p"
        for version in prices["mine/q"]["versions"]:
            version["lifecycle"] = {"retires_on": "2027-01-25"}
    plain = {"kind": "hosted_prompt", "price": "mine/p", "prefix_tokens": draw(prefix), **both}
    return {
        "start": "2026-12-01", "horizon_days": draw(st.sampled_from([61, 130])), "baseline": "a",
        "workload": workload, "prices": prices, "options": {"a": plain, "b": tuned},
    }


def small(**option: Any) -> Page:
    """A question of one plain option."""
    return {
        "start": "2026-12-01", "horizon_days": 30, "baseline": "a",
        "workload": {"calls_per_day": 576, "tokens": {"input": 0, "output": 0}},
        "prices": {"mine/p": {"usd_per_mtok": {"input": 1, "cached_input": 0.1, "cache_write": 1.25, "output": 1},
                              "rules": {"caching": {"mode": "explicit", "writes_billed": True}}}},
        "options": {"a": {"kind": "hosted_prompt", "price": "mine/p", "ops_hours_per_month": 0, **option}},
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("laws")


def question(folder: Any, page: Page, *flags: str) -> Scenario:
    return asked(folder, json.dumps(page, default=str), *flags, bare=False)


def total(scenario: Scenario, option: str = "b") -> float:
    return float(run(scenario, option).total_usd[0])


few = settings(max_examples=15)


@few
@given(pages(), st.sampled_from(["a", "b"]))
def test_cost_is_linear_in_a_price(folder: Any, page: Page, turned: str) -> None:
    points = np.array([0.0, 1.0, 2.0, 3.7])
    scenario = question(folder, page)
    for option in ("a", "b"):
        found = run(scenario, option, draws={f"options.{turned}.price_factor": points}).total_usd
        assert found == pytest.approx(found[0] + points * (found[1] - found[0]), rel=EXACT)
        assert np.all(np.diff(found) >= 0)


@few
@given(pages(), st.sampled_from(["input", "cached_input", "output"]))
def test_cost_is_linear_in_every_rate(folder: Any, page: Page, meter: str) -> None:
    found = []
    for rate in (0.0, 1.0, 3.0):
        for version in page["prices"]["mine/p"]["versions"]:
            version["usd_per_mtok"] = {**version["usd_per_mtok"], meter: rate, "tiers": [], "windows": []}
        found.append(total(question(folder, page)))
    assert found[2] - found[0] == pytest.approx(3 * (found[1] - found[0]), rel=1e-6, abs=EXACT * found[2])
    assert found[0] <= found[1] <= found[2]


@few
@given(pages())
def test_more_calls_never_cost_less_at_the_same_hit_share(folder: Any, page: Page) -> None:
    for option in page["options"].values():
        option["cache_hit_rate"] = 0.6
    scenario = question(folder, page)
    for option in ("a", "b"):
        found = run(scenario, option, draws={"workload.calls_per_day": np.geomspace(1, 1e6, 40)}).total_usd
        assert np.all(np.diff(found) >= 0)


def test_only_more_calls_that_keep_a_cache_warm_can_cost_less(folder: Any) -> None:
    """Misses fall off as calls x exp(-calls a life): a fact of caches, so the law above needs the hit share held."""
    page = small(prefix_tokens=10_000)
    lives = np.array([1.0, 2.0, 3.0])                                       # calls in one time to live
    found = run(question(folder, page), "a", draws={"workload.calls_per_day": 288 * lives}).total_usd
    by_hand = 30 * 288 * lives * 0.01 * (0.1 + 1.15 * np.exp(-lives))
    assert found == pytest.approx(by_hand, rel=TABLED)
    assert found[2] < found[1]


@few
@given(pages(), st.sampled_from(["a", "b"]))
def test_a_longer_uncached_prompt_never_costs_less(folder: Any, page: Page, turned: str) -> None:
    for option in page["options"].values():
        option["caching"] = {"mode": "off"}
    for price in page["prices"].values():
        for version in price["versions"]:                                   # a tier may be cheaper where it is drawn
            version["usd_per_mtok"]["tiers"] = []
    scenario = question(folder, page)
    found = run(scenario, turned, draws={f"options.{turned}.prefix_tokens": np.linspace(0, 5000, 101)}).total_usd
    assert np.all(np.diff(found) >= -EXACT * found[0])


@settings(max_examples=5)
@given(pages(), st.integers(1, 5000))
def test_one_more_option_changes_no_other(folder: Any, page: Page, prefix: int) -> None:
    before = told(question(folder, page))
    page["options"] = {"c": {"kind": "hosted_prompt", "price": "mine/q", "prefix_tokens": prefix}, **page["options"]}
    after = told(question(folder, page))
    assert {name: after[name] for name in before} == before


@st.composite
def turned_dials(draw: st.DrawFn, page: Page, folder: Any) -> tuple[Scenario, str, np.ndarray]:
    scenario = question(folder, page)
    paths = sorted(at.path for at in walk_dials(scenario) if at.path != "horizon_days")
    path = draw(st.sampled_from(paths))
    dial = find_dial(scenario, path)
    points = draw(st.lists(st.floats(dial.low, dial.high), min_size=2, max_size=4))
    return scenario, path, np.round(points) if dial.whole else np.asarray(points)


@settings(max_examples=50)
@given(st.data())
def test_a_drawn_dial_gives_what_scalar_runs_give(folder: Any, data: st.DataObject) -> None:
    scenario, path, points = data.draw(turned_dials(data.draw(pages()), folder))
    try:
        scalars = [with_dials(scenario, {path: float(point)}) for point in points]
    except ValueError:
        assume(False)
    for option in ("a", "b"):
        drawn = run(scenario, option, draws={path: points})
        single = [run(one, option) for one in scalars]
        assert drawn.total_usd == pytest.approx([float(one.total_usd[0]) for one in single], rel=TABLED)
        assert drawn.calls == pytest.approx([float(one.calls[0]) for one in single], rel=EXACT)
        assert drawn.one_off_usd == pytest.approx([float(one.one_off_usd[0]) for one in single], rel=EXACT)
        hits = [float(one.cache_hit_rate[0]) for one in single]
        assert drawn.cache_hit_rate == pytest.approx(hits, rel=TABLED, abs=EXACT)


@few
@given(pages())
def test_several_drawn_dials_at_once_give_what_scalar_runs_give_exactly_without_tables(folder: Any, page: Page) -> None:
    for option in page["options"].values():
        option["cache_hit_rate"] = 0.4
    scenario = question(folder, page)
    draws = {"workload.calls_per_day": np.array([10.0, 7e4]), "workload.growth_per_month": np.array([-0.1, 0.2]),
             "options.b.price_factor": np.array([0.5, 2.0]), "options.a.prefix_tokens": np.array([0.0, 2000.0]),
             "workload.tokens.input": np.array([5.0, 900.0]), "options.b.training.examples": np.array([12.0, 4000.0])}
    for option in ("a", "b"):
        drawn = run(scenario, option, draws=draws).total_usd
        for index in range(2):
            scalar = with_dials(scenario, {path: float(values[index]) for path, values in draws.items()})
            assert drawn[index] == pytest.approx(total(scalar, option), rel=EXACT)


def test_dials_that_move_days_are_the_ones_run_apart(folder: Any) -> None:
    whole = {at.path.rsplit(".", 1)[-1] for at in walk_dials(question(folder, small())) if at.dial.whole}
    assert whole <= set(STRUCTURAL)


@few
@given(pages())
def test_a_ledger_by_day_and_one_by_spans_of_constant_prices_sum_alike(folder: Any, page: Page) -> None:
    scenario = question(folder, page)
    for option in ("a", "b"):
        daily, coarse = (run(scenario, option, daily=by_day) for by_day in (True, False))
        assert len(coarse.ledger.edges) < len(daily.ledger.edges)
        lines = [{line: float(usd[0]) for line, usd in found.ledger.by_line().items()} for found in (daily, coarse)]
        assert lines[1] == pytest.approx(lines[0], rel=1e-6, abs=TABLED * total(scenario, option))
        assert coarse.total_usd == pytest.approx(daily.total_usd, rel=TABLED)
        assert coarse.tokens["output"] == pytest.approx(daily.tokens["output"], rel=EXACT)


@few
@given(pages())
def test_lines_months_and_readings_sum_to_the_total(folder: Any, page: Page) -> None:
    scenario = question(folder, page)
    for option in ("a", "b"):
        result = run(scenario, option)
        found, whole = summary(scenario, result), float(result.total_usd[0])
        assert sum(float(usd[0]) for usd in result.ledger.by_line().values()) == pytest.approx(whole, rel=EXACT)
        assert sum(found.by_month) == pytest.approx(whole, rel=EXACT)
        assert found.one_off_usd + found.recurring_usd == pytest.approx(whole, rel=EXACT)
        assert found.per_call_usd * float(result.calls[0]) == pytest.approx(whole, rel=EXACT)
        assert min(found.by_month) >= 0
        halved = with_dials(scenario, {"discount_rate": scenario.discount_rate / 2})
        assert summary(halved, result).npv_usd >= found.npv_usd
        assert found.npv_usd <= whole


def test_a_service_that_one_option_cannot_buy_stops_only_that_option(folder: Any) -> None:
    page = small(prefix_tokens=10)
    page["options"]["b"] = {"like": "a", "service": "flex"}
    scenario = question(folder, page)
    assert total(scenario, "a") > 0
    with pytest.raises(NotSold, match=r"options\.b: "):
        run(scenario, "b")
