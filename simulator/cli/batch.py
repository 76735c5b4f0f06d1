"""`tunepoint batch`: many scenarios over many points, on one machine or a cluster, resumable, with what changed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.errors import InputError
from pricing.nearest import nearest
from simulator.cli.condition import FLAG, Condition, read_condition
from simulator.cli.flags import Json, day_or_today, written_to
from simulator.cli.output import emit_json, points, say, table

if TYPE_CHECKING:
    from simulator import Batch

FIGURES = ("total_usd", "saving_usd", "saving_vs_baseline_usd", "per_call_usd")
DECIDED_FIGURES = ("total_usd", "planned_usd", "regret_usd")
"""The same of decisions of earlier days."""
SUMMED = ("verdict_changed", "points", "scenarios", "failed", "changes")
SHOWN = 20


def batch(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Batch files: scenarios, axes to vary.")],
    out: Annotated[Path, written_to("--out", "DIR", "The folder of the batch.")],
    on: Annotated[
        str, typer.Option("--on", metavar="PLACE", help="serial, processes:N or dask:tcp://host:port.")
    ] = "serial",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this batch stopped.")] = False,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="DIR", help="Compare with this run (default: the one before).")
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if", metavar="EXPR", help='Exit with 1 if it holds anywhere: "verdict changed", total_usd > 5000.'
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Price many scenarios over all combinations of their axes."""
    from simulator import BatchFolder, packed, price_batch, read_batch, read_batch_plan, read_place, summarise_batch

    place = read_place(on)
    conditions = [read_condition(text) for text in fail_if or ()]
    if against is not None:                                     # all of this is said before hours of work, not after
        read_batch_plan(against)
        if against.resolve() == out.resolve():
            against = None                                      # its run of before, which is about to be set aside
    asked = read_batch(files, today=day_or_today(None))
    figures = _figures(conditions, asked)
    failed = dict(asked.refused)
    folder = BatchFolder(out, asked)
    with folder.opened(resume) as todo:
        left = sum(piece.after - piece.first for piece in todo)
        with _progress(left, asked.points - left) as advance:
            for done in price_batch(asked, todo, place, packed):
                if done.problem is None:
                    folder.keep(done.piece, done.content)
                else:
                    failed.setdefault(asked.members[done.piece.member].name, done.problem)
                advance(done.piece.after - done.piece.first)
                del done                                        # its bytes, before the next piece is priced
        summary = summarise_batch(out, failed, against)
        folder.finish(summary, failed)
    if json:
        emit_json(summary)
    else:
        _show(summary, out)
    held = [sentence for condition in conditions if (sentence := _holds(condition, summary, figures))]
    if held:
        typer.echo(f"{FLAG} {'; '.join(held)}", err=True)
    if failed:
        typer.echo(f"{len(failed)} of {len(failed) + len(summary['scenarios'])} scenarios failed", err=True)
    if held or failed:
        raise typer.Exit(1)


def _figures(conditions: list[Condition], asked: Batch) -> tuple[str, ...]:
    """The figures that points of a batch have, one of which a condition names, unless it asks the summary.

    Raises:
        InputError: a condition names neither.
    """
    decided = {bool(member.decided_on) for member in asked.members}
    figures = tuple(name for are, names in ((False, FIGURES), (True, DECIDED_FIGURES)) if are in decided
                    for name in names)
    known = tuple(dict.fromkeys((*figures, *SUMMED)))
    for condition in conditions:
        if (first := condition.path.partition(".")[0]) not in known:
            hint = nearest(first, known) or f"; there are {', '.join(known)}"
            raise InputError(f'{FLAG} {condition}: no key "{first}"{hint}')
    return figures


def _holds(condition: Condition, summary: dict[str, Any], figures: tuple[str, ...]) -> str:
    """What was found, where a condition holds; a figure without a place is asked of every point."""
    answer = {**summary, "verdict_changed": summary["verdict_changed"] or 0}
    if condition.path in figures:
        spans = [one[condition.path] for one in summary["scenarios"].values() if one.get(condition.path)]
        ends = [span[key] for span in spans for key in ("min", "max")]
        is_so, found = False, ""
        for end in ends:
            is_so, found = condition.holds({condition.path: end})
            if is_so:
                break
    else:
        is_so, found = condition.holds(answer)
    return f"{condition} holds: {found}" if is_so else ""


@contextlib.contextmanager
def _progress(points_left: int, points_done: int) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left, where a terminal shows it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import MofNCompleteColumn as DoneColumn

    rate = TaskProgressColumn(show_speed=True)
    columns = (BarColumn(), DoneColumn(), TextColumn("points"), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=points_left + points_done, completed=points_done)
        yield lambda count: progress.advance(bar, count)


def _show(summary: dict[str, Any], out: Path) -> None:
    from simulator import read_decisions
    from simulator.cli.decisions_shown import show_decisions
    from simulator.formats import usd

    scenarios = summary["scenarios"]
    say(f"{_counted(summary['points'], 'point')} of {_counted(len(scenarios), 'scenario')} in {out}")
    rows = []
    axes = dict.fromkeys(path for one in scenarios.values() for path in one["fixed"])
    for name, one in list(scenarios.items())[:SHOWN]:
        total = one["total_usd"]
        chosen = sorted(one["choices"].items(), key=lambda item: -item[1])
        share = ", ".join(f"{option or 'none'} {100 * count / one['points']:.0f} %" for option, count in chosen)
        span = (usd(total["min"]), usd(total["max"])) if total else ("", "")
        written = (_said(one["fixed"][path]) if path in one["fixed"] else "" for path in axes)
        rows.append((name, *written, f"{one['points']:,}", share, *span))
    figures = {"points": "right", "cheapest": "left", "from": "right", "to": "right"}
    heads = {"scenario": "left", **dict.fromkeys(axes, "left"), **figures}
    say(table(heads, rows))
    if len(scenarios) > SHOWN:
        say(f"and {len(scenarios) - SHOWN} more, in {out}/summary.json")
    for name, decisions in list(read_decisions(out).items())[:SHOWN]:
        if name in scenarios:
            show_decisions(name, decisions)
    _show_changes(summary)
    if summary["failed"]:
        say("Failed:", points([f"{name}: {why}" for name, why in summary["failed"].items()]))


def _show_changes(summary: dict[str, Any]) -> None:
    from simulator.formats import usd

    changes = summary["changes"]
    if changes is None:
        return
    changed = summary["verdict_changed"]
    have = f"{_counted(changed, 'point')} {'has' if changed == 1 else 'have'}"
    say(f"Against {summary['against']}: {have} another answer")
    for name, one in list(changes.items())[:SHOWN]:
        lines = list(one["why"][:SHOWN])
        if one["total_usd"] is not None:
            before, after = one["total_usd"]["before"], one["total_usd"]["after"]
            lines.append(f"sum of the chosen totals: {usd(before)} -> {usd(after)}")
        for point in one["points"]:
            known = ("point", "before", "after", "total_usd")
            at = ", ".join(f"{path} {_said(value)}" for path, value in point.items() if path not in known)
            was, now = (point[side] or "none" for side in ("before", "after"))
            lines.append(f"at {at or 'its only point'}: {was} -> {now}")
        say(f"{name}:", points(lines))
    if len(changes) > SHOWN:
        say(f"and {len(changes) - SHOWN} more scenarios, in summary.json")


def _said(value: float | str | bool | None) -> str:
    """The value of an axis, numbers with six digits."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:,.6g}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
