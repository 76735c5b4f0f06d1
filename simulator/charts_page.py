"""A chart on a page that has a theme of its own, and what a reader takes home from it: one file, or its numbers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from simulator.charts_style import AXIS, COLOURS, CONFIG, FAINT, FOOT, GRID, INK, RED, VEIL, WASH
from simulator.charts_words import text, wrapped
from simulator.formats import short

NIGHT = {
    "white": "#0e1117", INK: "#fafafa", FAINT: "#b4b8c0", GRID: "#2c313b", AXIS: "#7d8590", RED: "#ff7b8a",
    VEIL: "rgba(14,17,23,0.75)", "#000000": "#ffffff", "#0072B2": "#1a80c4", "#009E73": "#1fc196",
}
"""Colours by day to colours by night: paper and ink change places, the two darkest of the palette are lifted,
the blue no further than it stays apart from the sky blue beside it in every bill.

Contrast of each colour of an option against the dark page is at least 3 (WCAG 2.2, 1.4.11), as tested.
A browser puts them in (`chart.js`), as a reader may turn a page dark while it is open.
"""

NIGHT |= {f"{day}{WASH}": f"{NIGHT.get(day, day)}{WASH}" for day in COLOURS}

PLOT_PX = 460
"""Height of a chart on a page, whatever its words: nothing below it jumps while a dial moves."""

TOP_PX, BOTTOM_PX, LEGEND_PX = 96, 66, 20
"""Room for a title with three lines below it, for the axis, and for two entries of a legend beside each other."""

LINE_PX, MOST_LINES = 16, 3
"""Of the words below a title."""

SPARE = 0.05
"""Part of a range that is left free beyond the last point, as Plotly leaves it where it chooses the range itself."""

WIDE, NARROW = 76, 28
"""Characters of a line below the title of a chart, and of a line of the title itself on half a page."""

SHOWN = ("x", "y", "z", "text", "name", "ticktext", "tickvals", "categoryarray", "meta", "hovertemplate", "hovertext",
         "customdata", "title")
"""Keys of a figure that hold what is shown, never a colour."""


def page_json(figure: go.Figure, height: int = PLOT_PX, *, narrow: bool = False) -> str:
    """The text a page draws a chart from, without its foot and of a fixed height; no second figure is built for it.

    Args:
        figure: a chart of this program.
        height: in px.
        narrow: whether it stands in half a page, where words at points find no room, nor do figures after a name in
            the legend; hovering still tells them.
    """
    whole = figure.to_dict()
    traces, layout = whole["data"], whole["layout"]
    rows = math.ceil(sum(trace.get("showlegend", True) and bool(trace.get("name")) for trace in traces)
                     / (1 if narrow else 2))
    under = layout["title"].get("subtitle", {"text": ""})
    words = "" if narrow else "<br>".join(text(line) for line in wrapped(_plain(under["text"]), WIDE, most=MOST_LINES))
    layout = {
        **layout,
        "height": height,
        "margin": {**layout["margin"], "t": TOP_PX, "b": BOTTOM_PX + LEGEND_PX * rows, "r": 12},
        "title": {**layout["title"], "subtitle": {**under, "text": words, "font": {"size": 12, "color": FAINT}}},
        "legend": {**layout["legend"], "orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
    }
    layout["annotations"] = [
        words for words in layout.get("annotations", []) if words.get("name") != FOOT and not narrow
    ]
    if narrow:
        layout["legend"] |= {"xref": "container"}
        traces = [{**trace, "name": text(short(trace["meta"]["series"]))} if {"meta", "name"} <= trace.keys() else trace
                  for trace in traces]
        title = wrapped(html.unescape(re.sub("<[^>]*>", " ", layout["title"]["text"])).strip(), NARROW, most=3)
        layout["title"] |= {"text": "<b>" + "<br>".join(text(line) for line in title) + "</b>", "font": {"size": 14}}
    drawn: str = to_json_plotly({"data": traces, "layout": layout})
    return drawn


def _plain(words: str) -> str:
    return html.unescape(words.replace("<br>", " "))


def page_room(figure: go.Figure, *, narrow: bool = False) -> dict[str, Any]:
    """What a page that knows its own width needs to lay words and legend of a chart out anew.

    Args:
        figure: a chart of this program.
        narrow: whether it stands in half a page.
    """
    under = figure.layout.title.subtitle.text
    return {"words": "" if narrow or not under else _plain(under), "top": TOP_PX, "bottom": BOTTOM_PX,
            "row": LEGEND_PX, "line": LINE_PX, "lines": MOST_LINES}


def share_axes(beside: Sequence[go.Figure]) -> None:
    """Give charts of lines that stand beside each other one range, which holds all, so that they compare by eye.

    Args:
        beside: charts of the same kind, each with a range of its own along x; from $0 or less along y.

    >>> one, other = (go.Figure({"data": [{"x": [0, to], "y": [0, to]}], "layout": {"xaxis": {"range": [0, to]}}})
    ...               for to in (2, 100))
    >>> share_axes([one, other])
    >>> one.layout.xaxis.range == other.layout.xaxis.range == (0, 100), one.layout.yaxis.range[1]
    (True, 105.0)
    """
    across = [end for figure in beside for end in figure.layout.xaxis.range]
    up = [0.0, *(y for figure in beside for trace in figure.data for y in trace.y)]
    low, high = min(up), max(up)
    spare = SPARE * (high - low)
    for figure in beside:
        figure.layout.xaxis.range = (min(across), max(across))
        figure.layout.yaxis.range = (low and low - spare, high + spare)


def page_config(name: str, picture: str = "png") -> dict[str, Any]:
    """What a chart's own buttons do: zoom, pan, back, and save a picture under a name as `png` or `svg`."""
    return {**CONFIG, "toImageButtonOptions": {"format": picture, "scale": 2, "filename": name}}


def standalone(figure: go.Figure) -> str:
    """A chart as one HTML file that loads nothing."""
    page: str = figure.to_html(include_plotlyjs=True, include_mathjax=False, config=CONFIG, full_html=True)
    return page


def plotted(figure: go.Figure) -> list[dict[str, Any]]:
    """Every point of a chart as a row: the plain name of its line, x and y, and z where a trace has a grid.

    >>> plotted(go.Figure(data=[{"name": "a &amp; b", "x": [1], "y": [3.0]}]))
    [{'series': 'a & b', 'x': 1, 'y': 3.0}]
    >>> plotted(go.Figure(data=[{"name": "a  &#36;5", "meta": {"series": "a"}, "x": ["one<br>part"], "y": [4.0]}]))
    [{'series': 'a', 'x': 'one part', 'y': 4.0}]
    """
    grid = any(getattr(trace, "z", None) is not None for trace in figure.data)
    return [
        {"series": _series(trace), "x": _cell(x), "y": _cell(y)} | ({"z": z} if grid else {})
        for trace in figure.data
        for x, y, z in _points(trace)
    ]


def _series(trace: Any) -> str:
    """What a trace is called whatever its legend adds, which a moved dial would change."""
    return str(trace.meta["series"]) if trace.meta else _plain(trace.name or "")


def _cell(value: Any) -> Any:
    return _plain(value) if isinstance(value, str) else value


def _points(trace: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Points of a trace, with what stands at each where it is one over a grid."""
    across, up = (axis if axis is not None else () for axis in (trace.x, trace.y))
    if getattr(trace, "z", None) is None:
        yield from ((x, y, None) for x, y in zip(across, up, strict=True))
    else:
        yield from ((x, y, z) for y, row in zip(up, trace.z, strict=True)
                    for x, z in zip(across, row, strict=True))
