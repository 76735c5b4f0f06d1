"""A real run of vLLM on an RTX 4090 is foretold from kernels measured apart, with nothing fitted to the run.

Every number of the step comes from `data/vllm_rtx4090_llama31_8b/kernels`, single layers timed on the same kind of
card. The engine's own scheduling costs nothing on top: it ran with `async_scheduling`, which lays out the next step
while the card works on this one. Told by the engine (its `meta.json`): a KV cache of 41,408 tokens, chunked prefill,
2,048 batched tokens, at most 256 sequences, prefix caching.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from simulator.simulated.queueing import Engine, Served, serve
from simulator.simulated.steptime import StepTime

RUN = Path(__file__).parent / "data" / "vllm_rtx4090_llama31_8b"
LAYERS = 32
FEW = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64)  # sequences in a decode step of the run: at most 49
LONG = 2048  # tokens of the longest prefill step

Times = dict[tuple[str, int], float]


def read_times(name: str, layer: str, size: str) -> Times:
    with (RUN / "kernels" / name).open() as file:
        return {(row[layer], int(row[size])): float(row["time_us"]) * 1e-6 for row in csv.DictReader(file)}


def read_attention() -> tuple[np.ndarray, float]:
    """Decode attention of all layers as (step, sequence, context token) seconds, and of one long prefill."""
    with (RUN / "kernels" / "attention.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    decode = [row for row in rows if 1 <= row["n_decode"] <= 64 and 128 <= row["kv_decode"] <= 4096]
    time = np.array([LAYERS * row["time_us"] * 1e-6 for row in decode])
    terms = np.array([[1.0, row["n_decode"], row["n_decode"] * row["kv_decode"]] for row in decode])
    parts, *_ = np.linalg.lstsq(terms / time[:, None], np.ones(len(decode)), rcond=None)  # least relative squares
    prefill = [row["time_us"] for row in rows if row["prefill_chunk"] == LONG and row["n_decode"] == 0]
    return parts, LAYERS * prefill[0] * 1e-6


def step_from_kernels() -> StepTime:
    dense = read_times("dense.csv", "layer", "tokens")
    heads = read_times("per_sequence.csv", "layer", "sequences")
    (attention_step, attention_sequence, attention_token), attention_prefill = read_attention()

    def products(tokens: int) -> float:
        return LAYERS * sum(dense[name, tokens] for name in ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"))

    def small(tokens: int) -> float:
        per_layer = 2 * dense["layernorm", tokens] + dense["act_fn", tokens] + dense["rotary_emb", tokens]
        return LAYERS * per_layer + dense["embedding", tokens] + dense["final_layernorm", tokens]

    weighty = [products(n) + heads["lm_head", n] + heads["sampler", n] for n in FEW]
    each, weights = np.polyfit(FEW, weighty, 1)
    step = StepTime(
        overhead_s=small(1) + attention_step,
        weights_s=float(weights),
        experts_s=0.0,
        active_share=1.0,
        per_token_s=(products(LONG) + small(LONG)) / LONG,
        per_sequence_s=float(each) + attention_sequence,
        read_s=attention_token,
        read_window_s=0.0,
        pair_s=attention_prefill / (LONG * (LONG + 1) / 2),
        pair_window_s=0.0,
        window=0,
    )
    print(
        f"read from the kernels: {step.overhead_s * 1e3:.2f} ms a step, {step.weights_s * 1e3:.2f} ms for the weights, "
        f"{step.per_token_s * 1e6:.1f} us a prefill token, {step.per_sequence_s * 1e6:.1f} us a sequence, "
        f"{step.read_s * 1e6:.3f} us a context token"
    )
    return step


def simulated_and_measured(scheduler: str) -> tuple[Served, dict[str, np.ndarray], float]:
    rows = [json.loads(line) for line in (RUN / "requests.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["arrival_time"])
    arrival = np.array([row["arrival_time"] for row in rows])
    arrival -= arrival[0]
    start = min(row["queued_ts"] for row in rows)  # the engine's own clock runs from the first arrival
    prompt = np.array([row["input_toks"] for row in rows])
    output = np.array([row["output_toks"] for row in rows])
    first = np.array([row["first_token_ts"] for row in rows]) - start
    last = np.array([row["last_token_ts"] for row in rows]) - start
    engine = Engine(
        step=step_from_kernels(), kv_tokens=41_408, max_num_seqs=256, max_num_batched_tokens=2048, scheduler=scheduler
    )
    served = serve(arrival, prompt, output, engine)
    measured = {"TTFT": first - arrival, "TPOT": (last - first) / (output - 1), "end-to-end": last - arrival}
    return served, measured, float(last.max())


def test_latencies_and_total_time_of_the_run() -> None:
    served, measured, total = simulated_and_measured("chunked")
    simulated = {"TTFT": served.ttft_s, "TPOT": served.tpot_s, "end-to-end": served.e2e_s}
    failures = []
    for name, tolerance in (("mean", 0.05), ("p95", 0.08)):
        for quantity, values in simulated.items():
            of = np.mean if name == "mean" else lambda x: np.percentile(x, 95)
            got, want = float(of(values)), float(of(measured[quantity]))
            print(f"{quantity:10} {name:4} simulated {got:8.4f} s, measured {want:8.4f} s, {got / want - 1:+.1%}")
            if abs(got / want - 1) > tolerance:
                failures.append(f"{quantity} {name}")
    print(f"total time      simulated {served.makespan_s:.1f} s, measured {total:.1f} s, "
          f"{served.makespan_s / total - 1:+.1%}; {served.preemptions} preemptions")
    assert not failures
    assert abs(served.makespan_s / total - 1) <= 0.03


