"""How sure an answer is, where a saving comes from, and what past decisions were worth, as pictures."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from simulator.charts_style import COLOURS, FAINT, GREY, INK, SHARES, TICKS_USD, VEIL, figure, line_style
from simulator.charts_words import foot_lines, series, text
from simulator.domain.advice import Backtest, Bridge
from simulator.domain.findings import Comparison
from simulator.domain.uncertain import Uncertainty
from simulator.formats import day, share, short, usd

FAR = 3.0
CENT = 0.01
"""Below half of it a part of a saving is a rounding of the sums it is the difference of."""
SPREAD = 4.0
"""How many times dearer than another an option is where a linear axis no longer tells the cheaper ones apart."""
EDGE = 0.03
"""Part of a log axis that is left free beyond either end: what hardly varies stands there as an upright line."""
LABEL_HEIGHT = 0.07
"""Part of the height of the bridge that an amount beside a bar takes."""
WORD_CHARACTERS = 13
"""Characters of a line below a bar of the bridge."""
SAVES, COSTS = COLOURS[2], COLOURS[1]


def cost_distribution(found: Uncertainty, comparison: Comparison | None = None) -> go.Figure:
    """The chance that each option costs no more than an amount: further left is cheaper, steeper is surer."""
    told = ", ".join(f"{short(name)} {share(risk.cheapest_share)}" for name, risk in found.options.items())
    chart = figure(
        title="What will each option cost, and how sure is that?",
        subtitle=f"Cheapest in: {told} of {found.draws:,} draws. Dots: 5, 50 and 95 of 100 draws cost less.",
        foot=foot_lines(comparison, "; ".join(found.notes)),
        alt="Chance that the cost stays below an amount. " + "; ".join(
            f"{name} costs between {usd(risk.interval_usd[0])} and {usd(risk.interval_usd[2])} in 9 of 10 draws"
            for name, risk in found.options.items()) + ".",
        x={"title": {"text": "Cost over the horizon, USD"}, "showgrid": True, **_cost_axis(found)},
        y={"title": {"text": "Chance to cost less"}, **SHARES, "range": [-0.02, 1.02]},
        legend_rows=len(found.options),
    )
    for place, (name, risk) in enumerate(found.options.items()):
        if not risk.quantiles_usd:
            continue
        looks = line_style(place, risk.feasible_share == 1.0)
        levels = np.linspace(0, 1, len(risk.quantiles_usd))
        chart.add_scatter(x=risk.quantiles_usd, y=levels, name=text(short(name)), mode="lines", line=looks["line"],
                          legendgroup=name, meta=series(name), hovertemplate="%{customdata}",
                          customdata=[text(f"{share(level)} below {usd(limit)}") for level, limit
                                      in zip(levels.tolist(), risk.quantiles_usd, strict=True)])
        chart.add_scatter(x=risk.interval_usd, y=[0.05, 0.5, 0.95], mode="markers", showlegend=False, legendgroup=name,
                          marker={**looks["marker"], "color": looks["line"]["color"]}, meta=series(name),
                          hoverinfo="skip")
    return chart.figure()


def _cost_axis(found: Uncertainty) -> dict[str, Any]:
    """A log axis where one option is so dear that the others would lie on each other; from the 1st to the 99th draw."""
    curves = [risk.quantiles_usd for risk in found.options.values() if risk.quantiles_usd]
    tops = [risk.interval_usd[2] for risk in found.options.values() if risk.quantiles_usd]
    if not curves:
        return {"tickformatstops": TICKS_USD}
    low, high = min(np.quantile(one, 0.01) for one in curves), max(np.quantile(one, 0.99) for one in curves)
    if low > 0 and max(tops) > SPREAD * min(tops):
        ticks = [k * 10.0**n for n in range(-3, 13) for k in (1, 2, 5) if low / 2 <= k * 10.0**n <= high * 2]
        ends = float(np.log10(low)), float(np.log10(high))
        room = EDGE * (ends[1] - ends[0])
        return {"type": "log", "range": [ends[0] - room, ends[1] + room], "tickvals": ticks,
                "ticktext": [text(usd(one).replace(".0k", "k").replace(".00M", "M")) for one in ticks]}
    return {"tickformatstops": TICKS_USD}


def bridge(found: Bridge, comparison: Comparison | None = None) -> go.Figure:
    """The way from the cost of one option to that of another, part by part."""
    parts = [part for part in found.parts if abs(part.usd) >= CENT / 2]
    names = [short(found.between[0]), *(part.part for part in parts), short(found.between[1])]
    sign = 1 if found.saving_usd >= 0 else -1
    largest = max(parts, key=lambda part: sign * part.usd, default=None)
    word, way = ("saves", "less") if sign > 0 else ("costs", "more")
    told = f"{names[-1]} {word} {usd(abs(found.saving_usd))}{' more' if sign < 0 else ''}"
    if found.days[0] == found.days[1]:
        told += f" over the horizon against {names[0]}."
    else:
        told += f" in {found.days[1]:,} days against {names[0]} in {found.days[0]:,} days: not the same time."
    if largest is not None and sign * largest.usd > 0:
        told += f" Largest part: {largest.part}, {usd(abs(largest.usd))} {way}."
    chart = figure(
        title="Where does the difference come from?",
        subtitle=told,
        foot=foot_lines(comparison, "; ".join(found.notes)),
        alt=f"{found.between[0]} costs {usd(found.from_usd)}; " + "; ".join(
            f"{part.part} {_step(-part.usd)}" for part in parts) + f"; {found.between[1]} costs {usd(found.to_usd)}.",
        x={"type": "category", "tickangle": 0, "tickfont": {"size": 12}},
        y={"title": {"text": "Cost over the horizon, USD"}, "tickformatstops": TICKS_USD, "zeroline": True,
           "range": _bridge_range(found)},
    )
    under = [textwrap.wrap(name, WORD_CHARACTERS, max_lines=3, placeholder="...") for name in names]
    names = ["<br>".join(text(line) for line in lines) for lines in under]
    values = [found.from_usd, *(-part.usd for part in parts), found.to_usd]
    words = [text(usd(values[0])), *(text(_step(value)) for value in values[1:-1]), text(usd(values[-1]))]
    chart.add_waterfall(
        x=names, y=values, measure=["absolute", *["relative"] * len(parts), "total"],
        text=words, textposition="none", showlegend=False,
        increasing={"marker": {"color": COSTS}}, decreasing={"marker": {"color": SAVES}},
        totals={"marker": {"color": FAINT}}, connector={"line": {"color": GREY, "width": 1}},
        hovertemplate="%{x}: %{text}<extra></extra>",
    )
    for place, (amount, at) in enumerate(zip(words, _label_places(values), strict=True)):
        chart.add_annotation(x=place, y=at[0], text=amount, showarrow=False, font={"size": 12, "color": INK},
                             yanchor=at[1], yshift=2 if at[1] == "bottom" else -2)
    chart.update_layout(bargap=0.35)
    return chart.figure()


def _step(value: float) -> str:
    """What a step adds to the cost, with its sign."""
    return f"+{usd(value)}" if value > 0 else usd(value)


def _label_places(values: Sequence[float]) -> list[tuple[float, str]]:
    """Where the amount of each bar of a bridge stands: beyond its end, or beside the zero line that would strike it.

    >>> _label_places([100.0, -99.0, 1.0]), _label_places([100.0, -50.0, 50.0])[1]
    ([(100.0, 'bottom'), (100.0, 'bottom'), (1.0, 'bottom')], (50.0, 'top'))
    """
    ends = np.cumsum(values[:-1]).tolist()
    bars = [(0.0, values[0]), *itertools.pairwise(ends), (0.0, values[-1])]
    high = LABEL_HEIGHT * float(np.ptp([0.0, *ends]) or 1.0)
    found: list[tuple[float, str]] = []
    for begin, end in bars:
        top = max(begin, end)
        if end < begin and not 0.0 <= end < high:
            found.append((end, "top"))
        else:
            found.append((max(top, 0.0) if -high < top else top, "bottom"))
    return found


def _bridge_range(found: Bridge) -> list[float]:
    """From the lowest to the highest step, with room for an amount below and above."""
    steps = np.concatenate([[0.0], found.from_usd - np.cumsum([0.0, *(part.usd for part in found.parts)])])
    room = 0.09 * float(np.ptp(steps) or 1.0)
    return [float(steps.min()) - room, float(steps.max()) + room]


def backtests(found: Sequence[Backtest]) -> go.Figure:
    """What every option really cost from each day of decision, with what the prices of that day chose.

    Raises:
        ValueError: no decision.
    """
    if not found:
        raise ValueError("there is no decision to draw")
    every = list(found[0].options)
    names = [name for name in every if not _far_dearer(found, name)]
    dear = [name for name in every if name not in names]
    days = [one.decided_on.isoformat() for one in found]
    regrets = [one.regret_usd for one in found if one.regret_usd is not None]
    wrong = sum(regret > 1e-6 for regret in regrets)
    ended = sum(one.choice is not None and one.options[one.choice].serves_until is not None for one in found)
    told = f"{wrong} of {len(regrets)} decisions were regretted, by {usd(max(regrets, default=0.0))} at most."
    chart = figure(
        title="What would the decision of that day have cost?",
        subtitle=told + (f" In {ended} of them the choice stopped serving early." if ended else ""),
        foot=["Decided with the prices known on the day, paid at those that followed.",
              *([f"Not drawn, always over {FAR:g} times as dear as the cheapest: {', '.join(dear)}."] if dear else [])],
        alt="Cost a day paid from each day of decision, "
            f"{day(found[0].decided_on)} to {day(found[-1].decided_on)}. {told}",
        x={"type": "date", "title": {"text": "Day of the decision"}, "tickformat": "%-d %b\n%Y"},
        y={"title": {"text": "Paid, USD a day while it served"}, "tickformatstops": TICKS_USD},
        legend_rows=len(names) + 1,
    )
    for name in names:
        looks = line_style(every.index(name))
        chart.add_scatter(x=days, y=[_a_day(one, name) for one in found], name=text(short(name)),
                          meta=series(name), mode="lines+markers", line=looks["line"], marker=looks["marker"],
                          hovertemplate="%{y:$,.2f} a day")
    chosen = [_a_day(one, one.choice) if one.choice else None for one in found]
    chart.add_scatter(
        x=days, y=chosen, name="chosen that day", mode="markers",
        marker={"symbol": "circle-open", "size": 15, "color": INK, "line": {"width": 2}},
        text=[text(one.sentence) for one in found], hovertemplate="%{text}<extra></extra>",
    )
    for number, one in enumerate(found):
        before = found[number - 1].choice if number else None
        if one.choice != before and one.choice is not None and chosen[number] is not None:
            chart.add_annotation(x=days[number], y=chosen[number], text=text(short(one.choice)), ay=-32, ax=0,
                                 bgcolor=VEIL, font={"size": 12, "color": INK}, arrowcolor=INK)
    return chart.figure()


def _far_dearer(found: Sequence[Backtest], name: str) -> bool:
    """Whether an option is always so dear that drawing it would hide the others."""
    return all(
        (cost := _a_day(one, name)) is None
        or cost > FAR * min(other for key in one.options if (other := _a_day(one, key)) is not None)
        for one in found
    )


def _a_day(one: Backtest, name: str) -> float | None:
    paid = one.options[name]
    days = ((paid.serves_until or one.until) - one.decided_on).days
    return None if paid.paid_usd is None else paid.paid_usd / max(1, days)
