"""Machines as plain values with stable keys: the hardware book, what a replica did, and a sized fleet."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

from pricing.errors import NotInForce
from pricing.hardware import GpuRate, HardwareBook
from pricing.load_serving import bound_replica
from pricing.serving import Replica
from simulator.domain.findings import ServingRun, Sizing
from simulator.files.results import finite


def serving_json(done: ServingRun) -> dict[str, Any]:
    """A run of calls under the keys that programs rely on."""
    latency = {name: dataclasses.asdict(getattr(done, name)) for name in ("ttft_s", "tpot_s", "e2e_s")}
    names = (
        "output_tokens_per_s", "requests_per_s", "utilisation", "mean_concurrency", "preemptions", "makespan_s",
        "saturation_per_s", "overload", "waiting_at_end", "busy_share", "refused", "calls", "replicas",
    )
    return finite({"latency": latency, **{name: getattr(done, name) for name in names}})  # type: ignore[no-any-return]


def sizing_json(found: Sizing) -> dict[str, Any]:
    """A sized fleet under the keys that programs rely on."""
    told = serving_json(found.run) if found.run is not None else {"latency": None, "utilisation": None}
    return finite(  # type: ignore[no-any-return]
        {
            "option": found.option,
            "replicas": found.replicas,
            "binds": found.binds,
            "rate_per_s": found.rate_per_s,
            "latency": told["latency"],
            "utilisation": told["utilisation"],
            "usd_per_month": found.usd_per_month,
        }
    )


def gpu_rows(book: HardwareBook, day: date) -> list[dict[str, Any]]:
    """Every GPU price in force on a day, a row for each commitment."""
    rows = []
    for name, prices in sorted(book.gpus.items()):
        for commitment in prices.commitments or ("on_demand",):
            try:
                rate = prices.on(day, commitment)
            except NotInForce:
                continue
            rows.append(
                {
                    "id": name,
                    "gpu": prices.gpu,
                    "commitment": "owned" if rate.owned else commitment,
                    "usd_per_gpu_hour": None if rate.owned else rate.usd_per_gpu_hour[commitment],
                    "effective": rate.effective,
                    "confidence": _confidence(rate),
                    "age_days": max((day - rate.source.seen_on).days, 0),
                }
            )
    return rows


def gpu_json(book: HardwareBook, id: str, day: date) -> dict[str, Any]:
    """One card, one price, or one serving profile by its id.

    Raises:
        InputError: none of the three; the nearest id is named.
        NotInForce: no price on that day.
    """
    if id.count("/") >= 2:
        return _replica_json(bound_replica(id))
    if "/" in id:
        prices = book.table(id)
        sold = [name for name in prices.commitments or ("on_demand",) if _sold(prices, name, day)]
        rates = {name: prices.on(day, name) for name in sold}
        if not rates:
            prices.on(day)
        latest = max(rates.values(), key=lambda rate: rate.effective)
        return {
            "id": id,
            "gpu": prices.gpu,
            "usd_per_gpu_hour": {name: rate.usd_per_gpu_hour[name] for name, rate in rates.items() if not rate.owned},
            "owned": dataclasses.asdict(latest.owned) if latest.owned else None,
            "terms": dataclasses.asdict(latest.terms),
            "effective": latest.effective,
            "recorded": latest.recorded,
            "confidence": _confidence(latest),
            "source": dataclasses.asdict(latest.source),
            "age_days": max((day - latest.source.seen_on).days, 0),
        }
    return {"id": id, **dataclasses.asdict(book.spec(id))}


def _sold(prices: Any, commitment: Any, day: date) -> bool:
    try:
        prices.on(day, commitment)
    except NotInForce:
        return False
    return True


def _replica_json(replica: Replica) -> dict[str, Any]:
    profile = dataclasses.asdict(replica.profile)
    return {
        "id": replica.id,
        "measured": replica.measured,
        "confidence": replica.profile.source.confidence,
        "kv_tokens": replica.kv_tokens,
        "memory": replica.arithmetic,
        "kv_bytes_per_token": replica.model.kv_bytes_per_token(),
        **{key: value for key, value in profile.items() if key not in ("source", "kv_tokens")},
        "ranges": {name: list(pair) for name, pair in replica.ranges.items()},
        "step_s": {key: value for key, value in dataclasses.asdict(replica.step_seconds()).items() if value},
        "source": profile["source"],
    }


def _confidence(rate: GpuRate) -> str:
    return "partly unverified" if rate.owned is not None and rate.owned.unverified else rate.source.confidence
