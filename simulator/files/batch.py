"""Reads a batch file into members whose scenarios carry their prices; one bad scenario never stops the others."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from pricing.changes import check_past
from pricing.errors import InputError, TunepointError
from pricing.load_checked import checked, shown
from pricing.table import STRICT
from pricing.yaml12 import Document, Place, read_yaml
from simulator.domain.batch import Axis, Batch, Member, Value, kind_of, months, slowest_first
from simulator.domain.dials import Dial, check_dials
from simulator.domain.drawn import find_dial
from simulator.domain.findings import Engine
from simulator.domain.scenario import Scenario
from simulator.files.layers import FLAG
from simulator.files.scenario import read_scenario

MOST_POINTS = 10**10
MOST_VALUES = 10**6
MOST_VARIANTS = 10_000
BASELINE = "options.baseline."
"""Stands in an axis for the baseline of each scenario, whatever it is called there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """The keys of a batch file; `vary` is read axis by axis."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    scenarios: tuple[str, ...]
    vary: Any = None
    decide_on: Any = None
    draws: Annotated[float | None, Dial("Drawn points", "points", 1, 1e9, "log", least=1, whole=True)] = None
    engine: Engine = "expected"
    runs: Annotated[float | None, Dial("Runs", "runs", 1, 1000, least=1, whole=True)] = None
    seed: int | None = None
    chunk_points: Annotated[float | None, Dial("Points a file", "points", 1, 1e6, "log", least=1, whole=True)] = None

    def __post_init__(self) -> None:
        check_dials(self)
        for name in ("draws", "runs", "chunk_points"):
            value = getattr(self, name)
            if value is not None and value != int(value):
                raise ValueError(f"{name} is {value:g}; give a whole number")
        if not self.scenarios:
            raise ValueError("scenarios is empty; name at least one scenario file, or a pattern such as cases/*.yaml")
        if self.engine == "expected" and self.runs not in (None, 1):
            once = "the expected engine answers once, so leave it at 1, or write engine: simulated"
            raise ValueError(f"runs is {self.runs:g}; {once}")
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise ValueError(f"seed is {self.seed}; it must be a whole number from 0 to 2^64 - 1")
        if self.engine == "expected" and self.seed is not None:
            nothing = "the expected engine plays nothing by chance, so leave it away, or write engine: simulated"
            raise ValueError(f"seed is {self.seed}; {nothing}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """An axis as a range."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {**STRICT, "alias_generator": lambda key: key.rstrip("_")}
    from_: float
    to: float
    points: int | None = None
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if not self.from_ < self.to:
            raise ValueError(f"to is {self.to:g}; it must be above from, which is {self.from_:g}")
        if self.scale == "log" and self.from_ <= 0:
            raise ValueError(f"from is {self.from_:g}; a log axis begins above 0")
        if self.points is not None and self.points < 2:
            raise ValueError(f"points is {self.points}; an axis has at least 2, and one value belongs in the scenario")
        if self.points is not None and self.points > MOST_VALUES:
            raise ValueError(f"points is {self.points:,}; an axis has at most {MOST_VALUES:,}, and draws spreads more")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Months:
    """Days of decision: the same day of every month, each paid to its own horizon or up to one day."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {**STRICT, "alias_generator": lambda key: key.rstrip("_")}
    from_: date
    to: date
    every_months: int = 1
    until: date | None = None

    def __post_init__(self) -> None:
        if self.to < self.from_:
            raise ValueError(f"to is {self.to}; it must not be before from, which is {self.from_}")
        if self.every_months < 1:
            raise ValueError(f"every_months is {self.every_months}; months between two decisions are at least 1")
        if self.until is not None and self.until <= self.to:
            raise ValueError(f"until is {self.until}; it must be after the last decision, up to {self.to}")

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of decision."""
        return tuple(months(self.from_, self.to, self.every_months))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """An axis as written: values, or a range to draw from."""

    path: str
    place: Place
    values: tuple[Value, ...]
    span: _Span | None


def read_batch(paths: list[Path], today: date | None = None) -> Batch:
    """Read one batch file or several, which then make one batch.

    Args:
        paths: the batch files.
        today: a decision after it is refused, for its prices are not known (default: none is).

    Raises:
        InputError: a batch file cannot be read as meant, names nothing, or not one of its scenarios can be read.
    """
    members: list[Member] = []
    refused: dict[str, str] = {}
    chunk_points = None
    engine: Engine | None = None
    for path in paths:
        page = read_yaml(path)
        if not isinstance(page.value, dict):
            raise InputError(f"{path}: names nothing to do; a batch file begins with scenarios: [file.yaml, ...]")
        file = checked(BatchFile, page.value, page)
        chunk_points = file.chunk_points if chunk_points is None else min(chunk_points, file.chunk_points or math.inf)
        when = _months(page, file)
        if engine not in (None, file.engine):
            raise InputError(f"{path}: engine is {file.engine}, and {engine} in {paths[0]}; a batch has one engine")
        engine = file.engine
        asked = _axes(page, file)
        for found in _scenario_files(page, file, path.parent):
            try:
                some = list(_members(found, file, asked, when, page, {member.name for member in members}))
                if today is not None and when is not None:
                    _check_past(some, today, page)
                members += some
            except TunepointError as error:
                refused[str(found)] = str(error)
    if not members:
        first = next(iter(refused.values()))
        raise InputError(f"no scenario of this batch can be read; the first says: {first}")
    chunk = None if chunk_points is None else int(chunk_points)
    batch = Batch(members=tuple(members), refused=refused, engine=engine or "expected", chunk_points=chunk)
    if batch.points > MOST_POINTS:
        raise InputError(f"{paths[0]}: {batch.points:,} points; a batch may have at most {MOST_POINTS:,}")
    return batch


def _check_past(members: list[Member], today: date, page: Document) -> None:
    for member in members:
        recorded = (version.recorded for table in member.scenario.prices.values() for version in table.versions)
        check_past(page.where(("decide_on",)), member.decided_on[-1], max((today, *recorded)))


def _scenario_files(page: Document, file: BatchFile, folder: Path) -> Iterator[Path]:
    seen = set()
    for index, text in enumerate(file.scenarios):
        if not any(letter in text for letter in "*?["):
            found = [folder / text]
        elif Path(text).is_absolute():
            raise InputError(f"{page.where(('scenarios', index))}: {shown(text)} is not below this folder")
        else:
            found = sorted(at for at in folder.glob(text) if at.is_file())
        if not found:
            raise InputError(f"{page.where(('scenarios', index))}: {shown(text)} matches no file in {folder}")
        for path in found:
            if path not in seen:
                seen.add(path)
                yield path


def _axes(page: Document, file: BatchFile) -> list[_Asked]:
    vary = file.vary
    if vary is None:
        if file.draws is not None:
            raise InputError(f"{page.where(('draws',))}: there is no axis to draw from; name one in vary")
        return []
    if not isinstance(vary, dict) or not vary:
        where = page.where(("vary",))
        raise InputError(f"{where}: {shown(vary)} stands where axes are expected, as in {{PATH: [1, 2]}}")
    return [_axis(str(path), value, page, file.draws is not None) for path, value in vary.items()]


def _months(page: Document, file: BatchFile) -> _Months | None:
    if file.decide_on is None:
        return None
    if file.draws is not None:
        raise InputError(f"{page.where(('draws',))}: stands beside decide_on, whose points are days; leave draws away")
    if file.engine != "expected":
        raise InputError(f"{page.where(('engine',))}: is {file.engine}; decisions of earlier days are priced expected")
    return checked(_Months, file.decide_on, page, ("decide_on",))


def _axis(path: str, value: Any, page: Document, drawn: bool) -> _Asked:
    place: Place = ("vary", path)
    where = page.where(place)
    if isinstance(value, dict):
        span = checked(_Span, value, page, place)
        if drawn:
            if span.points is not None:
                raise InputError(f"{where}: points stands beside draws, which says how many; keep one of them")
            return _Asked(path=path, place=place, values=(), span=span)
        if span.points is None:
            raise InputError(f"{where}: points is missing; say how many values the axis has")
        spaced = np.geomspace if span.scale == "log" else np.linspace
        numbers = spaced(span.from_, span.to, span.points).tolist()
        numbers[0], numbers[-1] = span.from_, span.to
        return _Asked(path=path, place=place, values=tuple(numbers), span=None)
    if not isinstance(value, list):
        raise InputError(f"{where}: {shown(value)} is no axis; write a list, or {{from: 1, to: 10, points: 5}}")
    if drawn:
        raise InputError(f"{where}: a list cannot be drawn from; write {{from: ..., to: ...}}, or leave draws away")
    if len(value) < 2:
        raise InputError(f"{where}: {len(value)} value varies nothing; give two or more, or write it in the scenario")
    for index, one in enumerate(value):
        if isinstance(one, (dict, list)) or (isinstance(one, float) and not math.isfinite(one)):
            here = page.where((*place, index))
            raise InputError(f"{here}: {shown(one)} is no plain value; an axis lists numbers or words")
        if any(one is other or one == other for other in value[:index]):
            raise InputError(f"{page.where((*place, index))}: {shown(one)} stands twice; keep one")
    return _Asked(path=path, place=place, values=tuple(value), span=None)


def _members(
    path: Path, file: BatchFile, asked: list[_Asked], when: _Months | None, page: Document, taken: set[str]
) -> Iterator[Member]:
    """The members of one scenario file: one for each combination of values that are no numbers on a dial."""
    plain = _with_runs(read_scenario(path), file)
    named = [
        dataclasses.replace(axis, path=f"options.{plain.baseline}.{axis.path.removeprefix(BASELINE)}")
        if axis.path.startswith(BASELINE) and "baseline" not in plain.options
        else axis
        for axis in asked
    ]
    turned = [axis for axis in named if _is_dial(plain, axis)]
    written = [axis for axis in named if axis not in turned]
    if drawn := next((axis for axis in written if axis.span is not None), None):
        known = "it has no value in this scenario; set one there"
        raise InputError(f"{page.where(drawn.place)}: {drawn.path} cannot be drawn for {path}: {known}")
    if math.prod(len(axis.values) for axis in written) > MOST_VARIANTS:
        where = page.where(("vary",))
        raise InputError(f"{where}: more than {MOST_VARIANTS:,} combinations of values that are no dials")
    for values in itertools.product(*(axis.values for axis in written)):
        fixed = dict(zip((axis.path for axis in written), values, strict=True))
        flags = [f"{key}={json.dumps(value)}" for key, value in fixed.items()]
        scenario = _with_runs(_under(path, flags, page), file) if fixed else plain
        axes = slowest_first(_checked(axis, scenario, page, path) for axis in turned)
        name = _free(re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem), taken)
        taken.add(name)
        yield Member(
            name=name,
            source=str(path),
            scenario=scenario,
            axes=axes,
            fixed=fixed,
            kinds={axis.path: kind_of(axis.values) for axis in written},
            draws=None if file.draws is None else int(file.draws),
            decided_on=when.days if when else (),
            until=when.until if when else None,
            seed=file.seed or 0,
        )


def _with_runs(scenario: Scenario, file: BatchFile) -> Scenario:
    """The scenario with the runs that the batch asks for, if it does; its own else."""
    if file.runs is None or file.engine == "expected":
        return scenario
    return dataclasses.replace(scenario, simulation=dataclasses.replace(scenario.simulation, runs=int(file.runs)))


def _under(path: Path, flags: list[str], page: Document) -> Scenario:
    """The scenario under what the batch file writes into it, which is not told as if typed after `--set`."""
    try:
        return read_scenario(path, flags)
    except InputError as error:
        raise InputError(str(error).replace(f"{FLAG} ", f"{page.name}: vary ")) from None


def _is_dial(scenario: Scenario, axis: _Asked) -> bool:
    """Whether an axis turns a dial that has a value here, and only to numbers."""
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in axis.values):
        return False
    try:
        find_dial(scenario, axis.path)
    except InputError:
        return False
    return True


def _checked(axis: _Asked, scenario: Scenario, page: Document, path: Path) -> Axis:
    dial = find_dial(scenario, axis.path)
    ends = axis.values if axis.span is None else (axis.span.from_, axis.span.to)
    for value in ends:
        problem = dial.problem(axis.path, float(value))          # type: ignore[arg-type]
        if problem is None and dial.whole and value != int(value):  # type: ignore[arg-type]
            problem = f"{axis.path} is {value:g}; it counts whole {dial.unit}"
        if problem:
            raise InputError(f"{page.where(axis.place)}: {problem}, in {path}")
    if axis.span is None:
        return Axis(path=axis.path, values=tuple(float(value) for value in axis.values))  # type: ignore[arg-type]
    if dial.whole:
        where = page.where(axis.place)
        raise InputError(f"{where}: {axis.path} counts whole {dial.unit} and cannot be drawn; list values")
    return Axis(path=axis.path, low=axis.span.from_, high=axis.span.to, scale=axis.span.scale)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else next(
        f"{name}-{number}" for number in itertools.count(2) if f"{name}-{number}" not in taken
    )
