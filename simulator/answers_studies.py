"""Findings of the studies as plain values with stable keys: maps, sweeps, sensitivity, backtests, diagnoses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from simulator.answers_unsure import uncertainty_json
from simulator.domain.advice import Backtest, Diagnosed, Outlook, Question
from simulator.domain.uncertain import CostMap, Flips, Sobol, Tornado, Uncertainty, Worth
from simulator.files.results import finite


def map_json(found: CostMap) -> dict[str, Any]:
    """A cost map: axes, the cheapest option by row of `y`, its margin a month, and the break-even lines."""
    names = [*found.names, None]
    return finite(  # type: ignore[no-any-return]
        {
            "x": _axis(found.x, found.x_label, found.x_unit, found.x_scale, found.x_values.tolist(), found.today[0]),
            "y": _axis(found.y, found.y_label, found.y_unit, found.y_scale, found.y_values.tolist(), found.today[1]),
            "facet": None if found.facet is None else {"path": found.facet[0], "value": found.facet[1]},
            "cheapest": [[names[index] for index in row] for row in found.cheapest.tolist()],
            "margin_usd": found.margin_usd.tolist(),
            "usd_per_month": {name: found.usd[i].tolist() for i, name in enumerate(found.names)},
            "lines": [{"between": list(pair), "points": points.tolist()} for pair, points in found.lines.items()],
        }
    )


def tornado_json(found: Tornado) -> dict[str, Any]:
    """A tornado: one row a dial, the longest first; `at_low_usd` is the runner-up's cost less the choice's."""
    rows = [
        {
            "path": bar.path,
            "label": bar.label,
            "unit": bar.unit,
            "low": bar.low,
            "high": bar.high,
            "today": bar.today,
            "at_low_usd": bar.at_low,
            "at_high_usd": bar.at_high,
            "effect_usd": bar.effect_usd,
            "basis": bar.basis,
        }
        for bar in found.bars
    ]
    return finite(  # type: ignore[no-any-return]
        {
            "method": "tornado",
            "choice": found.choice,
            "runner_up": found.runner_up,
            "difference_usd": found.difference_usd,
            "rows": rows,
            "without_effect": list(found.without_effect),
            "ruled_out": list(found.ruled_out),
        }
    )


def sobol_json(found: Sobol) -> dict[str, Any]:
    """Sobol indices, the largest total first, with 95 % intervals."""
    rows = [
        {
            **dataclasses.asdict(row),
            "first_interval": list(row.first_interval),
            "total_interval": list(row.total_interval),
        }
        for row in found.rows
    ]
    head = {"method": "sobol", "choice": found.choice, "runner_up": found.runner_up, "samples": found.samples}
    return finite({**head, "rows": rows, "notes": list(found.notes)})  # type: ignore[no-any-return]


def voi_json(found: Uncertainty, worth: Iterable[Worth], notes: Iterable[str] = ()) -> dict[str, Any]:
    """What to measure first: value of knowing everything, and each input alone with its standard error."""
    return finite(  # type: ignore[no-any-return]
        {
            "method": "voi",
            "choice": found.choice,
            "confidence": found.confidence,
            "draws": found.draws,
            "perfect_usd": found.perfect_usd,
            "rows": [dataclasses.asdict(one) for one in worth],
            "uncertainty": uncertainty_json(found),
            "notes": [*notes, *found.notes],
        }
    )


def flips_json(found: Flips) -> dict[str, Any]:
    """The nearest change of every dial that changes the choice."""
    return finite(  # type: ignore[no-any-return]
        {
            "method": "flips",
            "choice": found.choice,
            "rows": [dataclasses.asdict(flip) for flip in found.rows],
            "steady": list(found.steady),
            "without_effect": list(found.idle),
        }
    )


def backtest_json(found: Backtest) -> dict[str, Any]:
    """A decision and what followed; version ids by option under `versions`."""
    return finite(  # type: ignore[no-any-return]
        {
            "decided_on": found.decided_on.isoformat(),
            "until": found.until.isoformat(),
            "choice": found.choice,
            "best": found.best,
            "planned_usd": {name: paid.planned_usd for name, paid in found.options.items()},
            "paid_usd": {name: paid.paid_usd for name, paid in found.options.items()},
            "serves_until": {
                name: None if paid.serves_until is None else paid.serves_until.isoformat()
                for name, paid in found.options.items()
            },
            "why_not": {name: paid.why_not for name, paid in found.options.items()},
            "regret_usd": found.regret_usd,
            "versions": {name: list(paid.versions) for name, paid in found.options.items()},
            "planned_at": {name: list(paid.planned_at) for name, paid in found.options.items()},
            "changes": list(found.changes),
            "sentence": found.sentence,
        }
    )


def diagnosis_json(found: Diagnosed) -> dict[str, Any]:
    """The four questions, the signs of the ceiling, what is missing, and both halves of the advice."""

    def rows(questions: Iterable[Question]) -> list[dict[str, Any]]:
        return [dataclasses.asdict(one) for one in questions]

    return finite(  # type: ignore[no-any-return]
        {
            "justified": found.justified,
            "answers": rows(found.answers),
            "signs": rows(found.signs),
            "missing": list(found.missing),
            "not_yet": found.not_yet,
            "worth": found.worth,
            "advice": found.advice,
            "worth_usd_per_month": found.worth_usd_per_month,
            "break_even_calls_per_month": found.break_even_calls_per_month,
        }
    )


def outlook_json(found: Outlook) -> dict[str, Any]:
    """Commit now or wait, over price paths."""
    return finite(  # type: ignore[no-any-return]
        {
            "draws": found.draws,
            "seed": found.seed,
            "drift": [
                {"kind": one.kind, "commitment": one.commitment or None, "tables": one.tables, "years": one.years,
                 "per_year": one.per_year, "log_changes": list(one.changes)}
                for one in found.drift
            ],
            "expected_usd": dict(found.expected_usd),
            "committed": {name: list(ends) for name, ends in found.committed.items()},
            "waits": [{**dataclasses.asdict(one), "interval_usd": list(one.interval_usd)} for one in found.waits],
            "best": found.best,
            "sentence": found.sentence,
            "notes": list(found.notes),
        }
    )


def _axis(path: str, label: str, unit: str, scale: str, values: list[float], today: float) -> dict[str, Any]:
    return {"path": path, "label": label, "unit": unit, "scale": scale, "values": values, "today": today}
