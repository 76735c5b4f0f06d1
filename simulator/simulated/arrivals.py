"""Let calls arrive at a fleet: at their own times, or one for each that leaves; and carry on from piece to piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.batching import finish, join, plan
from simulator.simulated.kernels import compiled_in_place
from simulator.simulated.replica import CALL_MASK, KIND_BITS, Calls, Limits, blocks_of, call_of, need_of_call
from simulator.simulated.steptime import StepTime

REFUSED = -1  # in place of tokens emitted


@compiled_in_place
def _least_loaded(fleet: Any) -> int:
    """Choose the replica with the fewest calls running or waiting; ties go to the lowest id."""
    best = 0
    for r in range(1, fleet.size):
        if fleet[r].load < fleet[best].load:
            best = r
    return best


@compiled_in_place
def too_long(calls: Calls, limits: Limits, window: int, i: int) -> bool:
    """Whether call i would outgrow an empty cache."""
    context = calls[i].prompt + calls[i].output
    if blocks_of(context - limits.prefix) <= limits.room_blocks:
        return False
    return need_of_call(limits, window, context) > limits.room_blocks


@compiled_in_place
def drive_arrivals(
    fleet: Any,
    heaps: NDArray[np.int64],
    phases: NDArray[np.int64],
    calls: Calls,
    step: StepTime,
    limits: Limits,
    start: int,
    drain: bool,
) -> int:
    """Let the calls from `start` on arrive at their times; return how many were refused.

    Without `drain` the clock stands still at the last arrival, and calls may be left under way.
    """
    refused = 0
    for i in range(start, calls.size + int(drain)):
        now = np.inf if i == calls.size else calls[i].arrival_s
        for r in range(fleet.size):
            rep = fleet[r]
            while rep.event_s < now:
                finish(rep, heaps[r], phases[r], calls, step, limits)
                plan(rep, heaps[r], phases[r], calls, step, limits)
        if i == calls.size:
            break
        if too_long(calls, limits, step.window, i):
            refused += 1
            calls[i].emitted = REFUSED
        else:
            join(fleet[_least_loaded(fleet)], calls, limits, i, now)
    return refused


@compiled_in_place
def drive_closed_loop(
    fleet: Any,
    heaps: NDArray[np.int64],
    phases: NDArray[np.int64],
    calls: Calls,
    step: StepTime,
    limits: Limits,
    concurrency: int,
) -> int:
    """Let a call arrive whenever one leaves; return how many were refused."""
    refused = 0
    coming = 0
    free = concurrency
    now = 0.0
    at_step_end = -1  # the replica to be planned once the calls it lets in have arrived
    while True:
        while free > 0 and coming < calls.size:
            calls[coming].arrival_s = now
            if too_long(calls, limits, step.window, coming):
                refused += 1
            else:
                join(fleet[_least_loaded(fleet)], calls, limits, coming, now)
                free -= 1
            coming += 1
        if at_step_end >= 0:
            plan(fleet[at_step_end], heaps[at_step_end], phases[at_step_end], calls, step, limits)
        at_step_end = 0
        for r in range(1, fleet.size):
            if fleet[r].event_s < fleet[at_step_end].event_s:
                at_step_end = r
        now = fleet[at_step_end].event_s
        if now == np.inf:
            return refused
        free += finish(fleet[at_step_end], heaps[at_step_end], phases[at_step_end], calls, step, limits)


@compiled_in_place
def renumber(fleet: Any, heaps: NDArray[np.int64], calls: Calls, number: NDArray[np.int64]) -> None:
    """Give the calls under way new numbers in the same order, `number[i]` for call i; their records are moved."""
    for r in range(fleet.size):
        rep = fleet[r]
        if rep.first_waiting >= 0:
            rep.first_waiting = number[rep.first_waiting]
            rep.last_waiting = number[rep.last_waiting]
        if rep.joining >= 0:
            rep.joining = number[rep.joining]
        if rep.partial >= 0:
            rep.partial = number[rep.partial]
        for place in range(rep.keys):
            key = heaps[r, place]
            heaps[r, place] = (key & ~(CALL_MASK << KIND_BITS)) | (number[call_of(key)] << KIND_BITS)
    for i in range(calls.size):
        if calls[i].behind >= 0:
            calls[i].behind = number[calls[i].behind]
