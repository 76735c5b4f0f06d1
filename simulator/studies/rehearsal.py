"""Plays a few runs of every option and keeps the cash of each day: a task that a worker is given, one of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.findings import SimulationResult
from simulator.domain.played import Runs, mean_of
from simulator.domain.rehearsed import Rehearsal
from simulator.domain.scenario import Scenario
from simulator.run import FIDELITIES, simulate_all
from simulator.studies.runs import payback_days, played_with
from simulator.studies.sizing import kept_promises

POINTS = 121
"""Days of which the cash is kept: of a year every third, which no picture tells from every day."""
TASKS = 20
"""Tasks a rehearsal is cut into, where it has enough runs: each is a step of the progress that is shown."""
LEAST_RUNS = {"aggregate": 50, "call": 1}
"""Runs of a task: aggregate ones share the work of laying out the days, 50 take as long as one; calls share none."""
WITH_MACHINES = 5
"""The same where replicas serve: each run is then served anew, and a reader wants to see it move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some runs of a scenario, with all that playing them needs: a worker opens no file."""

    scenario: Scenario
    numbers: range
    seed: int
    fidelity: str


def rehearsal_parts(scenario: Scenario, runs: int, seed: int = 0, fidelity: str | None = None) -> list[Part]:
    """The tasks that make a rehearsal.

    Args:
        scenario: the question.
        runs: how many.
        seed: of every random stream.
        fidelity: `aggregate` or `call` (default: the scenario's).

    Raises:
        InputError: no run, or no such fidelity.
    """
    if runs < 1:
        raise InputError(f"runs is {runs}; play at least one")
    fidelity = fidelity or scenario.simulation.fidelity
    if fidelity not in FIDELITIES:
        raise InputError(f'fidelity is "{fidelity}"; it must be {" or ".join(FIDELITIES)}')
    served = any(option.kind in ("self_hosted", "hybrid") for option in scenario.options.values())
    least = min(LEAST_RUNS[fidelity], WITH_MACHINES) if served else LEAST_RUNS[fidelity]
    size = max(least, -(-runs // TASKS))
    spans = (range(begin, min(begin + size, runs)) for begin in range(0, runs, size))
    return [Part(scenario=scenario, numbers=numbers, seed=seed, fidelity=fidelity) for numbers in spans]


def rehearse(part: Part) -> Rehearsal:
    """Play a part; the runs are those that `studies.runs.play` plays under the same numbers.

    Raises:
        TunepointError: with one sentence.
    """
    scenario, numbers = part.scenario, part.numbers
    results = simulate_all(scenario, seed=part.seed, runs=numbers, fidelity=part.fidelity)
    base, horizon = results[scenario.baseline], int(scenario.horizon_days)
    days = np.unique(np.rint(np.linspace(0, horizon, min(POINTS, horizon + 1))).astype(np.int64))

    def served(result: SimulationResult) -> int:
        return min(scenario.day_index(one.serves_until or scenario.end) for one in (result, base))

    return Rehearsal(
        start=scenario.start,
        horizon_days=horizon,
        baseline=scenario.baseline,
        seed=part.seed,
        fidelity=part.fidelity,
        runs=Runs(
            of=played_with(scenario, part.seed, part.fidelity),
            numbers=np.asarray(numbers, dtype=np.int64),
            total_usd={name: result.total_usd for name, result in results.items()},
            by_line={name: result.ledger.by_line() for name, result in results.items()},
            payback_days={
                name: payback_days(result, base, served(result)) for name, result in results.items()
                if result is not base
            },
            mean={name: kept_promises(scenario, mean_of([result])) for name, result in results.items()},
        ),
        days=days,
        paid_usd={name: _paid(result, days) for name, result in results.items()},
        slo=scenario.workload.slo,
    )


def _paid(result: SimulationResult, days: NDArray[np.int64]) -> NDArray[np.float32]:
    """Dollars by the beginning of each day, one-offs of the day included: they fall at its beginning."""
    one_off, recurring = (result.ledger.usd(one_off=kind) for kind in (True, False))
    none = np.zeros((one_off.shape[0], 1))
    once = np.concatenate([np.cumsum(one_off, axis=1), none], axis=1)
    once[:, -1] = once[:, -2]
    flow = np.concatenate([none, np.cumsum(recurring, axis=1)], axis=1)
    paid: NDArray[np.float32] = (once + flow)[:, days].astype(np.float32)
    return paid
