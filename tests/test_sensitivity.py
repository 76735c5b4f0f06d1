"""What moves the answer: Sobol indices of a known function, bars and flips by hand, every crossing of a staircase."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from questions import asked

from pricing.errors import InputError
from simulator.run import run
from simulator.studies.breakeven import break_even
from simulator.studies.flip import flips
from simulator.studies.moves import explicit, movable, supposed
from simulator.studies.sensitivity import indices, sobol, tornado
from simulator.studies.turns import sign_changes

Array = NDArray[np.float64]

SUMS = """
start: 2027-01-01
horizon_days: 30
baseline: a
workload: {calls_per_day: 1, tokens: {input: 1, output: 1}, deferrable_share: 0.5}
prices: {acme/free: {usd_per_mtok: {input: 0, output: 0, batch: {input: 0, output: 0}}}}
options:
  a: {kind: hosted_prompt, price: acme/free, one_off_usd: {licence: 100}, batch_share: 0.5}
  b: {kind: hosted_prompt, price: acme/free, one_off_usd: {x: 90, y: 60}, caching: {reach: 0.5}}
"""
UNIT = ("workload.deferrable_share", "options.a.batch_share", "options.b.caching.reach")


def test_sobol_indices_are_those_of_the_ishigami_function(tmp_path: Path) -> None:
    """f = sin x + 7 sin^2 y + 0.1 z^4 sin x on [-pi, pi]^3 (Ishigami and Homma, 1990); indices are known exactly."""
    scenario = asked(tmp_path, SUMS, *(f"{path}={{low: 0, high: 1}}" for path in UNIT))

    def ishigami(share: Array) -> Array:
        x, y, z = math.pi * (2 * share - 1)
        return np.atleast_2d(np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x))

    rows = indices(ishigami, scenario, list(UNIT), 4096, 0)
    first = (1 + 0.1 * math.pi**4 / 5) ** 2 / 2
    second, both = 49 / 8, 0.1**2 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = first + second + both
    known = {UNIT[0]: (first, first + both), UNIT[1]: (second, second), UNIT[2]: (0.0, both)}
    for row in rows:
        assert (row.first, row.total) == pytest.approx([part / whole for part in known[row.path]], abs=0.03)
        assert row.total_interval[0] - 0.02 <= known[row.path][1] / whole <= row.total_interval[1] + 0.02


def test_a_sum_has_the_shares_of_its_variances_and_no_interactions(tmp_path: Path) -> None:
    scenario = asked(tmp_path, SUMS, "options.b.one_off_usd={x: {low: 80, high: 100}, y: {low: 40, high: 80}}")
    rows = {row.path: row for row in sobol(scenario, 1024).rows}
    assert rows["options.b.one_off_usd.x"].first == pytest.approx(0.2, abs=0.03)       # 20^2 against 40^2
    assert rows["options.b.one_off_usd.y"].total == pytest.approx(0.8, abs=0.03)


def test_the_same_seed_gives_the_same_intervals(tmp_path: Path) -> None:
    scenario = asked(tmp_path, SUMS, "options.b.one_off_usd={x: {low: 80, high: 100}, y: {low: 40, high: 80}}")
    assert sobol(scenario, 64, seed=3) == sobol(scenario, 64, seed=3)


def test_an_input_without_effect_beside_others_is_left_out_and_named(tmp_path: Path) -> None:
    flags = ("discount_rate={low: 0, high: 1}", "options.b.one_off_usd.x={low: 80, high: 100}")
    found = sobol(asked(tmp_path, SUMS, *flags), 64)
    assert [row.path for row in found.rows] == ["options.b.one_off_usd.x"]
    assert found.notes == ("Changes nothing between the two best options: discount_rate.",)


def test_inputs_that_change_nothing_have_no_indices_and_are_told(tmp_path: Path) -> None:
    found = sobol(asked(tmp_path, SUMS, "discount_rate={low: 0, high: 1}"), 64)
    assert found.rows == ()
    assert any("No input changes" in note for note in found.notes)
    with pytest.raises(InputError, match="power of two"):
        sobol(asked(tmp_path, SUMS), 1000)


def test_bars_of_a_tornado_by_hand(tmp_path: Path) -> None:
    """b costs 150 against 100, so the saving is 50; x from 72 to 112.5 moves it from 32 to 72.5."""
    found = tornado(asked(tmp_path, SUMS, "options.b.one_off_usd={x: 90, y: {low: 10, high: 20}}"))
    bars = {bar.path: bar for bar in found.bars}
    paths = ("b.one_off_usd.y", "b.one_off_usd.x", "a.one_off_usd.licence")
    y, x, licence = (bars[f"options.{path}"] for path in paths)
    assert (found.choice, found.runner_up, found.difference_usd) == ("a", "b", pytest.approx(5))
    assert (y.low, y.high, y.at_low, y.at_high, y.basis) == (10, 20, pytest.approx(0), pytest.approx(10), "range")
    assert (x.at_low, x.at_high, x.basis) == (pytest.approx(72 + 15 - 100), pytest.approx(112.5 + 15 - 100), "assumed")
    assert (licence.at_low, licence.at_high) == (pytest.approx(105 - 80), pytest.approx(105 - 125))
    assert found.bars[0].path == "options.a.one_off_usd.licence"
    assert {"discount_rate", "options.a.batch_share"} <= set(found.without_effect)


def test_a_dial_whose_end_rules_an_option_out_has_no_bar_and_is_named(tmp_path: Path) -> None:
    text = SUMS.replace("acme/free: {", "acme/free: {lifecycle: {retires_on: 2027-02-02}, ").replace(
        "prices: {", "prices: {acme/kept: {usd_per_mtok: {input: 0, output: 0, batch: {input: 0, output: 0}}}, ")
    option = "b: {kind: hosted_prompt, price: acme/"
    scenario = asked(tmp_path, text.replace(f"{option}free", f"{option}kept"))
    assert tornado(scenario).ruled_out == ("horizon_days",)
    (flip,) = (flip for flip in flips(scenario).rows if flip.path == "horizon_days")
    assert (flip.at, flip.to, flip.kind) == (33, "b", "jump")


def test_flips_by_hand(tmp_path: Path) -> None:
    """a at 100 against b at 90 + 60: a flips at 150 (+50 %), x at 40 (-56 %), y at 10 (-83 %)."""
    found = flips(asked(tmp_path, SUMS))
    by_path = {flip.path: flip for flip in found.rows}
    assert found.choice == "a"
    for path, at in (("a.one_off_usd.licence", 150.0), ("b.one_off_usd.x", 40.0), ("b.one_off_usd.y", 10.0)):
        flip = by_path[f"options.{path}"]
        assert flip.at == pytest.approx(at, rel=1e-6)
        assert flip.change == pytest.approx(at / flip.today - 1, rel=1e-5)
        assert flip.to == "b"
    assert [flip.distance for flip in found.rows if flip.change is not None] == sorted(
        flip.distance for flip in found.rows if flip.change is not None)
    assert "discount_rate" in found.idle


def test_at_a_flip_the_choice_is_another_and_just_before_it_is_not(tmp_path: Path) -> None:
    rates = SUMS.replace("{input: 0, output: 0, batch", "{input: 2, output: 8, batch")
    text = rates.replace("calls_per_day: 1,", "calls_per_day: 5000,")
    scenario = explicit(asked(tmp_path, text, "options.a.prefix_tokens=300", "options.b.prefix_tokens=100"))
    found = flips(scenario)
    assert len(found.rows) >= 5
    for flip in found.rows:
        inside = round(flip.at) - 1 if flip.path == "horizon_days" else flip.at + (flip.today - flip.at) * 1e-4
        costs = {name: run(scenario, name, draws={flip.path: np.array([flip.at, inside])}).total_usd
                 for name in scenario.options}
        assert costs[flip.to][0] <= costs[found.choice][0] * (1 + 1e-9)
        if flip.kind == "root":
            assert min(costs, key=lambda name: costs[name][1]) == found.choice


def test_a_dial_whose_meter_is_not_sold_is_left_alone(tmp_path: Path) -> None:
    text = SUMS.replace(", batch: {input: 0, output: 0}", "").replace(", batch_share: 0.5", "")
    scenario = asked(tmp_path, text)
    found, moved = flips(scenario), {at.path for at in movable(scenario)}
    assert found.choice == "a"
    assert {"options.a.batch_share", "options.b.batch_share"}.isdisjoint(moved)
    assert "options.a.price_factor" in moved


def test_what_is_supposed_without_ranges_is_said(tmp_path: Path) -> None:
    ranged, said = supposed(asked(tmp_path, SUMS))
    assert said is not None
    assert "No range is written" in said
    assert 1 <= len(ranged.ranges) <= 10
    written = asked(tmp_path, SUMS, "options.b.one_off_usd={x: {low: 80, high: 100}, y: 60}")
    assert supposed(written) == (written, None)


def test_every_crossing_of_forty_replicas_that_brute_force_finds(tmp_path: Path) -> None:
    """Seven decades of volume: a price per call against whole replicas, as made-up costs; roots and jumps."""
    step, replica, per_call, saved = 2.5e5, 1300.0, 0.0058, 0.0004

    def difference(calls: Array) -> tuple[Array, Array]:
        fleet = 900 + replica * np.minimum(np.ceil(calls / step), 40) + saved * calls
        hosted = per_call * calls
        return fleet - hosted, fleet + hosted

    stairs = step * np.arange(1, 41)
    points = np.unique(np.concatenate([np.geomspace(1, 1e7, 2001), stairs, stairs * (1 + 1e-9)]))
    changes, _ = sign_changes(difference, points)
    scan = np.geomspace(1, 1e7, 100_000)
    signs = np.sign(difference(scan)[0])
    brute = np.flatnonzero(signs[1:] != signs[:-1])
    assert len(changes) >= len(brute) >= 10
    assert {change.jump for change in changes} == {True, False}
    for left in brute:
        assert any(scan[left] * (1 - 1e-9) <= change.at <= scan[left + 1] * (1 + 1e-9) for change in changes)
    for change in changes:                                            # and nothing is made up: the sign does turn
        around = difference(np.array([change.at * (1 - 3e-9), change.at * (1 + 3e-9)]))[0]
        assert np.sign(around[0]) != np.sign(around[1]) or not change.jump


def test_every_crossing_of_cache_increments_that_brute_force_finds(tmp_path: Path) -> None:
    """A cache counts prompts in steps of 128 tokens, so costs along the prompt are a staircase too."""
    text = """
start: 2027-01-01
horizon_days: 365
baseline: a
workload: {calls_per_day: 100_000, tokens: {input: 100, output: 1}}
prices:
  acme/steps:
    usd_per_mtok: {input: 1, cached_input: 0.1, output: 1}
    rules: {caching: {mode: automatic, min_tokens: 1024, increment: 128, ttl_s: [3600]}}
  acme/flat: {usd_per_mtok: {input: 0.32, output: 1}}
options:
  a: {kind: hosted_prompt, price: acme/steps, prefix_tokens: 1500, caching: {reach: 1}}
  b: {kind: hosted_prompt, price: acme/flat, prefix_tokens: 1000}
"""
    scenario = asked(tmp_path, text)
    along = "options.a.prefix_tokens"
    found = break_even(scenario, ("a", "b"), along, 1.0, 10_000.0)
    at = [crossing.at for crossing in found.crossings if crossing.basis == "horizon"]
    scan = np.linspace(1.0, 10_000.0, 100_000)
    apart = run(scenario, "b").total_usd - run(scenario, "a", draws={along: scan}).total_usd
    brute = np.flatnonzero(np.sign(apart[1:]) != np.sign(apart[:-1]))
    assert len(brute) >= 3
    assert len(at) >= len(brute)
    for left in brute:
        assert any(scan[left] - 1e-4 <= crossing <= scan[left + 1] + 1e-4 for crossing in at)
