"""Checks a paid bill against the price book: what a log's tokens cost at the rates in force, model by model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pricing.errors import NotInForce
from pricing.table import PriceTable
from simulator.billing import token_rate
from simulator.domain.usage import TokenMeter, TokenPrice

METERS: tuple[tuple[str, TokenMeter], ...] = (
    ("input", "input"), ("cached", "cached_input"), ("cache_write", "cache_write"), ("output", "output"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBill:
    """One model of a log: the price it was found at, what the book asks, what was paid; None where not known."""

    model: str
    price: str | None
    book_usd: float | None
    paid_usd: float | None
    note: str = ""


def checked_bill(
    models: Mapping[str, Mapping[str, float]], prices: Mapping[str, PriceTable], day: date, *, paid: bool
) -> list[ModelBill]:
    """What each model's tokens cost at the standard rates of a day; tiers and batch discounts are not in a log.

    Args:
        models: by the log's name, tokens by `input, cached, cache_write, output`, and `usd`.
        prices: tables by id.
        day: whose rates.
        paid: whether the log says what was paid.
    """
    found = []
    for model, sums in models.items():
        price = price_of(model, prices)
        usd, note = None, "no price of this name in the book"
        if price is not None:
            usd, note = _cost(prices[price], day, sums)
        asked = sums["usd"] if paid else None
        found.append(ModelBill(model=model, price=price, book_usd=usd, paid_usd=asked, note=note))
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


def _cost(table: PriceTable, day: date, sums: Mapping[str, float]) -> tuple[float | None, str]:
    try:
        version = table.on(day)
    except NotInForce as error:
        return None, str(error)
    total = 0.0
    for key, meter in METERS:
        ttl = version.rules.caching.ttl_s[0] if meter == "cache_write" else None
        rate = token_rate(version, TokenPrice(price="", meter=meter, ttl_s=ttl))
        if rate is None and sums[key] > 0:
            return None, f"{table.version_id(version)} has no {meter} rate"
        total += (rate or 0.0) * sums[key] / 1e6
    return total, table.version_id(version)
