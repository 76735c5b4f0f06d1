"""Checks a paid bill against the price book: what a log's tokens cost at the rates in force, model by model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pricing.errors import NotInForce
from pricing.table import PriceTable, Service
from simulator.billing import token_rate
from simulator.domain.usage import TokenMeter, TokenPrice

HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBill:
    """A model at a service level: its price, what the book asks, what was paid; None where not known."""

    model: str
    price: str | None
    book_usd: float | None
    paid_usd: float | None
    note: str = ""
    service: Service = "standard"


def checked_bill(
    sold: Mapping[tuple[str, Service], Mapping[str, float]], prices: Mapping[str, PriceTable], day: date, *, paid: bool
) -> list[ModelBill]:
    """What the tokens of each model and service level cost at the rates of a day; length tiers are not in a log.

    Args:
        sold: by the log's name and level, tokens by `input, cached, cache_write, cache_write_1h` (the part of
            `cache_write` that is kept for an hour) and `output`, and `usd`; perhaps `rows` and `unpaid_rows`, those
            that do not say what was paid.
        prices: tables by id.
        day: whose rates.
        paid: whether the log says what was paid.
    """
    found = []
    for (model, service), sums in sold.items():
        price = price_of(model, prices)
        usd, note = None, "no price of this name in the book"
        if price is not None:
            usd, note = _cost(prices[price], day, sums, service)
        rows, unpaid = sums.get("rows", 0), sums.get("unpaid_rows", 0)
        asked = sums["usd"] if paid and not 0 < rows == unpaid else None
        if paid and unpaid:
            note = f"{note}; {unpaid:,.0f} of {rows:,.0f} rows have no cost"
        found.append(
            ModelBill(model=model, price=price, book_usd=usd, paid_usd=asked, note=note, service=service)
        )
    return found


def price_of(model: str, prices: Mapping[str, PriceTable]) -> str | None:
    """The id of a model as a log names it: `gpt-4o-mini-2024-07-18`, `openai/gpt-4o-mini`, `ft:gpt-4o-mini:me::x`.

    >>> price_of("gpt-4o-mini-2024-07-18", {"azure/gpt-4o-mini": None, "openai/gpt-4o-mini": None})
    'openai/gpt-4o-mini'
    """
    name = model.lower()
    if name.startswith("ft:"):
        name = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name.split(":")[1]) + "-ft"
    plain = re.sub(r"(-\d{4}-\d{2}-\d{2}|-\d{8}|@.*|:.*)$", "", name)
    first = ("openai", "anthropic", "google")
    for wanted in dict.fromkeys((name, plain)):
        if wanted in prices:
            return wanted
        ids = sorted(
            (one for one in prices if one.partition("/")[2] == wanted.rpartition("/")[2]),
            key=lambda one: (one.partition("/")[0] not in first, one),
        )
        if ids:
            return ids[0]
    return None


def _cost(
    table: PriceTable, day: date, sums: Mapping[str, float], service: Service
) -> tuple[float | None, str]:
    try:
        version = table.on(day)
    except NotInForce as error:
        return None, str(error)
    name, first_s = table.version_id(version), version.rules.caching.ttl_s[0]
    level = "" if service == "standard" else f"{service} "
    hour = sums.get("cache_write_1h", 0.0)
    parts: tuple[tuple[float, TokenMeter, int | None], ...] = (
        (sums["input"], "input", None),
        (sums["cached"], "cached_input", None),
        (sums["cache_write"] - hour, "cache_write", first_s),
        (hour, "cache_write", HOUR_S),
        (sums["output"], "output", None),
    )
    total = 0.0
    for tokens, meter, ttl_s in parts:
        rate = token_rate(version, TokenPrice(price="", meter=meter, service=service, ttl_s=ttl_s))
        if rate is None and meter == "cache_write" and not version.rules.caching.writes_billed:
            rate = token_rate(version, TokenPrice(price="", meter="input", service=service))
        if rate is None and tokens > 0:
            kept = f" for {ttl_s} s" if ttl_s is not None else ""
            return None, f"{name} has no {level}{meter} rate{kept}"
        total += (rate or 0.0) * tokens / 1e6
    return total, name + (f", {level}rates" if level else "")
