"""One result that stands for all draws: every line, count and token at its mean over the draws."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from simulator.domain.findings import SimulationResult
from simulator.domain.ledger import CostLedger, LedgerLine

Array = NDArray[np.float64]

PATH = "by_month and payback follow the days at the mean of every range, scaled to the mean over the draws"


def averaged(point: SimulationResult, drawn: SimulationResult, approximate: tuple[str, ...] = ()) -> SimulationResult:
    """The mean over draws, laid over the days of the result at the ranges' means.

    Totals by line are exact means. Within a line the days keep the pattern they have at the means; a line
    that is zero there is spread evenly.

    Args:
        point: the daily result with every range at its mean.
        drawn: the result over draws.
        approximate: what else is approximate.
    """
    days = len(point.ledger.edges) - 1
    shapes: dict[tuple[str, str, bool], Array] = {}
    for line in point.ledger.lines:
        key = (line.line, line.unit, line.one_off)
        shapes[key] = shapes.get(key, np.zeros(days)) + np.broadcast_to(line.usd, (1, days))[0]
    lines = []
    for line in drawn.ledger.lines:
        usd, quantity = float(line.total_usd.mean()), float(line.quantity.sum(axis=1).mean())
        shape = shapes.get((line.line, line.unit, line.one_off))
        even = np.full(days, 1.0 / days) if not line.one_off else np.eye(1, days)[0]
        part = even if shape is None or not shape.sum() else shape / shape.sum()
        lines.append(
            LedgerLine(
                line=line.line,
                unit=line.unit,
                price_version=line.price_version,
                one_off=line.one_off,
                quantity=(quantity * part)[None, :],
                usd=(usd * part)[None, :],
            )
        )

    def mean(values: Array) -> Array:
        return np.asarray([float(values.mean())])

    served = f"{100 * (1 - drawn.feasible_draws.mean()):.1f} % of the draws rule it out"
    return dataclasses.replace(
        point,
        ledger=CostLedger(option=point.option, edges=point.ledger.edges, lines=tuple(lines), draws=1),
        calls=mean(drawn.calls),
        delivered_calls=mean(drawn.delivered_calls),
        success_calls=mean(drawn.success_calls),
        eligible_calls=mean(drawn.eligible_calls),
        hit_calls=mean(drawn.hit_calls),
        peak_per_s=mean(drawn.peak_per_s),
        tokens={meter: mean(tokens) for meter, tokens in drawn.tokens.items()},
        flags=tuple(dict.fromkeys([*drawn.flags, *(() if drawn.feasible_draws.all() else (served,))])),
        approximate=(*point.approximate, PATH, *approximate),
    )
