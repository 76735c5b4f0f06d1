"""Prices the points of a batch, many at once, wherever they are sent; it writes nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import TunepointError
from simulator.domain.batch import OPTION_TOTAL, Batch, Member, Piece
from simulator.domain.drawn import BY_DAY, is_structural, with_dials
from simulator.domain.findings import Engine, SimulationResult
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.decisions import decide_points
from simulator.studies.runners import Place, spread
from simulator.studies.sizing import kept_promises
from simulator.studies.verdict import TOO_CLOSE

Array = NDArray[np.float64]
Packed = Callable[[Iterable[Mapping[str, NDArray[Any]]], tuple[str, ...]], bytes]
"""Makes bytes of blocks of columns; `choice`, `runner_up` and `best` hold numbers of the options given with them."""

QUICK_BLOCK, DAILY_BLOCK = 16_384, 2_048
"""Points priced at once: 16,384 keep about 60 arrays by price period under 32 MiB, 2,048 those by day."""
BLOCK_POINTS = 16_384
"""Points whose columns are held at once; a longer piece is packed block by block, so it needs no more memory."""
RUNS_TOGETHER = 100
"""Runs of a simulation played at once; more only fill the memory."""
FIGURES = ("total_usd", "saving_usd", "saving_vs_baseline_usd", "per_call_usd")
"""Columns of the chosen option; `total_usd.NAME` holds every option's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Pieces with all that pricing them needs: a worker opens no file."""

    pieces: tuple[tuple[Piece, Member], ...]
    engine: Engine
    packed: Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A piece priced and packed, or the sentence why it could not be."""

    piece: Piece
    content: bytes = b""
    problem: str | None = None


def price_batch(batch: Batch, todo: list[Piece], place: Place, packed: Packed) -> Iterator[Done]:
    """Price pieces, in whatever order they come back.

    Args:
        batch: what they are pieces of.
        todo: the pieces that are wanted.
        place: where they are priced.
        packed: makes bytes of a piece's columns, on the worker.

    Raises:
        InputError: the place is not there, or was lost.
    """
    tasks = (
        Task(pieces=tuple((piece, batch.members[piece.member]) for piece in group), engine=batch.engine, packed=packed)
        for group in batch.tasks(todo)
    )
    for finished in spread(price_task, tasks, place):
        yield from finished
        del finished                                            # else two tasks' bytes are held while one is priced


def price_task(task: Task) -> list[Done]:
    """Price the pieces of a task; a piece that cannot be priced says why, the others go on."""
    found = []
    for piece, member in task.pieces:
        try:
            blocks: Iterable[Mapping[str, NDArray[Any]]] = (
                price_points(member, first, min(first + BLOCK_POINTS, piece.after), task.engine)
                for first in range(piece.first, piece.after, BLOCK_POINTS)
            )
            if member.decided_on:
                blocks = [decide_points(member, piece.first, piece.after)]
            named = ({"point": block["point"], **member.words(len(block["point"])), **block} for block in blocks)
            found.append(Done(piece=piece, content=task.packed(named, tuple(member.scenario.options))))
        except (TunepointError, ValueError) as error:
            found.append(Done(piece=piece, problem=str(error)))
    return found


def price_points(member: Member, first: int, after: int, engine: Engine = "expected") -> dict[str, NDArray[Any]]:
    """What every option of a scenario costs at points of its axes, and which is the choice.

    Args:
        member: scenario and axes.
        first: the first point.
        after: the point after the last.
        engine: which wing counts.

    Returns:
        Columns of shape (after - first,): `point`, every axis by its path, `choice` and `runner_up` (number of
        the option in file order, -1 for none), `total_usd` of the choice, its `saving_usd` against the runner-up
        and against the baseline (NaN where that is no choice), its `per_call_usd`, `too_close`, and
        `total_usd.NAME` of each option, NaN where it is no choice. Of a simulation they are means over the
        scenario's runs, and `cheapest_share` is the share of them in which the choice is the cheapest.

    Raises:
        TunepointError, ValueError: a point cannot be priced, with one sentence.

    A scenario without axes is judged as `compare` judges it. Over axes the latency targets of a fleet are not judged:
    every point would have to be played call by call.
    """
    if engine == "simulated":
        return _played(member, first, after)
    axes = member.at(first, after)
    size = after - first
    apart = [path for path in axes if is_structural(path) or (path in BY_DAY and member.draws is None)]
    names = list(member.scenario.options)
    total, ranking, calls = (np.full((len(names), size), np.nan) for _ in range(3))
    if apart:
        keys, members = np.unique(np.stack([axes[path] for path in apart]), axis=1, return_inverse=True)
        groups = [(keys[:, index].tolist(), np.flatnonzero(members == index)) for index in range(keys.shape[1])]
    else:
        groups = [([], np.arange(size))]
    for values, chosen in groups:
        fixed = with_dials(member.scenario, dict(zip(apart, values, strict=True))) if apart else member.scenario
        rest = {path: column[chosen] for path, column in axes.items() if path not in apart}
        for row, name in enumerate(names):
            for place, found in _priced(fixed, name, rest, chosen, promised=not member.axes):
                total[row, place], ranking[row, place], calls[row, place] = found
    return {
        "point": np.arange(first, after, dtype=np.int64),
        **axes,
        **_choices(names, member.scenario.baseline, total, ranking, calls),
        **{f"{OPTION_TOTAL}{name}": total[row] for row, name in enumerate(names)},
    }


def _priced(
    scenario: Scenario, name: str, axes: Mapping[str, Array], places: NDArray[np.int64], *, promised: bool
) -> Iterator[tuple[NDArray[np.int64], tuple[Array, Array, Array]]]:
    """Total, what is ranked by, and calls of one option, block by block of points that run together.

    NaN where its fleet cannot serve the calls, and, where it is `promised`, not within its latency targets.
    """
    by_value = scenario.rank_by == "npv_usd"
    judged = scenario.failure_usd > 0 or "failure_usd" in axes
    block = DAILY_BLOCK if by_value or any(path in BY_DAY for path in axes) else QUICK_BLOCK
    for begin in range(0, len(places), block):
        part = places[begin : begin + block]
        draws = {path: values[begin : begin + block] for path, values in axes.items()}
        result = run(scenario, name, draws=draws, daily=by_value)
        if promised:
            result = kept_promises(scenario, result)
        if not result.feasible:
            continue
        rate = draws.get("discount_rate", np.array([scenario.discount_rate]))
        total, ranked = result.total_usd, _ranked(result, scenario.rank_by, judged, rate)
        able = result.feasible_draws
        yield part, (np.where(able, total, np.nan), np.where(able, ranked, np.nan), result.calls)


def _ranked(result: SimulationResult, rank_by: str, judged: bool, discount_rate: Array) -> Array:
    """What an option is ranked by, by draw: cash or present value, wrong answers only where they cost something."""
    if rank_by != "npv_usd":
        return result.total_usd if judged else result.money_usd
    without = () if judged else ("failures",)
    discount = (1.0 + discount_rate.reshape(-1, 1)) ** (-result.ledger.edges[:-1] / 365.0)
    present: Array = (result.ledger.usd(without=without) * discount).sum(axis=1)
    return present


def _played(member: Member, first: int, after: int) -> dict[str, NDArray[Any]]:
    """`price_points` of a simulation: every point is played by itself, all options under the same randomness."""
    axes = member.at(first, after)
    names, size, runs = list(member.scenario.options), after - first, member.scenario.simulation.runs
    total, ranking, calls = (np.full((len(names), size), np.nan) for _ in range(3))
    wins = np.zeros((len(names), size))
    for place in range(size):
        at = with_dials(member.scenario, {path: float(values[place]) for path, values in axes.items()})
        judged = at.failure_usd > 0
        ranked = np.full((len(names), runs), np.inf)
        for row, name in enumerate(names):
            sums = np.zeros(2)
            for begin in range(0, runs, RUNS_TOGETHER):
                some = range(begin, min(begin + RUNS_TOGETHER, runs))
                result = run(at, name, engine="simulated", runs=some, seed=member.seed, daily=True)
                if not member.axes:
                    result = kept_promises(at, result)
                if not result.feasible:
                    break
                sums += result.total_usd.sum(), result.calls.sum()
                ranked[row, some.start : some.stop] = _ranked(result, at.rank_by, judged, np.array([at.discount_rate]))
            else:
                total[row, place], calls[row, place] = sums / runs
                ranking[row, place] = ranked[row].mean()
        base = names.index(at.baseline)
        order = [base, *(row for row in range(len(names)) if row != base)]
        cheapest = np.asarray(order)[np.argmin(ranked[order], axis=0)]
        wins[:, place] = np.bincount(cheapest, minlength=len(names)) / runs
    chosen = _choices(names, member.scenario.baseline, total, ranking, calls)
    share = np.where(chosen["choice"] >= 0, wins[chosen["choice"], np.arange(size)], np.nan)
    return {
        "point": np.arange(first, after, dtype=np.int64),
        **axes,
        **chosen,
        "cheapest_share": share,
        **{f"{OPTION_TOTAL}{name}": total[row] for row, name in enumerate(names)},
    }


def _choices(
    names: list[str], baseline: str, total: Array, ranking: Array, calls: Array
) -> dict[str, NDArray[Any]]:
    """The choice at every point: ties go to the baseline, then to the order of the file."""
    base = names.index(baseline)
    order = np.array([base, *(row for row in range(len(names)) if row != base)])
    costs = np.where(np.isnan(ranking), np.inf, ranking)[order]
    places = np.arange(costs.shape[1])
    first = np.argmin(costs, axis=0)
    best = costs[first, places]
    rest = costs.copy()
    rest[first, places] = np.inf
    second = np.argmin(rest, axis=0)
    runner = rest[second, places]
    some, two = np.isfinite(best), np.isfinite(runner)
    choice, runner_up = np.where(some, order[first], -1), np.where(two, order[second], -1)
    saving = np.where(two, runner, np.nan) - np.where(some, best, np.nan)
    paid = np.where(some, total[choice, places], np.nan)
    return {
        "choice": choice.astype(np.int32),
        "runner_up": runner_up.astype(np.int32),
        "total_usd": paid,
        "saving_usd": saving,
        "saving_vs_baseline_usd": total[base] - paid,
        "per_call_usd": np.divide(paid, calls[choice, places], out=np.full_like(paid, np.nan), where=some),
        "too_close": two & (saving < TOO_CLOSE * np.abs(runner)),
    }


def priced_one_by_one(member: Member, first: int, after: int) -> dict[str, list[float]]:
    """Totals by option of points run each by itself, as `compare` would: the slow twin that tests hold against.

    Args:
        member: scenario and axes.
        first: the first point.
        after: the point after the last.
    """
    axes = member.at(first, after)
    totals: dict[str, list[float]] = {name: [] for name in member.scenario.options}
    for index in range(after - first):
        values = {path: float(column[index]) for path, column in axes.items()}
        at = functools.reduce(lambda node, item: with_dials(node, dict([item])), values.items(), member.scenario)
        for name in totals:
            result = run(dataclasses.replace(at), name)
            totals[name].append(float(result.total_usd[0]) if result.feasible else float("nan"))
    return totals
