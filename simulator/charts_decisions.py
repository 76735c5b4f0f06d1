"""Decisions at other times in one picture: what earlier ones cost more than the best, what later ones may cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import plotly.graph_objects as go

from simulator.charts_style import AXIS, COLOURS, GRID, INK, SYMBOLS, TICKS_USD, figure
from simulator.charts_words import text, wrapped
from simulator.domain.advice import Decided, Outlook
from simulator.formats import day, share, short, usd

NOTHING = "no choice"
MARGIN = timedelta(days=20)
STRIP, GAP = 0.24, 0.07
"""Share of the height that the choices take below the regrets, and the space between."""


def decisions(found: Sequence[Decided], name: str = "") -> go.Figure:
    """Regret by day of decision as bars, and below them the choice, which stands in a row of its own option.

    Colour, row and symbol all tell the option, so that none of them has to be seen.

    Args:
        found: the decisions, oldest first.
        name: of the scenario, told in the foot.

    Raises:
        ValueError: no decision.
    """
    if not found:
        raise ValueError("there is no decision to draw")
    every = list(found[0].by_option)
    chosen = dict.fromkeys(one.choice for one in found)
    names = [option for option in every if option in chosen]
    rows = [*(text(short(option, 26)) for option in names), *([NOTHING] if None in chosen else [])]
    regrets = [one.regret_usd for one in found if one.regret_usd is not None]
    wrong = sum(regret > 1e-6 for regret in regrets)
    told = (f"{wrong} of {len(regrets)} decisions were regretted, by {usd(max(regrets))} at most." if wrong
            else f"None of {len(regrets)} decisions was regretted.")
    stopped = sum(one.stopped_on is not None for one in found)
    chart = figure(
        title="Which decisions were regretted afterwards?",
        subtitle=told + (f" {stopped} choices stopped serving before the end; their regret runs up to that day."
                         if stopped else ""),
        foot=[*wrapped(name), "Decided with the prices known on the day, paid at those that followed; regret is "
              "what the choice cost more than the best on sale."],
        alt=f"Regret and choice by day of decision, {day(found[0].decided_on)} to {day(found[-1].decided_on)}. {told} "
            + "; ".join(f"{day(one.decided_on)} {one.choice or NOTHING}, regret "
                        f"{'none' if one.regret_usd is None else usd(one.regret_usd)}" for one in found) + ".",
        x={"type": "date", "title": {"text": "Day of the decision"}, "tickformat": "%b\n%Y", "anchor": "y2",
           "range": [str(found[0].decided_on - MARGIN), str(found[-1].decided_on + MARGIN)]},
        y={"title": {"text": "Regret, USD"}, "tickformatstops": TICKS_USD, "domain": [STRIP + GAP, 1],
           "rangemode": "tozero", "zeroline": True, "zerolinecolor": AXIS},
        left=40 + int(7.2 * max(len(row) for row in rows)),
    )
    days = [one.decided_on.isoformat() for one in found]
    if not wrong:
        chart.update_yaxes(range=[0, 1], showticklabels=False)
    for place, option in enumerate(every):
        if option not in names:
            continue
        mine = [number for number, one in enumerate(found) if one.choice == option]
        colour = COLOURS[place % len(COLOURS)]
        words = [text(f"{day(found[at].decided_on)}: {option}, paid {usd(found[at].paid_usd or 0)}, "
                      f"regret {usd(found[at].regret_usd or 0)}") for at in mine]
        chart.add_bar(x=[days[at] for at in mine], y=[found[at].regret_usd for at in mine], marker={"color": colour},
                      hovertext=words, hovertemplate="%{hovertext}<extra></extra>", showlegend=False)
        chart.add_scatter(
            x=[days[at] for at in mine], y=[rows[names.index(option)]] * len(mine), yaxis="y2", mode="markers",
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 11, "color": colour}, hovertext=words,
            hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
        )
    none = [days[at] for at, one in enumerate(found) if one.choice is None]
    if none:
        chart.add_scatter(
            x=none, y=[NOTHING] * len(none), yaxis="y2", mode="markers", showlegend=False,
            marker={"symbol": "x-thin", "size": 9, "line": {"width": 2, "color": INK}},
            hovertemplate="%{x|%-d %b %Y}: nothing on sale was to serve to the end<extra></extra>",
        )
    chart.update_layout(
        barmode="overlay", bargap=0.25,
        yaxis2={"type": "category", "categoryorder": "array", "categoryarray": rows[::-1], "domain": [0, STRIP],
                "range": [-0.6, len(rows) - 0.4], "showgrid": True, "gridcolor": GRID, "ticks": "",
                "tickfont": {"size": 12}, "title": {"text": "Choice", "font": {"size": 13}, "standoff": 10},
                "anchor": "x", "zeroline": False},
    )
    return chart.figure()


def outlook(found: Outlook) -> go.Figure:
    """What each way costs on average and in nine of ten price paths: commit to an option now, or wait some months."""
    ways = [
        *((f"commit to {short(name, 30)}", name, found.expected_usd[name], ends)
          for name, ends in found.committed.items()),
        *((f"wait {one.months} month{'' if one.months == 1 else 's'}", "", one.expected_usd, one.interval_usd)
          for one in found.waits),
    ]
    cheapest = {**found.expected_usd, **{f"wait {one.months}": one.expected_usd for one in found.waits}}
    chart = figure(
        title="Commit now, or wait for other prices?",
        subtitle=found.sentence.removeprefix(found.history).strip(),
        foot=[f"{found.draws:,} paths on which token prices and GPU rents drift and jump as they did in the "
              "tables; after a wait, what is cheapest then is chosen.",
              *(line for told in (found.history, *found.notes) for line in wrapped(told))],
        alt=f"{found.sentence} " + "; ".join(f"{way} {usd(mean)}, between {usd(ends[0])} and {usd(ends[2])}"
                                             for way, _, mean, ends in ways) + ".",
        x={"title": {"text": "Cost over the horizon, USD; mean, and 5 to 95 of 100 paths"}, "showgrid": True,
           "tickformatstops": TICKS_USD, "rangemode": "tozero"},
        y={"type": "category", "categoryorder": "array", "categoryarray": [text(way) for way, *_ in ways][::-1],
           "ticks": "", "showgrid": False, "tickfont": {"size": 12, "color": INK}},
        height=190 + 34 * len(ways), left=28 + int(7 * max(len(way) for way, *_ in ways)),
    )
    then = {f"wait {one.months} month{'' if one.months == 1 else 's'}": one.then for one in found.waits}
    least = min(cheapest.values())
    for way, name, mean, ends in ways:
        shares = ", ".join(f"{option} {share(part)}" for option, part in then.get(way, {}).items())
        chart.add_scatter(
            x=[mean], y=[text(way)], mode="markers", showlegend=False,
            marker={"symbol": "diamond" if mean == least else "circle", "size": 12 if mean == least else 10,
                    "color": COLOURS[0] if name else COLOURS[1]},
            error_x={"type": "data", "symmetric": False, "array": [max(0.0, ends[2] - mean)],
                     "arrayminus": [max(0.0, mean - ends[0])], "color": INK, "thickness": 1.5},
            hovertext=text(f"{way}: {usd(mean)} on average{f'; then {shares}' if shares else ''}"),
            hovertemplate="%{hovertext}<extra></extra>",
        )
    return chart.figure()
