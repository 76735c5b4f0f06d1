"""The part of the simulated wing that serves calls on bound replicas, one by one, and tells what became of them."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.serving import Replica
from simulator.domain.findings import ServingRun, Times
from simulator.simulated.autoscaled import turned_away
from simulator.simulated.queueing import Engine, Served, serve, serve_closed_loop, why_refused
from simulator.simulated.steptime import StepTime

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
WARM_UP = 0.1
"""Share of the first calls of a steady run that is left out: they meet a fleet that is still empty."""
MEASURED_CALLS = 20_000
ADAPTER_SHARE = 0.005
"""A LoRA adapter of rank 16 on all linear layers weighs 0.5 % of its base (84 MB on Llama-3.1-8B)."""


class Drawn(NamedTuple):
    """Mean tokens of a call, their coefficients of variation, and the correlation of their logarithms."""

    prefix: int
    input: float
    output: float
    input_cv: float = 0.0
    output_cv: float = 0.0
    correlation: float = 0.0


def engine_of(replica: Replica, prefix: int = 0, adapters: int = 1) -> Engine:
    """A replica as the kernel reads it, with so many shared tokens and adapters."""
    seconds = replica.step_seconds()
    kv = replica.kv_tokens - (adapters - 1) * prefix
    if adapters > 1:
        kv -= round(adapters * ADAPTER_SHARE * replica.weights_bytes / replica.model.kv_bytes_per_token())
    return Engine(
        step=StepTime(*(getattr(seconds, name) for name in StepTime._fields)),
        kv_tokens=max(kv, 1),
        max_num_seqs=replica.profile.max_num_seqs,
        max_num_batched_tokens=replica.profile.max_num_batched_tokens,
        scheduler=replica.profile.scheduler,
        prefix_tokens=prefix,
        full_share=replica.full_share,
    )


def lengths(drawn: Drawn, calls: int, seed: int) -> tuple[Counts, Counts]:
    """Prompts and outputs of so many calls in whole tokens, (N,) each: correlated log-normals, the means kept."""
    random = np.random.default_rng([seed, 1])
    first, second = random.standard_normal((2, calls))
    other = drawn.correlation * first + np.sqrt(max(1.0 - drawn.correlation**2, 0.0)) * second

    def whole(mean: float, cv: float, z: Array) -> Counts:
        sigma = float(np.sqrt(np.log1p(cv * cv)))
        exact = mean * np.exp(sigma * z - sigma * sigma / 2.0)
        return np.maximum(np.floor(exact + random.random(calls)), 1).astype(np.int64)

    prompt = drawn.prefix + whole(drawn.input, drawn.input_cv, first)
    return prompt, whole(drawn.output, drawn.output_cv, other)


def open_loop(
    replica: Replica, drawn: Drawn, rate_per_s: float, calls: int, *, replicas: int = 1, adapters: int = 1,
    seed: int = 0, steady: bool = True, overflow_above: int = 0,
) -> ServingRun:
    """Serve a Poisson stream; `steady` leaves out the first calls, else the run is told as it was, to the end.

    With `overflow_above` calls in the fleet others go elsewhere, and nothing is told of them.
    """
    arrival = np.cumsum(np.random.default_rng([seed, 0]).exponential(1.0 / rate_per_s, calls))
    prompt, output = lengths(drawn, calls, seed)
    engine = _fitting(engine_of(replica, drawn.prefix, adapters), prompt, output)
    if overflow_above:
        kept = ~turned_away(arrival, prompt, output, engine, replicas, overflow_above)
        arrival, prompt, output = arrival[kept], prompt[kept], output[kept]
    return told(serve(arrival, prompt, output, engine, replicas=replicas), engine, replicas, WARM_UP if steady else 0.0)


def closed_loop(
    replica: Replica, drawn: Drawn, concurrency: int, calls: int, *, replicas: int = 1, seed: int = 0,
    steady: bool = True,
) -> ServingRun:
    """Serve with a fixed number of calls in the fleet."""
    prompt, output = lengths(drawn, calls, seed)
    engine = engine_of(replica, drawn.prefix)
    served = serve_closed_loop(prompt, output, _fitting(engine, prompt, output), concurrency=concurrency,
                               replicas=replicas)
    return told(served, engine, replicas, max(WARM_UP, min(concurrency / calls, 0.5)) if steady else 0.0)


@functools.lru_cache(maxsize=64)
def played_saturation(replica: Replica, lengths_of: tuple[float, ...], adapters: int = 1) -> float:
    """Calls a second that one replica can just serve: what it does while more calls wait than it takes in.

    `lengths_of`: prefix, input, output, their coefficients of variation and their correlation.
    """
    drawn = Drawn(int(lengths_of[0]), *lengths_of[1:])
    engine = engine_of(replica, drawn.prefix, adapters)
    prompt, output = lengths(drawn, MEASURED_CALLS, 0)
    crowd = min(2 * engine.max_num_seqs, MEASURED_CALLS // 4)
    return told(serve_closed_loop(prompt, output, engine, concurrency=crowd), engine, 1, WARM_UP).requests_per_s


def replay(
    replica: Replica, arrival_s: Array, prompt: Counts, output: Counts, *, replicas: int = 1
) -> tuple[ServingRun, NDArray[np.bool_]]:
    """Serve calls that came at known times, and say which of them were: (N,) True where a call was not refused.

    A call is refused that is longer than what the model reads, or larger than the KV cache.
    """
    engine, output = engine_of(replica), np.maximum(output, 1)
    taken = prompt + output <= replica.model.max_context
    served = serve(arrival_s[taken], prompt[taken], output[taken], engine, replicas=replicas)
    fits = taken.copy()
    fits[taken] = ~np.isnan(served.e2e_s)
    if not fits.any():
        least = int(np.argmin(prompt + output))
        why = replica.why_too_long(0.0, float(prompt[least] + output[least]))
        raise InputError(f"no call can be served; the shortest: {why}")
    done = told(served, engine, replicas, 0.0)
    return dataclasses.replace(done, refused=int((~fits).sum())), fits


def _fitting(engine: Engine, prompt: Counts, output: Counts) -> Engine:
    """Refuse a workload of which the mean call could never be served, with the arithmetic."""
    reason = why_refused(engine, int(np.mean(prompt)), int(np.mean(output)))
    if reason is not None:
        raise InputError(f"{reason}; take a larger card, a smaller model, or shorter calls")
    return engine


def told(served: Served, engine: Engine, replicas: int, warm_up: float) -> ServingRun:
    """What became of the calls: percentiles over those after the warm-up, speeds over the time they cover."""
    size = served.arrival_s.size
    ends = served.arrival_s + served.e2e_s
    first = int(size * warm_up)
    kept = np.zeros(size, dtype=bool)
    kept[first:] = True
    kept &= ~np.isnan(served.e2e_s)
    if not kept.any():
        raise InputError("no call could be served; every one is larger than the KV cache")
    if warm_up > 0:  # between two whole points of the run, so that neither filling nor emptying counts
        order = np.sort(ends[~np.isnan(ends)])
        begin, end = order[int(len(order) * warm_up)], order[int(len(order) * (1.0 - warm_up)) - 1]
    else:
        begin, end = float(np.min(served.arrival_s)), float(np.nanmax(ends))
    inside = (ends > begin) & (ends <= end)
    span = max(float(end - begin), 1e-12)
    tokens = served.output[kept]
    more = tokens >= 2
    tpot = (served.e2e_s[kept][more] - served.ttft_s[kept][more]) / (tokens[more] - 1)
    whole = max(served.makespan_s, 1e-12)
    return ServingRun(
        ttft_s=_times(served.ttft_s[kept]),
        tpot_s=_times(tpot),
        e2e_s=_times(served.e2e_s[kept]),
        calls=int(kept.sum()),
        output_tokens_per_s=float(served.output[inside].sum() / span),
        requests_per_s=float(inside.sum() / span),
        mean_concurrency=served.mean_concurrency,
        busy_share=float(np.mean(served.busy_s) / whole),
        preemptions=served.preemptions,
        refused=served.refused,
        makespan_s=served.makespan_s,
        most_decoding=served.most_decoding,
        prefill_tokens=served.prefill_tokens,
        waiting_at_end=int(served.waiting_at([float(served.arrival_s[-1])])[0]),
        replicas=replicas,
    )


def _times(values: Array) -> Times:
    if not len(values):
        return Times(mean=float("nan"), p50=float("nan"), p95=float("nan"), p99=float("nan"))
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return Times(mean=float(values.mean()), p50=float(p50), p95=float(p95), p99=float(p99))
