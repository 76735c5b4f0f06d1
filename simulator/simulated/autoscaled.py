"""Serves calls in pieces on a fleet that scales itself, and keeps what a year of calls leaves: hours and latencies."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.simulated.arrivals import renumber
from simulator.simulated.latencies import Latencies, sort_out
from simulator.simulated.queueing import Engine
from simulator.simulated.replica import BLOCK, CALL, new_replicas
from simulator.simulated.scaling import drive_fleet
from simulator.simulated.slots import HOUR, HOUR_S, SLOT, STATE, UP, Policy

Array = NDArray[np.float64]
LIVES = 16_384
"""Lengths of life that are drawn for replicas that can be lost; used in turn, and from the first again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """The fewest and the most replicas by hour, without spares, (H,) whole numbers each; `begin_s` opens the first."""

    begin_s: float
    least: NDArray[np.int64]
    most: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse what no autoscaler can keep to."""
        if self.least.shape != self.most.shape or np.any(self.least < 0) or np.any(self.least > self.most):
            raise ValueError("least and most must be as long, not negative, and least at most most")


class AutoscaledFleet:
    """A fleet that is asked to serve piece by piece; `hours` are records of HOUR, one an hour from `bounds.begin_s`.

    Args:
        engine: one replica.
        policy: the autoscaler.
        bounds: replicas by hour; it ends with the last.
        lives: lengths of life of mean one, for replicas that can be lost.
        overload_per_s: by hour, the rate from which on it cannot keep up: its calls are left out of the latencies.
    """

    def __init__(
        self, engine: Engine, policy: Policy, bounds: Bounds, lives: ArrayLike = (1.0,), overload_per_s: Any = np.inf
    ) -> None:
        self.engine, self.policy, self.bounds = engine, policy, bounds
        size = int((bounds.most + policy.spare * (bounds.most > 0)).max(initial=0))
        kinds = 3 if engine.step.window else 1
        self._replicas = new_replicas(size)
        self._heaps = np.zeros((size, kinds * engine.max_num_seqs + 1), dtype=np.int64)
        self._phases = np.zeros((size, 2, BLOCK), dtype=np.int64)
        self._slots = np.zeros(size, dtype=SLOT).view(np.recarray)
        self._slots["ready_s"] = self._slots["lost_s"] = np.inf
        self._state = np.zeros(1, dtype=STATE).view(np.recarray)
        self._last_wanted = np.full(size + 1, -np.inf)
        self._ring = np.zeros(int(max(policy.window_s / policy.control_s, 1.0)) + 3)
        self._lives = np.ascontiguousarray(lives, dtype=np.float64)
        hours = bounds.least.size
        self.hours = np.zeros(hours + 1, dtype=HOUR).view(np.recarray)  # the last one is never served
        self.overload_per_s = np.broadcast_to(np.asarray(overload_per_s, dtype=float), (hours,))
        self.overloaded = np.zeros(hours + 1, dtype=np.bool_)
        self.earlier = 0
        self.latencies = Latencies()
        self.refused = 0
        self._calls = self._under_way = np.empty(0, dtype=CALL).view(np.recarray)
        self._number = np.empty(0, dtype=np.int64)
        self.shed = 0
        self._least, self._most = (np.append(b, b[-1]).astype(np.int64) for b in (bounds.least, bounds.most))
        self._open(bounds.begin_s)

    def _open(self, begin_s: float) -> None:
        """Begin with the fewest replicas, spares included, ready to serve."""
        state = self._state[0]
        state.begin_s = state.queue_until_s = state.settled_s = begin_s
        state.look_s = begin_s + self.policy.control_s
        state.edge_s = begin_s + HOUR_S
        state.due_s = min(state.look_s, state.edge_s)
        state.first_queued = state.last_queued = -1
        up = int(self._least[0]) + (self.policy.spare if self._most[0] else 0)
        for slot in self._slots[:up]:
            slot.state = UP
            slot.since_s = slot.ready_s = slot.paid_until_s = slot.held_until_s = begin_s
            if self.policy.losses_per_s > 0:
                slot.lost_s = begin_s + self._lives[state.lives % self._lives.size] / self.policy.losses_per_s
                state.lives += 1
                state.due_s = min(state.due_s, slot.lost_s)
        state.seen = up
        self._last_wanted[: up + 1] = begin_s

    @property
    def under_way(self) -> int:
        """Calls that were let in and have not ended."""
        return int(self._under_way.size)

    @property
    def waiting(self) -> int:
        """Calls without a first token."""
        return int(np.count_nonzero(np.isnan(self._under_way["ttft_s"])))

    @property
    def now_s(self) -> float:
        """Up to when it has served."""
        return float(self._state[0].settled_s)

    @property
    def hour(self) -> int:
        """Number of the hour it serves next, from the first of its bounds."""
        return int(self._state[0].hour)

    @property
    def preemptions(self) -> int:
        """Calls sent back for want of KV blocks, over all replicas."""
        return int(self._replicas["preemptions"].sum())

    @property
    def oldest_s(self) -> float:
        """When the oldest call arrived that still waits for its first token; infinite where none does."""
        waiting = self._under_way[np.isnan(self._under_way["ttft_s"])]
        return float(waiting["arrival_s"].min()) if waiting.size else np.inf

    def continued(self, bounds: Bounds, overload_per_s: Any = np.inf) -> AutoscaledFleet:
        """The same fleet as it now stands, its record of hours and latencies empty, over the hours that follow."""
        other = copy.copy(self)
        for name in ("_replicas", "_heaps", "_phases", "_slots", "_state", "_last_wanted", "_ring", "_under_way"):
            setattr(other, name, getattr(self, name).copy())
        hours = bounds.least.size
        other.bounds = bounds
        other._least, other._most = (np.append(b, b[-1]).astype(np.int64) for b in (bounds.least, bounds.most))
        other._state[0].hour = 0
        other.hours = np.zeros(hours + 1, dtype=HOUR).view(np.recarray)
        other.overload_per_s = np.broadcast_to(np.asarray(overload_per_s, dtype=float), (hours,))
        # calls that still wait from an hour beyond the fleet are left out whenever they end
        other.overloaded = np.append(self.overloaded[:-1], np.zeros(hours + 1, dtype=np.bool_))
        other.earlier = self.earlier + self.hours.size - 1
        other.latencies, other.refused, other.shed = Latencies(), 0, 0
        other._calls, other._number = other._under_way, np.empty(0, dtype=np.int64)
        return other

    def room_for(self, count: int) -> Any:
        """Records of the calls under way and of so many new ones behind them, for `serve`."""
        first = self._under_way.size
        if self._calls.size < first + count:
            self._calls = np.empty(first + count + count // 4, dtype=CALL).view(np.recarray)
            self._calls[:first] = self._under_way
        return self._calls[: first + count]

    def serve(self, calls: Any, end_s: float) -> NDArray[np.bool_]:
        """Serve calls of `room_for` whose new records are filled in, up to `end_s`; says which new ones were sent away.

        Arrivals must be ascending, none before the end of the piece before. A piece lies within one hour wherever
        `overload_per_s` is finite.
        """
        first = self._under_way.size
        state, hour = (self._replicas, self._slots, self._heaps, self._phases, self._state), int(self._state[0].hour)
        if hour < self.overload_per_s.size and calls.size - first >= self.overload_per_s[hour] * HOUR_S:
            self.overloaded[self.earlier + hour] = True
        drive_fleet(
            *state, self._last_wanted, self._ring, self._lives, calls, self.engine.step, self.engine.limits,
            self.policy, self._least, self._most, self.hours, first, float(end_s),
        )  # fmt: skip
        if self._number.size < calls.size:
            self._number = np.zeros(2 * calls.size, dtype=np.int64)
        sent_away = np.zeros(calls.size - first, dtype=np.bool_)
        kept = self.latencies
        under_way, refused, shed = sort_out(
            calls, first, self.overloaded, self.bounds.begin_s - HOUR_S * self.earlier, kept.counts, kept.sums,
            self._number, sent_away,
        )
        self.refused, self.shed = self.refused + refused, self.shed + shed
        self._under_way = calls[:under_way]
        if under_way:
            renumber(self._replicas, self._heaps, self._under_way, self._number)
            if self._state[0].first_queued >= 0:
                self._state[0].first_queued = self._number[self._state[0].first_queued]
                self._state[0].last_queued = self._number[self._state[0].last_queued]
        return sent_away

    def close(self) -> None:
        """Round up the bills of the replicas that still run: the fleet is given up at the end of its last hour."""
        if self.policy.granularity_s <= 0:
            return
        running = self._slots[self._slots["state"] > 0]
        spans = running["paid_until_s"] - running["since_s"]
        whole = np.ceil(spans / self.policy.granularity_s - 1e-9) * self.policy.granularity_s
        self.hours[-2].rounded_s += float((whole - spans).sum())


def turned_away(
    arrival_s: Array, prompt: ArrayLike, output: ArrayLike, engine: Engine, replicas: int, above: int
) -> NDArray[np.bool_]:
    """Which calls find `above` others on replicas of fixed number, and go elsewhere, (N,).

    Served without them, the others meet the very same fleet: a call that is turned away leaves no trace in it.
    """
    count = int(arrival_s[-1] // HOUR_S) + 1 if arrival_s.size else 1
    fixed = np.full(count, replicas)
    policy = Policy(1.0, 0, HOUR_S, HOUR_S, 0.0, 0.0, 0.0, 0.0, above, 2**62)
    fleet = AutoscaledFleet(engine, policy, Bounds(begin_s=0.0, least=fixed, most=fixed))
    calls = fleet.room_for(arrival_s.size)
    calls["arrival_s"], calls["prompt"], calls["output"] = arrival_s, prompt, output
    calls["ttft_s"] = calls["e2e_s"] = np.nan
    calls["emitted"] = calls["kept_until"] = 0
    calls["behind"] = -1
    return fleet.serve(calls, HOUR_S * count)
