"""How an answer leaves the program: JSON, CSV, or sentences and tables that fit a narrow terminal."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pricing.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDEST = 1000
"""Columns that a table may fill where nobody sees a screen, so that no line of a pipe is cut."""


def emit(text: str) -> None:
    """Write to standard output at once.

    Raises:
        BrokenPipeError: nobody reads any more.
        InputError: it is closed, or cannot be written; the disk may be full.
    """
    _check_stdout()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise InputError(f"standard output cannot be written ({error.strerror or error}); send it elsewhere") from None


def _check_stdout() -> None:
    if sys.stdout is None:                                      # as the shell's `>&-` leaves it
        raise InputError("standard output cannot be written (it is closed); send it elsewhere")


def give_up_stdout() -> None:
    """Let what is still buffered go nowhere, or Python would complain of it on its way out."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def emit_json(value: Any) -> None:
    """Plain values as JSON; what is not a finite number is null, dates are text."""
    from simulator import as_json

    emit(as_json(value))


def emit_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows as CSV; without rows its head still stands."""
    from simulator import as_csv

    emit(as_csv(rows) if rows else ",".join(columns) + "\n")


def say(*parts: RenderableType) -> None:
    """Sentences and tables for a person; without colours where no terminal reads, and no table cut there."""
    from rich.table import Table

    _check_stdout()
    page = _Page()
    for part in parts:
        console = _console(page)
        if isinstance(part, Table) and part.box and not console.is_terminal:
            wide = console.options.update(width=WIDEST)
            console.width = max(console.width, console.measure(part, options=wide).maximum)
        console.print(part)
    text = page.getvalue()
    emit(text if page.isatty() else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def points(items: Iterable[str], before: str = "- ") -> RenderableType:
    """Sentences under one another, each behind its mark, later lines of one indented."""
    from rich.table import Table

    grid = Table.grid(padding=0)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for item in items:
        grid.add_row(before, item)
    return grid


def table(columns: Mapping[str, str], rows: Iterable[Sequence[str]], title: str = "") -> RenderableType:
    """Rows under heads.

    Args:
        columns: head to how its cells stand: `left` (may wrap), `right` (a number, never cut) or `fixed` (a word).
        rows: cells in the order of the columns.
        title: a line above, or none.
    """
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for head, stands in columns.items():
        found.add_column(
            head, justify="right" if stands == "right" else "left", no_wrap=stands != "left", overflow="fold"
        )
    for row in rows:
        found.add_row(*row)
    return found


class _Page(io.StringIO):
    """Text on its way to standard output, which a console takes for standard output itself."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stdout.encoding or "utf-8"

    def isatty(self) -> bool:
        return sys.stdout.isatty()


def _console(page: _Page) -> Console:
    from rich.console import Console

    return Console(file=page, markup=False, highlight=False, emoji=False)
