"""Chances, spreads and the bridge of a comparison as plain values with stable keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from simulator.domain.advice import Bridge
from simulator.domain.uncertain import BreakEvenSpread, PaybackSpread, Uncertainty
from simulator.files.results import finite


def uncertainty_json(found: Uncertainty) -> dict[str, Any]:
    """Chances, intervals and regret by option."""
    options = {
        name: {
            "mean_usd": risk.mean_usd,
            "interval_usd": list(risk.interval_usd),
            "cheapest_share": risk.cheapest_share,
            "feasible_share": risk.feasible_share,
            "expected_regret_usd": risk.expected_regret_usd,
            "regret_usd": None if risk.regret_usd is None else list(risk.regret_usd),
            "max_regret_usd": risk.max_regret_usd,
            "regret_above": [{"usd": usd, "chance": chance} for usd, chance in risk.regret_chances],
        }
        for name, risk in found.options.items()
    }
    return finite(  # type: ignore[no-any-return]
        {
            "draws": found.draws,
            "seed": found.seed,
            "paths": list(found.paths),
            "choice": found.choice,
            "confidence": found.confidence,
            "saving_usd": None if found.saving_usd is None else list(found.saving_usd),
            "robust": found.robust,
            "perfect_usd": found.perfect_usd,
            "options": options,
            "notes": list(found.notes),
        }
    )


def spreads_json(levels: Iterable[BreakEvenSpread], paid: Iterable[PaybackSpread]) -> dict[str, Any]:
    """Break-even and payback over draws."""
    return finite(  # type: ignore[no-any-return]
        {
            "break_even": [
                {
                    **dataclasses.asdict(one),
                    "between": list(one.between),
                    "at": None if one.at is None else list(one.at),
                }
                for one in levels
            ],
            "payback": [
                {
                    "between": list(one.between),
                    "draws": one.draws,
                    "paid_share": one.paid_share,
                    "days": None if one.days is None else list(one.days),
                    "dates": None if one.dates is None else [day.isoformat() for day in one.dates],
                }
                for one in paid
            ],
        }
    )


def bridge_json(found: Bridge | None) -> list[dict[str, Any]]:
    """The parts of a saving, in order; they add up to it."""
    if found is None:
        return []
    head = {"from": found.between[0], "to": found.between[1], "from_days": found.days[0], "to_days": found.days[1]}
    return [finite({**head, "part": part.part, "usd": part.usd}) for part in found.parts]
