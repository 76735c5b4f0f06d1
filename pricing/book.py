"""The price book: everything by id, as it stands on a day, as it was known on a day, and how old it is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pricing.errors import InputError
from pricing.nearest import nearest
from pricing.table import PriceTable, PriceVersion, in_force

STALE_DAYS = 90
"""Age above which a price counts as old: a judgement of ours (one quarter)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """Price tables by id.

    >>> PriceBook().digest
    'e3b0c44298fc'
    """

    prices: Mapping[str, PriceTable] = field(default_factory=dict)

    def table(self, price_id: str) -> PriceTable:
        """The table of an id.

        Raises:
            InputError: no such table; the nearest id is named.
        """
        if price_id not in self.prices:
            raise InputError(f'no price table "{price_id}"{nearest(price_id, self.prices)}')
        return self.prices[price_id]

    def on(self, day: date) -> dict[str, PriceVersion]:
        """Every version in force on `day`, by all we know now."""
        return self._standing(day, None)

    def sold_on(self, day: date) -> dict[str, PriceVersion]:
        """Every version in force on `day` whose model has not retired by then."""
        return {name: version for name, version in self.on(day).items()
                if version.lifecycle.retires_on is None or version.lifecycle.retires_on > day}

    def known_on(self, day: date) -> dict[str, PriceVersion]:
        """Every version in force on `day` that was recorded by then: what a decision of that day could see."""
        return self._standing(day, day)

    def stale(self, day: date, older_than: timedelta = timedelta(days=STALE_DAYS)) -> dict[str, int]:
        """Age in days of every price in force on `day` that was last seen longer ago than `older_than`."""
        ages = {name: (day - version.source.seen_on).days for name, version in self.on(day).items()}
        return {name: age for name, age in ages.items() if age > older_than.days}

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any figure, date or source of the book."""
        lines = (f"{name} {canonical(table)}\n" for name, table in sorted(self.prices.items()))
        whole = hashlib.sha256()
        for line in lines:
            whole.update(line.encode())
        return whole.hexdigest()[:12]

    def _standing(self, day: date, known_by: date | None) -> dict[str, PriceVersion]:
        found = {name: in_force(table.versions, day, known_by) for name, table in sorted(self.prices.items())}
        return {name: version for name, version in found.items() if version is not None}


def canonical(value: Any) -> str:
    """One text for one value, whatever the order of its keys: the basis of digests."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps(plain, sort_keys=True, default=_told, separators=(",", ":"))


def _told(value: Any) -> str:
    """What JSON has no word for; bytes are told by their digest, as they may be many."""
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
