"""Writes a results folder so that what looks complete is complete: files beside and renamed, the manifest last."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pricing.errors import InputError

MANIFEST = "manifest.json"

_OURS = frozenset({"result.json", "ledger.csv", "ledger.parquet", "report.html", "charts"})
"""What stands in a results folder besides the manifest; `result.json` is written first."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that spreadsheets take for a formula (OWASP, "CSV Injection")."""

_PART = re.compile(r"\..+\.([0-9]+)\.part")
"""A file being written, by the number of the process that writes it; see `write_whole`."""

_WHY = {
    errno.ENOSPC: "the disk is full; free some space or name another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or name another folder",
    errno.EACCES: "no permission to write there; name another folder",
    errno.EPERM: "no permission to write there; name another folder",
    errno.EROFS: "the disk is read-only; name another folder",
    errno.EEXIST: "a file stands where a folder is needed; name another folder",
    errno.ENOTDIR: "a file stands where a folder is needed; name another folder",
}


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds what no run of this program wrote: a report of the same name would be overwritten.

    Raises:
        InputError: it is not empty, has no manifest, and holds more than what a run that broke off left.
    """
    if not folder.is_dir() or (folder / MANIFEST).is_file():
        return
    try:
        held = {path.name for path in folder.iterdir() if _PART.fullmatch(path.name) is None}
    except OSError as error:
        raise InputError(f"{folder}: {why_not(error)}") from None
    foreign = sorted(held if "result.json" not in held else held - _OURS)
    if foreign:
        raise InputError(
            f"{folder}: is no results folder (it has no {MANIFEST}) and holds {foreign[0]}, which might be overwritten"
            "; name another folder"
        )


def write_results(
    folder: Path,
    result: Mapping[str, Any],
    ledger: Sequence[Mapping[str, Any]],
    report_html: str | None = None,
    charts: Mapping[str, str | bytes] | None = None,
) -> dict[str, str]:
    """Write `result.json`, `ledger.csv`, `ledger.parquet`, `report.html` and `charts/`, then `manifest.json`.

    Args:
        folder: made where missing; files of an earlier run that this one does not write are left, unlisted.
        result: plain values; numbers that are not finite become null.
        ledger: rows of the same keys, in the order of the first.
        report_html: the whole page, or None for none.
        charts: file name to content.

    Returns:
        sha256 by relative path, as the manifest lists them.

    Raises:
        InputError: the folder cannot be written, or the disk is full; no manifest is left then.
    """
    contents: dict[str, bytes] = {"result.json": as_json(result).encode()}
    contents["ledger.csv"] = as_csv(ledger).encode()
    contents["ledger.parquet"] = as_parquet(ledger)
    if report_html is not None:
        contents["report.html"] = report_html.encode()
    for name, chart in (charts or {}).items():
        if PurePosixPath(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"a chart is named by a plain file name, not {name!r}")
        contents[f"charts/{name}"] = chart if isinstance(chart, bytes) else chart.encode()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _sweep(folder / "charts")
        (folder / MANIFEST).unlink(missing_ok=True)
        for name, content in contents.items():
            write_whole(folder / name, content)
        write_whole(folder / MANIFEST, as_json({"files": digests}).encode())
    except OSError as error:
        with contextlib.suppress(OSError):
            (folder / MANIFEST).unlink(missing_ok=True)
        left = [name for name in contents if (folder / name).is_file()]
        told = f"; {', '.join(left)} stand there without a {MANIFEST}, as no complete answer" if left else ""
        raise InputError(f"{folder}: {why_not(error)}{told}") from None
    return digests


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it there: a reader sees the old one or the new one, never half.

    Raises:
        OSError: it could not be written; nothing is left beside then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def _sweep(folder: Path) -> None:
    """Remove what killed runs left half-written; what a running program still writes is left alone."""
    for left in folder.glob(".*.part"):
        owner = _PART.fullmatch(left.name)
        if owner is not None and not _runs(int(owner[1])):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether a process of this machine may still run; only POSIX can ask without harm."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def as_json(value: Any) -> str:
    r"""JSON in the order given, without NaN: what is not a finite number is null.

    >>> as_json({"a": float("nan"), "b": [1.5, float("inf")]})
    '{\n  "a": null,\n  "b": [\n    1.5,\n    null\n  ]\n}\n'
    """
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def finite(value: Any) -> Any:
    """The same plain value with None for every number that is not finite; NumPy numbers become Python's.

    >>> finite({"a": float("nan"), "b": (1.5, float("inf"))})
    {'a': None, 'b': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if hasattr(value, "tolist"):                                # NumPy arrays and scalars
        return finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    r"""Rows as CSV (RFC 4180): numbers stay numbers, text a spreadsheet takes for a formula gets an apostrophe.

    >>> as_csv([{"line": "=1+1", "usd": -2.5}])
    "line,usd\r\n'=1+1,-2.5\r\n"
    """
    rows = list(rows)
    out = io.StringIO()
    writer = csv.writer(out)
    columns = list(rows[0]) if rows else []
    writer.writerow(safe_cell(name) for name in columns)
    for row in rows:
        writer.writerow("" if (cell := finite(row[name])) is None else safe_cell(cell) for name in columns)
    return out.getvalue()


def safe_cell(cell: Any) -> Any:
    """Text that begins like a formula with an apostrophe before it; anything else as it is."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def as_parquet(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as a Parquet file: columns of numbers and text, the text as it is."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist([finite(dict(row)) for row in rows])
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def why_not(error: OSError) -> str:
    """Why something cannot be written, and the remedy, to end a sentence."""
    return _WHY.get(error.errno or 0, f"cannot be written ({error.strerror or error}); name another folder")
