"""What changed in the price book, from version to version or from day to day, and what is about to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from pricing.book import STALE_DAYS, PriceBook
from pricing.errors import InputError
from pricing.table import PriceTable, PriceVersion, in_force

Kind = Literal["first", "change", "correction", "notice"]
"""A later first day is a change; the same first day recorded anew is a correction where rates or rules differ,
and a notice where only the rest does: a retirement, a limit, another source."""

STANDING = (
    "hosting_usd_per_hour",
    "storage_usd_per_month",
    "storage_usd_per_gb_month",
    "cache_storage_usd_per_mtok_hour",
)
"""Rates that are not billed by the token."""

TERMS = ("rules", "lifecycle", "limits")
"""What of a version is no rate."""

ENDS = ("no_new_customers_from", "no_new_jobs_from", "retires_on")
"""Days of a lifecycle on which something ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure, date or rule that differs; None where it does not stand."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A version of a price and what it changed against the one before it."""

    price: str
    version_id: str
    version: PriceVersion
    kind: Kind
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A price whose rates or rules differ between two days."""

    price: str
    before: str
    after: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """What two days differ in: prices that came, that changed, and that retired on or before the later day."""

    added: tuple[str, ...]
    changed: tuple[Changed, ...]
    retired: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A day on which something about a price ends: `what` names the key of its lifecycle."""

    price: str
    what: str
    day: date
    successor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to look after in the book as of a day: ages in days, unverified prices, and what is known to come."""

    stale: Mapping[str, int]
    unverified: tuple[str, ...]
    announced: tuple[Step, ...]
    ending: tuple[Ending, ...]


def rates(version: PriceVersion) -> dict[str, Any]:
    """Every rate of a version as plain values: USD per million tokens by meter, then what is billed otherwise."""
    by_token = _plain(version.usd_per_mtok)
    return {**by_token, "training": _plain(version.training), **{name: getattr(version, name) for name in STANDING}}


def typed_anew(table: PriceTable, day: date, changed: Mapping[str, float | None]) -> dict[str, Any]:
    """What stands beside `like` in a scenario that types a price anew: all rates of a day, some of them replaced.

    A copy takes over the last version; what else was in force on the day is therefore told where it differs.

    Args:
        table: all versions of the price.
        day: whose version is typed.
        changed: rates by the path under which `differences` tells them; None for what is sold no longer.
    """
    version, last = table.on(day), table.versions[-1]
    found = rates(version)
    for path, usd in changed.items():
        *above, name = path.split(".")
        node: dict[Any, Any] = found
        for key in above:
            node = node[key]
        node[int(name) if name.isdigit() else name] = usd
    apart = {name: found.pop(name) for name in ("training", *STANDING)}
    sold = {name: _set(value) for name, value in apart.items() if getattr(version, name) or getattr(last, name)}
    terms = {part: _set(_plain(getattr(version, part))) for part in TERMS
             if getattr(version, part) != getattr(last, part)}
    return {"usd_per_mtok": _set(found), **sold, **terms}


def differences(before: PriceVersion | None, after: PriceVersion) -> tuple[Difference, ...]:
    """What differs in rates, rules, lifecycle and limits; of a first version only its rates are told."""
    old = {} if before is None else dict(_leaves(_told(before)))
    new = dict(_leaves(rates(after) if before is None else _told(after)))
    paths = [*new, *(path for path in old if path not in new)]
    return tuple(
        Difference(path=path, before=old.get(path), after=new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )


def history(table: PriceTable) -> tuple[Step, ...]:
    """Every version of a price, oldest first, and what it changed against what was known when it was recorded."""
    steps = []
    for number, version in enumerate(table.versions):
        earlier = table.versions[:number]
        before = in_force(earlier, version.effective, known_by=version.recorded) or (earlier[-1] if earlier else None)
        found = differences(before, version)
        kind = _kind(before, version, found)
        steps.append(_step(table, version, kind, found))
    return tuple(steps)


def between(book: PriceBook, first: date, last: date) -> Between:
    """What changed from one day to a later one, by all we know now.

    Raises:
        InputError: the days are not in order.
    """
    if last < first:
        raise InputError(f"{first} is after {last}; name the earlier day first")
    old, new = book.on(first), book.on(last)
    changed = []
    for price in old:
        if old[price] is not new[price]:
            found = tuple(one for one in differences(old[price], new[price]) if _is_terms(one.path))
            ids = [book.table(price).version_id(standing[price]) for standing in (old, new)]
            if found:
                changed.append(Changed(price=price, before=ids[0], after=ids[1], differences=found))
    retired = (price for price, version in new.items() if (day := version.lifecycle.retires_on) and first < day <= last)
    return Between(
        added=tuple(price for price in new if price not in old), changed=tuple(changed), retired=tuple(retired)
    )


def watch(book: PriceBook, day: date, older_than: timedelta = timedelta(days=STALE_DAYS)) -> Watch:
    """What needs looking after on `day`; prices that have retired by then are past caring."""
    served = book.sold_on(day)
    stale = {price: age for price, age in book.stale(day, older_than).items() if price in served}
    endings = [
        Ending(price=price, what=what, day=ends, successor=version.lifecycle.successor)
        for price, version in served.items()
        for what in ENDS
        if (ends := getattr(version.lifecycle, what)) is not None and ends > day
    ]
    return Watch(
        stale=dict(sorted(stale.items(), key=lambda item: (-item[1], item[0]))),
        unverified=tuple(price for price, version in served.items() if version.source.confidence == "unverified"),
        announced=tuple(sorted(_ahead(book, day), key=lambda step: (step.version.effective, step.version_id))),
        ending=tuple(sorted(endings, key=lambda ending: (ending.day, ending.price, ending.what))),
    )


def _ahead(book: PriceBook, day: date) -> Iterator[Step]:
    """Changes of rates or rules that come into force after `day`; a change that was called off differs in nothing."""
    for _, table in sorted(book.prices.items()):
        for coming in sorted({version.effective for version in table.versions if version.effective > day}):
            version = table.on(coming)
            earlier = [other for other in table.versions if other.effective < coming]
            before = table.on(coming - timedelta(days=1)) if earlier else None
            found = tuple(one for one in differences(before, version) if _is_terms(one.path))
            if found:
                kind: Kind = "change" if earlier else "first"
                yield _step(table, version, kind, found)


def _step(table: PriceTable, version: PriceVersion, kind: Kind, found: tuple[Difference, ...]) -> Step:
    return Step(price=table.id, version_id=table.version_id(version), version=version, kind=kind, differences=found)


def _kind(before: PriceVersion | None, version: PriceVersion, found: tuple[Difference, ...]) -> Kind:
    if before is None:
        return "first"
    if version.effective > before.effective:
        return "change"
    return "correction" if any(_is_terms(one.path) for one in found) else "notice"


def _is_terms(path: str) -> bool:
    """Whether a path is one of rates or rules: what a bill follows from."""
    return not path.startswith(("lifecycle.", "limits."))


def _told(version: PriceVersion) -> dict[str, Any]:
    return {**rates(version), **{part: _plain(getattr(version, part)) for part in TERMS}}


def _plain(value: Any) -> Any:
    """Dataclasses and tuples as mappings and lists; length tiers and daily windows keep their order."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _set(node: Any) -> Any:
    """Plain values without what is not set."""
    if isinstance(node, Mapping):
        return {key: kept for key, inner in node.items() if (kept := _set(inner)) not in (None, {}, [])}
    return [_set(inner) for inner in node] if isinstance(node, list) else node


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of everything that is set; tiers and windows go by their threshold and hours."""
    if isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif path in ("tiers", "windows"):
        for entry in node:
            named = {key: value for key, value in entry.items() if key not in ("above", "utc", "days")}
            where = f"above {entry['above']:,.0f}" if path == "tiers" else f"{entry['utc']} {entry['days']}"
            yield from _leaves(named, f"{path}.{where}")
    elif node is not None:
        yield path, node


def known_on(table: PriceTable, day: date) -> PriceTable | None:
    """The table as it could be known on a day; None where it had no price in force yet."""
    versions = tuple(version for version in table.versions if version.recorded <= day)
    if in_force(versions, day) is None:
        return None
    return dataclasses.replace(table, versions=versions)


def check_past(where: str, day: date, last: date) -> None:
    """Refuse to decide on a day after the last one whose prices are known.

    Args:
        where: what says the day.
        day: the day of a decision.
        last: today, or the day of the last price that was recorded where that is later.

    Raises:
        InputError: the day is after the last.
    """
    if day > last:
        raise InputError(f"{where}: {day} lies in the future, and its prices are not known; take a day up to {last}")
