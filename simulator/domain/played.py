"""What many simulated runs add up to: figures by run, which merge in any order, and the mean run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.findings import SimulationResult
from simulator.domain.ledger import CostLedger, LedgerLine
from simulator.domain.usage import FleetUse

Array = NDArray[np.float64]
PERCENTILES = (5.0, 50.0, 95.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of every option under common random numbers, one entry a run.

    A run is known by its number, and its figures do not depend on which others were played; so two sets of runs
    merge by putting them in order, whenever and wherever they were played.

    Attributes:
        of: scenario, seed and fidelity they were played with; runs of others do not join.
        numbers: which runs, rising, (R,).
        total_usd: dollars over the horizon by option, (R,).
        by_line: dollars by option and line, (R,).
        payback_days: by option, days until it has paid back against the baseline; infinite where it never does.
        mean: the mean run of each option.
    """

    of: str
    numbers: NDArray[np.int64]
    total_usd: Mapping[str, Array]
    by_line: Mapping[str, Mapping[str, Array]]
    payback_days: Mapping[str, Array]
    mean: Mapping[str, SimulationResult]

    def merged(self, other: Runs) -> Runs:
        """Both sets of runs as one.

        Raises:
            InputError: a run is in both, or they are not of the same scenario, seed and fidelity.
        """
        if self.of != other.of:
            raise InputError(f"runs of {self.of} and of {other.of} do not join")
        twice = np.intersect1d(self.numbers, other.numbers)
        if len(twice):
            raise InputError(f"run {twice[0]} is in both sets of runs; a run counts once")
        if other.numbers[0] < self.numbers[0]:                  # the story that is told is that of the first run
            return other.merged(self)
        numbers = np.concatenate([self.numbers, other.numbers])
        order = np.argsort(numbers)
        weights = (len(self.numbers), len(other.numbers))

        def both(mine: Mapping[str, Array], theirs: Mapping[str, Array]) -> dict[str, Array]:
            none = [np.zeros(size) for size in weights]
            return {
                key: np.concatenate([mine.get(key, none[0]), theirs.get(key, none[1])])[order]
                for key in {**mine, **theirs}
            }

        return Runs(
            of=self.of,
            numbers=numbers[order],
            total_usd=both(self.total_usd, other.total_usd),
            by_line={name: both(lines, other.by_line[name]) for name, lines in self.by_line.items()},
            payback_days=both(self.payback_days, other.payback_days),
            mean={name: mean_of([result, other.mean[name]], weights) for name, result in self.mean.items()},
        )

    def interval_usd(self, name: str) -> tuple[float, float, float]:
        """5, 50 and 95 % of the cost of an option."""
        return _percentiles(self.total_usd[name])

    def line_interval_usd(self, name: str) -> dict[str, tuple[float, float, float]]:
        """The same for each line of its bill."""
        return {line: _percentiles(usd) for line, usd in self.by_line[name].items()}

    def payback_interval(self, name: str) -> tuple[float | None, float | None, float | None]:
        """5, 50 and 95 % of the payback day over all runs; None where it lies beyond the horizon."""
        found = np.percentile(self.payback_days[name], PERCENTILES, method="inverted_cdf").tolist()
        low, middle, high = (day if np.isfinite(day) else None for day in found)
        return low, middle, high

    def never_share(self, name: str) -> float:
        """Share of the runs in which an option never pays back."""
        return float(np.mean(~np.isfinite(self.payback_days[name])))

    def cheapest_share(self) -> dict[str, float]:
        """Share of the runs in which each option that can be chosen costs least; ties are shared."""
        names = [name for name, result in self.mean.items() if result.feasible]
        if not names:
            return {}
        costs = np.stack([self.total_usd[name] for name in names])
        least = costs == costs.min(axis=0)
        shares = (least / least.sum(axis=0)).mean(axis=1)
        return dict(zip(names, shares.tolist(), strict=True))

    def half_width_usd(self) -> float:
        """Half the width of the 95 % interval of the mean cost difference of the two best options; 0 with one.

        `1.96 sd / sqrt(R)` of the difference run by run, infinite for a single run.
        """
        best = self.best_two()
        if len(best) < 2:
            return 0.0
        if len(self.numbers) < 2:
            return float("inf")
        apart = self.total_usd[best[1]] - self.total_usd[best[0]]
        return float(1.96 * apart.std(ddof=1) / np.sqrt(len(apart)))

    def best_two(self) -> tuple[str, ...]:
        """The options that can be chosen with the least mean cost, at most two."""
        names = [name for name, result in self.mean.items() if result.feasible]
        return tuple(sorted(names, key=lambda name: float(self.total_usd[name].mean()))[:2])


def mean_of(results: list[SimulationResult], weights: tuple[int, ...] | None = None) -> SimulationResult:
    """One result whose every figure is the mean of the given ones, each weighted by its runs.

    Args:
        results: of one option, over the same days.
        weights: runs behind each (default: one for every entry of its arrays).
    """
    sizes = weights or tuple(result.ledger.draws for result in results)
    total = float(sum(sizes))

    def mean(values: list[Array]) -> Array:
        weighed = (value.mean(axis=0) * (size / total) for value, size in zip(values, sizes, strict=True))
        whole = sum(weighed, np.zeros(1))
        return np.asarray(whole).reshape(1, -1) if values[0].ndim == 2 else np.atleast_1d(whole)

    first = results[0]
    fleets = [result.fleet for result in results if result.fleet is not None]
    fleet = None
    if len(fleets) == len(results):
        names = [field.name for field in dataclasses.fields(FleetUse)]
        fleet = FleetUse(**{name: mean([getattr(use, name) for use in fleets]) for name in names})
    arrays = ("calls", "served_calls", "delivered_calls", "success_calls", "eligible_calls", "hit_calls", "peak_per_s")
    return dataclasses.replace(
        first,
        ledger=_mean_ledger([result.ledger for result in results], sizes),
        tokens={meter: mean([result.tokens[meter] for result in results]) for meter in first.tokens},
        fleet=fleet,
        ruled_out=None,
        flags=tuple(dict.fromkeys(flag for result in results for flag in result.flags)),
        runs=tuple(sorted(number for result in results for number in result.runs)),
        **{name: mean([getattr(result, name) for result in results]) for name in arrays},  # type: ignore[arg-type]
    )


def _mean_ledger(ledgers: list[CostLedger], sizes: tuple[int, ...]) -> CostLedger:
    total = float(sum(sizes))
    kept: dict[tuple[str, str, str, bool, int], LedgerLine] = {}
    for ledger, size in zip(ledgers, sizes, strict=True):
        seen: dict[tuple[str, str, str, bool], int] = {}
        for line in ledger.lines:
            name = (line.line, line.unit, line.price_version, line.one_off)
            seen[name] = seen.get(name, -1) + 1
            part = dataclasses.replace(
                line,
                quantity=line.quantity.mean(axis=0, keepdims=True) * (size / total),
                usd=line.usd.mean(axis=0, keepdims=True) * (size / total),
            )
            key = (*name, seen[name])
            before = kept.get(key)
            if before is not None:
                part = dataclasses.replace(part, quantity=before.quantity + part.quantity, usd=before.usd + part.usd)
            kept[key] = part
    return dataclasses.replace(ledgers[0], lines=tuple(kept.values()), draws=1)


def _percentiles(values: Array) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, PERCENTILES).tolist()
    return low, middle, high
