"""Sums up a batch piece by piece, and tells which answers changed against another run of it and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.fingerprint import differences
from simulator.files.batch_folder import PARTS, PREVIOUS, read_plan

Array = NDArray[np.float64]

FIGURES = ("total_usd", "saving_usd", "saving_vs_baseline_usd", "per_call_usd")
DECIDED_FIGURES = ("total_usd", "planned_usd", "regret_usd")
"""The same of decisions of earlier days."""
POINTS = ("axes", "draws", "fixed", "decided_on", "until")
"""What says which points a scenario has."""
SHOWN = 5
"""Changed points that are told of a scenario; the rest is counted."""
ROWS_AT_ONCE = 16_384


def summarise(folder: Path, failed: Mapping[str, str], against: Path | None = None) -> dict[str, Any]:
    """Counts of choices and ranges of figures by scenario, and what changed.

    Args:
        folder: a batch whose pieces are all written.
        failed: scenario to sentence.
        against: another run to compare with (default: the folder's `previous`, where there is one).

    Returns:
        `points`, `scenarios` (name to `points`, `fixed` (what axes of words are there), `choices`, and `min`, `mean`,
        `max` of each figure), `failed`,
        `against`, `verdict_changed` (number of points, None without another run), `changes` by scenario.
    """
    plan = read_plan(folder)
    if against is None and (folder / PREVIOUS).is_dir():
        against = folder / PREVIOUS
    names = [name for name in plan["members"] if name not in failed]
    scenarios = {name: _scenario(folder, name, plan["members"][name]) for name in names}
    changes = None if against is None else _changes(folder, plan, against, names)
    return {
        "batch": plan["digest"],
        "points": sum(one["points"] for one in scenarios.values()),
        "scenarios": scenarios,
        "failed": dict(sorted(failed.items())),
        "against": None if against is None else PREVIOUS if against == folder / PREVIOUS else str(against),
        "verdict_changed": None if changes is None else sum(one["verdict_changed"] or 0 for one in changes.values()),
        "changes": changes,
    }


def _figures(member: Mapping[str, Any]) -> tuple[str, ...]:
    return DECIDED_FIGURES if member.get("decided_on") else FIGURES


def _scenario(folder: Path, name: str, member: Mapping[str, Any]) -> dict[str, Any]:
    named = _figures(member)
    points, choices = 0, dict[str, int]()
    spread = {figure: [math.inf, 0.0, -math.inf, 0.0] for figure in named}
    for _, columns in pieces_of(folder, name, ("choice", *named)):
        chosen = columns["choice"]
        points += len(chosen)
        for option, count in zip(*np.unique(chosen, return_counts=True), strict=True):
            choices[str(option)] = choices.get(str(option), 0) + int(count)
        for figure, sums in spread.items():
            values = columns[figure][np.isfinite(columns[figure])]
            if len(values):
                sums[0], sums[2] = min(sums[0], float(values.min())), max(sums[2], float(values.max()))
                sums[1], sums[3] = sums[1] + float(values.sum()), sums[3] + len(values)
    figures = {
        figure: {"min": low, "mean": total / count, "max": high} if count else None
        for figure, (low, total, high, count) in spread.items()
    }
    return {"points": points, "fixed": member["fixed"], "choices": dict(sorted(choices.items())), **figures}


def _changes(folder: Path, plan: Mapping[str, Any], against: Path, names: list[str]) -> dict[str, Any]:
    old_plan = read_plan(against)
    before, engines = old_plan["members"], (old_plan.get("engine"), plan["engine"])
    found: dict[str, Any] = {}
    for name in names:
        old, new = before.get(name), plan["members"][name]
        if old is None:
            found[name] = _change(why=["it is new"])
            continue
        why = _causes(old, new)
        if engines[0] != engines[1]:
            why.insert(0, f"engine {engines[0]} -> {engines[1]}")
        if (before_seed := old.get("seed", 0)) != new["seed"]:
            why.insert(0, f"seed {before_seed} -> {new['seed']}")
        if any((old.get(key) or None) != (new[key] or None) for key in POINTS):
            found[name] = _change(why=["its axes changed, so its points are not the same", *why])
        else:
            days = ["decided_on"] if new["decided_on"] else []
            axes = [*days, *(axis["path"] for axis in new["axes"])]
            found[name] = _compared(folder, against, name, axes, new["fixed"], why)
    for name in before:
        if name not in plan["members"]:
            found[name] = _change(why=["it is no longer there"])
    return {
        name: one for name, one in found.items() if one["why"] or one["verdict_changed"] or one["total_usd"] is not None
    }


def _causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How what the two runs of a scenario rest on differs, but for the dials that the axes of both turn anyway."""
    turned = {axis["path"] for axis in old["axes"]} & {axis["path"] for axis in new["axes"]}
    found = differences(old["rests_on"], new["rests_on"])
    return [str(one) for one in found if one.kind != "dial" or one.path not in turned]


def _change(
    *, why: list[str], changed: int | None = None, total: dict[str, float] | None = None, points: Any = ()
) -> dict[str, Any]:
    return {"verdict_changed": changed, "total_usd": total, "points": list(points), "why": why}


def _compared(
    folder: Path, against: Path, name: str, axes: list[str], fixed: Mapping[str, Any], why: list[str]
) -> dict[str, Any]:
    """What changed at the points of one scenario; pieces may be cut differently."""
    changed, before_usd, after_usd, moved = 0, 0.0, 0.0, False
    shown: list[dict[str, Any]] = []
    columns = ("choice", "total_usd")
    for at, old, new in _side_by_side(pieces_of(against, name, columns), pieces_of(folder, name, (*columns, *axes))):
        other = old["choice"] != new["choice"]
        changed += int(other.sum())
        before_usd += float(np.nansum(old["total_usd"]))
        after_usd += float(np.nansum(new["total_usd"]))
        moved = moved or not np.array_equal(old["total_usd"], new["total_usd"], equal_nan=True)
        for index in np.flatnonzero(other)[: SHOWN - len(shown)]:
            shown.append({
                "point": at + int(index), **fixed, **{path: _plain(new[path][index]) for path in axes},
                "before": _name(old["choice"][index]), "after": _name(new["choice"][index]),
                "total_usd": [float(side["total_usd"][index]) for side in (old, new)],
            })
    total = {"before": before_usd, "after": after_usd} if moved else None
    return _change(why=why, changed=changed, total=total, points=shown)


def _side_by_side(
    old: Iterator[tuple[int, dict[str, Any]]], new: Iterator[tuple[int, dict[str, Any]]]
) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Rows of two runs at the same points, each run in order of its points, in pieces of any length."""
    left, right = next(old, None), next(new, None)
    while left is not None and right is not None:
        first = max(left[0], right[0])
        ends = [at + len(columns["choice"]) for at, columns in (left, right)]
        after = min(ends)
        if after > first:
            yield first, _cut(left, first, after), _cut(right, first, after)
        left = next(old, None) if ends[0] == after else left
        right = next(new, None) if ends[1] == after else right


def _cut(piece: tuple[int, dict[str, Any]], first: int, after: int) -> dict[str, Any]:
    at, columns = piece
    return {name: column[first - at : after - at] for name, column in columns.items()}


def pieces_of(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    """First point and columns of parts of every piece of a scenario, in order; `choice` as names, "" for none."""
    import pyarrow as pa
    import pyarrow.parquet

    for path in sorted((folder / PARTS / f"scenario={name}").glob("part-*.parquet")):
        try:
            with pa.parquet.ParquetFile(path, pre_buffer=False) as file:
                wanted = ["point", *columns]
                for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted, use_threads=False):
                    yield batch.column("point")[0].as_py(), {column: _read(batch, column) for column in columns}
            pa.default_memory_pool().release_unused()           # else it keeps as much again for the next piece
        except (OSError, pa.ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{path}: cannot be read ({reason}); delete it, and --resume prices it again") from None


def _read(batch: Any, column: str) -> Any:
    values = batch.column(column)
    if column != "choice":
        import pyarrow as pa

        whole = values.fill_null(math.nan) if pa.types.is_floating(values.type) else values
        return whole.to_numpy(zero_copy_only=False)
    words = np.array(["", *values.dictionary.to_pylist()])
    return words[values.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1]


def _plain(value: Any) -> float | str:
    return str(value) if isinstance(value, np.datetime64) else float(value)


def _name(word: Any) -> str | None:
    return str(word) or None
