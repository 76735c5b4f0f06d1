"""The closed forms of the serving station stay within their declared bands of the kernel; the worst case is printed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from simulator.expected import queueing as expected
from simulator.simulated import queueing as simulated
from simulator.simulated.steptime import StepTime, step_time

# bytes/s, FLOP/s, MBU, MFU, KV tokens of Llama-3.1-8B in bf16 (data sheets; fits on H100s, kernels of a 4090)
CARDS = {
    "RTX 4090": (1008e9, 165.2e12, 0.914, 0.93, 41_408),
    "A100": (2039e9, 312e12, 0.85, 0.55, 393_000),
    "H100": (3350e9, 989e12, 0.88, 0.64, 393_000),
}
# What a step reads and computes, by the published shapes: a dense model, one with windows, one with windows and experts
MODELS: dict[str, dict[str, float]] = {
    "Llama-3.1-8B": {
        "weight_bytes": 15.01e9, "matmul_params": 7.505e9, "kv_bytes": 131072, "attention_width": 32 * 32 * 128,
    },
    "Gemma-3-12B": {
        "weight_bytes": 23.53e9, "matmul_params": 11.765e9, "kv_bytes": 65536, "attention_width": 8 * 16 * 256,
        "kv_window_bytes": 327680, "window": 1024, "attention_window_width": 40 * 16 * 256,
    },
    "gpt-oss-20b": {
        "weight_bytes": 2.5e9, "expert_bytes": 11.3e9, "active_share": 4 / 32, "matmul_params": 3.605e9,
        "kv_bytes": 24576, "attention_width": 12 * 64 * 64,
        "kv_window_bytes": 24576, "window": 128, "attention_window_width": 12 * 64 * 64,
    },
}  # fmt: skip
STANDARD_ERRORS = 4


@dataclass(frozen=True)
class Case:
    card: str
    prompt: float
    prompt_cv: float
    output: float
    output_cv: float
    prefix: int = 0
    kv_tokens: int = 0
    max_num_seqs: int = 256
    model: str = "Llama-3.1-8B"

    def __str__(self) -> str:
        lengths = f"{self.prompt} (cv {self.prompt_cv}) in, {self.output} (cv {self.output_cv}) out"
        said = f"{self.model} on {self.card}, {lengths}"
        return said + (f", prefix {self.prefix}" if self.prefix else "")

    @property
    def full_share(self) -> float:
        shape = MODELS[self.model]
        return shape["kv_bytes"] / (shape["kv_bytes"] + shape.get("kv_window_bytes", 0.0))

    @property
    def varies(self) -> bool:
        return min(self.prompt_cv, self.output_cv) >= expected.LEAST_CV

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(5)

        def law(mean: float, cv: float) -> np.ndarray:
            if cv == 0.0:
                return np.full(20_000, int(mean))
            sd = np.log1p(cv * cv) ** 0.5
            drawn = np.floor(random.lognormal(np.log(mean) - sd * sd / 2, sd, 20_000) + random.random(20_000))
            return np.maximum(1, drawn).astype(int)

        return self.prefix + law(self.prompt, self.prompt_cv), law(self.output, self.output_cv)

    def step(self) -> StepTime:
        bandwidth, flops, mbu, mfu, _ = CARDS[self.card]
        return step_time(
            overhead_s=0.0017, mbu=mbu, mfu=mfu, per_sequence_s=16e-6,
            bandwidth_bytes_per_s=bandwidth, flops_per_s=flops, **MODELS[self.model],
        )  # fmt: skip

    def engines(self, scheduler: str) -> tuple[simulated.Engine, expected.Engine]:
        kv_tokens, step = self.kv_tokens or CARDS[self.card][4], self.step()
        kernel = simulated.Engine(
            step=step, kv_tokens=kv_tokens, scheduler=scheduler,
            prefix_tokens=self.prefix, max_num_seqs=self.max_num_seqs, full_share=self.full_share,
        )  # fmt: skip
        law = expected.Engine(
            step=expected.StepTime(**step._asdict()), kv_tokens=kv_tokens, scheduler=scheduler,
            prefix_tokens=self.prefix, max_num_seqs=self.max_num_seqs, full_share=self.full_share,
        )  # fmt: skip
        return kernel, law


OPEN = [
    Case("A100", 512, 0.0, 128, 0.0),
    Case("A100", 512, 0.8, 128, 0.6),
    Case("A100", 2000, 0.5, 300, 0.6),
    Case("H100", 512, 0.0, 128, 0.0),
    Case("H100", 350, 0.8, 80, 0.6),
    Case("RTX 4090", 512, 0.0, 128, 0.0),
    Case("RTX 4090", 300, 0.8, 40, 0.6),
    Case("RTX 4090", 200, 0.5, 400, 0.6),
    Case("RTX 4090", 320, 0.8, 40, 0.6, prefix=2400),
    Case("A100", 512, 0.8, 128, 0.6, max_num_seqs=64),
    Case("A100", 600, 0.8, 200, 0.6, kv_tokens=110_000, model="Gemma-3-12B"),
    Case("A100", 600, 0.8, 200, 0.6, kv_tokens=1_200_000, model="gpt-oss-20b"),
]
FULL = [
    Case("RTX 4090", 512, 0.8, 128, 0.6),
    Case("RTX 4090", 200, 0.5, 400, 0.6),
    Case("RTX 4090", 1000, 0.5, 200, 0.5),
    Case("RTX 4090", 300, 0.8, 300, 0.8),
    Case("RTX 4090", 320, 0.8, 200, 0.6, prefix=2400, kv_tokens=20_000),
    Case("A100", 512, 0.5, 128, 0.5, kv_tokens=30_000),
    Case("A100", 2000, 0.5, 300, 0.6, kv_tokens=100_000),
    Case("A100", 2000, 0.5, 300, 0.6),
    Case("A100", 512, 0.8, 128, 0.6, max_num_seqs=64),
    Case("H100", 512, 0.0, 128, 0.0),
    Case("A100", 512, 0.0, 128, 0.0),
    Case("A100", 600, 0.8, 200, 0.6, kv_tokens=110_000, model="Gemma-3-12B"),
    Case("A100", 600, 0.8, 200, 0.6, kv_tokens=1_200_000, model="gpt-oss-20b"),
]


@pytest.mark.parametrize("scheduler", ["stall", "chunked"])
@pytest.mark.parametrize("replicas", [1, 2, 8])
def test_mean_stay(scheduler: str, replicas: int) -> None:
    worst: dict[float, tuple[float, str]] = {}
    failures = []
    for case in OPEN:
        if replicas > 1 and not case.varies:
            continue
        prompt, output = case.lengths()
        kernel, law = case.engines(scheduler)
        at = expected.station(law, prompt, output)
        assert expected.in_domain(at)
        calls = 200_000
        bands = expected.BAND if replicas == 1 else expected.FLEET_BAND
        for load in (0.2, 0.5, 0.7, 0.85):
            rate = load * replicas * expected.saturation_per_s(at)
            random = np.random.default_rng(int(1000 * load))
            chosen = random.integers(0, prompt.size, calls)
            arrival = np.cumsum(random.exponential(1 / rate, calls))
            served = simulated.serve(arrival, prompt[chosen], output[chosen], kernel, replicas=replicas)
            if served.preemptions >= expected.PREEMPTION_DOMAIN * calls:
                continue
            stays = served.e2e_s[calls // 10 :].reshape(20, -1).mean(axis=1)  # twenty batches give the standard error
            mean, error = float(stays.mean()), float(stays.std(ddof=1) / 20**0.5)
            got = float(expected.stay(at, rate, replicas=replicas).e2e_s[0])
            band = next(band for band in bands if load <= band.load)
            difference = got / mean - 1
            if abs(difference) > abs(worst.get(band.load, (0.0, ""))[0]):
                worst[band.load] = (difference, f"{case} at {load:.0%}")
            if abs(difference) > band.difference + STANDARD_ERRORS * error / mean:
                failures.append(f"{difference:+.1%} {case} at {load:.0%}")
    for limit, (difference, where) in sorted(worst.items()):
        print(f"mean stay, {scheduler}, {replicas} replicas, to {limit:.0%} load: worst {difference:+.1%} ({where})")
    assert not failures


@pytest.mark.parametrize("scheduler", ["stall", "chunked"])
def test_saturation(scheduler: str) -> None:
    worst = {False: (0.0, ""), True: (0.0, "")}
    for case in FULL:
        prompt, output = case.lengths()
        kernel, law = case.engines(scheduler)
        at = expected.station(law, prompt, output)
        if at.kv_binds:
            assert case.varies
            assert at.steps <= expected.KV_DOMAIN * at.mean(at.fresh)
        calls = 30_000
        chosen = np.random.default_rng(1).integers(0, prompt.size, calls)
        served = simulated.serve_closed_loop(prompt[chosen], output[chosen], kernel, concurrency=600)
        ends = np.sort(served.arrival_s + served.e2e_s)
        measured = 20_000 / (ends[24_999] - ends[4_999])
        difference = expected.saturation_per_s(at) / measured - 1
        if abs(difference) > abs(worst[bool(at.kv_binds)][0]):
            worst[bool(at.kv_binds)] = (difference, str(case))
        band = expected.SATURATION_BAND_KV if at.kv_binds else expected.SATURATION_BAND
        assert abs(difference) <= band, f"{difference:+.1%} {case}"
    for kv_binds, (difference, where) in worst.items():
        what = "KV binds" if kv_binds else "KV has room"
        print(f"saturation, {scheduler}, {what}: worst {difference:+.1%} ({where})")
