"""How long calls wait on each fleet, beside the latency that the scenario promises."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from simulator.charts_drawing import Drawing
from simulator.charts_style import COLOURS, FAINT, INK, RED, figure
from simulator.charts_words import text
from simulator.domain.rehearsed import Rehearsal
from simulator.formats import short

WAITS = {"ttft": "first token", "tpot": "each further token", "e2e": "whole call"}
LEVELS = {"p50": ("half of the calls", "circle"), "p95": ("95 % of the calls", "diamond"),
          "p99": ("99 % of the calls", "line-ns-open")}
BETWEEN = 0.9
"""Rows left free above each kind of wait, where its name stands."""
EDGES_PX, ROW_PX, LABEL_PX = 180, 34, 150


def timed_fleets(found: Rehearsal) -> list[str]:
    """Options whose calls were served one by one, so that their latency is known beyond its mean."""
    return [
        name for name, result in found.runs.mean.items()
        if result.fleet is not None and np.isfinite(result.fleet.e2e_p95_s).all()
    ]


def latency(found: Rehearsal) -> go.Figure:
    """Median, 95th and 99th percentile of every wait on every fleet, mean over the runs, and the targets at p95.

    Raises:
        ValueError: no fleet of these runs has percentiles.
    """
    names = timed_fleets(found)
    if not names:
        raise ValueError("no fleet of these runs served its calls one by one")
    rows = {(wait, name): BETWEEN * (group + 1) + group * len(names) + place
            for group, wait in enumerate(WAITS) for place, name in enumerate(names)}
    seconds = {(wait, name, level): _seconds(found, wait, name, level)
               for wait, name in rows for level in LEVELS}
    targets = {wait: limit for wait in WAITS if (limit := getattr(found.slo, f"{wait}_p95_s")) is not None}
    told = _told(names, targets, seconds)
    ends = [value for value in (*seconds.values(), *targets.values()) if value > 0]
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    chart = figure(
        title="Is every call answered in time?",
        subtitle=told,
        foot=[],
        alt=f"Latency of {', '.join(names)} over all calls of the simulated runs. {told} " + " ".join(
            f"{name}, {WAITS[wait]}: " + ", ".join(f"{level} {_words(seconds[wait, name, level])}" for level in LEVELS)
            + "." for wait, name in rows),
        x={"type": "log", "title": {"text": "Seconds"}, "showgrid": True, "range": [low - 0.05, high + 0.05],
           "tickvals": [10.0**k for k in range(low, high + 1)],
           "ticktext": [_words(10.0**k) for k in range(low, high + 1)]},
        y={"tickvals": list(rows.values()), "ticktext": [text(short(name, 20)) for _, name in rows],
           "range": [max(rows.values()) + 0.6, -0.1], "ticks": ""},
        height=EDGES_PX + ROW_PX * (len(rows) + len(WAITS)), left=LABEL_PX, legend_rows=len(LEVELS) + 1,
    )
    for (wait, name), row in rows.items():
        chart.add_scatter(
            x=[seconds[wait, name, level] for level in LEVELS], y=[row] * len(LEVELS), mode="lines", showlegend=False,
            line={"color": _colour(found, name), "width": 2}, hoverinfo="skip", name=text(f"{WAITS[wait]}, {name}"),
        )
    for level, (words, symbol) in LEVELS.items():
        chart.add_scatter(
            x=[seconds[wait, name, level] for wait, name in rows], y=list(rows.values()), mode="markers", name=words,
            marker={"symbol": symbol, "size": 11, "color": [_colour(found, name) for _, name in rows],
                    "line": {"width": 2, "color": [_colour(found, name) for _, name in rows]}},
            text=[text(f"{name}, {WAITS[wait]}: {words} within {_words(seconds[wait, name, level])}")
                  for wait, name in rows],
            hovertemplate="%{text}<extra></extra>",
        )
    _draw_targets(chart, rows, names, targets)
    for wait, words in WAITS.items():
        chart.add_annotation(
            x=0, xref="paper", xanchor="left", xshift=4, y=rows[wait, names[0]] - 0.72, yanchor="middle",
            showarrow=False, text=text(words), font={"size": 12, "color": FAINT},
        )
    return chart.figure()


def _draw_targets(
    chart: Drawing, rows: dict[tuple[str, str], float], names: list[str], targets: dict[str, float]
) -> None:
    """A line across the rows of a wait, where 95 % of the calls must have been answered."""
    for number, (wait, limit) in enumerate(targets.items()):
        top, bottom = rows[wait, names[0]] - 0.45, rows[wait, names[-1]] + 0.45
        chart.add_scatter(
            x=[limit, limit], y=[top, bottom], mode="lines", name="target for 95 %", showlegend=number == 0,
            legendgroup="target", line={"color": RED, "width": 3},
            hovertemplate=f"{WAITS[wait]}: 95 % within {_words(limit)}<extra></extra>",
        )


def _colour(found: Rehearsal, name: str) -> str:
    return COLOURS[found.options.index(name) % len(COLOURS)] if name in found.options else INK


def _seconds(found: Rehearsal, wait: str, name: str, level: str) -> float:
    use = found.runs.mean[name].fleet
    return float(np.mean(getattr(use, f"{wait}_{level}_s")))


def _told(names: list[str], targets: dict[str, float], seconds: dict[tuple[str, str, str], float]) -> str:
    """Which fleet keeps which target, in a sentence each."""
    if not targets:
        return "The scenario sets no latency target (workload.slo)."
    said = []
    for name in names:
        late = [f"{WAITS[wait]} {_words(seconds[wait, name, 'p95'])} of {_words(limit)}"
                for wait, limit in targets.items() if seconds[wait, name, "p95"] > limit]
        said.append(f"{short(name)} misses: {', '.join(late)}." if late else f"{short(name)} keeps every target.")
    return " ".join(said)


def _words(seconds: float) -> str:
    """Milliseconds below one second.

    >>> _words(0.0214), _words(1.85), _words(10.0)
    ('21.4 ms', '1.85 s', '10 s')
    """
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"
