"""What stands in a replica of a serving engine: its sequences, their keys on the step clock, their KV blocks.

A heap keyed by a *virtual step clock* (decode steps so far) says after how many steps the next sequence is done.
KV blocks are counted by the sixteen phases in which sequences open a new block, so no sequence is ever visited.
The state is plain records, one per replica and one per call: a compiled function reads a record without counting
references to it, which alone makes the kernel five times faster than a tuple of arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.kernels import compiled_in_place

Replica: TypeAlias = Any  # one record of REPLICA
Calls: TypeAlias = Any  # record array of CALL
Heap: TypeAlias = NDArray[np.int64]  # (room,) keys: virtual step, call, kind
Phases: TypeAlias = NDArray[np.int64]  # (2, BLOCK) sequences by phase: all; windowed layers that still grow

BLOCK = 16  # tokens in a KV block (vLLM's default `block_size`; meta.json of the RTX 4090 run says the same)
IDLE, DECODING, COMMITTED = 0, 1, 2  # nothing to do; steps that an arrival may cut short; a step already begun
DONE, READ_FULL, HOLD_FULL = 0, 1, 2  # at a virtual step a call ends, or a window is read, or is held, whole
KIND_BITS, CALL_BITS = 2, 31
KIND_MASK = (1 << KIND_BITS) - 1
CALL_MASK = (1 << CALL_BITS) - 1
CLOCK_SHIFT = KIND_BITS + CALL_BITS
REBASE_AT = 1 << 29  # virtual steps: well within the 30 bits a key has for them

CALL = np.dtype(
    [
        ("arrival_s", "f8"),
        ("ttft_s", "f8"),
        ("e2e_s", "f8"),
        ("kept_until", "i8"),  # of a preempted call: blocks taken when its last block in the cache is overwritten
        ("prompt", "i4"),
        ("output", "i4"),
        ("emitted", "i4"),  # tokens out when it was last put among the sequences decoding
        ("behind", "i4"),  # the next call in the same queue, or -1
    ]
)

REPLICA = np.dtype(
    [
        ("event_s", "f8"),  # when the next event is due
        ("clock_s", "f8"),  # end of the last step
        ("first_s", "f8"),  # the next decode step
        ("slope_s", "f8"),  # each further decode step takes so much longer
        ("busy_s", "f8"),
        ("decoding_s", "f8"),  # integral of the number decoding
        ("load", "i8"),  # calls running or waiting
        ("steps", "i8"),  # decode steps until the next event
        ("virtual", "i8"),  # decode steps so far
        ("phase", "i8"),  # IDLE, DECODING, COMMITTED
        ("decoding", "i8"),
        ("prefilling", "i8"),  # admitted, first token not yet out
        ("joining", "i8"),  # first of the calls prefilled by the step under way, or -1
        ("partial", "i8"),  # the call whose prefill is cut by the token budget, or -1
        ("partial_done", "i8"),  # its tokens already in the KV cache
        ("keys", "i8"),  # in its heap
        ("first_waiting", "i8"),
        ("last_waiting", "i8"),
        ("warm", "i8"),  # the shared prefix stands in the cache
        ("read", "i8"),  # context tokens of the sequences decoding, at their next step
        ("read_window", "i8"),  # the same, at most a window each
        ("read_growing", "i8"),  # sequences whose context is still below the window
        ("own_window", "i8"),  # own tokens of those whose own tokens are below the window
        ("hold_growing", "i8"),  # how many those are
        ("reserved", "i8"),  # blocks of calls in prefill
        ("reserved_window", "i8"),
        ("released", "i8"),  # blocks given back so far
        ("reused", "i8"),  # blocks found again in the cache after a preemption so far
        ("preemptions", "i8"),
        ("prefilled", "i8"),  # tokens computed by prefill, recomputed ones included
        ("most_decoding", "i8"),
    ]
)


class Limits(NamedTuple):
    """What bounds a batch.

    room_blocks             KV blocks left beside the shared prefix
    max_num_seqs            sequences in the engine at once
    max_num_batched_tokens  tokens a step may take (chunked scheduler)
    chunked                 True: prefill rides with the running decodes; False: it runs alone
    prefix                  tokens shared by all calls, held once
    full_share              share of a token's KV bytes that stands in full-attention layers
    keeps                   freed blocks stay in the prefix cache until they are overwritten
    """

    room_blocks: float
    max_num_seqs: int
    max_num_batched_tokens: int
    chunked: bool
    prefix: int
    full_share: float
    keeps: bool


def new_replicas(count: int) -> Any:
    """Lay out so many empty replicas as a record array."""
    replicas = np.zeros(count, dtype=REPLICA).view(np.recarray)
    replicas["event_s"] = np.inf
    for name in ("joining", "partial", "first_waiting", "last_waiting"):
        replicas[name] = -1
    return replicas


@compiled_in_place
def push(heap: Heap, size: int, key: int) -> None:
    """Put a key into a binary heap of `size` keys."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= key:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = key


@compiled_in_place
def sink(heap: Heap, size: int, start: int, key: int) -> None:
    """Let a key sink from a place to where it belongs in a heap of `size` keys."""
    place = start
    child = 2 * place + 1
    while child < size:
        child += int(child + 1 < size and heap[child + 1] < heap[child])
        if heap[child] >= key:
            break
        heap[place] = heap[child]
        place = child
        child = 2 * place + 1
    heap[place] = key


@compiled_in_place
def key_of(virtual: int, call: int, kind: int) -> int:
    """Say as one number that sorts by time that something happens to a call at a virtual step."""
    return (virtual << CLOCK_SHIFT) | (call << KIND_BITS) | kind


@compiled_in_place
def call_of(key: int) -> int:
    """Say which call a key speaks of."""
    return (key >> KIND_BITS) & CALL_MASK


@compiled_in_place
def blocks_of(tokens: int) -> int:
    """Blocks that hold so many tokens."""
    return (tokens + (BLOCK - 1)) >> 4


@compiled_in_place
def need_of_call(limits: Limits, window: int, context: int) -> float:
    """Blocks that one sequence of so many context tokens holds beside the shared prefix."""
    own = context - limits.prefix
    if window == 0:
        return float(blocks_of(own))
    return limits.full_share * blocks_of(own) + (1.0 - limits.full_share) * blocks_of(min(own, window))


@compiled_in_place
def held_blocks(rep: Replica, phases: Phases, limits: Limits, window: int, ahead: int) -> float:
    """KV blocks that a replica needs `ahead` decode steps from now, in blocks of all layers.

    Sequence i needs ceil(own_i / 16) blocks; sum(own) and the padding by phase give the sum without a visit to any.
    """
    virtual = rep.virtual + ahead
    padding = 0
    for phase in range(BLOCK):
        padding += phases[0, phase] * ((-(phase + virtual)) & (BLOCK - 1))
    own = rep.read + rep.decoding * (ahead - limits.prefix)
    full = ((own + padding) >> 4) + rep.reserved
    if window == 0:
        return float(full)
    padding = 0
    for phase in range(BLOCK):
        padding += phases[1, phase] * ((-(phase + virtual)) & (BLOCK - 1))
    near = ((rep.own_window + rep.hold_growing * ahead + padding) >> 4) + rep.reserved_window
    near += (rep.decoding - rep.hold_growing) * blocks_of(window)
    return float(limits.full_share * full + (1.0 - limits.full_share) * near)


@compiled_in_place
def surely_fits(rep: Replica, limits: Limits, ahead: int, more_tokens: int) -> bool:
    """Whether the need stays within the room even if every sequence's last block were nearly empty."""
    own = rep.read + rep.decoding * (ahead - limits.prefix + (BLOCK - 1))
    return bool(own + BLOCK * rep.reserved + more_tokens + BLOCK <= BLOCK * limits.room_blocks)


@compiled_in_place
def start_decoding(
    rep: Replica, heap: Heap, phases: Phases, calls: Calls, limits: Limits, window: int, i: int
) -> None:
    """Put call i, just prefilled, among the sequences decoding."""
    context = calls[i].prompt + calls[i].emitted
    own = context - limits.prefix
    left = calls[i].output - calls[i].emitted
    push(heap, rep.keys, key_of(rep.virtual + left, i, DONE))
    rep.keys += 1
    rep.decoding += 1
    rep.read += context
    phases[0, (own - rep.virtual) & (BLOCK - 1)] += 1
    if window > 0:
        rep.read_window += min(context, window)
        if context < window:
            rep.read_growing += 1
            if window - context <= left:
                push(heap, rep.keys, key_of(rep.virtual + window - context, i, READ_FULL))
                rep.keys += 1
        if own < window:
            rep.hold_growing += 1
            rep.own_window += own
            phases[1, (own - rep.virtual) & (BLOCK - 1)] += 1
            if window - own <= left:
                push(heap, rep.keys, key_of(rep.virtual + window - own, i, HOLD_FULL))
                rep.keys += 1


@compiled_in_place
def stop_decoding(rep: Replica, phases: Phases, limits: Limits, window: int, context: int) -> None:
    """Take a sequence of so many context tokens out of the sums; its keys are the caller's business."""
    own = context - limits.prefix
    rep.decoding -= 1
    rep.read -= context
    phases[0, (own - rep.virtual) & (BLOCK - 1)] -= 1
    if window > 0:
        rep.read_window -= min(context, window)
        if context < window:
            rep.read_growing -= 1
        if own < window:
            rep.hold_growing -= 1
            rep.own_window -= own
            phases[1, (own - rep.virtual) & (BLOCK - 1)] -= 1
