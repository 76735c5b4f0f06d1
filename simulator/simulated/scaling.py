"""A fleet whose autoscaler runs inside the kernel: replicas start, drain, are lost and paid while calls are served.

Every `control_s` the autoscaler asks for `clip(ceil(mean calls over window_s / target), least, most) + spare`: up at
once, paid from the request and usable after `startup_s`; down when no look within `down_window_s` wanted it, draining.
Twin of `expected/scaling.py`, class *approximate*: the band stands there. With least = most the replicas are fixed.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.arrivals import REFUSED, too_long
from simulator.simulated.batching import finish, join, plan
from simulator.simulated.kernels import compiled_in_place
from simulator.simulated.replica import DONE, IDLE, KIND_MASK, Calls, Heap, Limits, Phases, call_of, push, sink
from simulator.simulated.steptime import StepTime

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
def wanted(concurrency: float, target: float, least: int, most: int, spare: int) -> int:
    """Replicas that the autoscaler asks for, spares included.

    >>> wanted(9.0, 4.0, 1, 8, 1), wanted(0.0, 4.0, 0, 8, 0), wanted(99.0, 4.0, 1, 8, 1), wanted(9.0, 4.0, 0, 0, 1)
    (4, 0, 9, 0)
    """
    if most == 0:
        return 0
    need = int(np.ceil(concurrency / target - 1e-9))
    return min(max(need, least), most) + spare


@compiled_in_place
def drive_fleet(
    fleet: Any,
    slots: Slots,
    heaps: NDArray[np.int64],
    phases: NDArray[np.int64],
    states: Any,
    last_wanted: Array,
    ring: Array,
    lives: Array,
    calls: Calls,
    step: StepTime,
    limits: Limits,
    policy: Policy,
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    hours: Hours,
    start: int,
    end_s: float,
) -> None:
    """Let the calls from `start` on arrive at their times, and the fleet go on until `end_s`.

    least, most: replicas by row of `hours`, without spares. last_wanted: (R + 1,) when a look last wanted so many.
    ring: integral of the calls in the fleet at the last looks. lives: lengths of life of mean one, used in turn.
    """
    state = states[0]
    i = start
    while True:
        arrival = np.inf if i == calls.size else calls[i].arrival_s
        now = min(min(arrival, state.due_s), end_s)
        best = -1
        for r in range(fleet.size):
            rep = fleet[r]
            while rep.event_s < now:
                at, before = rep.event_s, rep.load
                left = finish(rep, heaps[r], phases[r], calls, step, limits)
                if left > 0:
                    _hold(state, hours, slots[r], before, at)
                    state.inside -= left
                    hours[state.hour].finished += left
                    if slots[r].state == DRAINING and rep.load == 0:
                        _stop(slots[r], state, hours, policy, at)
                plan(rep, heaps[r], phases[r], calls, step, limits)
            if slots[r].state == UP and (best < 0 or rep.load < fleet[best].load):
                best = r
        if state.due_s <= now:
            _happen(fleet, slots, heaps, phases, state, last_wanted, ring, lives, calls, limits, policy, least, most,
                    hours, now)
            continue
        if i == calls.size or arrival > now:
            return
        hours[state.hour].arrived += 1
        if policy.overflow_above > 0 and state.inside >= policy.overflow_above:
            hours[state.hour].turned_away += 1
            calls[i].emitted = TURNED_AWAY
        elif state.inside >= policy.most_inside:
            hours[state.hour].shed += 1
            calls[i].emitted = SHED
        elif too_long(calls, limits, step.window, i):
            calls[i].emitted = REFUSED
        else:
            state.inside += 1
            if best < 0:
                _queue(state, hours, calls, i, now)
                if not _any_coming(slots) and most[state.hour] > 0:
                    last_wanted[1] = now
                    _start(slots[0], state, hours, policy, now)
            else:
                _hold(state, hours, slots[best], fleet[best].load, now)
                join(fleet[best], calls, limits, i, now)
        i += 1


@compiled_in_place
def _happen(
    fleet: Any, slots: Slots, heaps: NDArray[np.int64], phases: NDArray[np.int64], state: State, last_wanted: Array,
    ring: Array, lives: Array, calls: Calls, limits: Limits, policy: Policy, least: NDArray[np.int64],
    most: NDArray[np.int64], hours: Hours, now: float,
) -> None:  # fmt: skip
    """Let replicas be lost and become ready, then let the autoscaler look, then end the hour, as far as each is due."""
    for r in range(fleet.size):
        if slots[r].state >= UP and slots[r].lost_s <= now:
            _lose(fleet[r], slots[r], heaps[r], phases[r], state, calls, limits, policy, hours, now)
        if slots[r].state == STARTING and slots[r].ready_s <= now:
            _ready(slots[r], state, hours, lives, policy, now)
    looks = state.look_s <= now
    if looks or state.edge_s <= now:
        _settle(fleet, slots, state, hours, now)
    if state.edge_s <= now:
        state.hour += 1
        state.edge_s += HOUR_S
        looks = looks or least[state.hour] != least[state.hour - 1] or most[state.hour] != most[state.hour - 1]
    if looks:
        mean = _mean_inside(state, ring, policy, now) if state.look_s <= now else state.inside
        _look(fleet, slots, state, last_wanted, hours, lives, policy, least[state.hour], most[state.hour], mean, now)
    _dispatch(fleet, slots, state, calls, limits, hours, now)
    due = min(state.look_s, state.edge_s)
    for r in range(fleet.size):
        if slots[r].state == STARTING:
            due = min(due, slots[r].ready_s)
        elif slots[r].state != OFF:
            due = min(due, slots[r].lost_s)
    state.due_s = due


@compiled_in_place
def _mean_inside(state: State, ring: Array, policy: Policy, now: float) -> float:
    """Mean number of calls in the fleet over the window behind a look, which is counted."""
    state.looks += 1
    state.look_s = state.begin_s + policy.control_s * (state.looks + 1)
    ring[state.looks % ring.size] = state.held_s
    back = min(max(policy.window_s / policy.control_s, 1.0), float(state.looks))
    whole = int(back)
    then = ring[(state.looks - whole) % ring.size]
    if whole < state.looks:
        then += (back - whole) * (ring[(state.looks - whole - 1) % ring.size] - then)
    return float((state.held_s - then) / (back * policy.control_s))


@compiled_in_place
def _look(
    fleet: Any, slots: Slots, state: State, last_wanted: Array, hours: Hours, lives: Array, policy: Policy,
    least: int, most: int, mean: float, now: float,
) -> None:  # fmt: skip
    """Start what is wanted, and stop what no look for the down window wanted."""
    want = wanted(mean, policy.target, least, most, policy.spare)
    keep = want
    for k in range(1, slots.size + 1):
        if k <= want:
            last_wanted[k] = now
        elif k <= most + policy.spare and most > 0 and now - last_wanted[k] < policy.down_window_s:
            keep = k
    coming = 0
    for r in range(slots.size):
        coming += int(slots[r].state == STARTING or slots[r].state == UP)
    for r in range(slots.size):
        if coming < keep and slots[r].state == DRAINING:  # at once: it still runs
            slots[r].state = UP
            coming += 1
    for r in range(slots.size):
        if coming < keep and slots[r].state == OFF:
            _start(slots[r], state, hours, policy, now)
            coming += 1
    for state_to_leave in (STARTING, UP):
        for r in range(slots.size - 1, -1, -1):
            if coming > keep and slots[r].state == state_to_leave:
                if fleet[r].load == 0:
                    _stop(slots[r], state, hours, policy, now)
                else:
                    slots[r].state = DRAINING
                coming -= 1


@compiled_in_place
def _start(slot: Any, state: State, hours: Hours, policy: Policy, now: float) -> None:
    """Ask for a replica: it is paid from now on."""
    slot.state = STARTING
    slot.since_s = slot.paid_until_s = slot.held_until_s = now
    slot.ready_s = now + policy.startup_s
    slot.lost_s = np.inf
    hours[state.hour].starts += 1
    state.due_s = min(state.due_s, slot.ready_s)


@compiled_in_place
def _ready(slot: Any, state: State, hours: Hours, lives: Array, policy: Policy, now: float) -> None:
    """Let a replica serve from now on, until it is lost."""
    _book(slot, state, hours, now)
    slot.state = UP
    slot.held_until_s = now
    slot.lost_s = np.inf
    if policy.losses_per_s > 0.0:
        slot.lost_s = now + lives[state.lives % lives.size] / policy.losses_per_s
        state.lives += 1


@compiled_in_place
def _stop(slot: Any, state: State, hours: Hours, policy: Policy, now: float) -> None:
    """End the bill of a replica, rounded up."""
    _book(slot, state, hours, now)
    slot.state = OFF
    if policy.granularity_s > 0.0:
        span = now - slot.since_s
        whole = np.ceil(span / policy.granularity_s - 1e-9) * policy.granularity_s
        hours[state.hour].rounded_s += max(whole - span, 0.0)


@compiled_in_place
def _lose(
    rep: Any, slot: Any, heap: Heap, phases: Phases, state: State, calls: Calls, limits: Limits, policy: Policy,
    hours: Hours, now: float,
) -> None:  # fmt: skip
    """Take a replica away: its calls begin anew elsewhere, oldest first, and it is started again at full cost."""
    drains = slot.state == DRAINING
    _hold(state, hours, slot, rep.load, now)
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
        _queue(state, hours, calls, i, now)
    i = rep.first_waiting
    while i >= 0:
        behind = calls[i].behind
        _queue(state, hours, calls, i, now)
        i = behind
    _clear(rep, phases)
    _stop(slot, state, hours, policy, now)
    hours[state.hour].losses += 1
    if not drains:
        _start(slot, state, hours, policy, now)


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
def _queue(state: State, hours: Hours, calls: Calls, i: int, now: float) -> None:
    """Let a call wait for any replica, with nothing done for it yet."""
    _hold_queue(state, hours, now)
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
def _dispatch(
    fleet: Any, slots: Slots, state: State, calls: Calls, limits: Limits, hours: Hours, now: float
) -> None:
    """Send calls that wait for any replica to the least loaded ones, as soon as there are some."""
    _hold_queue(state, hours, now)
    while state.first_queued >= 0:
        best = -1
        for r in range(fleet.size):
            if slots[r].state == UP and (best < 0 or fleet[r].load < fleet[best].load):
                best = r
        if best < 0:
            return
        i = state.first_queued
        state.first_queued = calls[i].behind
        state.queued -= 1
        _hold(state, hours, slots[best], fleet[best].load, now)
        join(fleet[best], calls, limits, i, now)


@compiled_in_place
def _any_coming(slots: Slots) -> bool:
    """Whether any replica is being started or serves."""
    for r in range(slots.size):
        if slots[r].state == STARTING or slots[r].state == UP:
            return True
    return False


@compiled_in_place
def _hold(state: State, hours: Hours, slot: Any, load: int, now: float) -> None:
    """Book the calls that a replica held since they last changed."""
    held = load * (now - slot.held_until_s)
    slot.held_until_s = now
    state.held_s += held
    hours[state.hour].held_s += held


@compiled_in_place
def _hold_queue(state: State, hours: Hours, now: float) -> None:
    """Book the calls that wait for any replica."""
    held = state.queued * (now - state.queue_until_s)
    state.queue_until_s = now
    state.held_s += held
    hours[state.hour].held_s += held


@compiled_in_place
def _settle(fleet: Any, slots: Slots, state: State, hours: Hours, now: float) -> None:
    """Book everything up to now, at a look or at the end of an hour."""
    hour = hours[state.hour]
    busy, waiting = 0.0, state.queued
    for r in range(fleet.size):
        rep = fleet[r]
        busy += rep.busy_s
        waiting += rep.load - rep.decoding - rep.prefilling
        if slots[r].state != OFF:
            _book(slots[r], state, hours, now)
            _hold(state, hours, slots[r], rep.load, now)
    _hold_queue(state, hours, now)
    hour.queue_s += waiting * (now - state.settled_s)
    state.settled_s = now
    hour.busy_s += busy - state.busy_s
    state.busy_s = busy


@compiled_in_place
def _book(slot: Any, state: State, hours: Hours, now: float) -> None:
    """Book a replica's time since it was last booked, within one hour."""
    spent = now - slot.paid_until_s
    if spent <= 0.0:
        return
    hour = hours[state.hour]
    slot.paid_until_s = now
    hour.paid_s += spent
    if slot.state != STARTING:
        hour.up_s += spent
