"""Knows a file of counts per window by its header, and reads its columns block by block, bad rows told by line."""

from __future__ import annotations

import csv
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.intake.trace_faults import LONGEST_LINE, fields_of, has_zone, open_arrow, open_plain

Array = NDArray[np.float64]
Block = tuple[Array, Array, tuple[Array | None, Array | None]]
"""Starts in seconds, counts or rates, and mean tokens in and out where they are named."""

START = "window_start_s"
STARTS = (START, "window_start", "window", "timestamp", "time")
"""Seconds, or days and times as 2026-11-23 09:00:00."""
CALLS = ("calls", "count", "requests")
RATES = ("total_rate_rps", "rate_rps", "calls_per_s", "requests_per_s", "rate", "rps", "qps")
MEANS = (("input_tokens_mean", "mean_input_tokens"), ("output_tokens_mean", "mean_output_tokens"))
_HEAD = 65_536
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountColumns:
    """Which column holds what.

    Attributes:
        start: where a window begins.
        value: its calls, or calls a second if `per_s`.
        per_s: see `value`.
        means: mean tokens in and out of its calls, None where not named.
        dated: whether a start is a day and time rather than seconds.
        zoned: whether such a start names a zone.
        parquet: whether the file is Parquet rather than CSV.
    """

    start: str
    value: str
    per_s: bool
    means: tuple[str | None, str | None]
    dated: bool = False
    zoned: bool = False
    parquet: bool = False

    @property
    def names(self) -> list[str]:
        """Every column that is read."""
        return [self.start, self.value, *(name for name in self.means if name is not None)]


def columns_of(path: Path) -> CountColumns | None:
    """The columns of a file of counts: one of `STARTS`, one of `CALLS` or `RATES`, perhaps of `MEANS`; else None.

    Raises:
        InputError: the header names window_start_s and neither a count nor a rate.
    """
    try:
        with open_plain(path) as stream:
            head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return None                                             # the reader of traces tells what is wrong
    if head.startswith(_PARQUET):
        import pyarrow as pa
        import pyarrow.parquet

        try:
            schema = pyarrow.parquet.read_schema(path)
        except (OSError, pa.ArrowException):
            return None
        found = _named(path, schema.names)
        if found is None:
            return None
        kind = schema.field(found.start).type
        dated = pa.types.is_timestamp(kind)
        return _of(found, dated=dated, zoned=dated and kind.tz is not None, parquet=True)
    lines = re.split(r"[\r\n]+", head.decode("utf-8-sig", "replace"))
    found = _named(path, fields_of(lines[0]))
    if found is None:
        return None
    row = next((line for line in lines[1:] if line), "")
    begin = dict(zip(fields_of(lines[0]), fields_of(row), strict=False)).get(found.start, "")
    dated = re.match(r"\d{4}-\d\d-\d\d", begin.strip()) is not None
    return _of(found, dated=dated, zoned=dated and has_zone(begin.strip()), parquet=False)


def _named(path: Path, header: list[str]) -> CountColumns | None:
    def first(names: tuple[str, ...]) -> str | None:
        return next((name for name in names if header.count(name) == 1), None)

    start, calls, rate = first(STARTS), first(CALLS), first(RATES)
    value = calls or rate
    if start is None or value is None:
        if START in header:
            raise InputError(f"{path}: the header is {','.join(header)[:80]!r}; it must name {START} and {CALLS[0]} "
                             f"(or {', '.join((*CALLS[1:], *RATES))})")
        return None
    return CountColumns(start=start, value=value, per_s=calls is None, means=(first(MEANS[0]), first(MEANS[1])))


def _of(found: CountColumns, *, dated: bool, zoned: bool, parquet: bool) -> CountColumns:
    return CountColumns(start=found.start, value=found.value, per_s=found.per_s, means=found.means, dated=dated,
                        zoned=zoned, parquet=parquet)


def count_blocks(path: Path, columns: CountColumns) -> Iterator[Block]:
    """Blocks of windows in the order of the file.

    Raises:
        InputError: a row cannot be read, with its line where the file has lines.
    """
    import pyarrow as pa

    rows = 0
    try:
        for batch in _batches(path, columns):
            block = _block(batch, columns)
            rows += batch.num_rows
            if batch.num_rows:
                yield block
    except pa.ArrowException as error:
        raise InputError(_fault(path, columns, rows, str(error).partition("\n")[0][:160])) from None


def _block(batch: Any, columns: CountColumns) -> Block:
    """Columns of one batch, checked.

    Raises:
        pyarrow.ArrowInvalid: a value is missing or out of range.
    """
    import pyarrow as pa

    start, value = batch.column(columns.start), batch.column(columns.value)
    if start.null_count or value.null_count:
        raise pa.ArrowInvalid("a value is missing")
    if columns.dated:
        starts = start.cast(pa.timestamp("ns", tz=start.type.tz)).to_numpy(zero_copy_only=False).view(np.int64) / 1e9
    else:
        starts = start.cast(pa.float64()).to_numpy()
    values = value.cast(pa.float64()).to_numpy()
    means = [
        None if name is None else batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in columns.means
    ]
    good = np.isfinite(starts) & (values >= 0) & np.isfinite(values)
    for mean in means:
        if mean is not None:
            good &= ((mean >= 0) & np.isfinite(mean)) | (np.isnan(mean) & (values == 0))
    if not good.all():
        raise pa.ArrowInvalid("a value is out of range")
    return starts, values, (means[0], means[1])


def _batches(path: Path, columns: CountColumns) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv as lines
    from pyarrow import parquet

    if columns.parquet:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=65_536, columns=columns.names)
        return
    types = dict.fromkeys(columns.names, pa.float64())
    if columns.dated:
        types[columns.start] = pa.timestamp("ns", tz="UTC" if columns.zoned else None)
    convert = lines.ConvertOptions(include_columns=columns.names, column_types=types, null_values=[""])
    blocks = lines.ReadOptions(block_size=LONGEST_LINE, use_threads=False)
    with (
        open_arrow(path) as plain,
        lines.open_csv(plain, blocks, convert_options=convert) as reader,
    ):
        yield from reader


def _fault(path: Path, columns: CountColumns, rows: int, problem: str) -> str:
    """The sentence about the first bad row after `rows` good ones, by its line where there are lines."""
    if columns.parquet:
        return f"{path}: cannot be read as counts per window ({problem}); a count is zero or more"
    with open_plain(path) as plain:
        table = csv.reader(io.TextIOWrapper(plain, encoding="utf-8-sig", errors="backslashreplace", newline=""))
        header = next(table, [])
        done = 0
        try:
            for row in table:
                if not row:
                    continue
                done += 1
                if done > rows and (what := _fault_in(row, header, columns)):
                    return f"{path}: line {table.line_num}: {what}"
        except csv.Error as error:
            return f"{path}: line {table.line_num}: cannot be read ({error}); write one window a line"
    return f"{path}: cannot be read as counts per window ({problem}); write it again as {','.join(columns.names)}"


def _fault_in(row: list[str], header: list[str], columns: CountColumns) -> str:
    if len(row) != len(header):
        return f"{','.join(row)[:60]!r} has {len(row)} fields instead of {len(header)}"
    named = dict(zip(header, row, strict=True))
    begin, value = named[columns.start], named[columns.value]
    try:
        start = datetime.fromisoformat(begin.strip()).timestamp() if columns.dated else float(begin)
        calls = float(value)
    except ValueError:
        two = "a day and time, and a number" if columns.dated else "two numbers"
        return f"{begin + ',' + value!r} is not {two}"
    if not (math.isfinite(start) and 0 <= calls < math.inf):
        return f"{calls:g} calls; a count is zero or more"
    for name in columns.means:
        if name is None or (calls == 0 and not named[name]):    # of no calls there is no mean
            continue
        if not re.fullmatch(r"\d+(\.\d*)?([eE][+-]?\d+)?", named[name].strip()):
            return f"{name} is {named[name][:40]!r}; mean tokens are a number of zero or more"
    return ""
