"""How long a fine-tune takes on a GPU: tokens, a method, and the arithmetic a card really reaches with it.

`tokens per s = reached x F / (flops x P)`: 4P FLOPs a token with frozen weights (LoRA, QLoRA), 6P in full, and 2P more
where activations are computed again (gradient checkpointing). P counts the matmul weights, F dense bf16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

REACHED = {
    # Qwen README (Nov 2023): Qwen-7B and -14B on an A100 80 GB, HF Trainer, PEFT, FlashAttention 2, 2,048 tokens.
    "lora-hf": 0.43,
    "qlora-hf": 0.32,
    # No run of a full fine-tune with HF on one card was found: LoRA's share. An estimate.
    "full-hf": 0.43,
    # Unsloth against HF on the same card: 1.87 (Llama-2-7B), 1.88 (Mistral-7B), 1.94 (CodeLlama-34B); not "2-5x".
    "lora-unsloth": 0.43 * 1.9,
    "qlora-unsloth": 0.32 * 1.9,
    # torchtune README (Sept 2024): Llama-3.1-8B on an RTX 4090, packed, compiled: a ceiling.
    "lora-torchtune": 0.84,
    "qlora-torchtune": 0.657,
    "full-torchtune": 0.60,
}
"""Share of dense bf16 arithmetic that a method reaches with checkpointing, recomputed FLOPs counted."""

SHORT_TOKENS = (256.0, 512.0, 1024.0, 2048.0, 4096.0)
SHORT_SHARE = (0.54, 0.87, 0.93, 1.0, 1.0)
"""Speed with examples of so many tokens against 2,048, unpacked, one at a time (the same README, LoRA on a 7B)."""

WHOLE = 1e-9
"""So little beyond a whole number of billed spans is rounding of arithmetic, not use."""


def flops_per_param(method: str, gradient_checkpointing: bool) -> float:
    """FLOPs a token and weight of one step forward and back.

    >>> flops_per_param("qlora-hf", True), flops_per_param("full-hf", False)
    (6.0, 6.0)
    """
    return (6.0 if method.startswith("full") else 4.0) + (2.0 if gradient_checkpointing else 0.0)


def tokens_per_s(
    method: str,
    bf16_tflops: float,
    matmul_params_b: float,
    tokens_per_example: ArrayLike | None = None,
    gradient_checkpointing: bool = True,
) -> Array:
    """Training speed of one card; short unpacked examples are slower (packed sets of torchtune are not).

    >>> round(float(tokens_per_s("lora-hf", 312.0, 7.1, 2048.0)))     # measured: 3,151
    3149
    """
    fastest = REACHED[method] * bf16_tflops * 1e12
    speed = np.asarray(fastest / (flops_per_param(method, gradient_checkpointing) * matmul_params_b * 1e9))
    if tokens_per_example is None or method.endswith("torchtune"):
        return speed
    length = np.asarray(tokens_per_example, dtype=np.float64)
    return speed * np.interp(np.log(np.maximum(length, 1.0)), np.log(SHORT_TOKENS), SHORT_SHARE)


def run_hours(tokens: ArrayLike, speed_per_s: ArrayLike, set_up_minutes: ArrayLike) -> Array:
    """GPU-hours of one run: its tokens at that speed, and the set-up around it.

    >>> float(run_hours(3600e3, 1000.0, 30.0))
    1.5
    """
    trained_s = np.asarray(tokens, dtype=np.float64) / np.asarray(speed_per_s, dtype=np.float64)
    return np.asarray(trained_s / 3600.0 + np.asarray(set_up_minutes) / 60.0)


def rented_hours(hours: ArrayLike, granularity_s: int | None, min_billed_s: int = 0) -> Array:
    """Hours billed for a card rented for one run: whole seconds, minutes or hours as the provider counts them.

    >>> rented_hours([0.5, 1.01], 3600).tolist(), float(rented_hours(0.001, 1, 60)) * 60
    ([1.0, 2.0], 1.0)
    """
    used = np.asarray(hours, dtype=np.float64) * 3600.0
    least = np.where(used > 0, np.maximum(used, min_billed_s), 0.0)
    whole = least if granularity_s is None else np.ceil(least / granularity_s - WHOLE) * granularity_s
    return np.asarray(whole / 3600.0)
