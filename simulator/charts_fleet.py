"""What a fleet did in its busiest week, hour by hour: replicas, how full they were, and who had to wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from simulator.charts_style import AXIS, COLOURS, FAINT, GRID, SHARES, figure
from simulator.charts_words import foot_lines, on_date, text
from simulator.domain.findings import Comparison
from simulator.domain.usage import FleetRecord
from simulator.formats import day, share, short

Array = NDArray[np.float64]
WEEK_H = 168
BANDS = ((0.70, 1.0), (0.36, 0.63), (0.0, 0.29))
"""From top to bottom: replicas, utilisation, calls that wait; shares of the height."""
WORDS = ("replicas, mean of the hour", "of the paid replicas that calls fill, and of the calls that overflow",
         "calls not yet admitted, mean of the hour")


def fleet_weeks(comparison: Comparison) -> dict[str, go.Figure]:
    """The busiest week of every fleet that was simulated, by the plain name of the file it may be kept in."""
    return {
        f"fleet-week-{name}": fleet_week(comparison, name)
        for name, option in comparison.options.items()
        if option.result.record is not None
    }


def busiest_week(record: FleetRecord) -> slice:
    """The hours of the week with the most calls; whole days, all of them where there are fewer than seven."""
    daily = record.calls.reshape(-1, 24).sum(axis=1)
    if daily.size <= 7:
        return slice(0, record.calls.size)
    weekly = np.convolve(daily, np.ones(7), "valid")
    first = int(np.argmax(weekly))
    return slice(24 * first, 24 * first + WEEK_H)


def fleet_week(comparison: Comparison, option: str) -> go.Figure:
    """Replicas, utilisation and queue of a fleet over the week in which most calls came, in the first run.

    Raises:
        KeyError: no such option.
        ValueError: its fleet was not simulated.
    """
    record = comparison.options[option].result.record
    if record is None:
        raise ValueError(f"{option} has no record of a simulated fleet")
    return drawn_week(record, option, comparison.start, foot_lines(comparison, ""))


def drawn_week(record: FleetRecord, option: str, start: date, foot: Sequence[str]) -> go.Figure:
    """The same of any record: whose it is, the first day of the scenario, and what stands below."""
    week = busiest_week(record)
    hours = np.arange(week.start, week.stop + 1)  # the last step needs its end to be as wide as it is
    when = [on_date(start, record.begin_day + float(hour) / 24.0) for hour in hours]
    replicas, serving, queue = record.replicas[week], record.serving[week], record.queue[week]
    filled, calls, overflow = record.utilisation[week], record.calls[week], record.overflow[week]
    sent = float(overflow.sum() / max(calls.sum(), 1.0))
    begins = day(date.fromordinal(start.toordinal() + record.begin_day + week.start // 24))
    used, most = share(float(filled.mean())), share(float(filled.max()))
    told = f"{used} of what was paid for was used, {most} in the fullest hour"
    also = f"; {share(sent)} of the calls found it full and went to the hosted option" if sent > 0 else ""
    chart = figure(
        title=f"How busy is {short(option)} in its busiest week?",
        subtitle=f"The week from {begins} in run 0 of the simulation, hour by hour: {told}{also}.",
        foot=foot,
        alt=f"Replicas, utilisation and waiting calls of {option} by hour in the week from {begins}: "
            f"{np.min(replicas):.3g} to {np.max(replicas):.3g} replicas paid, {told}, at most {np.max(queue):.3g} "
            f"calls waiting in the mean of an hour{also}.",
        x={"type": "date", "tickformat": "%a %-d %b", "dtick": 86_400_000, "hoverformat": "%a %-d %b, %H:%M",
           "range": [when[0], when[-1]], "anchor": "y3", "showgrid": True},
        y={"title": {"text": "Replicas"}, "domain": BANDS[0], "rangemode": "tozero", "range": [0, _top(replicas)],
           "tickformat": "~r"},
        height=620, legend_rows=4,
    )
    axis = {"gridcolor": GRID, "linecolor": AXIS, "zeroline": False, "ticks": "outside", "tickcolor": AXIS,
            "ticklen": 4, "rangemode": "tozero"}
    named = {"standoff": 10, "font": {"size": 13}}
    chart.update_layout(
        hovermode="x unified", legend={"traceorder": "normal"},
        yaxis2={**axis, "domain": BANDS[1], "title": {**named, "text": "Share"}, **SHARES,
                "range": [0, max(1.0, 1.05 * float(filled.max(initial=0.0)))]},
        yaxis3={**axis, "domain": BANDS[2], "title": {**named, "text": "Calls waiting"}, "range": [0, _top(queue)],
                "tickformat": "~s" if _top(queue) > 1000 else "~r"},
    )  # fmt: skip
    step = {"shape": "hv", "width": 2}
    chart.add_scatter(x=when, y=_steps(replicas), name="paid", mode="lines", line={**step, "color": COLOURS[0]},
                      hovertemplate="%{y:.2f}")
    chart.add_scatter(x=when, y=_steps(serving), name="serving", mode="lines",
                      line={**step, "color": COLOURS[5], "dash": "dot"}, hovertemplate="%{y:.2f}")
    chart.add_scatter(x=when, y=_steps(filled), name="utilisation", mode="lines", line={**step, "color": COLOURS[1]},
                      fill="tozeroy", fillcolor="rgba(213,94,0,0.15)", yaxis="y2", customdata=_told(filled),
                      hovertemplate="%{customdata} used")
    chart.add_scatter(x=when, y=_steps(queue), name="waiting for a place", mode="lines",
                      line={**step, "color": COLOURS[2]}, yaxis="y3", hovertemplate="%{y:,.3~r} calls")
    if sent > 0:
        chart.add_scatter(x=when, y=_steps(overflow / np.maximum(calls, 1.0)), name="overflow", mode="lines",
                          line={**step, "color": COLOURS[4], "dash": "dash"}, yaxis="y2",
                          customdata=_told(overflow / np.maximum(calls, 1.0)),
                          hovertemplate="%{customdata} of the calls overflow")
    for (_, top), words in zip(BANDS, WORDS, strict=True):
        chart.add_annotation(x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
                             text=text(words), font={"size": 12, "color": FAINT})
    return chart.figure()


def _steps(values: Array) -> Array:
    """Values by hour with the last one repeated, where its step ends."""
    return np.append(values, values[-1])


def _told(values: Array) -> list[str]:
    """Shares in words, the last one repeated as in `_steps`."""
    return [share(value) for value in _steps(values).tolist()]


def _top(values: Array) -> float:
    """Where an axis from zero ends, so that nothing touches its edge."""
    return max(1.12 * float(values.max(initial=0.0)), 1e-3)
