"""Plays every option many times over, under the same randomness, until the runs asked for or a precision is reached."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.findings import SimulationResult
from simulator.domain.played import Runs, mean_of
from simulator.domain.scenario import Scenario
from simulator.run import simulate_all
from simulator.studies.finance import cumulative, payback_day

Array = NDArray[np.float64]
BATCH = 100
"""Runs played at once; more only fill the memory."""
MOST = 10_000
"""Runs after which a precision is given up: the half-width falls only with their root."""

MOST_ASKED = 1_000_000
"""Runs that are asked for at once at most: a typing mistake beyond would run for days."""


def play(
    scenario: Scenario,
    runs: int | range | None = None,
    *,
    seed: int = 0,
    fidelity: str | None = None,
    precision: float | None = None,
    added: Runs | None = None,
    told: Callable[[int], None] | None = None,
) -> Runs:
    """Play every option of a scenario.

    Args:
        scenario: the question.
        runs: how many, or which (default: the scenario's, and none where some are added).
        seed: of every random stream.
        fidelity: `aggregate` or `call` (default: the scenario's).
        precision: play on, a batch at a time, until the half-width of the 95 % interval of the cost difference of the
            two best options is below this share of what the cheaper one costs; at most `MOST` runs.
        added: runs played before, here or elsewhere, that these join; a number of runs is counted on from the last.
        told: called with how many runs are there, each time some have been played.

    Raises:
        InputError: no run, a precision that is no share, or runs that do not join.
    """
    if precision is not None and not 0 < precision < 1:
        raise InputError(f"precision is {precision:g}; it must be a share above 0 and below 1, such as 1%")
    if added is not None:
        joins(added, scenario, seed, fidelity)
    found = added
    if added is None or runs is not None:
        wanted = scenario.simulation.runs if runs is None else runs
        numbers = range(wanted) if isinstance(wanted, int) else wanted
        if added is not None and isinstance(wanted, int):
            numbers = range(after(added), after(added) + wanted)
        found = _batches(scenario, _checked(numbers, wanted), seed, fidelity, added, told)
    assert found is not None
    while precision is not None and len(found.numbers) < MOST and not precise(found, precision):
        found = _batches(scenario, range(after(found), after(found) + BATCH), seed, fidelity, found, told)
    return found


def after(found: Runs) -> int:
    """The number of the run to play next."""
    return int(found.numbers[-1]) + 1


def joins(found: Runs, scenario: Scenario, seed: int, fidelity: str | None) -> None:
    """Make sure that runs are of this scenario, seed and fidelity.

    Raises:
        InputError: they are not.
    """
    wanted = played_with(scenario, seed, fidelity)
    if found.of != wanted:
        raise InputError(f"runs of {found.of} do not answer {wanted}; give the same file, --set, seed and fidelity")


def add_runs(
    parts: Sequence[tuple[str, Runs]], scenario: Scenario, seed: int = 0, fidelity: str | None = None
) -> Runs | None:
    """Runs from several places as one; None without any.

    Args:
        parts: where each comes from, and the runs.
        scenario, seed, fidelity: what they must have been played with.

    Raises:
        InputError: some are of another scenario, seed or fidelity, or a run is there twice; the place is named.
    """

    def joined(whole: Runs | None, part: tuple[str, Runs]) -> Runs:
        place, found = part
        try:
            joins(found, scenario, seed, fidelity)
            return found if whole is None else whole.merged(found)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None

    return functools.reduce(joined, parts, None)


def _checked(numbers: range, wanted: int | range) -> range:
    if not numbers or numbers.start < 0 or numbers.step < 1:
        raise InputError(f"runs is {wanted}; play at least one")
    if len(numbers) > MOST_ASKED:
        raise InputError(f"runs is {wanted}; play at most {MOST_ASKED:,} at a time")
    return numbers


def precise(found: Runs, precision: float) -> bool:
    """Whether the two best options are told apart to a share of what the cheaper one costs."""
    best = found.best_two()
    return not best or found.half_width_usd() <= precision * float(found.total_usd[best[0]].mean())


def _batches(
    scenario: Scenario, numbers: range, seed: int, fidelity: str | None, whole: Runs | None,
    told: Callable[[int], None] | None,
) -> Runs:  # fmt: skip
    twice = np.intersect1d(np.zeros(0) if whole is None else whole.numbers, np.asarray(numbers)).astype(int)
    if len(twice):                                              # told before hours are spent on them
        raise InputError(f"run {twice[0]} is in both sets of runs; a run counts once")
    for begin in range(0, len(numbers), BATCH):
        part = _batch(scenario, numbers[begin : begin + BATCH], seed, fidelity)
        whole = part if whole is None else whole.merged(part)
        if told is not None:
            told(len(whole.numbers))
    assert whole is not None
    return whole


def _batch(scenario: Scenario, numbers: range, seed: int, fidelity: str | None) -> Runs:
    results = simulate_all(scenario, seed=seed, runs=numbers, fidelity=fidelity)
    base = results[scenario.baseline]
    return Runs(
        of=played_with(scenario, seed, fidelity),
        numbers=np.asarray(numbers, dtype=np.int64),
        total_usd={name: result.total_usd for name, result in results.items()},
        by_line={name: result.ledger.by_line() for name, result in results.items()},
        payback_days={
            name: payback_days(result, base, _served_days(scenario, result, base))
            for name, result in results.items()
            if result is not base
        },
        mean={name: mean_of([result]) for name, result in results.items()},
    )


def played_with(scenario: Scenario, seed: int, fidelity: str | None) -> str:
    """What runs must have in common to join, as a person reads it."""
    return f"scenario {scenario.digest}, seed {seed}, fidelity {fidelity or scenario.simulation.fidelity}"


def _served_days(scenario: Scenario, *results: SimulationResult) -> int:
    """Days on which all of them serve."""
    ends = [result.serves_until or scenario.end for result in results]
    return min(scenario.day_index(end) for end in ends)


def payback_days(result: SimulationResult, base: SimulationResult, days: int) -> Array:
    """Days until an option has paid back what it costs more up front than the baseline, by run; else infinite.

    Args:
        result: the option.
        base: the baseline, over the same runs.
        days: days on which both serve; nothing is paid back after.
    """
    one_off, recurring = (
        result.ledger.spent_usd(one_off=kind)[:, :days] - base.ledger.spent_usd(one_off=kind)[:, :days]
        for kind in (True, False)
    )
    found = np.full(len(one_off), np.inf)
    for row in range(len(one_off)):
        day = payback_day(*cumulative(one_off[row], recurring[row]))
        if day.days is not None:
            found[row] = day.days
    return found
