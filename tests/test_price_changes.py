"""What changed in the price book is told for what it is: a change, a correction, a notice, or nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pricing.book import PriceBook
from pricing.changes import between, differences, history, rates, watch
from pricing.errors import InputError
from pricing.load import shipped_book
from pricing.table import Confidence, Lifecycle, PriceTable, PriceVersion, Rates, Source, TierRates

TODAY = date(2026, 11, 23)


def version(
    effective: str, recorded: str, *, usd: float = 1.0, confidence: Confidence = "verified", seen_on: str | None = None,
    **others: object,
) -> PriceVersion:
    """A version that asks `usd` for a million tokens of input."""
    seen = date.fromisoformat(seen_on or recorded)
    return PriceVersion(
        effective=date.fromisoformat(effective), recorded=date.fromisoformat(recorded),
        source=Source(title="made for this test", seen_on=seen, confidence=confidence),
        usd_per_mtok=Rates(input=usd), **others,  # type: ignore[arg-type]
    )


def book(**tables: list[PriceVersion]) -> PriceBook:
    """A book of prices of the provider `mine`."""
    named = {f"mine/{name}": versions for name, versions in tables.items()}
    return PriceBook(prices={name: PriceTable(id=name, versions=tuple(some)) for name, some in named.items()})


def test_a_correction_is_told_from_a_price_change_and_from_news() -> None:
    """A later first day is a change; the same first day recorded anew corrects rates, or only tells of an end."""
    steps = history(PriceTable(id="mine/a", versions=(
        version("2026-01-01", "2026-01-01", usd=2.0),
        version("2026-03-01", "2026-03-01", usd=1.0),
        version("2026-03-01", "2026-04-01", usd=1.5),
        version("2026-03-01", "2026-05-01", usd=1.5, lifecycle=Lifecycle(retires_on=date(2027, 1, 1))),
    )))
    assert [step.kind for step in steps] == ["first", "change", "correction", "notice"]
    assert [(one.path, one.before, one.after) for one in steps[1].differences] == [("input", 2.0, 1.0)]
    assert [(one.path, one.after) for one in steps[3].differences] == [("lifecycle.retires_on", date(2027, 1, 1))]


def test_a_version_is_compared_with_what_was_known_when_it_was_recorded() -> None:
    """An old price learnt of late is not taken for the forerunner of one recorded before it."""
    steps = history(PriceTable(id="mine/a", versions=(
        version("2026-01-01", "2026-01-01", usd=2.0),
        version("2026-01-01", "2026-09-01", usd=2.0, lifecycle=Lifecycle(retires_on=date(2027, 1, 1))),
        version("2026-03-01", "2026-03-01", usd=1.0),
    )))
    assert [one.path for one in steps[2].differences] == ["input"]


def test_the_cache_discount_of_october_2024_is_a_change_and_the_retirement_a_notice() -> None:
    steps = history(shipped_book(["openai"]).table("openai/gpt-4o-mini"))
    kinds = {step.version_id: step.kind for step in steps}
    assert kinds["openai/gpt-4o-mini@2024-07-18"] == "first"
    assert kinds["openai/gpt-4o-mini@2024-10-01"] == "change"
    assert kinds["openai/gpt-4o-mini@2024-10-01+2026-10-14"] == "notice"


def test_a_called_off_rise_is_a_correction_and_nothing_to_come() -> None:
    """Announced for September, cancelled in August: on the day before, no change lies ahead."""
    rise = [
        version("2026-01-01", "2026-01-01", usd=2.0),
        version("2026-09-01", "2026-06-30", usd=3.0),
        version("2026-09-01", "2026-08-10", usd=2.0),
    ]
    steps = history(book(a=rise).table("mine/a"))
    assert [(step.kind, step.version.announced) for step in steps] == [
        ("first", False), ("change", True), ("correction", True)
    ]
    assert watch(book(a=rise), date(2026, 8, 31)).announced == ()
    assert [step.version_id for step in watch(book(a=rise[:2]), date(2026, 8, 31)).announced] == ["mine/a@2026-09-01"]


def test_two_days_differ_in_what_came_changed_and_retired() -> None:
    found = between(
        book(
            old=[version("2026-01-01", "2026-01-01", lifecycle=Lifecycle(retires_on=date(2026, 6, 1)))],
            new=[version("2026-05-01", "2026-05-01")],
            cut=[version("2026-01-01", "2026-01-01", usd=4.0), version("2026-06-01", "2026-06-01", usd=1.0)],
            same=[version("2026-01-01", "2026-01-01"), version("2026-05-01", "2026-05-01")],
        ),
        date(2026, 4, 1), date(2026, 6, 1),
    )
    assert found.added == ("mine/new",)
    assert [(one.price, one.before, one.after) for one in found.changed] == [
        ("mine/cut", "mine/cut@2026-01-01", "mine/cut@2026-06-01")
    ]
    assert found.retired == ("mine/old",)


def test_a_day_differs_from_itself_in_nothing_and_days_run_forwards() -> None:
    shipped = shipped_book(["openai", "google"])
    same = between(shipped, TODAY, TODAY)
    assert (same.added, same.changed, same.retired) == ((), (), ())
    with pytest.raises(InputError, match="name the earlier day first"):
        between(shipped, TODAY, date(2026, 1, 1))


def test_what_needs_looking_after_is_old_unverified_announced_or_ending() -> None:
    """Ages count from the day the source was seen; a model that has retired is past caring."""
    found = watch(
        book(
            old=[version("2026-01-01", "2026-01-01")],
            kept=[version("2026-01-01", "2026-01-01", seen_on="2026-08-25")],
            doubted=[version("2026-11-01", "2026-11-01", confidence="unverified")],
            gone=[version("2026-01-01", "2026-01-01", lifecycle=Lifecycle(retires_on=TODAY))],
            ends=[version("2026-11-01", "2026-11-01", lifecycle=Lifecycle(
                retires_on=date(2027, 1, 14), no_new_jobs_from=date(2027, 1, 6), successor="mine/old"))],
        ),
        TODAY, timedelta(days=90),
    )
    assert found.stale == {"mine/old": (TODAY - date(2026, 1, 1)).days}
    assert found.unverified == ("mine/doubted",)
    assert [(one.what, one.day) for one in found.ending] == [
        ("no_new_jobs_from", date(2027, 1, 6)), ("retires_on", date(2027, 1, 14))
    ]


def test_tiers_and_standing_rates_are_told_apart_by_name() -> None:
    """A figure's path says which tier it belongs to, so that two tiers are never taken for each other."""
    source = Source(title="made", seen_on=TODAY, confidence="verified")
    tiers = (TierRates(above=1000, input=2.0), TierRates(above=200_000, input=4.0))
    plain, tiered = (
        PriceVersion(effective=TODAY, recorded=TODAY, source=source, usd_per_mtok=Rates(input=1.0, tiers=some),
                     hosting_usd_per_hour=hosting)
        for some, hosting in (((), None), (tiers, 1.7))
    )
    assert {one.path: one.after for one in differences(plain, tiered)} == {
        "tiers.above 1,000.input": 2.0, "tiers.above 200,000.input": 4.0, "hosting_usd_per_hour": 1.7
    }
    assert rates(tiered)["tiers"][1]["above"] == 200_000


def test_every_version_of_the_shipped_book_has_a_history_that_ends_where_it_stands() -> None:
    """Steps are the versions, in order, and each one after the first differs from what was known before it."""
    for price, table in shipped_book().prices.items():
        steps = history(table)
        assert [step.version for step in steps] == list(table.versions), price
        assert steps[0].kind == "first", price
        assert all(step.kind != "first" for step in steps[1:]), price
