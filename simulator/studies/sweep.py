"""A table of what every option costs over a grid of dials, in chunks, so that a million points stay small."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.drawn import find_dial
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.moves import cheapest_first

Array = NDArray[np.float64]

CHUNK = 20_000
"""Points priced at once."""
MOST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A dial and the values it takes."""

    path: str
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A piece of the table: dial values, cost of every option over the horizon, the cheapest and its margin.

    `usd` holds NaN where an option does not serve; `cheapest` is empty where none does.
    """

    dials: Mapping[str, Array]
    usd: Mapping[str, Array]
    cheapest: tuple[str, ...]
    margin_usd: Array


def axis(scenario: Scenario, text: str) -> Axis:
    """An axis as written on the command line: `PATH=LO..HI:N`, `PATH=LO..HI:N:log` or `PATH=a,b,c`.

    Raises:
        InputError: not of that form, no such dial, or a value it refuses.
    """
    path, equals, spec = text.partition("=")
    path = path.strip()
    if not equals or not spec.strip():
        raise InputError(f'"{text}" is no axis; write PATH=LO..HI:N, PATH=LO..HI:N:log or PATH=a,b,c')
    dial = find_dial(scenario, path)
    values = _spaced(text, spec) if ".." in spec else np.asarray([_number(text, part) for part in spec.split(",")])
    if dial.whole:
        values = np.unique(np.round(values))
    for value in values.tolist():
        if problem := dial.problem(path, value):
            raise InputError(problem)
    return Axis(path=path, values=values)


def sweep(scenario: Scenario, axes: Sequence[Axis]) -> Iterator[Swept]:
    """Price every option at every combination of the axes, the last one running fastest.

    Args:
        scenario: the question.
        axes: one or more, each of another dial.

    Raises:
        InputError: no axis, a dial twice, or more than ten million points.
    """
    paths = [one.path for one in axes]
    if not axes or len(set(paths)) < len(paths):
        raise InputError("a sweep needs one axis a dial: " + (", ".join(paths) or "none is given"))
    shape = tuple(len(one.values) for one in axes)
    size = math.prod(shape)
    if size > MOST:
        raise InputError(f"{size:,} points are more than {MOST:,}; take fewer on an axis")
    names = list(scenario.options)
    baseline = names.index(scenario.baseline)
    for first in range(0, size, CHUNK):
        index = np.unravel_index(np.arange(first, min(first + CHUNK, size)), shape)
        dials = {one.path: one.values[at] for one, at in zip(axes, index, strict=True)}
        usd = np.empty((len(names), len(index[0])))
        for row, name in enumerate(names):
            result = run(scenario, name, draws=dials)
            usd[row] = np.where(result.feasible_draws, result.total_usd, np.inf)
        order = cheapest_first(usd, baseline)
        ranked = np.take_along_axis(usd, order, axis=0)
        with np.errstate(invalid="ignore"):
            margin = ranked[1] - ranked[0] if len(names) > 1 else np.full(usd.shape[1], np.nan)
        served = np.isfinite(ranked[0]).tolist()
        yield Swept(
            dials=dials,
            usd={name: np.where(np.isfinite(usd[row]), usd[row], np.nan) for row, name in enumerate(names)},
            cheapest=tuple(names[best] if able else "" for best, able in zip(order[0].tolist(), served, strict=True)),
            margin_usd=margin,
        )


def idle(scenario: Scenario, axes: Sequence[Axis]) -> tuple[str, ...]:
    """The swept dials that change no option's cost between their first and last value."""
    found = []
    for one in axes:
        values = np.asarray([one.values[0], one.values[-1]])
        costs = [run(scenario, name, draws={one.path: values}).total_usd for name in scenario.options]
        if all(abs(cost[0] - cost[-1]) <= 1e-12 * abs(cost[0]) for cost in costs):
            found.append(one.path)
    return tuple(found)


def _spaced(text: str, spec: str) -> Array:
    span, *rest = spec.split(":")
    low, _, high = span.partition("..")
    if not rest or len(rest) > 2 or (len(rest) == 2 and rest[1] != "log"):
        raise InputError(f'"{text}": after LO..HI comes :N, and :log where wanted')
    begin, end, number = _number(text, low), _number(text, high), _number(text, rest[0])
    if number != int(number) or number < 2:
        raise InputError(f'"{text}": {rest[0]} points; take a whole number of two or more')
    if begin >= end:
        raise InputError(f'"{text}": {begin:g} is not below {end:g}')
    if len(rest) == 2:
        if begin <= 0:
            raise InputError(f'"{text}": a logarithmic axis begins above zero')
        return np.geomspace(begin, end, int(number))
    return np.linspace(begin, end, int(number))


def _number(text: str, part: str) -> float:
    try:
        value = float(part.replace("_", ""))
    except ValueError:
        raise InputError(f'"{text}": "{part.strip()}" is not a number') from None
    if not math.isfinite(value):
        raise InputError(f'"{text}": "{part.strip()}" is not an ordinary number')
    return value
