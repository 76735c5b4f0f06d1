"""What `data/throughput.csv` measured, row by row, as the kernel runs it: which rows are judged, and why others not."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.simulated.queueing import Engine, Served, serve, serve_closed_loop
from simulator.simulated.steptime import step_time

HERE = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Shape:
    """A model: parameters held and used per token (billions), KV bytes per token, heads x head_dim x layers."""

    params_b: float
    matmul_b: float
    kv_bytes: float
    width: float
    kv_window_bytes: float = 0.0
    width_window: float = 0.0
    window: int = 0


LLAMA_8B = Shape(8.03, 7.505, 131072, 32 * 32 * 128)
LLAMA_70B = Shape(70.55, 69.502, 327680, 80 * 64 * 128)
QWEN25_7B = Shape(7.62, 7.07, 57344, 28 * 28 * 128)
QWEN25_14B = Shape(14.77, 13.991, 196608, 48 * 40 * 128)
# Shapes from the published configs; Yi-6B: 32 layers, hidden 4096, ffn 11008, 4 KV heads.
SHAPES = {
    "Llama-3-8B": LLAMA_8B,
    "Llama-3.1-8B-Instruct": LLAMA_8B,
    "DeepSeek-R1-Distill-Llama-8B": LLAMA_8B,
    "Llama-3-70B": LLAMA_70B,
    "Qwen2.5-7B-Instruct": QWEN25_7B,
    "DeepSeek-R1-Distill-Qwen-7B": QWEN25_7B,
    "Qwen2.5-14B-Instruct": QWEN25_14B,
    "DeepSeek-R1-Distill-Qwen-14B": QWEN25_14B,
    "Qwen3-8B": Shape(8.19, 7.568, 147456, 36 * 32 * 128),
    "Qwen3-14B": Shape(14.77, 13.99, 163840, 40 * 40 * 128),
    "Qwen3-32B": Shape(32.76, 31.984, 262144, 64 * 64 * 128),
    "gemma-3-12b-it": Shape(12.2, 11.765, 65536, 8 * 16 * 256, 327680, 40 * 16 * 256, 1024),
    "Yi-6B-Chat": Shape(6.06, 5.80, 65536, 32 * 32 * 128),
}
# bytes/s, FLOP/s in bf16 and fp8, bytes of memory (data sheets; memory as the driver reports it)
GPUS = {
    "RTX 3090": (936e9, 71e12, 71e12, 25.3e9),
    "RTX 4090": (1008e9, 165.2e12, 330.3e12, 25.25e9),
    "A40": (696e9, 149.7e12, 149.7e12, 48.3e9),
    "L40S": (864e9, 362.05e12, 733e12, 48.3e9),
    "A100 40GB SXM": (1555e9, 312e12, 312e12, 42.3e9),
    "A100 80GB PCIe": (1935e9, 312e12, 312e12, 85.2e9),
    "A100 80GB SXM": (2039e9, 312e12, 312e12, 85.2e9),
    "H100 PCIe": (2000e9, 756.5e12, 1513e12, 85.5e9),
    "H100 SXM": (3350e9, 989e12, 1978e12, 85.5e9),
}
BIG_CARDS = ("H100 PCIe", "H100 SXM")  # vLLM serves 1,024 sequences and 8,192 tokens a step there, else 256 and 2,048
Q4_K_M_BITS = 4.9  # bits per weight of llama.cpp's Q4_K_M (llama.cpp quantize README: Llama-3-8B 4.89)


@dataclass(frozen=True)
class Parameters:
    """What is fitted per card: seconds of a step and of a sequence, shares of bandwidth and arithmetic."""

    overhead_s: float
    mbu: float
    mfu: float
    per_sequence_s: float


@dataclass(frozen=True)
class Row:
    number: int
    engine: str
    model: str
    precision: str
    gpu: str
    gpus: int
    prompt: float
    output: float
    concurrency: float
    rate: float
    calls: int
    tokens_per_s: float
    calls_per_s: float
    dataset: str
    source: str
    notes: str

    @property
    def kind(self) -> str:
        if self.engine == "llama.cpp":
            return "single stream"
        if self.calls == 0 or self.concurrency < self.calls:
            return "closed loop"
        return "burst" if np.isinf(self.rate) or self.concurrency == self.calls else "open loop"

    def why_not(self) -> str | None:
        """Why the row cannot be judged, or None."""
        if self.gpus > 1:
            return f"{self.gpus} GPUs: tensor parallel or layer split over PCIe was not measured apart"
        if self.engine not in ("vLLM", "SGLang", "llama.cpp"):
            return f"{self.engine}: another engine, not modelled"
        if self.engine != "llama.cpp" and self.precision not in ("fp16", "bf16") and "H100" not in self.gpu:
            return f"{self.precision} on a card without it: weight-only kernels, not measured apart"
        if "token rate not in the excerpt" in self.notes:
            return "output length is a preset maximum and the token rate is unknown"
        if not self.tokens_per_s > 0:
            return "no throughput in the row"
        if self.model not in SHAPES:
            return f"the shape of {self.model} is not in the table"
        return None


def read_rows() -> list[Row]:
    def number(text: str) -> float:
        return float(text) if text else float("nan")

    with (HERE / "throughput.csv").open(newline="") as file:
        return [
            Row(
                number=at,
                engine=row["engine"],
                model=row["model"],
                precision=row["precision"],
                gpu=row["gpu"],
                gpus=int(row["num_gpus"]),
                prompt=number(row["input_tokens"]),
                output=number(row["output_tokens"]),
                concurrency=number(row["concurrency"]),
                rate=number(row["request_rate_qps"]),
                calls=int(number(row["num_requests"]) if row["num_requests"] else 0),
                tokens_per_s=number(row["output_tok_s"]),
                calls_per_s=number(row["req_s"]),
                dataset=row["dataset"],
                source=row["source"],
                notes=row["notes"],
            )
            for at, row in enumerate(csv.DictReader(file), start=2)
        ]


def engine_of(row: Row, with_: Parameters) -> Engine:
    """The replica of a row, with the engine's own defaults for that card."""
    shape, (bandwidth, bf16, fp8, memory) = SHAPES[row.model], GPUS[row.gpu]
    bytes_per_weight = {"fp8": 1.0, "gguf-q4_k_m": Q4_K_M_BITS / 8}.get(row.precision, 2.0)
    step = step_time(
        overhead_s=with_.overhead_s,
        mbu=with_.mbu,
        mfu=with_.mfu,
        per_sequence_s=with_.per_sequence_s,
        bandwidth_bytes_per_s=bandwidth,
        flops_per_s=fp8 if row.precision == "fp8" else bf16,
        weight_bytes=shape.matmul_b * 1e9 * bytes_per_weight,
        matmul_params=shape.matmul_b * 1e9,
        kv_bytes=shape.kv_bytes,
        attention_width=shape.width,
        kv_window_bytes=shape.kv_window_bytes,
        attention_window_width=shape.width_window,
        window=shape.window,
    )
    if "KV cache" in row.notes:  # what the engine said
        kv_tokens = int(row.notes.split("KV cache ")[1].split(" ")[0])
    else:
        # lost to activations and graphs: about 1.5 GB on a 24 GB card, 5 on an 80 GB one (as an H100 reported)
        reserve = 1.5e9 if memory < 30e9 else 5.0e9
        room = 0.9 * memory - shape.params_b * 1e9 * bytes_per_weight - reserve
        kv_tokens = int(room / (shape.kv_bytes + shape.kv_window_bytes))
    if row.engine == "llama.cpp":
        kv_tokens = 1_000_000  # llama-bench is told its context; memory did not bind
    big = row.gpu in BIG_CARDS
    return Engine(
        step=step,
        kv_tokens=kv_tokens,
        max_num_seqs=1024 if big or row.engine == "SGLang" else 256,
        max_num_batched_tokens=8192 if big or row.engine == "SGLang" else 2048,
        full_share=shape.kv_bytes / (shape.kv_bytes + shape.kv_window_bytes),
    )


# vLLM's own ShareGPT sampler drops prompts above 1,024 tokens and calls above 2,048 in all (benchmarks, v0.8 to 0.11).
SHAREGPT_PROMPT, SHAREGPT_CALL = 1024, 2048
SHAREGPT_CV = (1.1, 1.0)  # of prompts and outputs before that filter; the means are the row's own
PRESET_MAXIMUM = 600  # databasemart: "output length" is a maximum, answers end sooner
REALISATIONS = 20  # of drawn lengths and arrivals; the mean is compared


def lengths(row: Row, calls: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Prompts and outputs of a row: fixed where it says so, else drawn about its means as its sampler cuts them."""
    prompt, output = np.full(calls, round(row.prompt)), np.full(calls, max(round(row.output), 1))
    if "burst: includes ramp-down" in row.notes:
        mean = row.tokens_per_s / row.calls_per_s
        return prompt, _cut_with_mean(random.exponential(1.0, calls), mean, PRESET_MAXIMUM)
    if row.dataset != "ShareGPT":
        return prompt, output

    def law(mean: float, cv: float, most: int) -> np.ndarray:
        return _cut_with_mean(random.lognormal(0.0, np.log1p(cv * cv) ** 0.5, calls), mean, most)

    prompt = law(row.prompt, SHAREGPT_CV[0], SHAREGPT_PROMPT)
    return prompt, np.minimum(law(row.output, SHAREGPT_CV[1], SHAREGPT_CALL), SHAREGPT_CALL - prompt)


def _cut_with_mean(drawn: np.ndarray, mean: float, most: int) -> np.ndarray:
    """Whole tokens, at least 1, of drawn values scaled so that, cut at the most, they have the mean."""
    low, high = 0.0, 1000.0 * mean / drawn.mean()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(middle * drawn, most).mean() < mean else (low, middle)
    return np.maximum(np.round(np.minimum(high * drawn, most)), 1).astype(int)


def run(row: Row, with_: Parameters) -> float:
    """Output tokens per second as the row was run."""
    engine = engine_of(row, with_)
    if row.kind == "single stream":  # llama-bench writes N tokens from an empty context
        served = serve([0.0], [1], [round(row.output)], engine)
        return row.output / float(served.e2e_s[0])
    if row.kind == "closed loop":
        many = int(row.concurrency)
        calls = max(8 * many, 40)
        prompt, output = lengths(row, calls, np.random.default_rng(row.number))
        return _steady(serve_closed_loop(prompt, output, engine, concurrency=many), calls)
    speeds = []
    for realisation in range(REALISATIONS):
        random = np.random.default_rng([row.number, realisation])
        prompt, output = lengths(row, row.calls, random)
        arrival = np.zeros(row.calls)
        if row.kind == "open loop":
            arrival = np.cumsum(random.exponential(1 / row.rate, row.calls))
        served = serve(arrival, prompt, output, engine)
        speeds.append(served.output_tokens / served.makespan_s)
    return float(np.mean(speeds))


def _steady(served: Served, calls: int) -> float:
    """Tokens per second between the first and the last quarter of the calls."""
    ends = served.arrival_s + served.e2e_s
    order = np.argsort(ends, kind="stable")
    first, last = order[calls // 4], order[3 * calls // 4]
    between = (ends > ends[first]) & (ends <= ends[last])
    return float(served.output[between].sum() / (ends[last] - ends[first]))
