"""Price paths have the pace and the size of the history they come from; waiting is paid for at the baseline."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from questions import asked

from pricing.book import PriceBook
from pricing.errors import InputError
from pricing.load import shipped_book
from simulator.domain.advice import Drift
from simulator.studies.compare import compare
from simulator.studies.outlook import drift, index_paths, outlook

QUESTION = """
start: 2027-01-01
horizon_days: 300
baseline: a
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 0.001}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 1}}
  acme/small: {usd_per_mtok: {input: 1, output: 1}}
options:
  a: {kind: hosted_prompt, price: acme/big}
  b: {kind: hosted_prompt, price: acme/small, one_off_usd: {build: 100}}
"""


def test_where_no_price_ever_moved_the_outlook_is_the_comparison(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    found = outlook(scenario, PriceBook(), waits=(5,), draws=100)
    totals = {name: option.total_usd for name, option in compare(scenario).options.items()}
    assert {name: found.expected_usd[name] for name in totals} == pytest.approx(totals)
    step = round(5 * 730 / 24)                                        # the baseline until then, b for the rest
    assert found.expected_usd["wait 5 months"] == pytest.approx(3 * step + (300 - step) + 100, rel=1e-6)
    assert found.waits[0].then == {"b": 1.0}
    assert found.best == "b"
    assert any("no price in the tables had changed" in note for note in found.notes)


def test_an_index_moves_as_often_and_as_far_as_its_history() -> None:
    """E[index] of a compound Poisson process: exp(rate t (E[factor] - 1))."""
    moves = Drift(kind="tokens", tables=10, years=10.0, changes=(math.log(0.5), math.log(0.5), math.log(2.0)))
    paths = index_paths(moves, "acme/a", 731, 20_000, 1)
    years = 730 / 365
    expected = math.exp(0.3 * years * ((0.5 + 0.5 + 2.0) / 3 - 1))
    assert np.all(paths[:, 0] == 1)
    assert paths[:, -1].mean() == pytest.approx(expected, abs=4 * paths[:, -1].std() / math.sqrt(20_000))
    changed = np.count_nonzero(np.diff(paths, axis=1), axis=1).mean()
    assert changed == pytest.approx(0.3 * years, rel=0.05)


def test_paths_are_keyed_by_seed_and_price() -> None:
    moves = Drift(kind="tokens", tables=1, years=1.0, changes=(0.5, -0.5))
    assert np.array_equal(index_paths(moves, "a/b", 300, 50, 1), index_paths(moves, "a/b", 300, 50, 1))
    assert not np.array_equal(index_paths(moves, "a/b", 300, 50, 1), index_paths(moves, "a/c", 300, 50, 1))


def test_history_falls_and_rises_and_never_looks_ahead() -> None:
    tables = tuple(shipped_book().prices.values())
    late, early = drift(tables, date(2026, 11, 1)), drift(tables, date(2024, 9, 15))
    assert min(late.changes) < 0 < max(late.changes)
    assert len(early.changes) < len(late.changes)
    assert early.years < late.years
    assert drift(tables, date(2020, 1, 1)).changes == ()


def test_waits_that_do_not_fit_are_told(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    with pytest.raises(InputError, match="waiting 12 months does not fit into 300 days"):
        outlook(scenario, PriceBook(), waits=(12,))
    with pytest.raises(InputError, match="take 100 or more"):
        outlook(scenario, PriceBook(), draws=10)
