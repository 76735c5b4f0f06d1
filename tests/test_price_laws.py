"""A dated price holds from its day, a decision sees only what was recorded by then, and a correction replaces.

Tables made by hand, and drawn ones.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.book import PriceBook
from pricing.errors import NotInForce
from pricing.table import PriceTable, PriceVersion, Rates, Source, in_force


def version(effective: date, recorded: date, rate: float = 1.0, seen_on: date = date(2026, 11, 23)) -> PriceVersion:
    source = Source(title="made by hand", seen_on=seen_on, confidence="reported")
    return PriceVersion(effective=effective, recorded=recorded, source=source, usd_per_mtok=Rates(input=rate))


JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
HAND = PriceTable(id="mine/small", versions=(
    version(JAN, JAN, 4), version(MAR, JAN, 6), version(MAR, FEB, 5), version(JAN, FEB, 3)))


def rate_of(version: PriceVersion) -> float:
    assert version.usd_per_mtok.input is not None
    return version.usd_per_mtok.input


def test_the_version_in_force_is_the_latest_effective_then_the_latest_recorded() -> None:
    assert [rate_of(HAND.on(day)) for day in (JAN, FEB, MAR)] == [3, 3, 5]
    assert [rate_of(HAND.known_on(day)) for day in (JAN, FEB, MAR)] == [4, 3, 5]
    with pytest.raises(NotInForce, match="first version is of 2026-01-01"):
        HAND.on(date(2025, 12, 31))


def test_a_plan_holds_todays_price_and_follows_what_was_announced() -> None:
    assert [rate_of(HAND.held_from(FEB, day)) for day in (FEB, MAR)] == [3, 5]
    assert rate_of(HAND.held_from(FEB, MAR, announced=False)) == 3
    surprise = PriceTable(id="mine/b", versions=(version(JAN, JAN, 4), version(MAR, MAR, 9)))
    assert rate_of(surprise.held_from(FEB, MAR)) == 4


def test_a_correction_of_a_correction_needs_a_later_day() -> None:
    with pytest.raises(ValueError, match="later recorded day"):
        PriceTable(id="mine/c", versions=(version(JAN, JAN, 4), version(JAN, JAN, 5)))


def test_a_price_is_stale_by_the_day_it_was_last_seen() -> None:
    book = PriceBook(prices={"a/old": PriceTable(id="a/old", versions=(version(JAN, JAN, seen_on=JAN),)),
                             "a/new": PriceTable(id="a/new", versions=(version(JAN, JAN, seen_on=MAR),))})
    assert book.stale(MAR) == {}
    assert book.stale(JAN + timedelta(days=90)) == {}
    assert book.stale(JAN + timedelta(days=91)) == {"a/old": 91}
    assert book.stale(MAR, timedelta(days=30)) == {"a/old": 59}
    assert book.on(date(2025, 1, 1)) == {}


days = st.dates(date(2024, 1, 1), date(2027, 12, 31))
histories = st.lists(st.builds(version, days, days, st.floats(0, 100)), min_size=1, max_size=8)


@given(histories, days)
def test_what_was_known_never_rests_on_what_was_recorded_later(versions: list[PriceVersion], day: date) -> None:
    found = in_force(versions, day, known_by=day)
    assert found is None or (found.recorded <= day and found.effective <= day)


@given(histories, days)
def test_nothing_in_force_is_left_for_an_older_price(versions: list[PriceVersion], day: date) -> None:
    found = in_force(versions, day)
    later = [v for v in versions if v.effective <= day]
    assert (found is None) == (not later)
    assert all((v.effective, v.recorded) <= (found.effective, found.recorded) for v in later if found)


@given(histories, days)
def test_on_and_known_on_agree_once_everything_is_recorded(versions: list[PriceVersion], day: date) -> None:
    by_then = [v for v in versions if v.recorded <= day]
    assert in_force(by_then, day) == in_force(versions, day, known_by=day)
