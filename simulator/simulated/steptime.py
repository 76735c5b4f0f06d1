"""How long one step of a serving engine takes, as a dozen plain numbers that the kernels can read."""

from __future__ import annotations

from typing import NamedTuple

from simulator.simulated.kernels import compiled_in_place


class StepTime(NamedTuple):
    """Seconds of one step, by what it does.

    overhead_s          every step, whatever is in it (scheduling, launches)
    weights_s           reading the dense weights once
    experts_s           reading all expert weights once (0 for a dense model)
    active_share        experts a token uses over all experts, k/E (1 for a dense model)
    per_token_s         arithmetic of one token in the matrix products
    per_sequence_s      every sequence in the step (sampling, bookkeeping)
    read_s              reading one context token's KV in the full-attention layers
    read_window_s       the same in the windowed layers
    pair_s              prefill attention of one query with one key, full-attention layers
    pair_window_s       the same in the windowed layers
    window              tokens a windowed layer looks back (0: no such layer)
    """

    overhead_s: float
    weights_s: float
    experts_s: float
    active_share: float
    per_token_s: float
    per_sequence_s: float
    read_s: float
    read_window_s: float
    pair_s: float
    pair_window_s: float
    window: int


def step_time(
    *,
    overhead_s: float,
    mbu: float,
    mfu: float,
    per_sequence_s: float,
    bandwidth_bytes_per_s: float,
    flops_per_s: float,
    weight_bytes: float,
    matmul_params: float,
    kv_bytes: float,
    expert_bytes: float = 0.0,
    active_share: float = 1.0,
    kv_window_bytes: float = 0.0,
    window: int = 0,
    attention_width: float = 0.0,
    attention_window_width: float = 0.0,
    gpus: int = 1,
    tp_efficiency: float = 1.0,
    deployment_factor: float = 1.0,
) -> StepTime:
    """Turn what a GPU can do and what a model needs into seconds.

    `tau(n, K) = overhead + max(W(n) / (MBU BW), 2 P n / (MFU F)) + per_sequence n + kv_bytes K / (MBU BW)`.

    mbu, mfu: shares of the bandwidth and of the dense arithmetic that are really reached.
    weight_bytes: bytes of dense weights read per step; expert_bytes: all experts; matmul_params: active
    parameters in matrix products per token. kv_bytes, kv_window_bytes: per token, full and windowed layers.
    attention_width: layers x heads x head_dim of the full-attention layers (4 FLOPs per query-key pair each).
    gpus, tp_efficiency: tensor parallel replicas have `gpus x tp_efficiency` times the bandwidth and FLOPs.
    deployment_factor: what the model leaves out; every second is divided by it.
    Raises ValueError where a rate is not positive.

    >>> step = step_time(overhead_s=0.001, mbu=0.5, mfu=0.5, per_sequence_s=0.0,
    ...     bandwidth_bytes_per_s=2e12, flops_per_s=2e14, weight_bytes=1e10, matmul_params=5e9, kv_bytes=1e5)
    >>> round(step.weights_s, 6), round(step.per_token_s, 6)
    (0.01, 0.0001)
    """
    reached = gpus * tp_efficiency * deployment_factor
    bandwidth = mbu * bandwidth_bytes_per_s * reached
    flops = mfu * flops_per_s * reached
    if not (bandwidth > 0 and flops > 0 and deployment_factor > 0):
        raise ValueError(
            f"bandwidth and arithmetic must be above zero: {bandwidth_bytes_per_s} bytes/s x MBU {mbu}, "
            f"{flops_per_s} FLOP/s x MFU {mfu}, {gpus} GPUs, factors {tp_efficiency} and {deployment_factor}"
        )
    return StepTime(
        overhead_s=overhead_s / deployment_factor,
        weights_s=weight_bytes / bandwidth,
        experts_s=expert_bytes / bandwidth,
        active_share=active_share,
        per_token_s=2.0 * matmul_params / flops,
        per_sequence_s=per_sequence_s / deployment_factor,
        read_s=kv_bytes / bandwidth,
        read_window_s=kv_window_bytes / bandwidth,
        pair_s=4.0 * attention_width / flops,
        pair_window_s=4.0 * attention_window_width / flops,
        window=window,
    )


@compiled_in_place
def matmul_s(step: StepTime, tokens: int) -> float:
    """Seconds of the matrix products of a step of so many tokens: bound by weights read or by arithmetic.

    With experts, `W(n) = W_dense + W_experts (1 - (1 - k/E)^n)`: the share of experts that n tokens touch.
    """
    weights = step.weights_s
    if step.experts_s > 0.0:
        weights += step.experts_s * (1.0 - (1.0 - step.active_share) ** tokens)
    return max(weights, step.per_token_s * tokens)


@compiled_in_place
def attention_s(step: StepTime, cached: int, tokens: int) -> float:
    """Seconds of attention for `tokens` prefilled behind `cached` ones: every query meets all keys before it.

    Full layers meet `tokens x cached + tokens (tokens + 1) / 2` pairs; a windowed one at most `window` a query.
    """
    pairs = tokens * cached + tokens * (tokens + 1) / 2
    seconds = step.pair_s * pairs
    if step.window > 0:
        rising = min(max(step.window - cached, 0), tokens)  # queries that still see less than a window
        near = rising * cached + rising * (rising + 1) / 2 + (tokens - rising) * step.window
        seconds += step.pair_window_s * near
    return seconds
