"""How long a fine-tune takes on a GPU: tokens, a method, and the arithmetic a card really reaches with it.

Twin of `expected/gpu_training.py`, class *exact*; where the figures come from stands there, once.
"""

from __future__ import annotations

import math
from bisect import bisect_right

BILLION = 1e9
UNSLOTH = 1.9
ARITHMETIC = {
    "lora-hf": 0.43,
    "qlora-hf": 0.32,
    "full-hf": 0.43,
    "lora-unsloth": 0.43 * UNSLOTH,
    "qlora-unsloth": 0.32 * UNSLOTH,
    "lora-torchtune": 0.84,
    "qlora-torchtune": 0.657,
    "full-torchtune": 0.60,
}
"""Share of dense bf16 arithmetic that a method reaches."""
LENGTHS = (256.0, 512.0, 1024.0, 2048.0)
SLOWER = (0.54, 0.87, 0.93, 1.0)
"""Speed with examples of so many tokens against long ones; even in the logarithm between them."""


def speed_per_s(
    method: str, bf16_tflops: float, matmul_params_b: float, tokens_per_example: float | None, checkpointing: bool
) -> float:
    """Training tokens per second of one card: FLOPs reached over FLOPs a token.

    >>> round(speed_per_s("lora-hf", 312.0, 7.1, 2048.0, True))
    3149
    """
    passes = 6 if method.startswith("full") else 4
    flops = (passes + 2 * checkpointing) * matmul_params_b * BILLION
    speed = ARITHMETIC[method] * bf16_tflops * 1e12 / flops
    packed = method.endswith("torchtune")
    return speed if packed or tokens_per_example is None else speed * _short(tokens_per_example)


def _short(tokens: float) -> float:
    """What is left of the speed with short examples."""
    if tokens <= LENGTHS[0]:
        return SLOWER[0]
    place = bisect_right(LENGTHS, tokens)
    if place == len(LENGTHS):
        return 1.0
    part = math.log(tokens / LENGTHS[place - 1]) / math.log(LENGTHS[place] / LENGTHS[place - 1])
    return SLOWER[place - 1] + part * (SLOWER[place] - SLOWER[place - 1])


def hours_of_run(tokens: float, tokens_per_s: float, set_up_minutes: float) -> float:
    """GPU-hours of one run with what stands around it.

    >>> hours_of_run(3600e3, 1000.0, 30.0)
    1.5
    """
    return tokens / tokens_per_s / 3600.0 + set_up_minutes / 60.0


def billed_hours(hours: float, granularity_s: int | None, min_billed_s: int) -> float:
    """Hours billed for a card rented for one run: begun seconds, minutes or hours are paid whole.

    >>> billed_hours(1.01, 3600, 0), billed_hours(0.0, 60, 60)
    (2.0, 0.0)
    """
    if hours <= 0.0:
        return 0.0
    seconds = max(3600.0 * hours, float(min_billed_s))
    if granularity_s:
        spans, rest = divmod(seconds, granularity_s)
        seconds = granularity_s * (spans + (rest > 1e-9 * granularity_s))
    return seconds / 3600.0
