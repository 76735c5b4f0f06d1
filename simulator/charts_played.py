"""Many runs of a scenario as pictures: the fan of costs, when an option pays back, what happens, what fleets did."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import plotly.graph_objects as go

from simulator.charts_drawing import Drawing
from simulator.charts_fleet import drawn_week
from simulator.charts_latency import latency, timed_fleets
from simulator.charts_style import COLOURS, INK, SHARES, SYMBOLS, TICKS_USD, WASH, figure, line_style
from simulator.charts_words import UNDER_ITS_NAME, on_date, series, text
from simulator.domain.findings import Comparison
from simulator.domain.rehearsed import Rehearsal
from simulator.formats import day, days, share, short, usd

DATES = {"type": "date", "title": {"text": "Date", "standoff": 2}, "tickformat": "%-d %b\n%Y",
         "hoverformat": "%-d %b %Y"}
LABEL_PX, EVENTS_PX, ROW_PX = 150, 190, 50
TOLD = 2
"""Options whose band is told below the title of the fan; all of them do not fit there, and stand in the table."""
EDGE = 0.02
"""Of the horizon, how much is shown beyond its ends: half a mark of an event, and its number."""
WIDER_PX = 6.0
"""By which the lowest line is wider than the highest, as options may pay back on the same days."""
AFTER = 1.5
"""Of the time until the last run has paid back, how much is shown."""


def played_pictures(found: Rehearsal) -> dict[str, go.Figure]:
    """Every chart there is of a rehearsal, by the plain name of the file it may be kept in."""
    charts = {"cost-fan": cost_fan(found)}
    if len(late_payers(found)):
        charts["payback"] = payback_chances(found)
    if any(result.timeline for result in found.runs.mean.values()):
        charts["events"] = events(found)
    if timed_fleets(found):
        charts["latency"] = latency(found)
    for name, result in found.runs.mean.items():
        if result.record is not None:
            charts[f"fleet-week-{name}"] = drawn_week(result.record, name, found.start, [_how(found)])
    return charts


def run_pictures(comparison: Comparison) -> dict[str, go.Figure]:
    """What a comparison that was simulated shows of its runs by itself; their events are numbers of a list beside."""
    found = rehearsed(comparison)
    if found is None or len(found.runs.numbers) < 2 or not late_payers(found):
        return {}
    return {"payback": payback_chances(found)}


def late_payers(found: Rehearsal) -> list[str]:
    """Options that have something to earn back."""
    return [name for name in found.runs.payback_days if found.earns_back(name)]


def cost_fan(found: Rehearsal) -> go.Figure:
    """What each option has cost by each day: the median run, and the band in which nine runs of ten lie."""
    runs = len(found.runs.numbers)
    spans = {name: found.runs.interval_usd(name) for name in found.options}
    order = sorted(found.options, key=lambda name: spans[name][1])
    band = "; bands hold nine runs of ten" if runs > 1 else ""
    told = ", ".join(f"{short(name)} {usd(spans[name][0])} to {usd(spans[name][2])}" for name in order[:TOLD])
    cheapest = f"the cheapest {TOLD}, " if len(order) > TOLD else ""
    chart = figure(
        title="How far can the cost stray?",
        subtitle=f"Lines are the median of {runs:,} {'runs' if runs > 1 else 'run'}{band}. After "
                 f"{days(found.horizon_days)}: {cheapest}{told}.",
        foot=[_how(found)],
        alt="Cumulative cost by day. In nine runs of ten, after " + days(found.horizon_days) + ": " + "; ".join(
            f"{name} {usd(spans[name][0])} to {usd(spans[name][2])}, median {usd(spans[name][1])}" for name in order)
            + ".",
        x=_dates(found),
        y={"title": {"text": "Cumulative cost, USD"}, "tickformatstops": TICKS_USD, "rangemode": "tozero"},
        legend_rows=len(found.options),
    )
    chart.update_layout(hovermode="x unified")
    for place, name in enumerate(found.options):
        low, _, middle, _, high = found.fan(name)
        x = [on_date(found.start, at) for at in found.days[found.served(name)].tolist()]
        looks = line_style(place, found.runs.mean[name].feasible)
        if runs > 1:
            edge = {"mode": "lines", "legendgroup": name, "showlegend": False, "hoverinfo": "skip",
                    "line": {"color": looks["line"]["color"], "width": 0}}
            chart.add_scatter(x=x, y=low, name=f"{text(short(name))}, 5 % of runs",
                              meta=series(f"{name}, 5 % of runs"), **edge)
            chart.add_scatter(x=x, y=high, name=f"{text(short(name))}, 95 % of runs", fill="tonexty",
                              meta=series(f"{name}, 95 % of runs"),
                              fillcolor=f"{COLOURS[place % len(COLOURS)]}{WASH}", **edge)
        chart.add_scatter(
            x=x, y=middle, name=_named(found, name, usd(spans[name][1])), legendgroup=name,
            legendrank=order.index(name),
            meta=series(name, _named(found, name)), hovertemplate=f"%{{customdata}}{UNDER_ITS_NAME}", **looks,
            customdata=[text(usd(half) + (f" ({usd(least)} to {usd(most)})" if runs > 1 else ""))
                        for least, half, most in zip(low, middle, high, strict=True)],
        )
    return chart.figure()


def payback_chances(found: Rehearsal) -> go.Figure:
    """The share of runs in which each option has earned back by a day what it costs more up front than the baseline."""
    names = late_payers(found)
    longest = max(float(found.runs.payback_days[name].max()) for name in names)
    shown = min(float(found.horizon_days), AFTER * longest)
    chart = figure(
        title="When has the larger outlay been earned back?",
        subtitle=" ".join(_paid(found, name) for name in names),
        foot=[_how(found)],
        alt=f"Share of runs that have paid back against {found.baseline}, by day. "
            + " ".join(_paid(found, name) for name in names),
        x={**DATES, "range": [on_date(found.start, -0.02 * shown), on_date(found.start, shown)]},
        y={"title": {"text": "Share of runs paid back"}, **SHARES, "range": [-0.02, 1.02]},
        legend_rows=len(names),
    )
    chart.update_layout(hovermode="x unified")
    for number, name in enumerate(names):
        place = found.options.index(name)
        looks = line_style(place, found.runs.mean[name].feasible)
        looks["line"]["width"] += WIDER_PX * (1.0 - (number + 1) / len(names))
        waited = np.sort(found.runs.payback_days[name])
        waited = waited[np.isfinite(waited)]
        steps = (np.arange(len(waited)) + 1.0) / len(found.runs.numbers)
        at = [0.0, *waited.tolist(), float(found.horizon_days)]
        chart.add_scatter(
            x=[on_date(found.start, one) for one in at], y=[0.0, *steps.tolist(), steps[-1] if len(steps) else 0.0],
            name=_named(found, name), meta=series(name), mode="lines", line={**looks["line"], "shape": "hv"},
            hovertemplate="paid back in %{customdata} of runs",
            customdata=[share(one) for one in (0.0, *steps.tolist(), steps[-1] if len(steps) else 0.0)],
        )
    return chart.figure()


def events(found: Rehearsal) -> go.Figure:
    """What happens in the first run, a row for each option, numbered as the list below it."""
    names = [name for name in found.options if found.runs.mean[name].timeline]
    first = int(found.runs.numbers[0])
    told = "; ".join(f"{name}: {len(found.runs.mean[name].timeline)} events" for name in names)
    chart = figure(
        title="What happens on the way?",
        subtitle=f"Events of run {first}. Numbers are those of the list below.",
        foot=[_how(found)],
        alt=f"Events by day of run {first}. {told}.",
        x=_dates(found) | {"showgrid": True},
        y={"type": "category", "categoryarray": [text(short(name, 20)) for name in reversed(names)],
           "range": [-0.6, len(names) - 0.4], "showgrid": True},
        height=EVENTS_PX + ROW_PX * len(names),
        left=LABEL_PX,
    )
    number = 0
    for name in names:
        moments = found.runs.mean[name].timeline
        places = _numbered(chart, found, name, [(one.day, one.text) for one in moments], number)
        number += places
    return chart.figure()


def timeline(comparison: Comparison) -> go.Figure | None:
    """The same of a comparison that was simulated; None where nothing happened."""
    found = rehearsed(comparison)
    return None if found is None or not event_rows(found) else events(found)


def rehearsed(comparison: Comparison) -> Rehearsal | None:
    """The runs of a comparison without the cash of any day; None for an expectation."""
    if comparison.played is None:
        return None
    none = np.zeros((len(comparison.played.numbers), 0), dtype=np.float32)
    return Rehearsal(
        start=comparison.start, horizon_days=comparison.horizon_days, baseline=comparison.baseline,
        seed=comparison.seed, fidelity=comparison.fidelity or "", runs=comparison.played,
        days=np.zeros(0, dtype=np.int64), paid_usd=dict.fromkeys(comparison.options, none),
    )  # fmt: skip


def event_rows(found: Rehearsal) -> list[dict[str, int | str]]:
    """The same as a list: number, option, day, date and what happens; what falls on one day of an option is one."""
    rows: list[dict[str, int | str]] = []
    for name in found.options:
        for at, words in _by_day([(one.day, one.text) for one in found.runs.mean[name].timeline]).items():
            rows.append({"number": len(rows) + 1, "option": name, "day": at,
                         "date": _date(found, at), "what": "; ".join(words)})
    return rows


def _named(found: Rehearsal, name: str, cost: str = "") -> str:
    """An option as a legend shows it: shortened, with its cost, and marked where it is no choice."""
    return text(f"{short(name)}  {cost}".rstrip()) + ("" if found.runs.mean[name].feasible else " (no choice)")


def _numbered(chart: Drawing, found: Rehearsal, name: str, moments: list[tuple[int, str]], before: int) -> int:
    """Draw the events of an option, and tell how many marks they make."""
    by_day = _by_day(moments)
    place = found.options.index(name)
    chart.add_scatter(
        x=[on_date(found.start, at) for at in by_day], y=[text(short(name, 20))] * len(by_day), mode="markers+text",
        name=text(short(name)), meta=series(name), showlegend=False,
        marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 13, "color": COLOURS[place % len(COLOURS)]},
        text=[str(before + 1 + index) for index in range(len(by_day))], textposition="top center",
        textfont={"size": 12, "color": INK}, hovertext=[text("; ".join(words)) for words in by_day.values()],
        hovertemplate="%{x}: %{hovertext}<extra></extra>",
    )
    return len(by_day)


def _by_day(moments: list[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for at, words in moments:
        found.setdefault(at, []).append(words)
    return found


def _paid(found: Rehearsal, name: str) -> str:
    """`tuned-api: half of the runs by 20 Jan 2027, 95 % by 27 Jan 2027, never in 2 %.`."""
    middle, late = found.runs.payback_interval(name)[1:]
    never = found.runs.never_share(name)
    said = [f"{words} {_date(found, at)}" for words, at in (("half of the runs by", middle), ("95 % by", late))
            if at is not None]
    return f"{short(name)}: {', '.join([*said, *([f'never in {share(never)}'] if never or not said else [])])}."


def _date(found: Rehearsal, at: float) -> str:
    return day(found.start + timedelta(days=int(at)))


def _dates(found: Rehearsal) -> dict[str, object]:
    room = EDGE * found.horizon_days
    return {**DATES, "range": [on_date(found.start, -room), on_date(found.start, found.horizon_days + room)]}


def _how(found: Rehearsal) -> str:
    return (f"{len(found.runs.numbers):,} simulated runs, fidelity {found.fidelity}, seed {found.seed}; every option "
            "meets the same demand in a run.")
