"""Describes a trace block by block, so that a file of any size needs no more memory than a small one."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.intake.trace import (
    DISPERSION_WINDOWS_S,
    LONGEST_SPAN_S,
    NS_PER_S,
    azure_blocks,
    check_head,
    describe,
    read_trace,
)
from simulator.intake.trace_faults import cut_notes
from simulator.intake.trace_shapes import Shape, shape_blocks, shape_of

Counts = NDArray[np.int64]
GATHERED = 2**19
"""Calls whose lengths are counted together: sorting this many takes a few milliseconds and 4 MiB."""


class OutOfOrder(Exception):
    """A call stands before an earlier one, so the trace must be sorted, which needs all of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CallBlock:
    """Some calls of a trace, in the order of the file: ns since 1970, and tokens by call."""

    first_ns: int
    stamps_ns: Counts
    input_tokens: Counts
    output_tokens: Counts


def describe_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `describe(read_trace(path))` and its notes say, without holding the trace.

    Raises:
        InputError: as `read_trace`.
    """
    path = Path(path)
    if path.is_file():
        try:
            shape = shape_of(path)
            found = _described(_blocks(path, shape))
            return found, cut_notes(path) if shape is None or shape.form == "csv" else ()
        except (OutOfOrder, OSError, EOFError, zlib.error):
            pass                                                # what the whole reader sorts, or tells
    trace = read_trace(path)
    return describe(trace), trace.notes


def trace_blocks(path: str | os.PathLike[str]) -> Iterator[CallBlock]:
    """The calls of a file block by block, in its order, which need not be that of time.

    Raises:
        InputError: as `read_trace`.
    """
    path = Path(path)
    rows = 0
    try:
        for stamps, inputs, outputs in _blocks(path, shape_of(path)):
            rows += len(stamps)
            if len(stamps):
                yield CallBlock(first_ns=0, stamps_ns=stamps, input_tokens=inputs, output_tokens=outputs)
    except (OSError, EOFError, zlib.error):
        read_trace(path)                                        # which tells what is wrong
        raise
    if not rows:
        read_trace(path)


def ordered_blocks(path: Path) -> Iterator[tuple[Counts, Counts, Counts]]:
    """Stamps (ns since 1970) and both token columns, block by block.

    Raises:
        OutOfOrder: a stamp falls.
        InputError, OSError, EOFError, zlib.error: the file cannot be read.
    """
    last: int | None = None
    for block in _blocks(path, shape_of(path)):
        stamps = block[0]
        if not len(stamps):
            continue
        if (last is not None and stamps[0] < last) or np.any(stamps[1:] < stamps[:-1]):
            raise OutOfOrder
        last = int(stamps[-1])
        yield block


def _blocks(path: Path, shape: Shape | None) -> Iterator[tuple[Counts, Counts, Counts]]:
    yield from azure_blocks(path, check_head(path)) if shape is None else shape_blocks(path, shape)


def _described(blocks: Iterator[tuple[Counts, Counts, Counts]]) -> dict[str, Any]:
    lengths = (_Lengths(), _Lengths())
    gaps = _Moments()
    windows = {window: _Windows(window * NS_PER_S) for window in DISPERSION_WINDOWS_S}
    first = last = None
    for stamps, *tokens in blocks:
        if not len(stamps):
            continue
        if first is None or last is None:
            first = last = int(stamps[0])
            apart = np.diff(stamps)
        else:
            apart = np.diff(stamps, prepend=last)
        if len(apart) and apart.min() < 0:
            raise OutOfOrder
        gaps.add(apart)
        last = int(stamps[-1])
        for one, values in zip(lengths, tokens, strict=True):
            one.add(values)
        for counted in windows.values():
            counted.add(stamps - first)
    if first is None or last is None or last - first > LONGEST_SPAN_S * NS_PER_S:
        raise OutOfOrder                                       # the whole reader says what is wrong
    span_ns, (inputs, outputs) = last - first, lengths
    return {
        "rows": inputs.rows,
        "span_s": span_ns / NS_PER_S,
        "input_tokens": inputs.total,
        "output_tokens": outputs.total,
        "input": inputs.described(),
        "output": outputs.described(),
        "interarrival_cv": gaps.variation() if inputs.rows >= 3 and span_ns > 0 else None,
        "dispersion": {f"{window}s": counted.dispersion(span_ns) for window, counted in windows.items()},
    }


class _Lengths:
    """Exact counts of how often each length occurs."""

    def __init__(self) -> None:
        self.rows = self.total = 0
        self._waiting: list[Counts] = []
        self._values = self._counts = np.empty(0, dtype=np.int64)

    def add(self, values: Counts) -> None:
        self.rows += len(values)
        self.total += int(values.sum())
        self._waiting.append(values.copy())
        if sum(map(len, self._waiting)) >= GATHERED:
            self._gather()

    def _gather(self) -> None:
        values, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
        merged, places = np.unique(np.concatenate([self._values, values]), return_inverse=True)
        sums = np.zeros(len(merged), dtype=np.int64)
        np.add.at(sums, places, np.concatenate([self._counts, counts]))
        self._values, self._counts, self._waiting = merged, sums, []

    def described(self) -> dict[str, float | int]:
        """Mean, percentiles interpolated linearly between calls, maximum."""
        if self._waiting:
            self._gather()
        ends = np.cumsum(self._counts)

        def percentile(share: float) -> float:
            place = share * (self.rows - 1)
            beside = (math.floor(place), math.ceil(place))
            low, high = (self._values[np.searchsorted(ends, at, side="right")] for at in beside)
            return float(low + (high - low) * (place - math.floor(place)))

        quantiles = {f"p{100 * share:.0f}": percentile(share) for share in (0.5, 0.95, 0.99)}
        return {"mean": self.total / self.rows, **quantiles, "max": int(self._values[-1])}


class _Moments:
    """Mean and spread of parts put together (Chan, Golub and LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values: Counts) -> None:
        if not len(values):
            return
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        count = self.count + len(values)
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.count * len(values) / count
        self.mean += apart * len(values) / count
        self.count = count

    def variation(self) -> float:
        """Standard deviation (n - 1) over mean."""
        return math.sqrt(self.squares / (self.count - 1)) / self.mean


class _Windows:
    """Calls in each whole window, as sums of them and of their squares; the window that is open is kept apart."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._open, self._calls = 0, 0
        self._sum = self._squares = 0

    def add(self, stamps_ns: Counts) -> None:
        places = stamps_ns // self._window_ns
        edges = np.flatnonzero(np.diff(places)) + 1
        calls = np.diff(np.concatenate(([0], edges, [len(places)])))
        if int(places[0]) == self._open:
            calls[0] += self._calls
        else:
            self._close(np.array([self._calls]))
        self._close(calls[:-1])
        self._open, self._calls = int(places[-1]), int(calls[-1])

    def _close(self, calls: Counts) -> None:
        self._sum += int(calls.sum())
        self._squares += int(calls @ calls)

    def dispersion(self, span_ns: int) -> float | None:
        """Variance (n - 1) over mean of the whole windows; see `trace.dispersion`."""
        windows = span_ns // self._window_ns
        if windows < 2:
            return None
        return (windows * self._squares - self._sum**2) / ((windows - 1) * self._sum)


