"""The part of the expected engine that takes the lengths of calls from a log, of all of it or by period."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.domain.recorded import NS_PER_DAY, Recorded
from simulator.expected.resampled import Pairs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogLengths:
    """Mean lengths relative to those of the scenario, numbers or (1, T), and the pairs they are means of.

    Without pairs, lengths are typed.
    """

    input: Any = 1.0
    output: Any = 1.0
    pairs: tuple[Pairs, ...] = ()


@functools.lru_cache(maxsize=4)
def whole_log(recorded: Recorded) -> LogLengths:
    """Lengths drawn from a log, whenever the calls come."""
    return LogLengths(pairs=(Pairs.of(recorded.inputs, recorded.outputs),))


@functools.lru_cache(maxsize=8)
def log_by_period(recorded: Recorded, edges: tuple[int, ...]) -> LogLengths:
    """Lengths of the calls of each period of a log, its edges in days; as of all calls where a period has none."""
    at = np.searchsorted(recorded.stamps, NS_PER_DAY * np.asarray(edges, dtype=np.int64)).tolist()
    columns = (recorded.inputs.astype(float), recorded.outputs.astype(float))
    relative = []
    for column, mean in zip(columns, recorded.means, strict=True):
        own = [float(column[a:b].mean()) if b > a else mean for a, b in itertools.pairwise(at)]
        relative.append(np.array([own]) / mean if mean > 0 else np.ones((1, len(own))))
    pairs = [Pairs.of(*(column[a:b] if b > a else column for column in columns)) for a, b in itertools.pairwise(at)]
    return LogLengths(input=relative[0], output=relative[1], pairs=tuple(pairs))
