"""What several commands take: flags said once, and the values typed after them."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Lay a value over the scenario file; may be repeated."),
]
Bare = Annotated[bool, typer.Option("--bare", help="Set every default cost to zero: only what is written counts.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same numbers.")]
On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day asked for (default: today).")]


def typed_path(text: str) -> Path:
    """A place to write to, typed after a flag; nothing typed would be the current folder.

    Raises:
        InputError: it is empty.
    """
    if not text.strip():
        raise InputError('the place to write to is ""; name a file or folder, or . for the current one')
    return Path(text)


def written_to(flag: str, metavar: str, said: str) -> Any:
    """A flag that names where to write."""
    return typer.Option(flag, parser=typed_path, metavar=metavar, help=said)


def one_form(json: bool, csv: bool) -> None:
    """Refuse two forms of output at once."""
    if json and csv:
        raise InputError("--json and --csv: choose one of them")


def typed_day(text: str, flag: str) -> date:
    """A date typed after a flag.

    Raises:
        InputError: it is not written YYYY-MM-DD, or no such day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f'{flag}: "{text}" is not a date; write YYYY-MM-DD') from None


def typed_number(text: str, flag: str) -> float:
    """A number typed after a flag: `1e6`, `0.05` and `50_000` are numbers.

    Raises:
        InputError: it is none, or not finite.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f'{flag}: "{text}" is not a number; write it as in 50000 or 1e6')
    return number


def typed_share(text: str, flag: str) -> float:
    """A share typed after a flag: `1%` and `0.01` are the same.

    Raises:
        InputError: it is no number, or not between 0 and 1.
    """
    percent = text.strip().endswith("%")
    share = typed_number(text.strip().removesuffix("%"), flag) / (100.0 if percent else 1.0)
    if not 0 < share < 1:
        raise InputError(f'{flag}: "{text}" is not a share above 0 and below 1; write it as in 1% or 0.01')
    return share


def day_or_today(text: str | None, flag: str = "--on") -> date:
    """The day typed after a flag, or today: the only clock of this program."""
    return date.today() if text is None else typed_day(text, flag)


def past_day(text: str, flag: str, recorded: date) -> date:
    """The day typed after a flag, not after today nor after the last price that is known, recorded on a day.

    Raises:
        InputError: it is no date, or lies in the future.
    """
    from pricing.changes import check_past

    day = typed_day(text, flag)
    check_past(flag, day, max(day_or_today(None), recorded))
    return day
