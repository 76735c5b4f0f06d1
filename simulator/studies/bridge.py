"""Where a saving comes from: the way from the cost of one option to that of another, in a fixed order of steps.

Tokens come first, one property changed at a time: the price of the model (at the cache hits of today), the
length of the prompt, the cache, the length of the answer, the premium of the tuned form. What is left of the
token cost is the cut-over, retries and batch. Then come whole lines of the bill. The parts add up exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from simulator.domain.advice import Bridge, BridgePart
from simulator.domain.findings import SimulationResult
from simulator.domain.ledger import TOKEN_LINES
from simulator.domain.options import HostedFineTuned, HostedOption, HostedPrompt
from simulator.domain.scenario import Scenario
from simulator.run import run

HOSTING = ("hosting", "storage", "egress", "gpu", "gpu_idle", "hardware", "residual", "electricity")
PEOPLE = ("ops", "human")
BUILDING = ("dataset", "training", "evaluation", "engineering")
QUALITY = ("failures",)
NEGOTIATED = ("adjust",)

ROUNDING = 1e-12
"""Share of the cost below which a part is a rounding error."""
REST = "cut-over, retries and batch"


def bridge(scenario: Scenario, between: tuple[str, str], results: Mapping[str, SimulationResult]) -> Bridge:
    """The saving of the second option against the first, in parts.

    Args:
        scenario: the question.
        between: from which option to which.
        results: results of both, by name; their first draw is taken apart.
    """
    before, after = (_lines(results[name]) for name in between)
    saving = _some(before, TOKEN_LINES) - _some(after, TOKEN_LINES)
    if all(isinstance(scenario.options[name], HostedOption) for name in between):
        parts, notes = _tokens(scenario, between, saving, results)
    else:
        parts, notes = [BridgePart(part="tokens bought", usd=saving)], []
    groups = {"hosting and idle": HOSTING, "people": PEOPLE}
    for part, keys in groups.items():
        parts.append(BridgePart(part=part, usd=_some(before, keys) - _some(after, keys)))
    named = {*TOKEN_LINES, *HOSTING, *PEOPLE, *BUILDING, *QUALITY, *NEGOTIATED}
    built = typed = 0.0
    for sign, lines in ((1, before), (-1, after)):
        for (line, once), usd in lines.items():
            if line in BUILDING or (once and line not in named):
                built += sign * usd
            elif line not in named:
                typed += sign * usd
    parts.append(BridgePart(part="one-off", usd=built))
    parts.append(BridgePart(part="quality", usd=_some(before, QUALITY) - _some(after, QUALITY)))
    for part, usd in (
        ("other monthly costs", typed),
        ("negotiated prices and credit", _some(before, NEGOTIATED) - _some(after, NEGOTIATED)),
    ):
        if usd:
            parts.append(BridgePart(part=part, usd=usd))
    totals = [float(results[name].total_usd[0]) for name in between]
    dust = ROUNDING * abs(totals[0])
    parts = [part if abs(part.usd) > dust else BridgePart(part=part.part, usd=0.0) for part in parts]
    served = (_served_days(scenario, results[between[0]]), _served_days(scenario, results[between[1]]))
    if served[0] != served[1]:
        told = " and ".join(f"{name} {days:,} days" for name, days in zip(between, served, strict=True))
        notes = [f"the two are not paid for the same time: {told}", *notes]
    return Bridge(
        between=between, from_usd=totals[0], to_usd=totals[1], parts=tuple(parts), days=served, notes=tuple(notes)
    )


def _served_days(scenario: Scenario, result: SimulationResult) -> int:
    """Days that an option is paid for: the horizon, or up to the day on which it stops serving."""
    return int(scenario.day_index(result.serves_until) if result.serves_until else scenario.horizon_days)


def _tokens(
    scenario: Scenario, between: tuple[str, str], saving: float, results: Mapping[str, SimulationResult]
) -> tuple[list[BridgePart], list[str]]:
    """The saving on token lines, one property of the calls changed at a time."""
    a, b = (scenario.options[name] for name in between)
    assert isinstance(a, HostedOption)
    assert isinstance(b, HostedOption)
    base, notes = base_price(scenario, between[1])
    hits = float(results[between[0]].cache_hit_rate[0]) if results[between[0]].eligible_calls[0] > 0 else None
    plain = _plain(a)
    pinned = dataclasses.replace(
        plain, price=base, price_factor=b.price_factor, cache_hit_rate=hits if hits is not None else a.cache_hit_rate
    )
    shorter = dataclasses.replace(pinned, prefix_tokens=b.prefix_tokens)
    cached = dataclasses.replace(shorter, cache_hit_rate=b.cache_hit_rate, caching=b.caching)
    answered = dataclasses.replace(
        cached, input_tokens=b.input_tokens, output_tokens=b.output_tokens, reasoning_tokens=b.reasoning_tokens
    )
    tuned = dataclasses.replace(answered, price=b.price)
    names = ("model price", "prompt length", "caching", "output length", "tuning premium")
    costs = [_token_usd(scenario, option) for option in (plain, pinned, shorter, cached, answered, tuned)]
    parts = [BridgePart(part=name, usd=costs[i] - costs[i + 1]) for i, name in enumerate(names)]
    parts.append(BridgePart(part=REST, usd=saving - (costs[0] - costs[-1])))
    if scenario.ranges:
        notes = [*notes, f'steps are taken at the means of the ranges; what the draws add is in "{REST}"']
    return parts, notes


def base_price(scenario: Scenario, name: str) -> tuple[str, list[str]]:
    """The price of the untuned model under an option, or its own where none is bound, and what to say of that."""
    option = scenario.options[name]
    assert isinstance(option, HostedOption)
    price = option.price
    if not isinstance(option, HostedFineTuned):
        return price, []
    base = scenario.prices[price].base_id
    known = base is not None and base in scenario.prices and on_sale(scenario, base)
    if base is None or not known:
        said = f"the base of {price} has no price of its own here, so the tuning premium is part of the model price"
        return price, [said]
    return base, []


def on_sale(scenario: Scenario, price: str) -> bool:
    """Whether a bound price has a version in force on the first day and serves the whole horizon."""
    table = scenario.prices[price]
    if min(version.effective for version in table.versions) > scenario.start:
        return False
    retires = scenario.price_on(price, 0).lifecycle.retires_on
    return retires is None or retires >= scenario.end


def prompted(option: HostedOption, price: str) -> HostedPrompt:
    """The same calls and prompt at another price, without anything that belongs to tuning."""
    fields = {field.name: getattr(option, field.name) for field in dataclasses.fields(HostedPrompt)}
    return HostedPrompt(**{**fields, "price": price, "kind": "hosted_prompt", "ready_after_days": 0.0,
                           "until_ready": None, "dataset": None, "successor": "stop"})


def _plain(option: HostedOption) -> HostedPrompt:
    """The calls of an option, served by it alone from the first day, each once and at once."""
    fresh = prompted(option, option.price)
    default = HostedPrompt(price=option.price)
    return dataclasses.replace(
        fresh, retries=default.retries, batch_share=0.0, service="standard", fallback=None, human=None
    )


def _token_usd(scenario: Scenario, option: HostedPrompt) -> float:
    alone = dataclasses.replace(
        scenario, options={"alone": option}, baseline="alone", ranges={}, correlations=(), adjust=(), credits=None
    )
    result = run(alone, "alone", daily=False)
    return float(sum(usd[0] for line, usd in result.ledger.by_line().items() if line in TOKEN_LINES))


def _lines(result: SimulationResult) -> dict[tuple[str, bool], float]:
    found: dict[tuple[str, bool], float] = {}
    for line in result.ledger.lines:
        key = (line.line, line.one_off)
        found[key] = found.get(key, 0.0) + float(line.total_usd[0])
    return found


def _some(lines: Mapping[tuple[str, bool], float], names: Iterable[str]) -> float:
    wanted = frozenset(names)
    return sum((usd for (line, _), usd in lines.items() if line in wanted), 0.0)
