"""Adds up what the simulated engine counts, by the thing that prices it, run by run and day by day."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.domain.usage import Basis, Count, JobPrice, Typed

Array = NDArray[np.float64]


class Tally:
    """Counts of one option, each an array (rows, days).

    Args:
        option: the option that is billed.
        rows: runs.
        days: days of the horizon.
    """

    def __init__(self, option: str, rows: int, days: int) -> None:
        self.option, self.rows, self.days = option, rows, days
        self.counts: dict[Hashable, Count] = {}

    def add(
        self,
        day: int | slice,
        quantity: ArrayLike,
        line: str,
        unit: str,
        basis: Basis,
        option: str | None = None,
        one_off: bool = False,
    ) -> None:
        """Add a quantity to a day (or span of days) of every run.

        Args:
            day: column, or columns.
            quantity: a number or (rows,) for a day; (rows, n) for a span.
            line: key of the bill's line.
            unit: of the quantity.
            basis: what prices it.
            option: whose price factor applies (default: the option that is billed).
            one_off: whether it is paid once.
        """
        name = option or self.option
        key = (line, unit, name, one_off, _identity(basis))
        if key not in self.counts:
            empty = np.zeros((self.rows, self.days))
            self.counts[key] = Count(line=line, unit=unit, quantity=empty, basis=basis, option=name, one_off=one_off)
        self.counts[key].quantity[:, day] += np.asarray(quantity, dtype=float)


def joined(parts: Sequence[tuple[Tally, NDArray[np.int64]]]) -> tuple[Count, ...]:
    """The counts of several blocks as one, taking the named rows of each, in order."""
    keys = dict.fromkeys(key for tally, _ in parts for key in tally.counts)
    found = []
    for key in keys:
        model = next(tally.counts[key] for tally, _ in parts if key in tally.counts)
        quantity = np.concatenate(
            [
                tally.counts[key].quantity[rows] if key in tally.counts else np.zeros((len(rows), tally.days))
                for tally, rows in parts
            ]
        )
        bases = [(tally.counts.get(key, model).basis, rows, tally.rows) for tally, rows in parts]
        found.append(dataclasses.replace(model, quantity=quantity, basis=_joined_basis(bases)))
    return tuple(found)


def _identity(basis: Basis) -> Hashable:
    """What tells two bases apart; arrays of one option and dial are the same on every day."""
    if isinstance(basis, JobPrice):
        return ("job", basis.price, basis.method, basis.by_hour, tuple(np.ravel(basis.per_job).tolist()))
    if isinstance(basis, Typed):
        return ("typed", basis.path)
    return basis


def _joined_basis(parts: Sequence[tuple[Basis, NDArray[np.int64], int]]) -> Basis:
    first = parts[0][0]
    if isinstance(first, JobPrice):
        sizes = [_rows(basis.per_job, rows, of) for basis, rows, of in parts if isinstance(basis, JobPrice)]
        return dataclasses.replace(first, per_job=np.concatenate(sizes))
    if isinstance(first, Typed):
        units = [_rows(basis.usd_per_unit, rows, of) for basis, rows, of in parts if isinstance(basis, Typed)]
        return dataclasses.replace(first, usd_per_unit=np.concatenate(units))
    return first


def _rows(values: Array, rows: NDArray[np.int64], of: int) -> Array:
    picked: Array = np.broadcast_to(np.ravel(values), (of,))[rows]
    return picked
