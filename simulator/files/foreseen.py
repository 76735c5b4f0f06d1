"""Reads `outlook: history` as the numbers that the shipped tables show up to the first day of the scenario."""

from __future__ import annotations

import dataclasses
import math
from datetime import date

from pricing.errors import InputError
from pricing.load import shipped_book
from pricing.load_checked import checked, shown
from simulator.domain.outlook import drift
from simulator.files.layers import Layered

HISTORY = "history"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A page in which the numbers of history stand, and where they come from, by path."""

    page: Layered
    sources: dict[str, str] = dataclasses.field(default_factory=dict)


def with_outlook(page: Layered) -> Foreseen:
    """The page with the numbers of an outlook that is taken from history.

    Raises:
        InputError: neither `history` nor numbers, or no price had changed by then.
    """
    asked = page.value.get("outlook")
    if asked is None or isinstance(asked, dict):
        return Foreseen(page=page)
    if asked != HISTORY:
        raise InputError(
            f"{page.where(('outlook',))}: {shown(asked)} is no outlook; write {HISTORY}, or "
            "{changes_per_year: 0.4, factors: [0.5, 0.8, 1.2]}"
        )
    start = checked(date, page.value.get("start"), page, ("start",))
    moves = drift(tuple(shipped_book().prices.values()), start)
    if not moves.changes:
        raise InputError(
            f"{page.where(('outlook',))}: no price in the tables had changed by {start}; write "
            "{changes_per_year: 0.4, factors: [0.5, 0.8, 1.2]}"
        )
    found = {
        "changes_per_year": round(moves.per_year, 6),
        "factors": [round(math.exp(change), 6) for change in sorted(moves.changes)],
    }
    watched = f"{moves.tables} tables in {moves.years:.0f} table-years up to {start}"
    said = f"history: {len(moves.changes)} price changes of {watched}"
    whole = dataclasses.replace(page, value={**page.value, "outlook": found})
    return Foreseen(page=whole, sources=dict.fromkeys((f"outlook.{key}" for key in found), said))
