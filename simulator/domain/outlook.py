"""What nobody knows of prices yet: they drift, and jump at random times, as they did in the tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pricing.changes import known_on
from pricing.hardware import Commitment, GpuTable
from pricing.table import ALWAYS, STRICT, PriceTable
from simulator.domain.advice import Drift
from simulator.domain.dials import Dial, check_dials

OUTPUT_SHARE = 0.25
"""Weight of output in the basket whose price is followed; the rest is input."""
SMALLEST = 1e-6
LARGEST_FACTOR = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOutlook:
    """Every price changes on its own, so often a year, each time by one of `factors`; between, it drifts.

    A change holds from the midnight after it. Rates by the token, hosting and storage move with it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    changes_per_year: Annotated[float, Dial("Unannounced price changes", "1/year", 0, 4, most=100)]
    factors: tuple[float, ...]
    drift_per_year: Annotated[float, Dial("Drift of prices", "share a year", -0.5, 0.5, least=-0.99, most=10)] = 0.0

    def __post_init__(self) -> None:
        check_dials(self)
        if not self.factors:
            raise ValueError("factors is empty; write what prices are multiplied by, as in [0.5, 0.8, 1.2]")
        for factor in self.factors:
            if not 0 < factor <= LARGEST_FACTOR:
                raise ValueError(f"factors holds {factor:g}; a price is multiplied by more than 0 and at most 100")

    @property
    def mean_factor(self) -> float:
        """What a change multiplies a price by on average."""
        return math.fsum(self.factors) / len(self.factors)


def drift(tables: Sequence[PriceTable], known_by: date) -> Drift:
    """How token prices moved up to a day: exposure in table-years, and the log of every change of a basket.

    Corrections (a later word on the same day) are no changes of price. Only what was known by then counts.

    Args:
        tables: token prices.
        known_by: the day until which history is read.
    """
    known = (known_on(table, known_by) for table in tables)
    return _moved("tokens", (_history(table, known_by) for table in known if table is not None), known_by)


def rent_drift(tables: Sequence[GpuTable], known_by: date, commitment: Commitment = "on_demand") -> Drift:
    """How rents of GPUs moved up to a day, for one commitment; a GPU that is owned has no rent.

    Corrections (a later word on the same day) are no changes of rent. Only what was known by then counts.

    Args:
        tables: prices of GPUs.
        known_by: the day until which history is read.
        commitment: how one is bound; each has a history of its own.
    """
    rents = (_rents(table, known_by, commitment) for table in tables)
    return _moved("gpu rents", rents, known_by, commitment)


def _moved(
    kind: Literal["tokens", "gpu rents"],
    histories: Iterable[list[tuple[date, float]]],
    known_by: date,
    commitment: str = "",
) -> Drift:
    """Exposure and changes of histories of (day, price), oldest first; a table without one is not counted."""
    years, changes, seen = 0.0, [], 0
    for prices in histories:
        if not prices:
            continue
        seen += 1
        years += (known_by - prices[0][0]).days / 365.0
        logs = [math.log(after / before) for (_, before), (_, after) in pairwise(prices)]
        changes += [change for change in logs if abs(change) > SMALLEST]
    return Drift(kind=kind, tables=seen, years=years, changes=tuple(changes), commitment=commitment)


def _rents(table: GpuTable, until: date, commitment: Commitment) -> list[tuple[date, float]]:
    """Day and rent from each effective day, the last word on that day, as it was known."""
    latest = {
        version.effective: version.usd_per_gpu_hour[commitment]
        for version in table.versions
        if version.effective <= until and version.recorded <= until and commitment in version.usd_per_gpu_hour
    }
    return [(day, rent) for day, rent in sorted(latest.items()) if day > ALWAYS]


def _history(table: PriceTable, until: date) -> list[tuple[date, float]]:
    """Day and price of a basket of input and output from each effective day, the last word on that day."""
    latest = {version.effective: version for version in table.versions if version.effective <= until}
    found = []
    for day, version in sorted(latest.items()):
        rates = version.usd_per_mtok
        if rates.input and rates.output and day > ALWAYS:
            found.append((day, (1.0 - OUTPUT_SHARE) * rates.input + OUTPUT_SHARE * rates.output))
    return found
