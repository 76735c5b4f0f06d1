"""Findings as plain values with stable keys: what `--json`, `result.json` and the ledger files hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from simulator.answers_unsure import bridge_json, spreads_json, uncertainty_json
from simulator.domain.findings import BreakEven, Comparison, OptionSummary
from simulator.domain.uncertain import OptionRisk, Reign
from simulator.files.results import finite

SCHEMA_VERSION = 1
MOST_OVERLOAD = 0.01
"""Share of calls in overloaded hours above which a mean latency says nothing, and none is told."""


def comparison_json(comparison: Comparison, reigns: Sequence[Reign] = ()) -> dict[str, Any]:
    """A comparison under the keys that programs rely on; no NaN or infinity, null instead.

    Args:
        comparison: every option side by side.
        reigns: which option is the cheapest of all over each stretch of the calls a day, where that was asked for.
    """
    verdict = comparison.verdict
    found = {
        "schema_version": SCHEMA_VERSION,
        "currency": "USD",
        "scenario": {
            "name": comparison.scenario_name,
            "question": comparison.question,
            "digest": comparison.digest,
        },
        "baseline": comparison.baseline,
        "engine": comparison.engine,
        "fidelity": comparison.fidelity,
        "runs": 1 if comparison.played is None else len(comparison.played.numbers),
        "seed": comparison.seed,
        "start": comparison.start.isoformat(),
        "horizon_days": comparison.horizon_days,
        "options": {
            name: _option(option, _risk(comparison, name)) | (_spread(comparison, name) if comparison.played else {})
            for name, option in comparison.options.items()
        },
        "break_even": _with_payback(comparison, break_even_json(comparison.break_even)),
        "dominance": dominance_json(reigns),
        "verdict": {
            "choice": verdict.choice,
            "runner_up": verdict.runner_up,
            "saving_usd": verdict.saving_usd,
            "saving_vs_baseline_usd": verdict.saving_vs_baseline_usd,
            "confidence": _cheapest(comparison).get(verdict.choice) if comparison.played else verdict.confidence,
            "too_close": verdict.too_close,
            "money": verdict.money,
            "with_quality": verdict.with_quality,
            "quality_gap_to_flip": verdict.quality_gap_to_flip,
            "max_saving_usd_per_month": verdict.max_saving_usd_per_month,
            "because": list(verdict.because),
            "caveats": list(verdict.caveats),
            "flips": list(verdict.flips),
            "control": verdict.control,
            "diagnosis": verdict.diagnosis,
        },
        "bridge": bridge_json(comparison.bridge),
        "control": None if comparison.control is None else dataclasses.asdict(comparison.control),
        "alternatives": [dataclasses.asdict(one) for one in comparison.alternatives],
        "uncertainty": None if comparison.uncertainty is None else uncertainty_json(comparison.uncertainty),
        "measure_first": [dataclasses.asdict(one) for one in comparison.worth],
        "spreads": spreads_json(comparison.break_even_spreads, comparison.payback_spreads),
        "assumptions": [
            {"path": item.path, "value": item.value, "source": item.source, "set_by_user": item.set_by_user}
            for item in comparison.assumptions
        ],
        "prices_used": [
            {
                "id": price.price,
                "version": price.id,
                "effective": price.effective.isoformat(),
                "recorded": price.recorded.isoformat(),
                "confidence": price.confidence,
            }
            for price in comparison.prices_used
        ],
        "provenance": {
            "version": comparison.version,
            "prices_digest": comparison.prices_digest,
            "stale": list(comparison.stale),
        },
    }
    return finite(found)  # type: ignore[no-any-return]


def break_even_json(found: Sequence[BreakEven]) -> list[dict[str, Any]]:
    """Break-evens under the keys that programs rely on."""
    return [
        finite(
            {
                "between": list(one.between),
                "along": one.along,
                "unit": one.unit,
                "answer": one.answer,
                "cheaper": one.cheaper,
                "crossings": [
                    {
                        "at": crossing.at,
                        "kind": crossing.kind,
                        "basis": crossing.basis,
                        "below": crossing.below,
                        "above": crossing.above,
                        "flags": list(crossing.flags),
                    }
                    for crossing in one.crossings
                ],
                "reason": one.reason,
                "payback": {
                    "days": one.payback.days,
                    "date": one.payback.date.isoformat() if one.payback.date else None,
                    "reason": one.payback.reason,
                    "flags": list(one.payback.flags),
                    "discounted_days": one.payback.discounted_days,
                    "discounted_date": (
                        one.payback.discounted_date.isoformat() if one.payback.discounted_date else None
                    ),
                },
            }
        )
        for one in found
    ]


def dominance_json(reigns: Sequence[Reign]) -> list[dict[str, Any]]:
    """Stretches of a dial, from its low to its high end, and which of all options is the cheapest over each.

    `begins` tells how a stretch begins: at a root, at a jump, or at the low end (null).
    """
    return [dataclasses.asdict(one) for one in reigns]


def ledger_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Every ledger line of every option as a row: quantity x unit x price = USD, with the price version."""
    return [{"option": name, **line} for name, option in comparison.options.items() for line in _lines(option)]


def _risk(comparison: Comparison, name: str) -> OptionRisk | None:
    return None if comparison.uncertainty is None else comparison.uncertainty.options[name]


def _option(option: OptionSummary, risk: OptionRisk | None = None) -> dict[str, Any]:
    result = option.result
    return {
        "kind": result.kind,
        "feasible": result.feasible,
        "why_not": result.why_not,
        "serves_until": result.serves_until.isoformat() if result.serves_until else None,
        "calls": float(result.calls[0]),
        "peak_per_s": float(result.peak_per_s[0]),
        "total_usd": option.total_usd,
        "total_until": option.total_until,
        "npv_usd": option.npv_usd,
        "monthly_usd": option.monthly_usd,
        "fixed_usd_per_month": option.fixed_usd_per_month,
        "unit_usd": option.unit_usd,
        "per_call_usd": option.per_call_usd,
        "per_success_usd": option.per_success_usd,
        "one_off_usd": option.one_off_usd,
        "recurring_usd": option.recurring_usd,
        "by_month": list(option.by_month),
        "by_line": {line: float(usd[0]) for line, usd in result.ledger.by_line().items()},
        "lines": _lines(option),
        "tokens": {meter: float(tokens[0]) for meter, tokens in result.tokens.items() if tokens[0] > 0},
        "cache_hit_rate": float(result.cache_hit_rate[0]),
        **_service(option),
        "interval_usd": None if risk is None else list(risk.interval_usd),
        "cheapest_share": None if risk is None else risk.cheapest_share,
        "approximate": list(result.approximate),
        "flags": list(result.flags),
    }


def _cheapest(comparison: Comparison) -> dict[str, float]:
    return {} if comparison.played is None else comparison.played.cheapest_share()


def _spread(comparison: Comparison, name: str) -> dict[str, Any]:
    """What the runs of a simulation say of an option."""
    played = comparison.played
    if played is None:
        return {}
    story = comparison.options[name].result.timeline
    return {
        "interval_usd": list(played.interval_usd(name)),
        "cheapest_share": _cheapest(comparison).get(name),
        "line_interval_usd": {line: list(found) for line, found in played.line_interval_usd(name).items()},
        "timeline": [{"day": moment.day, "text": moment.text} for moment in story],
    }


def _with_payback(comparison: Comparison, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The distribution of the payback day beside its value in the mean run."""
    played = comparison.played
    for one in found if played else ():
        name = one["between"][1]
        if played is not None and name in played.payback_days:
            earns = comparison.earns_back(name)
            one["payback"]["interval_days"] = list(played.payback_interval(name)) if earns else None
            one["payback"]["never_share"] = played.never_share(name) if earns else None
    return found


def _service(option: OptionSummary) -> dict[str, Any]:
    """What a fleet did, and how long calls took; null for hosted options, whose latency is unknown."""
    use = option.result.fleet
    if use is None:
        names = ("utilisation", "busy_share", "overload_share", "replica_hours", "latency", "meets_slo")
        return dict.fromkeys(names)
    told = float(use.overload_share[0]) <= MOST_OVERLOAD

    def times(name: str) -> dict[str, float | None]:
        values = {"mean": getattr(use, f"{name}_s")}
        values |= {share: getattr(use, f"{name}_{share}_s") for share in ("p50", "p95", "p99")}
        return {key: float(value[0]) if math.isfinite(float(value[0])) else None for key, value in values.items()}

    latency = {f"{name}_s": times(name) for name in ("ttft", "tpot", "e2e")}
    return {
        "utilisation": float(use.utilisation[0]),
        "busy_share": float(use.busy_share[0]),
        "overload_share": float(use.overload_share[0]),
        "replica_hours": float(use.paid_hours[0]),
        "latency": latency if told and math.isfinite(float(use.e2e_s[0])) else None,
        "meets_slo": option.meets_slo,
    }


def _lines(option: OptionSummary) -> list[dict[str, Any]]:
    rows = []
    for line in option.result.ledger.lines:
        quantity, usd = float(line.quantity[0].sum()), float(line.total_usd[0])
        if quantity or usd:
            rows.append(
                {
                    "line": line.line,
                    "quantity": quantity,
                    "unit": line.unit,
                    "usd_per_unit": usd / quantity if quantity else 0.0,
                    "usd": usd,
                    "price_version": line.price_version,
                    "one_off": line.one_off,
                }
            )
    return rows
