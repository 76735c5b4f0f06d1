"""`tunepoint backtest`, `outlook` and `diagnose`: a decision then, a decision later, and whether it is due at all."""

from __future__ import annotations

import dataclasses
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pricing.errors import InputError
from simulator.cli.flags import Bare, Csv, Json, Seed, Set, one_form, past_day, typed_day, written_to
from simulator.cli.output import emit_csv, emit_json

if TYPE_CHECKING:
    from simulator import Diagnosis

BACKTEST_COLUMNS = (
    "decided_on",
    "until",
    "choice",
    "best",
    "option",
    "planned_usd",
    "paid_usd",
    "regret_usd",
    "why_not",
)


def backtest(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    decide_on: Annotated[str, typer.Option("--decide-on", metavar="DATE", help="Decide with what was known that day.")],
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Pay up to this day.")] = None,
    monthly: Annotated[
        str | None, typer.Option("--monthly", metavar="DATE", help="Decide anew every month up to this day.")
    ] = None,
    out: Annotated[Path | None, written_to("--out", "FILE.html", "Write the picture there.")] = None,
    set_: Set = None,
    bare: Bare = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """What a decision of an earlier day would have been worth at the prices that followed."""
    from simulator import backtest, backtest_json, backtest_monthly, charts, read_scenario
    from simulator.cli.decisions_shown import show_backtest, show_backtests

    one_form(json, csv)
    end = None if until is None else typed_day(until, "--until")
    asked = read_scenario(scenario, set_ or (), bare)
    recorded = max((one.recorded for table in asked.prices.values() for one in table.versions), default=date.min)
    day = past_day(decide_on, "--decide-on", recorded)
    if monthly is None:
        found = [backtest(asked, day, end)]
    else:
        found = list(backtest_monthly(asked, day, past_day(monthly, "--monthly", recorded), end))
    answers = [backtest_json(one) for one in found]
    if out is not None:
        charts.write_page(charts.backtests(found), out)
    if json:
        emit_json(answers if monthly is not None else answers[0])
    elif csv:
        rows = [
            {
                **{key: one[key] for key in ("decided_on", "until", "choice", "best", "regret_usd")},
                "option": name,
                **{key: one[key][name] for key in ("planned_usd", "paid_usd", "why_not")},
            }
            for one in answers
            for name in one["paid_usd"]
        ]
        emit_csv([{key: row[key] for key in BACKTEST_COLUMNS} for row in rows], BACKTEST_COLUMNS)
    elif monthly is not None:
        show_backtests(found)
    else:
        show_backtest(found[0])


def outlook(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    wait: Annotated[
        list[int] | None, typer.Option("--wait", metavar="MONTHS", help="Months to wait; may be repeated.")
    ] = None,
    out: Annotated[Path | None, written_to("--out", "FILE.html", "Write the picture there.")] = None,
    set_: Set = None,
    seed: Seed = 0,
    bare: Bare = False,
    json: Json = False,
) -> None:
    """Commit now, or wait some months: token prices and GPU rents drift and jump as they did in the tables."""
    from simulator import charts, outlook, outlook_json, read_scenario, shipped_book, shipped_hardware
    from simulator.cli.decisions_shown import show_outlook

    asked = read_scenario(scenario, set_ or (), bare)
    found = outlook(asked, shipped_book(), hardware=shipped_hardware(), waits=wait, seed=seed)
    if out is not None:
        charts.write_page(charts.outlook(found), out)
    if json:
        emit_json(outlook_json(found))
    else:
        show_outlook(found)


def diagnose(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="SCENARIO", help="A scenario file (default: the shipped one).")
    ] = None,
    set_: Set = None,
    bare: Bare = False,
    json: Json = False,
) -> None:
    """Is tuning due? Four questions, the signs of a prompt at its ceiling, and what it would be worth."""
    from simulator import compare, default_scenario_path, diagnose, diagnosis_json, read_scenario
    from simulator.cli.decisions_shown import show_diagnosis

    asked = read_scenario(default_scenario_path() if scenario is None else scenario, set_ or (), bare)
    said = None if json or not sys.stdin.isatty() else _ask(asked.diagnosis)
    found = compare(asked)
    judged = diagnose(asked, found.options, found.break_even, said)
    if json:
        emit_json(diagnosis_json(judged))
    else:
        show_diagnosis(judged)


def _ask(said: Diagnosis | None) -> Diagnosis:
    """Ask on the terminal what the scenario leaves unknown."""
    from simulator import DIAGNOSIS_QUESTIONS, Diagnosis

    answers = said or Diagnosis()
    for key, question in DIAGNOSIS_QUESTIONS.items():
        if getattr(answers, key) != "unknown":
            continue
        typed = typer.prompt(f"{question} (y/n, Enter if unknown)", default="", show_default=False).strip().lower()
        if typed not in ("", "y", "yes", "n", "no"):
            raise InputError(f'"{typed}" is no answer to "{question}"; type y, n or nothing')
        if typed:
            answers = dataclasses.replace(answers, **{key: typed.startswith("y")})
    return answers
