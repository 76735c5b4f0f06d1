"""Reads a finished batch back for people: a table of its answers, and as many of its points as a picture takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.batch import spread_ratio
from simulator.domain.batch_points import NO_CHOICE, BatchPoints
from simulator.files.batch_folder import SUMMARY, read_plan
from simulator.files.batch_summary import pieces_of
from simulator.files.results import MANIFEST

MOST_POINTS = 4_000
"""Points that are read for a picture; of more, ones that are spread evenly over the whole."""
PRICES_SAID = 4
TOTAL = "total_usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPicture:
    """What a picture of one scenario needs: points, its two columns, and where the numbers come from."""

    name: str
    points: BatchPoints
    of: int
    x: str
    y: str
    source: str


def read_answers(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Tables of a finished batch: `scenarios`, figures by scenario, and `choices`, how often each option is one.

    Axes of words have a column in both, as each of their values is a scenario of its own.

    Raises:
        InputError: it is no folder of a batch, or not a finished one.
    """
    read_plan(folder)
    _check_finished(folder)
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))["scenarios"]
        axes = dict.fromkeys(path for one in summary.values() for path in one["fixed"])
        scenarios = [
            {"scenario": name, **axes, **one["fixed"], "points": one["points"], **_figures(one)}
            for name, one in summary.items()
        ]
        choices = [
            {"scenario": name, **axes, **one["fixed"], "choice": option or NO_CHOICE, "points": count,
             "share": count / one["points"]}
            for name, one in summary.items() for option, count in one["choices"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError):
        told = "is not as a batch writes it; run the batch again with --resume"
        raise InputError(f"{folder / SUMMARY}: {told}") from None
    return {"scenarios": scenarios, "choices": choices}


def read_pictures(folder: Path) -> Iterator[BatchPicture]:
    """A picture for each scenario with an axis of numbers: its two longest ones, or cost over the only one.

    Raises:
        InputError: it is no folder of a batch, or not a finished one.
    """
    plan = read_plan(folder)
    _check_finished(folder)
    for name, member in plan["members"].items():
        longest = sorted(member["axes"], key=lambda axis: -len(axis["values"]))
        if not longest or member.get("decided_on"):
            continue
        x, y = [*(axis["path"] for axis in longest), TOTAL][:2]
        points = _sampled(folder, name, member["points"], list(dict.fromkeys((x, y, TOTAL))))
        if len(points):
            yield BatchPicture(name=name, points=points, of=member["points"], x=x, y=y, source=_source(name, plan))


def _source(name: str, plan: dict[str, Any]) -> str:
    """Where the numbers of a scenario come from: its day, its prices and the program, as the plan keeps them."""
    member = plan["members"][name]
    rests = member["rests_on"]
    fixed = "".join(f", {path} {value}" for path, value in member["fixed"].items())
    versions = [one["version"] for one in rests["prices"].values()]
    prices = ", ".join(versions[:PRICES_SAID]) + (f" and {len(versions) - PRICES_SAID} more"
                                                  if len(versions) > PRICES_SAID else "")
    return (
        f"{name}{fixed}, from {rests['start']}; {plan['engine']} engine, batch {plan['digest']}, scenario with its "
        f"prices {rests['digest']}: {prices}; tunepoint {rests['code']}"
    )


def _figures(one: dict[str, Any]) -> dict[str, float | None]:
    return {
        f"{figure}_{key}": None if span is None else span[key]
        for figure, span in one.items() if figure not in ("points", "fixed", "choices")
        for key in ("min", "mean", "max")
    }


def _check_finished(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: has no {MANIFEST}, so it is not complete; run the batch again with --resume")


def _sampled(folder: Path, name: str, points: int, columns: list[str]) -> BatchPoints:
    wanted = evenly(points, MOST_POINTS)
    kept: dict[str, list[NDArray[Any]]] = {column: [] for column in ("choice", *columns)}
    for first, found in pieces_of(folder, name, tuple(kept)):
        here = wanted[(wanted >= first) & (wanted < first + len(found["choice"]))] - first
        for column, values in kept.items():
            values.append(found[column][here])
    whole = {column: np.concatenate(values) if values else np.zeros(0) for column, values in kept.items()}
    choice = np.array([word or NO_CHOICE for word in whole.pop("choice").tolist()], dtype=object)
    numbers = {column: values.astype(np.float64) for column, values in whole.items()}
    return BatchPoints(columns={"scenario": np.full(len(choice), name, dtype=object), "choice": choice, **numbers})


def evenly(points: int, most: int) -> NDArray[np.int64]:
    """Numbers of at most so many points, in order: all, or spread so that they never fall in step with a grid.

    Multiples of the golden ratio, as `Member.at` spreads its points.

    >>> evenly(3, 4).tolist(), len(evenly(10**9, 100))
    ([0, 1, 2], 100)
    """
    if points <= most:
        return np.arange(points, dtype=np.int64)
    shares = np.mod(0.5 + (np.arange(most) + 1.0) / spread_ratio(1), 1.0)
    return np.unique((shares * points).astype(np.int64))
