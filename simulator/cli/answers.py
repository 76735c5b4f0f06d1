"""`tunepoint compare` and `break-even`: the answer, with the verdict first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.errors import InputError
from pricing.nearest import nearest
from simulator.cli.difference import difference_json, show_difference
from simulator.cli.flags import Bare, Csv, Json, Set, one_form, typed_number, typed_share, written_to
from simulator.cli.output import emit_csv, emit_json, say
from simulator.cli.runs import Add, From, Save, played

if TYPE_CHECKING:
    from simulator import Scenario
    from simulator.domain.findings import Comparison

ENGINES = ("expected", "simulated")
VOLUME = "workload.calls_per_day"

OPTION_COLUMNS = (
    "option",
    "kind",
    "feasible",
    "total_usd",
    "total_until",
    "npv_usd",
    "monthly_usd",
    "fixed_usd_per_month",
    "unit_usd",
    "per_call_usd",
    "per_success_usd",
    "one_off_usd",
    "recurring_usd",
    "calls",
    "cache_hit_rate",
    "serves_until",
    "why_not",
)
CROSSING_COLUMNS = (
    "reference",
    "challenger",
    "along",
    "unit",
    "answer",
    "cheaper",
    "at",
    "kind",
    "basis",
    "below",
    "above",
    "payback_days",
    "payback_date",
    "payback_discounted_days",
    "payback_discounted_date",
    "reason",
)


def compare(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="SCENARIO", help="A scenario file (default: the shipped one).")
    ] = None,
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER]", help="With --diff: what to compare the first one with.")
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Tell what changed from SCENARIO to OTHER, and why.")
    ] = False,
    set_: Set = None,
    bare: Bare = False,
    engine: Annotated[
        str, typer.Option("--engine", help="How calls are counted: expected or simulated.")
    ] = "expected",
    fidelity: Annotated[
        str | None, typer.Option("--fidelity", help="Of a simulation: aggregate (hourly totals) or call (every call).")
    ] = None,
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", help="How many runs are simulated.")] = None,
    runs_from: From = None,
    add_runs: Add = None,
    save_runs: Save = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Seed of a simulation, or of draws from ranges (0).")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="1%", help="Simulate until the two best are told apart to this share."),
    ] = None,
    out: Annotated[
        Path | None, written_to("--out", "DIR", "Write result, ledger, report and charts there.")
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="EXPR", help="Exit with 1 if it holds: total_usd > 5000; may be repeated."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Every option side by side, verdict first."""
    from simulator import (
        check_folder,
        compare,
        comparison_json,
        default_scenario_path,
        read_scenario,
        reigns,
        shipped_book,
        write_runs,
    )  # fmt: skip
    from simulator.cli.condition import read_condition

    one_form(json, csv)
    if engine not in ENGINES:
        raise InputError(f'--engine: "{engine}" is not one of {", ".join(ENGINES)}{nearest(engine, ENGINES)}')
    typed = {"--fidelity": fidelity, "--runs": runs, "--precision": precision, "--runs-from": runs_from,
             "--add-runs": add_runs, "--save-runs": save_runs}
    if engine == "expected" and (stray := [flag for flag, value in typed.items() if value is not None]):
        raise InputError(f"{stray[0]} is of the simulated engine; add --engine simulated")
    if runs is not None and runs < 1:
        raise InputError(f"--runs is {runs}; play at least one")
    share = None if precision is None else typed_share(precision, "--precision")
    conditions = [read_condition(text) for text in fail_if or ()]
    if out is not None:
        check_folder(out)
    if diff != (other is not None):
        two = "compare SCENARIO OTHER --diff"
        raise InputError(f"--diff: it is told of two scenarios, {two}" if diff else f"{other}: write {two}")
    if diff and (stray := [flag for flag in ("--runs-from", "--add-runs", "--save-runs") if typed[flag] is not None]):
        raise InputError(f"{stray[0]}: runs of one scenario are kept or added, and --diff tells of two")
    if not diff and any(condition.path == "verdict_changed" for condition in conditions):
        raise InputError("--fail-if: only compare A B --diff tells whether the verdict changed")
    asked = read_scenario(default_scenario_path() if scenario is None else scenario, set_ or (), bare)
    before = asked
    if other is not None:
        asked = read_scenario(other, set_ or (), bare)
    how: dict[str, Any] = {"seed": seed or 0}
    if engine == "simulated":
        how |= {"engine": engine, "runs": runs, "fidelity": fidelity, "precision": share}
        if not diff:
            how["played"] = played(asked, runs, runs_from, add_runs or (), seed or 0, fidelity, share)
    book = shipped_book() if json or out is not None else None
    comparison = compare(asked, book=book, **how)
    answer = comparison_json(comparison, reigns(asked) if json or out is not None else ())
    if diff:
        answer |= difference_json(before, asked, comparison_json(compare(before, **how)), answer)
    try:
        if save_runs is not None:
            write_runs(save_runs, how["played"])
        if out is not None:
            _write(out, asked, comparison, answer)
    finally:  # what has been computed is told even where it cannot be written
        _tell(comparison, answer, json, csv)
    if out is not None and not (json or csv):
        say(f"Written to {out}: result.json, ledger.csv, ledger.parquet, report.html, charts/, manifest.json.")
    if save_runs is not None and not (json or csv):
        say(f"Runs written to {save_runs}; compare --engine simulated --add-runs {save_runs} adds them to others.")
    judged = [(condition, *condition.holds(answer)) for condition in conditions]
    held = [f"{condition} holds: {found}" for condition, is_so, found in judged if is_so]
    if held:
        typer.echo(f"--fail-if {'; '.join(held)}", err=True)
        raise typer.Exit(1)


def break_even(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    between: Annotated[
        tuple[str, str] | None,
        typer.Option("--between", metavar="A B", help="Two options (default: the baseline and each other one)."),
    ] = None,
    along: Annotated[str, typer.Option("--along", metavar="PATH", help="The dial that is turned.")] = VOLUME,
    low: Annotated[str | None, typer.Option("--from", metavar="X", help="Its lowest value.")] = None,
    high: Annotated[str | None, typer.Option("--to", metavar="Y", help="Its highest value.")] = None,
    set_: Set = None,
    bare: Bare = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Where two options cost the same: every crossing, when the larger one-off has paid back, and why not."""
    from simulator import break_even, break_even_json, dominance_json, read_scenario, reigns

    one_form(json, csv)
    ends = [None if text is None else typed_number(text, flag) for text, flag in ((low, "--from"), (high, "--to"))]
    asked = read_scenario(scenario, set_ or (), bare)
    if between is None:
        pairs = [(asked.baseline, name) for name in asked.options if name != asked.baseline]
    else:
        pairs = [(between[0], between[1])]
        for name in between:
            asked.option(name)
        if between[0] == between[1]:
            raise InputError(f"--between: {between[0]} stands twice; name two options")
    if not pairs:
        raise InputError(f"{scenario}: {asked.baseline} is the only option; add one to compare it with")
    found = [break_even(asked, pair, along, *ends) for pair in pairs]
    if json:
        over_all = dominance_json(reigns(asked, along, *ends)) if between is None else []
        emit_json([{**one, "dominance": over_all} for one in break_even_json(found)])
    elif csv:
        emit_csv([row for one in break_even_json(found) for row in crossing_rows(one)], CROSSING_COLUMNS)
    else:
        from simulator import changes_nothing
        from simulator.cli.answers_shown import show_break_evens
        from simulator.formats import reign_words

        if changes_nothing(asked, along, *ends):
            say(f"{along} changes nothing in this scenario: whatever it is, each option costs the same.", "")
        show_break_evens(found)
        if between is None and len(pairs) > 1:
            say("", reign_words(reigns(asked, along, *ends), found[0].unit))


def _tell(comparison: Comparison, answer: dict[str, Any], json: bool, csv: bool) -> None:
    if json:
        emit_json(answer)
    elif csv:
        emit_csv([_option_row(name, option) for name, option in answer["options"].items()], OPTION_COLUMNS)
    elif "difference" in answer:
        show_difference(answer)
    else:
        from simulator.cli.answers_shown import show_comparison

        show_comparison(comparison)


def _write(folder: Path, asked: Scenario, comparison: Comparison, answer: dict[str, Any]) -> None:
    from simulator import charts, cost_curve, explore, ledger_rows, report_html, write_results

    curve = cost_curve(asked)
    explored = explore(asked, comparison.seed) if comparison.engine == "expected" else None
    drawn = charts.pictures(comparison, curve, explored)
    figures = {f"{name}.json": figure.to_json() for name, figure in drawn.items()}
    write_results(folder, answer, ledger_rows(comparison), report_html(comparison, curve, explored), figures)


def _option_row(name: str, option: dict[str, Any]) -> dict[str, Any]:
    return {column: name if column == "option" else option[column] for column in OPTION_COLUMNS}


def crossing_rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each crossing, and one where there is none."""
    whole = {
        **{key: one[key] for key in ("along", "unit", "answer", "cheaper", "reason")},
        "reference": one["between"][0],
        "challenger": one["between"][1],
        "payback_days": one["payback"]["days"],
        "payback_date": one["payback"]["date"],
        "payback_discounted_days": one["payback"]["discounted_days"],
        "payback_discounted_date": one["payback"]["discounted_date"],
    }
    rows = [{**whole, **crossing} for crossing in one["crossings"] or [{}]]
    return [{column: row.get(column) for column in CROSSING_COLUMNS} for row in rows]
