"""What would flip the choice in words: the same flips in the same order and figures wherever they are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from simulator.domain.uncertain import SIGNIFICANT_DIGITS, Flips, told_at
from simulator.formats import quantity, share, short

BY_NAME = ("wages_usd_per_hour", "one_off_usd", "recurring_usd_per_month")
"""Fields that hold an amount by name; all of them share a label."""


def flip_words(found: Flips) -> list[str]:
    """A sentence for every flip, the nearest first, with how many there are.

    >>> from simulator.domain.uncertain import Flip
    >>> row = Flip(path="options.a.prefix_tokens", label="Prompt", unit="tokens", today=2_600.0, at=10_592.6, to="b",
    ...            change=3.074, distance=3.074, kind="root")
    >>> flip_words(Flips(choice="a", rows=(row,), steady=(), idle=()))
    ['b wins once "Prompt, a" rises from 2,600 tokens to 10,600 tokens (+307 %).']
    """
    return [
        f'{short(row.to)} wins once "{name}" {"rises" if row.at > row.today else "falls"} from '
        f"{dial_value(row.today, row.unit)} to {flips_at(row.at, row.unit, row.today)}"
        f"{'' if row.unit.startswith('share') else f' ({flip_change(row.change)})'}."   # percent of percent misleads
        for name, row in zip(dial_names(found.rows), found.rows, strict=True)
    ]


class Named(Protocol):
    """A row about a dial."""

    @property
    def path(self) -> str:
        """Where the dial is."""

    @property
    def label(self) -> str:
        """What it is called."""


def dial_names(rows: Sequence[Named]) -> list[str]:
    """Each row's dial as a person says it; two that would read alike keep their paths, as they must stay apart."""
    names = [dial_name(row.path, row.label) for row in rows]
    return [name if names.count(name) == 1 else row.path for name, row in zip(names, rows, strict=True)]


def dial_name(path: str, label: str) -> str:
    """A dial by its label, with what it is an amount of and whose it is.

    >>> dial_name("options.cheap.price_factor", "Price factor"), dial_name("workload.calls_per_day", "Calls per day")
    ('Price factor, cheap', 'Calls per day')
    >>> dial_name("wages_usd_per_hour.engineer", "Wage"), dial_name("options.a.one_off_usd.build", "Paid once")
    ('Wage (engineer)', 'Paid once (build), a')
    """
    parts = path.split(".")
    key = f" ({parts[-1]})" if len(parts) > 1 and parts[-2] in BY_NAME else ""
    return f"{label}{key}" + (f", {parts[1]}" if parts[0] == "options" else "")


def nearest_of(shown: Sequence[object], found: Sequence[object]) -> str:
    """How many of all are shown, where it is not all.

    >>> nearest_of([1, 2], [1, 2, 3]), nearest_of([1], [1, 2, 3]), nearest_of([], [1, 2, 3])
    ('the nearest 2 of 3', 'the nearest of 3', 'none of 3')
    >>> nearest_of([1, 2], [1, 2]), nearest_of([1], [1]), nearest_of([], [])
    ('all 2', 'the only one', 'none')
    """
    some, every = len(shown), len(found)
    if some < every:
        return f"the nearest {some} of {every}" if some > 1 else f"{'the nearest' if some else 'none'} of {every}"
    return f"all {every}" if every > 1 else "the only one" if every else "none"


def flip_change(change: float | None) -> str:
    """A relative change; a dial that stands at zero has none."""
    return "from zero" if change is None else f"{'+' if change > 0 else '-'}{share(abs(change))}"


def flips_at(at: float, unit: str, today: float) -> str:
    """Where a dial flips the choice, rounded away from today, so that it does so at the number said.

    >>> flips_at(10_592.6, "tokens", 2_600), flips_at(12.7763, "USD", 50.0), flips_at(0.136177, "x", 1.0)
    ('10,600 tokens', '12.77 USD', '0.1361 x')
    >>> flips_at(0.301041, "share", 0.9), flips_at(0.0166377, "share", 0.05)
    ('30.1 %', '1.663 %')
    """
    return _written(told_at(at, today), unit)


def dial_value(value: float, unit: str) -> str:
    """A value of a dial with its unit: as many digits as where it flips, and whole at least.

    >>> dial_value(50_000, "1/day"), dial_value(0.1361, "x"), dial_value(0.9, "share"), dial_value(12.3456, "USD")
    ('50,000 calls a day', '0.1361 x', '90 %', '12.35 USD')
    >>> dial_value(0.08, "share a year")
    '8 % a year'
    """
    return _written(float(f"{value:.{max(SIGNIFICANT_DIGITS, _whole_digits(value))}g}"), unit)


def _whole_digits(value: float) -> int:
    """Digits before the point; below a tenth less than none."""
    return math.floor(math.log10(abs(value))) + 1 if value else 0


def _written(value: float, unit: str) -> str:
    """A rounded value to its last digit."""
    if unit.startswith("share"):
        return f"{quantity(100.0 * value)} %{unit.removeprefix('share')}"
    return f"{quantity(value)} {'calls a day' if unit == '1/day' else unit}".strip()
