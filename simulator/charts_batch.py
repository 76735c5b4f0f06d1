"""Any two columns of a batch against each other, its points coloured by what is chosen or asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from simulator.charts_style import COLOURS, GREY, SYMBOLS, TICKS_USD, figure, places
from simulator.charts_words import series, text, wrapped
from simulator.domain.batch import OPTION_TOTAL
from simulator.domain.batch_points import NO_CHOICE, BatchPoints
from simulator.formats import count, decade, short

MOST_POINTS = 4_000
"""Points that are drawn; of more, evenly spaced ones."""
LOG_ABOVE = 50.0
"""Ratio of the largest to the least value from which an axis is logarithmic."""
NAMES = {
    "total_usd": "Cost of the choice, USD",
    "saving_usd": "Saving against the runner-up, USD",
    "saving_vs_baseline_usd": "Saving against the baseline, USD",
    "per_call_usd": "Cost of a call, USD",
}


def column_name(column: str) -> str:
    """A column in words; an axis keeps its path, which is what a scenario and `--set` call it.

    >>> column_name("total_usd"), column_name("workload.calls_per_day"), column_name("total_usd.cheap")
    ('Cost of the choice, USD', 'workload.calls_per_day', 'Cost of cheap, USD')
    """
    option = column.removeprefix(OPTION_TOTAL)
    return NAMES.get(column, column if option == column else f"Cost of {option}, USD")


def batch_answers(points: BatchPoints, of: int, x: str, y: str, source: str) -> go.Figure:
    """Which option is the cheapest where: the points of one scenario over two axes, or their cost over one.

    Args:
        points: those that are drawn.
        of: how many there are.
        x, y: columns of numbers.
        source: where the numbers come from, for the foot.
    """
    words, counts = np.unique(points.columns["choice"], return_counts=True)
    shares = [f"{short(str(words[at]))} {100.0 * counts[at] / len(points):.0f} %" for at in np.argsort(-counts)]
    number = f"{of:,} points" if len(points) == of else f"{len(points):,} of {of:,} points, evenly spread"
    return _scatter(
        points, x, y, "choice", places(points.options), title="Which option is the cheapest?",
        subtitle=f"{', '.join(shares)} of the points.", shown=number, foot=wrapped(f"{number}. {source}.", most=3),
    )


def batch_scatter(
    points: BatchPoints, x: str, y: str, by: str = "choice", looks: Mapping[str, int] | None = None
) -> go.Figure:
    """Points of a batch over two of its columns.

    Args:
        points: those that are wanted.
        x, y: columns of numbers.
        by: the column of words that colours them.
        looks: the place of each of its words, by which it is coloured, as `places` gives them; None for their order.
    """
    both = np.isfinite(points.columns[x]) & np.isfinite(points.columns[y])
    found = int(both.sum())
    kept = math.ceil(found / max(1, math.ceil(found / MOST_POINTS)))
    shown = f"{kept:,} of {len(points):,} points" if kept < len(points) else f"{len(points):,} points"
    return _scatter(
        points, x, y, by, places(points.words(by)) if looks is None else looks,
        title=f"{column_name(y)} against {column_name(x)}",
        subtitle=f"{shown}, coloured by {by}.", shown=shown, foot=[],
    )


def _scatter(
    points: BatchPoints, x: str, y: str, by: str, looks: Mapping[str, int], *,
    title: str, subtitle: str, shown: str, foot: Sequence[str],
) -> go.Figure:
    both = np.isfinite(points.columns[x]) & np.isfinite(points.columns[y])
    whole = np.flatnonzero(both)
    drawn = whole[:: max(1, math.ceil(len(whole) / MOST_POINTS))]
    groups = [word for word in points.words(by) if np.any(points.columns[by][drawn] == word)]
    chart = figure(
        title=title,
        subtitle=subtitle,
        foot=foot,
        alt=f"{column_name(y)} against {column_name(x)}: {shown}, "
            + ", ".join(f"{int(np.sum(points.columns[by][whole] == word)):,} with {by} {word}" for word in groups)
            + ".",
        x={"title": {"text": text(column_name(x))}, "showgrid": True} | _scale(points, x, drawn),
        y={"title": {"text": text(column_name(y))}} | _scale(points, y, drawn),
        legend_rows=len(groups),
    )
    hover = np.array([f"{text(str(name))}: {text(str(choice))}" for name, choice in zip(
        points.columns["scenario"][drawn], points.columns["choice"][drawn], strict=True)], dtype=object)
    for word in groups:
        place = looks.get(word, len(looks))
        colour = GREY if word == NO_CHOICE else COLOURS[place % len(COLOURS)]
        mine = points.columns[by][drawn] == word
        chart.add_scatter(
            x=points.columns[x][drawn][mine], y=points.columns[y][drawn][mine], mode="markers",
            name=f"{text(short(word))}  {count(float(np.sum(points.columns[by][whole] == word)))}",
            meta=series(word),
            marker={"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7, "opacity": 0.75},
            text=hover[mine], hovertemplate="%{text}<br>%{x:,.4~r}, %{y:,.4~r}<extra></extra>",
        )
    return chart.figure()


def _scale(points: BatchPoints, column: str, drawn: NDArray[np.int64]) -> dict[str, Any]:
    """A logarithmic axis where the values span decades, dollars written as dollars."""
    values = points.columns[column][drawn]
    usd: dict[str, Any] = {"tickformatstops": TICKS_USD} if "usd" in column else {"tickformat": "~s"}
    if len(values) and values.min() > 0 and values.max() / values.min() > LOG_ABOVE:
        sign = "$" if "usd" in column else ""
        tens = [10.0**power for power in range(math.floor(math.log10(values.min())),
                                               math.ceil(math.log10(values.max())) + 1)]
        return {"type": "log", "tickvals": tens, "ticktext": [text(f"{sign}{decade(ten)}") for ten in tens]}
    return usd
