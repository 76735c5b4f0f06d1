"""Reads the decisions of earlier days back from the folder of a batch: one row a decision, as a table or a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pricing.errors import InputError
from simulator.domain.advice import Decided
from simulator.domain.batch import OPTION_TOTAL
from simulator.files.batch_folder import PARTS, read_plan
from simulator.files.results import MANIFEST


def read_decisions(folder: Path) -> dict[str, tuple[Decided, ...]]:
    """Decisions by scenario, oldest first; one that failed, or whose other inputs vary too, has none.

    Args:
        folder: a finished batch.

    Raises:
        InputError: it is no folder of a batch, or not a finished one.
    """
    plan = read_plan(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: has no {MANIFEST}, so it is not complete; run the batch again with --resume")
    asked = {name: one["points"] for name, one in plan["members"].items() if one.get("decided_on") and not one["axes"]}
    found = {
        name: tuple(_decided(row, plan["members"][name]["fixed"]) for row in _rows(folder, name)) for name in asked
    }
    return {name: decisions for name, decisions in found.items() if len(decisions) == asked[name]}


def decision_rows(found: Mapping[str, Sequence[Decided]]) -> list[dict[str, Any]]:
    """Decisions as rows of a table: what was chosen, planned, paid and regretted, and at which versions of prices."""
    axes = dict.fromkeys(path for decisions in found.values() for one in decisions for path in one.axes)
    return [
        {
            "scenario": name, **axes, **one.axes,
            "decided_on": str(one.decided_on), "until": str(one.until), "choice": one.choice,
            "planned_usd": one.planned_usd, "paid_usd": one.paid_usd, "regret_usd": one.regret_usd, "best": one.best,
            "stopped_on": None if one.stopped_on is None else str(one.stopped_on),
            "decided_at": ", ".join(one.decided_at), "paid_at": ", ".join(one.paid_at),
        }
        for name, decisions in found.items()
        for one in decisions
    ]


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet

    rows: list[dict[str, Any]] = []
    for path in sorted((folder / PARTS / f"scenario={name}").glob("part-*.parquet")):
        try:
            rows += pa.parquet.read_table(path, partitioning=None).to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{path}: cannot be read ({reason}); delete it, and --resume prices it again") from None
    return rows


def _decided(row: Mapping[str, Any], fixed: Mapping[str, Any]) -> Decided:
    return Decided(
        decided_on=row["decided_on"],
        until=row["until"],
        choice=row["choice"],
        best=row["best"],
        planned_usd=row["planned_usd"],
        paid_usd=row["total_usd"],
        regret_usd=row["regret_usd"],
        stopped_on=row["stopped_on"],
        decided_at=_ids(row["decided_at"]),
        paid_at=_ids(row["paid_at"]),
        axes=fixed,
        by_option={key.removeprefix(OPTION_TOTAL): value for key, value in row.items() if key.startswith(OPTION_TOTAL)},
    )


def _ids(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()
