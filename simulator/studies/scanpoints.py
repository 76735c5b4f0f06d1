"""Where a dial is scanned: densely, and on and on either side of every value at which a bill is known to jump."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pricing.table import PriceVersion
from simulator.domain.dials import Dial
from simulator.domain.options import HostedFineTuned, HostedOption, Hybrid, SelfHosted
from simulator.domain.plan import stages, training_price, version_spans
from simulator.domain.recorded import overhead_tokens
from simulator.domain.scenario import Scenario
from simulator.run import capacity_edges

Array = NDArray[np.float64]

POINTS = 2001
"""Scan points along a dial, besides the known discontinuities."""
WIDTH = 1e-9
"""Relative width at which a bracket is narrow enough."""
MAX_STEPS = 4096
"""Known discontinuities of one kind beyond which the scan points have to do."""


def scan_points(
    scenario: Scenario, names: tuple[str, ...], along: str, dial: Dial, low: float, high: float, most: int = POINTS
) -> Array:
    """Rising scan points from low to high, with a point on and on either side of every known discontinuity.

    Args:
        scenario: the question.
        names: options whose discontinuities are looked at.
        along: dotted path of the dial.
        dial: its range and scale.
        low: begin of the scan.
        high: its end.
        most: number of points besides the known discontinuities.
    """
    if dial.whole:
        low, high = math.ceil(low), math.floor(high)
        count = min(most, int(high - low) + 1)
        return np.unique(np.round(np.linspace(low, high, count)))
    if dial.scale == "log" and low > 0:
        points = np.geomspace(low, high, most)
        points[0], points[-1] = low, high
    else:
        points = np.linspace(low, high, most)
    known: list[float] = []
    for name in names:
        known += _epoch_steps(scenario, name, along)
        known += _fleet_steps(scenario, name, along)
        for served in _served_by(scenario, name):
            known += _steps(scenario, *served, along, low, high)
    steps = np.asarray(known)
    around = np.concatenate([steps, steps * (1 - WIDTH / 4), steps * (1 + WIDTH / 4)])
    return np.unique(np.concatenate([points, around[(around > low) & (around < high)]]))


def _served_by(scenario: Scenario, name: str) -> Iterator[tuple[str, PriceVersion]]:
    """Every option and price version that serves calls of an option: stand-ins, successors, fallbacks included."""
    for stage in stages(scenario, name)[0]:
        fallback = scenario.options[stage.option].fallback
        for part in [stage, *(stages(scenario, fallback.to)[0] if fallback else ())]:
            if not part.price:
                continue
            option = scenario.options[part.option]
            hosted = option.overflow_option if isinstance(option, Hybrid) else part.option
            for first, _ in version_spans(scenario, part.price, part.first, part.after):
                yield hosted, scenario.price_on(part.price, first)


def _steps(
    scenario: Scenario, name: str, version: PriceVersion, along: str, low: float, high: float
) -> list[float]:
    """Values of a dial at which the bill of an option is known to jump: cache minimum and increment, length tiers."""
    option = scenario.options[name]
    if not isinstance(option, HostedOption):
        return []
    caching, tokens = version.rules.caching, version.rules.tokens
    found: list[float] = []
    if along == f"options.{name}.prefix_tokens" and caching.mode != "off":
        found.append(float(caching.min_tokens))
        if caching.increment > 1 and (high - low) / caching.increment <= MAX_STEPS:
            first, last = math.ceil(low / caching.increment), math.floor(high / caching.increment)
            found += [float(caching.increment * steps) for steps in range(first, last + 1)]
    own_input = option.input_tokens if option.input_tokens is not None else scenario.workload.tokens.input
    overhead = float(overhead_tokens(tokens, option.prefix_tokens, scenario.recorded))
    for tier in version.usd_per_mtok.tiers:
        if along == f"options.{name}.prefix_tokens":
            found.append(tier.above - own_input - overhead)
        elif along in ("workload.tokens.input", f"options.{name}.input_tokens"):
            found.append(tier.above - option.prefix_tokens - overhead)
    return found


def _fleet_steps(scenario: Scenario, name: str, along: str) -> list[float]:
    """Calls a day at which a fleet takes one more replica, or is full."""
    option = scenario.options[name]
    fleet = option.fleet_option if isinstance(option, Hybrid) else name
    if along != "workload.calls_per_day" or not isinstance(scenario.options[fleet], SelfHosted):
        return []
    return capacity_edges(scenario, fleet)[:MAX_STEPS]


def _epoch_steps(scenario: Scenario, name: str, along: str) -> list[float]:
    """Numbers of examples at which the provider's rule takes another number of epochs."""
    option = scenario.options[name]
    if along != f"options.{name}.training.examples" or not isinstance(option, HostedFineTuned):
        return []
    rule = scenario.price_on(training_price(option), 0).rules.training.epochs
    if rule is None or option.training is None or option.training.epochs is not None:
        return []
    return [size / passes for size in (rule.min_examples, rule.max_examples) for passes in range(1, rule.cap + 1)]
