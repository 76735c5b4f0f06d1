"""A batch is many scenarios, each over all combinations of its axes, cut into pieces that never depend on who works."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import BY_DAY, is_structural
from simulator.domain.findings import Engine
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.scenario import Scenario

Array = NDArray[np.float64]
Value = float | str | bool | None
Kind = Literal["date", "number", "flag", "word"]
"""What all values of an axis that is no dial are."""
OPTION_TOTAL = "total_usd."
"""Stands before an option's name in the column of its cost."""

QUICK_ROWS, SLOW_ROWS = 1_048_576, 16_384
"""Points x options that take about half a second on one core: measured 1.8 million a second where only rates
and lengths vary, 15 thousand where the shape of the days varies by draw (bench/batch.py)."""
FLEET_ROWS, FLEET_SLOW_ROWS, OVERFLOW_ROWS = 6_144, 512, 120
"""Points of one fleet that take as long: where its calls' lengths vary (measured 8 to 12 thousand a second), where the
shape of the days varies by draw (1 thousand), and where drawn lengths decide what overflows (250)."""
LENGTHS = ("prefix_tokens", "input_tokens", "output_tokens", "reasoning_tokens")
DECIDED_ROWS = 48
"""The same for decisions of earlier days, each of which is planned and paid: measured 90 a second."""
START_ROWS = 131_072
"""What starting one option costs (its cache table is laid out anew), in the same rows."""
PLAYED_POINT_S, PLAYED_RUN_S = 0.4, 0.0025
"""Seconds that one option of one point takes in a simulation of a year, and each run of it: measured, hour totals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A dial and its values: a list, or from `low` to `high` where points are drawn."""

    path: str
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: Literal["linear", "log"] = "linear"

    def placed(self, shares: Array) -> Array:
        """Values at shares in [0, 1) of the way from `low` to `high`, evenly on the axis' scale.

        >>> Axis(path="x", low=1.0, high=100.0, scale="log").placed(np.array([0.0, 0.5])).tolist()
        [1.0, 10.0]
        """
        if self.scale == "linear":
            return self.low + shares * (self.high - self.low)
        placed: Array = self.low * np.power(self.high / self.low, shares)
        return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One scenario of a batch: its name there, its file, what the batch wrote into it, and its axes.

    The last axis varies fastest. With `draws`, that many points are spread over the axes' ranges by the
    additive recurrence of Roberts (2018), "The unreasonable effectiveness of quasirandom sequences": point `i`
    stands on axis `j` at the fraction of `0.5 + (i + 1) g^-(j + 1)`, `g` the root of `g^(d + 1) = g + 1`.
    With `decided_on`, every point is a decision of that day at the prices known then, paid at those that followed
    up to `until` (default: the scenario's horizon); days vary slowest. `seed` is that of a simulation.
    `fixed` holds by path the value of each axis of words here, `kinds` what the values of that whole axis are.
    """

    name: str
    source: str
    scenario: Scenario
    axes: tuple[Axis, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    draws: int | None = None
    decided_on: tuple[date, ...] = ()
    until: date | None = None
    seed: int = 0

    @property
    def points(self) -> int:
        """How many points the days and axes span; one without either."""
        return self._a_day * max(1, len(self.decided_on)) if self.draws is None else self.draws

    @property
    def _a_day(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def rows_at_once(self) -> int:
        """Points x options that make about half a second of work."""
        if self.decided_on:
            return DECIDED_ROWS
        slow = self.draws is not None and any(axis.path in BY_DAY for axis in self.axes)
        return SLOW_ROWS if slow else QUICK_ROWS

    def points_at_once(self, engine: Engine) -> int:
        """Points that make about half a second of work, at least one."""
        options = len(self.scenario.options)
        if engine == "expected":
            share = options / self.rows_at_once
            if not self.decided_on:
                share += sum(map(self._fleet_share, self.scenario.options))
            return max(1, math.floor(1.0 / share + 1e-6))
        years = self.scenario.horizon_days / 365.0
        played_s = options * years * (PLAYED_POINT_S + PLAYED_RUN_S * self.scenario.simulation.runs)
        return max(1, math.ceil(0.5 / played_s))

    def _fleet_share(self, name: str) -> float:
        """The part of half a second that one point of an option's fleet takes, beyond what any option takes."""
        option = self.scenario.options[name]
        if not isinstance(option, SelfHosted | Hybrid):
            return 0.0
        if self.draws is not None and any(axis.path in BY_DAY for axis in self.axes):
            return 1.0 / FLEET_SLOW_ROWS
        fleet = option.fleet_option if isinstance(option, Hybrid) else name
        lengths = [f"options.{fleet}.{key}" for key in LENGTHS]
        if not any(axis.path in lengths or axis.path.startswith("workload.tokens.") for axis in self.axes):
            return 0.0
        return 1.0 / (OVERFLOW_ROWS if isinstance(option, Hybrid) and self.draws is not None else FLEET_ROWS)

    def at(self, first: int, after: int) -> dict[str, Array]:
        """The values of every axis at points `first` up to `after`, each of shape (after - first,)."""
        points = np.arange(first, after, dtype=np.int64)
        if self.draws is None:
            shape = tuple(len(axis.values) for axis in self.axes)
            places = np.unravel_index(points % self._a_day, shape) if shape else ()
            return {
                axis.path: np.asarray(axis.values, dtype=float)[place]
                for axis, place in zip(self.axes, places, strict=True)
            }
        step = spread_ratio(len(self.axes))
        return {
            axis.path: axis.placed(np.mod(0.5 + (points + 1.0) * step ** -(number + 1.0), 1.0))
            for number, axis in enumerate(self.axes)
        }

    def words(self, size: int) -> dict[str, NDArray[Any]]:
        """The value of every axis of words, the same at each of `size` points, each of shape (size,)."""
        found: dict[str, NDArray[Any]] = {}
        for path, value in self.fixed.items():
            kind = self.kinds.get(path, "word")
            if kind == "date":
                found[path] = np.full(size, np.datetime64("NaT" if value is None else str(value), "D"))
            elif kind == "number":
                found[path] = np.full(size, math.nan if value is None else float(value))
            elif kind == "flag":
                found[path] = np.full(size, value, dtype=bool)
            else:
                found[path] = np.full(size, None if value is None else _word(value), dtype=object)
        return found

    def days(self, first: int, after: int) -> tuple[date, ...]:
        """The day of the decision at points `first` up to `after`; nothing where no earlier day is asked."""
        return tuple(self.decided_on[point // self._a_day] for point in range(first, after)) if self.decided_on else ()


def kind_of(values: Iterable[Value]) -> Kind:
    """What all values of an axis of words are, so that its column has one type in every scenario.

    >>> [kind_of(one) for one in (["2026-12-01", None], [1, 2.5], [True, False], ["a", 1], [True, None])]
    ['date', 'number', 'flag', 'word', 'word']
    """
    every = tuple(values)
    known = [value for value in every if value is not None]
    if known and all(isinstance(value, str) and _is_day(value) for value in known):
        return "date"
    if every and all(isinstance(value, bool) for value in every):
        return "flag"
    if known and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        return "number"
    return "word"


def _is_day(word: str) -> bool:
    try:
        return date.fromisoformat(word).isoformat() == word
    except ValueError:
        return False


def _word(value: float | str | bool) -> str:
    """A value as a batch file writes it."""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else f"{value:.10g}"


def spread_ratio(axes: int) -> float:
    """The positive root of `g^(d + 1) = g + 1`; the golden ratio for one axis.

    >>> round(spread_ratio(1), 6), round(spread_ratio(2), 6)
    (1.618034, 1.324718)
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (axes + 1))
    return ratio


def months(first: date, last: date, every: int = 1) -> Iterator[date]:
    """The same day of every month (the 28th at most) from `first` to `last`.

    >>> [str(day) for day in months(date(2024, 11, 30), date(2025, 1, 31))]
    ['2024-11-28', '2024-12-28', '2025-01-28']
    """
    month = first.year * 12 + first.month - 1
    while month < 12 * (MAXYEAR + 1) and (day := date(month // 12, month % 12 + 1, min(first.day, 28))) <= last:
        yield day
        month += every


def slowest_first(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """Axes whose values are run apart before the others, so that what runs together lies together."""
    return tuple(sorted(axes, key=lambda axis: not (is_structural(axis.path) or axis.path in BY_DAY)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Points `first` up to `after` of a member: what is priced, written and resumed as a whole."""

    member: int
    number: int
    first: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything a batch prices; `refused` says of scenario files that could not be read why not."""

    members: tuple[Member, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    engine: Engine = "expected"
    chunk_points: int | None = None

    @property
    def points(self) -> int:
        """Points of all members."""
        return sum(member.points for member in self.members)

    @property
    def digest(self) -> str:
        """Twelve hex digits of everything that can change a result or where it stands."""
        whole = hashlib.sha256(repr((self.engine, self.chunk_points)).encode())
        for member in self.members:
            axes = [dataclasses.astuple(axis) for axis in member.axes]
            whole.update(repr((member.name, member.scenario.digest, axes, member.draws)).encode())
            if member.decided_on:
                whole.update(repr((member.decided_on, member.until)).encode())
            if member.seed:
                whole.update(repr(("seed", member.seed)).encode())
        return whole.hexdigest()[:12]

    def pieces(self) -> Iterator[Piece]:
        """Every piece in order: of at least half a second of work where a member has as much."""
        for index, member in enumerate(self.members):
            size = self.chunk_points or member.points_at_once(self.engine)
            for number, first in enumerate(range(0, member.points, size)):
                yield Piece(member=index, number=number, first=first, after=min(first + size, member.points))

    def tasks(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
        """Pieces gathered, in order, until together they make half a second of work."""
        gathered: list[Piece] = []
        share = 0.0
        for piece in pieces:
            member = self.members[piece.member]
            gathered.append(piece)
            share += (piece.after - piece.first) / member.points_at_once(self.engine)
            if self.engine == "expected":
                share += START_ROWS * len(member.scenario.options) / member.rows_at_once
            if share >= 1.0 or self.chunk_points is not None:
                yield tuple(gathered)
                gathered, share = [], 0.0
        if gathered:
            yield tuple(gathered)
