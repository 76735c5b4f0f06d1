"""Reads calls counted per window: a CSV of window_start_s and a rate per second or a count."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from pricing.errors import InputError
from simulator.intake.fit import Fit, Windows, fit_trace, fit_windows
from simulator.intake.trace import WINDOW_START, read_trace

VALUES = ("calls", "count", "total_rate_rps", "rate_rps")
"""Columns that may stand beside the start, the last two being calls a second."""


def is_counts(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as counts per window do."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(WINDOW_START) + 4).lstrip(b"\xef\xbb\xbf").startswith(WINDOW_START.encode())
    except OSError:
        return False


def read_counts(path: str | os.PathLike[str], first_days: float | None = None) -> Windows:
    """Read counts per window; a window that is missing, or 0 among many calls, is a gap and told in a note.

    Args:
        path: a CSV file with the columns window_start_s and one of `VALUES`.
        first_days: keep only so many days from the first window.

    Raises:
        InputError: a header, number or spacing that cannot be read, with its line.
    """
    path = Path(path)
    starts: list[float] = []
    values: list[float] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        column = next((header.index(name) for name in VALUES if name in header), None)
        if WINDOW_START not in header or column is None:
            raise InputError(f"{path}: the header is {','.join(header)!r}; it must name {WINDOW_START} and {VALUES[0]}")
        for row in rows:
            if not row:
                continue
            try:
                start, value = float(row[header.index(WINDOW_START)]), float(row[column])
            except (ValueError, IndexError):
                raise InputError(f"{path}: line {rows.line_num}: {','.join(row)!r} is not two numbers") from None
            if not (np.isfinite(start) and 0 <= value < np.inf):
                raise InputError(f"{path}: line {rows.line_num}: {value:g} calls; a count is zero or more")
            starts.append(start)
            values.append(value)
    if len(starts) < 3:
        raise InputError(f"{path}: {len(starts)} windows; a fit needs three or more")
    order = np.argsort(starts, kind="stable")
    at, found = np.asarray(starts)[order], np.asarray(values)[order]
    steps = np.diff(at)
    if np.any(steps == 0):
        raise InputError(f"{path}: window {at[:-1][steps == 0][0]:g} stands twice; a window is counted once")
    window_s = float(np.median(steps))
    place = (at - at[0]) / window_s
    if np.any(np.abs(place - np.rint(place)) > 1e-6):
        raise InputError(f"{path}: windows begin at uneven distances; most are {window_s:g} s apart, all must be")
    counts = np.full(int(np.rint(place[-1])) + 1, np.nan)
    per_s = header[column].endswith("rps")
    counts[np.rint(place).astype(int)] = found * (window_s if per_s else 1.0)
    if first_days is not None:
        counts = counts[: round(first_days * 86_400 / window_s)]
    notes = []
    missing = int(np.isnan(counts).sum())
    if missing:
        notes.append(f"{path}: {missing} windows are missing and were left out")
    quiet = counts == 0
    if np.nanmean(counts) > 100 and quiet.any():  # a Poisson count of mean 100 is never 0
        counts[quiet] = np.nan
        notes.append(f"{path}: {int(quiet.sum())} windows without a call are taken for gaps and left out")
    return Windows(source=str(path), window_s=window_s, counts=counts, notes=tuple(notes))


def fit_log(path: str | os.PathLike[str]) -> Fit:
    """Fit demand to a file of calls counted per window, or demand and lengths to a log of calls.

    Raises:
        InputError: a file that is neither, or that says too little.
    """
    return fit_windows(read_counts(path)) if is_counts(path) else fit_trace(read_trace(path))
