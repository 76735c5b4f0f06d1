"""Every crossing of two options along a dial is found, and at each of them both options cost the same.

The answers are held against hand calculations, against scalar runs at the crossing itself, and against a scan of
100,000 points that knows nothing of where bills are known to jump.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from questions import asked, crossed

from pricing.errors import InputError
from simulator.domain.drawn import with_dials
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.nearest_change import nearest_change
from simulator.studies.turns import sign_changes

VOLUME = "workload.calls_per_day"
PAGE = """
start: 2026-12-01
horizon_days: 360
hours_per_month: 720
baseline: a
workload: {{calls_per_day: 1000, tokens: {{input: 300, output: 0}}{demand}}}
prices:
  mine/plain: {{usd_per_mtok: {{input: 1, output: 4}}}}
  mine/cheap: {{usd_per_mtok: {{input: 0.5, output: 2}}, training: {{sft: {{usd_per_mtok: 3}}}}, rules: {{training: {{
    epochs: {{target: 3, min_examples: 100, max_examples: 25000, cap: 25}}}}}}}}
  mine/cached: {{usd_per_mtok: {{input: 1, cached_input: 0.1, output: 4}}, rules: {{caching: {{mode: automatic,
    min_tokens: 1024, increment: 128}}}}}}
  mine/writes: {{usd_per_mtok: {{input: 1, cached_input: 0.1, cache_write: 1.25, output: 4}}, rules: {{caching: {{
    mode: explicit, min_tokens: 1024, writes_billed: true}}}}}}
  mine/tiered: {{usd_per_mtok: {{input: 1, output: 4, tiers: [{{above: 5000, input: 2, output: 6}}]}}}}
options:
  a: {{kind: hosted_prompt, price: mine/plain}}
{options}
"""
Ask = Callable[..., Scenario]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def found(options: str, *flags: str, demand: str = "") -> Scenario:
        return asked(tmp_path, PAGE.format(options=options, demand=demand), *flags)

    return found


def costs(scenario: Scenario, along: str, at: float, basis: str = "horizon") -> tuple[float, float]:
    """What `a` and `b` cost with a dial at a value: over the horizon, or the recurring part as if ready at once."""
    found = []
    for name in ("a", "b"):
        ready = {} if basis == "horizon" else {f"options.{name}.ready_after_days": 0.0}
        result = run(with_dials(scenario, {along: at} | ready), name)
        found.append(float((result.total_usd - (0 if basis == "horizon" else result.one_off_usd))[0]))
    return found[0], found[1]


def horizon(found: Any) -> list[dict[str, Any]]:
    return [crossing for crossing in found["crossings"] if crossing["basis"] == "horizon"]


# By hand

TUNED = "  b: {kind: hosted_fine_tuned, price: mine/cheap, training: {usd: 540}, recurring_usd_per_month: {index: 30}}"


def test_a_volume_at_which_a_fixed_cost_is_earned_back_by_hand(ask: Ask) -> None:
    found = crossed(ask(TUNED), "a", "b")
    saves = 300 * 0.5 / 1e6
    assert found["answer"] == "crosses"
    assert [(c["basis"], c["kind"], c["below"], c["above"]) for c in found["crossings"]] == [
        ("horizon", "root", "a", "b"), ("steady_state", "root", "a", "b")]
    assert [c["at"] for c in found["crossings"]] == pytest.approx(
        [(540 / 360 + 30 / 30) / saves, 30 / 30 / saves], rel=1e-8)
    assert (found["unit"], found["reason"], found["cheaper"]) == ("1/day", None, None)


def test_increments_of_the_cache_make_a_staircase_of_crossings_by_hand(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2000, cache_hit_rate: 1}")
    found = horizon(crossed(scenario, "a", "b", along="options.b.prefix_tokens", over=(1.0, 10_000.0)))
    assert found == []                                                      # a reads no prefix: nothing to win
    scenario = ask("  b: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2000, cache_hit_rate: 1}",
                   "options.a.prefix_tokens=300")
    found = horizon(crossed(scenario, "a", "b", along="options.b.prefix_tokens", over=(1.0, 10_000.0)))
    # k increments of 128 cost 12.8 each, the rest 1 a token; 300 is passed within the step where 12.8 k < 300
    roots = [(300.0, "root", "b", "a")]
    roots += [(128 * k + 300 - 12.8 * k, "root", "b", "a") for k in range(8, 79) if 0 < 300 - 12.8 * k < 128]
    jumps = [(128.0 * k, "jump", "a", "b") for k in range(9, 79) if 12.8 * k < 300 < 12.8 * (k - 1) + 128]
    by_hand = sorted([*roots, (1024.0, "jump", "a", "b"), *jumps])
    assert len(by_hand) == 21
    assert [(c["kind"], c["below"], c["above"]) for c in found] == [each[1:] for each in by_hand]
    assert [c["at"] for c in found] == pytest.approx([each[0] for each in by_hand], rel=1e-8)


def test_the_smallest_prefix_that_is_cached_is_a_jump(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_prompt, price: mine/writes, prefix_tokens: 900, cache_hit_rate: 0.9}",
                   "options.a.prefix_tokens=800")
    found = horizon(crossed(scenario, "a", "b", along="options.b.prefix_tokens", over=(801.0, 2000.0)))
    assert [(c["at"], c["kind"], c["below"], c["above"]) for c in found] == [(1024.0, "jump", "a", "b")]
    below, above = (costs(scenario, "options.b.prefix_tokens", at) for at in (1023.999, 1024))
    assert below[1] > below[0]
    assert above[1] < above[0]


def test_a_length_tier_is_a_jump_where_lengths_have_no_spread_and_a_slope_where_they_have(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_prompt, price: mine/tiered, price_factor: 0.8, prefix_tokens: 1000}",
                   "options.a.prefix_tokens=1000")
    sharp = horizon(crossed(scenario, "a", "b", along="workload.tokens.input"))
    assert [(c["kind"], c["below"], c["above"]) for c in sharp] == [("jump", "b", "a")]
    assert sharp[0]["at"] == pytest.approx(4000, rel=1e-8)
    spread = with_dials(scenario, {"workload.tokens.input_cv": 0.5})
    assert [c["kind"] for c in horizon(crossed(spread, "a", "b", along="workload.tokens.input"))] == ["root"]


# Scalar runs and a scan that knows nothing

DEMAND = ", demand: {weekday: office, hours: office, day_sd: 0.25, hour_sd: 0.2, hour_lag1: 0.7}"
READY = "ready_after_days: 20, until_ready: c"
SCANNED: dict[str, tuple[str, tuple[str, ...], str, tuple[float, float], int]] = {
    "tuned, along volume": (TUNED, (), VOLUME, (10, 1e7), 1),
    "billed writes, along volume": (
        "  b: {kind: hosted_prompt, price: mine/writes, prefix_tokens: 4000}",
        ("options.a.prefix_tokens=4000",), VOLUME, (1, 1e6), 1),
    "a cached prompt against a shorter one, along volume": (
        "  b: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2600, caching: {reach: 1}}",
        ("options.a.prefix_tokens=1200",), VOLUME, (1, 1e6), 1),
    "steps of the cache, along the prompt": (
        "  b: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2000, cache_hit_rate: 1}",
        ("options.a.prefix_tokens=300",), "options.b.prefix_tokens", (1, 10_000), 21),
    "steps of the cache on both sides, along the prompt of the reference": (
        "  b: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 3000, cache_hit_rate: 0.95}",
        ("options.a.price=mine/cached", "options.a.cache_hit_rate=0.9"), "options.a.prefix_tokens", (1, 8000), 11),
    "steps of the cache of a stand-in, along its prompt": (
        f"  b: {{kind: hosted_prompt, price: mine/cheap, {READY}}}\n"
        "  c: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2000, cache_hit_rate: 1}",
        ("options.a.prefix_tokens=15.5",), "options.c.prefix_tokens", (1, 40_000), 19),
    "steps of the cache of a fallback, along its prompt": (
        "  b: {kind: hosted_prompt, price: mine/cheap, fallback: {to: c, share: 0.1}}\n"
        "  c: {kind: hosted_prompt, price: mine/cached, prefix_tokens: 2000, cache_hit_rate: 1}",
        ("options.a.prefix_tokens=10",), "options.c.prefix_tokens", (1, 40_000), 19),
    "a tier, along the input": (
        "  b: {kind: hosted_prompt, price: mine/tiered, price_factor: 0.8, prefix_tokens: 1000}",
        ("options.a.prefix_tokens=1000",), "workload.tokens.input", (1, 200_000), 1),
    "the rule of epochs, along the examples": (
        "  b: {kind: hosted_fine_tuned, price: mine/cheap, training: {examples: 50, tokens_per_example: 5000}}",
        ("workload.calls_per_day=25",), "options.b.training.examples", (10, 200), 8),
    "the rule of epochs again, where jobs are large": (
        "  b: {kind: hosted_fine_tuned, price: mine/cheap, training: {examples: 50, tokens_per_example: 100}}",
        ("workload.calls_per_day=111",), "options.b.training.examples", (5000, 30_000), 5),
    "failures, along their share": (
        "  b: {kind: hosted_prompt, price: mine/cheap, retries: {failure_rate: 0.1, max: 9}}",
        (), "options.b.retries.failure_rate", (0, 0.9), 1),
    "negotiated prices": (TUNED, ("workload.calls_per_day=50000",), "options.b.price_factor", (0.1, 3), 1),
    "output": ("  b: {kind: hosted_prompt, price: mine/cheap, reasoning_tokens: 200}", (), "workload.tokens.output",
               (1, 20_000), 1),
}


@pytest.mark.parametrize("case", SCANNED)
def test_a_blind_scan_of_100000_points_finds_no_crossing_that_is_missed(ask: Ask, case: str) -> None:
    options, flags, along, over, least = SCANNED[case]
    scenario = ask(options, *flags, demand=DEMAND)
    found = horizon(crossed(scenario, "a", "b", along=along, over=over))
    spaced = np.geomspace if along == VOLUME else np.linspace
    points = spaced(*over, 100_000)
    a, b = (np.broadcast_to(run(scenario, name, draws={along: points}).total_usd, points.shape) for name in ("a", "b"))
    cheaper = np.sign(np.where(np.abs(b - a) <= 1e-12 * (a + b), 0, b - a))
    turns = [(points[i], points[j], "a" if cheaper[i] > 0 else "b")
             for i, j in itertools.pairwise(np.flatnonzero(cheaper)) if cheaper[i] != cheaper[j]]
    for low, high, below in turns:
        near = [c for c in found if low * (1 - 1e-7) <= c["at"] <= high * (1 + 1e-7) and c["below"] == below]
        assert near, f"from {low} to {high}"
    assert len(found) >= max(len(turns), least)


@pytest.mark.parametrize("case", SCANNED)
def test_at_a_crossing_both_options_cost_the_same_in_a_scalar_run(ask: Ask, case: str) -> None:
    options, flags, along, over, _ = SCANNED[case]
    scenario = ask(options, *flags, demand=DEMAND)
    for crossing in crossed(scenario, "a", "b", along=along, over=over)["crossings"][:12]:
        at, basis = crossing["at"], crossing["basis"]
        if crossing["kind"] == "root":
            a, b = costs(scenario, along, at, basis)
            assert b == pytest.approx(a, rel=1e-7)
        (low_a, low_b), (high_a, high_b) = (costs(scenario, along, at * by, basis) for by in (1 - 1e-6, 1 + 1e-6))
        assert ("a" if low_a < low_b else "b") == crossing["below"]
        assert ("a" if high_a < high_b else "b") == crossing["above"]


@given(st.floats(1, 40), st.floats(0, 3))
def test_every_zero_of_a_wave_is_found_and_none_is_a_jump(frequency: float, phase: float) -> None:
    found, _ = sign_changes(lambda x: (np.sin(frequency * x + phase), np.ones_like(x)), np.linspace(0.0, 10.0, 2001))
    turns = np.arange(np.ceil(phase / np.pi), np.ceil((frequency * 10 + phase) / np.pi))
    zeros = [zero for zero in (turns * np.pi - phase) / frequency if 0.01 < zero < 9.99]
    inner = [change for change in found if 0.01 < change.at < 9.99]
    assert [change.at for change in inner] == pytest.approx(zeros, rel=1e-8)
    assert not any(change.jump for change in inner)


# Always, never, tie


CHANGES: dict[str, Callable[[float, float], dict[str, float]]] = {
    r"the prices of b fell to ([\d.]+) % of today's": lambda x, premium: {"options.b.price_factor": premium * x / 100},
    r"the prices of a rose to ([\d.]+) times today's": lambda x, premium: {"options.a.price_factor": x},
    r"the prompt of a were ([\d,]+) tokens long": lambda x, premium: {"options.a.prefix_tokens": x},
}


def changed(reason: str, premium: float) -> dict[str, float] | None:
    """The dials that the last part of a reason speaks of, or None where it speaks of no change."""
    told = re.search(r"it would pay if (.*)$", reason)
    if told is None:
        return None
    [(match, dial)] = [(match, dial) for pattern, dial in CHANGES.items()
                       if (match := re.fullmatch(pattern, told.group(1)))]
    return dial(float(match.group(1).replace(",", "")), premium)


def test_never_says_why_and_names_a_change(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_fine_tuned, price: mine/plain, price_factor: 2, prefix_tokens: 120}",
                   "options.a.prefix_tokens=350")
    found = crossed(scenario, "a", "b")
    assert (found["answer"], found["cheaper"], found["crossings"]) == ("never", "a", [])
    assert "one more call costs $0.00084 with b against $0.00065 with a (1.3x), so no volume pays" in found["reason"]
    assert changed(found["reason"], 2.0) == {"options.b.price_factor": 2 * 0.77}            # 650 / 840 = 0.774


@settings(max_examples=12)
@given(st.integers(50, 4000), st.integers(50, 4000), st.floats(1.1, 4), st.floats(0.2, 1), st.integers(0, 300))
def test_the_change_that_a_never_names_is_true_when_applied_and_a_smaller_one_is_not(
    tmp_path_factory: pytest.TempPathFactory, long: int, short: int, premium: float, output: float, fee: int
) -> None:
    scenario = asked(
        tmp_path_factory.mktemp("never"),
        PAGE.format(demand="", options="  b: {kind: hosted_fine_tuned, price: mine/plain, training: {usd: 1}}"),
        f"options.b.price_factor={premium}", f"options.b.prefix_tokens={short}", f"options.b.training.usd={fee}",
        f"options.a.prefix_tokens={long}", f"workload.tokens.output={300 * output}",
    )
    a, b = costs(scenario, VOLUME, 1000.0)
    dials = changed(nearest_change(scenario, ("a", "b")) or "", premium)
    if dials is None or b <= a:
        return
    a, b = costs(with_dials(scenario, dials), VOLUME, 1000.0)
    assert b <= a * (1 + 1e-12)
    [(path, value)] = dials.items()
    less = value + 0.01001 * premium if path.startswith("options.b") else value / 1.02
    a, b = costs(with_dials(scenario, {path: less}), VOLUME, 1000.0)
    assert b > a


def test_always_and_tie_are_answers_too(ask: Ask) -> None:
    cheaper = crossed(ask("  b: {kind: hosted_prompt, price: mine/cheap}"), "a", "b")
    assert (cheaper["answer"], cheaper["cheaper"], cheaper["crossings"]) == ("always", "b", [])
    assert cheaper["reason"] == "b is cheaper from 10 to 10,000,000 calls a day"
    same = crossed(ask("  b: {like: a}"), "a", "b")
    assert (same["answer"], same["cheaper"], same["crossings"]) == ("tie", None, [])
    assert same["reason"] == "a and b cost the same all along workload.calls_per_day"
    assert same["payback"]["reason"] == "neither option pays anything up front"


def test_outside_the_range_that_is_asked_nothing_crosses(ask: Ask) -> None:
    scenario = ask(TUNED)
    [at] = [c["at"] for c in horizon(crossed(scenario, "a", "b"))]
    assert crossed(scenario, "a", "b", over=(at * 1.01, at * 10))["answer"] == "always"
    assert crossed(scenario, "a", "b", over=(at / 10, at * 0.99))["answer"] == "never"
    assert crossed(scenario, "a", "b", over=(at * 0.99, at * 1.01))["answer"] == "crosses"


# Whole dials


def test_a_dial_of_whole_days_crosses_on_a_whole_day(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_fine_tuned, price: mine/cheap, training: {usd: 11, retrain_every_days: 90}, "
                   "ready_after_days: 5, until_ready: a}")
    # 355 days save 0.15 each, and every release costs 11
    found = horizon(crossed(scenario, "a", "b", along="options.b.training.retrain_every_days", over=(7, 365)))
    for crossing in found:
        at = crossing["at"]
        assert at == int(at)
        assert crossing["kind"] == "jump"
        before, after = (costs(scenario, "options.b.training.retrain_every_days", day) for day in (at - 1, at))
        assert (before[1] > before[0]) != (after[1] > after[0])

    def loses(every: int) -> bool:
        return 11 * -(-355 // every) > 0.15 * 355

    by_hand = [day for day in range(8, 366) if loses(day) != loses(day - 1)]
    assert [c["at"] for c in found] == by_hand
    assert len(by_hand) == 1


def test_the_day_of_cut_over_is_scanned_day_by_day(ask: Ask) -> None:
    scenario = ask("  b: {kind: hosted_fine_tuned, price: mine/cheap, training: {usd: 20}, ready_after_days: 5, "
                   "until_ready: a}")
    found = horizon(crossed(scenario, "a", "b", along="options.b.ready_after_days", over=(0, 359)))
    [crossing] = found
    assert crossing["at"] == 227                                            # 0.15 x (360 - 226) is still above 20
    assert (crossing["below"], crossing["above"]) == ("b", "a")


# Limits, and what cannot be asked


def test_a_crossing_beyond_a_rate_limit_is_flagged_and_kept(ask: Ask) -> None:
    found = crossed(ask(TUNED.replace("index: 30}", "index: 30}, limits: {rpm: 5}")), "a", "b")
    assert [crossing["flags"] for crossing in found["crossings"]] == [
        ["b: the busiest minute asks for 11.6 requests a minute, the limit is 5"], []]


def test_an_unknown_dial_option_or_range_is_told_in_one_sentence(ask: Ask) -> None:
    scenario = ask(TUNED)
    asks: list[tuple[str, Callable[[], object]]] = [
        (r'"workload\.calls_per_dya" is no dial of this scenario; did you mean "workload\.calls_per_day"\?',
         lambda: crossed(scenario, "a", "b", along="workload.calls_per_dya")),
        (r'"options\.b\.training\.examples" is no dial of this scenario',
         lambda: crossed(scenario, "a", "b", along="options.b.training.examples")),
        (r'no option "bb"; did you mean "b"\?', lambda: crossed(scenario, "a", "bb")),
        (r"workload\.calls_per_day: from 100 to 10 is no range of this dial", lambda: crossed(
            scenario, "a", "b", over=(100, 10))),
        (r"workload\.calls_per_day: from 10 to 10 is no range", lambda: crossed(scenario, "a", "b", over=(10, 10))),
        (r"options\.b\.price_factor: from -1 to 2 is no range of this dial; it runs from 0 to 1000 x", lambda: crossed(
            scenario, "a", "b", along="options.b.price_factor", over=(-1, 2))),
    ]
    for sentence, wrong in asks:
        with pytest.raises(InputError, match=sentence):
            wrong()
