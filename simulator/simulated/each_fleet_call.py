"""Lays drawn calls before a fleet: whole tokens, calls tried again, and calls that wait for another hour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.kernels import compiled

Array = NDArray[np.float64]


@compiled
def lay_calls(
    calls: Any, first: int, times: Array, inputs: Array, outputs: Array, chances: Array, tries: NDArray[np.int64],
    terms: Array,
) -> None:  # fmt: skip
    """Write the records of calls from `first` on, one for every attempt.

    Args:
        calls: records of CALL.
        first: the first to be written.
        times: seconds, ascending, (N,), as all up to `chances`.
        inputs: relative to their mean.
        outputs: the same.
        chances: by which lengths become whole tokens, as for a hosted option.
        tries: attempts of each call, (N,), or (0,) where every call is tried once.
        terms: tokens before the input, mean input, mean output, and what a typed speed counts (0: it is simulated,
            1: output, 2: both).
    """
    fixed, mean_in, mean_out, counted = terms[0], terms[1], terms[2], terms[3]
    place = first
    for i in range(times.size):
        finer = chances[i] * 1048576.0  # the lower digits of the same number, for the other length
        prompt = int(fixed + np.floor(mean_in * inputs[i] + chances[i]))
        output = int(np.floor(mean_out * outputs[i] + finer - np.floor(finer)))
        if counted > 0.0:
            prompt = output if counted < 2.0 else prompt + output
            output = 1
        for _ in range(tries[i] if tries.size else 1):
            call = calls[place]
            call.arrival_s = times[i]
            call.prompt, call.output = max(prompt, 1), max(output, 1)
            call.ttft_s = call.e2e_s = np.nan
            call.kept_until = call.emitted = 0
            call.behind = -1
            place += 1


def try_each(
    generator: np.random.Generator, count: int, failure_rate: float, retries: int
) -> tuple[NDArray[np.int64], int]:
    """Attempts of calls that fail and are tried again at once, (N,), and how many were delivered.

    >>> tries, delivered = try_each(np.random.default_rng(0), 2, 1.0, 3)
    >>> tries.tolist(), delivered
    ([4, 4], 0)
    """
    tries = np.ones(count, dtype=np.int64)
    going = np.arange(count)
    for attempt in range(retries + 1):
        going = going[generator.random(going.size) < failure_rate]
        if attempt < retries:
            tries[going] += 1
    return tries, count - going.size


def spread_over_day(
    generator: np.random.Generator, times: Array, share: float, midnight_s: float
) -> tuple[Array, NDArray[np.int64]]:
    """Let a share of a day's calls come at any time of their day, whenever they were asked for.

    Returns:
        The times in order, (N,), and which call each belongs to, (N,).

    >>> spread_over_day(np.random.default_rng(0), np.array([1.0, 2.0]), 0.0, 0.0)[0].tolist()
    [1.0, 2.0]
    """
    moved = generator.random(times.size) < share
    after = times.copy()
    after[moved] = midnight_s + 86_400.0 * np.sort(generator.random(int(np.count_nonzero(moved))))
    order = np.argsort(after, kind="stable")
    return after[order], order
