"""A fleet whose autoscaler runs inside the kernel: replicas start, drain, are lost and paid while calls are served.

Every `control_s` the autoscaler asks for `clip(ceil(mean calls over window_s / target), least, most) + spare`: up at
once, paid from the request and usable after `startup_s`; down when no look within `down_window_s` wanted it, draining.
Twin of `expected/scaling.py`, class *approximate*: the band stands there. With least = most the replicas are fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.arrivals import REFUSED, too_long
from simulator.simulated.batching import finish, join, plan
from simulator.simulated.kernels import compiled_in_place
from simulator.simulated.replica import Calls, Limits
from simulator.simulated.slots import (
    DRAINING,
    HOUR_S,
    OFF,
    SHED,
    STARTING,
    TURNED_AWAY,
    UP,
    Hours,
    Policy,
    Slots,
    State,
    any_coming,
    book_time,
    hold,
    hold_queue,
    lose_replica,
    make_ready,
    queue_call,
    start_replica,
    stop_replica,
)  # fmt: skip
from simulator.simulated.steptime import StepTime

Array = NDArray[np.float64]


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
        for r in range(state.seen):
            rep = fleet[r]
            while rep.event_s < now:
                at, before = rep.event_s, rep.load
                left = finish(rep, heaps[r], phases[r], calls, step, limits)
                if left > 0:
                    hold(state, hours, slots[r], before, at)
                    state.inside -= left
                    hours[state.hour].finished += left
                    if slots[r].state == DRAINING and rep.load == 0:
                        stop_replica(slots[r], state, hours, policy, at)
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
                queue_call(state, hours, calls, i, now)
                if not any_coming(slots) and most[state.hour] > 0:
                    last_wanted[1] = now
                    state.seen = max(state.seen, 1)
                    start_replica(slots[0], state, hours, policy, now)
            else:
                hold(state, hours, slots[best], fleet[best].load, now)
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
            lose_replica(fleet[r], slots[r], heaps[r], phases[r], state, calls, limits, policy, hours, now)
        if slots[r].state == STARTING and slots[r].ready_s <= now:
            make_ready(slots[r], state, hours, lives, policy, now)
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
    due, seen = min(state.look_s, state.edge_s), 0
    for r in range(fleet.size):
        if slots[r].state != OFF:
            due = min(due, slots[r].ready_s if slots[r].state == STARTING else slots[r].lost_s)
            seen = r + 1
    state.due_s, state.seen = due, seen


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
            start_replica(slots[r], state, hours, policy, now)
            coming += 1
    for state_to_leave in (STARTING, UP):
        for r in range(slots.size - 1, -1, -1):
            if coming > keep and slots[r].state == state_to_leave:
                if fleet[r].load == 0:
                    stop_replica(slots[r], state, hours, policy, now)
                else:
                    slots[r].state = DRAINING
                coming -= 1


@compiled_in_place
def _dispatch(
    fleet: Any, slots: Slots, state: State, calls: Calls, limits: Limits, hours: Hours, now: float
) -> None:
    """Send calls that wait for any replica to the least loaded ones, as soon as there are some."""
    hold_queue(state, hours, now)
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
        hold(state, hours, slots[best], fleet[best].load, now)
        join(fleet[best], calls, limits, i, now)


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
            book_time(slots[r], state, hours, now)
            hold(state, hours, slots[r], rep.load, now)
    hold_queue(state, hours, now)
    hour.queue_s += waiting * (now - state.settled_s)
    state.settled_s = now
    hour.busy_s += busy - state.busy_s
    state.busy_s = busy
