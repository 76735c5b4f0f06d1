"""What each option costs a month along a dial, with every point at which two options change places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from simulator.charts_drawing import Drawing
from simulator.charts_style import INK, RED, TICKS_USD, VEIL, figure, label, line_style
from simulator.charts_words import feasible, foot_lines, named, series, text
from simulator.domain.findings import BreakEven, Comparison, CostCurve, Crossing, Meeting
from simulator.domain.uncertain import Reign
from simulator.formats import decade, reading, reign_words, short, usd

Array = NDArray[np.float64]

MOST_LABELS = 3
"""Crossings that carry words in the picture; beyond, they are told on hovering and in the report's table."""
SAME = 1e-6
"""The same distance below which two crossings are one."""
APART = 0.2
"""Share of a decade, or of the range on a linear axis, below which two labels would cover each other."""
THIRD = "a third option is cheaper than both"
"""What is told of a crossing that has a small mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A crossing, how high its curves stand there, and whether the cheapest of all changes, or the baseline crosses."""

    crossing: Crossing
    usd_per_month: float
    leads: bool = False
    small: bool = False


def cost_against_volume(
    curve: CostCurve,
    break_evens: Sequence[BreakEven],
    comparison: Comparison | None = None,
    reigns: Sequence[Reign] = (),
    meetings: Sequence[Meeting] = (),
) -> go.Figure:
    """Monthly cost of every option along a dial, each crossing marked with its kind, and where we are today.

    Args:
        curve: what to draw.
        break_evens: whose crossings to mark; those along another dial or outside the curve are left out.
        comparison: names what is no choice, and the question and prices in the foot.
        reigns: which option is the cheapest of all where, along the same dial, to be told instead of single crossings.
        meetings: where any two options cross along the same dial; those of none of the pairs are marked too, small
            where a third is cheaper than both.
    """
    found = _met(curve, _in_range(curve, break_evens), meetings)
    told = [reign_words(reigns, curve.unit)] if reigns else _told(curve, found)
    all_usd = np.concatenate(list(curve.usd_per_month.values()))
    all_usd = all_usd[np.isfinite(all_usd)]
    log_x, log_y = curve.scale == "log", bool((all_usd > 0).all())
    unit = "" if curve.unit in ("1/day", "") else f", {curve.unit}"
    what = "volume" if curve.unit == "1/day" else curve.label[:1].lower() + curve.label[1:]
    chart = figure(
        title=f"From which {what} on does another option win?",
        subtitle=" ".join(told),
        foot=foot_lines(comparison, "; ".join(sorted({flag for one in found for flag in one.crossing.flags}))),
        alt=f"Cost a month against {what}{unit}, for {', '.join(curve.usd_per_month)}. {' '.join(told)}"
            + (f" A small mark is a crossing of options other than the baseline: {THIRD}."
               if any(one.small for one in found) else ""),
        x={"type": curve.scale, "title": {"text": text(f"{curve.label}{unit}")}, "hoverformat": ",.4~r",
           **(_decades(curve.x) if log_x else {}), "range": _range(curve)},
        y={"type": "log" if log_y else "linear", "title": {"text": "USD a month, one-offs included"},
           **(_decades(all_usd, "$") if log_y else {"tickformatstops": TICKS_USD})},
        legend_rows=len(curve.usd_per_month) + 4,
    )
    chart.update_layout(hovermode="x unified")
    for place, (name, values) in enumerate(curve.usd_per_month.items()):
        chart.add_scatter(
            x=curve.x, y=values, name=named(name, comparison), meta=series(name),
            customdata=[text(usd(one)) for one in values], hovertemplate="%{customdata}",
            **line_style(place, feasible(name, comparison)),
        )
    _draw_crossings(chart, curve, found)
    _label_crossings(chart, curve, found)
    chart.add_vline(x=curve.today, line={"color": INK, "width": 1.5, "dash": "dot"})
    today = math.log10(curve.today) if log_x and curve.today > 0 else curve.today
    late = today > sum(_range(curve)) / 2
    chart.add_annotation(
        x=today, y=0, yref="paper", yanchor="bottom", xanchor="right" if late else "left", xshift=-4 if late else 4,
        showarrow=False, text=text(f"today {reading(curve.today, curve.unit)}"), bgcolor=VEIL,
    )
    return chart.figure()


def _range(curve: CostCurve) -> list[float]:
    """Ends of the horizontal axis, with a margin; exponents on a log axis."""
    ends = np.log10(curve.x[[0, -1]]) if curve.scale == "log" else curve.x[[0, -1]]
    margin = 0.02 * float(ends[1] - ends[0])
    return [float(ends[0]) - margin, float(ends[1]) + margin]


def _in_range(curve: CostCurve, break_evens: Sequence[BreakEven]) -> list[Found]:
    found = []
    for pair in break_evens:
        if pair.along == curve.along and pair.between[0] in curve.usd_per_month:
            found += [
                Found(crossing=crossing, usd_per_month=_height(curve, pair.between[0], crossing.at))
                for crossing in pair.crossings if curve.x[0] <= crossing.at <= curve.x[-1]
            ]
    return found


def _height(curve: CostCurve, name: str, at: float) -> float:
    """Monthly cost of an option at a value of the dial, read off what is drawn of it."""
    usd = curve.usd_per_month[name]
    drawn = np.isfinite(usd)
    return float(np.interp(at, curve.x[drawn], usd[drawn]))


def _met(curve: CostCurve, known: Sequence[Found], meetings: Sequence[Meeting]) -> list[Found]:
    """Crossings that are known, told which of them change the cheapest, and those of other pairs.

    Where a line ends, all that were dearer cross it at once: that is marked where it changes the cheapest, or once.
    """
    leading = [(one.crossing.at, _pair(one.crossing)) for one in meetings if one.leads]
    found = [
        replace(one, leads=one.crossing.basis == "horizon" and (one.crossing.at, _pair(one.crossing)) in leading)
        for one in known
    ]
    pairs = {_pair(one.crossing) for one in known}
    for one in sorted(meetings, key=lambda one: not one.leads):
        at = one.crossing.at
        if not curve.x[0] <= at <= curve.x[-1] or _pair(one.crossing) in pairs:
            continue
        here = any(_far(curve, other.crossing.at, at) < SAME for other in found)
        if one.leads or not here:
            height = _height(curve, one.crossing.above, at)
            found.append(Found(crossing=one.crossing, usd_per_month=height, leads=one.leads, small=not one.leads))
    return found


def _pair(crossing: Crossing) -> frozenset[str]:
    return frozenset((crossing.below, crossing.above))


def _far(curve: CostCurve, one: float, other: float) -> float:
    """Distance along the axis: in decades on a log axis, else as a share of the range."""
    if curve.scale == "log" and one > 0 and other > 0:
        return abs(math.log10(one / other))
    return abs(one - other) / float(curve.x[-1] - curve.x[0])


def _clean(curve: CostCurve, found: Sequence[Found]) -> list[Found]:
    """Crossings that count one-offs and carry no flag: first what changes the cheapest, then the nearest to today."""
    clean = [one for one in found if one.crossing.basis == "horizon" and not one.crossing.flags and not one.small]
    return sorted(clean, key=lambda one: (not one.leads, _far(curve, one.crossing.at, curve.today)))


def _told(curve: CostCurve, found: Sequence[Found]) -> list[str]:
    """Two crossings in words, as `_clean` orders them, and how many more are marked."""
    if not found:
        return ["No two of the options compared change places in this range."]
    clean = _clean(curve, found)
    told = [f"{crossing_words(one.crossing, curve.unit)}." for one in clean[:2]]
    more = len([one for one in found if one.crossing.basis == "horizon"]) - len(told)
    return told + ([f"{more} more crossing{'s are' if more > 1 else ' is'} marked."] if more > 0 else [])


def crossing_words(crossing: Crossing, unit: str) -> str:
    """`Above 11,027 calls a day tuned-api is cheaper than long-prompt`."""
    return f"Above {reading(crossing.at, unit)} {short(crossing.above)} is cheaper than {short(crossing.below)}"


def _draw_crossings(chart: Drawing, curve: CostCurve, found: Sequence[Found]) -> None:
    """Marks by kind and basis: round for a root, a diamond for a jump; filled with one-offs, open of running cost.

    Those of pairs without the baseline at which a third option is cheaper than both are small.
    """
    groups: dict[tuple[str, str, bool, bool], list[Found]] = {}
    for one in found:
        groups.setdefault((one.crossing.basis, one.crossing.kind, bool(one.crossing.flags), one.small), []).append(one)
    for (basis, kind, flagged, small), members in groups.items():
        words = ("flagged " if flagged else "") + {"root": "crossing", "jump": "jump"}[kind]
        words += " of others" if small else ""
        shape = {"root": "circle", "jump": "diamond"}[kind] + ("" if basis == "horizon" else "-open")
        chart.add_scatter(
            x=[one.crossing.at for one in members], y=[one.usd_per_month for one in members], mode="markers",
            name=words if basis == "horizon" else f"{words} (running)", legendrank=9000,
            marker={"symbol": shape, "size": 6 if small else 12, "color": RED if flagged else INK,
                    "line": {"width": 0 if small else 2}},
            text=[
                text("; ".join([crossing_words(one.crossing, curve.unit), *([THIRD] if small else []),
                                *one.crossing.flags]))
                for one in members
            ],
            hovertemplate="%{text}<extra></extra>",
        )


def _label_crossings(chart: Drawing, curve: CostCurve, found: Sequence[Found]) -> None:
    """Words at the nearest crossings that leave room for each other."""
    shown: list[Found] = []
    for one in _clean(curve, found):
        if len(shown) < MOST_LABELS and all(_far(curve, one.crossing.at, o.crossing.at) > APART for o in shown):
            shown.append(one)
    log_x, log_y = (chart.layout[axis]["type"] == "log" for axis in ("xaxis", "yaxis"))
    for i, one in enumerate(sorted(shown, key=lambda one: one.crossing.at)):
        x, y = one.crossing.at, one.usd_per_month
        at = (math.log10(x) if log_x else x, math.log10(y) if log_y else y)
        near_the_edge = _far(curve, x, float(curve.x[0])) < 0.25 * _far(curve, float(curve.x[-1]), float(curve.x[0]))
        label(chart, [reading(x, curve.unit)], at, (52, -84 - 30 * i) if near_the_edge else (-52, -48 - 30 * i))


def _decades(values: Array, sign: str = "") -> dict[str, Any]:
    """Ticks of a log axis: whole decades in our own words where there are several, else those of the library."""
    low, high = float(values.min()), float(values.max())
    if high <= 100 * low:
        return {"tickformat": f"{sign}~s" if low >= 1 else f"{sign}~r"}
    decades = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    return {"tickvals": decades, "ticktext": [text(f"{sign}{decade(one)}") for one in decades]}
