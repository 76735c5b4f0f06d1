"""Reads a log of calls (when, tokens in, tokens out) into arrays, and describes the demand it holds.

The file is the CSV of the Azure LLM inference traces (Patel et al., "Splitwise", ISCA 2024): columns TIMESTAMP,
ContextTokens and GeneratedTokens, plain or gzip.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.intake.trace_faults import (
    COLUMNS,
    COUNTS,
    LONGEST_LINE,
    MOST_TOKENS,
    STAMP,
    cut_notes,
    fields_of,
    first_fault,
    has_zone,
    open_arrow,
    open_plain,
)
from simulator.intake.trace_shapes import shape_blocks, shape_of

Counts = NDArray[np.int64]

NS_PER_S = 1_000_000_000
DISPERSION_WINDOWS_S = (1, 10, 60, 300)
LONGEST_SPAN_S = 100 * 366 * 86_400
WINDOW_START = "window_start_s"
"""The column by which a file of calls counted per window is known; `counts.py` reads such files."""
_HEAD_BYTES = 65_536  # enough for a header and a row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Calls in order of time, one element of each array a call; the arrays cannot be written to.

    Attributes:
        source: the file it was read from.
        first_ns: the first stamp, ns since 1970-01-01 00:00; UTC where the stamps name a zone, else as they stand.
        stamps_ns: ns since the first stamp, never falling, shape (rows,).
        input_tokens: tokens read, shape (rows,).
        output_tokens: tokens written, shape (rows,).
        notes: what the reader changed or doubts, a sentence each.
    """

    source: str
    first_ns: int
    stamps_ns: Counts
    input_tokens: Counts
    output_tokens: Counts
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = (self.stamps_ns, self.input_tokens, self.output_tokens)
        if any(column.dtype != np.int64 or column.shape != (len(self),) for column in columns) or not len(self):
            raise ValueError("a trace is three int64 arrays of one length, at least 1")
        if self.stamps_ns[0] != 0 or np.any(self.stamps_ns[1:] < self.stamps_ns[:-1]):
            raise ValueError("the stamps of a trace begin at 0 and never fall")
        if min(self.input_tokens.min(), self.output_tokens.min()) < 0:
            raise ValueError("a call cannot have fewer than 0 tokens")
        for column in columns:
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.stamps_ns)

    @property
    def started_at(self) -> datetime:
        """Day and time of the first call, cut to microseconds, on the clock of `first_ns`."""
        return datetime(1970, 1, 1) + timedelta(microseconds=self.first_ns // 1000)


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace; rows out of order are sorted (equal stamps keep the order of the file) and a note says so.

    Args:
        path: a CSV file, plain or gzip, whose header names TIMESTAMP, ContextTokens and GeneratedTokens; or one of
            the shapes of `trace_shapes`.

    Raises:
        InputError: not a file, empty, binary, not UTF-8, another header, no rows, or a row that cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = "a folder or a device cannot be a trace" if path.exists() else "there is no such file"
            raise InputError(f"{path}: {what}; name a CSV file with the columns {','.join(COLUMNS)}")
        shape = shape_of(path)
        if shape is None:
            stamps, inputs, outputs = _read_columns(path, zoned=check_head(path))
        else:
            parts = zip(*shape_blocks(path, shape), strict=True)
            stamps, inputs, outputs = (np.concatenate(column) for column in parts)
        notes = list(cut_notes(path)) if shape is None or shape.form == "csv" else []
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(
            f"{str(path)!r}: cannot be read ({reason}); check that it is whole and yours to read"
        ) from None
    if np.any(stamps[1:] < stamps[:-1]):
        order = np.argsort(stamps, kind="stable")
        stamps, inputs, outputs = stamps[order], inputs[order], outputs[order]
        notes.append(f"{path}: the rows were not in order of time and were sorted")
    first_ns, last_ns = int(stamps[0]), int(stamps[-1])
    if last_ns - first_ns > LONGEST_SPAN_S * NS_PER_S:
        first, last = (np.datetime64(ns, "ns").astype("datetime64[D]") for ns in (first_ns, last_ns))
        raise InputError(f"{path}: the stamps run from {first} to {last}; a trace spans at most 100 years")
    stamps -= first_ns
    return Trace(
        source=str(path),
        first_ns=first_ns,
        stamps_ns=stamps,
        input_tokens=inputs,
        output_tokens=outputs,
        notes=tuple(notes),
    )


def check_head(path: Path) -> bool:
    """Refuse what its first bytes show to be no trace, and tell whether the stamps name a zone."""
    with open_plain(path) as plain:
        head = plain.read(_HEAD_BYTES)
    expected = ",".join(COLUMNS)
    if not head.strip():
        raise InputError(f"{path}: the file is empty; a trace has the columns {expected} and a row for each call")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: the file is UTF-16 text; save it as UTF-8")
    if b"\0" in head:
        raise InputError(f"{path}: the file is binary; a trace is CSV text with the columns {expected}")
    rows = [row for row in re.split("[\r\n]+", head.decode("utf-8-sig", "backslashreplace")) if row]
    header = fields_of(rows[0])
    if WINDOW_START in header:
        raise InputError(f"{path}: holds calls counted per window, not single calls; ask tunepoint trace with --fit")
    if any(header.count(column) != 1 for column in COLUMNS):
        raise InputError(f"{path}: the header is {rows[0][:80]!r}; it must name the columns {expected}, each once")
    if len(rows) == 1:
        raise InputError(f"{path}: there is a header and no row; a trace has a row for each call, at least one")
    return has_zone(dict(zip(header, fields_of(rows[1]), strict=False)).get(STAMP, ""))


def _read_columns(path: Path, zoned: bool) -> tuple[Counts, Counts, Counts]:
    """Return stamps (ns since 1970) and both token columns, in the order of the file."""
    columns = [np.empty(0, dtype=np.int64) for _ in COLUMNS]
    rows = 0
    for block in azure_blocks(path, zoned):
        end = rows + len(block[0])
        for values, column in zip(block, columns, strict=True):
            if end > len(column):  # grown in place: joining blocks at the end would hold everything twice
                column.resize(2 * end, refcheck=False)
            column[rows:end] = values
        rows = end
    for column in columns:
        column.resize(rows, refcheck=False)
    stamps, inputs, outputs = columns
    return stamps, inputs, outputs


def azure_blocks(path: Path, zoned: bool) -> Iterator[tuple[Counts, Counts, Counts]]:
    """Blocks of stamps (ns since 1970) and both token columns, in the order of the file.

    Raises:
        InputError: a row cannot be read.
    """
    import pyarrow as pa
    from pyarrow import csv

    types = {STAMP: pa.timestamp("ns", tz="UTC" if zoned else None)} | dict.fromkeys(COUNTS, pa.int64())
    convert = csv.ConvertOptions(include_columns=COLUMNS, column_types=types, null_values=[])
    rows = 0
    try:
        blocks = csv.ReadOptions(block_size=LONGEST_LINE, use_threads=False)
        with (
            open_arrow(path) as plain,
            csv.open_csv(plain, blocks, convert_options=convert) as reader,
        ):
            for batch in reader:
                block = tuple(batch.column(name).to_numpy().view(np.int64) for name in COLUMNS)
                for name, values in zip(COUNTS, block[1:], strict=True):
                    if np.any((values < 0) | (values > MOST_TOKENS)):
                        raise InputError(first_fault(path, zoned, rows, f"{name} out of range"))
                rows += batch.num_rows
                yield block
    except pa.ArrowInvalid as error:
        raise InputError(first_fault(path, zoned, rows, str(error).partition("\n")[0][:200])) from None


def describe(trace: Trace) -> dict[str, Any]:
    """Return what a trace says of demand, ready for JSON.

    Keys: `rows`, `span_s` (first to last stamp), `input_tokens` and `output_tokens` (exact sums), `input` and
    `output` (tokens a call: `mean, p50, p95, p99, max`, percentiles interpolated linearly), `interarrival_cv`
    (standard deviation, n - 1, over mean of the gaps; None under two gaps or without any) and `dispersion` by
    window (see `dispersion`).
    """
    return {
        "rows": len(trace),
        "span_s": int(trace.stamps_ns[-1]) / NS_PER_S,
        "input_tokens": int(trace.input_tokens.sum()),
        "output_tokens": int(trace.output_tokens.sum()),
        "input": _describe_counts(trace.input_tokens),
        "output": _describe_counts(trace.output_tokens),
        "interarrival_cv": _interarrival_cv(trace.stamps_ns),
        "dispersion": {f"{window}s": dispersion(trace.stamps_ns, window) for window in DISPERSION_WINDOWS_S},
    }


def _describe_counts(counts: Counts) -> dict[str, float | int]:
    p50, p95, p99 = np.percentile(counts, (50, 95, 99))
    mean = int(counts.sum()) / len(counts)
    return {"mean": mean, "p50": float(p50), "p95": float(p95), "p99": float(p99), "max": int(counts.max())}


def _interarrival_cv(stamps_ns: Counts) -> float | None:
    if len(stamps_ns) < 3 or stamps_ns[-1] == 0:
        return None
    gaps = np.diff(stamps_ns)
    return float(gaps.std(ddof=1) / gaps.mean())


def dispersion(stamps_ns: Counts, window_s: int) -> float | None:
    """Return the index of dispersion of counts: 1 for a Poisson process, above it for bursts.

    Variance (n - 1) over mean of the calls in each whole window from the first stamp; the last window, which the
    trace does not fill, is left out. With `S1` calls in `n` whole windows and `S2` the sum of their squares it is
    `(n S2 - S1^2) / ((n - 1) S1)`, so empty windows cost no memory and nothing is rounded before the division.

    Args:
        stamps_ns: ns since the first stamp, never falling, shape (rows,).
        window_s: length of a window in seconds.

    Returns:
        The index, or None where there are fewer than 2 whole windows. The first window always holds the first
        call, so the mean is never zero.

    Source: Cox and Lewis, The Statistical Analysis of Series of Events, 1966.

    >>> dispersion(np.array([0, 1, 2, 2_500_000_000]), 1)
    3.0
    """
    window_ns = window_s * NS_PER_S
    windows = int(stamps_ns[-1]) // window_ns
    if windows < 2:
        return None
    inside = stamps_ns[: np.searchsorted(stamps_ns, windows * window_ns)]
    edges = np.flatnonzero(np.diff(inside // window_ns)) + 1
    calls = np.diff(np.concatenate(([0], edges, [len(inside)])))
    total, squares = len(inside), int(calls @ calls)
    return (windows * squares - total**2) / ((windows - 1) * total)
