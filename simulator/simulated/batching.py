"""What a replica does next: at every step end calls leave, join, are preempted, and the next steps are planned.

Between events the batch is constant, so `x` whole decode steps take `first x + slope x (x - 1) / 2` seconds, where
`first` is the next step's time and `slope` what one more context token per sequence adds. An arrival only shortens
the steps under way, to the first step end at or after it; no token is ever visited.
"""

from __future__ import annotations

import numpy as np

from simulator.simulated.kernels import compiled_in_place
from simulator.simulated.replica import (
    BLOCK,
    CLOCK_SHIFT,
    COMMITTED,
    DECODING,
    DONE,
    IDLE,
    KIND_MASK,
    READ_FULL,
    REBASE_AT,
    Calls,
    Heap,
    Limits,
    Phases,
    Replica,
    blocks_of,
    call_of,
    held_blocks,
    need_of_call,
    sink,
    start_decoding,
    stop_decoding,
    surely_fits,
)
from simulator.simulated.steptime import StepTime, attention_s, matmul_s


@compiled_in_place
def join(rep: Replica, calls: Calls, limits: Limits, i: int, now: float) -> None:
    """Let call i wait at a replica from now on; steps under way are cut at the first step end at or after that."""
    rep.load += 1
    nobody_waits = rep.first_waiting < 0
    calls[i].behind = -1
    if nobody_waits:
        rep.first_waiting = i
    else:
        calls[rep.last_waiting].behind = i
    rep.last_waiting = i
    if rep.phase == IDLE:
        rep.event_s = min(rep.event_s, now)
    elif rep.phase == DECODING and nobody_waits and rep.decoding < limits.max_num_seqs:
        # the root of first x + slope x (x - 1) / 2 = wait, then to the whole step where rounding has its say
        wait = now - rep.clock_s
        linear = rep.first_s - 0.5 * rep.slope_s
        steps = int(2.0 * wait / (linear + np.sqrt(linear * linear + 2.0 * rep.slope_s * wait)))
        while steps < 1 or _end_of_steps(rep, steps) < now:
            steps += 1
        if steps < rep.steps:
            rep.steps = steps
            rep.event_s = _end_of_steps(rep, steps)


@compiled_in_place
def finish(
    rep: Replica, heap: Heap, phases: Phases, calls: Calls, step: StepTime, limits: Limits
) -> int:
    """Bring a replica to its next event, let calls leave and join, and say how many left."""
    now = rep.event_s
    window = step.window
    if rep.phase != IDLE:
        rep.busy_s += now - rep.clock_s
        rep.decoding_s += rep.decoding * (now - rep.clock_s)
        rep.virtual += rep.steps
        rep.read += rep.steps * rep.decoding
        if window > 0:
            rep.read_window += rep.steps * rep.read_growing
            rep.own_window += rep.steps * rep.hold_growing
    rep.clock_s = now
    rep.phase = IDLE
    left = 0
    while rep.keys > 0 and (heap[0] >> CLOCK_SHIFT) == rep.virtual:
        key = heap[0]
        rep.keys -= 1
        sink(heap, rep.keys, 0, heap[rep.keys])
        i = call_of(key)
        if key & KIND_MASK == DONE:
            context = calls[i].prompt + calls[i].output
            stop_decoding(rep, phases, limits, window, context)
            rep.released += blocks_of(context - 1 - limits.prefix)  # its last token is never written
            calls[i].e2e_s = now - calls[i].arrival_s
            left += 1
        elif key & KIND_MASK == READ_FULL:
            rep.read_growing -= 1
        else:
            rep.hold_growing -= 1
            rep.own_window -= window
            phases[1, (window - rep.virtual) & (BLOCK - 1)] -= 1
    while rep.joining >= 0:
        i = rep.joining
        rep.joining = calls[i].behind
        _release(rep, calls, limits, window, i)
        calls[i].emitted += 1
        if calls[i].emitted == 1:
            calls[i].ttft_s = now - calls[i].arrival_s
        if calls[i].emitted == calls[i].output:
            calls[i].e2e_s = now - calls[i].arrival_s
            rep.released += blocks_of(calls[i].prompt + calls[i].output - limits.prefix)
            left += 1
        else:
            start_decoding(rep, heap, phases, calls, limits, window, i)
    rep.most_decoding = max(rep.most_decoding, rep.decoding)
    rep.load -= left
    if rep.virtual >= REBASE_AT:
        _turn_back(rep, heap)
    return left


@compiled_in_place
def plan(rep: Replica, heap: Heap, phases: Phases, calls: Calls, step: StepTime, limits: Limits) -> None:
    """At a step's end, decide what a replica does next and when that is over."""
    window = step.window
    if rep.decoding > 0 and not surely_fits(rep, limits, 0, 0):
        while held_blocks(rep, phases, limits, window, 0) > limits.room_blocks:
            _preempt(rep, heap, phases, calls, limits, window)
    decode_s = step.read_s * rep.read + step.read_window_s * rep.read_window
    if rep.partial >= 0 or rep.first_waiting >= 0:
        seconds = _prefill(rep, phases, calls, step, limits, decode_s)
        if seconds > 0.0:
            rep.phase = COMMITTED
            rep.event_s = rep.clock_s + seconds
            return
    if rep.decoding > 0:
        rep.phase = DECODING
        rep.steps = (heap[0] >> CLOCK_SHIFT) - rep.virtual
        if not surely_fits(rep, limits, rep.steps - 1, 0):
            rep.steps = _steps_until_full(rep, phases, limits, window, rep.steps)
        own_s = step.overhead_s + matmul_s(step, rep.decoding) + step.per_sequence_s * rep.decoding
        rep.first_s = own_s + decode_s
        rep.slope_s = step.read_s * rep.decoding + step.read_window_s * rep.read_growing
        rep.event_s = _end_of_steps(rep, rep.steps)
    else:
        rep.phase = IDLE
        rep.steps = 0
        rep.event_s = np.inf


@compiled_in_place
def _prefill(
    rep: Replica, phases: Phases, calls: Calls, step: StepTime, limits: Limits, decode_s: float
) -> float:
    """Lay out a step with prefill and return its seconds, or 0 where nobody can be prefilled now."""
    budget = limits.max_num_batched_tokens - rep.decoding
    sequences = 0
    tokens = 0
    seconds = 0.0
    last = -1
    while budget > 0:
        i = rep.partial
        done = rep.partial_done
        if i < 0:
            i = _admit(rep, phases, calls, limits, step.window)
            if i < 0:
                break
            done = limits.prefix if rep.warm else 0
            if calls[i].kept_until > 0:
                done += _found_again(rep, phases, calls, limits, i)
            done = min(done, calls[i].prompt + calls[i].emitted - 1)  # at least one token is computed anew
            rep.warm = 1
        left = calls[i].prompt + calls[i].emitted - done
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
        calls[i].behind = -1
        if last < 0:
            rep.joining = i
        else:
            calls[last].behind = i
        last = i
        if not limits.chunked:
            break
    if sequences == 0:
        return 0.0
    rep.prefilled += tokens
    rep.steps = 0
    if limits.chunked:
        rep.steps = 1
        tokens += rep.decoding
        sequences += rep.decoding
        seconds += decode_s
    return seconds + step.overhead_s + matmul_s(step, tokens) + step.per_sequence_s * sequences


@compiled_in_place
def _taken(rep: Replica, phases: Phases, limits: Limits) -> int:
    """Blocks that were taken from the free ones so far; never falls."""
    return int(held_blocks(rep, phases, limits, 0, 0)) + rep.released - rep.reused  # type: ignore[no-any-return]


@compiled_in_place
def _found_again(rep: Replica, phases: Phases, calls: Calls, limits: Limits, i: int) -> int:
    """Tokens of a preempted call that still stand in the cache, and mark them as in use.

    Free blocks are overwritten in the order in which they were freed, those of one call from its last to its first
    (vLLM: free_block_queue, blocks freed in reverse), so what is left of a call is its beginning. Call i has just
    been admitted, so its own reservation does not count as taken.
    """
    own = calls[i].prompt + calls[i].emitted - limits.prefix
    taken = _taken(rep, phases, limits) - blocks_of(own + 1)
    found = min(max(calls[i].kept_until - taken, 0), (own - 1) >> 4)
    calls[i].kept_until = 0
    rep.reused += found
    return found << 4  # type: ignore[no-any-return]


@compiled_in_place
def _admit(rep: Replica, phases: Phases, calls: Calls, limits: Limits, window: int) -> int:
    """Take the first waiting call into prefill and say which it is, or -1 where sequences or KV forbid it."""
    i = rep.first_waiting
    if i < 0 or rep.decoding + rep.prefilling >= limits.max_num_seqs:
        return -1
    own = calls[i].prompt + calls[i].emitted + 1 - limits.prefix
    if not surely_fits(rep, limits, 0, own):
        need = need_of_call(limits, window, own + limits.prefix)
        if held_blocks(rep, phases, limits, window, 0) + need > limits.room_blocks:
            return -1
    rep.first_waiting = calls[i].behind
    rep.reserved += blocks_of(own)
    rep.reserved_window += blocks_of(min(own, window))
    rep.prefilling += 1
    return int(i)


@compiled_in_place
def _release(rep: Replica, calls: Calls, limits: Limits, window: int, i: int) -> None:
    """Give back what was reserved for a call in prefill."""
    own = calls[i].prompt + calls[i].emitted + 1 - limits.prefix
    rep.reserved -= blocks_of(own)
    rep.reserved_window -= blocks_of(min(own, window))
    rep.prefilling -= 1


@compiled_in_place
def _preempt(rep: Replica, heap: Heap, phases: Phases, calls: Calls, limits: Limits, window: int) -> None:
    """Send the last admitted call back to the queue, to be prefilled again with what it has emitted.

    Calls are admitted in order of arrival, so the last admitted is the one with the largest number; one whose
    prefill is under way came after all that decode.
    """
    last = rep.partial
    if last >= 0:
        rep.partial = -1
        _release(rep, calls, limits, window, last)
        rep.released += blocks_of(calls[last].prompt + calls[last].emitted + 1 - limits.prefix)
    else:
        for place in range(rep.keys):
            last = max(last, call_of(heap[place]))
        ends = rep.virtual
        kept = 0
        for place in range(rep.keys):
            key = heap[place]
            if call_of(key) != last:
                heap[kept] = key
                kept += 1
            elif key & KIND_MASK == DONE:
                ends = key >> CLOCK_SHIFT
        rep.keys = kept
        for place in range(kept // 2 - 1, -1, -1):
            sink(heap, kept, place, heap[place])
        emitted = calls[last].output - (ends - rep.virtual)
        context = calls[last].prompt + emitted
        just_joined = emitted == calls[last].emitted  # then the block for its next token is already its own
        calls[last].emitted = emitted
        stop_decoding(rep, phases, limits, window, context)
        rep.released += blocks_of(context - limits.prefix - (0 if just_joined else 1))
        if limits.keeps and window == 0:
            free = limits.room_blocks - held_blocks(rep, phases, limits, 0, 0)
            calls[last].kept_until = max(int(free), 0) + _taken(rep, phases, limits)
    calls[last].behind = rep.first_waiting
    if rep.first_waiting < 0:
        rep.last_waiting = last
    rep.first_waiting = last
    rep.preemptions += 1


@compiled_in_place
def _steps_until_full(rep: Replica, phases: Phases, limits: Limits, window: int, steps: int) -> int:
    """Decode steps before the KV need exceeds the room, at most `steps`: the need never falls, so bisect."""
    if held_blocks(rep, phases, limits, window, steps - 1) <= limits.room_blocks:
        return steps
    fits, full = 0, steps - 1
    while full - fits > 1:
        middle = (fits + full) // 2
        if held_blocks(rep, phases, limits, window, middle) <= limits.room_blocks:
            fits = middle
        else:
            full = middle
    return full


@compiled_in_place
def _end_of_steps(rep: Replica, steps: int) -> float:
    """When so many decode steps of the present batch are over."""
    return float(rep.clock_s + rep.first_s * steps + rep.slope_s * (0.5 * steps * (steps - 1)))


@compiled_in_place
def _turn_back(rep: Replica, heap: Heap) -> None:
    """Turn the virtual clock back by a whole number of blocks, so that its keys keep within their bits."""
    back = rep.virtual // BLOCK * BLOCK
    rep.virtual -= back
    for place in range(rep.keys):
        heap[place] -= back << CLOCK_SHIFT
