"""What a replica does next: at every step end calls leave, join, are preempted, and the next steps are planned.

Between events the batch is constant, so `x` whole decode steps take `first x + slope x (x - 1) / 2` seconds, where
`first` is the next step's time and `slope` what one more context token per sequence adds. An arrival only shortens
the steps under way, to the first step end at or after it; no token is ever visited.
"""

from __future__ import annotations

import numpy as np

from simulator.simulated.kernels import compiled
from simulator.simulated.replica import (
    BLOCK, CLOCK_SHIFT, COMMITTED, DECODING, DONE, IDLE, READ_FULL, REBASE_AT, Calls, Fleet, Limits,
    blocks_of, call_of, held_blocks, kind_of, need_of_call, sink, start_decoding, stop_decoding, surely_fits,
)
from simulator.simulated.steptime import StepTime, attention_s, matmul_s


@compiled
def _to_the_front(fleet: Fleet, r: int, calls: Calls, i: int) -> None:
    """Let a preempted call wait before all others."""
    rep = fleet.replica[r]
    calls.behind[i] = rep.first_waiting
    if rep.first_waiting < 0:
        rep.last_waiting = i
    rep.first_waiting = i
    rep.preemptions += 1


@compiled
def _preempt(fleet: Fleet, r: int, calls: Calls, limits: Limits, window: int) -> None:
    """Send the last admitted call back to the queue, to be prefilled again with what it has emitted.

    Calls are admitted in order of arrival, so the last admitted is the one with the largest number; one whose
    prefill is under way came after all that decode.
    """
    rep = fleet.replica[r]
    if rep.partial >= 0:
        i = rep.partial
        rep.partial = -1
        rep.prefilling -= 1
        context = calls.prompt[i] + calls.emitted[i] + 1
        own = context - limits.prefix
        rep.reserved -= blocks_of(own)
        rep.reserved_window -= blocks_of(min(own, window))
        _to_the_front(fleet, r, calls, i)
        return
    heap = fleet.heap[r]
    last = -1
    ends = 0
    for place in range(rep.heap):
        i = call_of(heap[place])
        if i > last:
            last = i
    kept = 0
    for place in range(rep.heap):
        key = heap[place]
        if call_of(key) != last:
            heap[kept] = key
            kept += 1
        elif kind_of(key) == DONE:
            ends = key >> CLOCK_SHIFT
    rep.heap = kept
    for place in range(kept // 2 - 1, -1, -1):
        sink(heap, kept, place, heap[place])
    calls.emitted[last] = calls.output[last] - (ends - rep.virtual)
    stop_decoding(fleet, r, limits, window, calls.prompt[last] + calls.emitted[last])
    _to_the_front(fleet, r, calls, last)


@compiled
def _admit(fleet: Fleet, r: int, calls: Calls, limits: Limits, window: int) -> int:
    """Take the first waiting call into prefill and say which it is, or -1 where sequences or KV do not allow it."""
    rep = fleet.replica[r]
    i = rep.first_waiting
    if i < 0 or rep.decoding + rep.prefilling >= limits.max_num_seqs:
        return -1
    own = calls.prompt[i] + calls.emitted[i] + 1 - limits.prefix
    if not surely_fits(fleet, r, limits, 0, own):
        need = need_of_call(limits, window, own + limits.prefix)
        if held_blocks(fleet, r, limits, window, 0) + need > limits.room_blocks:
            return -1
    rep.first_waiting = calls.behind[i]
    if rep.first_waiting < 0:
        rep.last_waiting = -1
    rep.reserved += blocks_of(own)
    rep.reserved_window += blocks_of(min(own, window))
    rep.prefilling += 1
    return i


@compiled
def _cached(fleet: Fleet, r: int, limits: Limits, context: int) -> int:
    """Tokens of a new call that stand in the prefix cache; at least one is computed anew."""
    rep = fleet.replica[r]
    if rep.warm == 0:
        rep.warm = 1
        return 0
    return min(limits.prefix, context - 1)


@compiled
def plan(fleet: Fleet, r: int, calls: Calls, step: StepTime, limits: Limits) -> None:
    """At a step's end, decide what replica r does next and when that is over."""
    rep = fleet.replica[r]
    window = step.window
    if rep.decoding > 0 and not surely_fits(fleet, r, limits, 0, 0):
        while held_blocks(fleet, r, limits, window, 0) > limits.room_blocks:
            _preempt(fleet, r, calls, limits, window)
    sequences = 0
    tokens = 0
    seconds = 0.0
    if rep.partial >= 0 or rep.first_waiting >= 0:
        budget = limits.max_num_batched_tokens - rep.decoding
        i = rep.partial
        done = rep.partial_done
        while budget > 0:
            if i < 0:
                i = _admit(fleet, r, calls, limits, window)
                if i < 0:
                    break
                done = _cached(fleet, r, limits, calls.prompt[i] + calls.emitted[i])
            left = calls.prompt[i] + calls.emitted[i] - done
            chunk = min(left, budget) if limits.chunked else left
            seconds += attention_s(step, done, chunk)
            sequences += 1
            tokens += chunk
            budget -= chunk
            if chunk < left:
                rep.partial = i
                rep.partial_done = done + chunk
                break
            rep.partial = -1
            fleet.joiners[r, rep.joining] = i
            rep.joining += 1
            i = -1
            if not limits.chunked:
                break
    decode_s = step.read_s * rep.read + step.read_window_s * rep.read_window
    if sequences > 0:
        rep.phase = COMMITTED
        rep.prefilled += tokens
        if limits.chunked:
            tokens += rep.decoding
            sequences += rep.decoding
            seconds += decode_s
            rep.steps = 1
        else:
            rep.steps = 0
        seconds += step.overhead_s + matmul_s(step, tokens) + step.per_sequence_s * sequences
        fleet.event_s[r] = rep.clock_s + seconds
    elif rep.decoding > 0:
        rep.phase = DECODING
        steps = (fleet.heap[r, 0] >> CLOCK_SHIFT) - rep.virtual
        if not surely_fits(fleet, r, limits, steps - 1, 0):
            steps = _steps_until_full(fleet, r, limits, window, steps)
        rep.steps = steps
        rep.first_s = fleet.base_s[rep.decoding] + decode_s
        rep.slope_s = step.read_s * rep.decoding + step.read_window_s * rep.read_growing
        fleet.event_s[r] = rep.clock_s + rep.first_s * steps + rep.slope_s * (0.5 * steps * (steps - 1))
    else:
        rep.phase = IDLE
        rep.steps = 0
        fleet.event_s[r] = np.inf


@compiled
def _steps_until_full(fleet: Fleet, r: int, limits: Limits, window: int, steps: int) -> int:
    """Decode steps before the KV need exceeds the room, at most `steps`: the need never falls, so bisect."""
    if held_blocks(fleet, r, limits, window, steps - 1) <= limits.room_blocks:
        return steps
    fits, full = 0, steps - 1
    while full - fits > 1:
        middle = (fits + full) // 2
        if held_blocks(fleet, r, limits, window, middle) <= limits.room_blocks:
            fits = middle
        else:
            full = middle
    return full


@compiled
def finish(fleet: Fleet, r: int, calls: Calls, step: StepTime, limits: Limits) -> int:
    """Bring replica r to its next event, let calls leave and join, and say how many left."""
    rep = fleet.replica[r]
    window = step.window
    now = fleet.event_s[r]
    if rep.phase != IDLE:
        rep.busy_s += now - rep.clock_s
        rep.sequence_s += rep.decoding * (now - rep.clock_s)
        steps = rep.steps
        rep.virtual += steps
        rep.read += steps * rep.decoding
        rep.read_window += steps * rep.read_growing
        rep.own_window += steps * rep.hold_growing
        if rep.decoding > rep.most_decoding:
            rep.most_decoding = rep.decoding
    rep.clock_s = now
    rep.phase = IDLE
    left = 0
    heap = fleet.heap[r]
    while rep.heap > 0 and (heap[0] >> CLOCK_SHIFT) == rep.virtual:
        key = heap[0]
        rep.heap -= 1
        if rep.heap > 0:
            sink(heap, rep.heap, 0, heap[rep.heap])
        i = call_of(key)
        kind = kind_of(key)
        if kind == DONE:
            stop_decoding(fleet, r, limits, window, calls.prompt[i] + calls.output[i])
            calls.e2e_s[i] = now - calls.arrival_s[i]
            left += 1
        elif kind == READ_FULL:
            rep.read_growing -= 1
        else:
            rep.hold_growing -= 1
            rep.own_window -= window
            fleet.phases[r, 1, (window - rep.virtual) & (BLOCK - 1)] -= 1
    for place in range(rep.joining):
        i = fleet.joiners[r, place]
        own = calls.prompt[i] + calls.emitted[i] + 1 - limits.prefix
        rep.reserved -= blocks_of(own)
        rep.reserved_window -= blocks_of(min(own, window))
        rep.prefilling -= 1
        calls.emitted[i] += 1
        if calls.emitted[i] == 1:
            calls.ttft_s[i] = now - calls.arrival_s[i]
        if calls.emitted[i] == calls.output[i]:
            calls.e2e_s[i] = now - calls.arrival_s[i]
            left += 1
        else:
            start_decoding(fleet, r, calls, limits, window, i)
    rep.joining = 0
    if rep.virtual >= REBASE_AT:
        _rebase(fleet, r)
    fleet.load[r] -= left
    return left


@compiled
def _rebase(fleet: Fleet, r: int) -> None:
    """Turn the virtual clock back by a whole number of blocks, so that its keys keep within their bits."""
    rep = fleet.replica[r]
    back = rep.virtual // BLOCK * BLOCK
    rep.virtual -= back
    for place in range(rep.heap):
        fleet.heap[r, place] -= back << CLOCK_SHIFT


@compiled
def join(fleet: Fleet, r: int, calls: Calls, limits: Limits, i: int) -> None:
    """Let call i wait at replica r; steps under way are cut at the first step end at or after its arrival."""
    rep = fleet.replica[r]
    now = calls.arrival_s[i]
    fleet.load[r] += 1
    nobody_waits = rep.first_waiting < 0
    calls.behind[i] = -1
    if nobody_waits:
        rep.first_waiting = i
    else:
        calls.behind[rep.last_waiting] = i
    rep.last_waiting = i
    if rep.phase == IDLE:
        if fleet.event_s[r] > now:
            fleet.event_s[r] = now
    elif rep.phase == DECODING and nobody_waits and rep.decoding < limits.max_num_seqs:
        wait = now - rep.clock_s
        linear = rep.first_s - 0.5 * rep.slope_s
        root = 2.0 * wait / (linear + np.sqrt(linear * linear + 2.0 * rep.slope_s * wait))
        steps = max(int(root), 1)
        while rep.clock_s + rep.first_s * steps + rep.slope_s * (0.5 * steps * (steps - 1)) < now:
            steps += 1
        if steps < rep.steps:
            rep.steps = steps
            fleet.event_s[r] = rep.clock_s + rep.first_s * steps + rep.slope_s * (0.5 * steps * (steps - 1))
