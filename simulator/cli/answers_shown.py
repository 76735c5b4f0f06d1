"""How a comparison and its break-evens read on a terminal: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from simulator.cli.output import points, say, table
from simulator.formats import count, day, days, per_call, played_how, played_words, share, usd

if TYPE_CHECKING:
    from rich.console import RenderableType

    from simulator.domain.findings import BreakEven, Comparison, Crossing, OptionSummary

CHOSEN = "*"
UNITS = {"1/day": "calls a day", "1/s": "calls a second"}
"""Units of dials as they are said; any other is said as it is written."""


def show_comparison(comparison: Comparison) -> None:
    """Verdict, options, break-evens, what would flip it, caveats and prices."""
    verdict = comparison.verdict
    say(f"{comparison.scenario_name}: {comparison.question}".rstrip(": "), "")
    say(*(sentence for sentence in (verdict.with_quality, verdict.money) if sentence))
    say("", points(verdict.because))
    for sentence in (verdict.control, verdict.diagnosis):
        if sentence:
            say(sentence)
    say(_options(comparison))
    if comparison.played is not None:
        ranges, story = played_words(comparison)
        say(f"Simulated ({played_how(comparison)}):", points([*ranges, *story]), "")
    if any(not option.result.feasible for option in comparison.options.values()):
        say("In brackets: no choice, for the reason told below; what it costs while it serves.", "")
    if machines := list(_machine_lines(comparison)):
        say("Machines:", points(machines))
    for title, sentences in (
        ("Break-even:", list(_break_even_lines(comparison.break_even))),
        ("It would flip:", verdict.flips),
        ("Careful:", verdict.caveats),
    ):
        if sentences:
            say(title, points(sentences))
    say("", f"Prices: {', '.join(f'{price.id} ({price.confidence})' for price in comparison.prices_used)}.")
    if comparison.stale:
        say(f"Prices age; these are old: {', '.join(comparison.stale)}.")


def show_break_evens(found: Sequence[BreakEven]) -> None:
    """Each pair: the answer, every crossing, the payback, and the reason in words."""
    for number, one in enumerate(found):
        say(*([""] if number else []), f"{one.between[1]} against {one.between[0]}, along {one.along}:")
        lines = [_crossing(one, crossing) for crossing in one.crossings]
        if one.answer != "crosses":
            lines.append(f"{one.answer}: {one.reason}")
        say(points([*lines, f"payback: {_payback_sentence(one)}"]))


def _options(comparison: Comparison) -> RenderableType:
    """Every option in a line, the choice marked, what serves all the time before what does not."""
    paid_back = {one.between[1]: _paid_back(comparison, one) for one in comparison.break_even}
    ranked = sorted(comparison.options.items(), key=lambda item: (item[1].total_usd is None, item[1].total_usd or 0.0))
    rows = [
        (
            CHOSEN if name == comparison.verdict.choice else "",
            name,
            _total(option),
            usd(option.monthly_usd),
            per_call(option.per_call_usd),
            usd(option.one_off_usd),
            "baseline" if name == comparison.baseline else paid_back.get(name, ""),
        )
        for name, option in ranked
    ]
    heads = {
        "": "fixed",
        "option": "left",
        days(comparison.horizon_days): "right",
        "a month": "right",
        "a call": "right",
        "one-off": "right",
        "pays back": "fixed",
    }
    return table(heads, rows)


def _machine_lines(comparison: Comparison) -> Iterator[str]:
    """How much of each fleet is used, and whether it keeps its latency targets in its busiest hour."""
    for name, option in comparison.options.items():
        use = option.result.fleet
        if use is None:
            continue
        promise = {True: ", keeps its latency targets", False: ", misses its latency targets", None: ""}
        busy = float(use.busy_share[0])
        always = "all the time" if busy > 0.9995 else f"{share(busy)} of the time"
        used = f"{share(float(use.utilisation[0]))} used, busy {always}"
        yield f"{name}: {used}, {count(float(use.paid_hours[0]))} replica-hours{promise[option.meets_slo]}"


def _total(option: OptionSummary) -> str:
    if option.total_usd is not None:
        return usd(option.total_usd)
    return f"({usd(option.total_until or 0.0)})"


def _paid_back(comparison: Comparison, one: BreakEven) -> str:
    """When an option that pays more up front than the baseline has earned it back."""
    if not comparison.earns_back(one.between[1]):
        return ""
    if one.payback.days is None:
        return "never"
    return f"{days(one.payback.days)}{', fragile' if 'fragile' in one.payback.flags else ''}"


def _break_even_lines(found: Sequence[BreakEven]) -> Iterator[str]:
    """What holds over the horizon; the running cost alone is told where it crosses elsewhere."""
    for one in found:
        if one.answer != "crosses":
            yield f"{one.between[1]} against {one.between[0]}: {one.answer}; {one.reason}"
            continue
        horizon, steady = ([x for x in one.crossings if x.basis == basis] for basis in ("horizon", "steady_state"))
        places = [_where(one, x.at) for x in horizon]
        besides = [_where(one, x.at) for x in steady if _where(one, x.at) not in places]
        alone = f"; running cost alone: {', '.join(besides)}" if besides else ""
        for number, crossing in enumerate(horizon, 1):
            flags = f" ({'; '.join(crossing.flags)})" if crossing.flags else ""
            yield f"{_sides(one, crossing)}{alone if number == len(horizon) else ''}{flags}"


def _sides(one: BreakEven, crossing: Crossing) -> str:
    return f"{crossing.below} is cheaper below {_where(one, crossing.at)}, {crossing.above} above"


def _where(one: BreakEven, at: float) -> str:
    unit = UNITS.get(one.unit, one.unit)
    return share(at) if unit == "share" else f"{count(at)} {unit}".rstrip()


def _crossing(one: BreakEven, crossing: Crossing) -> str:
    basis = "with one-offs" if crossing.basis == "horizon" else "running cost only"
    jump = ", a jump" if crossing.kind == "jump" else ""
    flags = f" ({'; '.join(crossing.flags)})" if crossing.flags else ""
    return f"{_sides(one, crossing)} ({basis}{jump}){flags}"


def _payback_sentence(one: BreakEven) -> str:
    payback = one.payback
    when = f", on {day(payback.date)}" if payback.date else ""
    flags = f" ({'; '.join(payback.flags)})" if payback.flags else ""
    later = f"; {payback.discounted}" if payback.discounted else ""
    return f"{payback.reason}{when}{flags}{later}"
