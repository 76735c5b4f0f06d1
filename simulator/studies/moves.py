"""Prices every option while dials are moved: one at a time, many moves in one run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricing.errors import NotSold
from simulator.domain.dials import DialAt, walk_dials
from simulator.domain.drawn import Draws, is_structural, value_at, with_dials
from simulator.domain.options import REACH, HostedOption
from simulator.domain.plan import concerns
from simulator.domain.ranges import Pert, Range, Uniform
from simulator.domain.scenario import Scenario
from simulator.run import run
from simulator.studies.probability import ranked_usd

Array = NDArray[np.float64]
Basis = Literal["range", "default range", "assumed"]

FACTOR = 1.25
"""Where nothing is said of a dial, it is tried at 1 / 1.25 and at 1.25 times its value."""
BEST_EFFORT = Pert(low=0.5, mode=0.9, high=0.99)
"""Share of would-be hits that an automatic cache gives: owners measured 0 to 91 %."""
SOLD_APART = ("disk_gb", "egress_gb_per_month", "batch_share", "deferrable_share", "storage_gb")
"""Dials that put a count on a meter which not every price has."""
LENGTHS = (".prefix_tokens", ".reasoning_tokens", ".input_tokens", ".output_tokens")
"""Dials of an option that change how long its calls are, as those of `workload.tokens` do."""
MOST_SUPPOSED = 10
CONVENTIONS = ("hours_per_month",)
"""Dials that are a way of counting, not an input that could be otherwise."""
NO_COST = "diagnosis."
"""Answers about the prompt, which no bill depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From where to where a dial is tried, and who says so."""

    at: DialAt
    range: Range
    basis: Basis


def spans(scenario: Scenario) -> tuple[Span, ...]:
    """Every dial that is not zero: its range, the default one of best-effort caches, or x 1/1.25 to 1.25."""
    found = []
    for at in movable(scenario):
        if at.path in scenario.ranges:
            found.append(Span(at=at, range=scenario.ranges[at.path], basis="range"))
        elif at.path.endswith(".caching.reach") and at.path not in scenario.set_paths:
            found.append(Span(at=at, range=BEST_EFFORT, basis="default range"))
        elif at.value:
            low, high = sorted((at.value / FACTOR, at.value * FACTOR))
            low, high = max(low, at.dial.least), min(high, at.dial.most)
            if at.dial.whole:
                low, high = math.floor(low), math.ceil(high)
            if low < high:
                found.append(Span(at=at, range=Uniform(low=low, high=high), basis="assumed"))
    return tuple(found)


def movable(scenario: Scenario) -> tuple[DialAt, ...]:
    """Every dial that can stand elsewhere.

    No convention, no waiting time of an option nobody stands in for, and nothing for which a price has no rate.
    """

    def stuck(at: DialAt) -> bool:
        *above, last = at.path.split(".")
        if last == "ready_after_days":
            return scenario.options[above[1]].until_ready is None
        return last in SOLD_APART and any(_unsold(scenario, name, at) for name in scenario.options)

    found = (at for at in walk_dials(scenario) if at.path not in CONVENTIONS and not at.path.startswith(NO_COST))
    return tuple(at for at in found if not stuck(at))


def _unsold(scenario: Scenario, name: str, at: DialAt) -> bool:
    """Whether an option cannot be billed once a dial stands at its high end: its price has no such rate."""
    if not concerns(scenario, name, at.path):
        return False
    try:
        run(scenario, name, draws={at.path: np.array([at.dial.high])})
    except NotSold:
        return True
    return False


def explicit(scenario: Scenario) -> Scenario:
    """The same scenario with the default reach of automatic caches written out, so that it is a dial like others."""
    options = dict(scenario.options)
    for name, option in scenario.options.items():
        if isinstance(option, HostedOption) and guessed_reach(scenario, name):
            reach = dataclasses.replace(option.caching, reach=REACH["automatic"])
            options[name] = dataclasses.replace(option, caching=reach)
    return dataclasses.replace(scenario, options=options)


def supposed(scenario: Scenario) -> tuple[Scenario, str | None]:
    """The scenario itself where it has ranges; else with supposed ones, and the sentence that says so.

    Supposed are the ten that move costs most: the typed numbers of the workload and of what building costs,
    x 1/1.25 to 1.25, and the reach of automatic caches. Prices are known, and days, spreads of demand and choices of
    design are no guesses: they stay.
    """
    if scenario.ranges:
        return scenario, None
    scenario = explicit(scenario)
    found = [
        span
        for span in spans(scenario)
        if span.basis == "default range"
        or (
            span.at.path in scenario.set_paths
            and not is_structural(span.at.path)
            and not span.at.path.startswith(("workload.slo", "discount_rate", "diagnosis"))
            and not span.at.path.endswith(("prefix_tokens", "price_factor", "epochs"))
            and ".fleet." not in span.at.path
        )
    ]
    usd = priced(scenario, [(span.at.path, end) for span in found for end in span.range.ends])
    usd = usd[np.isfinite(usd).all(axis=1)].reshape(-1, len(found), 2)
    effect = np.abs(usd[:, :, 1] - usd[:, :, 0]).max(axis=0) if len(usd) else np.zeros(len(found))
    kept = [index for index in np.argsort(-effect, kind="stable")[:MOST_SUPPOSED].tolist() if effect[index] > 0]
    ranges = {found[index].at.path: found[index].range for index in kept}
    reach = f", the reach of automatic caches between {BEST_EFFORT.low:g} and {BEST_EFFORT.high:g}"
    cached = any(found[index].basis == "default range" for index in kept)
    said = (
        f"No range is written in this scenario: the {len(ranges)} inputs that move costs most, apart from prices, days "
        f"and design, are supposed to lie between 1/{FACTOR:g} and {FACTOR:g} times their value"
        f"{reach if cached else ''}."
    )
    means = {path: one.expected for path, one in ranges.items()}
    return dataclasses.replace(with_dials(scenario, means), ranges=ranges), said


def guessed_reach(scenario: Scenario, name: str) -> bool:
    """Whether an option counts on a best-effort cache of which nothing is measured."""
    option = scenario.options[name]
    if not isinstance(option, HostedOption):
        return False
    rule = scenario.price_on(option.price, 0).rules.caching
    mode = option.caching.mode or rule.mode
    eligible = option.prefix_tokens >= max(1, rule.min_tokens)
    return (
        mode == "automatic"
        and eligible
        and option.caching.reach is None
        and option.cache_hit_rate is None
        and option.caching.calls_per_cache is None
        and REACH[mode] < 1
    )


def priced(scenario: Scenario, moves: Sequence[tuple[str, float]], today: Array | None = None) -> Array:
    """What every option costs when one dial at a time is moved, (options, moves); infinite where it does not serve.

    Args:
        scenario: the question.
        moves: dotted path and value of each move.
        today: what they cost as the scenario stands, (options,), where it is known.
    """
    if scenario.ranges:                     # no part of a cost, yet checked anew for every dial that is run apart
        scenario = dataclasses.replace(scenario, ranges={}, correlations=())
    usd = np.repeat((today_usd(scenario) if today is None else today)[:, None], len(moves), axis=1)
    groups: dict[str, list[int]] = {}
    for index, (path, _) in enumerate(moves):
        groups.setdefault(_run_with(path), []).append(index)
    for together in groups.values():
        for row, name in enumerate(scenario.options):
            touched = {path: concerns(scenario, name, path) for path in {moves[index][0] for index in together}}
            chosen = [index for index in together if touched[moves[index][0]]]
            if chosen:                          # what no dial concerns costs what it costs today
                usd[row, chosen] = _cost(scenario, name, _apart(scenario, [moves[index] for index in chosen]))
    return usd


def _run_with(path: str) -> str:
    """Which moves are run together: those of one dial that costs runs of its own, or a calendar a draw.

    Of the others those that change how long calls are, and the rest: of many lengths a fleet is known for some only,
    and what calls of today's length cost would be read between them.
    """
    if is_structural(path) or path == "workload.growth_per_month":
        return path
    return "lengths" if path.startswith("workload.tokens.") or path.endswith(LENGTHS) else ""


def _apart(scenario: Scenario, moves: Sequence[tuple[str, float]]) -> dict[str, Array]:
    draws = {path: np.full(len(moves), value_at(scenario, path)) for path in dict.fromkeys(path for path, _ in moves)}
    for index, (path, value) in enumerate(moves):
        draws[path][index] = value
    return draws


def _cost(scenario: Scenario, name: str, moved: Mapping[str, Array]) -> Array:
    size = len(next(iter(moved.values())))      # a dial set in the scenario alone is no draw, and rules out otherwise
    draws = {"discount_rate": np.full(size, scenario.discount_rate), **moved}
    result = run(scenario, name, draws=draws)
    return np.where(result.feasible_draws, ranked_usd(scenario, name, draws, result), np.inf)


def cheapest_first(usd: Array, baseline: int) -> NDArray[np.int64]:
    """Options in order of cost, (options, n); ties go to the baseline, then to file order."""
    order = [baseline, *(index for index in range(len(usd)) if index != baseline)]
    ranks = np.argsort(usd[order], axis=0, kind="stable")
    return np.asarray(order)[ranks]


def today_usd(scenario: Scenario) -> Array:
    """What every option costs as the scenario stands, (options,)."""
    draws: Draws = {"discount_rate": np.array([scenario.discount_rate])}
    costs = []
    for name in scenario.options:
        result = run(scenario, name, draws=draws)
        cost = ranked_usd(scenario, name, draws, result)
        costs.append(float(np.where(result.feasible_draws, cost, np.inf)[0]))
    return np.asarray(costs)
