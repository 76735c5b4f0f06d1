"""What a bill is made of: day by day for one option, over the horizon for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from simulator.charts_drawing import Drawing
from simulator.charts_style import AXIS, DARK, INK, ON_LIGHT, TICKS_USD, VEIL, figure, line_looks
from simulator.charts_words import barred, by_cost, ending, foot_lines, moment, named, text
from simulator.domain.findings import Comparison
from simulator.formats import day, days, line_name, short, usd

Array = NDArray[np.float64]

MOST_DAYS, MOST_WEEKS = 92, 120
"""Days, or weeks, that a chart still shows one by one; a longer horizon is averaged over weeks, then months."""
MOST_CHANGES = 4
"""Changes of price that carry words; each further one is a line alone."""
TOTAL_ROOM = 0.2
"""Of the span of the bars, what is left free behind the longest for its total: enough in the narrowest window."""


def cost_per_day(comparison: Comparison, option: str) -> go.Figure:
    """What an option costs a day by line, at the prices in force; averaged by week or month over long horizons.

    Raises:
        KeyError: no such option.
    """
    summary = comparison.options[option]
    edges = summary.result.ledger.edges
    steps = _steps(comparison, edges)
    by_key = _usd_per_day(comparison, option, steps)
    left = len(edges) - 1 - steps.end
    changes = price_changes(comparison, option)
    chart = figure(
        title=f"What does {short(option)} cost a day, and for what?",
        subtitle=" ".join([
            *([f"Besides {usd(summary.one_off_usd)} paid once."] if summary.one_off_usd else []),
            *([f"In force from the first day: {', '.join(changes[0])}."] if 0 in changes else []),
        ]),
        foot=foot_lines(comparison, f"Not drawn: {days(left)} after the last whole week." if left else ""),
        alt=f"Recurring cost of {option} a day by line, from {day(comparison.start)} on; on average "
            + ", ".join(f"{line_name(key)} {usd(float(values.mean()))}" for key, values in by_key.items()) + ".",
        x={"type": "date", "title": {"text": "Date", "standoff": 2}, "tickformat": "%-d %b\n%Y",
           "hoverformat": "%-d %b %Y",
           "range": [moment(comparison, 0), moment(comparison, float(edges[steps.end]))]},
        y={"title": {"text": "USD a day" + ("" if steps.of == "day" else f", mean of the {steps.of}")},
           "tickformatstops": TICKS_USD},
        height=380, legend_rows=len(by_key),
    )
    chart.update_layout(hovermode="x unified", legend={"traceorder": "reversed"})
    when = [moment(comparison, float(edge)) for edge in edges[[*steps.begins, steps.end]]]
    for key, (colour, pattern) in line_looks(by_key).items():
        chart.add_scatter(
            x=when, y=np.append(by_key[key], by_key[key][-1]),  # the last step needs its end to be as wide as it is
            name=text(short(line_name(key))), mode="lines", line={"width": 0, "color": colour, "shape": "hv"},
            fillcolor=colour, stackgroup="paid" if by_key[key].sum() >= 0 else "received",
            fillpattern={"shape": pattern, "fgcolor": "white", "bgcolor": colour, "size": 5} if pattern else None,
            hovertemplate="%{y:$,.2f}",
        )
    _draw_changes(chart, comparison, {at: ids for at, ids in changes.items() if at > 0})
    return chart.figure()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """How the days of a chart are put together: the periods with which a step begins, and the first not drawn."""

    of: Literal["day", "week", "month"]
    begins: list[int]
    end: int


def _steps(comparison: Comparison, edges: NDArray[np.int64]) -> Steps:
    """Days; whole weeks from the start, so that every step has one weekend; or calendar months."""
    periods = len(edges) - 1
    if periods <= MOST_DAYS:
        return Steps(of="day", begins=list(range(periods)), end=periods)
    if periods <= 7 * MOST_WEEKS:
        whole = periods - periods % 7
        return Steps(of="week", begins=list(range(0, whole, 7)), end=whole)
    months = [(comparison.start + timedelta(days=int(edge))).strftime("%Y-%m") for edge in edges[:-1]]
    begins = [i for i in range(periods) if i == 0 or months[i] != months[i - 1]]
    return Steps(of="month", begins=begins, end=periods)


def _usd_per_day(comparison: Comparison, option: str, steps: Steps) -> dict[str, Array]:
    """Recurring dollars a day by line and step, from a ledger by day."""
    ledger = comparison.options[option].result.ledger
    widths = np.diff(ledger.edges[[*steps.begins, steps.end]])
    sums: dict[str, Array] = {}
    for line in ledger.lines:
        if not line.one_off and line.usd.any():
            part = np.add.reduceat(line.usd.mean(axis=0)[: steps.end], steps.begins) / widths
            sums[line.line] = sums.get(line.line, np.zeros(len(widths))) + part
    return sums


def price_changes(comparison: Comparison, option: str) -> dict[int, list[str]]:
    """Days from the start on which an option first pays by a version of a book price, with those versions."""
    ledger = comparison.options[option].result.ledger
    book = {price.id for price in comparison.prices_used}
    first: dict[str, int] = {}
    for line in ledger.lines:
        if line.price_version in book and not line.one_off and line.quantity.any():
            begin = int(ledger.edges[int(np.flatnonzero(line.quantity.any(axis=0))[0])])
            first[line.price_version] = min(begin, first.get(line.price_version, begin))
    changes: dict[int, list[str]] = {}
    for version, begin in sorted(first.items(), key=lambda item: item[1]):
        changes.setdefault(begin, []).append(version)
    return changes


def _draw_changes(chart: Drawing, comparison: Comparison, changes: Mapping[int, list[str]]) -> None:
    for i, (begin, versions) in enumerate(changes.items()):
        at = moment(comparison, begin)
        chart.add_vline(x=at, line={"color": INK, "width": 1, "dash": "dot"})
        if i < MOST_CHANGES:
            words = [f"from {day(comparison.start + timedelta(days=begin))}", *(short(id, 44) for id in versions)]
            late = begin > 0.6 * comparison.horizon_days
            chart.add_annotation(
                x=at, y=1, yref="paper", yanchor="top", yshift=-4 - 34 * (i % 3), xshift=-4 if late else 4,
                xanchor="right" if late else "left", align="right" if late else "left", showarrow=False,
                text="<br>".join(text(word) for word in words), font={"size": 11}, bgcolor=VEIL,
            )


def bill_by_line(comparison: Comparison) -> go.Figure:
    """What each option's bill is made of, the cheapest on top and what is no choice below."""
    names = by_cost(comparison)
    bills = {name: {key: float(usd_by_draw.mean()) for key, usd_by_draw in option.result.ledger.by_line().items()}
             for name, option in comparison.options.items()}
    looks = line_looks(key for bill in bills.values() for key, value in bill.items() if value)
    labels = [named(name, comparison) for name in names]
    paid = {name: sum(value for value in bills[name].values() if value > 0) for name in names}
    received = {name: sum(value for value in bills[name].values() if value < 0) for name in names}
    least, most = min(received.values()), max(paid.values()) or 1.0
    chart = figure(
        title="What is each bill made of?",
        subtitle=f"Cost over {days(comparison.horizon_days)} by line, one-offs included; the cheapest stands on top.",
        foot=foot_lines(comparison, barred(comparison)),
        alt="Bars of each option's cost by line: "
            + "; ".join(f"{name} {ending(comparison, name)}" for name in names) + ".",
        x={"title": {"text": "Cost over the horizon, USD"}, "tickformatstops": TICKS_USD, "showgrid": True,
           "zeroline": True, "zerolinecolor": AXIS,
           "range": [1.05 * least, most + TOTAL_ROOM * (most - least)]},
        y={"type": "category", "categoryorder": "array", "categoryarray": names[::-1], "ticks": "", "showgrid": False,
           "tickmode": "array", "tickvals": names, "ticktext": labels},
        height=180 + 38 * len(names), left=24 + int(7.6 * max(len(words) for words in labels)), legend_rows=len(looks),
    )
    chart.update_layout(barmode="relative", bargap=0.3, legend={"traceorder": "normal"},
                        uniformtext={"minsize": 10, "mode": "hide"})
    for key, (colour, pattern) in looks.items():
        chart.add_bar(
            y=names, x=[bills[name].get(key, 0.0) for name in names], orientation="h", name=text(short(line_name(key))),
            marker={"color": colour, "line": {"color": "white", "width": 0.5},
                    "pattern": {"shape": pattern, "fgcolor": "white", "bgcolor": colour, "size": 5},
                    "opacity": [1.0 if comparison.options[name].result.feasible else 0.45 for name in names]},
            text=[text(usd(bills[name][key])) if bills[name].get(key) and not pattern else "" for name in names],
            textposition="inside", insidetextanchor="middle", textangle=0,
            textfont={"size": 11, "color": "white" if colour in DARK else ON_LIGHT}, hovertemplate="%{y}: %{x:$,.2f}",
        )
    for name in names:
        total = text(usd(paid[name] + received[name]))
        chart.add_annotation(x=paid[name], y=name, text=f"<b>{total}</b>", xanchor="left", xshift=4, showarrow=False)
    return chart.figure()
