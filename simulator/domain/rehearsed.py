"""A scenario played many times over with the cash of every day kept: what a fan of costs is drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from simulator.domain.played import Runs
from simulator.domain.workload import Slo

Array = NDArray[np.float64]
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of a fan: nine runs of ten lie between the outer two, half of them between the inner two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Runs of every option, and what each had cost by some of the days.

    Attributes:
        start: the first day.
        horizon_days: days that were played.
        baseline: the option of today.
        seed, fidelity: how they were played.
        runs: the figures by run, R of them.
        days: days from the start, rising, (P,).
        slo: the latency targets of the scenario.
        paid_usd: by option, dollars paid before each of those days and once on it, (R, P).
    """

    start: date
    horizon_days: int
    baseline: str
    seed: int
    fidelity: str
    runs: Runs
    days: NDArray[np.int64]
    paid_usd: Mapping[str, NDArray[np.float32]]
    slo: Slo = field(default_factory=Slo)

    def merged(self, other: Rehearsal) -> Rehearsal:
        """Both sets of runs as one.

        Raises:
            InputError: a run is in both.
        """
        runs = self.runs.merged(other.runs)
        order = np.argsort(np.concatenate([self.runs.numbers, other.runs.numbers]))
        paid = {name: np.concatenate([mine, other.paid_usd[name]])[order] for name, mine in self.paid_usd.items()}
        return dataclasses.replace(self, runs=runs, paid_usd=paid)

    @property
    def options(self) -> tuple[str, ...]:
        """Names in the order of the scenario."""
        return tuple(self.paid_usd)

    def served(self, name: str) -> NDArray[np.bool_]:
        """Which of the days lie before an option stops serving, the day itself included, (P,)."""
        until = self.runs.mean[name].serves_until
        last = self.horizon_days if until is None else (until - self.start).days
        return self.days <= last

    def fan(self, name: str) -> Array:
        """What an option has cost by each day it serves, at `LEVELS` of the runs, (5, P')."""
        found: Array = np.quantile(self.paid_usd[name][:, self.served(name)], LEVELS, axis=0)
        return found

    def earns_back(self, name: str) -> bool:
        """Whether an option pays more up front than the baseline, and so has something to pay back."""
        return self.runs.mean[name].pays_back_against(self.runs.mean[self.baseline])
