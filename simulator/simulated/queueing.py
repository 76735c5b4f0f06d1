"""Serve calls on replicas of a continuously batching engine, call by call, without visiting a single token.

Calls join and leave at step ends. Prefill emits the first token, so a call decodes `output - 1` steps. Scheduler
*stall*: a prefill runs alone, before any further decode. Scheduler *chunked*: a step takes the running decodes, then
waiting prefill up to `max_num_batched_tokens`. Admission is first come, first served, by KV blocks in use; where the
blocks run out the last admitted call is preempted and later prefilled again with what it has emitted.

Its twin is `expected/queueing.py`; the plain per-iteration simulations it must equal stand in `verification/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.simulated.arrivals import REFUSED, drive_arrivals, drive_closed_loop, renumber
from simulator.simulated.replica import BLOCK, CALL, Calls, Limits, blocks_of, need_of_call, new_replicas
from simulator.simulated.steptime import StepTime

SCHEDULERS = ("chunked", "stall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One replica as configured: how fast its steps are and what bounds its batch.

    kv_tokens: tokens the KV cache holds, as the engine reports them; full_share: share of a token's KV bytes that
    stands in full-attention layers (1 without windowed ones). prefix_tokens: shared by all calls, cached, held once.
    prefix_caching: what a preempted call wrote is found again until it is overwritten (full attention only).
    """

    step: StepTime
    kv_tokens: int
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    scheduler: str = "chunked"
    prefix_tokens: int = 0
    full_share: float = 1.0
    prefix_caching: bool = True

    def __post_init__(self) -> None:
        """Refuse a configuration that no engine would start with."""
        if self.scheduler not in SCHEDULERS:
            raise ValueError(f"scheduler {self.scheduler!r}: must be one of {', '.join(SCHEDULERS)}")
        if self.max_num_seqs < 1 or self.max_num_batched_tokens < 1:
            raise ValueError("max_num_seqs and max_num_batched_tokens must be at least 1")
        if self.prefix_tokens < 0 or not 0.0 <= self.full_share <= 1.0:
            raise ValueError("prefix_tokens must not be negative and full_share must lie between 0 and 1")
        if self.limits.room_blocks < 1:
            raise ValueError(
                f"a KV cache of {self.kv_tokens} tokens has no block left beside a prefix of {self.prefix_tokens}"
            )

    @property
    def limits(self) -> Limits:
        """The bounds as the kernel reads them; the shared prefix is taken off the room once."""
        window = self.step.window
        near = min(self.prefix_tokens, window) if window else self.prefix_tokens
        prefix = self.full_share * blocks_of(self.prefix_tokens) + (1.0 - self.full_share) * blocks_of(near)
        return Limits(
            room_blocks=self.kv_tokens // BLOCK - prefix,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            chunked=self.scheduler == "chunked",
            prefix=self.prefix_tokens,
            full_share=self.full_share,
            keeps=self.prefix_caching,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """What became of the calls; arrays are in order of arrival, refused calls hold NaN.

    arrival_s, ttft_s, e2e_s: (N,) seconds, the last two from arrival. refused: calls whose prompt and output together
    exceed the KV cache; under_way: calls that have not ended yet (after a piece of a longer run). busy_s: seconds in
    steps, decoding_s: integral of the number of sequences decoding, both (R,). preemptions and prefill_tokens
    (recomputed ones included) count over all replicas; most_decoding is the most one replica ever decoded at once.
    """

    arrival_s: NDArray[np.float64]
    output: NDArray[np.int32]
    ttft_s: NDArray[np.float64]
    e2e_s: NDArray[np.float64]
    busy_s: NDArray[np.float64]
    decoding_s: NDArray[np.float64]
    refused: int
    under_way: int
    preemptions: int
    prefill_tokens: int
    most_decoding: int

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Seconds per output token after the first, `(e2e - ttft) / (output - 1)`, of calls with two or more."""
        more = self.output >= 2
        return (self.e2e_s[more] - self.ttft_s[more]) / (self.output[more] - 1)

    @property
    def output_tokens(self) -> int:
        """Tokens emitted for calls that were served."""
        return int(self.output[~np.isnan(self.e2e_s)].sum(dtype=np.int64))

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last token."""
        served = ~np.isnan(self.e2e_s)
        if not served.any():
            return 0.0
        return float((self.arrival_s[served] + self.e2e_s[served]).max() - self.arrival_s[served].min())

    @property
    def mean_concurrency(self) -> float:
        """Calls in the system over the makespan, waiting ones included (Little: the sum of stays over the time)."""
        span = self.makespan_s
        return float(np.nansum(self.e2e_s)) / span if span > 0 else 0.0

    def waiting_at(self, times_s: ArrayLike) -> NDArray[np.int64]:
        """Calls that had arrived and had no first token yet, at each of the times (queue and prefill together)."""
        served = ~np.isnan(self.ttft_s)
        times = np.asarray(times_s, dtype=np.float64)
        arrived = np.searchsorted(np.sort(self.arrival_s[served]), times, side="right")
        begun = np.searchsorted(np.sort((self.arrival_s + self.ttft_s)[served]), times, side="right")
        return (arrived - begun).astype(np.int64)


class Fleet:
    """Replicas that are served in pieces: calls under way at the end of one piece end in a later one.

    A long run then needs no more memory than its longest piece, and gives the very same numbers as in one piece.
    """

    def __init__(self, engine: Engine, replicas: int = 1) -> None:
        if replicas < 1:
            raise ValueError(f"replicas {replicas}: must be at least 1")
        kinds = 3 if engine.step.window else 1  # a sequence has a key for its end, and one for each window it fills
        self.engine = engine
        self._replicas = new_replicas(replicas)
        self._heaps = np.zeros((replicas, kinds * engine.max_num_seqs + 1), dtype=np.int64)
        self._phases = np.zeros((replicas, 2, BLOCK), dtype=np.int64)
        self._under_way = np.empty(0, dtype=CALL).view(np.recarray)
        self._clock_s = -np.inf

    def serve(
        self, arrival_s: ArrayLike, prompt_tokens: ArrayLike, output_tokens: ArrayLike, *, drain: bool = False
    ) -> Served:
        """Serve the next piece, and tell of the calls that ended in it; with `drain`, until the last has ended.

        Arguments as in `serve`; no call may arrive before the last one of the piece before.
        """
        arrival = np.ascontiguousarray(arrival_s, dtype=np.float64)
        if arrival.size and not (np.all(np.isfinite(arrival)) and np.all(np.diff(arrival) >= 0.0)):
            raise ValueError("arrival times must be finite and ascending")
        if arrival.size and arrival[0] < self._clock_s:
            raise ValueError(f"a call arrives at {arrival[0]} s, before the last piece ended at {self._clock_s} s")
        if arrival.size:
            self._clock_s = float(arrival[-1])
        first = self._under_way.size
        calls = self._with_new(arrival, prompt_tokens, output_tokens)
        state = (self._replicas, self._heaps, self._phases)
        before = self._replicas.copy()
        refused = drive_arrivals(*state, calls, self.engine.step, self.engine.limits, first, drain)
        return self._told(calls, before, refused)

    def serve_closed_loop(
        self, prompt_tokens: ArrayLike, output_tokens: ArrayLike, concurrency: int
    ) -> Served:
        """Serve calls of which the next arrives the moment one leaves; the fleet must be empty."""
        if concurrency < 1:
            raise ValueError(f"concurrency {concurrency}: must be at least 1")
        if self._clock_s > -np.inf:
            raise ValueError("a closed loop begins with an empty fleet")
        calls = self._with_new(np.zeros(np.size(prompt_tokens)), prompt_tokens, output_tokens)
        before = self._replicas.copy()
        state = (self._replicas, self._heaps, self._phases)
        refused = drive_closed_loop(*state, calls, self.engine.step, self.engine.limits, concurrency)
        self._clock_s = float(self._replicas["clock_s"].max())
        return self._told(calls, before, refused)

    def _with_new(self, arrival: NDArray[np.float64], prompt_tokens: ArrayLike, output_tokens: ArrayLike) -> Calls:
        """Put the new calls behind those under way."""
        prompt, output = np.atleast_1d(np.asarray(prompt_tokens)), np.atleast_1d(np.asarray(output_tokens))
        count = arrival.size
        if prompt.shape != (count,) or output.shape != (count,):
            raise ValueError(f"{count} arrivals, {prompt.size} prompts and {output.size} outputs do not go together")
        least = max(self.engine.prefix_tokens, 1)
        if count and (prompt.min() < least or output.min() < 1 or prompt.max() + output.max() >= 2**31):
            raise ValueError(
                f"every prompt must hold the shared prefix of {self.engine.prefix_tokens} tokens (at least 1), "
                "every output at least 1 token, and both together fewer than 2^31"
            )
        first = self._under_way.size
        calls = np.empty(first + count, dtype=CALL).view(np.recarray)
        calls[:first] = self._under_way
        new = calls[first:]
        new["arrival_s"], new["prompt"], new["output"] = arrival, prompt, output
        new["ttft_s"] = new["e2e_s"] = np.nan
        new["emitted"] = new["kept_until"] = 0
        return calls

    def _told(self, calls: Calls, before: Any, refused: int) -> Served:
        """Keep the calls under way for the next piece, and tell of the others."""
        under_way = np.isnan(calls["e2e_s"])
        if refused:
            under_way &= calls["emitted"] != REFUSED
        self._under_way = calls[under_way]
        if self._under_way.size:
            renumber(self._replicas, self._heaps, self._under_way, np.cumsum(under_way) - 1)
            calls = calls[~under_way]
        now = self._replicas
        return Served(
            arrival_s=calls["arrival_s"],
            output=calls["output"],
            ttft_s=calls["ttft_s"],
            e2e_s=calls["e2e_s"],
            busy_s=now["busy_s"] - before["busy_s"],
            decoding_s=now["decoding_s"] - before["decoding_s"],
            refused=refused,
            under_way=self._under_way.size,
            preemptions=int((now["preemptions"] - before["preemptions"]).sum()),
            prefill_tokens=int((now["prefilled"] - before["prefilled"]).sum()),
            most_decoding=int(now["most_decoding"].max()),
        )


def serve(
    arrival_s: ArrayLike,
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    engine: Engine,
    *,
    replicas: int = 1,
) -> Served:
    """Serve calls that arrive at given times; each goes to the replica with the fewest calls, ties to the lowest id.

    arrival_s: (N,) seconds, ascending. prompt_tokens: (N,) whole prompts, the shared prefix included.
    output_tokens: (N,), at least 1. Raises ValueError where the arrays do not fit each other or the prefix.

    >>> from simulator.simulated.steptime import StepTime
    >>> step = StepTime(0.01, 0.0, 0.0, 1.0, 0.001, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    >>> one = serve([0.0], [100], [3], Engine(step=step, kv_tokens=1600, scheduler="stall"))
    >>> round(float(one.ttft_s[0]), 6), round(float(one.e2e_s[0]), 6)   # 10 + 100 ms, then twice 10 + 1 ms
    (0.11, 0.132)
    """
    return Fleet(engine, replicas).serve(arrival_s, prompt_tokens, output_tokens, drain=True)


def serve_closed_loop(
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    engine: Engine,
    *,
    concurrency: int,
    replicas: int = 1,
) -> Served:
    """Serve calls with a fixed number in the system: the next one arrives the moment one leaves.

    prompt_tokens, output_tokens: (N,), taken in order; the first `concurrency` of them arrive at time 0.
    """
    return Fleet(engine, replicas).serve_closed_loop(prompt_tokens, output_tokens, concurrency)


def why_refused(engine: Engine, prompt_tokens: int, output_tokens: int) -> str | None:
    """Say with the arithmetic why a call can never be served, or None where it can."""
    limits = engine.limits
    need = need_of_call(limits, engine.step.window, prompt_tokens + output_tokens)
    if need <= limits.room_blocks:
        return None
    return (
        f"a call of {prompt_tokens} + {output_tokens} tokens needs {need:g} KV blocks of {BLOCK} tokens beside the "
        f"shared prefix of {engine.prefix_tokens}, but a cache of {engine.kv_tokens} tokens leaves "
        f"{limits.room_blocks:g}"
    )
