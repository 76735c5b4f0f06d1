"""How many calls the serving kernel serves per CPU second, beside SimPy yielding once per batch change.

Run `python -m bench.serving`. Compile time stands apart; seconds are CPU seconds, the best of several runs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush
from math import ceil, sqrt
from typing import Any

import numpy as np
import simpy

from simulator.simulated.queueing import Engine, serve
from simulator.simulated.steptime import StepTime, step_time

# Llama-3.1-8B in bf16 on one A100 80 GB SXM: 2,039 GB/s, 312 TFLOP/s; 0.9 x 80 GB less 16 GB of weights and 4.5 GB
# of reserve, over 131,072 bytes a token, is 393,000 tokens of KV cache.
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
KV_TOKENS = 393_000
PROMPT, OUTPUT = 512, 128
ROUNDS = 15


class SimpyReplica:
    """One replica with the stall scheduler as a SimPy process: an event a batch change, closed form between."""

    def __init__(self, env: simpy.Environment, step: StepTime, arrival: np.ndarray) -> None:
        self.env, self.step, self.arrival = env, step, arrival
        self.waiting: deque[int] = deque()
        self.ends: list[tuple[int, int]] = []
        self.virtual = self.read = 0
        self.first = np.zeros(len(arrival))
        self.last = np.zeros(len(arrival))
        self.decoding = False
        self.idle = env.event()
        self.server = env.process(self.serve())
        env.process(self.arrive())

    def arrive(self) -> Generator[Any, Any, None]:
        for call, at in enumerate(self.arrival):
            yield self.env.timeout(at - self.env.now)
            self.waiting.append(call)
            if not self.idle.triggered:
                self.idle.succeed()
            elif self.decoding:
                self.decoding = False
                self.server.interrupt()

    def step_s(self, tokens: int) -> float:
        return self.step.overhead_s + max(self.step.weights_s, self.step.per_token_s * tokens)

    def serve(self) -> Generator[Any, Any, None]:
        step = self.step
        pairs = step.pair_s * PROMPT * (PROMPT + 1) / 2
        prefill_s = self.step_s(PROMPT) + step.per_sequence_s + pairs
        while True:
            if self.waiting:
                call = self.waiting.popleft()
                yield self.env.timeout(prefill_s)
                self.first[call] = self.env.now
                heappush(self.ends, (self.virtual + OUTPUT - 1, call))
                self.read += PROMPT + 1
            elif self.ends:
                n, began = len(self.ends), self.env.now
                first = self.step_s(n) + step.per_sequence_s * n + step.read_s * self.read
                slope = step.read_s * n
                steps = self.ends[0][0] - self.virtual
                self.decoding = True
                try:
                    yield self.env.timeout(first * steps + slope * steps * (steps - 1) / 2)
                    self.decoding = False
                except simpy.Interrupt:
                    wait, linear = self.env.now - began, first - slope / 2
                    steps = max(1, ceil(2 * wait / (linear + sqrt(linear * linear + 2 * slope * wait))))
                    over = began + first * steps + slope * steps * (steps - 1) / 2
                    yield self.env.timeout(max(over - self.env.now, 0.0))
                self.virtual += steps
                self.read += n * steps
                while self.ends and self.ends[0][0] == self.virtual:
                    call = heappop(self.ends)[1]
                    self.last[call] = self.env.now
                    self.read -= PROMPT + OUTPUT
            else:
                self.idle = self.env.event()
                yield self.idle


def arrivals(rate: float, calls: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(1).exponential(1 / rate, calls))


def kernel_calls_per_cpu_s(engine: Engine, rate: float, replicas: int, calls: int) -> float:
    arrival = arrivals(rate, calls)
    prompt, output = np.full(calls, PROMPT), np.full(calls, OUTPUT)
    best = np.inf
    for _ in range(ROUNDS):
        began = time.process_time()
        serve(arrival, prompt, output, engine, replicas=replicas)
        best = min(best, time.process_time() - began)
    return calls / best


def simpy_calls_per_cpu_s(rate: float, calls: int) -> tuple[float, float]:
    """Return the speed, and the worst difference of any end from the kernel's."""
    arrival = arrivals(rate, calls)
    engine = Engine(step=STEP, kv_tokens=KV_TOKENS, scheduler="stall")
    served = serve(arrival, np.full(calls, PROMPT), np.full(calls, OUTPUT), engine)
    env = simpy.Environment()
    replica = SimpyReplica(env, STEP, arrival)
    began = time.process_time()
    env.run()
    seconds = time.process_time() - began
    return calls / seconds, float(np.max(np.abs((replica.last - arrival) / served.e2e_s - 1)))


def main() -> None:
    """Print the table."""
    began = time.process_time()
    for scheduler in ("stall", "chunked"):
        serve([0.0], [PROMPT], [OUTPUT], Engine(step=STEP, kv_tokens=KV_TOKENS, scheduler=scheduler))
    print(f"first call, compiling or reading the cache: {time.process_time() - began:.1f} CPU s")
    print(f"{PROMPT} in / {OUTPUT} out, Llama-3.1-8B on an A100, KV limit and preemption on; million calls per CPU s")
    for scheduler in ("stall", "chunked"):
        engine = Engine(step=STEP, kv_tokens=KV_TOKENS, scheduler=scheduler)
        for rate, replicas in ((2, 1), (8, 1), (12, 1), (64, 8)):
            speed = kernel_calls_per_cpu_s(engine, rate, replicas, 200_000)
            print(f"  {scheduler:8} {rate:3} calls/s, {replicas} replicas: {speed / 1e6:6.2f}")
    tight = Engine(step=STEP, kv_tokens=20_000, scheduler="chunked")
    served = serve(arrivals(11, 50_000), np.full(50_000, PROMPT), np.full(50_000, OUTPUT), tight)
    speed = kernel_calls_per_cpu_s(tight, 11, 1, 50_000)
    often = served.preemptions / 50_000
    print(f"  a cache of 20,000 tokens, 11 calls/s, {often:.2f} preemptions a call: {speed / 1e6:.2f}")
    engine = Engine(step=STEP, kv_tokens=KV_TOKENS, scheduler="stall")
    for rate in (2, 8, 12):
        slow, difference = simpy_calls_per_cpu_s(rate, 20_000)
        fast = kernel_calls_per_cpu_s(engine, rate, 1, 200_000)
        print(
            f"  SimPy, {rate} calls/s: {slow / 1e6:.4f} ({fast / slow:.0f} times slower; "
            f"ends differ by at most {difference:.0e} of the stay)"
        )


if __name__ == "__main__":
    main()
