"""Fits demand and lengths to a log of calls, gathered block by block so that a file of any size fits."""

from __future__ import annotations

import math
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.intake.fit import DAY_S, HOUR_S, LEAST_SPAN_S, WHOLE_PROMPTS, Fit, Windows, fit_windows
from simulator.intake.trace import LONGEST_SPAN_S, NS_PER_S, Trace, read_trace
from simulator.intake.trace_faults import cut_notes
from simulator.intake.trace_shapes import shape_of
from simulator.intake.trace_stream import OutOfOrder, ordered_blocks

Counts = NDArray[np.int64]
Array = NDArray[np.float64]

GAP_S = 3600.0
"""A silence in a log is taken for a gap, and left out, where it lasts this long and a hundred mean gaps."""
MOST_WINDOWS = 2**21
"""Windows that are kept: 24 days of seconds; a longer log is counted in the next longer window."""
WINDOWS_S = (1, 10, 60, 600, 3600)


def fit_trace(trace: Trace) -> Fit:
    """Fit demand and lengths to a log of calls.

    Raises:
        InputError: one call, or a log too short to say how calls come.
    """
    calls = _Calls()
    calls.add(trace.first_ns + trace.stamps_ns, trace.input_tokens, trace.output_tokens)
    return calls.fitted(trace.source, trace.notes)


def fit_file(path: Path) -> Fit:
    """What `fit_trace(read_trace(path))` says, without holding the trace where its calls are in order of time.

    Raises:
        InputError: as `read_trace` and `fit_trace`.
    """
    if path.is_file():
        calls = _Calls()
        try:
            for stamps, inputs, outputs in ordered_blocks(path):
                calls.add(stamps, inputs, outputs)
            shape = shape_of(path)
            notes = cut_notes(path) if shape is None or shape.form == "csv" else ()
            if calls.rows and calls.last_ns - calls.first_ns <= LONGEST_SPAN_S * NS_PER_S:
                return calls.fitted(str(path), notes)
        except (OutOfOrder, OSError, EOFError, zlib.error):
            pass                                                # what the whole reader sorts, or tells
    return fit_trace(read_trace(path))


class _Calls:
    """Calls by window, silences of an hour or more, and the moments of both lengths and of their logs."""

    def __init__(self) -> None:
        self.rows = self.first_ns = self.last_ns = 0
        self._window_s = WINDOWS_S[0]
        self._counts = np.zeros(4096)
        self._silences: list[tuple[int, int]] = []
        self._tokens, self._logs = _Pairs(), _Pairs()

    def add(self, stamps_ns: Counts, inputs: Counts, outputs: Counts) -> None:
        """Calls in order of time, none before those added earlier."""
        if not self.rows:
            self.first_ns = self.last_ns = int(stamps_ns[0])
        seconds = (stamps_ns - self.first_ns) // NS_PER_S
        before = np.concatenate(([(self.last_ns - self.first_ns) // NS_PER_S], seconds[:-1]))
        for place in np.flatnonzero(seconds - before > GAP_S).tolist():
            self._silences.append((int(before[place]), int(seconds[place])))
        while seconds[-1] // self._window_s >= MOST_WINDOWS and self._window_s != WINDOWS_S[-1]:
            self._lengthen()
        places = seconds // self._window_s
        if places[-1] >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(int(places[-1]) + 1)])
        low = int(places[0])
        found = np.bincount(places - low)
        self._counts[low : low + len(found)] += found
        self.rows, self.last_ns = self.rows + len(stamps_ns), int(stamps_ns[-1])
        read, written = inputs.astype(float), outputs.astype(float)
        self._tokens.add(read, written)
        both = (inputs > 0) & (outputs > 0)
        self._logs.add(np.log(read[both]), np.log(written[both]))

    def _lengthen(self) -> None:
        longer = WINDOWS_S[WINDOWS_S.index(self._window_s) + 1]
        together = longer // self._window_s
        short = -len(self._counts) % together
        self._counts = np.concatenate([self._counts, np.zeros(short)]).reshape(-1, together).sum(axis=1)
        self._window_s = longer

    def fitted(self, source: str, notes: tuple[str, ...]) -> Fit:
        """The fit of everything added."""
        span_s = (self.last_ns - self.first_ns) / NS_PER_S
        if self.rows < 2:
            raise InputError(f"{source}: one call says nothing of demand; a fit needs a log of {LEAST_SPAN_S:g} s")
        if span_s < LEAST_SPAN_S:
            raise InputError(
                f"{source}: {self.rows:,} calls within {span_s:g} s; a fit needs a log of {LEAST_SPAN_S:g} s or more"
            )
        window_s, least, said = self._window_s, max(GAP_S, 100.0 * span_s / self.rows), list(notes)
        counts = self._counts[: int(span_s) // window_s].copy()
        for begin, end in self._silences:
            if end - begin > least:
                counts[begin // window_s + 1 : end // window_s] = np.nan
                hours = (end - begin) / HOUR_S
                said.append(f"{source}: no call for {hours:.1f} hours is taken for a gap and left out")
        midnight, of_day_s = divmod(self.first_ns // NS_PER_S, int(DAY_S))
        windows = Windows(
            source=source,
            window_s=float(window_s),
            counts=counts,
            first_hour=of_day_s / HOUR_S,
            first_weekday=datetime.fromtimestamp(midnight * DAY_S, UTC).weekday(),
            notes=tuple(said),
        )
        found = fit_windows(windows)
        tokens, rows = self._lengths()
        notes = (*found.notes, f"{source}: {WHOLE_PROMPTS}")
        return Fit(workload={**found.workload, "tokens": tokens}, rows=found.rows + rows, notes=notes)

    def _lengths(self) -> tuple[dict[str, float], tuple[tuple[str, float | None, float | None], ...]]:
        """Mean and spread of both lengths, and the correlation of their logs."""
        tokens: dict[str, float] = {}
        rows: list[tuple[str, float | None, float | None]] = []
        for side, name in enumerate(("input", "output")):
            mean = float(self._tokens.means[side])
            tokens[name] = mean
            tokens[f"{name}_cv"] = round(self._tokens.sd(side) / mean, 4) if mean > 0 else 0.0
            rows.append((f"{name} tokens a call", mean, tokens[name]))
        if self._logs.count > 2 and tokens["input_cv"] > 0 and tokens["output_cv"] > 0:
            tokens["correlation"] = round(self._logs.correlation(), 4)
        return tokens, tuple(rows)


class _Pairs:
    """Means, spreads and correlation of pairs added part by part (Chan, Golub and LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.means: Array = np.zeros(2)
        self._products: Array = np.zeros((2, 2))

    def add(self, left: Array, right: Array) -> None:
        """More pairs."""
        if not len(left):
            return
        both = np.stack([left, right])
        means = both.mean(axis=1)
        apart, count = means - self.means, self.count + len(left)
        centred = both - means[:, None]
        self._products += centred @ centred.T + np.outer(apart, apart) * (self.count * len(left) / count)
        self.means = self.means + apart * (len(left) / count)
        self.count = count

    def sd(self, side: int) -> float:
        """Standard deviation (n) of one side."""
        return math.sqrt(self._products[side, side] / self.count)

    def correlation(self) -> float:
        """Of both sides; 0 where one of them never changes."""
        spread = self._products[0, 0] * self._products[1, 1]
        return float(self._products[0, 1] / math.sqrt(spread)) if spread > 0 else 0.0
