"""The replicas of a fleet as they come and go: started, ready, drained, stopped, lost, with their time booked."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.kernels import compiled_in_place
from simulator.simulated.replica import DONE, IDLE, KIND_MASK, Calls, Heap, Limits, Phases, call_of, push, sink

Array = NDArray[np.float64]
Slots: TypeAlias = Any  # record array of SLOT
State: TypeAlias = Any  # one record of STATE
Hours: TypeAlias = Any  # record array of HOUR
OFF, STARTING, UP, DRAINING = 0, 1, 2, 3
TURNED_AWAY, SHED = -2, -3  # in place of tokens emitted, beside REFUSED
HOUR_S = 3600.0

SLOT = np.dtype(
    [
        ("state", "i8"),
        ("since_s", "f8"),  # when it was asked for
        ("ready_s", "f8"),  # when it serves
        ("lost_s", "f8"),  # when it is taken away
        ("paid_until_s", "f8"),  # up to when its time is booked
        ("held_until_s", "f8"),  # up to when the calls in it are booked
    ]
)
STATE = np.dtype(
    [
        ("due_s", "f8"),  # the next moment at which anything but a call happens
        ("look_s", "f8"),  # the autoscaler's next look
        ("begin_s", "f8"),  # its first lay one control interval after this
        ("edge_s", "f8"),  # the end of the hour
        ("held_s", "f8"),  # integral of the calls in the fleet
        ("queue_until_s", "f8"),  # up to when those that wait for any replica are booked
        ("settled_s", "f8"),  # up to when everything was last booked
        ("busy_s", "f8"),  # of all replicas at the last edge
        ("hour", "i8"),  # row of HOUR
        ("looks", "i8"),
        ("inside", "i8"),  # calls in the fleet
        ("first_queued", "i8"),  # of the calls that wait for any replica, or -1
        ("last_queued", "i8"),
        ("queued", "i8"),
        ("seen", "i8"),  # replicas up to the last that is not off
        ("lives", "i8"),  # how many lengths of life were used
    ]
)
HOUR = np.dtype(
    [
        (name, "f8")
        for name in (
            "arrived",  # calls, those turned away and shed included
            "turned_away",  # calls that found too many others
            "shed",  # calls beyond the longest queue that is kept
            "finished",
            "paid_s",  # replica-seconds from request to stop
            "rounded_s",  # added by the granularity of the bill
            "up_s",  # replica-seconds that serve
            "busy_s",  # replica-seconds with a call
            "held_s",  # integral of the calls in the fleet
            "queue_s",  # integral of the calls that are not yet admitted, looked at with the autoscaler
            "starts",
            "losses",
        )
    ]
)


class Policy(NamedTuple):
    """What the autoscaler decides by, and what befalls its replicas.

    target               calls a replica is meant to hold
    spare                replicas above what is wanted
    window_s             it looks back so far, at least from one look to the next
    control_s            between two looks
    down_window_s        a replica stays until no look for so long wanted it
    startup_s            from the request of a replica to its first call
    granularity_s        billed spans are rounded up to it
    losses_per_s         rate at which a replica is taken away
    overflow_above       calls in the fleet from which on others are turned away (0: none are)
    most_inside          calls in the fleet from which on others are shed
    """

    target: float
    spare: int
    window_s: float
    control_s: float
    down_window_s: float
    startup_s: float
    granularity_s: float
    losses_per_s: float
    overflow_above: int
    most_inside: int


@compiled_in_place
def start_replica(slot: Any, state: State, hours: Hours, policy: Policy, now: float) -> None:
    """Ask for a replica: it is paid from now on."""
    slot.state = STARTING
    slot.since_s = slot.paid_until_s = slot.held_until_s = now
    slot.ready_s = now + policy.startup_s
    slot.lost_s = np.inf
    hours[state.hour].starts += 1
    state.due_s = min(state.due_s, slot.ready_s)


@compiled_in_place
def make_ready(slot: Any, state: State, hours: Hours, lives: Array, policy: Policy, now: float) -> None:
    """Let a replica serve from now on, until it is lost."""
    book_time(slot, state, hours, now)
    slot.state = UP
    slot.held_until_s = now
    slot.lost_s = np.inf
    if policy.losses_per_s > 0.0:
        slot.lost_s = now + lives[state.lives % lives.size] / policy.losses_per_s
        state.lives += 1


@compiled_in_place
def stop_replica(slot: Any, state: State, hours: Hours, policy: Policy, now: float) -> None:
    """End the bill of a replica, rounded up."""
    book_time(slot, state, hours, now)
    slot.state = OFF
    if policy.granularity_s > 0.0:
        span = now - slot.since_s
        whole = np.ceil(span / policy.granularity_s - 1e-9) * policy.granularity_s
        hours[state.hour].rounded_s += max(whole - span, 0.0)


@compiled_in_place
def lose_replica(
    rep: Any, slot: Any, heap: Heap, phases: Phases, state: State, calls: Calls, limits: Limits, policy: Policy,
    hours: Hours, now: float,
) -> None:  # fmt: skip
    """Take a replica away: its calls begin anew elsewhere, oldest first, and it is started again at full cost."""
    drains = slot.state == DRAINING
    hold(state, hours, slot, rep.load, now)
    running = 0
    for place in range(rep.keys):
        if heap[place] & KIND_MASK == DONE:
            heap[running] = call_of(heap[place])
            running += 1
    while rep.joining >= 0:
        heap[running] = rep.joining
        rep.joining = calls[rep.joining].behind
        running += 1
    if rep.partial >= 0:
        heap[running] = rep.partial
        running += 1
    size = 0
    for place in range(running):
        push(heap, size, heap[place])
        size += 1
    while size > 0:
        i = heap[0]
        size -= 1
        sink(heap, size, 0, heap[size])
        queue_call(state, hours, calls, i, now)
    i = rep.first_waiting
    while i >= 0:
        behind = calls[i].behind
        queue_call(state, hours, calls, i, now)
        i = behind
    _clear(rep, phases)
    stop_replica(slot, state, hours, policy, now)
    hours[state.hour].losses += 1
    if not drains:
        start_replica(slot, state, hours, policy, now)


@compiled_in_place
def _clear(rep: Any, phases: Phases) -> None:
    """Leave nothing of what stood in a replica but what it has done."""
    rep.event_s = np.inf
    rep.phase = IDLE
    rep.load = rep.steps = rep.virtual = rep.decoding = rep.prefilling = rep.keys = rep.warm = rep.partial_done = 0
    rep.read = rep.read_window = rep.read_growing = rep.own_window = rep.hold_growing = 0
    rep.reserved = rep.reserved_window = rep.released = rep.reused = 0
    rep.joining = rep.partial = rep.first_waiting = rep.last_waiting = -1
    for row in range(phases.shape[0]):
        for phase in range(phases.shape[1]):
            phases[row, phase] = 0


@compiled_in_place
def queue_call(state: State, hours: Hours, calls: Calls, i: int, now: float) -> None:
    """Let a call wait for any replica, with nothing done for it yet."""
    hold_queue(state, hours, now)
    calls[i].emitted = 0
    calls[i].kept_until = 0
    calls[i].ttft_s = np.nan
    calls[i].behind = -1
    if state.first_queued < 0:
        state.first_queued = i
    else:
        calls[state.last_queued].behind = i
    state.last_queued = i
    state.queued += 1


@compiled_in_place
def any_coming(slots: Slots) -> bool:
    """Whether any replica is being started or serves."""
    coming = False
    for r in range(slots.size):
        coming |= slots[r].state == STARTING or slots[r].state == UP
    return coming


@compiled_in_place
def hold(state: State, hours: Hours, slot: Any, load: int, now: float) -> None:
    """Book the calls that a replica held since they last changed."""
    held = load * (now - slot.held_until_s)
    slot.held_until_s = now
    state.held_s += held
    hours[state.hour].held_s += held


@compiled_in_place
def hold_queue(state: State, hours: Hours, now: float) -> None:
    """Book the calls that wait for any replica."""
    held = state.queued * (now - state.queue_until_s)
    state.queue_until_s = now
    state.held_s += held
    hours[state.hour].held_s += held


@compiled_in_place
def book_time(slot: Any, state: State, hours: Hours, now: float) -> None:
    """Book a replica's time since it was last booked, within one hour."""
    spent = now - slot.paid_until_s
    if spent <= 0.0:
        return
    hour = hours[state.hour]
    slot.paid_until_s = now
    hour.paid_s += spent
    if slot.state != STARTING:
        hour.up_s += spent
