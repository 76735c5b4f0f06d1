"""The smallest fleet that meets the latency targets in its busiest hour, judged by calls served one by one."""

from __future__ import annotations

import dataclasses
import functools
import math

from pricing.errors import InputError
from pricing.serving import Replica
from simulator.domain.findings import ServingRun, SimulationResult, Sizing
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.overload import per_second
from simulator.domain.scenario import Scenario
from simulator.domain.workload import Slo
from simulator.run import run, serve_calls, sizing_hours, sizing_rate

MOST_REPLICAS = 512
LEAST_CALLS, MOST_CALLS = 4_000, 60_000
"""A p95 of 4,000 calls is known to about 1 in 20 of their excess; 60,000 are an hour of 17 calls a second, or the
first ten minutes of one of 100."""


def size(scenario: Scenario, option: str, seed: int = 0) -> Sizing:
    """Find the smallest fleet whose p95 latencies meet every target at the sizing hour.

    Args:
        scenario: the question, with a target in `workload.slo`.
        option: a self_hosted option with a serving profile.
        seed: of arrivals and lengths.

    Raises:
        InputError: no fleet to size, or no target.
    """
    plain = fleet_of(scenario, option)
    slo = scenario.workload.slo
    if not _targets(slo):
        raise InputError(
            "workload.slo: has no target to size for; set ttft_p95_s, tpot_p95_s or e2e_p95_s"
        )
    rate = sizing_rate(scenario, option)
    tried: dict[int, ServingRun] = {}

    def meets(replicas: int) -> bool:
        tried[replicas] = hour(scenario, plain, rate, replicas, seed)
        return not missed(tried[replicas], slo)

    alone = hour(scenario, plain, 1e-3, 1, seed, 400)
    if missing := missed(alone, slo):
        return Sizing(
            option=option,
            rate_per_s=rate,
            replicas=None,
            binds=f"no number of replicas: a call alone has {', '.join(missing)}",
            run=alone,
            usd_per_month=None,
        )
    least = max(1, math.ceil(rate / alone.saturation_per_s))
    enough, short = least, 0
    while not meets(enough):
        short, enough = enough, enough * 2
        if enough > MOST_REPLICAS:
            raise InputError(f"options.{option}: more than {MOST_REPLICAS} replicas would be needed; take a faster one")
    low = max(short, least - 1)
    while enough - low > 1:
        middle = (enough + low) // 2
        low, enough = (low, middle) if meets(middle) else (middle, enough)
    looked_at = tried.get(enough - 1) or (hour(scenario, plain, rate, enough - 1, seed) if enough > 1 else None)
    return Sizing(
        option=option,
        rate_per_s=rate,
        replicas=enough,
        binds=_binds(scenario, plain, looked_at or tried[enough]),
        run=tried[enough],
        usd_per_month=_monthly(scenario, option, enough),
    )


def fleet_of(scenario: Scenario, option: str) -> SelfHosted:
    """The option, if it is a fleet whose calls can be served one by one."""
    plain = scenario.option(option)
    if not isinstance(plain, SelfHosted):
        raise InputError(f"options.{option}: is {plain.kind}; only a self_hosted option has a fleet to size")
    if not isinstance(plain.serving, str):
        raise InputError(f"options.{option}.serving: a typed speed has no latency; name a serving profile")
    return plain


def meets_slo(scenario: Scenario, option: str, seed: int = 0) -> tuple[bool | None, str]:
    """Whether the fleet as typed meets the targets in the busiest hour of every shift, and what it misses.

    None where there is no target or no profile. Of a hybrid it is the calls that its fleet serves; how fast the hosted
    option answers the others is not known.
    """
    plain, above = scenario.options[option], 0
    if isinstance(plain, Hybrid):
        option, above = plain.fleet_option, max(round(plain.overflow_above), 1)
        plain = scenario.options[option]
    if not isinstance(plain, SelfHosted) or not isinstance(plain.serving, str) or not _targets(scenario.workload.slo):
        return None, ""
    for rate, replicas in sizing_hours(scenario, option):
        if replicas == 0 and not above:
            return False, f"in a shift without a replica {per_second(rate)} calls a second wait for the next one"
        if replicas == 0:
            continue  # all of them overflow
        served = hour(scenario, plain, rate, replicas, seed, overflow_above=above)
        if missing := missed(served, scenario.workload.slo):
            return False, ", ".join(missing)
    return True, ""


def kept_promises(scenario: Scenario, result: SimulationResult) -> SimulationResult:
    """A fleet that misses its latency targets in its busiest hour is no choice, whatever it costs."""
    if result.fleet is None or result.why_not is not None:
        return result
    kept, missing = meets_slo(scenario, result.option)
    why = None if kept is not False else f"it misses the latency targets in its busiest hour ({missing})"
    return dataclasses.replace(result, meets_slo=kept, why_not=why)


def hour(
    scenario: Scenario,
    plain: SelfHosted,
    rate: float,
    replicas: int,
    seed: int,
    calls: int | None = None,
    overflow_above: int = 0,
) -> ServingRun:
    """An hour of calls on a fleet of fixed size; `overflow_above` calls in it others go elsewhere (0: none do)."""
    return _served(
        scenario.serving[str(plain.serving)],
        tuple(lengths_of(scenario, plain).items()),
        rate,
        calls or int(min(max(rate * 3600.0, LEAST_CALLS), MOST_CALLS)),
        replicas,
        int(plain.fleet.adapters),
        seed,
        overflow_above,
    )


@functools.lru_cache(maxsize=256)
def _served(
    replica: Replica,
    lengths: tuple[tuple[str, float], ...],
    rate: float,
    calls: int,
    replicas: int,
    adapters: int,
    seed: int,
    overflow_above: int,
) -> ServingRun:
    """The same hour is served once: a price or a wage that is turned changes nothing in it."""
    return serve_calls(
        replica,
        dict(lengths),
        rate_per_s=rate,
        calls=calls,
        replicas=replicas,
        adapters=adapters,
        seed=seed,
        overflow_above=overflow_above,
    )


def lengths_of(scenario: Scenario, plain: SelfHosted) -> dict[str, float]:
    """How long the calls of a fleet are: tokens and their spreads."""
    tokens = scenario.workload.tokens
    return {
        "prefix": float(int(plain.prefix_tokens)) if plain.prefix_caching else 0.0,
        "input": (tokens.input if plain.input_tokens is None else plain.input_tokens)
        + (0.0 if plain.prefix_caching else plain.prefix_tokens),
        "output": (tokens.output if plain.output_tokens is None else plain.output_tokens) + plain.reasoning_tokens,
        "input_cv": tokens.input_cv,
        "output_cv": tokens.output_cv,
        "correlation": tokens.correlation,
    }


def _targets(slo: Slo) -> dict[str, float]:
    """Limits on p95 by latency."""
    limits = {"ttft_s": slo.ttft_p95_s, "tpot_s": slo.tpot_p95_s, "e2e_s": slo.e2e_p95_s}
    return {name: limit for name, limit in limits.items() if limit is not None}


def missed(served: ServingRun, slo: Slo) -> list[str]:
    """The targets that a run misses, in words; a fleet that falls behind misses all."""
    words = {"ttft_s": "first token", "tpot_s": "further token", "e2e_s": "end to end"}
    found = []
    for name, limit in _targets(slo).items():
        p95 = getattr(served, name).p95
        if served.overload or p95 > limit:
            told = f"{p95:,.0f}" if p95 >= 100 else f"{p95:.3g}"
            found.append(f"{words[name]} p95 {told} s above {limit:g} s")
    return found


def _binds(scenario: Scenario, plain: SelfHosted, served: ServingRun) -> str:
    """What stands in the way of serving more on the same machines."""
    replica = scenario.serving[str(plain.serving)]
    step = replica.step_seconds()
    if served.preemptions > 0.01 * served.calls:
        return "KV memory"
    if served.most_decoding >= replica.profile.max_num_seqs:
        return "sequences"
    decoding = max(served.mean_concurrency / served.replicas, 1.0)
    prefill_s = step.per_token_s * served.prefill_tokens / served.replicas
    if prefill_s > 0.5 * served.busy_share * served.makespan_s or step.per_token_s * decoding > step.weights_s:
        return "compute"
    return "bandwidth"


def _monthly(scenario: Scenario, option: str, replicas: int) -> float:
    """Rent, power and wear of so many replicas a month, around the clock at the scenario's calls."""
    from simulator.domain.drawn import with_dials
    from simulator.domain.plan import ready_at_once

    fixed = with_dials(
        ready_at_once(scenario, option),
        {
            f"options.{option}.fleet.replicas.min": float(min(replicas, 1)),
            f"options.{option}.fleet.replicas.max": float(replicas),
            f"options.{option}.fleet.spare": 0.0,
        },
    )
    fixed = with_dials(fixed, {f"options.{option}.fleet.replicas.min": float(replicas)})
    lines = run(fixed, option).ledger.by_line()
    months = scenario.horizon_days * 24.0 / scenario.hours_per_month
    return sum(float(lines[line][0]) for line in MACHINE_LINES if line in lines) / months


MACHINE_LINES = ("gpu", "gpu_idle", "hardware", "residual", "electricity", "storage", "egress")
