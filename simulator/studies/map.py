"""Which option is cheapest over two dials: regions, how clear they are, and the break-even lines between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.dials import Dial
from simulator.domain.drawn import find_dial, value_at, with_dials
from simulator.domain.plan import concerns
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import CostMap
from simulator.run import run
from simulator.studies.moves import cheapest_first

Array = NDArray[np.float64]

POINTS = 100
MOST_POINTS = 1000


def cost_map(
    scenario: Scenario,
    x: str,
    y: str,
    *,
    x_ends: tuple[float, float] | None = None,
    y_ends: tuple[float, float] | None = None,
    points: int = POINTS,
) -> CostMap:
    """The cheapest option over two dials.

    Args:
        scenario: the question.
        x: dotted path of the first dial.
        y: dotted path of the second.
        x_ends: from where to where (default: the dial's span).
        y_ends: the same for the second.
        points: points on each axis, fewer where the dial counts whole things.

    Raises:
        InputError: no such dial, the same dial twice, or an empty range.
    """
    if x == y:
        raise InputError(f"a map needs two dials; {x} is named twice")
    if not 2 <= points <= MOST_POINTS:
        raise InputError(f"{points} points: a map has between 2 and {MOST_POINTS} on an axis")
    dials = find_dial(scenario, x), find_dial(scenario, y)
    xs, ys = axis_points(x, dials[0], x_ends, points), axis_points(y, dials[1], y_ends, points)
    draws = {x: np.tile(xs, len(ys)), y: np.repeat(ys, len(xs))}
    names = tuple(scenario.options)
    horizon = draws.get("horizon_days", np.asarray(scenario.horizon_days))
    hours = draws.get("hours_per_month", np.asarray(scenario.hours_per_month))
    months = np.broadcast_to(horizon * 24.0 / hours, (len(xs) * len(ys),))
    usd = np.empty((len(names), len(ys), len(xs)))
    for row, name in enumerate(names):
        used = {path: values for path, values in draws.items() if concerns(scenario, name, path)}
        result = run(scenario, name, draws=used or {x: draws[x][:1]})
        cost = np.where(result.feasible_draws, result.total_usd, np.inf)
        usd[row] = (cost / months).reshape(len(ys), len(xs))
    flat = usd.reshape(len(names), -1)
    order = cheapest_first(flat, names.index(scenario.baseline))
    ranked = np.take_along_axis(flat, order, axis=0)
    served = np.isfinite(ranked[0])
    with np.errstate(invalid="ignore"):
        margin = ranked[1] - ranked[0] if len(names) > 1 else np.full(len(served), np.inf)
    shape = (len(ys), len(xs))
    cheapest = np.where(served, order[0], -1).reshape(shape)
    return CostMap(
        x=x,
        y=y,
        x_label=dials[0].label,
        y_label=dials[1].label,
        x_unit=dials[0].unit,
        y_unit=dials[1].unit,
        x_scale=dials[0].scale,
        y_scale=dials[1].scale,
        x_values=xs,
        y_values=ys,
        today=(value_at(scenario, x), value_at(scenario, y)),
        names=names,
        usd=usd,
        cheapest=cheapest,
        margin_usd=np.where(served, margin, np.nan).reshape(shape),
        lines=_lines(names, usd, cheapest, xs, ys),
    )


def small_multiples(
    scenario: Scenario,
    x: str,
    y: str,
    facet: str,
    values: Sequence[float],
    *,
    x_ends: tuple[float, float] | None = None,
    y_ends: tuple[float, float] | None = None,
    points: int = POINTS,
) -> tuple[CostMap, ...]:
    """The same map at several values of a third dial.

    Args:
        scenario: the question.
        x: first dial.
        y: second dial.
        facet: third dial.
        values: where it stands in each map.
        x_ends: from where to where.
        y_ends: the same for the second.
        points: points on each axis.

    Raises:
        InputError: as `cost_map`, or a value the dial refuses.
    """
    import dataclasses

    if facet in (x, y):
        raise InputError(f"the third dial is {facet} again; name another")
    dial = find_dial(scenario, facet)
    found = []
    for value in values:
        if problem := dial.problem(facet, value):
            raise InputError(problem)
        moved = with_dials(scenario, {facet: value})
        one = cost_map(moved, x, y, x_ends=x_ends, y_ends=y_ends, points=points)
        found.append(dataclasses.replace(one, facet=(facet, value)))
    return tuple(found)


def axis_points(path: str, dial: Dial, ends: tuple[float, float] | None, points: int) -> Array:
    """Values along a dial: evenly spread, in logarithms where the dial is logarithmic.

    Raises:
        InputError: an empty range, or one beyond what the dial may be.
    """
    low, high = ends or (dial.low, dial.high)
    if not dial.least <= low < high <= dial.most:
        raise InputError(
            f"{path}: from {low:g} to {high:g} is no range of this dial; it runs from {dial.least:g} to {dial.most:g}"
        )
    spaced = np.geomspace if dial.scale == "log" and low > 0 else np.linspace
    values = spaced(low, high, points)
    values[0], values[-1] = low, high
    return np.unique(np.round(values)) if dial.whole else values


def _lines(
    names: tuple[str, ...], usd: Array, cheapest: NDArray[np.int64], xs: Array, ys: Array
) -> dict[tuple[str, str], Array]:
    """Points of the break-even lines: where the cheaper of two neighbours changes, linear between grid points."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for rows, columns in (((0, None), (1, None)), ((1, None), (0, None))):
        here = np.s_[: -1 if rows[0] else None, : -1 if columns[0] else None]
        there = np.s_[rows[0] :, columns[0] :]
        apart = (cheapest[here] != cheapest[there]) & (cheapest[here] >= 0) & (cheapest[there] >= 0)
        for i, j in zip(*np.nonzero(apart), strict=True):
            k, m = i + rows[0], j + columns[0]
            a, b = sorted((int(cheapest[i, j]), int(cheapest[k, m])))
            before, after = usd[b, i, j] - usd[a, i, j], usd[b, k, m] - usd[a, k, m]
            part = before / (before - after) if np.isfinite([before, after]).all() and before != after else 0.5
            at = float(xs[j] + (xs[m] - xs[j]) * part), float(ys[i] + (ys[k] - ys[i]) * part)
            found.setdefault((names[a], names[b]), []).append(at)
    return {pair: np.asarray(sorted(points)) for pair, points in itertools.islice(sorted(found.items()), None)}
