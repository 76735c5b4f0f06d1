"""The part of the expected engine that says what one replica does with the calls of a scenario, tabulated by rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricing.serving import Replica
from simulator.domain.fleet import TARGET_LOAD, Capacity, Fleet, Replicas
from simulator.expected.autoscaler import Look
from simulator.expected.calls import lognormal_sigma
from simulator.expected.queueing import KV_DOMAIN, LEAST_CV, saturation_per_s, station, stay
from simulator.expected.scaling import (
    Looks,
    Policy,
    busy_replicas,
    may_ask,
    occupancy,
    overflow_share,
    replicas_running,
    spread_out,
)
from simulator.expected.steptime import Engine, Station, StepTime

Array = NDArray[np.float64]
POINTS = 12
"""Quantiles of each length; 12 x 12 stand for the joint law."""
AT_ONCE = 256
"""Lengths tabulated together, so that memory stays small."""
LATENCY_LOADS = 12
OVERFLOW_REACH, OVERFLOW_POINTS = 0.64, 8
"""What overflows is tabulated over whole stretches of log load, with so many points in each."""
OVERFLOW_LENGTHS = 17
"""Lengths of calls, of many, for which it is."""
ADAPTER_SHARE = 0.005
"""A LoRA adapter of rank 16 on all linear layers weighs 0.5 % of its base (84 MB on Llama-3.1-8B)."""


class Lengths(NamedTuple):
    """What decides how long calls are: tokens of prefix, input and output, their spreads, and their correlation.

    Numbers, or columns (D,) of D draws.
    """

    prefix: Any
    input: Any
    output: Any
    input_cv: Any
    output_cv: Any
    correlation: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """A replica at work, (D,) or (D, L) for D lengths of calls: its saturation, and by load its calls and busy share.

    `station` is None for a typed speed, and where there are many lengths; `alone` then gives the tables of one row.
    """

    saturation_per_s: Array
    load: Array
    calls: Array
    busy_share: Array
    station: Station | None
    alone: tuple[Callable[[int], Tables], NDArray[np.int64]] | None = None

    def station_of(self, row: int) -> Station | None:
        """The station of one length of calls."""
        if self.alone is None:
            return self.station
        tables, numbers = self.alone
        return tables(int(numbers[row])).station

    def known_station(self, row: int) -> Station:
        """The same, where no speed is typed."""
        found = self.station_of(row)
        assert found is not None
        return found

    def busy(self, load: Array) -> Array:
        """Share of time with a call, at given loads (D, G)."""
        if len(self.busy_share) == 1:
            return np.asarray(np.interp(load, self.load, self.busy_share[0]))
        return _between(self.busy_share, load)

    def rows(self, chosen: NDArray[np.int64]) -> Tables:
        """The same of some lengths."""
        return Tables(
            saturation_per_s=self.saturation_per_s[chosen],
            load=self.load,
            calls=self.calls[chosen],
            busy_share=self.busy_share[chosen],
            station=self.station,
            alone=None if self.alone is None else (self.alone[0], self.alone[1][chosen]),
        )

    def calls_at(self, load: Array) -> Array:
        """Calls in a replica at a load each, (D,)."""
        return _between(self.calls, load[:, None])[:, 0]

    def calls_by(self, load: Array) -> Array:
        """Calls in a replica at given loads (D, G)."""
        return _between(np.broadcast_to(self.calls, (len(load), self.calls.shape[1])), load)

    def load_at(self, calls: float) -> Array:
        """The load at which a replica holds so many calls, (D,); at most all of it."""
        return np.array([np.interp(calls, row, self.load, right=1.0) for row in self.calls])


def _between(table: Array, load: Array) -> Array:
    """Values at loads (D, G) of tables (D, L) over equally spaced loads from 0 to 1."""
    at = load * (table.shape[1] - 1)
    low = np.minimum(at.astype(np.int64), table.shape[1] - 2)
    found = np.take_along_axis(table, low, axis=1), np.take_along_axis(table, low + 1, axis=1)
    return np.asarray(found[0] + (found[1] - found[0]) * (at - low))


@functools.cache
def _normal_quantiles() -> tuple[Array, Array]:
    """Pairs of normal quantiles, (K,) each, that stand for two independent lengths."""
    z = np.array([NormalDist().inv_cdf((at + 0.5) / POINTS) for at in range(POINTS)])
    first, second = np.meshgrid(z, z, indexing="ij")
    return first.ravel(), second.ravel()


def length_law(lengths: Lengths) -> tuple[Array, Array]:
    """Prompt and output tokens, (K,) or (D, K) each and equally likely, with the means exact; correlated in logs."""
    first, second = _normal_quantiles()
    prefix, input, output, input_cv, output_cv, rho = (np.asarray(part, dtype=float)[..., None] for part in lengths)
    other = rho * first + np.sqrt(np.maximum(1.0 - rho * rho, 0.0)) * second

    def spread(mean: Array, cv: Array, at: Array) -> Array:
        drawn = np.exp(lognormal_sigma(cv) * at)
        return np.asarray(mean * drawn / drawn.mean(axis=-1, keepdims=True))

    return prefix + spread(input, input_cv, first), np.maximum(spread(output, output_cv, other), 1.0)


@functools.lru_cache(maxsize=1024)
def replica_tables(serving: Replica | Capacity, lengths: Lengths, prefix_caching: bool, adapters: int) -> Tables:
    """What one replica does with calls of such lengths."""
    return _tables(serving, lengths, prefix_caching, adapters)


def many_tables(serving: Replica | Capacity, lengths: Lengths, prefix_caching: bool, adapters: int) -> Tables:
    """The same for D lengths of calls at once, given as columns (D,); lengths that come twice are counted once."""
    columns, member = np.unique(np.stack(lengths), axis=1, return_inverse=True)
    return _many_tables(serving, columns.tobytes(), prefix_caching, adapters).rows(member)


@functools.lru_cache(maxsize=32)
def _many_tables(serving: Replica | Capacity, columns: bytes, prefix_caching: bool, adapters: int) -> Tables:
    rows = np.frombuffer(columns).reshape(len(Lengths._fields), -1)
    parts = [
        _tables(serving, Lengths(*rows[:, begin : begin + AT_ONCE]), prefix_caching, adapters)
        for begin in range(0, rows.shape[1], AT_ONCE)
    ]
    rate, calls, busy = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("saturation_per_s", "calls", "busy_share")
    )

    def one(row: int) -> Tables:
        return replica_tables(serving, Lengths(*rows[:, row].tolist()), prefix_caching, adapters)

    alone = None if isinstance(serving, Capacity) else (one, np.arange(rows.shape[1]))
    return Tables(
        saturation_per_s=rate, load=parts[0].load, calls=calls, busy_share=busy, station=None, alone=alone
    )


def _tables(serving: Replica | Capacity, lengths: Lengths, prefix_caching: bool, adapters: int) -> Tables:
    if isinstance(serving, Capacity):
        tokens = np.atleast_1d(np.asarray(lengths.output, dtype=float))
        if serving.tokens_per_s is not None:
            tokens = tokens + lengths.prefix + lengths.input
        speed = serving.tokens_per_s if serving.output_tokens_per_s is None else serving.output_tokens_per_s
        rate = float(speed or 0.0) * serving.max_utilisation / tokens
        load = np.linspace(0.0, 1.0, 2)
        alike = np.broadcast_to(load, (len(rate), 2))
        return Tables(saturation_per_s=rate, load=load, calls=alike, busy_share=alike, station=None)
    shared = np.trunc(lengths.prefix) if prefix_caching else np.zeros_like(lengths.prefix)
    kv = serving.kv_tokens - (adapters - 1) * shared
    if adapters > 1:
        kv = kv - adapters * ADAPTER_SHARE * serving.weights_bytes / serving.model.kv_bytes_per_token()
    prompt, output = length_law(lengths)
    at = station(_engine(serving, kv, shared), prompt, output)
    saturation = saturation_per_s(at)
    full = occupancy(at, saturation)
    return Tables(
        saturation_per_s=np.atleast_1d(saturation),
        load=full.load,
        calls=np.atleast_2d(full.calls),
        busy_share=np.atleast_2d(full.busy_share),
        station=at if saturation.ndim == 0 else None,
    )


def out_of_domain(tables: Tables, lengths: Lengths) -> bool:
    """Whether the KV cache binds and calls are as good as alike, or write far more than they read.

    They fill the cache together then, which no law of means sees: what is served is up to 14 % less, or more.
    """
    at = tables.station
    if at is None or not bool(at.kv_binds):
        return False
    alike = min(float(lengths.input_cv), float(lengths.output_cv)) < LEAST_CV
    return alike or bool(at.steps > KV_DOMAIN * at.mean(at.fresh))


def _engine(serving: Replica, kv_tokens: Any, shared: Any) -> Engine:
    """A replica with room for so many tokens, of which so many are shared by all calls."""
    seconds = serving.step_seconds()
    return Engine(
        step=StepTime(**{name: getattr(seconds, name) for name in StepTime.__slots__}),
        kv_tokens=np.maximum(kv_tokens, 1.0),
        max_num_seqs=serving.profile.max_num_seqs,
        max_num_batched_tokens=serving.profile.max_num_batched_tokens,
        scheduler=serving.profile.scheduler,
        prefix_tokens=shared,
        full_share=serving.full_share,
    )


def capacity_for(serving: Replica, prompt: ArrayLike, output: ArrayLike) -> tuple[float, float]:
    """Calls a second that one replica can just serve of calls of these lengths, (N,) each, and seconds of one alone."""
    at = station(_engine(serving, float(serving.kv_tokens), 0.0), prompt, output)
    most = float(saturation_per_s(at))
    return most, float(stay(at, np.array([1e-6 * most])).e2e_s[0])


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


def policy_of(
    fleet: Fleet, bounds: Replicas, tables: Tables, granularity_s: float, looks: Looks | None = None
) -> Policy:
    """The autoscaler in numbers, a row for each of D lengths: when it asks for one more, how long everything takes.

    `looks` are those of more lengths than the D, where they are known.
    """
    saturation = tables.saturation_per_s
    load, mu = _asks_at(fleet, tables)
    return Policy(
        least=int(bounds.min),
        most=int(bounds.max),
        spare=int(fleet.spare),
        mu_per_s=mu[:, None],
        saturation_per_s=saturation[:, None],
        stay_s=(tables.calls_at(load) / mu)[:, None],
        window_s=fleet.window_s,
        down_window_s=fleet.down_window_s,
        startup_s=fleet.startup_s,
        granularity_s=granularity_s,
        interruptions_per_day=fleet.interruptions_per_day,
        looks=looks_of(fleet, bounds, tables) if looks is None else looks,
    )


def _asks_at(fleet: Fleet, tables: Tables) -> tuple[Array, Array]:
    """Load of a replica and its calls a second from which on one more is asked for, (D,) each."""
    target, saturation = fleet.target_concurrency, tables.saturation_per_s
    load = np.full(saturation.shape, TARGET_LOAD) if target is None else tables.load_at(target)
    return load, np.maximum(load, 1e-9) * saturation


def looks_of(fleet: Fleet, bounds: Replicas, tables: Tables, most_per_s: ArrayLike = np.inf) -> Looks | None:
    """How the autoscaler sees the fleet, for some of D lengths; None where nothing scales, or a speed is typed.

    `most_per_s` is the most calls a second there ever are, (D,): lengths that then ask are known more finely.
    """
    if (tables.station is None and tables.alone is None) or bounds.max <= max(bounds.min, 1.0):
        return None
    mu = _asks_at(fleet, tables)[1]
    asks = np.flatnonzero(may_ask(np.asarray(most_per_s), mu, int(bounds.min)) | (fleet.interruptions_per_day > 0))
    asks = asks if asks.size else np.array([mu.argmin()])
    rows = spread_out(np.log(mu), asks)
    log_mu = np.log(mu[rows])

    def look(number: int) -> Look:
        row = int(rows[number])
        return _looks(fleet, bounds, tables.known_station(row), float(tables.saturation_per_s[row]))

    return Looks(log_mu, look)


@functools.lru_cache(maxsize=1024)
def _looks(fleet: Fleet, bounds: Replicas, at: Station, saturation: float) -> Look:
    load, calls = _calls_by_load(at, saturation)
    held = float(np.interp(TARGET_LOAD, load, calls))
    return Look(
        least=int(bounds.min),
        most=int(bounds.max),
        spare=int(fleet.spare),
        target=held if fleet.target_concurrency is None else float(fleet.target_concurrency),
        saturation_per_s=saturation,
        window_s=fleet.window_s,
        control_s=fleet.control_s,
        down_window_s=fleet.down_window_s,
        startup_s=fleet.startup_s,
        losses_per_s=fleet.interruptions_per_day / 86_400.0,
        loads=tuple(load.tolist()),
        calls=tuple(calls.tolist()),
    )


@functools.lru_cache(maxsize=1024)
def _calls_by_load(at: Station, saturation: float) -> tuple[Array, Array]:
    """Calls in a replica by its load, (L,) each, by Little's law from the mean stay."""
    load = np.concatenate([np.linspace(0.05, 0.95, 13), [0.98]])
    stays = stay(at, load * saturation).e2e_s
    calls = np.maximum.accumulate(load * saturation * stays)
    return np.concatenate([[0.0], load, [1.0]]), np.concatenate([[0.0], calls, [2.0 * calls[-1]]])


class HourLaw(NamedTuple):
    """What a fleet does in an hour of a rate, (D, G) each: replicas paid and busy, and shares of the calls."""

    paid: Array
    busy: Array
    served: Array
    overload: Array
    overflow: Array


def hour_law(policy: Policy, tables: Tables, rate: Array, overflow_above: float | None = None) -> HourLaw:
    """A fleet's hour at rates (D, G) of calls a second; `served` and `overload` leave out what overflows."""
    lost = np.zeros_like(rate)
    if overflow_above is not None:
        lost = _lost(tables, policy, rate, overflow_above)
    kept = rate * (1.0 - lost)
    running = replicas_running(policy, kept)
    serving = np.maximum(running.serving, 1e-12)
    load = np.minimum(kept * running.served_share / serving / policy.saturation_per_s, 1.0)
    beyond = (running.served_share < 1.0) & (lost == 0.0)
    return HourLaw(
        running.paid,
        busy_replicas(running.serving, tables.calls_by(load), tables.busy(load)),
        (1.0 - lost) * running.served_share,
        beyond.astype(float),
        lost,
    )


def _lost(tables: Tables, policy: Policy, rate: Array, above: float) -> Array:
    """Share of calls that overflow, (D, G), at the replicas that run at each rate.

    Of many lengths of calls it is solved for a few, evenly spread by what a replica can serve; others are read on the
    line between the two beside them, at the same load.
    """
    from scipy.ndimage import map_coordinates

    room = tables.saturation_per_s
    order = np.argsort(room, kind="stable")
    known = order[np.unique(np.linspace(0, room.size - 1, min(room.size, OVERFLOW_LENGTHS)).round().astype(int))]
    counts = range(max(policy.least + policy.spare, 1), policy.most + policy.spare + 1)
    load = np.log(rate / room[:, None])
    first, after = math.floor(load.min() / OVERFLOW_REACH), math.ceil(load.max() / OVERFLOW_REACH)
    shares = np.stack([_overflow_shares(tables.known_station(row), counts, above, first, after) for row in known])
    places = (
        np.interp(room, room[known], np.arange(float(known.size)))[:, None],
        np.clip(replicas_running(policy, rate).serving - counts[0], 0.0, len(counts) - 1.0),
        (load / OVERFLOW_REACH - first) * OVERFLOW_POINTS,
    )
    return np.asarray(map_coordinates(shares, np.stack(np.broadcast_arrays(*places)), order=1, mode="nearest"))


@functools.lru_cache(maxsize=256)
def _overflow_shares(at: Station, counts: range, above: float, first: int, after: int) -> Array:
    """The share that overflows, (counts, G), at whole stretches of log load."""
    load = np.linspace(first, after, (after - first) * OVERFLOW_POINTS + 1) * OVERFLOW_REACH
    rate = float(saturation_per_s(at)) * np.exp(load)
    return np.stack([overflow_share(at, rate, count, above) for count in counts])
