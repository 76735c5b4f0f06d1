"""The plain per-iteration reference of the serving kernel: every step, every sequence, nothing clever.

One function a scheduler, each a loop over engine steps as vLLM's own scheduler makes them. The state is a list of
sequences, and KV blocks lie one by one in a queue of free blocks, overwritten in the order in which they were freed.
It shares no code with `simulator/simulated`, only the numbers of `StepTime`, and is a thousand times slower.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from simulator.simulated.queueing import Engine

BLOCK = 16


@dataclass
class Call:
    number: int
    arrival: float
    prompt: int
    output: int
    emitted: int = 0
    computed: int = 0  # tokens of a prefill under way that stand in the cache
    ttft: float = float("nan")
    e2e: float = float("nan")

    @property
    def context(self) -> int:
        return self.prompt + self.emitted


@dataclass
class Replica:
    engine: Engine
    clock: float = 0.0
    waiting: deque[Call] = field(default_factory=deque)
    prefilling: list[Call] = field(default_factory=list)
    decoding: list[Call] = field(default_factory=list)  # in order of admission
    warm: bool = False
    preemptions: int = 0
    busy: float = 0.0
    free: deque[tuple[int, int]] = field(default_factory=deque)  # blocks by what they last held: call, place
    table: dict[int, int] = field(default_factory=dict)  # blocks of each call in the engine

    def __post_init__(self) -> None:
        self.free.extend([(-1, 0)] * int(self.room()))

    # --- what a step costs -------------------------------------------------------------------------------------
    def products(self, tokens: int) -> float:
        step = self.engine.step
        touched = 1.0 - (1.0 - step.active_share) ** tokens if step.experts_s else 0.0
        return max(step.weights_s + step.experts_s * touched, step.per_token_s * tokens)

    def prefill_attention(self, cached: int, tokens: int) -> float:
        step = self.engine.step
        positions = range(cached + 1, cached + tokens + 1)
        seconds = step.pair_s * sum(positions)
        if step.window:
            seconds += step.pair_window_s * sum(min(at, step.window) for at in positions)
        return seconds

    def reading(self) -> float:
        step = self.engine.step
        seconds = step.read_s * sum(call.context for call in self.decoding)
        if step.window:
            seconds += step.read_window_s * sum(min(call.context, step.window) for call in self.decoding)
        return seconds

    # --- what fits ---------------------------------------------------------------------------------------------
    def need(self, context: int) -> float:
        own = context - self.engine.prefix_tokens
        window = self.engine.step.window
        if not window:
            return ceil(own / BLOCK)
        share = self.engine.full_share
        return share * ceil(own / BLOCK) + (1 - share) * ceil(min(own, window) / BLOCK)

    def room(self) -> float:
        prefix, window = self.engine.prefix_tokens, self.engine.step.window
        share = self.engine.full_share if window else 1.0
        shared = share * ceil(prefix / BLOCK) + (1 - share) * ceil(min(prefix, window) / BLOCK)
        return self.engine.kv_tokens // BLOCK - shared

    def held(self) -> float:
        return sum(self.need(call.context) for call in self.decoding) + sum(
            self.need(call.context + 1) for call in self.prefilling
        )

    def preempt_until_it_fits(self) -> None:
        """Every running sequence gets the block its next token needs, in order of admission, or the last one goes."""
        while self.held() > self.room() + 1e-9:
            last = self.prefilling[-1] if self.prefilling else self.decoding[-1]
            for call in self.decoding:
                if call is not last:
                    self.take(call, call.context, at_most=len(self.free))
            if self.prefilling:
                self.give_back(self.prefilling.pop(), keep=0)
            else:
                self.give_back(self.decoding.pop(), keep=(last.context - 1 - self.engine.prefix_tokens) // BLOCK)
            last.computed = 0
            self.waiting.appendleft(last)
            self.preemptions += 1
        for call in self.decoding:
            self.take(call, call.context)

    def next_waiting(self) -> Call | None:
        if not self.waiting or len(self.decoding) + len(self.prefilling) >= self.engine.max_num_seqs:
            return None
        if self.held() + self.need(self.waiting[0].context + 1) > self.room() + 1e-9:
            return None
        call = self.waiting.popleft()
        found = 0
        while (call.number, found) in self.free:
            self.free.remove((call.number, found))
            found += 1
        self.table[call.number] = found
        cached = (self.engine.prefix_tokens if self.warm else 0) + BLOCK * found
        call.computed = min(cached, call.context - 1)
        self.take(call, call.context + 1)
        self.warm = True
        self.prefilling.append(call)
        return call

    # --- blocks, one by one (full attention only: with windowed layers they are only counted) ----------------------
    def take(self, call: Call, context: int, at_most: int = 1 << 60) -> None:
        if not self.engine.step.window:
            more = min(ceil((context - self.engine.prefix_tokens) / BLOCK) - self.table[call.number], at_most)
            for _ in range(more):
                self.free.popleft()
            self.table[call.number] += max(more, 0)

    def give_back(self, call: Call, keep: int = 0) -> None:
        """Free a call's blocks from its last to its first; the first `keep` can be found again."""
        keep = keep if self.engine.prefix_caching else 0
        if not self.engine.step.window:
            for place in reversed(range(self.table.pop(call.number))):
                self.free.append((call.number, place) if place < keep else (-1, 0))

    # --- one step ----------------------------------------------------------------------------------------------
    def emit(self, calls: list[Call]) -> None:
        for call in calls:
            call.emitted += 1
            if call.emitted == 1:
                call.ttft = self.clock - call.arrival
            if call.emitted == call.output:
                call.e2e = self.clock - call.arrival
                self.give_back(call)

    def stall_step(self) -> bool:
        """A waiting call is prefilled alone; else all running sequences gain a token."""
        step = self.engine.step
        self.preempt_until_it_fits()
        call = self.next_waiting()
        if call is not None:
            tokens = call.context - call.computed
            seconds = step.overhead_s + self.products(tokens) + step.per_sequence_s
            self.spend(seconds + self.prefill_attention(call.computed, tokens))
            self.prefilling.remove(call)
            self.emit([call])
            self.decoding += [call] if call.emitted < call.output else []
            return True
        return self.decode_step()

    def chunked_step(self) -> bool:
        """All running sequences gain a token; what the token budget leaves goes to prefill, first come first."""
        step = self.engine.step
        self.preempt_until_it_fits()
        decoding = list(self.decoding)
        budget = self.engine.max_num_batched_tokens - len(decoding)
        tokens, sequences, attention, whole = len(decoding), len(decoding), 0.0, []
        while budget > 0:
            cut = self.prefilling and self.prefilling[-1] not in whole
            call = self.prefilling[-1] if cut else self.next_waiting()
            if call is None:
                break
            chunk = min(call.context - call.computed, budget)
            attention += self.prefill_attention(call.computed, chunk)
            call.computed += chunk
            budget -= chunk
            tokens += chunk
            sequences += 1
            if call.computed == call.context:
                whole.append(call)
        if sequences == len(decoding):
            return self.decode_step()
        attention += self.reading()
        self.spend(step.overhead_s + self.products(tokens) + step.per_sequence_s * sequences + attention)
        self.emit(decoding + whole)
        self.prefilling = [call for call in self.prefilling if call not in whole]
        self.decoding = [call for call in decoding + whole if call.emitted < call.output]
        return True

    def decode_step(self) -> bool:
        if not self.decoding:
            return False
        step, n = self.engine.step, len(self.decoding)
        self.spend(step.overhead_s + self.products(n) + step.per_sequence_s * n + self.reading())
        self.emit(self.decoding)
        self.decoding = [call for call in self.decoding if call.emitted < call.output]
        return True

    def spend(self, seconds: float) -> None:
        self.clock += seconds
        self.busy += seconds


@dataclass
class Outcome:
    ttft: list[float]
    e2e: list[float]
    preemptions: int
    busy: float


def simulate(arrival: list[float], prompt: list[int], output: list[int], engine: Engine) -> Outcome:
    """Serve the calls on one replica, step by step, with the scheduler of the engine."""
    return simulate_fleet(arrival, prompt, output, engine, 1)


def simulate_fleet(
    arrival: list[float], prompt: list[int], output: list[int], engine: Engine, replicas: int
) -> Outcome:
    """Serve the calls on several replicas: each call goes where the fewest are running or waiting at that moment.

    A step of each replica is laid out only when every arrival up to its start is known.
    """
    calls = [Call(i, at, p, o) for i, (at, p, o) in enumerate(zip(arrival, prompt, output, strict=True))]
    fleet = [Replica(engine) for _ in range(replicas)]
    homes: list[list[Call]] = [[] for _ in fleet]
    coming = deque(calls)
    while coming or any(_alive(replica) for replica in fleet):
        ready = [replica for replica in fleet if _alive(replica)]
        first = min(ready, key=lambda replica: replica.clock) if ready else None
        if coming and (first is None or coming[0].arrival <= first.clock):
            call = coming.popleft()
            loads = [sum(not _gone(other, call.arrival) for other in home) for home in homes]
            r = loads.index(min(loads))
            homes[r].append(call)
            if not _alive(fleet[r]):
                fleet[r].clock = max(call.arrival, fleet[r].clock)
            fleet[r].waiting.append(call)
            continue
        assert first is not None
        moved = first.chunked_step() if engine.scheduler == "chunked" else first.stall_step()
        assert moved, "a call that fits an empty cache can always go on"
    return Outcome(
        [call.ttft for call in calls],
        [call.e2e for call in calls],
        sum(replica.preemptions for replica in fleet),
        sum(replica.busy for replica in fleet),
    )


def _alive(replica: Replica) -> bool:
    return bool(replica.waiting or replica.prefilling or replica.decoding)


def _gone(call: Call, now: float) -> bool:
    return call.emitted == call.output and call.arrival + call.e2e < now
