"""What a step of a serving engine costs on average, and what the closed forms need to know of its calls.

Twin of `simulated/steptime.py`: the same numbers, over whole laws of lengths at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
BLOCK = 16  # tokens in a KV block, as in the kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Seconds of one step, by what it does: the same numbers as `simulated/steptime.py` explains."""

    overhead_s: float
    weights_s: float
    experts_s: float = 0.0
    active_share: float = 1.0
    per_token_s: float = 0.0
    per_sequence_s: float = 0.0
    read_s: float = 0.0
    read_window_s: float = 0.0
    pair_s: float = 0.0
    pair_window_s: float = 0.0
    window: int = 0

    def matmul_s(self, tokens: ArrayLike) -> Array:
        """Seconds of the matrix products of a step of so many tokens."""
        n = np.asarray(tokens, dtype=np.float64)
        weights = self.weights_s + self.experts_s * (1.0 - (1.0 - self.active_share) ** n)
        return np.maximum(weights, self.per_token_s * n)

    def attention_s(self, cached: ArrayLike, tokens: ArrayLike) -> Array:
        """Seconds of attention for tokens prefilled behind cached ones."""
        c, q = np.asarray(cached, dtype=np.float64), np.asarray(tokens, dtype=np.float64)
        seconds = self.pair_s * (q * c + q * (q + 1) / 2)
        if self.window:
            rising = np.clip(self.window - c, 0.0, q)
            near = rising * c + rising * (rising + 1) / 2 + (q - rising) * self.window
            seconds = seconds + self.pair_window_s * near
        return np.asarray(seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    """One replica as configured; the same fields as in the kernel. Prefix and KV tokens may be (D,), one a law."""

    step: StepTime
    kv_tokens: float | Array
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    scheduler: str = "chunked"
    prefix_tokens: float | Array = 0
    full_share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Station:
    """What the laws need to know of a replica and the calls it serves, all averages over the joint law of lengths.

    steps: m, decode steps of a call. context, near: context tokens read per sequence and step, full and windowed.
    fresh, attention_s: (K,) tokens and attention seconds of a prefill; weights: (K,) their probabilities.
    most: n'_max, sequences that decode at once; kv_binds: whether the KV cache is what bounds them.
    For D laws at once, every number is (D,) and every (K,) but the weights is (D, K).
    """

    engine: Engine
    steps: Array
    context: Array
    near: Array
    fresh: Array
    attention_s: Array
    weights: Array
    most: Array
    kv_binds: NDArray[np.bool_]

    def decode_s(self, n: ArrayLike) -> Array:
        """tau(n): seconds of a step of n sequences decoding and nothing else; n has a last axis more, or as many."""
        step, n = self.engine.step, np.asarray(n, dtype=np.float64)
        read = np.asarray(step.read_s * self.context + step.read_window_s * self.near)
        if n.ndim > read.ndim > 0:
            read = read[..., None]
        return np.asarray(step.overhead_s + step.matmul_s(n) + (step.per_sequence_s + read) * n)

    @property
    def prefill_s(self) -> Array:
        """S, (K,): seconds of a prefill alone in its step."""
        step = self.engine.step
        return step.overhead_s + step.matmul_s(self.fresh) + step.per_sequence_s + self.attention_s

    def mean(self, values: Array) -> Array:
        """Average a quantity of a call over the law of lengths."""
        return np.asarray((values * self.weights).sum(axis=-1))


def station(
    engine: Engine, prompt_tokens: ArrayLike, output_tokens: ArrayLike, weights: ArrayLike | None = None
) -> Station:
    """Describe a replica and its calls from the joint law of prompt and output lengths.

    prompt_tokens, output_tokens: (K,) points of the law, prompts with the shared prefix, or (D, K) of D laws at once;
    weights: (K,), equal if None. A sequence is read `output - 1` times, at contexts `p + 1 .. p + o - 1`: the mean
    context is length-biased.
    """
    p, o = np.atleast_1d(np.asarray(prompt_tokens, float)), np.atleast_1d(np.asarray(output_tokens, float))
    size = p.shape[-1]
    w = np.full(size, 1.0 / size) if weights is None else np.asarray(weights, float) / np.sum(weights)
    reads = o - 1.0
    steps = np.asarray((reads * w).sum(axis=-1))
    window, prefix = engine.step.window, np.asarray(engine.prefix_tokens, dtype=np.float64)
    of_call = prefix[..., None]

    def mean_level(start: Array, cap: Array) -> Array:
        """Mean over all decode steps of min(level, cap), where a sequence's level runs from start + 1 up by one."""
        rising = np.clip(cap - start, 0.0, reads)
        total = rising * start + rising * (rising + 1.0) / 2.0 + (reads - rising) * cap
        over = np.asarray((np.where(reads > 0, total, 0.0) * w).sum(axis=-1))
        at_start = (np.minimum(start, cap) * w).sum(axis=-1)
        return np.asarray(np.where(steps > 0, over / np.maximum(steps, 1e-300), at_start))

    far, seen = np.max(p + o, axis=-1, keepdims=True) + 1.0, np.asarray(float(window))
    own = mean_level(p - of_call, far) + BLOCK / 2
    own_near = np.minimum(mean_level(p - of_call, seen) + BLOCK / 2, own) if window else own
    shared = engine.full_share * prefix + (1 - engine.full_share) * (np.minimum(prefix, window) if window else prefix)
    room = engine.kv_tokens - shared
    by_kv = room / (engine.full_share * own + (1 - engine.full_share) * own_near + BLOCK / 2)
    fresh = np.maximum(p - of_call, 1.0)
    most = np.minimum(float(engine.max_num_seqs), by_kv)
    if engine.scheduler == "chunked":  # beyond this, decodes leave too little of a step to prefill
        a_step = 1.0 + (fresh * w).sum(axis=-1) / np.maximum(steps, 1e-300)
        most = np.where(steps > 0, np.minimum(most, engine.max_num_batched_tokens / a_step), most)
    return Station(
        engine=engine,
        steps=steps,
        context=mean_level(p, far),
        near=mean_level(p, seen) if window else np.zeros_like(steps),
        fresh=fresh,
        attention_s=engine.step.attention_s(p - fresh, fresh),
        weights=w,
        most=np.maximum(most, 1.0),
        kv_binds=np.asarray(by_kv <= most),
    )
