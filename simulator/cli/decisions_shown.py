"""How backtests, outlooks and diagnoses read on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.cli.output import points, say, table
from simulator.formats import NONE, day, share, usd

if TYPE_CHECKING:
    from simulator.domain.advice import Backtest, Decided, Diagnosed, Outlook, Question


def show_backtest(found: Backtest) -> None:
    """The decision, what every option was planned at and cost, and what changed in between."""
    say(found.sentence)
    say(table(
        {"option": "left", "planned": "right", "paid": "right", "": "left"},
        [
            (name, _usd(paid.planned_usd), _usd(paid.paid_usd), paid.why_not or "")
            for name, paid in found.options.items()
        ],
    ))
    say("What changed:" if found.changes else "No price of these options changed in between.")
    if found.changes:
        say(points(found.changes))
    versions = sorted({version for paid in found.options.values() for version in paid.versions})
    say(f"Paid at: {', '.join(versions)}.")


def show_backtests(found: Sequence[Backtest]) -> None:
    """One line a decision."""
    say(table(
        {
            "decided on": "fixed", "choice": "left", "planned": "right", "paid": "right", "regret": "right",
            "best": "left",
        },
        [
            (
                day(one.decided_on),
                one.choice or "none",
                _usd(one.options[one.choice].planned_usd) if one.choice else NONE,
                _usd(one.options[one.choice].paid_usd) if one.choice else NONE,
                _usd(one.regret_usd),
                one.best or "none",
            )
            for one in found
        ],
    ))
    ended = sum(one.choice is not None and one.options[one.choice].serves_until is not None for one in found)
    _sum_up([one.regret_usd for one in found], ended)


def _sum_up(every: Sequence[float | None], ended: int) -> None:
    regrets = [regret for regret in every if regret is not None]
    wrong = sum(regret > 1e-6 for regret in regrets)
    say(f"{wrong} of {len(regrets)} decisions were regretted, by {usd(max(regrets))} at most." if wrong
        else f"None of {len(regrets)} decisions was regretted.")
    if len(regrets) < len(every):
        say(f"{len(every) - len(regrets)} more found nothing on sale that was to serve to the end.")
    if ended:
        say(f"In {ended} of them the choice stopped serving before the end; bill and regret run up to that day.")


def show_decisions(name: str, found: Sequence[Decided]) -> None:
    """One line a decision of a batch, with the versions of prices that paid; equal versions are told once."""
    paid_at = dict.fromkeys(one.paid_at for one in found if one.choice)
    marks = {ids: f"[{number}]" for number, ids in enumerate(paid_at, 1)}
    at = "".join(f", {path} {value}" for path, value in (found[0].axes if found else {}).items())
    say(f"{name}{at}, decided with the prices known that day and paid at those that followed:")
    say(table(
        {"decided on": "fixed", "choice": "left", "paid": "right", "regret": "right", "best": "left", "at": "fixed"},
        [
            (day(one.decided_on), one.choice or "none", _usd(one.paid_usd), _usd(one.regret_usd), one.best or "none",
             marks.get(one.paid_at, "") if one.choice else "")
            for one in found
        ],
    ))
    say(points([f"{mark} {', '.join(ids)}" for ids, mark in marks.items()], before=""))
    _sum_up([one.regret_usd for one in found], sum(one.stopped_on is not None for one in found))


def show_outlook(found: Outlook) -> None:
    """What each way costs on average, and what is then chosen."""
    say(found.sentence)
    rows = [
        (f"commit to {name}", usd(found.expected_usd[name]), f"{usd(ends[0])} to {usd(ends[2])}", "")
        for name, ends in found.committed.items()
    ] + [
        (
            f"wait {one.months} month{'s' if one.months > 1 else ''}",
            usd(one.expected_usd),
            f"{usd(one.interval_usd[0])} to {usd(one.interval_usd[2])}",
            ", ".join(f"{name} {share(part)}" for name, part in one.then.items()),
        )
        for one in found.waits
    ]
    say(table({"way": "left", "on average": "right", "9 of 10": "right", "then": "left"}, rows))
    if found.notes:
        say(points(found.notes))


def show_diagnosis(found: Diagnosed) -> None:
    """Both halves first, then the questions and the signs."""
    say(found.not_yet, found.worth)
    say("", "Questions:", points(map(_answered, found.answers)))
    say("Signs that prompting is at its ceiling:", points(map(_answered, found.signs)))


def _answered(one: Question) -> str:
    word = {True: "yes", False: "no", None: "unknown"}[one.answer]
    return f"{one.question} {word}" + ("" if one.why == word else f" ({one.why})")


def _usd(value: float | None) -> str:
    return NONE if value is None else usd(value)
