"""Rows as a workbook or as Markdown; text that looks like a formula gets an apostrophe, numbers stay numbers."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pricing.errors import InputError
from simulator.files.results import finite, safe_cell

Rows = Sequence[Mapping[str, Any]]
LONGEST_SHEET_NAME = 31


def as_xlsx(tables: Mapping[str, Rows]) -> bytes:
    """Tables as the sheets of one workbook, head in bold and fixed.

    Raises:
        InputError: openpyxl is not installed.
    """
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
        styles: Any = importlib.import_module("openpyxl.styles")
    except ImportError:
        raise InputError('XLSX needs openpyxl; install it with pip install "tunepoint[export]"') from None
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        sheet = book.create_sheet(name[:LONGEST_SHEET_NAME])
        columns = list(rows[0]) if rows else []
        sheet.append([safe_cell(column) for column in columns])
        for row in rows:
            sheet.append([_cell(row.get(column)) for column in columns])
        for cell in sheet[1]:
            cell.font = styles.Font(bold=True)
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_markdown(rows: Rows) -> str:
    r"""Rows as a GitHub table; a bar inside a cell is escaped.

    >>> print(as_markdown([{"line": "a|b", "usd": 1.5}]))
    | line | usd |
    |:-----|----:|
    | a\|b | 1.5 |
    <BLANKLINE>
    """
    columns = list(rows[0]) if rows else []
    right = [all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in columns]
    body = [[_word(row.get(name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *body, strict=True)] if rows else []
    lines = ["| " + " | ".join(map(str.ljust, columns, widths)) + " |"]
    rule = ("-" * (width + 1) + ":" if aligned else ":" + "-" * (width + 1)
            for width, aligned in zip(widths, right, strict=True))
    lines.append("|" + "|".join(rule) + "|")
    lines += ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in body]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> Any:
    value = safe_cell(finite(value))
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


def _word(value: Any) -> str:
    value = finite(value)
    if value is None:
        return ""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
