"""The tables of the report: options side by side, break-evens in words, assumptions, prices, lines to check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pricing.book import STALE_DAYS
from pricing.table import ALWAYS
from simulator.domain.findings import Assumption, BreakEven, Comparison, OptionSummary, PriceUsed
from simulator.domain.ledger import LedgerLine
from simulator.formats import (
    NONE,
    day,
    days,
    line_name,
    per_call,
    quantity,
    rate,
    reading,
    share,
    usd,
    usd_exact,
)
from simulator.report_page import escape, row, table

KINDS = {"hosted_prompt": "hosted, prompted", "hosted_fine_tuned": "hosted, fine-tuned", "self_hosted": "self-hosted"}
DUST_USD = 1e-6
"""Lines below a millionth of a dollar are left out and counted: they are tails of a distribution."""

Places = Mapping[str, str]
"""Where on the page a price version or a path is told: id of the row by the name that lines use."""


def places(comparison: Comparison) -> dict[str, str]:
    """A row id for every price version and every assumption."""
    found = {assumption.path: f"value-{i}" for i, assumption in enumerate(comparison.assumptions, 1)}
    return found | {price.id: f"price-{i}" for i, price in enumerate(comparison.prices_used, 1)}


def options_table(comparison: Comparison) -> str:
    """What each option costs, read in the ways that finance and engineering ask for."""
    judged = any(
        option.per_success_usd is None or abs(option.per_success_usd - option.per_call_usd) > 1e-9 * option.per_call_usd
        for option in comparison.options.values()
    )
    heads = ["Option", "#Total", "#Present value", "#Recurring a month", "#of it fixed", "#Paid once",
             "#All-in per call", *(["#per right answer"] if judged else []), "#One more call", "#Cache hits"]
    rows = []
    for name, option in comparison.options.items():
        cells = [_option_head(comparison, name), _total(option), usd(option.npv_usd), usd(option.monthly_usd),
                 usd(option.fixed_usd_per_month), usd(option.one_off_usd),
                 per_call(option.per_call_usd), *([_per_success(option)] if judged else []),
                 per_call(option.unit_usd) if option.result.feasible else NONE,
                 share(float(option.result.cache_hit_rate.mean())) if option.result.eligible_calls.any() else NONE]
        rows.append(row(cells, kind="choice" if name == comparison.verdict.choice else "",
                        numbers=frozenset(range(1, len(cells)))))
    return table(f"Every option over {days(comparison.horizon_days)} from {day(comparison.start)}, in USD", heads, rows)


def _option_head(comparison: Comparison, name: str) -> str:
    option = comparison.options[name]
    tags = [KINDS.get(option.result.kind, option.result.kind)]
    tags += ["cheapest"] * (name == comparison.verdict.choice) + ["done today"] * (name == comparison.baseline)
    head = f'{escape(name)}<br><span class="tag">{escape(", ".join(tags))}</span>'
    if option.result.why_not:
        head += f'<br><span class="tag warn">no choice: {escape(option.result.why_not)}</span>'
    return head


def _per_success(option: OptionSummary) -> str:
    return NONE if option.per_success_usd is None else per_call(option.per_success_usd)


def _total(option: OptionSummary) -> str:
    if option.total_usd is not None:
        return usd(option.total_usd)
    until = option.result.serves_until
    spent = NONE if option.total_until is None else usd(option.total_until)
    return f'{spent}<br><span class="tag">until {day(until)}</span>' if until is not None else NONE


def break_even_table(pairs: Sequence[BreakEven]) -> str:
    """Every break-even in words, with payback and flags."""
    rows = [
        row([f"{escape(pair.between[1])}<br><span class=\"tag\">against {escape(pair.between[0])}</span>",
             "<br>".join(escape(words) for words in break_even_words(pair)), _payback(pair)])
        for pair in pairs
    ]
    return table("Where two options change places, and when a larger first payment has been earned back",
                 ["Option", "Along the dial", "Payback"], rows)


def break_even_words(pair: BreakEven) -> list[str]:
    """The crossings of two options as sentences: with one-offs first, then recurring cost alone, then flags.

    A crossing that is a jump says so: beside it the bill changes by a step, not gradually.
    """
    along = "" if pair.unit == "1/day" else f" ({pair.along})"
    said = []
    for basis, words in (("horizon", "one-offs included"), ("steady_state", "recurring cost only")):
        for crossing in (c for c in pair.crossings if c.basis == basis):
            at = reading(crossing.at, pair.unit)
            jump = ", by a jump" if crossing.kind == "jump" else ""
            flags = f" Flagged: {'; '.join(crossing.flags)}." if crossing.flags else ""
            said.append(
                f"Below {at}{along} {crossing.below} is cheaper, above it {crossing.above} ({words}{jump}).{flags}"
            )
    answer = {"always": "Always cheaper", "never": "Never cheaper", "tie": "A tie", "crosses": "They change places"}
    lead = f"{answer[pair.answer]}: {pair.reason}." if pair.reason else f"{answer[pair.answer]}."
    return said if said and pair.answer == "crosses" and not pair.reason else [lead, *said]


def _payback(pair: BreakEven) -> str:
    back = pair.payback
    when = f"<strong>{day(back.date)}</strong><br>" if back.date else ""
    flags = f'<br><span class="warn">{escape("; ".join(back.flags))}</span>' if back.flags else ""
    later = f"; {escape(back.discounted)}" if back.discounted else ""
    return f"{when}{escape(back.reason)}{later}{flags}"


def assumptions_tables(assumptions: Sequence[Assumption], at: Places) -> str:
    """What the scenario set, then every default that reaches the bill, each with where it comes from."""
    groups = (("Set in the scenario", True), ("Not set there: defaults that reach the bill", False))
    return "".join(
        table(caption, ["Input", "#Value", "Where from"], [
            row([f"<code>{escape(one.path)}</code>", escape(_value(one.value)), escape(one.source)],
                place=at[one.path], numbers=frozenset({1}))
            for one in assumptions if one.set_by_user == by_user
        ])
        for caption, by_user in groups if any(one.set_by_user == by_user for one in assumptions)
    )


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else quantity(value)


def timeline_table(rows: Sequence[Mapping[str, int | str]]) -> str:
    """What happened, by the numbers of the picture above."""
    return table("Events, in the order of options and days", ["Number", "Option", "Day", "What happened"], [
        row([str(one["number"]), escape(str(one["option"])), escape(f"{one['date']} (day {one['day']})"),
             escape(str(one["what"]))])
        for one in rows
    ])


def prices_table(prices: Sequence[PriceUsed], at: Places) -> str:
    """Every version of a price that paid for something: its days, its age, how far to believe it, who says so."""
    rows = []
    for price in prices:
        aged = ' <span class="warn">aged</span>' if price.age_days > STALE_DAYS else ""
        doubted = ' class="warn"' if price.confidence in ("estimated", "unverified") else ""
        link = f"<br><code>{escape(price.href)}</code>" if price.href else ""
        rows.append(row(
            [f"<code>{escape(price.id)}</code>", *(_since(when) for when in (price.effective, price.recorded)),
             f"{days(price.age_days)}{aged}", f"<span{doubted}>{escape(price.confidence)}</span>",
             f"{escape(price.title)}{link}"],
            place=at[price.id],
        ))
    return table("Versions of prices that paid for something; age: days from the last look at the source to the start",
                 ["Price version", "In force from", "Known since", "Age", "Confidence", "Source"], rows)


def _since(when: date) -> str:
    return "always" if when == ALWAYS else day(when)


def lines_table(name: str, option: OptionSummary, at: Places) -> str:
    """A bill as quantity x unit x price = USD, every price linked to where it is told."""
    lines = option.result.ledger.lines
    shown = [line for line in lines if abs(_usd(line)) >= DUST_USD]
    rows = [
        row([escape(line_name(line.line)), quantity(_quantity(line)), escape(line.unit),
             rate(_usd(line) / _quantity(line)) if _quantity(line) else NONE, usd_exact(_usd(line)), _origin(line, at),
             "once" if line.one_off else "recurring"], numbers=frozenset({1, 3, 4}))
        for line in shown
    ]
    left = len(lines) - len(shown)
    note = f"; {left} lines below a millionth of a dollar are left out" if left else ""
    total = row(["Total", "", "", "", usd_exact(float(option.result.total_usd.mean())), "", ""],
                numbers=frozenset({1, 3, 4}))
    return table(f"Bill of {name}: quantity x price = USD{note}",
                 ["Line", "#Quantity", "Unit", "#x price of one", "#= USD", "Price from", "Paid"], rows, total)


def _usd(line: LedgerLine) -> float:
    return float(line.total_usd.mean())


def _quantity(line: LedgerLine) -> float:
    return float(line.quantity.sum(axis=1).mean())


def _origin(line: LedgerLine, at: Places) -> str:
    words = f"<code>{escape(line.price_version)}</code>"
    return f'<a href="#{at[line.price_version]}">{words}</a>' if line.price_version in at else words
