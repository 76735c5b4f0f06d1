"""Puts the log that a scenario names in the place of numbers: `workload.tokens.trace` and `workload.replay`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from pricing.errors import InputError
from pricing.load_checked import shown
from pricing.yaml12 import Place
from simulator.domain.recorded import MOST_CALLS, NS_PER_DAY, Recorded
from simulator.files.layers import Layered, dotted

TRACE: Place = ("workload", "tokens", "trace")
REPLAY: Place = ("workload", "replay")
KEPT = ("replay", "timezone", "deferrable_share", "slo")
"""What a workload may say beside `replay`; all else is as it was in the log."""
WIDEST_CV = 20.0
"""The widest spread that the dial of a typed length takes; a log beyond it is drawn from all the same."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A page in which the numbers of a log stand, its calls, and where those numbers come from, by path."""

    page: Layered
    recorded: Recorded | None = None
    sources: dict[str, str] = dataclasses.field(default_factory=dict)


def with_logged(page: Layered, folder: Path | None) -> Logged:
    """Read the log that a scenario names, and write its means where a scenario writes them.

    Args:
        page: the scenario under its flags.
        folder: where the log must lie; None refuses it, as a page must not read its server's files.

    Raises:
        InputError: a log that cannot be read, or numbers beside it that it settles.
    """
    workload = page.value.get("workload")
    if not isinstance(workload, dict):
        return Logged(page=page)
    tokens = workload.get("tokens")
    if workload.get("replay") is not None:
        _alone(page, workload, REPLAY, KEPT)
        recorded, said = _read(page, REPLAY, workload["replay"], folder)
        settled = {
            **workload,
            "calls_per_day": recorded.calls_per_day,
            "tokens": _lengths(recorded, workload["replay"]),
        }
        simulation = page.value.get("simulation") or {}
        top = {**page.value, "workload": settled}
        if isinstance(simulation, dict):
            top["simulation"] = {"fidelity": "call", **simulation}
        found = [f"workload.{key}" for key in ("calls_per_day", "tokens.input", "tokens.output")]
    elif isinstance(tokens, dict) and tokens.get("trace") is not None:
        _alone(page, tokens, TRACE, ("trace",))
        recorded, said = _read(page, TRACE, tokens["trace"], folder)
        top = {**page.value, "workload": {**workload, "tokens": _lengths(recorded, tokens["trace"])}}
        found = [f"workload.tokens.{key}" for key in ("input", "output")]
    else:
        return Logged(page=page)
    sources = dict.fromkeys(found, said)
    return Logged(page=dataclasses.replace(page, value=top), recorded=recorded, sources=sources)


def _alone(page: Layered, node: dict[Any, Any], place: Place, allowed: tuple[str, ...]) -> None:
    """Refuse what stands beside a log and would say the same thing again."""
    for key in node:
        if key not in allowed:
            where = page.where((*place[:-1], key))
            raise InputError(f"{where}: stands beside {place[-1]}, which takes it from the log; leave one of them out")


def _read(page: Layered, place: Place, named: Any, folder: Path | None) -> tuple[Recorded, str]:
    """The calls of a log, and a sentence that says where they come from."""
    where = page.where(place)
    if not isinstance(named, str):
        raise InputError(f"{where}: {shown(named)} stands where a file is expected, as in {dotted(place)}: my-log.csv")
    if folder is None:
        raise InputError(f"{where}: {named}: a scenario that was sent cannot name a file; fit it and write the numbers")
    from simulator.intake.trace import read_trace

    path = folder / named
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{where}: {named}: lies outside {folder}; a scenario reads only files of its own folder")
    try:
        trace = read_trace(path)
    except InputError as error:
        said = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{where}: {named}: {said}") from None
    if len(trace) > MOST_CALLS:
        raise InputError(
            f"{where}: {named}: {len(trace):,} calls; a scenario carries at most {MOST_CALLS:,}, "
            "so take a part of the log"
        )
    stamps = trace.stamps_ns + trace.first_ns % NS_PER_DAY if place == REPLAY else None
    verb = "played as recorded in" if place == REPLAY else "drawn from"
    recorded = Recorded.of(trace.input_tokens, trace.output_tokens, stamps)
    over = f" over {recorded.days} day{'s' if recorded.days > 1 else ''}" if place == REPLAY else ""
    return recorded, f"{verb} {named}: {len(trace):,} call{'s' if len(trace) > 1 else ''}{over}"


def _lengths(recorded: Recorded, named: str) -> dict[str, Any]:
    """Means, spreads and correlation of the logs of both lengths, as a scenario writes them."""
    columns = (recorded.inputs.astype(float), recorded.outputs.astype(float))
    cvs = [
        float(np.clip(column.std() / mean, 0, WIDEST_CV)) if mean > 0 else 0.0
        for column, mean in zip(columns, recorded.means, strict=True)
    ]
    both = (columns[0] > 0) & (columns[1] > 0)
    logs = [np.log(column[both]) for column in columns]
    tied = 0.0
    if both.sum() > 2 and all(log.std() > 0 for log in logs):
        tied = float(np.clip(np.corrcoef(*logs)[0, 1], -1, 1))
    mean_in, mean_out = recorded.means
    return {
        "input": mean_in,
        "output": mean_out,
        "input_cv": cvs[0],
        "output_cv": cvs[1],
        "correlation": tied,
        "trace": named,
    }
