"""The runs of `compare --engine simulated`: played here with their progress, added from files, kept in one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pricing.errors import InputError
from simulator.cli.flags import written_to

if TYPE_CHECKING:
    from simulator import Runs, Scenario

From = Annotated[
    int | None,
    typer.Option("--runs-from", metavar="K", help="Number of the first of them (0, or after those added)."),
]
Save = Annotated[Path | None, written_to("--save-runs", "FILE", "Keep the runs, to be added to others.")]
Add = Annotated[
    list[Path] | None,
    typer.Option("--add-runs", metavar="FILE", help="Add runs kept before or on another machine; may be repeated."),
]


def played(
    scenario: Scenario,
    runs: int | None,
    first: int | None,
    add: Sequence[Path],
    seed: int,
    fidelity: str | None,
    precision: float | None,
) -> Runs:
    """Play what is asked for and join it with the runs of the files; files alone need no play.

    Raises:
        InputError: the first run is none, a file holds no runs or others than asked, or a run is there twice.
    """
    from simulator import add_runs, play, read_runs

    if first is not None and first < 0:
        raise InputError(f"--runs-from is {first}; runs are counted from 0")
    added = add_runs([(str(path), read_runs(path)) for path in add], scenario, seed, fidelity)
    asked: int | range | None = runs
    if first is not None:
        asked = range(first, first + (scenario.simulation.runs if runs is None else runs))
    with _progress() as told:
        found: Runs = play(
            scenario, asked, seed=seed, fidelity=fidelity, precision=precision, added=added, told=told
        )
    return found


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """How many runs are there and since when, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("playing the first runs")
        yield lambda count: progress.update(line, description=f"{count:,} runs are there")
