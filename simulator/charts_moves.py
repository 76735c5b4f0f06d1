"""What moves the answer, as bars: tornado, shares of the variance, what to measure first, what flips the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from simulator.charts_drawing import Drawing
from simulator.charts_style import AXIS, COLOURS, GREY, INK, TICKS_USD, figure
from simulator.charts_words import text
from simulator.domain.uncertain import Flip, Flips, Sobol, Tornado, Uncertainty, Worth
from simulator.flip_words import Named, dial_names, flips_at, nearest_of
from simulator.formats import NOT_WORTH_MEASURING, reading, share, short, usd

MOST = 15
"""Bars that a chart shows; the rest are counted in words."""
NAME = 44
"""Characters of the name of a bar."""
FAR = 2.0
"""Relative change beyond which a flip is told, not drawn: it would make the near ones invisible."""
LABEL_SHARE = 0.015
"""Part of the width that a character at the end of a bar takes, in a chart of 780 px."""
NOTHING = -1.0
"""Relative change that leaves nothing of a dial; the axis of flips ends there unless a dial went through zero."""
FEWEST = 4
"""Bars a chart has room for at least; fewer are as thick, and stand apart: a single one is a bar and no block."""
STEPS, MOST_TICKS = tuple(k * 10.0**n for n in range(-8, 4) for k in (1, 2, 5)), 8
"""Distances of two ticks on the axis of relative changes, and how many ticks it holds."""
LOW, HIGH = COLOURS[0], COLOURS[1]


def tornado(found: Tornado) -> go.Figure:
    """What the choice saves against the runner-up while one dial at a time goes from low to high."""
    bars = found.bars[:MOST]
    names = _named(bars)
    flips = sum(min(bar.at_low, bar.at_high) < 0 for bar in found.bars)
    chart = _bars(
        title=f"What moves the saving of {short(found.choice, 20)} against {short(found.runner_up, 20)}?",
        subtitle=f"{usd(found.difference_usd)} as things stand (dotted); "
                 f"{_count(flips, 'dial') if flips else 'no dial'} can turn it below zero alone.",
        alt="Effect of each dial on the saving: " + "; ".join(
            f"{name} {usd(bar.at_low)} to {usd(bar.at_high)}"
            for name, bar in zip(dial_names(bars), bars, strict=True)) + ".",
        x_title="What the choice saves over the horizon, USD",
        names=names,
        foot=_more(len(found.bars) - len(bars)),
    )
    for side, colour in (("low", LOW), ("high", HIGH)):
        ends = [getattr(bar, f"at_{side}") for bar in bars]
        chart.add_bar(
            y=names, x=[end - found.difference_usd for end in ends], base=found.difference_usd, orientation="h",
            name=f"{side} end of the dial", marker={"color": colour},
            text=[text(_reading(getattr(bar, side), bar.unit)) for bar in bars], textposition="outside",
            textfont={"size": 11, "color": INK}, cliponaxis=False,
            hovertext=[text(f"{bar.path} at {reading(getattr(bar, side), bar.unit)}: saves {usd(end)} ({bar.basis})")
                       for bar, end in zip(bars, ends, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    values = [end for bar in bars for end in (bar.at_low, bar.at_high)] + [found.difference_usd, 0.0]
    room = 0.14 * (max(values) - min(values) or 1.0)
    chart.update_layout(barmode="overlay")
    chart.update_xaxes(range=[min(values) - room, max(values) + room])
    chart.add_vline(x=found.difference_usd, line={"color": INK, "width": 1.5, "dash": "dot"})
    return chart.figure()


def sobol(found: Sobol) -> go.Figure:
    """Share of the variance that each input explains, alone and with its interactions, with 95 % intervals."""
    rows = found.rows[:MOST]
    names = _named(rows)
    chart = _bars(
        title=f"Which input makes the saving of {short(found.choice)} uncertain?",
        subtitle="Share of the variance of what it saves against "
                 f"{short(found.runner_up)}: by the input alone, and with all its interactions.",
        alt="Sobol indices: " + "; ".join(
            f"{name} {row.first:.2f} alone, {row.total:.2f} in total"
            for name, row in zip(dial_names(rows), rows, strict=True)) + ".",
        x_title="Share of the variance",
        names=names,
        foot=[*found.notes, *_more(len(found.rows) - len(rows))],
        money=False,
    )
    series = (("alone", LOW, [(row.first, row.first_interval) for row in rows]),
              ("with interactions", HIGH, [(row.total, row.total_interval) for row in rows]))
    for name, colour, values in reversed(series):  # the first of a group of bars is drawn lowest
        chart.add_bar(
            y=names, x=[value for value, _ in values], orientation="h", name=name, marker={"color": colour},
            error_x={"type": "data", "symmetric": False, "color": INK, "thickness": 1,
                     "array": [max(0.0, ends[1] - value) for value, ends in values],
                     "arrayminus": [max(0.0, value - ends[0]) for value, ends in values]},
            customdata=_paths(rows), hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    chart.update_layout(barmode="group", legend={"traceorder": "reversed"})
    return chart.figure()


def worth(found: Sequence[Worth], unsure: Uncertainty, notes: Sequence[str] = ()) -> go.Figure:
    """What it is worth to know each input before choosing, with one standard error; notes stand at its foot."""
    rows = [row for row in found if row.usd > 0][:MOST]
    names = _named(rows)
    told = (f"To know everything would be worth {usd(unsure.perfect_usd)}." if rows else
            NOT_WORTH_MEASURING)
    chart = _bars(
        title="What should be measured first?",
        subtitle=f"{short(unsure.choice)} is cheapest in {share(unsure.confidence)} of {unsure.draws:,} draws. {told}",
        alt="Value of knowing: " + (
            "; ".join(f"{name} {usd(row.usd)}" for name, row in zip(dial_names(rows), rows, strict=True))
            or "nothing") + ".",
        x_title="Value of knowing it exactly, USD over the horizon",
        names=names,
        foot=[*notes, *unsure.notes],
    )
    chart.add_bar(
        y=names, x=[row.usd for row in rows], orientation="h", name="value of knowing", marker={"color": LOW},
        error_x={"type": "data", "array": [row.error_usd for row in rows], "color": INK, "thickness": 1},
        customdata=_paths(rows), hovertemplate="%{customdata}: %{x:$,.2f}<extra></extra>", showlegend=False,
    )
    return chart.figure()


def flips(found: Flips) -> go.Figure:
    """The smallest relative change of each dial at which another option becomes the choice."""
    rows = near_flips(found)[:MOST]
    names = _named(rows)
    others = list(dict.fromkeys(row.to for row in rows))
    other = short(others[0]) if len(others) == 1 else "another option"
    labels = [
        flips_at(row.at, row.unit, row.today) + (f": {short(row.to, 18)}" if len(others) > 1 else "") for row in rows
    ]
    told = "; ".join(f"{name} at {flips_at(row.at, row.unit, row.today)} to {row.to}"
                     for name, row in zip(dial_names(rows), rows, strict=True))
    nearest = f"Nearest: {dial_names(rows)[0]} by {share(abs(rows[0].change or 0))}; " \
              f"{nearest_of(rows, found.rows)} {'is' if len(rows) == 1 else 'are'} drawn." if rows else \
        "No single dial ends it within its span."
    chart = _bars(
        title=f"How far must a dial move to end the lead of {short(found.choice)}?",
        subtitle=f"Smallest relative change of one dial alone that makes {other} the cheapest. {nearest}",
        alt=f"Flips, {nearest_of(rows, found.rows)}{': ' if told else ''}{told}.",
        x_title="Relative change, where 0 is today",
        names=names,
        foot=[f"Not drawn: flips beyond {share(FAR)} or from zero ({len(found.rows) - len(rows)}), dials without a "
              f"flip in their span ({len(found.steady)}), dials that change nothing ({len(found.idle)})."],
        money=False,
    )
    changes = [row.change or 0.0 for row in rows]
    ends = [0.0, *changes]
    wide = [LABEL_SHARE * len(label) * (max(ends) - min(ends) or 1.0) for label in labels]
    room = 0.05 * (max(ends) - min(ends) or 1.0) + max(wide, default=0.0)
    low = max(min(ends) - room, min(NOTHING, *ends))
    fits = [change > 0 or change - size > low for change, size in zip(changes, wide, strict=True)]
    chart.add_bar(
        y=names, x=changes, orientation="h", showlegend=False,
        marker={"color": [HIGH if change > 0 else LOW for change in changes]},
        text=[text(one) for one in labels], textposition=["outside" if fit else "none" for fit in fits],
        textfont={"size": 11, "color": INK}, cliponaxis=False,
        customdata=[f"{path} {_signed(change)}" for path, change in zip(_paths(rows), changes, strict=True)],
        hovertemplate="%{customdata}<extra></extra>",
    )
    for name, label, fit in zip(names, labels, fits, strict=True):
        if not fit:
            chart.add_annotation(x=0, y=name, text=text(label), showarrow=False, xanchor="left", xshift=3,
                                 font={"size": 11, "color": INK})
    high = max(ends) + room
    chart.update_xaxes(range=[low, high], **_changes(low, high))
    return chart.figure()


def near_flips(found: Flips) -> list[Flip]:
    """Flips that are near enough to be drawn."""
    return [row for row in found.rows if row.change is not None and abs(row.change) <= FAR]


def _bars(
    *, title: str, subtitle: str, alt: str, x_title: str, names: Sequence[str], foot: Sequence[str], money: bool = True
) -> Drawing:
    ticks: dict[str, Any] = {"tickformatstops": TICKS_USD} if money else {}
    chart = figure(
        title=title, subtitle=subtitle, foot=foot, alt=alt,
        x={"title": {"text": x_title}, "showgrid": True, "zeroline": True, "zerolinecolor": AXIS, **ticks},
        y={"type": "category", "categoryorder": "array", "categoryarray": list(names)[::-1], "ticks": "",
           "showgrid": False},
        height=210 + 30 * max(FEWEST, len(names)), left=24 + int(6.6 * max([*(len(name) for name in names), 10])),
        legend_rows=2,
    )
    chart.update_layout(bargap=1.0 - 0.65 * min(1.0, max(1, len(names)) / FEWEST))
    if not names:
        chart.update_xaxes(visible=False)
        chart.update_yaxes(visible=False)
        chart.add_annotation(text="Nothing to draw.", xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False,
                             font={"size": 14, "color": GREY})
    chart.update_yaxes(tickfont={"size": 12, "color": INK}, linecolor=GREY)
    return chart


def _named(rows: Sequence[Named]) -> list[str]:
    """Dials as bars are labelled; whole where two would be short for the same, as bars of one name are one."""
    names = [text(name) for name in dial_names(rows)]
    cut = [text(short(name, NAME)) for name in dial_names(rows)]
    return [one if cut.count(one) == 1 else name for one, name in zip(cut, names, strict=True)]


def _paths(rows: Sequence[Named]) -> list[str]:
    """What stands under the pointer: where a dial is in the scenario."""
    return [text(row.path) for row in rows]


def _reading(value: float, unit: str) -> str:
    """A number at the end of a bar, short, with its unit."""
    if unit.startswith("share"):
        return f"{share(value)}{unit.removeprefix('share')}"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {'a day' if unit == '1/day' else unit}".rstrip()


def _changes(low: float, high: float) -> dict[str, Any]:
    """Ticks of an axis of relative changes, written as everywhere else, with their sign."""
    step = next(step for step in STEPS if (high - low) / step <= MOST_TICKS)
    ticks = [step * count for count in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [_signed(tick) for tick in ticks]}


def _signed(change: float) -> str:
    return f"{'+' if change > 0 else ''}{share(change)}"


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _more(number: int) -> list[str]:
    return [f"{number} shorter bars are left out."] if number > 0 else []
