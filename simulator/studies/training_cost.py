"""What training on a data set costs at every provider that still sells it, by the provider's own rule of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from pricing.errors import NotInForce
from pricing.table import PriceTable, PriceVersion
from simulator.billing import job_usd
from simulator.domain.costs import DEFAULT_EPOCHS
from simulator.domain.usage import JobPrice

SUPERVISED = ("sft", "sft_full")
"""Methods that learn from examples of right answers, as a data set of this kind holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOffer:
    """One run at one price; `usd` is for `tokens` = data set x epochs, at least the provider's minimum fee.

    On a rented card `price` names its rent, and `gpu_hours` are paid; a provider does not tell them.
    """

    price: str
    method: str
    epochs: float
    tokens: float
    usd: float
    confidence: str
    note: str = ""
    gpu_hours: float | None = None


def training_offers(
    prices: Mapping[str, PriceTable], day: date, examples: int, tokens: Mapping[str | None, float]
) -> list[TrainingOffer]:
    """Every training price in force and open on a day, cheapest first.

    Args:
        prices: tables by id.
        day: the day the job is started.
        examples: records of the data set.
        tokens: tokens of the data set by encoding, with None for an encoding that was not counted.
    """
    found = []
    for name, table in prices.items():
        try:
            version = table.on(day)
        except NotInForce:
            continue
        if not _open(version, day):
            continue
        rule, counting = version.rules.training, version.rules.tokens
        counted = tokens.get(counting.encoding, tokens[None]) * counting.factor
        epochs = DEFAULT_EPOCHS if rule.epochs is None else rule.epochs.epochs(examples)
        notes = []
        if examples < rule.min_examples:
            notes.append(f"needs at least {rule.min_examples} examples")
        if version.lifecycle.no_new_customers_from is not None and version.lifecycle.no_new_customers_from <= day:
            notes.append(f"existing customers only, since {version.lifecycle.no_new_customers_from}")
        if version.lifecycle.no_new_jobs_from is not None:
            notes.append(f"no new jobs from {version.lifecycle.no_new_jobs_from}")
        for method, rate in version.training.items():
            if method not in SUPERVISED or rate.usd_per_mtok is None:
                continue
            usd = job_usd(version, JobPrice(price=name, method=method, per_job=np.array([counted * epochs / 1e6])))
            if usd is not None:
                found.append(TrainingOffer(
                    price=name, method=method, epochs=epochs, tokens=counted * epochs, usd=float(usd[0]),
                    confidence=version.source.confidence, note="; ".join(notes),
                ))
    return sorted(found, key=lambda offer: (offer.usd, offer.price))


def _open(version: PriceVersion, day: date) -> bool:
    """Whether a job can be started that day, by somebody."""
    life = version.lifecycle
    ended = [end for end in (life.no_new_jobs_from, life.retires_on) if end is not None and end <= day]
    begun = life.available_from is None or life.available_from <= day
    return bool(version.training) and not ended and begun
