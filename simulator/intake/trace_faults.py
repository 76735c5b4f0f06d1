"""Finds the first line of a trace that cannot be read, and says in one sentence what is wrong with it.

The fast reader in `trace.py` knows only that a block of rows failed. It then calls this slow one, which reads line
by line from there, so that a user is told the line as an editor counts it.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

STAMP, *COUNTS = COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
# Above any context window, and small enough that four billion rows sum exactly in 64 bits.
MOST_TOKENS = 2**31 - 1
LONGEST_LINE = 2**20  # characters; three fields take about 40
GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file for reading its bytes, unpacked where it is gzip."""
    with path.open("rb") as stream:
        packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        stream.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked
        else:
            yield stream


@contextmanager
def open_arrow(path: Path) -> Iterator[Any]:
    """The same for Arrow's readers: a plain file as one of Arrow's own.

    Its threads may still hold a file of Python's when the program ends, which then hangs or aborts
    (apache/arrow issue 50482).
    """
    import pyarrow as pa

    with open_plain(path) as plain:
        if isinstance(plain, gzip.GzipFile):
            yield plain
        else:
            with pa.OSFile(str(path)) as own:
                yield own


def cut_notes(path: Path) -> tuple[str, ...]:
    """A note on a text whose last line has no line end, else none: nothing shows whether it was cut short."""
    last = b"\n"
    with path.open("rb") as stream:
        packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        if not packed:
            stream.seek(-1, io.SEEK_END)
            last = stream.read(1)
    if packed:
        with open_plain(path) as plain:
            while block := plain.read(LONGEST_LINE):
                last = block[-1:]
    if last in (b"\n", b"\r"):
        return ()
    return (f"{path}: the last line has no line end: if the file was cut short, its last number may be too",)


def fields_of(row: str) -> list[str]:
    """Return the fields of one row of CSV.

    >>> fields_of('"a",b,')
    ['a', 'b', '']
    """
    return next(csv.reader([row]), [])


def has_zone(stamp: str) -> bool:
    """Tell whether a stamp names its offset from UTC.

    >>> has_zone("2024-05-10 00:00:00.009930+00:00"), has_zone("2023-11-16")
    (True, False)
    """
    return re.search(r":.*(Z|[+-]\d\d(:?\d\d)?)$", stamp) is not None


def first_fault(path: Path, zoned: bool, rows_read: int, problem: str) -> str:
    """Return the sentence about the first bad row of a trace.

    Args:
        path: the trace.
        zoned: whether the first stamp of the trace names a zone, so that all must.
        rows_read: rows known to be good, counted without the header and blank lines; the search begins after.
        problem: what the fast reader said, for the case that each row looks right by itself.
    """
    with open_plain(path) as plain:
        text = io.TextIOWrapper(plain, encoding="utf-8-sig", errors="backslashreplace")
        columns: list[str] = []
        rows = number = 0
        try:
            while line := text.readline(LONGEST_LINE):
                number += 1
                row = line.rstrip("\n")
                if not row:
                    continue
                if not columns:
                    columns = fields_of(row)
                    continue
                rows += 1
                if rows > rows_read and (fault := _fault_in(row, columns, zoned)):
                    where = f"line {number}" if text.read(1) else f"line {number}, the last"
                    return f"{path}: {where}: {fault}"
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            problem = f"damaged gzip: {error}"
    return f"{path}: cannot be read as a trace ({problem}); write it again as CSV with the columns {','.join(COLUMNS)}"


def _fault_in(row: str, columns: list[str], zoned: bool) -> str:
    """Return what is wrong with one row and what would be right, or nothing."""
    if len(row) >= LONGEST_LINE - 1:
        return f"longer than a million characters; a row has the {len(columns)} fields {','.join(columns)}"
    fields = fields_of(row)
    if len(fields) != len(columns):
        found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        remedy = "fetch the file again if it was cut off here, else delete the line"
        return f"{row[:60]!r} has {found} instead of {len(columns)}; {remedy}"
    named = dict(zip(columns, fields, strict=True))
    if fault := stamp_fault(named[STAMP], zoned):
        return fault
    for column in COUNTS:
        value = named[column].strip()
        if not (re.fullmatch("[0-9]{1,19}", value) and int(value) <= MOST_TOKENS):
            return f"{column} is {value[:40]!r}; it must be a whole number from 0 to {MOST_TOKENS}"
    return ""


def stamp_fault(value: str, zoned: bool) -> str:
    """Return what is wrong with a stamp of text and what would be right, or nothing.

    >>> stamp_fault("2023-11-16 18:17:03.9799600", zoned=False)
    ''
    """
    if _is_stamp(value, zoned):
        return ""
    zone = "+00:00, with a zone as the first row has one" if zoned else ", without a zone as the first row has none"
    return (
        f"{STAMP} is {value[:40]!r}; write a real day and time (years 1678 to 2261, at most nine decimals)"
        f" as 2023-11-16 18:17:03.9799600{zone}"
    )


def _is_stamp(value: str, zoned: bool) -> bool:
    """Tell whether the fast reader takes this stamp: a real day and time within 64 bits of nanoseconds."""
    import pyarrow as pa

    try:
        pa.array([value]).cast(pa.timestamp("ns", tz="UTC" if zoned else None))
    except pa.ArrowInvalid:
        return False
    return True
