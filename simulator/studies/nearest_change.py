"""The nearest change of a price, a prompt, a cache or the waiting that would make an option pay, checked by running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import find_dial, value_at, with_dials
from simulator.domain.options import REACH, HostedOption
from simulator.domain.scenario import Scenario
from simulator.run import run

Array = NDArray[np.float64]
VOLUME = "workload.calls_per_day"
TIMES = np.round(np.geomspace(1.0, 10.0, 181), 2)
"""Factors that are tried, up to tenfold."""
PARTS = (0.75, 0.5, 0.25, 0.0)
"""What is left of a waiting, or of the cache hits that come or that fail to; a few, as each waiting is a run."""
PLACES = 7
"""Values of the dial asked about at which a change is tried, today's besides its ends, and today's before them."""


class Trial(NamedTuple):
    """Values of one dial to try, from the nearest to the farthest, how far each is from today's, and in words."""

    path: str
    values: Array
    far: Array
    words: list[str]


def nearest_change(
    scenario: Scenario,
    between: tuple[str, str],
    along: str = VOLUME,
    bounds: tuple[float, float] | None = None,
) -> str | None:
    """The smallest change, up to tenfold, that would make the challenger the cheaper one within a range of a dial.

    Only changes that the words can state exactly are tried, and each is run where the sentence says that it pays.
    To do away with the waiting, or with a cache, counts as tenfold.

    Args:
        scenario: the question.
        between: the reference and the challenger.
        along: dotted path of the dial asked about.
        bounds: its range (default: only what it reads today).
    """
    asked = _with_reach(scenario, between)
    places = _places(asked, along, bounds)
    best: tuple[float, str] | None = None
    for trial in _trials(asked, between):
        found = _pays(asked, between, trial, along, places)
        if found is None or (best is not None and trial.far[found[0]] >= best[0]):
            continue
        number, place = found
        value = "" if place is None else f"{place:,.10g}"
        where = f"at {value} calls a day " if along == VOLUME else f"at {along} {value} "
        best = float(trial.far[number]), f"{where if value else ''}it would pay if {trial.words[number]}"
    return None if best is None else best[1]


def _places(scenario: Scenario, along: str, bounds: tuple[float, float] | None) -> Array:
    """Today's value first, where it lies in the range, then values that words can state, from end to end."""
    today = value_at(scenario, along)
    if bounds is None:
        return np.array([today])
    dial, (low, high) = find_dial(scenario, along), bounds
    spread = np.geomspace(low, high, PLACES) if dial.scale == "log" and low > 0 else np.linspace(low, high, PLACES)
    inner = [float(f"{value:.{1 if dial.scale == 'log' else 2}g}") for value in spread[1:-1]]
    inner = [round(value) if dial.whole else value for value in inner]
    first = [today] if low <= today <= high else []
    return np.array([*first, low, *(value for value in inner if low < value < high), high])


def _pays(
    scenario: Scenario, between: tuple[str, str], trial: Trial, along: str, places: Array
) -> tuple[int, float | None] | None:
    """The number of the nearest value that pays, and where on the dial; None for today's reading of it."""
    today = value_at(scenario, along)
    at = np.array([today]) if along == trial.path else places
    draws = {along: np.tile(at, len(trial.values)), trial.path: np.repeat(trial.values, len(at))}
    costs = []
    for name in between:
        one = run(scenario, name, draws=draws)
        costs.append(np.where(one.feasible_draws, one.total_usd, np.inf))
    pays = np.flatnonzero(np.isfinite(costs[1]) & (costs[1] <= costs[0]))
    if not len(pays):
        return None
    number, place = divmod(int(pays[0]), len(at))
    return number, None if at[place] == today else float(at[place])


def _trials(scenario: Scenario, between: tuple[str, str]) -> Iterator[Trial]:
    (old, new), (reference, challenger) = between, (scenario.options[name] for name in between)
    fall = np.arange(100, 9, -1) / 100.0
    if (now := challenger.price_factor) > 0:
        words = [f"the prices of {new} fell to {100 * share:.0f} % of today's" for share in fall]
        yield Trial(f"options.{new}.price_factor", now * fall, -np.log(fall), words)
    if (now := reference.price_factor) > 0:
        words = [f"the prices of {old} rose to {times:.3g} times today's" for times in TIMES]
        yield Trial(f"options.{old}.price_factor", now * TIMES, np.log(TIMES), words)
    if (now := reference.prefix_tokens) > 0:
        tokens = np.ceil(now * TIMES)
        words = [f"the prompt of {old} were {value:,.0f} tokens long" for value in tokens]
        yield Trial(f"options.{old}.prefix_tokens", tokens, np.log(TIMES), words)
    if (now := challenger.ready_after_days) > 0:
        waits = np.unique(np.floor(now * np.array(PARTS)))[::-1]
        words = [f"{new} were ready {f'after {wait:.0f} days' if wait else 'from the first day'}" for wait in waits]
        yield Trial(f"options.{new}.ready_after_days", waits, _far(waits / now), words)
    for name, option, better in ((new, challenger, True), (old, reference, False)):
        if not isinstance(option, HostedOption) or not (now := option.caching.reach or 0.0):
            continue
        shares = np.round(1.0 - (1.0 - now) * np.array(PARTS) if better else now * np.array(PARTS), 2)
        shares = shares[shares > now] if better else shares[shares < now]
        words = [f"{100 * share:.0f} % of the possible cache hits of {name} came" for share in shares]
        if len(shares):
            yield Trial(f"options.{name}.caching.reach", shares, _far(shares / now), words)


def _far(factors: Array) -> Array:
    """How far a factor is from one, no farther than tenfold."""
    return np.asarray(np.abs(np.log(np.maximum(factors, 0.1))))


def _with_reach(scenario: Scenario, between: tuple[str, str]) -> Scenario:
    """The scenario with the share of would-be cache hits that come written out, where the bill depends on it."""
    found: dict[str, float] = {}
    for name in between:
        option = scenario.options[name]
        if not isinstance(option, HostedOption):
            continue
        wish = option.caching
        mode = wish.mode or scenario.price_on(option.price, 0).rules.caching.mode
        pinned = option.cache_hit_rate is not None or wish.calls_per_cache is not None
        if wish.reach is None and mode != "off" and not pinned:
            found[f"options.{name}.caching.reach"] = REACH[mode]
    return with_dials(scenario, found) if found else scenario
