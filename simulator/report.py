"""One self-contained page: the verdict first, then pictures, break-evens, assumptions, prices, every line, caveats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.charts import (
    bill_by_line,
    cost_against_volume,
    cost_per_day,
    cumulative_cost,
    event_rows,
    fleet_weeks,
    moving_pictures,
    placed,
    plotly_script,
    rehearsed,
    timeline,
    unsure_pictures,
)
from simulator.domain.findings import Comparison, CostCurve
from simulator.domain.uncertain import Explored
from simulator.formats import day, days, played_how, played_words, reign_words
from simulator.report_doubt import doubt, doubt_parts
from simulator.report_machines import machines_table
from simulator.report_page import escape, items, page, picture, section
from simulator.report_tables import (
    assumptions_tables,
    break_even_table,
    lines_table,
    options_table,
    places,
    prices_table,
    timeline_table,
)

TIMELINE = "chart-timeline"
PARTS = {
    "verdict": "Verdict", "pictures": "Pictures", "break-even": "Break-even", "assumptions": "Assumptions",
    "prices": "Prices", "lines": "Lines", "caveats": "Caveats", "provenance": "Provenance",
}


def report_html(comparison: Comparison, curve: CostCurve, explored: Explored | None = None) -> str:
    """The report as one file without a single request to the network.

    A number is traced in two steps: its line (quantity x price), then the row of the dated price it links to.

    Args:
        comparison: every option side by side.
        curve: monthly cost along the dial that the break-evens were scanned on.
        explored: what moves the answer, where it was looked for.
    """
    at = places(comparison)
    charts = _charts(comparison, curve, explored)
    story = timeline(comparison)
    drawn = charts if story is None else {**charts, TIMELINE: story}
    body = "".join([
        _verdict(comparison),
        _machines(comparison),
        section("pictures", "Pictures", *(
            picture(place, chart.layout.meta["alt"], int(chart.layout.height)) for place, chart in charts.items()
        )),
        _runs(comparison, story),
        section("break-even", "Break-even", _reigns(explored), break_even_table(comparison.break_even)
                if comparison.break_even else "<p>There is no second option to compare with.</p>"),
        *doubt(comparison),
        section("assumptions", "Assumptions", "<p>Each input that the answer rests on, and where it comes from.</p>",
                assumptions_tables(comparison.assumptions, at)),
        section("prices", "Prices", _prices_words(comparison), prices_table(comparison.prices_used, at)),
        section("lines", "Lines: quantity x price = USD", *(
            f"<h3>{escape(name)}</h3>{_why_not(comparison, name)}{lines_table(name, option, at)}"
            for name, option in comparison.options.items()
        )),
        section("caveats", "Caveats", items(_caveats(comparison)) or "<p>None.</p>"),
        _provenance(comparison),
    ])
    return page(
        title=comparison.question or comparison.scenario_name,
        header=_header(comparison),
        body=body,
        footer="<p>Prices age. Before you sign anything, look up the sources above.</p>",
        scripts=[plotly_script(), *(placed(chart, place) for place, chart in drawn.items())],
    )


def _machines(comparison: Comparison) -> str:
    found = machines_table(comparison)
    return section("machines", "Machines", found) if found else ""


def _reigns(explored: Explored | None) -> str:
    if explored is None or not explored.reigns:
        return ""
    return f"<p>{escape(reign_words(explored.reigns, '1/day'))}</p>"


def _charts(comparison: Comparison, curve: CostCurve, explored: Explored | None) -> Mapping[str, Any]:
    """Charts by the id of their place: all options first, then a day of the choice and of what is done today."""
    charts = {
        "chart-cumulative": cumulative_cost(comparison),
        "chart-volume": cost_against_volume(
            curve, comparison.break_even, comparison, explored.reigns if explored else (), comparison.meetings
        ),
        "chart-bill": bill_by_line(comparison),
    }
    more = {**unsure_pictures(comparison), **moving_pictures(explored), **fleet_weeks(comparison)}
    charts |= {f"chart-{name}": chart for name, chart in more.items()}
    for i, name in enumerate(dict.fromkeys((comparison.verdict.choice, comparison.baseline)), 1):
        charts[f"chart-day-{i}"] = cost_per_day(comparison, name)
    return charts


def _parts(comparison: Comparison) -> dict[str, str]:
    """Parts of this report in order; those of doubt stand only where there is something to tell."""
    parts: dict[str, str] = {}
    for place, title in PARTS.items():
        if place == "pictures" and machines_table(comparison):
            parts["machines"] = "Machines"
        if place == "break-even" and comparison.played is not None:
            parts["runs"] = "Runs"
        parts |= (doubt_parts(comparison) if place == "assumptions" else {}) | {place: title}
    return parts


def _header(comparison: Comparison) -> str:
    links = "".join(f'<li><a href="#{place}">{title}</a></li>' for place, title in _parts(comparison).items())
    return (
        f'<p class="faint">tunepoint · {escape(comparison.scenario_name)} · {day(comparison.start)}, '
        f"{days(comparison.horizon_days)}</p>"
        f"<h1>{escape(comparison.question or comparison.scenario_name)}</h1>"
        f'<nav aria-label="Parts of this report"><ul>{links}</ul></nav>'
    )


def _verdict(comparison: Comparison) -> str:
    """The sentence to repeat, why, the options side by side, and what would change the answer."""
    verdict = comparison.verdict
    said = [sentence for sentence in (verdict.with_quality, verdict.money) if sentence]
    known = any(sentence.startswith(("Too close to call", "A tie")) for sentence in said)
    close = '<p class="close">Too close to call.</p>' if verdict.too_close and not known else ""
    answer = f'<div class="answer">{close}{"".join(f"<p>{escape(sentence)}</p>" for sentence in said)}</div>'
    beside = "".join(
        f"<p>{escape(sentence)}</p>" for sentence in (verdict.control, verdict.diagnosis) if sentence
    )
    because = f"<h3>Because</h3>{items(verdict.because)}" if verdict.because else ""
    flips = f"<h3>What would change it</h3>{items(verdict.flips)}" if verdict.flips else ""
    caveats = len(_caveats(comparison))
    warning = f'<p class="faint">Read it with <a href="#caveats">{caveats} caveat{"s" * (caveats > 1)}</a>.</p>'
    opening = answer + (warning if caveats else "") + beside + because
    return section("verdict", "Verdict", opening, options_table(comparison), flips)


def _runs(comparison: Comparison, chart: Any) -> str:
    """How the runs of a simulation spread, and what happened in the first: nothing for an expectation."""
    ranges, _ = played_words(comparison)
    if not ranges:
        return ""
    told = ""
    found = rehearsed(comparison)
    if chart is not None and found is not None:
        place = picture(TIMELINE, chart.layout.meta["alt"], int(chart.layout.height))
        told = f"<h3>What happened in the first run</h3>{place}{timeline_table(event_rows(found))}"
    return section("runs", "Runs", f"<p>{escape(played_how(comparison))}.</p>", items(ranges), told)


def _why_not(comparison: Comparison, name: str) -> str:
    why_not = comparison.options[name].result.why_not
    return f'<p class="warn">No choice: {escape(why_not)}.</p>' if why_not else ""


def _prices_words(comparison: Comparison) -> str:
    old = f" Last seen long before the start: {escape(', '.join(comparison.stale))}." if comparison.stale else ""
    return (
        "<p>A line of a bill links to its price here. Verified prices were read at the provider's own page, library "
        "prices in maintained open tables, reported ones elsewhere; estimated and unverified ones are caveats."
        f"{old}</p>"
    )


def _caveats(comparison: Comparison) -> list[str]:
    """Those of the verdict, and what an engine could only approximate."""
    rough = [f"{name}: approximate, {words}." for name, option in comparison.options.items()
             for words in option.result.approximate]
    return list(dict.fromkeys([*comparison.verdict.caveats, *rough]))


def _provenance(comparison: Comparison) -> str:
    told = {
        "Program": f"tunepoint {comparison.version}, {played_how(comparison)}",
        "Scenario": f"{comparison.scenario_name}, digest {comparison.digest}",
        "Prices": f"digest {comparison.prices_digest}, {len(comparison.prices_used)} versions paid for something",
        "Days": f"{day(comparison.start)}, {days(comparison.horizon_days)}",
        "Compared with": comparison.baseline,
    }
    rows = "".join(f"<dt>{term}</dt><dd>{escape(words)}</dd>" for term, words in told.items())
    return section(
        "provenance", "Provenance",
        "<p>The same scenario, prices and version give the same numbers. To check one, find its line, multiply "
        "quantity and price, and follow the link to the dated source.</p>",
        f"<dl>{rows}</dl>",
    )
