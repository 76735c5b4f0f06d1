"""Everything an answer rests on: what the user set and from where, and every default that was not set."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.domain.costs import DEFAULT_EPOCHS
from simulator.domain.dials import walk_dials
from simulator.domain.findings import Assumption
from simulator.domain.options import OPS_HOURS, REACH, HostedFineTuned, HostedOption, SelfHosted, ServingOption
from simulator.domain.recorded import overhead_tokens
from simulator.domain.scenario import Scenario
from simulator.studies.machines import machine_assumptions

DEFAULT = "default of this program"
UNSAID = "set in the scenario, origin not stated"


def assumptions(scenario: Scenario) -> tuple[Assumption, ...]:
    """Typed values first, with the origin the user gave; then the defaults that reach the bill."""
    typed, silent = [], []
    counted = dict(_counted(scenario))
    for at in walk_dials(scenario):
        if at.path in scenario.set_paths:
            source = _origin(scenario, at.path, counted.get(at.path, UNSAID))
            typed.append(Assumption(path=at.path, value=at.value, source=source, set_by_user=True))
        elif not _without_effect(at.path, at.value):
            source = _origin(scenario, at.path, at.dial.default_from or DEFAULT)
            silent.append(Assumption(path=at.path, value=at.value, source=source, set_by_user=False))
    typed += _of_outlook(scenario)
    for name, option in scenario.options.items():
        silent += _of_option(scenario, name, option)
    return tuple(typed + silent)


def _counted(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Where the tokens of every prompt file come from, by path."""
    for name, option in scenario.options.items():
        if option.prompt is not None:
            how = "" if option.prompt_exact else " with a stand-in tokenizer, so an estimate"
            said = scenario.assumes.get(f"options.{name}.prompt", f"counted from {option.prompt}{how}")
            yield f"options.{name}.prefix_tokens", said


def _of_outlook(scenario: Scenario) -> Iterator[Assumption]:
    """By what unknown price changes multiply a price."""
    moves = scenario.outlook
    if moves is not None:
        down, size = sum(factor < 1 for factor in moves.factors), len(moves.factors)
        ends = f"from {min(moves.factors):.2g} to {max(moves.factors):.2g}"
        found = f"mean of {size} factor{'s' if size > 1 else ''}, {down} of them below 1, {ends}"
        said = _origin(scenario, "outlook.factors", "")
        source = f"{said}; {found}" if said else found
        yield Assumption(path="outlook.factors", value=moves.mean_factor, source=source, set_by_user=True)


def _origin(scenario: Scenario, path: str, otherwise: str) -> str:
    """What the user says of a value or of the block it stands in."""
    while path:
        if path in scenario.assumes:
            return scenario.assumes[path]
        path = path.rpartition(".")[0]
    return otherwise


def _without_effect(path: str, value: float) -> bool:
    """Defaults of zero, one or nothing change no number, and need no line."""
    return value in (0.0, 1.0) and not path.endswith("discount_rate")


def _of_option(scenario: Scenario, name: str, option: ServingOption) -> list[Assumption]:
    """Defaults that depend on the kind of option or on the price's rules."""
    path, found = f"options.{name}", []

    def default(key: str, value: float | str, source: str) -> None:
        found.append(
            Assumption(
                path=f"{path}.{key}",
                value=value,
                set_by_user=False,
                source=_origin(scenario, f"{path}.{key}", source),
            )
        )

    if option.ops_hours_per_month is None and not scenario.bare:
        default("ops_hours_per_month", OPS_HOURS[option.kind], f"{DEFAULT}: upkeep of a {option.kind} option")
    if isinstance(option, SelfHosted):
        for key, value, source in machine_assumptions(scenario, option):
            default(key, value, source)
    if not isinstance(option, HostedOption):
        return found
    rules = scenario.price_on(option.price, 0).rules
    mode = option.caching.mode or rules.caching.mode
    caches = mode != "off" and option.prefix_tokens >= max(1, rules.caching.min_tokens)
    if caches and option.cache_hit_rate is None and option.caching.calls_per_cache is None:
        if option.caching.reach is None:
            why = "best effort: owners measured 0 to 91 %" if mode == "automatic" else "the provider promises it"
            default("caching.reach", REACH[mode], f"{DEFAULT}; {why}")
        if option.caching.ttl is None:
            default("caching.ttl", float(rules.caching.ttl_s[0]), f"caching rule of {option.price}")
    if rules.tokens.per_message or rules.tokens.per_request:
        messages = 2 if option.prefix_tokens > 0 else 1
        recorded = scenario.recorded
        overhead = float(overhead_tokens(rules.tokens, option.prefix_tokens, recorded))
        said = f"{messages} messages" if recorded is None else "the log counts all but the message of the prefix"
        default("message_overhead_tokens", overhead, f"token rule of {option.price}: {said}")
    if isinstance(option, HostedFineTuned) and option.training is not None and option.training.usd is None:
        training = option.training
        if training.epochs is None and training.hours is None:
            rule = scenario.price_on(training.price or option.price, 0).rules.training.epochs
            epochs = rule.epochs(training.examples) if rule and training.examples else DEFAULT_EPOCHS
            default(
                "training.epochs", float(epochs), "the provider's rule" if rule else f"{DEFAULT}: OpenAI's own target"
            )
    return found
