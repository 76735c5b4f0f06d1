"""The part of the expected engine that says what one replica does with the calls of a scenario, tabulated by rate."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.serving import Replica
from simulator.domain.fleet import TARGET_LOAD, Capacity, Fleet, Replicas
from simulator.expected.autoscaler import Look
from simulator.expected.calls import lognormal_sigma
from simulator.expected.queueing import saturation_per_s, station, stay
from simulator.expected.scaling import Policy, busy_replicas, occupancy, overflow_share, replicas_running
from simulator.expected.steptime import Engine, Station, StepTime

Array = NDArray[np.float64]
POINTS = 12
"""Quantiles of each length; 12 x 12 stand for the joint law."""
STEP = 0.01
"""Spacing of the tables in log rate: halving it moves a fleet's bill by less than 1e-5."""
NODES = 9
"""Gauss-Hermite nodes over the spread of an hour's rate."""
LATENCY_LOADS = 12
ADAPTER_SHARE = 0.005
"""A LoRA adapter of rank 16 on all linear layers weighs 0.5 % of its base (84 MB on Llama-3.1-8B)."""


class Lengths(NamedTuple):
    """What decides how long calls are: tokens of prefix, input and output, their spreads, and their correlation."""

    prefix: float
    input: float
    output: float
    input_cv: float
    output_cv: float
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """A replica at work: its saturation, and by load its calls and busy share; `station` is None for a typed speed."""

    saturation_per_s: float
    load: Array
    calls: Array
    busy_share: Array
    station: Station | None

    def busy(self, load: Array) -> Array:
        """Share of time with a call, at given loads."""
        return np.asarray(np.interp(load, self.load, self.busy_share))


def length_law(lengths: Lengths) -> tuple[Array, Array]:
    """Prompt and output tokens, (K,) each and equally likely, with the means exact; log-normals, correlated in logs."""
    from scipy.special import ndtri

    z = ndtri((np.arange(POINTS) + 0.5) / POINTS)
    first, second = (grid.ravel() for grid in np.meshgrid(z, z, indexing="ij"))
    rho = lengths.correlation
    other = rho * first + math.sqrt(max(1.0 - rho * rho, 0.0)) * second

    def spread(mean: float, cv: float, at: Array) -> Array:
        drawn = np.exp(float(lognormal_sigma(cv)) * at)
        return np.asarray(mean * drawn / drawn.mean())

    return lengths.prefix + spread(lengths.input, lengths.input_cv, first), np.maximum(
        spread(lengths.output, lengths.output_cv, other), 1.0
    )


@functools.lru_cache(maxsize=4096)
def replica_tables(serving: Replica | Capacity, lengths: Lengths, prefix_caching: bool, adapters: int) -> Tables:
    """What one replica does with calls of such lengths."""
    if isinstance(serving, Capacity):
        tokens = lengths.output
        if serving.tokens_per_s is not None:
            tokens += lengths.prefix + lengths.input
        speed = serving.tokens_per_s if serving.output_tokens_per_s is None else serving.output_tokens_per_s
        rate = float(speed or 0.0) * serving.max_utilisation / tokens
        load = np.linspace(0.0, 1.0, 2)
        return Tables(saturation_per_s=rate, load=load, calls=load, busy_share=load, station=None)
    shared = lengths.prefix if prefix_caching else 0.0
    kv = serving.kv_tokens - (adapters - 1) * shared
    if adapters > 1:
        kv -= adapters * ADAPTER_SHARE * serving.weights_bytes / serving.model.kv_bytes_per_token()
    prompt, output = length_law(lengths)
    engine = Engine(
        step=StepTime(**{name: getattr(serving.step_seconds(), name) for name in StepTime.__slots__}),
        kv_tokens=max(kv, 1.0),
        max_num_seqs=serving.profile.max_num_seqs,
        max_num_batched_tokens=serving.profile.max_num_batched_tokens,
        scheduler=serving.profile.scheduler,
        prefix_tokens=int(shared),
        full_share=serving.full_share,
    )
    at = station(engine, prompt, output)
    saturation = saturation_per_s(at)
    full = occupancy(at, saturation)
    return Tables(
        saturation_per_s=saturation, load=full.load, calls=full.calls, busy_share=full.busy_share, station=at
    )


@functools.lru_cache(maxsize=256)
def latency_table(
    serving: Replica, lengths: Lengths, prefix_caching: bool, adapters: int, replicas: int
) -> tuple[Array, Array]:
    """Loads (L,), and mean time to first token, per further token and end to end (3, L) at them."""
    tables = replica_tables(serving, lengths, prefix_caching, adapters)
    load = np.linspace(0.02, 0.97, LATENCY_LOADS)
    assert tables.station is not None
    found = stay(tables.station, load * tables.saturation_per_s * replicas, replicas=replicas)
    return load, np.stack([found.ttft_s, found.tpot_s, found.e2e_s])


def policy_of(fleet: Fleet, bounds: Replicas, tables: Tables, granularity_s: float) -> Policy:
    """The autoscaler in numbers: the rate at which it asks for one more, and how long everything takes."""
    target = fleet.target_concurrency
    load = TARGET_LOAD if target is None else float(np.interp(target, tables.calls, tables.load, right=1.0))
    mu = max(load, 1e-9) * tables.saturation_per_s
    look = None
    if tables.station is not None and bounds.max > max(bounds.min, 1.0):
        look = Look(
            least=int(bounds.min),
            most=int(bounds.max),
            spare=int(fleet.spare),
            target=float(np.interp(load, tables.load, tables.calls)) if target is None else float(target),
            saturation_per_s=tables.saturation_per_s,
            window_s=fleet.window_s,
            control_s=fleet.control_s,
            down_window_s=fleet.down_window_s,
            startup_s=fleet.startup_s,
            loads=tuple(tables.load.tolist()),
            calls=tuple(tables.calls.tolist()),
        )
    return Policy(
        least=int(bounds.min),
        most=int(bounds.max),
        spare=int(fleet.spare),
        mu_per_s=mu,
        saturation_per_s=tables.saturation_per_s,
        stay_s=float(np.interp(load, tables.load, tables.calls)) / mu,
        window_s=fleet.window_s,
        down_window_s=fleet.down_window_s,
        startup_s=fleet.startup_s,
        granularity_s=granularity_s,
        interruptions_per_day=fleet.interruptions_per_day,
        look=look,
    )


class HourLaw(NamedTuple):
    """By log rate, (G,) each on a grid that begins at `first`: expectations over the spread of an hour's rate.

    paid, busy: replicas. served, overload, overflow: shares of the calls.
    """

    first: int
    paid: Array
    busy: Array
    served: Array
    overload: Array
    overflow: Array


@functools.lru_cache(maxsize=512)
def hour_law(
    policy: Policy, spread: float, first: int, after: int, key: Any, overflow_above: float | None = None
) -> HourLaw:
    """Tabulate a fleet's hour over log rates `STEP x (first .. after)`; `key` are the arguments of `replica_tables`."""
    tables = replica_tables(*key)
    points = np.arange(first, after + 1) * STEP
    if spread > 0:
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        weights = weights / weights.sum()
        shifts = spread * nodes - spread * spread / 2.0
    else:
        shifts, weights = np.zeros(1), np.ones(1)
    rate = np.exp(points[:, None] + shifts)
    by_calls = weights * np.exp(shifts)  # a call sees the busier hours more often
    by_calls = by_calls / by_calls.sum()
    lost = np.zeros_like(rate)
    if overflow_above is not None:
        assert tables.station is not None
        lost = _lost(tables.station, policy, rate, overflow_above)
        rate = rate * (1.0 - lost)
    running = replicas_running(policy, rate)
    serving = np.maximum(running.serving, 1e-12)
    load = np.minimum(rate * running.served_share / serving / policy.saturation_per_s, 1.0)
    beyond = (running.served_share < 1.0) & (lost == 0.0)
    return HourLaw(
        first,
        running.paid @ weights,
        busy_replicas(running.serving, np.interp(load, tables.load, tables.calls), tables.busy(load)) @ weights,
        running.served_share @ by_calls,
        beyond.astype(float) @ by_calls,
        lost @ by_calls,
    )


def _lost(at: Station, policy: Policy, rate: Array, above: float) -> Array:
    """Share of calls that overflow, at the replicas that run at each rate."""
    grid = np.exp(np.linspace(np.log(rate.min()), np.log(rate.max()), 80))
    counts = range(max(policy.least + policy.spare, 1), policy.most + policy.spare + 1)
    shares = np.stack([overflow_share(at, grid, count, above) for count in counts])
    by_rate = np.stack([np.interp(np.log(rate), np.log(grid), row) for row in shares])
    up = np.clip(replicas_running(policy, rate).serving - counts[0], 0.0, len(counts) - 1.0)
    low = np.minimum(up.astype(int), max(len(counts) - 2, 0))
    rows, columns = np.indices(rate.shape)
    part = up - low
    return np.asarray(
        by_rate[low, rows, columns] * (1.0 - part) + by_rate[np.minimum(low + 1, len(counts) - 1), rows, columns] * part
    )
