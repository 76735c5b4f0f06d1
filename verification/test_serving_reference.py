"""The serving kernel equals a plain simulation of every engine step, on loads too long for the fast tests."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.simulated.queueing import Engine, serve
from simulator.simulated.steptime import step_time
from verification.plain import simulate_fleet

EXACT = 1e-9
WITH_PREEMPTION = 1e-3

# Llama-3.1-8B in bf16 on one A100 80 GB SXM with default shares of its bandwidth and arithmetic.
STEP = step_time(
    overhead_s=0.0017,
    mbu=0.85,
    mfu=0.55,
    per_sequence_s=16e-6,
    bandwidth_bytes_per_s=2039e9,
    flops_per_s=312e12,
    weight_bytes=2 * 7.505e9,
    matmul_params=7.505e9,
    kv_bytes=131072,
    attention_width=32 * 32 * 128,
)
WINDOWED = STEP._replace(window=256, read_s=STEP.read_s / 2, read_window_s=STEP.read_s / 2, pair_window_s=STEP.pair_s)
EXPERTS = STEP._replace(weights_s=STEP.weights_s / 5, experts_s=STEP.weights_s, active_share=0.125)


@pytest.mark.parametrize("scheduler", ["stall", "chunked"])
@pytest.mark.parametrize("kv_tokens", [400_000, 8_000])
@pytest.mark.parametrize("kind", ["dense", "windowed", "experts", "prefix", "fleet"])
def test_long_runs_agree_with_every_step(scheduler: str, kv_tokens: int, kind: str) -> None:
    random = np.random.default_rng(20261123)
    calls = 600
    replicas = 3 if kind == "fleet" else 1
    arrival = np.cumsum(random.exponential(1 / (9.0 * replicas), calls))
    prefix = 300 if kind == "prefix" else 0
    prompt = prefix + 1 + np.minimum(random.poisson(random.lognormal(5.5, 0.8, calls)), 4000)
    output = 1 + np.minimum(random.poisson(random.lognormal(4.5, 0.8, calls)), 2000)
    engine = Engine(
        step={"windowed": WINDOWED, "experts": EXPERTS}.get(kind, STEP),
        kv_tokens=kv_tokens,
        scheduler=scheduler,
        max_num_batched_tokens=512,
        prefix_tokens=prefix,
        full_share=0.5 if kind == "windowed" else 1.0,
    )
    fast = serve(arrival, prompt, output, engine, replicas=replicas)
    plain = simulate_fleet(arrival.tolist(), prompt.tolist(), output.tolist(), engine, replicas)
    error = max(
        np.max(np.abs(fast.ttft_s / np.array(plain.ttft) - 1.0)),
        np.max(np.abs(fast.e2e_s / np.array(plain.e2e) - 1.0)),
    )
    print(f"{kind:9} {scheduler:8} KV {kv_tokens:7}: {plain.preemptions:4} preemptions, worst difference {error:.1e}")
    assert fast.preemptions == plain.preemptions
    assert error <= (WITH_PREEMPTION if plain.preemptions else EXACT)
    if kv_tokens == 8_000 and replicas == 1:
        assert plain.preemptions > 0, "this load is meant to overflow the cache"
