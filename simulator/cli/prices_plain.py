"""Prices and their changes as plain values under stable keys: what `tunepoint prices` says with --json and --csv."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pricing.changes import Between, Difference, Step, Watch, rates
from pricing.table import PriceTable, PriceVersion

LISTED = ("id", "version", "effective", "input", "cached_input", "output", "confidence", "age_days", "retires_on")
HISTORY = ("version", "effective", "recorded", "kind", "path", "before", "after")
BETWEEN = ("id", "event", "path", "before", "after")
WATCH = ("id", "event", "day", "age_days")

Row = dict[str, Any]


def listed_row(table: PriceTable, version: PriceVersion, day: date) -> Row:
    """One line of the list; rates in USD per million tokens of standard service."""
    by_token = version.usd_per_mtok
    return {
        "id": table.id,
        "version": table.version_id(version),
        "effective": version.effective,
        "input": by_token.input,
        "cached_input": by_token.cached_input,
        "output": by_token.output,
        "confidence": version.source.confidence,
        "age_days": seen_days_ago(version, day),
        "retires_on": version.lifecycle.retires_on,
    }


def price_json(table: PriceTable, day: date) -> Row:
    """A price on a day under the keys that programs rely on.

    Raises:
        NotInForce: no version is in force on that day.
    """
    version = table.on(day)
    return {
        "id": table.id,
        "version": table.version_id(version),
        "base": table.base,
        "effective": version.effective,
        "recorded": version.recorded,
        "announced": version.announced,
        "rates": rates(version),
        "rules": dataclasses.asdict(version.rules),
        "lifecycle": dataclasses.asdict(version.lifecycle),
        "limits": dataclasses.asdict(version.limits),
        "source": dataclasses.asdict(version.source),
        "age_days": seen_days_ago(version, day),
    }


def seen_days_ago(version: PriceVersion, day: date) -> int:
    """Days since somebody looked at the source: as of today, or of `day` where that is still to come."""
    return (max(day, date.today()) - version.source.seen_on).days


def step_json(step: Step) -> Row:
    """A version and what it changed."""
    version = step.version
    return {
        "version": step.version_id,
        "effective": version.effective,
        "recorded": version.recorded,
        "kind": step.kind,
        "announced": version.announced,
        "confidence": version.source.confidence,
        "source": version.source.title,
        "changed": changed_json(step.differences),
    }


def step_rows(steps: Iterable[Step]) -> list[Row]:
    """A line for each figure that a version changed, and one for a version that changed none."""
    return _rows(
        HISTORY,
        (
            (step.version_id, step.version.effective, step.version.recorded, step.kind, *_cells(one))
            for step in steps
            for one in step.differences or (None,)
        ),
    )


def changed_json(found: Iterable[Difference]) -> list[Row]:
    """What differs, in the order in which it was found."""
    return [{"path": one.path, "before": one.before, "after": one.after} for one in found]


def between_json(found: Between) -> Row:
    """What two days differ in."""
    return {
        "added": list(found.added),
        "changed": [
            {"id": one.price, "before": one.before, "after": one.after, "changed": changed_json(one.differences)}
            for one in found.changed
        ],
        "retired": list(found.retired),
    }


def between_rows(found: Between) -> list[Row]:
    """What two days differ in, a line for each figure."""
    return _rows(
        BETWEEN,
        [
            *((price, "added", *_cells(None)) for price in found.added),
            *((one.price, "changed", *_cells(change)) for one in found.changed for change in one.differences),
            *((price, "retired", *_cells(None)) for price in found.retired),
        ],
    )


def watch_json(found: Watch, day: date) -> Row:
    """What to look after."""
    return {
        "stale": [{"id": price, "age_days": age} for price, age in found.stale.items()],
        "unverified": list(found.unverified),
        "announced": [step_json(step) for step in found.announced],
        "ending": [
            {"id": one.price, "what": one.what, "on": one.day, "days": (one.day - day).days, "successor": one.successor}
            for one in found.ending
        ],
    }


def watch_rows(found: Watch) -> list[Row]:
    """What to look after, a line each."""
    return _rows(
        WATCH,
        [
            *((price, "stale", None, age) for price, age in found.stale.items()),
            *((price, "unverified", None, None) for price in found.unverified),
            *((step.price, "announced", step.version.effective, None) for step in found.announced),
            *((one.price, one.what, one.day, None) for one in found.ending),
        ],
    )


def _cells(one: Difference | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if one is None else (one.path, one.before, one.after)


def _rows(columns: Sequence[str], cells: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in cells]
