"""The priced points of a batch as columns: what a table shows, a filter thins and a chart draws."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.batch import OPTION_TOTAL

NO_CHOICE = "none"
"""Stands where no option of a scenario can be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPoints:
    """Columns of equal length: `scenario`, the axes, `choice`, `runner_up` and figures; a missing number is NaN."""

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["scenario"])

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns that hold numbers, at least two different ones."""
        return tuple(
            name for name, values in self.columns.items()
            if values.dtype == np.float64 and len(np.unique(values[np.isfinite(values)])) > 1
        )

    @property
    def options(self) -> tuple[str, ...]:
        """Options that have a price, in the order of their scenario; of several scenarios, one after another."""
        return tuple(name.removeprefix(OPTION_TOTAL) for name in self.columns if name.startswith(OPTION_TOTAL))

    def words(self, name: str) -> tuple[str, ...]:
        """The different words of a column, in the order in which they come."""
        return tuple(dict.fromkeys(self.columns[name].tolist()))

    def span(self, name: str) -> tuple[float, float]:
        """The least and the largest number of a column."""
        values = self.columns[name][np.isfinite(self.columns[name])]
        return float(values.min()), float(values.max())

    def where(
        self,
        words: Mapping[str, Collection[str]] | None = None,
        spans: Mapping[str, tuple[float, float]] | None = None,
    ) -> BatchPoints:
        """The points that pass every filter.

        Args:
            words: by column, the words that are wanted; none are wanted where the collection is empty.
            spans: by column, the least and the largest number that are wanted; NaN is in no span.

        >>> points = BatchPoints(columns={"scenario": np.array(["a", "b"]), "total_usd": np.array([1.0, np.nan])})
        >>> len(points.where({"scenario": ["a", "b"]})), len(points.where(spans={"total_usd": (0.0, 2.0)}))
        (2, 1)
        """
        kept = np.ones(len(self), dtype=bool)
        for name, wanted in (words or {}).items():
            kept &= np.isin(self.columns[name], list(wanted))
        for name, (low, high) in (spans or {}).items():
            kept &= (self.columns[name] >= low) & (self.columns[name] <= high)
        return BatchPoints(columns={name: values[kept] for name, values in self.columns.items()})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Points as rows of plain values."""
        for values in zip(*(column.tolist() for column in self.columns.values()), strict=True):
            yield dict(zip(self.columns, values, strict=True))
