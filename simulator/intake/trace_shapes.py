"""Reads traces of other shapes than Azure's: BurstGPT's CSV, Mooncake's JSONL, and Parquet with such columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.intake.trace_faults import (
    COLUMNS,
    LONGEST_LINE,
    MOST_TOKENS,
    fields_of,
    has_zone,
    open_arrow,
    open_plain,
    stamp_fault,
)

Counts = NDArray[np.int64]
_HEAD = 65_536
_JSON_BLOCK = 2 * LONGEST_LINE
"""A block holds any line that is taken. One of 8 MiB takes 230 MiB more to read, and as many blocks at once as there
are cores would take that often, so that one thread reads them."""
PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Names of the stamp and of both token columns, and the nanoseconds that one unit of the stamp stands for."""

    name: str
    columns: tuple[str, str, str]
    unit_ns: float
    form: str = "csv"


AZURE = Shape(name="Azure", columns=COLUMNS, unit_ns=1.0)
BURSTGPT = Shape(name="BurstGPT", columns=("Timestamp", "Request tokens", "Response tokens"), unit_ns=1e9)
"""Seconds from the start: HPMLL/BurstGPT, data/BurstGPT_1.csv."""
MOONCAKE = Shape(name="Mooncake", columns=("timestamp", "input_length", "output_length"), unit_ns=1e6, form="json")
"""Milliseconds from the start: kvcache-ai/Mooncake, FAST25-release/traces."""
SHAPES = (AZURE, BURSTGPT, MOONCAKE)


def shape_of(path: Path) -> Shape | None:
    """The shape of a trace by its first bytes; None for Azure's CSV and for what is none, which its reader tells."""
    with open_plain(path) as plain:
        head = plain.read(_HEAD)
    if head.startswith(PARQUET_MAGIC):
        import pyarrow.parquet

        names = set(pyarrow.parquet.read_schema(path).names)
        found = next((shape for shape in SHAPES if set(shape.columns) <= names), None)
        if found is None:
            known = " or ".join(", ".join(shape.columns) for shape in SHAPES)
            raise InputError(f"{path}: the columns are {', '.join(sorted(names)[:8])}; a trace has {known}")
        return Shape(name=found.name, columns=found.columns, unit_ns=found.unit_ns, form="parquet")
    first = re.split(b"[\r\n]", head.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)[0].decode("utf-8", "replace")
    if first.lstrip().startswith("{"):
        return MOONCAKE
    header = fields_of(first)
    return BURSTGPT if all(header.count(column) == 1 for column in BURSTGPT.columns) else None


def shape_blocks(path: Path, shape: Shape) -> Iterator[tuple[Counts, Counts, Counts]]:
    """Blocks of stamps (ns) and both token columns, in the order of the file.

    Raises:
        InputError: a row cannot be read, with its line where the file has lines.
    """
    import pyarrow as pa

    rows = 0
    zoned: bool | None = None
    try:
        for batch in _batches(path, shape):
            stamps, *tokens = (batch.column(name) for name in shape.columns)
            if any(column.null_count for column in (stamps, *tokens)):
                raise pa.ArrowInvalid("a value is missing")
            if pa.types.is_dictionary(stamps.type):
                stamps = stamps.dictionary_decode()
            if shape.columns == COLUMNS and _is_text(stamps.type) and len(stamps):
                zoned = has_zone(stamps[0].as_py()) if zoned is None else zoned
                stamps = _stamped(path, stamps, zoned, rows)
            dated = pa.types.is_timestamp(stamps.type)
            if dated:
                at = stamps.cast(pa.timestamp("ns", tz=stamps.type.tz)).to_numpy().view(np.int64)
            else:
                at = np.round(stamps.cast(pa.float64()).to_numpy() * shape.unit_ns)
            counts = [np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64) for column in tokens]
            bad = np.logical_or.reduce([(one < 0) | (one > MOST_TOKENS) for one in counts])
            if not dated:
                bad |= ~((at >= 0) & (at < 2**62))
            if bad.any():
                raise pa.ArrowInvalid(f"row {rows + int(np.flatnonzero(bad)[0]) + 1} has a value out of range")
            rows += batch.num_rows
            yield at.astype(np.int64), counts[0], counts[1]
    except pa.ArrowException as error:
        raise InputError(_fault(path, shape, rows, str(error).partition("\n")[0][:160])) from None
    if not rows:
        raise InputError(f"{path}: there is a header and no row; a trace has a row for each call, at least one")


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _stamped(path: Path, stamps: Any, zoned: bool, rows: int) -> Any:
    """Stamps of text as the reader of the CSV takes them: all with a zone, or none, as the first row."""
    import pyarrow as pa

    try:
        return stamps.cast(pa.timestamp("ns", tz="UTC" if zoned else None))
    except pa.ArrowInvalid:
        for number, stamp in enumerate(stamps.to_pylist(), start=rows + 1):
            if fault := stamp_fault(stamp, zoned):
                raise InputError(f"{path}: row {number}: {fault}") from None
        raise


def _batches(path: Path, shape: Shape) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv, parquet
    from pyarrow import json as lines

    if shape.form == "parquet":
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=65_536, columns=list(shape.columns))
        return
    types = {name: pa.float64() if name == shape.columns[0] else pa.int64() for name in shape.columns}
    with open_arrow(path) as plain:
        if shape.form == "csv":
            convert = csv.ConvertOptions(include_columns=list(shape.columns), column_types=types, null_values=[])
            blocks = csv.ReadOptions(block_size=LONGEST_LINE, use_threads=False)
            with csv.open_csv(plain, blocks, convert_options=convert) as reader:
                yield from reader
        else:
            options = lines.ParseOptions(explicit_schema=pa.schema(types), unexpected_field_behavior="ignore")
            one_thread = lines.ReadOptions(block_size=_JSON_BLOCK, use_threads=False)
            with lines.open_json(plain, one_thread, options) as reader:
                yield from reader


def _fault(path: Path, shape: Shape, rows: int, problem: str) -> str:
    """The sentence about the first bad row after `rows` good ones, by its line where there are lines."""
    what = "a day and time and two whole numbers" if shape.columns == COLUMNS else "numbers"
    need = f"a call has {', '.join(shape.columns)}, {what} of zero or more"
    if shape.form == "parquet":
        return f"{path}: {problem}; {need}"
    with open_plain(path) as plain:
        done = 0
        header: list[str] = []
        for number, raw in enumerate(iter(lambda: plain.readline(_JSON_BLOCK), b""), start=1):
            line = raw.decode("utf-8", "replace").strip("\ufeff\r\n ")
            if not line:
                continue
            if shape.form == "csv" and not header:
                header = fields_of(line)
                continue
            done += 1
            if done > rows and not _is_good(line, shape, header):
                return f"{path}: line {number}: {line[:60]!r} is no call of this trace; {need}"
    return f"{path}: cannot be read as a trace ({problem}); {need}"


def _is_good(line: str, shape: Shape, header: list[str]) -> bool:
    try:
        record = json.loads(line) if shape.form == "json" else dict(zip(header, fields_of(line), strict=True))
        stamp, *counts = (record[name] for name in shape.columns)
        whole = all(float(one) == int(one) and 0 <= int(one) <= MOST_TOKENS for one in counts)
        return whole and 0 <= float(stamp) < 2**62 / shape.unit_ns
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


