"""What each option has cost by each day, with the days on which it has paid back or stops serving."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import plotly.graph_objects as go

from simulator.charts_drawing import Drawing
from simulator.charts_style import INK, RED, TICKS_USD, figure, label, line_style, places
from simulator.charts_words import UNDER_ITS_NAME, barred, by_cost, ending, foot_lines, moment, named, series, text
from simulator.domain.findings import Comparison, OptionSummary
from simulator.formats import day, days, short

MOST_POINTS = 500
"""Points of a cash line; a longer horizon keeps every step and thins what lies between."""
MOST_LABELS = 3
"""Marks that carry words in the picture; beyond, they are told on hovering, in the legend and in the report."""


@dataclass(frozen=True, slots=True)
class Cash:
    """A cumulative path: days from the start, and dollars paid by then, with both ends of every one-off."""

    days: list[float] = field(default_factory=list)
    usd: list[float] = field(default_factory=list)

    def to(self, at: float, usd: float) -> None:
        """Add a point."""
        self.days.append(at)
        self.usd.append(usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point of a cash line worth a word: day, dollars, and two lines of text."""

    at: float
    usd: float
    words: tuple[str, str]


def cash_path(option: OptionSummary, start: date) -> Cash:
    """What an option has cost by each day until the end of the horizon or of its service.

    One-offs fall at the beginning of their day, the rest accrues over the day.
    """
    ledger = option.result.ledger
    one_off, recurring = (ledger.usd(one_off=kind).mean(axis=0) for kind in (True, False))
    by_end = np.cumsum(one_off + recurring)
    stop = option.result.serves_until
    last = len(by_end) if stop is None else int(np.searchsorted(ledger.edges, (stop - start).days))
    every = max(1, math.ceil(last / MOST_POINTS))
    path = Cash()
    path.to(float(ledger.edges[0]), 0.0)
    for i in range(last):
        if one_off[i]:
            path.to(float(ledger.edges[i]), float(by_end[i - 1]) if i else 0.0)
            path.to(float(ledger.edges[i]), float(by_end[i] - recurring[i]))
        if (i + 1) % every == 0 or i == last - 1:
            path.to(float(ledger.edges[i + 1]), float(by_end[i]))
    return path


def cumulative_cost(comparison: Comparison, looks: Mapping[str, int] | None = None) -> go.Figure:
    """Each option's cumulative cash by day, payback marked with its date, retirement as the end of a line.

    Args:
        comparison: every option side by side.
        looks: beside a chart of another scenario, the place of each option among those of both, as `places` gives them.
    """
    looks = looks or places(comparison.options)
    paths = {name: cash_path(option, comparison.start) for name, option in comparison.options.items()}
    order = by_cost(comparison)
    paid = list(paybacks(comparison))
    totals = ", ".join(f"{name} {ending(comparison, name)}" for name in order)
    takeaway = ". ".join([_cheapest(comparison), *_paid_words(paid)]) + "."
    chart = figure(
        title="What has each option cost by each day?",
        subtitle=takeaway,
        foot=foot_lines(comparison, barred(comparison)),
        alt=f"Cumulative cost by day. After {days(comparison.horizon_days)}: {totals}. {takeaway}",
        x={"type": "date", "title": {"text": "Date", "standoff": 2}, "tickformat": "%-d %b\n%Y",
           "hoverformat": "%-d %b %Y",
           "range": [moment(comparison, -2), moment(comparison, comparison.horizon_days + 2)]},
        y={"title": {"text": "Cumulative cost, USD"}, "tickformatstops": TICKS_USD, "rangemode": "tozero"},
        legend_rows=len(paths) + 2,
    )
    chart.update_layout(hovermode="x unified")
    for name, option in comparison.options.items():
        total = f"  {text(ending(comparison, name))}" if option.result.feasible else ""
        rank = order.index(name)
        chart.add_scatter(
            x=[moment(comparison, at) for at in paths[name].days], y=paths[name].usd,
            name=named(name, comparison) + total, meta=series(name, named(name, comparison)),
            hovertemplate=f"%{{y:$,.0f}}{UNDER_ITS_NAME}",
            legendrank=(1000 - rank) if option.result.feasible else 2000 + rank,
            **line_style(looks[name], option.result.feasible),
        )
    earned = [
        Mark(at=at, usd=float(np.interp(at, paths[name].days, paths[name].usd)),
             words=(f"{short(name)} pays back", f"{day(when)}, after {days(at)}"))
        for name, at, when in paid
    ]
    stopped = [
        Mark(at=paths[name].days[-1], usd=paths[name].usd[-1],
             words=(f"{short(name)} stops", day(option.result.serves_until)))
        for name, option in comparison.options.items() if option.result.serves_until is not None
    ]
    _draw_marks(chart, comparison, earned, "payback", "star-diamond", INK)
    _draw_marks(chart, comparison, stopped, "stops serving", "x", RED)
    labelled = [*((mark, INK) for mark in earned), *((mark, RED) for mark in stopped)]
    if len(labelled) <= MOST_LABELS:
        _label_marks(chart, comparison, labelled)
    return chart.figure()


def paybacks(comparison: Comparison) -> Iterator[tuple[str, float, date]]:
    """Each option that has earned back what it pays more up front than the baseline, and from when on."""
    for pair in comparison.break_even:
        name, back = pair.between[1], pair.payback
        if back.days is not None and back.date is not None and comparison.earns_back(name):
            yield name, back.days, back.date


def _cheapest(comparison: Comparison) -> str:
    """`tuned-api is cheapest over 365 days at $9,023, against $21.1k for long-prompt today`."""
    choice, base = comparison.verdict.choice, comparison.baseline
    said = f"{short(choice)} is cheapest over {days(comparison.horizon_days)} at {ending(comparison, choice)}"
    if choice == base:
        return f"{said}, and is what is done today"
    return f"{said}, against {ending(comparison, base)} for {short(base)} today"


def _paid_words(paid: Sequence[tuple[str, float, date]]) -> list[str]:
    said = [f"{short(name)} has earned back by {day(when)} what it pays more up front" for name, _, when in paid[:1]]
    return said + ([f"{len(paid) - 1} more {'is' if len(paid) == 2 else 'are'} marked"] if len(paid) > 1 else [])


def _draw_marks(
    chart: Drawing, comparison: Comparison, marks: Sequence[Mark], name: str, symbol: str, colour: str
) -> None:
    if marks:
        chart.add_scatter(
            x=[moment(comparison, mark.at) for mark in marks], y=[mark.usd for mark in marks], mode="markers",
            name=name, marker={"symbol": symbol, "size": 13, "color": colour, "line": {"color": "white", "width": 1.5}},
            text=[text(", ".join(mark.words)) for mark in marks], hovertemplate="%{text}<extra></extra>",
            legendrank=9000,
        )


def _label_marks(chart: Drawing, comparison: Comparison, marks: Sequence[tuple[Mark, str]]) -> None:
    """Words above each mark, each a step higher than the one before, and inside the frame near its ends."""
    horizon = comparison.horizon_days
    for i, (mark, colour) in enumerate(sorted(marks, key=lambda item: item[0].at)):
        aside = -70 if mark.at > 0.75 * horizon else 80 if mark.at < 0.25 * horizon else -12
        label(chart, mark.words, (moment(comparison, mark.at), mark.usd), (aside, -64 - 44 * i), colour)
