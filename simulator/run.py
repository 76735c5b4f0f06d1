"""Picks a wing, bills what it counted, and stamps the result: the only way from a scenario to dollars."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.nearest import nearest
from pricing.serving import Replica
from simulator.billing import bill
from simulator.domain.drawn import Drawn, Draws, check_draws, checked_seed, is_structural, with_dials
from simulator.domain.findings import Engine, ServingRun, SimulationResult
from simulator.domain.ledger import CostLedger, LedgerLine
from simulator.domain.options import HostedOption
from simulator.domain.recorded import overhead_tokens
from simulator.domain.scenario import Scenario
from simulator.domain.usage import OVERLOADED, Activity, FleetUse, TokenPrice

Array = NDArray[np.float64]

FIDELITIES = ("aggregate", "call")
CHUNK = 3000
"""Draws run together: an array of draws by days of a year is then 9 MB, whatever the number of draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """Which wing counts, and which runs of the simulation are played."""

    engine: Engine
    seed: int
    runs: NDArray[np.int64]
    fidelity: str


def run(
    scenario: Scenario,
    option: str,
    *,
    engine: Engine = "expected",
    draws: Draws | None = None,
    daily: bool | None = None,
    seed: int = 0,
    runs: int | range | None = None,
    fidelity: str | None = None,
) -> SimulationResult:
    """Count one option with an engine and bill it.

    Args:
        scenario: the question.
        option: name of the option.
        engine: which wing counts.
        draws: dials by dotted path, each an array of shape (D,); every result then has D entries. In a simulation
            the draws are the runs.
        daily: a ledger by day (the default without draws), or only over spans of constant prices.
        seed: of the simulation; the same seed gives the same numbers, however the runs are split.
        runs: how many runs are simulated, or which (`range(200, 400)`); default: the scenario's.
        fidelity: `aggregate` or `call`; default: the scenario's.

    Raises:
        InputError, NotSold, NotInForce: with one sentence.
    """
    draws = draws or {}
    scenario.option(option)
    size = check_draws(scenario, draws) if draws else 1
    how = _How(
        engine=engine,
        seed=checked_seed(seed),
        runs=_numbered(scenario, runs, size if draws else None) if engine == "simulated" else np.zeros(1, dtype=int),
        fidelity=_checked_fidelity(scenario, fidelity or scenario.simulation.fidelity),
    )
    if not draws:
        return _run_together(scenario, option, how, {}, True if daily is None else daily)
    structural = {path: values for path, values in draws.items() if is_structural(path)}
    if not structural and (daily or size <= CHUNK):
        return _run_together(scenario, option, how, draws, bool(daily))
    rest = {path: values for path, values in draws.items() if path not in structural}
    parts = []
    for fixed, alike in _alike(scenario, structural, size):
        for begin in range(0, len(alike), CHUNK):
            chosen = alike[begin : begin + CHUNK]
            some = {path: values[chosen] for path, values in rest.items()}
            these = dataclasses.replace(how, runs=how.runs[chosen]) if engine == "simulated" else how
            parts.append((chosen, _run_together(fixed, option, these, some, bool(daily))))
    return _joined(parts, size, bool(daily))


def simulate_all(
    scenario: Scenario, *, seed: int = 0, runs: int | range | None = None, fidelity: str | None = None
) -> dict[str, SimulationResult]:
    """Every option as `run` simulates it; call by call they are played side by side, and a call is drawn once."""
    fidelity = _checked_fidelity(scenario, fidelity or scenario.simulation.fidelity)
    numbers = _numbered(scenario, runs, None)
    how = _How(engine="simulated", seed=checked_seed(seed), runs=numbers, fidelity=fidelity)
    if fidelity != "call":
        return {name: _run_together(scenario, name, how, {}, True) for name in scenario.options}
    from simulator.simulated import engine as simulated

    counted = simulated.count_each_call(scenario, tuple(scenario.options), {}, seed=seed, runs=numbers)
    return {name: _billed(scenario, scenario, activity, len(numbers), how) for name, activity in counted.items()}


def _alike(scenario: Scenario, structural: Draws, size: int) -> Iterator[tuple[Scenario, NDArray[np.int64]]]:
    """The draws that share the values of all structural dials, and the scenario with those values set."""
    if not structural:
        yield scenario, np.arange(size)
        return
    keys, members = np.unique(np.stack(list(structural.values())), axis=1, return_inverse=True)
    for index in range(keys.shape[1]):
        values = dict(zip(structural, keys[:, index].tolist(), strict=True))
        yield _fixed(scenario, values), np.flatnonzero(members == index)


def _fixed(scenario: Scenario, values: dict[str, float]) -> Scenario:
    try:
        fixed: Scenario = with_dials(scenario, values)
    except ValueError as error:
        where = ", ".join(f"{path} = {value:g}" for path, value in values.items())
        raise InputError(f"{where}: {error}") from None
    return fixed
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
    overflow_above: int = 0,
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
        overflow_above: calls in the fleet from which on others go elsewhere (0: none do; only with a rate).

    Raises:
        InputError: the mean call exceeds the model's context or the KV cache, with the arithmetic.
    """
    from simulator.simulated import engine_replica as simulated

    if (reason := replica.why_too_long(lengths["prefix"], lengths["input"] + lengths["output"])) is not None:
        raise InputError(reason)
    drawn = simulated.Drawn(**{**lengths, "prefix": int(lengths["prefix"])})  # type: ignore[arg-type]
    most = saturation(replica, lengths, adapters, played=True)
    if concurrency is not None:
        done = simulated.closed_loop(
            replica, drawn, concurrency, calls, replicas=replicas, seed=seed, steady=steady
        )
    else:
        done = simulated.open_loop(
            replica, drawn, rate_per_s or most, calls, replicas=replicas, adapters=adapters, seed=seed, steady=steady,
            overflow_above=overflow_above,
        )  # fmt: skip
    return _loaded(done, most, None if overflow_above else rate_per_s)


def replay_calls(replica: Replica, arrival_s: Array, prompt: Any, output: Any, replicas: int = 1) -> ServingRun:
    """Serve calls that came at known times, (N,) seconds and whole tokens; what is refused counts nowhere else.

    Overload: calls come faster than they can be served, over a log that lasts longer than a call alone.
    """
    from simulator.expected.engine_replica import capacity_for
    from simulator.simulated import engine_replica as simulated

    done, fits = simulated.replay(replica, arrival_s, prompt, output, replicas=replicas)
    most, alone_s = capacity_for(replica, prompt[fits], np.maximum(output[fits], 1))
    span = float(np.ptp(arrival_s[fits]))
    return _loaded(done, most, done.calls / span if span > alone_s else None)


def saturation(replica: Replica, lengths: Mapping[str, float], adapters: int = 1, *, played: bool = False) -> float:
    """Calls a second that one replica can just serve, in closed form; `played`: where that is out of its domain."""
    from simulator.expected.engine_replica import Lengths, out_of_domain, replica_tables

    found = Lengths(**{"input_cv": 0.0, "output_cv": 0.0, "correlation": 0.0, **lengths})
    tables = replica_tables(replica, found, True, adapters)
    if not played or not out_of_domain(tables, found):
        return float(tables.saturation_per_s[0])
    from simulator.simulated.engine_replica import played_saturation

    return played_saturation(replica, found, adapters)


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


def sizing_hours(scenario: Scenario, option: str) -> list[tuple[float, int]]:
    """Rate of the busiest hour of every shift of a fleet, calls a second, and the replicas that run then."""
    from simulator.expected import engine_sizing

    return engine_sizing.sizing_hours(scenario, option)


def capacity_edges(scenario: Scenario, option: str) -> list[float]:
    """Calls a day at which a fleet asks for one more replica, or for more than it has."""
    from simulator.expected import engine_sizing

    return engine_sizing.capacity_edges(scenario, option)


def _checked_fidelity(scenario: Scenario, fidelity: str) -> str:
    if fidelity not in FIDELITIES:
        raise InputError(f'fidelity is "{fidelity}"; it must be aggregate or call{nearest(fidelity, FIDELITIES)}')
    if fidelity != "call" and scenario.workload.replay is not None:
        raise InputError(f'fidelity is "{fidelity}"; workload.replay plays every call of a log, so it must be call')
    return fidelity


def _numbered(scenario: Scenario, runs: int | range | None, draws: int | None) -> NDArray[np.int64]:
    """The numbers of the runs to be played."""
    if runs is None:
        runs = scenario.simulation.runs if draws is None else draws
    wanted = range(runs) if isinstance(runs, int) else runs
    if not wanted or wanted.start < 0 or wanted.step < 1:
        raise InputError(f"runs is {runs}; play at least one")
    if draws is not None and len(wanted) != draws:
        raise InputError(f"there are {draws} draws and {len(wanted)} runs; in a simulation every run is a draw")
    return np.asarray(wanted, dtype=np.int64)


def _run_together(scenario: Scenario, option: str, how: _How, draws: Draws, daily: bool) -> SimulationResult:
    view: Any = Drawn(scenario, draws) if draws else scenario
    if how.engine == "expected":
        from simulator.expected import engine as expected

        activity = expected.count(scenario, option, draws, daily=daily)
        size = max((len(values) for values in draws.values()), default=1)
    else:
        from simulator.simulated import engine as simulated

        activity = simulated.count(scenario, option, draws, seed=how.seed, runs=how.runs, fidelity=how.fidelity)
        size = len(how.runs)
    return _billed(scenario, view, activity, size, how)


def _billed(scenario: Scenario, view: Any, activity: Activity, size: int, how: _How) -> SimulationResult:
    result = _stamped(scenario, view, activity, bill(scenario, activity, view, size), how.engine)
    return result if how.engine == "expected" else dataclasses.replace(result, runs=tuple(how.runs.tolist()))


def _stamped(scenario: Scenario, view: Any, activity: Activity, ledger: CostLedger, engine: Engine) -> SimulationResult:
    option, size = scenario.options[activity.option], ledger.draws
    served = np.broadcast_to(activity.served.sum(axis=1), (size,))
    delivered = served * activity.delivered_share
    rate = view.options[activity.option].success_rate
    why_not = activity.why_not
    until = None if activity.serves_until is None else scenario.start + timedelta(days=activity.serves_until)
    if why_not is None and until is not None:
        why_not = f"it stops serving on {until}, inside the horizon"
    fails = np.broadcast_to(np.asarray(view.options[activity.option].retries.failure_rate) >= 1.0, (size,))
    fleet = None if activity.fleet is None else _broadcast(activity.fleet, size)
    one = fleet is None or view is scenario or engine == "simulated"
    short = fails if fleet is None or one else fails | (fleet.overload_share > OVERLOADED)
    if why_not is None and fails.all():
        why_not = "it delivers no call: every attempt fails"
    tokens = {meter: np.zeros(size) for meter in ("input", "cached_input", "cache_write", "output")}
    for count in activity.counts:
        if isinstance(count.basis, TokenPrice) and count.line != "training":
            tokens[count.basis.meter] = tokens[count.basis.meter] + 1e6 * count.quantity.sum(axis=1)
    flags = list(activity.flags) + _over_limits(scenario, view, activity)
    return SimulationResult(
        option=activity.option, kind=option.kind, engine=engine, ledger=ledger,
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
        timeline=activity.timeline, record=activity.record,
        ruled_out=short if short.any() else None,
        fleet=fleet,
    )  # fmt: skip


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
    rule = version.rules.tokens
    tokens = option.prefix_tokens + float(overhead_tokens(rule, option.prefix_tokens, scenario.recorded))
    tokens += workload.tokens.input if option.input_tokens is None else option.input_tokens
    tokens += workload.tokens.output if option.output_tokens is None else option.output_tokens
    tokens += option.reasoning_tokens
    found = []
    for name, unit, demand in (("rpm", "requests", peak), ("tpm", "tokens", peak * tokens)):
        limits = [limit for limit in (getattr(option.limits, name), getattr(version.limits, name)) if limit is not None]
        if limits and demand > min(limits):
            asked, least = (_digits(number) for number in (demand, min(limits)))
            found.append(f"the busiest minute asks for {asked} {unit} a minute, the limit is {least}")
    return found


def _digits(number: float) -> str:
    """Whole from a hundred on, below it three significant digits: a limit of 0.1 is not none."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _joined(parts: list[tuple[NDArray[np.int64], SimulationResult]], size: int, daily: bool) -> SimulationResult:
    """Results of groups of draws as one, its ledger by day of the longest, or over a single period."""
    first = next((part for _, part in parts if part.feasible), parts[0][1])
    periods = max(len(part.ledger.edges) - 1 for _, part in parts) if daily else 1
    keys: dict[tuple[str, str, str, bool], tuple[Array, Array]] = {}
    for members, part in parts:
        for line in part.ledger.lines:
            key = (line.line, line.unit, line.price_version, line.one_off)
            quantity, usd = keys.setdefault(key, (np.zeros((size, periods)), np.zeros((size, periods))))
            for whole, counted in ((quantity, line.quantity), (usd, line.usd)):
                kept = counted if daily else counted.sum(axis=1, keepdims=True)
                whole[members, : kept.shape[1]] += kept
    lines = tuple(
        LedgerLine(line=key[0], unit=key[1], price_version=key[2], one_off=key[3], quantity=quantity, usd=usd)
        for key, (quantity, usd) in keys.items()
    )
    ledger = CostLedger(option=first.option, edges=np.arange(periods + 1), lines=lines, draws=size)

    def scattered(values: Iterator[Array]) -> Array:
        whole = np.zeros(size)
        for (members, _), value in zip(parts, values, strict=True):
            whole[members] = value
        return whole

    ruled_out = np.zeros(size, dtype=bool)
    for members, part in parts:
        ruled_out[members] = ~part.feasible_draws
    return dataclasses.replace(
        first,
        ledger=ledger,
        ruled_out=ruled_out,
        flags=tuple(dict.fromkeys(flag for _, part in parts for flag in part.flags)),
        tokens={meter: scattered(part.tokens[meter] for _, part in parts) for meter in first.tokens},
        calls=scattered(part.calls for _, part in parts),
        served_calls=scattered(part.served_calls for _, part in parts),
        delivered_calls=scattered(part.delivered_calls for _, part in parts),
        success_calls=scattered(part.success_calls for _, part in parts),
        eligible_calls=scattered(part.eligible_calls for _, part in parts),
        hit_calls=scattered(part.hit_calls for _, part in parts),
        peak_per_s=scattered(part.peak_per_s for _, part in parts),
        fleet=None
        if all(part.fleet is None for _, part in parts)
        else FleetUse(
            **{
                field.name: scattered(
                    np.zeros(len(members)) if part.fleet is None else getattr(part.fleet, field.name)
                    for members, part in parts  # a fleet that is never ready did nothing
                )
                for field in dataclasses.fields(FleetUse)
            }
        ),
    )
