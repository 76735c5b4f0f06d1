"""`tunepoint export`: charts as pictures and pages, tables for spreadsheets and documents, the report to print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.errors import InputError
from simulator.cli.answers import CROSSING_COLUMNS, OPTION_COLUMNS, crossing_rows
from simulator.cli.flags import Bare, Set, written_to
from simulator.cli.output import points, say

PICTURES = ("png", "svg", "pdf")
TABLES = ("csv", "parquet", "xlsx", "md")
FORMATS = (*PICTURES, "html", *TABLES)
BATCH = "batch.json"
Taken = tuple[str, dict[str, list[dict[str, Any]]], dict[str, Any], str | None]
"""Name, tables, charts by name, and the report where there is one."""


def export(
    source: Annotated[Path, typer.Argument(metavar="DIR|SCENARIO", help="A results or batch folder, or a scenario.")],
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help=f"Some of {','.join(FORMATS)}, with commas between.")
    ] = "html,csv",
    out: Annotated[Path | None, written_to("--out", "DIR", "Where to (default: DIR/export).")] = None,
    set_: Set = None,
    bare: Bare = False,
) -> None:
    """Write charts, tables and the report in the formats that slides, sheets and documents take."""
    from simulator import write_whole

    wanted = list(dict.fromkeys(part.strip().lower() for part in formats.split(",") if part.strip()))
    for form in wanted:
        if form not in FORMATS:
            raise InputError(f'--format: "{form}" is not one of {", ".join(FORMATS)}')
    if not wanted:
        raise InputError(f"--format: names nothing; choose from {', '.join(FORMATS)}")
    if not source.exists():
        raise InputError(f"{source}: there is no such folder or scenario")
    if source.is_dir():
        taken = _from_batch(source) if (source / BATCH).is_file() else _from_folder(source)
        folder = out or source / "export"
    else:
        if out is None:
            raise InputError("--out: is needed for a scenario; name a folder to write to")
        taken = _from_scenario(source, set_, bare)
        folder = out
    written: list[str] = []
    problem: InputError | None = None
    try:
        for name, content in _contents(taken, wanted):
            write_whole(folder / name, content)
            written.append(name)
    except InputError as error:                                 # pictures come last: what needs no Chrome is there
        problem = error
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
    if written:
        say(f"Written to {folder}:", points(written))
    if problem is not None:
        raise problem


def _contents(taken: Taken, wanted: list[str]) -> Iterator[tuple[str, bytes]]:
    """File name and content: tables and pages first, then what needs a Chrome."""
    from simulator import as_csv, as_markdown, as_parquet, as_xlsx, drawn, page, printed

    name_of_book, tables, charts, report = taken
    for form, write in (("csv", as_csv), ("md", as_markdown), ("parquet", as_parquet)):
        if form in wanted:
            for name, rows in tables.items():
                content = write(rows)
                yield f"{name}.{form}", content if isinstance(content, bytes) else content.encode()
    if "xlsx" in wanted:
        yield f"{name_of_book}.xlsx", as_xlsx(tables)
    if "html" in wanted:
        if report is not None:
            yield "report.html", report.encode()
        for name, chart in charts.items():
            yield f"{name}.html", page(chart).encode()
    if pictures := [form for form in wanted if form in PICTURES]:
        yield from drawn(charts, pictures)
        if "pdf" in wanted and report is not None:
            yield "report.pdf", printed(report)


def _tables(answer: dict[str, Any], ledger: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    options = [{"option": name, **{key: option[key] for key in OPTION_COLUMNS[1:]}}
               for name, option in answer["options"].items()]
    crossings = [row for one in answer["break_even"] for row in crossing_rows(one)]
    return {"options": options, "ledger": ledger, "break-even": crossings or [dict.fromkeys(CROSSING_COLUMNS)]}


def _from_scenario(source: Path, set_: list[str] | None, bare: bool) -> Taken:
    from simulator import (
        charts,
        compare,
        comparison_json,
        cost_curve,
        explore,
        ledger_rows,
        read_scenario,
        report_html,
        shipped_book,
    )

    asked = read_scenario(source, set_ or (), bare)
    comparison = compare(asked, book=shipped_book())
    curve = cost_curve(asked)
    explored = explore(asked)
    figures = charts.pictures(comparison, curve, explored)
    answer = comparison_json(comparison)
    report = report_html(comparison, curve, explored)
    return answer["scenario"]["name"], _tables(answer, ledger_rows(comparison)), figures, report


def _from_batch(source: Path) -> Taken:
    """What a batch found: a table of its answers and a picture of each scenario, or the decisions of earlier days."""
    from simulator import charts, decision_rows, read_answers, read_decisions, read_pictures

    found = read_decisions(source)
    if not found:
        figures = {
            f"cheapest-{one.name}": charts.batch_answers(one.points, one.of, one.x, one.y, one.source)
            for one in read_pictures(source)
        }
        return source.name, read_answers(source), figures, None
    named = {name: "decisions" if len(found) == 1 else f"decisions-{name}" for name in found}
    figures = {named[name]: charts.decisions(decided, name) for name, decided in found.items()}
    return source.name, {"decisions": decision_rows(found)}, figures, None


def _from_folder(source: Path) -> Taken:
    """What `compare --out` wrote: the answer, its ledger, its charts and its report."""
    from simulator import chart_of

    try:
        answer = json.loads((source / "result.json").read_text("utf-8"))
        ledger = [{"option": name, **line} for name, option in answer["options"].items() for line in option["lines"]]
        if not (source / "manifest.json").is_file():
            raise InputError(f"{source}: has no manifest.json, so it is not complete; run compare --out {source} again")
        charts = {path.stem: chart_of(path.read_text("utf-8")) for path in sorted((source / "charts").glob("*.json"))}
        report = source / "report.html"
        told = report.read_text("utf-8") if report.is_file() else None
        return answer["scenario"]["name"], _tables(answer, ledger), charts, told
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not as compare --out writes it"
        if isinstance(error, FileNotFoundError):
            reason = "there is no result.json in it"
        raise InputError(f"{source}: is no results folder ({reason}); name one, or a scenario file") from None
