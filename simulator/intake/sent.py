"""A file that was sent rather than named: it is laid down where its reader finds it, and never under its own path."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TypeVar

from pricing.errors import InputError
from simulator.intake.dataset import Count, DatasetCheck, read_dataset
from simulator.intake.trace import NS_PER_S, Trace, read_trace
from simulator.intake.usage import Usage, read_usage, summed

T = TypeVar("T")

SECONDS_PER_DAY = 86_400


def parse_trace(raw: bytes, name: str) -> Trace:
    """Read a trace from its bytes, plain or gzip; see `read_trace`.

    Args:
        raw: the bytes of the file.
        name: what messages and notes call it; of a path only the last part.

    Raises:
        InputError: as `read_trace`, with `name` for the file.
    """
    def read(path: Path) -> Trace:
        trace, own = read_trace(path), _own(name)
        return replace(trace, source=own, notes=tuple(note.replace(str(path), own) for note in trace.notes))

    return _laid(raw, name, read)


def parse_usage(
    raw: bytes, name: str, columns: Mapping[str, str] | None = None, asked_by: str = "columns"
) -> Usage:
    """Read and sum up a usage log from its bytes; see `read_usage`.

    Args:
        raw: the bytes of the file.
        name: what messages call it.
        columns, asked_by: for a CSV of one's own, which of its columns holds what, and by what that is said.

    Raises:
        InputError: as `read_usage`, with `name` for the file, or the log holds no calls.
    """
    usage = _laid(raw, name, lambda path: summed(read_usage(path, columns, asked_by)))
    if usage.calls == 0:
        raise InputError(f"{PurePath(name).name}: holds no calls; give a log with some")
    return usage


def parse_dataset(raw: bytes, name: str, count: Count) -> DatasetCheck:
    """Read and check a training set from its bytes; see `read_dataset`.

    Args:
        raw: the bytes of the file.
        name: what messages call it.
        count: tokens of a text.

    Raises:
        InputError: as `read_dataset`, with `name` for the file.
    """
    return _laid(raw, name, lambda path: read_dataset(path, count))


def _laid(raw: bytes, name: str, read: Callable[[Path], T]) -> T:
    """What a reader of files makes of bytes; its mistakes name the file as it was sent."""
    try:
        with tempfile.TemporaryDirectory(prefix="tunepoint-") as folder:
            laid = Path(folder) / "sent"
            laid.write_bytes(raw)
            try:
                return read(laid)
            except InputError as error:
                raise InputError(str(error).replace(str(laid), _own(name))) from None
    except OSError as error:
        raise InputError(f"{_own(name)}: cannot be laid in {tempfile.gettempdir()} ({error.strerror})") from None


def _own(name: str) -> str:
    """A file's name as it was sent, without folders."""
    return PurePath(name).name or "file"


def trace_settings(trace: Trace) -> dict[str, str]:
    """What a trace says of a scenario's workload: paths and values, as `--set` takes them.

    Calls a day are `(rows - 1) x 86,400 s / span`: n calls span n - 1 gaps. Lengths are given
    by their mean and coefficient of variation (sd with n, over mean), which leave the mean of every bill exact.

    Raises:
        InputError: fewer than two calls, or all at one moment, tell no rate.

    >>> import numpy as np
    >>> calls = np.array([0, 43_200_000_000_000])
    >>> trace_settings(Trace(source="x", first_ns=0, stamps_ns=calls, input_tokens=calls * 0 + 5,
    ...                      output_tokens=calls * 0 + 2))["workload.calls_per_day"]
    '2'
    """
    rows, span_s = len(trace), int(trace.stamps_ns[-1]) / NS_PER_S
    if rows < 2 or span_s <= 0:
        raise InputError(f"{trace.source}: {rows} calls at one moment tell no rate; give a log of some hours")
    found = {"workload.calls_per_day": (rows - 1) * SECONDS_PER_DAY / span_s}
    for side, tokens in (("input", trace.input_tokens), ("output", trace.output_tokens)):
        mean = float(tokens.mean())
        found[f"workload.tokens.{side}"] = mean
        found[f"workload.tokens.{side}_cv"] = float(tokens.std()) / mean if mean else 0.0
    return {path: f"{value:.6g}" for path, value in found.items()}
