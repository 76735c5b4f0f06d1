"""How every chart looks: one colour-blind-safe palette, one layout on white paper, a legend that stays readable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from simulator.charts_drawing import Drawing
from simulator.charts_words import text, wrapped

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
"""Okabe and Ito (2008), "Color Universal Design", without yellow, which is too pale for a line on white."""

WASH = "33"
"""Put behind a colour it makes a fifth of it, as a band wears it."""

YELLOW = "#F0E442"
GREY = "#999999"
RED = "#b00020"

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "pentagon", "hexagon",
           "hourglass", "bowtie", "star-square")
"""The second channel of an option: with seven colours, 84 options stay apart."""

LINE_LOOKS: dict[str, tuple[str, str]] = {
    "input": ("#0072B2", ""), "cached_input": ("#56B4E9", ""), "cache_write": ("#CC79A7", ""),
    "output": ("#D55E00", ""), "batch_input": ("#0072B2", "/"), "batch_cached_input": ("#56B4E9", "/"),
    "batch_output": ("#D55E00", "/"), "training": ("#009E73", ""), "dataset": ("#E69F00", ""),
    "evaluation": (YELLOW, ""), "engineering": (YELLOW, "/"), "hosting": ("#000000", "/"), "storage": ("#009E73", "/"),
    "gpu": ("#E69F00", "/"), "gpu_idle": ("#E69F00", "x"), "hardware": ("#000000", "\\"), "residual": ("#000000", "."),
    "electricity": (YELLOW, "x"),
    "egress": ("#009E73", "\\"), "ops": (GREY, ""), "failures": ("#000000", ""), "human": ("#CC79A7", "/"),
    "adjust": ("#009E73", "x"),
}
"""Colour and pattern of a line of the bill, the same in every chart; labels of the user follow below."""

OWN_LOOKS = tuple((colour, ".") for colour in (*COLOURS[:6], GREY))

DARK = frozenset({"#0072B2", "#D55E00", "#009E73", "#000000"})
"""Colours on which words are white, by night as dark as the page."""
ON_LIGHT = "#1b1b1b"
"""Words on all others, which stay as light by night; no ink, as that turns."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
INK, FAINT, GRID, AXIS, VEIL = "#1a1a1a", "#595959", "#e3e3e3", "#8c8c8c", "rgba(255,255,255,0.75)"

TITLE_CHARACTERS, SUBTITLE_CHARACTERS = 64, 96
"""A line that a sheet of A4 shows whole."""
FOOT = "foot"
"""Name of the words below a chart, which a page that says the same elsewhere leaves out."""
TITLE_LINE_PX, FOOT_LINE_PX, LEGEND_LINE_PX = 22, 15, 19

TICKS_USD = [
    {"dtickrange": [None, 1], "value": "$,.2~f"},
    {"dtickrange": [1, 1000], "value": "$,~f"},
    {"dtickrange": [1000, None], "value": "$~s"},
]
"""$0.5, $500, $1.5k, $2M by the distance of two ticks: with one rule for all, d3 writes half a dollar as $500m."""

SHARES = {"tickmode": "array", "tickvals": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
          "ticktext": ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]}
"""Ticks of an axis of shares, written as everywhere else."""
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}
"""No logo, as it links to a web page; zoom, pan, back, and a picture to take along."""


def line_style(place: int, feasible: bool = True) -> dict[str, Any]:
    """A line of the option at a place of the scenario, the same in every chart; dashed where it is no choice."""
    return {
        "mode": "lines+markers",
        "opacity": 1 if feasible else 0.6,
        "line": {"color": COLOURS[place % len(COLOURS)], "width": 2.5, "dash": "solid" if feasible else "dash"},
        "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8, "maxdisplayed": 7},
    }


def places(*scenarios: Iterable[str], of: Collection[str] | None = None) -> dict[str, int]:
    """Where options of several scenarios meet in a picture: the place of each name, by which it is coloured.

    Those of the first scenario have the places that every chart of it gives them. Each other name has its own place in
    the scenario it first comes in if that colour is free, else the first that is; only when all are taken does a colour
    come twice, with another symbol.

    Args:
        scenarios: the options of each, in order.
        of: the options of the picture, as others of the scenarios keep no colour from them; None for all.

    >>> places(["today", "tuned"], ["tuned", "own", "rented"]), places(["today", "tuned"], ["own"], of=["own", "tuned"])
    ({'today': 0, 'tuned': 1, 'own': 2, 'rented': 3}, {'tuned': 1, 'own': 0})
    """
    found: dict[str, int] = {}
    for number, options in enumerate(scenarios):
        for own, name in enumerate(options):
            if name not in found and (of is None or name in of):
                found[name] = _nearest_free(own, found.values()) if number else own
    return found


def _nearest_free(own: int, taken: Collection[int]) -> int:
    """A place that is not taken, of a colour that is taken least: the own one, else the first."""
    worn = Counter(place % len(COLOURS) for place in taken)
    free = (place for place in (own, *range(len(COLOURS) * (len(taken) + 1))) if place not in taken)
    found: int = min(free, key=lambda place: worn[place % len(COLOURS)])
    return found


def line_looks(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and fill pattern by line key, in the order in which bars are stacked.

    >>> line_looks(["licence", "output", "input"])
    {'input': ('#0072B2', ''), 'output': ('#D55E00', ''), 'licence': ('#0072B2', '.')}
    """
    asked = dict.fromkeys(keys)
    own = [key for key in asked if key not in LINE_LOOKS]
    looks = {key: look for key, look in LINE_LOOKS.items() if key in asked}
    return looks | {key: OWN_LOOKS[i % len(OWN_LOOKS)] for i, key in enumerate(own)}


def figure(
    *,
    title: str,
    subtitle: str,
    foot: Sequence[str],
    alt: str,
    x: dict[str, Any],
    y: dict[str, Any],
    height: int = 470,
    left: int = 80,
    legend_rows: int = 0,
) -> Drawing:
    """An empty chart: question above, axes, legend at the right, foot below.

    Args:
        title: the question that the picture answers.
        subtitle: what to see in it; at most two lines are shown.
        foot: lines that say where the numbers come from.
        alt: the picture in words, kept in `layout.meta["alt"]` for whoever places it on a page.
        x: layout of the horizontal axis.
        y: layout of the vertical axis.
        height: of title, plot and axis, in px; the foot comes on top.
        left: room for the labels of the vertical axis, in px.
        legend_rows: entries of the legend; many of them make the chart taller.
    """
    under = wrapped(subtitle, SUBTITLE_CHARACTERS)
    over = wrapped(title, TITLE_CHARACTERS)
    pad = 12 * len(over)                                        # a second line is drawn above the first one's place
    top, bottom = 42 + pad + TITLE_LINE_PX * (len(over) - 1) + 17 * len(under), 68 + FOOT_LINE_PX * len(foot)
    chart = Drawing()
    chart.update_layout(
        template={},
        height=max(height + FOOT_LINE_PX * len(foot), top + bottom + LEGEND_LINE_PX * legend_rows + 16),
        autosize=True,
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": left, "r": 24, "t": top, "b": bottom},
        title={
            "text": "<br>".join(f"<b>{text(line)}</b>" for line in over),
            "font": {"size": 17}, "x": 0, "xref": "container", "xanchor": "left",
            "pad": {"l": 8, "t": pad}, "y": 1, "yref": "container", "yanchor": "top",
            "subtitle": {"text": "<br>".join(text(line) for line in under), "font": {"size": 13, "color": FAINT}},
        },
        legend={"x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 12}, "tracegroupgap": 4},
        hoverlabel={"font": {"family": FONT, "size": 12}, "namelength": -1},
        meta={"alt": alt},
    )
    axis = {"gridcolor": GRID, "linecolor": AXIS, "zeroline": False, "ticks": "outside", "tickcolor": AXIS,
            "ticklen": 4, "title": {"standoff": 10, "font": {"size": 13}}}
    chart.update_xaxes(axis | {"showgrid": False, "showline": True})
    chart.update_yaxes(axis)
    chart.update_xaxes(x)
    chart.update_yaxes(y)
    if foot:
        chart.add_annotation(
            name=FOOT, text="<br>".join(text(line) for line in foot), font={"size": 11, "color": FAINT},
            showarrow=False, xref="paper", yref="paper", x=0, y=0, xanchor="left", yanchor="top", xshift=8 - left,
            yshift=-64, align="left",
        )
    return chart


def label(
    chart: Drawing, words: Sequence[str], at: tuple[Any, float], shift: tuple[int, int], colour: str = INK
) -> None:
    """A few words with a line to a point; `at` is in the units of the axes (log10 on a log axis)."""
    chart.add_annotation(
        text="<br>".join(text(line) for line in words), x=at[0], y=at[1], ax=shift[0], ay=shift[1], showarrow=True,
        arrowhead=0, arrowwidth=1, arrowcolor=colour, standoff=5, font={"size": 12, "color": INK},
        bgcolor=VEIL, borderpad=2,
    )


def placed(chart: go.Figure, place: str) -> str:
    """The script that draws a chart into the element `place` of a page that holds `plotly_script()`."""
    drawn = chart.to_json().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"(function(f){{Plotly.newPlot({json.dumps(place)},f.data,f.layout,{json.dumps(CONFIG)});}})({drawn});"


def plotly_script() -> str:
    """The drawing library itself, so that a page needs no network."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
