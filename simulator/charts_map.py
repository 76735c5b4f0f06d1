"""Which option is cheapest over two dials: coloured regions, paler where the lead is thin, break-even lines between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from simulator.charts_style import AXIS, COLOURS, INK, figure
from simulator.charts_words import series, text
from simulator.domain.uncertain import CostMap
from simulator.formats import count, decade, reading, share, short

Array = NDArray[np.float64]

CLEAR = 0.25
"""Lead over the runner-up, as a share of its cost, from which a region has its full colour."""
STEPS = 6
"""Shades of a colour."""
PALEST = 0.3
LOOK = {"ticks": "outside", "ticklen": 4, "tickcolor": AXIS, "linecolor": AXIS, "showline": True, "showgrid": False,
        "tickfont": {"size": 11}, "title": {"font": {"size": 13}}, "dtick": None}
"""Axes alike in all maps."""
MOST_CELLS = 160
"""Cells on an axis that a picture still tells apart."""


def cost_map(maps: Sequence[CostMap]) -> go.Figure:
    """One map, or several side by side for a third dial.

    Raises:
        ValueError: no map.
    """
    if not maps:
        raise ValueError("there is no map to draw")
    first = maps[0]
    cheapest = np.concatenate([one.cheapest.ravel() for one in maps])
    told = "; ".join(
        f"{short(name)} on {share(float(np.mean(cheapest == i)))}" for i, name in enumerate(first.names)
        if np.any(cheapest == i)
    )
    columns = min(3, len(maps))
    rows = math.ceil(len(maps) / columns)
    shell = figure(
        title="Which option is cheapest where?",
        subtitle=f"Cheapest: {told}. The paler, the thinner the lead; lines are break-evens, the cross is today.",
        foot=[],
        alt=f"Map of the cheapest option over {first.x_label} and {first.y_label}: {told}.",
        x={}, y={}, height=470 if rows == 1 else 330 * rows + 120, legend_rows=len(first.names),
    )
    chart = make_subplots(
        rows=rows, cols=columns, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.04, vertical_spacing=0.12,
        subplot_titles=[
            text(f"{one.facet[0].rpartition('.')[2]} = {count(one.facet[1])}") for one in maps if one.facet
        ],
    )
    chart.update_layout(shell.layout, overwrite=False)
    chart.update_annotations(font={"size": 12})
    chart.update_xaxes(LOOK)
    chart.update_yaxes(LOOK)
    if len(maps) > 1:
        chart.update_layout(margin={"t": shell.layout["margin"]["t"] + 18})
    for number, one in enumerate(maps):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        _draw(chart, one, place, legend=number == 0, shown=set(np.unique(cheapest).tolist()))
        across, up = _axis(one.x, one.x_label, one.x_unit), _axis(one.y, one.y_label, one.y_unit)
        chart.update_xaxes(type=one.x_scale, **_ticks(one.x_values, one.x_scale, one.x_unit), **place,
                           title={"text": text(across)} if place["row"] == rows else None)
        chart.update_yaxes(type=one.y_scale, **_ticks(one.y_values, one.y_scale, one.y_unit), **place,
                           title={"text": text(up)} if place["col"] == 1 else None)
    return chart


def _draw(chart: go.Figure, one: CostMap, place: dict[str, int], *, legend: bool, shown: set[int]) -> None:
    every = max(1, len(one.x_values) // MOST_CELLS)
    x, y = one.x_values[::every], one.y_values[::every]
    best = one.cheapest[::every, ::every]
    usd, margin = one.usd[:, ::every, ::every], one.margin_usd[::every, ::every]
    with np.errstate(invalid="ignore", divide="ignore"):
        runner = np.min(np.where(np.isfinite(usd), usd, np.inf), axis=0) + margin
        lead = np.nan_to_num(np.clip(np.where(np.isfinite(runner), margin / runner, 1.0) / CLEAR, 0.0, 1.0))
    shade = np.where(best >= 0, best + 0.98 * np.round(lead * (STEPS - 1)) / (STEPS - 1), np.nan)
    chart.add_heatmap(
        x=x, y=y, z=shade, zmin=0, zmax=len(one.names), colorscale=_shades(len(one.names)), showscale=False,
        customdata=np.stack([np.asarray([*map(short, one.names), "none"])[best], _money(margin)], axis=-1),
        hovertemplate="%{x:,.4~r}, %{y:,.4~r}<br>%{customdata[0]}, %{customdata[1]} a month ahead<extra></extra>",
        **place,
    )
    for i, name in enumerate(one.names):
        if i in shown:
            chart.add_scatter(
                x=[None], y=[None], mode="markers", name=text(short(name)), meta=series(name),
                showlegend=legend, **place,
                marker={"size": 12, "symbol": "square", "color": COLOURS[i % len(COLOURS)]},
            )
        others = np.delete(usd, i, axis=0)
        if not len(others) or not np.any(best == i) or np.all(best == i):
            continue
        apart = _apart(usd[i], others)
        chart.add_contour(
            x=x, y=y, z=np.sign(apart) * np.log1p(np.abs(apart)), showscale=False, hoverinfo="skip", showlegend=False,
            contours={"start": 0, "end": 0, "size": 1, "coloring": "lines"},
            colorscale=[[0, INK], [1, INK]], line={"width": 1.5}, **place,
        )
    chart.add_scatter(
        x=[one.today[0]], y=[one.today[1]], mode="markers", name="today", showlegend=legend, **place,
        marker={"symbol": "x", "size": 11, "color": INK, "line": {"width": 1.5, "color": "white"}},
        hovertemplate=text(f"today: {reading(one.today[0], one.x_unit)}, {reading(one.today[1], one.y_unit)}")
        + "<extra></extra>",
    )


def _apart(own: Array, others: Array) -> Array:
    """Cost of an option less that of the cheapest other, at every cell.

    Where it does not serve it is taken to cost what the second of the others does, so that its border lies where the
    winner's border with it lies, and is not drawn beside it as a line of its own.
    """
    least = np.sort(others, axis=0)[:2]
    second = least[-1] if len(others) > 1 else 2.0 * least[0]
    filled = np.where(np.isfinite(own), own, np.where(np.isfinite(second), second, 2.0 * least[0]))
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(filled - least[0], nan=0.0, posinf=1e300, neginf=-1e300)
    return np.asarray(np.clip(apart, -1e300, 1e300))


def _shades(options: int) -> list[list[object]]:
    """A scale of colours: each option has a stretch of it, from pale to full."""
    scale: list[list[object]] = []
    for i in range(options):
        colour = COLOURS[i % len(COLOURS)].removeprefix("#")
        parts = [int(colour[at : at + 2], 16) for at in (0, 2, 4)]
        for end, strength in ((0.0, PALEST), (0.999, 1.0)):
            mixed = [round(255 + (part - 255) * strength) for part in parts]
            scale.append([(i + end) / options, f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"])
    scale[-1][0] = 1.0
    return scale


def _money(margin: Array) -> NDArray[np.str_]:
    return np.asarray([[f"${value:,.0f}" if np.isfinite(value) else "alone" for value in row] for row in margin])


def _ticks(values: Array, scale: str, unit: str) -> dict[str, Any]:
    """From end to end; whole decades in our own words on a log axis, percent for a share."""
    ends = {"range": _ends(values, scale)}
    if scale == "log" and values[-1] > 100 * values[0] > 0:
        exponents = range(math.ceil(math.log10(values[0])), math.floor(math.log10(values[-1])) + 1)
        tens = [10.0**one for one in exponents]
        return {**ends, "tickvals": tens, "ticktext": [decade(one) for one in tens]}
    return {**ends, "tickformat": ".0%"} if unit == "share" and values[-1] - values[0] > 0.03 else ends


def _ends(values: Array, scale: str) -> list[float]:
    return (np.log10(values[[0, -1]]) if scale == "log" else values[[0, -1]]).tolist()  # type: ignore[no-any-return]


def _axis(path: str, words: str, unit: str) -> str:
    """`Shared prompt of tuned, tokens`: what a dial is called, of which option, and in what it counts."""
    of = f" of {short(path.split('.')[1], 18)}" if path.startswith("options.") else ""
    return f"{words}{of}{'' if unit in ('', '1/day', 'share') else f', {unit}'}"


