"""How maps, sweeps and sensitivities read on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.cli.output import points, say, table
from simulator.flip_words import dial_value, flip_change, flips_at, nearest_of
from simulator.formats import NONE, NOT_WORTH_MEASURING, count, share, usd

if TYPE_CHECKING:
    from simulator.domain.uncertain import CostMap

SENSITIVITY_COLUMNS = {
    "tornado": ("path", "label", "unit", "low", "high", "today", "at_low_usd", "at_high_usd", "effect_usd", "basis"),
    "sobol": ("path", "label", "first", "first_interval", "total", "total_interval"),
    "voi": ("path", "label", "usd", "error_usd", "low", "high"),
    "flips": ("path", "label", "unit", "today", "at", "to", "change", "distance", "kind"),
}
ACROSS, UPWARDS = 60, 20
"""Letters a map takes on a terminal."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHOWN = 12
SAME = 1e-12
"""Relative difference below which two costs are the same."""
TIE = 1e-6
"""Relative change of a dial below which a flip says no more than that two options cost the same."""


def show_map(found: CostMap) -> None:
    """A letter for the cheapest option at every point, the legend, and what each region means."""
    rows, columns = len(found.y_values), len(found.x_values)
    step_y, step_x = max(1, -(-rows // UPWARDS)), max(1, -(-columns // ACROSS))
    if found.facet is not None:
        say(f"{found.facet[0]} = {count(found.facet[1])}")
    say(f"{found.y_label} upwards ({_ends(found.y_values, found.y_unit)}), "
        f"{found.x_label} across ({_ends(found.x_values, found.x_unit)}):")
    for path, axis in ((found.x, 2), (found.y, 1)):
        if np.isclose(found.usd, found.usd.take([0], axis), rtol=SAME, atol=0.0).all():
            say(f"{path} changes nothing in this scenario.")
    lines = []
    for i in range(rows - 1, -1, -step_y):
        cells = found.cheapest[i, ::step_x].tolist()
        lines.append("".join(LETTERS[cell % 26] if cell >= 0 else "." for cell in cells))
    say("\n".join(lines))
    total = found.cheapest.size
    parts = {i: int((found.cheapest == i).sum()) for i in range(len(found.names))}
    say(points(
        f"{LETTERS[i % 26]}  {found.names[i]}: cheapest on {share(n / total)} of the map, on average by "
        f"{usd(float(found.margin_usd[found.cheapest == i].mean()))} a month"
        for i, n in parts.items() if n
    ))


def show_sweep(rows: Sequence[Mapping[str, Any]], paths: Sequence[str], names: Sequence[str]) -> None:
    """The table, at most forty rows of it."""
    heads = {**dict.fromkeys(paths, "right"), **dict.fromkeys(names, "right"), "cheapest": "left", "by": "right"}
    every = max(1, -(-len(rows) // 40))
    say(table(heads, [
        (
            *(count(row[path]) if abs(row[path]) >= 1 else f"{row[path]:.4g}" for path in paths),
            *(_usd(row[f"{name}_usd"]) for name in names),
            row["cheapest"] or "none",
            _usd(row["margin_usd"]),
        )
        for row in rows[::every]
    ]))
    if every > 1:
        say(f"Every {every}th of {len(rows):,} rows; --csv or --json give all.")


def show_sensitivity(answer: Mapping[str, Any]) -> None:
    """The rows of one method, and what is said of them."""
    {"tornado": _tornado, "sobol": _sobol, "voi": _worth, "flips": _flips}[answer["method"]](answer)
    notes = list(answer.get("notes", ()))
    if idle := answer.get("without_effect"):
        notes.append(f"Changes nothing: {_paths(idle)}.")
    if ruled_out := answer.get("ruled_out"):
        notes.append(f"At one end one of the two does not serve, so no bar is drawn: {_paths(ruled_out)}.")
    if steady := answer.get("steady"):
        notes.append(f"No flip within its span: {_paths(steady)}.")
    if notes:
        say("", points(notes))


def _paths(paths: Sequence[str]) -> str:
    """Paths of dials; those of an option together, its name told once.

    >>> _paths(["horizon_days", "options.a.price_factor", "options.a.training.epochs", "options.b.retries.max"])
    'horizon_days; options.a: price_factor, training.epochs; options.b: retries.max'
    """
    told: dict[str, list[str]] = {}
    for path in paths:
        above, name, rest = path.split(".", 2) if path.startswith("options.") else ("", "", path)
        told.setdefault(f"{above}.{name}: " if name else "", []).append(rest)
    return "; ".join(f"{owner}{', '.join(rest)}" for owner, rest in told.items())


def _tornado(answer: Mapping[str, Any]) -> None:
    say(f"{answer['choice']} saves {usd(answer['difference_usd'])} against {answer['runner_up']}; moving one dial at a "
        "time, it saves:")
    say(table(
        {"dial": "left", "from": "right", "to": "right", "saves at low": "right", "at high": "right", "basis": "fixed"},
        [
            (row["path"], dial_value(row["low"], row["unit"]), dial_value(row["high"], row["unit"]),
             usd(row["at_low_usd"]), usd(row["at_high_usd"]), row["basis"])
            for row in answer["rows"][:SHOWN]
        ],
    ))


def _sobol(answer: Mapping[str, Any]) -> None:
    say(f"Share of the variance of what {answer['choice']} saves against {answer['runner_up']} "
        f"({answer['samples']:,} samples; in brackets: 95 % intervals):")
    if not answer["rows"]:
        say("None: no input changes what it saves.")
        return
    say(table(
        {"input": "left", "alone": "right", "with interactions": "right"},
        [
            (row["path"], *(f"{_index(row[kind])} ({' to '.join(map(_index, row[f'{kind}_interval']))})"
                            for kind in ("first", "total")))
            for row in answer["rows"][:SHOWN]
        ],
    ))


def _index(value: float) -> str:
    """A Sobol index; an estimate just below zero is none."""
    return f"{max(value, 0.0) if value > -0.005 else value:.2f}"


def _worth(answer: Mapping[str, Any]) -> None:
    say(f"{answer['choice']} is cheapest in {share(answer['confidence'])} of {answer['draws']:,} draws; to know every "
        f"input before choosing would be worth {usd(answer['perfect_usd'])}.")
    rows = [row for row in answer["rows"] if row["usd"] > 0][:SHOWN]
    if not rows:
        say(NOT_WORTH_MEASURING)
        return
    say("Measure first:", table(
        {"input": "left", "worth": "right", "give or take": "right", "from": "right", "to": "right"},
        [
            (row["path"], usd(row["usd"]), usd(row["error_usd"]), dial_value(row["low"], row["unit"]),
             dial_value(row["high"], row["unit"]))
            for row in rows
        ],
    ))


def _flips(answer: Mapping[str, Any]) -> None:
    nearest = answer["rows"][0] if answer["rows"] else None
    if nearest is not None and nearest["distance"] < TIE:
        say(f"A tie: {answer['choice']} and {nearest['to']} cost the same as things stand, so that any change decides.")
    if nearest is None:
        say(f"{answer['choice']} is the choice; no change of one dial within its span ends this.")
        return
    shown = answer["rows"][:SHOWN]
    say(f"{answer['choice']} is the choice; the smallest change of one dial that ends this, "
        f"{nearest_of(shown, answer['rows'])}:")
    say(table(
        {"dial": "left", "today": "right", "flips at": "right", "change": "right", "to": "left"},
        [
            (row["path"], dial_value(row["today"], row["unit"]), flips_at(row["at"], row["unit"], row["today"]),
             flip_change(row["change"]),
             row["to"] + (" (a jump)" if row["kind"] == "jump" else ""))
            for row in shown
        ],
    ))


def _usd(value: float | None) -> str:
    return NONE if value is None or value != value else usd(value)


def _ends(values: Any, unit: str) -> str:
    return f"{dial_value(float(values[0]), unit)} to {dial_value(float(values[-1]), unit)}"
