"""What would flip the choice in words: the same flips in the same order and figures wherever they are told."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.domain.uncertain import Flips
from simulator.formats import reading, share, short

FOUR = 4
"""Significant digits of a value below ten; others are told whole."""


def flip_words(found: Flips) -> list[str]:
    """A sentence for every flip, the nearest first, with how many there are.

    >>> from simulator.domain.uncertain import Flip
    >>> row = Flip(path="options.a.prefix_tokens", label="Prompt", unit="tokens", today=2_600.0, at=10_592.6, to="b",
    ...            change=3.074, distance=3.074, kind="root")
    >>> flip_words(Flips(choice="a", rows=(row,), steady=(), idle=()))
    ['b wins once options.a.prefix_tokens rises from 2,600 tokens to 10,593 tokens (+307 %).']
    """
    return [
        f"{short(row.to)} wins once {row.path} {'rises' if row.at > row.today else 'falls'} from "
        f"{dial_value(row.today, row.unit)} to {flips_at(row.at, row.unit, row.today)} ({flip_change(row.change)})."
        for row in found.rows
    ]


def nearest_of(shown: Sequence[object], found: Sequence[object]) -> str:
    """How many of all are shown, where it is not all.

    >>> nearest_of([1, 2], [1, 2, 3]), nearest_of([1], [1])
    ('the nearest 2 of 3', 'all 1')
    """
    return f"the nearest {len(shown)} of {len(found)}" if len(shown) < len(found) else f"all {len(found)}"


def flip_change(change: float | None) -> str:
    """A relative change; a dial that stands at zero has none."""
    return "from zero" if change is None else f"{'+' if change > 0 else '-'}{share(abs(change))}"


def flips_at(at: float, unit: str, today: float) -> str:
    """Where a dial flips the choice, rounded away from today, so that it does so at the number said.

    >>> flips_at(10_592.6, "tokens", 2_600), flips_at(0.136177, "x", 1.0), flips_at(0.301041, "share", 0.9)
    ('10,593 tokens', '0.1361 x', '30 %')
    """
    if not at:
        return dial_value(at, unit)
    size = abs(at)
    whole = math.floor(math.log10(size)) + 1
    digits = 2 if unit == "share" else FOUR if size < 10 else min(whole, 3) if size >= 1e6 else whole
    step = 10.0 ** (whole - digits)
    outward = math.ceil if at > today else math.floor
    kept = float(f"{outward(at / step + (-1e-6 if at > today else 1e-6)) * step:.{digits}g}")
    return dial_value(kept, unit)


def dial_value(value: float, unit: str) -> str:
    """A value of a dial with its unit, small ones to four digits.

    >>> dial_value(50_000, "1/day"), dial_value(0.1361, "x"), dial_value(0.9, "share")
    ('50,000 calls a day', '0.1361 x', '90 %')
    """
    if unit == "share":
        return share(value)
    return reading(value, unit) if abs(value) >= 10 or unit == "1/day" else f"{value:.{FOUR}g} {unit}".strip()
