"""A chart on a page that has a theme of its own, and what a reader takes home from it: one file, or its numbers."""

from __future__ import annotations

import html
import math
from typing import Any

import plotly.graph_objects as go

from simulator.charts_style import AXIS, COLOURS, CONFIG, FAINT, FOOT, GRID, INK, RED, VEIL, WASH
from simulator.charts_words import text, wrapped

DARK = {
    "white": "#0e1117", INK: "#fafafa", FAINT: "#b4b8c0", GRID: "#2c313b", AXIS: "#7d8590", RED: "#ff7b8a",
    VEIL: "rgba(14,17,23,0.75)", "#000000": "#ffffff", "#0072B2": "#4aa8e0", "#009E73": "#1fc196",
}
"""Colours by day to colours by night: paper and ink change places, the two darkest of the palette are lifted.

Contrast of each colour of an option against the dark page is at least 3 (WCAG 2.2, 1.4.11), as tested.
"""

DARK |= {f"{day}{WASH}": f"{DARK.get(day, day)}{WASH}" for day in COLOURS}

PLOT_PX = 460
"""Height of a chart on a page, whatever its words: nothing below it jumps while a dial moves."""

TOP_PX, BOTTOM_PX, LEGEND_PX = 96, 66, 20
"""Room for a title with three lines below it, for the axis, and for two entries of a legend beside each other."""

WIDE, NARROW = 76, 50
"""Characters of a line below the title, on a whole page and on half of one."""

VALUES = ("x", "y", "z", "text", "name", "ticktext", "tickvals", "categoryarray", "meta", "hovertemplate", "title")
"""Keys of a figure that hold what is shown, never a colour."""


def on_page(figure: go.Figure, dark: bool = False, height: int = PLOT_PX, *, narrow: bool = False) -> go.Figure:
    """A chart without its foot, of a fixed height, in the colours of the page.

    Args:
        figure: a chart of this program.
        dark: whether the page is.
        height: in px.
        narrow: whether it stands in half a page, where fewer words fit.
    """
    whole = figure.to_dict()
    traces, layout = whole["data"], whole["layout"]
    rows = math.ceil(sum(trace.get("showlegend", True) and bool(trace.get("name")) for trace in traces)
                     / (1 if narrow else 2))
    under = layout["title"].get("subtitle", {"text": ""})
    words = "<br>".join(text(line) for line in wrapped(_plain(under["text"]), NARROW if narrow else WIDE, most=3))
    layout = {
        **layout,
        "height": height,
        "margin": {**layout["margin"], "t": TOP_PX, "b": BOTTOM_PX + LEGEND_PX * rows, "r": 12},
        "title": {**layout["title"], "subtitle": {**under, "text": words, "font": {"size": 12, "color": FAINT}}},
        "legend": {**layout["legend"], "orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
    }
    layout["annotations"] = [words for words in layout.get("annotations", []) if words.get("name") != FOOT]
    if dark:
        traces, layout = _recoloured(traces), _recoloured(layout)
    return go.Figure(data=traces, layout=layout, _validate=False)


def _plain(words: str) -> str:
    return html.unescape(words).replace("<br>", " ")


def page_config(name: str, picture: str = "png") -> dict[str, Any]:
    """What a chart's own buttons do: zoom, pan, back, and save a picture under a name as `png` or `svg`."""
    return {**CONFIG, "toImageButtonOptions": {"format": picture, "scale": 2, "filename": name}}


def standalone(figure: go.Figure) -> str:
    """A chart as one HTML file that loads nothing."""
    page: str = figure.to_html(include_plotlyjs=True, include_mathjax=False, config=CONFIG, full_html=True)
    return page


def plotted(figure: go.Figure) -> list[dict[str, Any]]:
    """Every point of a chart as a row: the name it carries in the legend, x and y.

    >>> plotted(go.Figure(data=[{"name": "a", "x": [1, 2], "y": [3.0, 4.0]}]))
    [{'series': 'a', 'x': 1, 'y': 3.0}, {'series': 'a', 'x': 2, 'y': 4.0}]
    """
    return [
        {"series": trace.name or "", "x": x, "y": y}
        for trace in figure.data
        for x, y in zip(trace.x if trace.x is not None else (), trace.y if trace.y is not None else (), strict=True)
    ]


def _recoloured(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _words(key, inner) if key in VALUES else _recoloured(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [_recoloured(inner) for inner in node]
    return DARK.get(node, node) if isinstance(node, str) else node


def _words(key: str, inner: Any) -> Any:
    """What is shown stays; of a title only the words do."""
    if key != "title" or not isinstance(inner, dict):
        return inner
    return {name: value if name == "text" else _recoloured(value) for name, value in inner.items()}
