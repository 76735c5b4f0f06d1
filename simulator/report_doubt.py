"""The parts of the report that tell where a saving comes from, how sure the answer is, and what to measure first."""

from __future__ import annotations

from simulator.domain.advice import Alternative, Bridge, Diagnosed
from simulator.domain.findings import Comparison
from simulator.domain.uncertain import Uncertainty
from simulator.formats import NONE, NOT_WORTH_MEASURING, day, days, share, usd
from simulator.report_page import escape, items, row, section, table


def doubt_parts(comparison: Comparison) -> dict[str, str]:
    """Ids and titles of the parts that this comparison has."""
    found = {}
    if comparison.uncertainty is not None:
        found["certainty"] = "How sure"
    if comparison.bridge is not None:
        found["bridge"] = "Where it comes from"
    if comparison.alternatives:
        found["alternatives"] = "What else can be bought"
    if comparison.diagnosed is not None:
        found["diagnosis"] = "Is tuning due"
    return found


def doubt(comparison: Comparison) -> list[str]:
    """The parts themselves, in the order of `doubt_parts`."""
    titles = doubt_parts(comparison)
    found = []
    if comparison.uncertainty is not None:
        found.append(section("certainty", titles["certainty"], _certainty(comparison, comparison.uncertainty)))
    if comparison.bridge is not None:
        found.append(section("bridge", titles["bridge"], _bridge(comparison.bridge)))
    if comparison.alternatives:
        found.append(section("alternatives", titles["alternatives"], _alternatives(comparison.alternatives)))
    if comparison.diagnosed is not None:
        found.append(section("diagnosis", titles["diagnosis"], _diagnosis(comparison.diagnosed)))
    return found


def _certainty(comparison: Comparison, unsure: Uncertainty) -> str:
    """Chances and regret by option, break-even and payback over draws, what to measure first."""
    rows = []
    for name, risk in unsure.options.items():
        low, middle, high = (usd(end) for end in risk.interval_usd)
        regret = NONE if risk.expected_regret_usd is None else usd(risk.expected_regret_usd)
        worst = NONE if risk.max_regret_usd is None else usd(risk.max_regret_usd)
        cells = [escape(name), usd(risk.mean_usd), low, middle, high, share(risk.cheapest_share), regret, worst]
        rows.append(row(cells, kind="choice" if name == unsure.choice else "", numbers=frozenset(range(1, 8))))
    chances = table(
        f"Over {unsure.draws:,} draws of {len(unsure.paths)} uncertain inputs, in USD",
        ["Option", "#Mean", "#5 %", "#50 %", "#95 %", "#Cheapest in", "#Expected regret", "#Worst regret"], rows,
    )
    said = [f"Knowing every input before choosing would be worth {usd(unsure.perfect_usd)}."]
    said.append(f"The option whose worst regret is least is {unsure.robust}.")
    for level in comparison.break_even_spreads:
        if level.at is not None:
            ends = ", ".join(f"{end:,.0f}" for end in level.at)
            unit = "calls a day" if level.unit == "1/day" else level.unit
            said.append(f"{level.between[1]} against {level.between[0]} crosses in {share(level.crosses)} of the "
                        f"draws, at {ends} {unit} (5, 50, 95 %).")
    for paid in comparison.payback_spreads:
        if paid.days is not None and paid.dates is not None:
            said.append(f"{paid.between[1]} has paid back against {paid.between[0]} in {share(paid.paid_share)} of the "
                        f"draws: half of them within {days(paid.days[1])} ({day(paid.dates[1])}), 95 % within "
                        f"{days(paid.days[2])}.")
    first = [one for one in comparison.worth if one.usd > 0]
    if not first:
        said.append(NOT_WORTH_MEASURING)
    measured = "" if not first else table(
        "What to measure first: the value of knowing one input exactly before choosing",
        ["Input", "#Worth, USD", "#Standard error"],
        [row([f"<code>{escape(one.path)}</code>", usd(one.usd), usd(one.error_usd)], numbers=frozenset({1, 2}))
         for one in first],
    )
    return chances + items([*said, *unsure.notes]) + measured


def _bridge(found: Bridge) -> str:
    rows = [row([escape(part.part), usd(part.usd)], numbers=frozenset({1})) for part in found.parts]
    foot = row(["Together", usd(found.saving_usd)], numbers=frozenset({1}))
    what = f"What {found.between[1]} saves against {found.between[0]}, step by step"
    return table(what, ["Part", "#Saves, USD"], rows, foot) + items(found.notes)


def _alternatives(found: tuple[Alternative, ...]) -> str:
    rows = [
        row([f"<code>{escape(one.price)}</code>", usd(one.usd), usd(one.usd_per_month), usd(one.saving_usd),
             escape(one.confidence), escape(one.note)], numbers=frozenset({1, 2, 3}))
        for one in found
    ]
    return table("Today's calls and prompt at the cheapest prices open to new customers", [
        "Price", "#Total", "#A month", "#Saves against today", "Price is", ""], rows)


def _diagnosis(found: Diagnosed) -> str:
    answers = {True: "yes", False: "no", None: "unknown"}
    rows = [row([escape(one.question), answers[one.answer], escape(one.why)]) for one in (*found.answers, *found.signs)]
    return f"<p>{escape(found.not_yet)}</p><p>{escape(found.worth)}</p>" + table(
        "Four questions, then the signs that prompting is at its ceiling", ["Question", "Answer", "Why"], rows)
