"""What a price has been since it was first sold: a step at every day on which a version came into force."""

from __future__ import annotations

from datetime import date

import plotly.graph_objects as go

from pricing.hardware import GpuTable
from pricing.table import PriceTable
from simulator.charts_style import TICKS_USD, figure, line_style
from simulator.charts_words import text
from simulator.formats import day, rate, short

METERS = {"input": "input", "cached_input": "cached input", "output": "output"}


def price_over_time(table: PriceTable, until: date) -> go.Figure:
    """The rates of a price by the token, as known now, from its first day to `until`; retirement ends the lines."""
    days = sorted({version.effective for version in table.versions if version.effective <= until})
    versions = [table.on(first) for first in days]
    ends = versions[-1].lifecycle.retires_on if versions else None
    last = min(until, ends) if ends is not None else until
    now = versions[-1].usd_per_mtok if versions else None
    told = ", ".join(
        f"{words} {rate(usd)}" for meter, words in METERS.items() if now and (usd := getattr(now, meter)) is not None
    )
    stops = f"Retires on {day(ends)}." if ends is not None else ""
    chart = figure(
        title=f"What has {short(table.id, 40)} cost?",
        subtitle=f"On {day(last)}: {told or 'not sold by the token'}. {stops}",
        foot=(),
        alt=f"Rates of {table.id} since {day(days[0]) if days else 'never'}; on {day(last)}: "
            f"{told or 'not sold by the token'}. {stops}",
        x={"type": "date", "title": {"text": "Date", "standoff": 2}, "hoverformat": "%-d %b %Y"},
        y={"title": {"text": "USD per million tokens"}, "tickformatstops": TICKS_USD, "rangemode": "tozero"},
        height=380,
    )
    chart.update_layout(hovermode="x unified")
    for place, (meter, words) in enumerate(METERS.items()):
        rates = [getattr(version.usd_per_mtok, meter) for version in versions]
        if any(usd is not None for usd in rates):
            style = line_style(place)
            chart.add_scatter(
                x=[first.isoformat() for first in days] + [last.isoformat()], y=[*rates, rates[-1]], name=text(words),
                hovertemplate="%{y:$,.4~f}", **{**style, "line": {**style["line"], "shape": "hv"}},
            )
    return chart.figure()


def gpu_price_over_time(table: GpuTable, until: date) -> go.Figure:
    """The rent of a card at one provider by commitment, as known now, from its first day to `until`."""
    sold = table.commitments
    steps = {
        bound: sorted({one.effective for one in table.versions if bound in one.usd_per_gpu_hour
                       and one.effective <= until})
        for bound in sold
    }
    usd = {bound: [table.on(first, bound).usd_per_gpu_hour[bound] for first in days] for bound, days in steps.items()}
    told = ", ".join(f"{bound.replace('_', ' ')} {rate(rates[-1])}" for bound, rates in usd.items() if rates)
    moved = "".join(f" On {day(steps[bound][0])} {bound.replace('_', ' ')} was {rate(rates[0])}."
                    for bound, rates in usd.items() if rates and rates[0] != rates[-1])
    begun = [days[0] for days in steps.values() if days]
    chart = figure(
        title=f"What has an hour of {short(table.id, 40)} cost?",
        subtitle=f"On {day(until)}: {told or 'not known'}.",
        foot=(),
        alt=f"Rent of {table.id} for a card and hour since {day(min(begun)) if begun else 'never'}; on {day(until)}: "
            f"{told or 'not known'}.{moved}",
        x={"type": "date", "title": {"text": "Date", "standoff": 2}, "hoverformat": "%-d %b %Y"},
        y={"title": {"text": "USD for a card and hour"}, "tickformatstops": TICKS_USD, "rangemode": "tozero"},
        height=380,
    )
    chart.update_layout(hovermode="x unified")
    for place, bound in enumerate(sold):
        if usd[bound]:
            style = line_style(place)
            chart.add_scatter(
                x=[*(first.isoformat() for first in steps[bound]), until.isoformat()], y=[*usd[bound], usd[bound][-1]],
                name=text(bound.replace("_", " ")), hovertemplate="%{y:$,.4~f}",
                **{**style, "line": {**style["line"], "shape": "hv"}},
            )
    return chart.figure()
