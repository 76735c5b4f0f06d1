"""What stands in and around a chart in words: names, ends of lines, where the numbers come from."""

from __future__ import annotations

import functools
import html
import textwrap
from datetime import date, datetime, time, timedelta

from simulator.domain.findings import Comparison
from simulator.formats import day, days, short, usd

FOOT_CHARACTERS = 118
"""Characters of 11 px that fit a chart of 780 px."""
UNDER_ITS_NAME = "<extra>%{meta.shown}</extra>"
"""End of what is read under the pointer where the legend says more than a name: `meta` of the line, as `series`."""


def text(words: str) -> str:
    """Words as a chart must be told them: it reads tags, entities and, between two dollar signs, formulas.

    >>> text("<b>$5 > $4</b>")
    '&lt;b&gt;&#36;5 &gt; &#36;4&lt;/b&gt;'
    """
    return html.escape(words, quote=False).replace("$", "&#36;")


def wrapped(words: str, width: int = FOOT_CHARACTERS, most: int = 2) -> list[str]:
    """At most `most` lines of `width` characters, cut with three dots."""
    if not words:
        return []
    return textwrap.wrap(kept_together(words), width, max_lines=most, placeholder=" ...", break_on_hyphens=False)


def kept_together(words: str) -> str:
    r"""Words of which no line ends between a number and its percent sign.

    >>> kept_together("never in 100 % of runs")
    'never in 100\xa0% of runs'
    """
    return words.replace(" %", "\xa0%")


def moment(comparison: Comparison, days_on: float) -> str:
    """A time, in days from the start, as a date axis reads it."""
    return on_date(comparison.start, days_on)


@functools.lru_cache(maxsize=8192)
def on_date(start: date, days_on: float) -> str:
    """The same from a day.

    >>> on_date(date(2026, 12, 1), 31), on_date(date(2026, 12, 1), 0.5)
    ('2027-01-01', '2026-12-01 12:00')
    """
    at = datetime.combine(start, time()) + timedelta(days=days_on)
    return at.strftime("%Y-%m-%d") if at.time() == time() else at.strftime("%Y-%m-%d %H:%M")


def feasible(name: str, comparison: Comparison | None) -> bool:
    """Whether an option is a choice; without a comparison nothing speaks against it."""
    return comparison is None or name not in comparison.options or comparison.options[name].result.feasible


def named(name: str, comparison: Comparison | None) -> str:
    """An option as a legend shows it: shortened, and marked where it is no choice."""
    return text(short(name)) + ("" if feasible(name, comparison) else " (no choice)")


def series(name: str, shown: str = "") -> dict[str, str]:
    """`meta` of a trace: what its rows are called in a table, whatever the legend adds, and what is shown instead.

    >>> series("tuned $5", "tuned &#36;5 (no choice)")
    {'series': 'tuned $5', 'shown': 'tuned &#36;5 (no choice)'}
    """
    return {"series": name} | ({"shown": shown} if shown else {})


def ending(comparison: Comparison, name: str) -> str:
    """What an option has cost at the end of the horizon, or by the day on which it stops."""
    option = comparison.options[name]
    if option.total_usd is not None:
        return usd(option.total_usd)
    until = option.result.serves_until
    spent = usd(option.total_until or 0.0)
    return f"{spent} until {day(until)}" if until is not None else f"{spent} if it could be had"


def by_cost(comparison: Comparison) -> list[str]:
    """Options from cheapest to dearest, what is no choice at the end."""
    def key(name: str) -> tuple[bool, float]:
        option = comparison.options[name]
        return option.total_usd is None, float(option.result.total_usd.mean())

    return sorted(comparison.options, key=key)


def barred(comparison: Comparison) -> str:
    """Which options are no choice, and why."""
    return "; ".join(
        f"{name} is no choice: {option.result.why_not}"
        for name, option in comparison.options.items() if option.result.why_not
    )


def provenance(comparison: Comparison) -> str:
    """Days, prices and engine that a picture rests on."""
    providers: dict[str, dict[str, None]] = {}
    for price in comparison.prices_used:
        providers.setdefault(price.id.partition("/")[0], {})[price.confidence] = None
    said = [f"{provider} ({', '.join(confidence)})" for provider, confidence in providers.items()]
    more = [f"and {len(said) - 4} more"] if len(said) > 4 else []
    sources = f" of {', '.join(said[:4] + more)}" if said else ""
    return (
        f"From {day(comparison.start)} over {days(comparison.horizon_days)}; "
        f"prices {comparison.prices_digest}{sources}; "
        f"scenario {comparison.digest}; {comparison.engine} engine."
    )


def foot_lines(comparison: Comparison | None, note: str = "") -> list[str]:
    """What stands below a chart: a note, the question it belongs to, and where its numbers come from."""
    lines = wrapped(note, most=3)
    if comparison is not None:
        question = f": {comparison.question}" if comparison.question else ""
        lines += wrapped(f"{comparison.scenario_name}{question}") + wrapped(provenance(comparison))
    return lines
