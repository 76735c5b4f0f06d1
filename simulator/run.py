"""Picks a wing, bills what it counted, and stamps the result: the only way from a scenario to dollars."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.serving import Replica
from simulator.billing import bill
from simulator.domain.drawn import Drawn, Draws, check_draws, with_dials
from simulator.domain.findings import Engine, ServingRun, SimulationResult
from simulator.domain.ledger import CostLedger, LedgerLine
from simulator.domain.options import HostedOption
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, FleetUse, TokenPrice

Array = NDArray[np.float64]

STRUCTURAL = ("horizon_days", "ready_after_days", "retrain_every_days", "max")
"""Dials that move days or counts of steps: draws that share their values are run together."""


def run(
    scenario: Scenario,
    option: str,
    *,
    engine: Engine = "expected",
    draws: Draws | None = None,
    daily: bool | None = None,
) -> SimulationResult:
    """Count one option with an engine and bill it.

    Args:
        scenario: the question.
        option: name of the option.
        engine: which wing counts.
        draws: dials by dotted path, each an array of shape (D,); every result then has D entries.
        daily: a ledger by day (the default without draws), or only over spans of constant prices.

    Raises:
        InputError, NotSold, NotInForce: with one sentence.
    """
    draws = draws or {}
    scenario.option(option)
    if not draws:
        return _run_together(scenario, option, engine, {}, True if daily is None else daily)
    size = check_draws(scenario, draws)
    structural = {path: values for path, values in draws.items() if _is_structural(path)}
    if not structural:
        return _run_together(scenario, option, engine, draws, bool(daily))
    rest = {path: values for path, values in draws.items() if path not in structural}
    keys, members = np.unique(np.stack(list(structural.values())), axis=1, return_inverse=True)
    parts = []
    for index in range(keys.shape[1]):
        chosen = np.flatnonzero(members == index)
        fixed = with_dials(scenario, dict(zip(structural, keys[:, index].tolist(), strict=True)))
        some = {path: values[chosen] for path, values in rest.items()}
        parts.append((chosen, _run_together(fixed, option, engine, some, False)))
    return _joined(parts, size)


def serve_calls(
    replica: Replica,
    lengths: Mapping[str, float],
    *,
    rate_per_s: float | None = None,
    concurrency: int | None = None,
    calls: int,
    replicas: int = 1,
    adapters: int = 1,
    seed: int = 0,
    steady: bool = True,
) -> ServingRun:
    """Serve calls one by one on a replica or several: a Poisson stream at a rate, or a closed loop.

    Args:
        replica: the profile, bound to GPU and model.
        lengths: `prefix`, `input`, `output`, and where they vary `input_cv`, `output_cv`, `correlation`.
        rate_per_s: calls a second, all replicas together.
        concurrency: calls in the fleet at any time.
        calls: how many.
        replicas: least-loaded routing over so many.
        adapters: on one base.
        seed: of arrivals and lengths.
        steady: leave out filling and emptying; else the finite run is told as it was.

    Raises:
        InputError: the mean call does not fit into the KV cache, with the arithmetic.
    """
    from simulator.simulated import engine_replica as simulated

    drawn = simulated.Drawn(**{**lengths, "prefix": int(lengths["prefix"])})  # type: ignore[arg-type]
    most = saturation(replica, lengths, adapters)
    if concurrency is not None:
        done = simulated.closed_loop(
            replica, drawn, concurrency, calls, replicas=replicas, seed=seed, steady=steady
        )
    else:
        done = simulated.open_loop(
            replica, drawn, rate_per_s or most, calls, replicas=replicas, adapters=adapters, seed=seed, steady=steady
        )
    return _loaded(done, most, rate_per_s)


def replay_calls(replica: Replica, arrival_s: Array, prompt: Any, output: Any, replicas: int = 1) -> ServingRun:
    """Serve calls that came at known times, (N,) seconds and whole tokens."""
    from simulator.simulated import engine_replica as simulated

    done = simulated.replay(replica, arrival_s, prompt, output, replicas=replicas)
    lengths = {"prefix": 0.0, "input": float(np.mean(prompt)), "output": float(np.mean(np.maximum(output, 1)))}
    return _loaded(done, saturation(replica, lengths), None)


def saturation(replica: Replica, lengths: Mapping[str, float], adapters: int = 1) -> float:
    """Calls a second that one replica can just serve, in closed form."""
    from simulator.expected.engine_replica import Lengths, replica_tables

    spread = {"input_cv": 0.0, "output_cv": 0.0, "correlation": 0.0}
    return replica_tables(replica, Lengths(**{**spread, **lengths}), True, adapters).saturation_per_s


def _loaded(done: ServingRun, most: float, rate_per_s: float | None) -> ServingRun:
    room = most * done.replicas
    asked = done.requests_per_s if rate_per_s is None else rate_per_s
    return dataclasses.replace(
        done,
        saturation_per_s=room,
        utilisation=min(done.requests_per_s / room, 1.0),
        overload=rate_per_s is not None and asked >= room,
    )


def sizing_rate(scenario: Scenario, option: str) -> float:
    """Calls a second of the sizing hour of a fleet: the 99 % quantile of hourly rates in the last 28 days."""
    from simulator.expected import engine_sizing

    return engine_sizing.sizing_rate(scenario, option)


def replicas_at(scenario: Scenario, option: str, rate_per_s: float) -> int:
    """Replicas that a fleet's autoscaler runs at a rate, in the mean, in whole ones."""
    from simulator.expected import engine_sizing

    return engine_sizing.replicas_at(scenario, option, rate_per_s)


def _is_structural(path: str) -> bool:
    if ".fleet.replicas." in path:
        return False
    if ".fleet." in path or ".serving." in path:
        return True
    return path.rsplit(".", 1)[-1] in STRUCTURAL or path.startswith(("workload.demand.", "workload.events."))


def _run_together(scenario: Scenario, option: str, engine: Engine, draws: Draws, daily: bool) -> SimulationResult:
    from simulator.expected import engine as expected

    activity = expected.count(scenario, option, draws, daily=daily)
    view: Any = Drawn(scenario, draws) if draws else scenario
    size = max((len(values) for values in draws.values()), default=1)
    return _stamped(scenario, view, activity, bill(scenario, activity, view, size), engine)


def _stamped(scenario: Scenario, view: Any, activity: Activity, ledger: CostLedger, engine: Engine) -> SimulationResult:
    option, size = scenario.options[activity.option], ledger.draws
    served = np.broadcast_to(activity.served.sum(axis=1), (size,))
    delivered = served * activity.delivered_share
    rate = view.options[activity.option].success_rate
    why_not = activity.why_not
    until = None if activity.serves_until is None else scenario.start + timedelta(days=activity.serves_until)
    if why_not is None and until is not None:
        why_not = f"it stops serving on {until}, inside the horizon"
    tokens = {meter: np.zeros(size) for meter in ("input", "cached_input", "cache_write", "output")}
    for count in activity.counts:
        if isinstance(count.basis, TokenPrice) and count.line != "training":
            tokens[count.basis.meter] = tokens[count.basis.meter] + 1e6 * count.quantity.sum(axis=1)
    flags = list(activity.flags) + _over_limits(scenario, view, activity)
    return SimulationResult(
        option=activity.option,
        kind=option.kind,
        engine=engine,
        ledger=ledger,
        calls=np.broadcast_to(activity.calls.sum(axis=1), (size,)),
        served_calls=served,
        delivered_calls=np.broadcast_to(delivered, (size,)),
        success_calls=np.broadcast_to(delivered * (1.0 if rate is None else rate), (size,)),
        eligible_calls=np.broadcast_to(activity.eligible.sum(axis=1), (size,)),
        hit_calls=np.broadcast_to(activity.hits.sum(axis=1), (size,)),
        peak_per_s=np.broadcast_to(activity.peak_per_s, (size,)),
        tokens=tokens,
        why_not=why_not,
        serves_until=until,
        flags=tuple(flags),
        approximate=activity.approximate,
        fleet=None if activity.fleet is None else _broadcast(activity.fleet, size),
    )


def _broadcast(use: FleetUse, size: int) -> FleetUse:
    names = [field.name for field in dataclasses.fields(FleetUse)]
    return FleetUse(**{name: np.broadcast_to(getattr(use, name), (size,)) for name in names})


def _over_limits(scenario: Scenario, view: Any, activity: Activity) -> list[str]:
    """Whether the busiest expected minute exceeds what the provider, or the option, admits."""
    option = scenario.options[activity.option]
    if not isinstance(option, HostedOption):
        return []
    version = scenario.price_on(option.price, 0)
    peak = float(np.max(activity.peak_per_s)) * 60.0
    workload = scenario.workload
    tokens = option.prefix_tokens + (option.input_tokens or workload.tokens.input)
    tokens += option.output_tokens or workload.tokens.output
    found = []
    for name, demand in (("rpm", peak), ("tpm", peak * tokens)):
        limits = [limit for limit in (getattr(option.limits, name), getattr(version.limits, name)) if limit is not None]
        if limits and demand > min(limits):
            found.append(f"the busiest minute asks for {demand:,.0f} {name}, the limit is {min(limits):,.0f}")
    return found


def _joined(parts: list[tuple[NDArray[np.int64], SimulationResult]], size: int) -> SimulationResult:
    """Results of groups of draws as one, its ledger over a single period."""
    first = parts[0][1]
    keys: dict[tuple[str, str, str, bool], tuple[Array, Array]] = {}
    for members, part in parts:
        for line in part.ledger.lines:
            key = (line.line, line.unit, line.price_version, line.one_off)
            quantity, usd = keys.setdefault(key, (np.zeros((size, 1)), np.zeros((size, 1))))
            quantity[members, 0] += np.broadcast_to(line.quantity.sum(axis=1), members.shape)
            usd[members, 0] += np.broadcast_to(line.usd.sum(axis=1), members.shape)
    lines = tuple(
        LedgerLine(line=key[0], unit=key[1], price_version=key[2], one_off=key[3], quantity=quantity, usd=usd)
        for key, (quantity, usd) in keys.items()
    )
    ledger = CostLedger(option=first.option, edges=np.array([0, 1]), lines=lines, draws=size)

    def scattered(values: Iterator[Array]) -> Array:
        whole = np.zeros(size)
        for (members, _), value in zip(parts, values, strict=True):
            whole[members] = value
        return whole

    return dataclasses.replace(
        first,
        ledger=ledger,
        tokens={meter: scattered(part.tokens[meter] for _, part in parts) for meter in first.tokens},
        calls=scattered(part.calls for _, part in parts),
        served_calls=scattered(part.served_calls for _, part in parts),
        delivered_calls=scattered(part.delivered_calls for _, part in parts),
        success_calls=scattered(part.success_calls for _, part in parts),
        eligible_calls=scattered(part.eligible_calls for _, part in parts),
        hit_calls=scattered(part.hit_calls for _, part in parts),
        peak_per_s=scattered(part.peak_per_s for _, part in parts),
        fleet=None
        if first.fleet is None
        else FleetUse(
            **{
                field.name: scattered(getattr(part.fleet, field.name) for _, part in parts)
                for field in dataclasses.fields(FleetUse)
            }
        ),
    )
