"""Reads calls counted per window: a start, a count or a rate, and perhaps mean tokens; CSV or Parquet, plain or gzip.

A file is read twice, block by block: once for its length and its mean, once into windows, so that a file of any size
needs no more memory than `MOST_WINDOWS` take.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.intake.counts_blocks import CountColumns, columns_of, count_blocks
from simulator.intake.fit import NO_TOKENS, WHOLE_PROMPTS, Fit, Windows, dispersion_of, fit_windows, window_lengths
from simulator.intake.fit_calls import fit_file
from simulator.intake.trace_faults import cut_notes

Array = NDArray[np.float64]

MOST_WINDOWS = 2**21
"""Windows that are kept: 24 days of seconds. Of more, as many neighbours as needed are added up into one."""
EPOCH_FROM_S = 1e8
"""A start from here on (March 1973) is seconds since 1970, which tells the hour and the weekday."""
LATEST_S = 1e11
"""No start in seconds since 1970 comes near it; milliseconds do."""
NEVER_QUIET = 100.0
"""Mean calls of a window from which on an empty one is a gap: a Poisson count of mean 100 is never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one reading of a file shows: rows, first and last start, window, calls, and tokens where they are named."""

    rows: int
    first_s: float
    last_s: float
    window_s: float
    calls: float
    tokens: tuple[float | None, float | None]

    @property
    def windows(self) -> int:
        """From the first to the last, with those that are missing."""
        return round((self.last_s - self.first_s) / self.window_s) + 1


def is_counts(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as counts per window do.

    Raises:
        InputError: it names window_start_s and no count.
    """
    return columns_of(Path(path)) is not None


def read_counts(path: str | os.PathLike[str], first_days: float | None = None) -> Windows:
    """Read counts per window; a window that is missing, or 0 among many calls, is a gap and told in a note.

    Args:
        path: see `counts_blocks.columns_of` for the columns.
        first_days: keep only so many days from the first window.

    Raises:
        InputError: a header, number or spacing that cannot be read, with its line.
    """
    return _read(Path(path), first_days)[1]


def describe_counts(path: str | os.PathLike[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a file of counts says of demand, ready for JSON, and notes.

    Keys: `rows`, `window_s`, `span_s`, `calls`, `calls_per_s` (`mean, p50, p95, p99, max` over windows),
    `input_tokens` and `output_tokens` (sums, None where no mean is named), `input` and `output` (`mean`, or None),
    `interarrival_cv` (None: windows hide the gaps) and `dispersion` by multiples of the window.

    Raises:
        InputError: as `read_counts`.
    """
    survey, windows = _read(Path(path))
    rates = windows.counts[np.isfinite(windows.counts)] / windows.window_s
    p50, p95, p99 = np.percentile(rates, (50, 95, 99)).tolist()
    means = [None if total is None or not survey.calls else total / survey.calls for total in survey.tokens]
    found = {
        "rows": survey.rows,
        "window_s": survey.window_s,
        "span_s": survey.windows * survey.window_s,
        "calls": survey.calls,
        "calls_per_s": {"mean": float(rates.mean()), "p50": p50, "p95": p95, "p99": p99, "max": float(rates.max())},
        "input_tokens": survey.tokens[0],
        "output_tokens": survey.tokens[1],
        "input": None if means[0] is None else {"mean": means[0]},
        "output": None if means[1] is None else {"mean": means[1]},
        "interarrival_cv": None,
        "dispersion": {
            f"{length:g}s": dispersion_of(windows.counts, windows.window_s, length)
            for length in window_lengths(windows)
        },
    }
    return found, windows.notes


def fit_log(path: str | os.PathLike[str]) -> Fit:
    """Fit demand to a file of calls counted per window, or demand and lengths to a log of calls.

    Raises:
        InputError: a file that is neither, or that says too little.
    """
    path = Path(path)
    if not path.is_file() or not is_counts(path):
        return fit_file(path)
    survey, windows = _read(path)
    found = fit_windows(windows)
    tokens = {
        side: total / survey.calls
        for side, total in zip(("input", "output"), survey.tokens, strict=True)
        if total is not None
    }
    said = [WHOLE_PROMPTS] if "input" in tokens else []
    said += [f"names no {side} tokens; {NO_TOKENS}" for side in ("input", "output") if side not in tokens]
    notes = (*found.notes, *(f"{path}: {words}" for words in said))
    rows = tuple((f"{side} tokens a call", mean, mean) for side, mean in tokens.items())
    workload = {**found.workload, **({"tokens": tokens} if tokens else {})}
    return Fit(workload=workload, rows=found.rows + rows, notes=notes)


def _read(path: Path, first_days: float | None = None) -> tuple[Survey, Windows]:
    columns = columns_of(path)
    if columns is None:
        raise InputError(f"{path}: holds no calls counted per window; name a file with window_start_s and calls")
    try:
        survey = _survey(path, columns)
        return survey, _windows(path, columns, survey, first_days)
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"{path}: cannot be read ({reason}); check that it is whole and yours to read") from None


def _survey(path: Path, columns: CountColumns) -> Survey:
    """The first reading."""
    first, last, rows, value = np.inf, -np.inf, 0, 0.0
    window_s: float | None = None
    tokens = [0.0, 0.0]
    for starts, values, means in count_blocks(path, columns):
        rows += len(starts)
        if window_s is None and len(starts) > 1:
            steps = np.diff(np.sort(starts))
            window_s = float(np.median(steps[steps > 0])) if (steps > 0).any() else None
        first, last = min(first, float(starts.min())), max(last, float(starts.max()))
        value += float(values.sum())
        for side, mean in enumerate(means):
            tokens[side] += 0.0 if mean is None else float(np.nansum(mean * values))
    if rows < 3 or window_s is None:
        raise InputError(f"{path}: {rows} windows; a fit needs three or more")
    if last > LATEST_S:
        raise InputError(f"{path}: a window begins at {last:g} s; write seconds, these seem to be milliseconds")
    scale = window_s if columns.per_s else 1.0
    named = [None if name is None else total * scale for name, total in zip(columns.means, tokens, strict=True)]
    return Survey(rows=rows, first_s=first, last_s=last, window_s=window_s, calls=value * scale,
                  tokens=(named[0], named[1]))


def _windows(path: Path, columns: CountColumns, survey: Survey, first_days: float | None) -> Windows:
    """The second reading: every window at its place, neighbours added up where there are too many."""
    together = -(-survey.windows // MOST_WINDOWS)
    counts = np.zeros(-(-survey.windows // together))
    seen = np.zeros(len(counts), dtype=np.int64)
    scale = survey.window_s if columns.per_s else 1.0
    crowded, quiet = survey.calls / survey.rows > NEVER_QUIET, 0
    for starts, values, _ in count_blocks(path, columns):
        place = (starts - survey.first_s) / survey.window_s
        if np.any(np.abs(place - np.rint(place)) > 1e-6):
            apart = f"most are {survey.window_s:g} s apart, all must be"
            raise InputError(f"{path}: windows begin at uneven distances; {apart}")
        at = np.rint(place).astype(np.int64) // together
        np.add.at(seen, at, 1)
        if np.any(seen[at] > together):
            twice = starts[seen[at] > together][0]
            raise InputError(f"{path}: window {twice:g} stands twice; a window is counted once")
        if crowded:
            quiet += int((values == 0).sum())
            np.subtract.at(seen, at[values == 0], 1)
        np.add.at(counts, at, values * scale)
    full = np.full(len(counts), together)
    full[-1] = survey.windows - together * (len(counts) - 1)
    missing = survey.windows - survey.rows
    counts[seen < full] = np.nan
    window_s = survey.window_s * together
    if full[-1] < together:                                     # the last stands for less time than the others
        counts = counts[:-1]
    if first_days is not None:
        counts = counts[: round(first_days * 86_400 / window_s)]
    notes = [] if columns.parquet else list(cut_notes(path))
    if missing:
        notes.append(f"{path}: {missing} window{'s are' if missing > 1 else ' is'} missing and left out")
    if quiet:
        notes.append(f"{path}: {quiet} windows without a call are taken for gaps and left out")
    if together > 1:
        notes.append(f"{path}: {together} windows are added up into one of {window_s:g} s, as there are many")
    hour, weekday = _clock(survey.first_s, columns.dated)
    return Windows(source=str(path), window_s=window_s, counts=counts, first_hour=hour, first_weekday=weekday,
                   notes=tuple(notes))


def _clock(first_s: float, dated: bool) -> tuple[float, int | None]:
    """Hour and weekday of the first window where its start is a day and time; else midnight of some day."""
    if not dated and first_s < EPOCH_FROM_S:
        return 0.0, None
    begin = datetime.fromtimestamp(first_s, UTC)
    return begin.hour + begin.minute / 60 + begin.second / 3600, begin.weekday()
