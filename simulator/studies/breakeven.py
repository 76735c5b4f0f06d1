"""Every value of a dial at which the cheaper of two options changes, and when a larger one-off has paid back.

Crossings are plural: caches with a smallest prefix, tiers and whole steps make jumps and stairs. The dial is
scanned densely, with a point on each side of every known discontinuity; each change of sign is then narrowed
by cutting its bracket into many pieces at once, until it is a billionth wide. What still differs there by
more than a smooth cost could is a jump, the rest is a root.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.drawn import find_dial, with_dials
from simulator.domain.findings import Answer, BreakEven, Crossing, Payback, SimulationResult
from simulator.domain.options import HostedOption
from simulator.domain.plan import closed_reason, concerns, stages
from simulator.domain.scenario import Scenario
from simulator.domain.usage import OVERLOADED
from simulator.formats import days as spoken
from simulator.run import run
from simulator.studies.finance import cumulative, payback_day
from simulator.studies.reasons import never_reason
from simulator.studies.scanpoints import WIDTH, scan_points

Array = NDArray[np.float64]
Basis = Literal["steady_state", "horizon"]
CashBasis = Literal["steady_state", "horizon", "equal_quality"]
"""`equal_quality` is the horizon without the cost of wrong answers."""

VOLUME = "workload.calls_per_day"
PIECES = 256
"""Pieces into which every bracket is cut at once."""
EQUAL = 1e-12
"""Relative difference below which two costs are the same number."""
LEAP = 1e-6
"""Relative difference across a bracket narrowed to WIDTH above which the change is a jump: a thousand times what the
steepest smooth bill, one proportional to the dial, could move there."""
BEYOND_USD = 1e15
"""What an option that cannot serve the calls is taken to cost: more than any that can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A narrowed change of sign: where, whether it jumps, and the sign of the difference on either side."""

    at: float
    jump: bool
    below: int
    above: int


def sign_changes(
    difference: Callable[[Array], tuple[Array, Array]], points: Array, whole: bool = False, width: float = WIDTH
) -> tuple[list[Change], NDArray[np.int64]]:
    """Every change of sign of a difference over rising points, and its sign at every point.

    Args:
        difference: maps points (n,) to the difference and the scale it is judged by, both (n,).
        points: where to look first, rising.
        whole: whether only whole numbers lie between the points.
        width: relative width to which a change is narrowed.

    Returns:
        The changes from left to right, and the sign (-1, 0 or 1) of the difference at every point (n,).

    >>> found, _ = sign_changes(lambda x: (x**2 - 2.0, x**2 + 2.0), np.linspace(0.0, 3.0, 7))
    >>> [(round(change.at, 8), change.jump) for change in found]
    [(1.41421356, False)]
    >>> step, signs = sign_changes(lambda x: (np.where(x < 2, -1.0, 3.0), 0.0 * x + 4.0), np.array([0.0, 1.5, 3.0]))
    >>> [(round(change.at, 8), change.jump) for change in step], signs.tolist()
    ([(2.0, True)], [-1, -1, 1])
    """
    value, scale = difference(points)
    signs = _signs(value, scale)
    apart = np.flatnonzero(signs)
    turns = apart[:-1][signs[apart[:-1]] != signs[apart[1:]]]
    after = apart[1:][signs[apart[:-1]] != signs[apart[1:]]]
    low, high = points[turns].copy(), points[after].copy()
    below, above = signs[turns], signs[after]
    smallest = 1.0 if whole else 0.0
    while len(low) and np.any(high - low > np.maximum(width * np.maximum(np.abs(low), np.abs(high)), smallest)):
        cuts = np.linspace(0.0, 1.0, PIECES + 1)
        grid = low[:, None] + (high - low)[:, None] * cuts
        if whole:
            grid = np.round(grid)
        value, scale = difference(grid.ravel())
        inside = _signs(value, scale).reshape(grid.shape)
        inside[:, 0], inside[:, -1] = below, above
        turned = np.argmax(inside == above[:, None], axis=1)  # the first point with the sign of the far side
        rows = np.arange(len(low))
        narrower = grid[rows, turned - 1], grid[rows, turned]
        if np.array_equal(narrower[0], low) and np.array_equal(narrower[1], high):
            break
        low, high = narrower
    if not len(low):
        return [], signs
    ends, scales = (x.reshape(2, -1) for x in difference(np.concatenate([low, high])))
    leap = np.abs(ends[1] - ends[0]) > LEAP * scales.max(axis=0)
    middle = np.where(leap, high, (low + high) / 2)
    found = [
        Change(at=float(at), jump=bool(jump), below=int(b), above=int(a))
        for at, jump, b, a in zip(middle, leap, below, above, strict=True)
    ]
    return found, signs


def _signs(value: Array, scale: Array) -> NDArray[np.int64]:
    return np.where(np.abs(value) <= EQUAL * scale, 0, np.sign(value)).astype(np.int64)


def break_even(
    scenario: Scenario,
    between: tuple[str, str],
    along: str = VOLUME,
    low: float | None = None,
    high: float | None = None,
    *,
    costs: Costs | None = None,
    results: Mapping[str, SimulationResult] | None = None,
) -> BreakEven:
    """Where two options cost the same along a dial, and when the larger one-off has paid back.

    Args:
        scenario: the question.
        between: the reference and the challenger; `always` and `never` speak of the challenger.
        along: dotted path of the dial.
        low: begin of the scan (default: the dial's range).
        high: its end.
        costs: kept costs, so that several pairs share their scans.
        results: daily results already at hand, by option name.

    Raises:
        InputError: no such dial or option, or an empty range.
    """
    costs = costs or Costs()
    dial = find_dial(scenario, along)
    bounds = (dial.low if low is None else low, dial.high if high is None else high)
    if not (dial.least <= bounds[0] < bounds[1] <= dial.most):
        raise InputError(
            f"{along}: from {bounds[0]:g} to {bounds[1]:g} is no range of this dial; it runs from {dial.least:g} to "
            f"{dial.most:g} {dial.unit}".rstrip()
        )
    together, stop_flags = _common_span(scenario, between)
    points = scan_points(together, between, along, dial, *bounds)
    crossings: list[Crossing] = []
    signs: dict[Basis, NDArray[np.int64]] = {}
    bases: tuple[Basis, ...] = ("horizon", "steady_state")
    for basis in bases:
        changes, signs[basis] = sign_changes(costs.difference(together, between, along, basis), points, dial.whole)
        for change in changes:
            crossings.append(
                Crossing(
                    at=change.at,
                    kind="jump" if change.jump else "root",
                    basis=basis,
                    below=between[0] if change.below > 0 else between[1],
                    above=between[0] if change.above > 0 else between[1],
                    flags=tuple(stop_flags + _limit_flags(scenario, between, along, change.at)),
                )
            )
    answer, cheaper = _answer(signs["horizon"], any(crossing.basis == "horizon" for crossing in crossings), between)
    reason = None
    if answer == "never":
        reason = never_reason(together, between, along, bounds)
    elif answer == "tie":
        reason = f"{between[0]} and {between[1]} cost the same all along {along}"
    elif answer == "always":
        unit = "calls a day" if along == VOLUME else dial.unit
        reason = f"{between[1]} is cheaper from {bounds[0]:,.10g} to {bounds[1]:,.10g} {unit}".rstrip()
    return BreakEven(
        between=between,
        along=along,
        unit=dial.unit,
        answer=answer,
        cheaper=cheaper,
        crossings=tuple(crossings),
        reason=reason,
        payback=payback(scenario, between, results),
    )


def _answer(signs: NDArray[np.int64], crosses: bool, between: tuple[str, str]) -> tuple[Answer, str | None]:
    if crosses:
        return "crosses", None
    if not signs.any():
        return "tie", None
    return ("always", between[1]) if signs.sum() < 0 else ("never", between[0])


def _common_span(scenario: Scenario, between: tuple[str, str]) -> tuple[Scenario, list[str]]:
    """The scenario cut to the days on which both serve, and what to say of it."""
    flags, days = [], int(scenario.horizon_days)
    for name in between:
        if (reason := closed_reason(scenario, name)) is not None:
            flags.append(f"{name} is no choice: {reason}")
        stop = stages(scenario, name)[1]
        if stop is not None:
            day = scenario.start + timedelta(days=stop)
            flags.append(f"{name} stops serving on {day}, inside the horizon")
            days = min(days, stop)
    cut = scenario if days == scenario.horizon_days or days < 1 else with_dials(scenario, {"horizon_days": float(days)})
    return cut, flags


def steady(scenario: Scenario, name: str) -> Scenario:
    """The scenario as if an option were ready from the first day: the state its recurring cost settles in."""
    ready: Scenario = with_dials(scenario, {f"options.{name}.ready_after_days": 0.0})
    return ready


class Costs:
    """Costs of options along a dial, each scan done once however many pairs ask for it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str, str, bytes], tuple[Scenario, SimulationResult]] = {}

    def difference(
        self, scenario: Scenario, between: tuple[str, str], along: str, basis: CashBasis
    ) -> Callable[[Array], tuple[Array, Array]]:
        """Cost of the challenger less that of the reference, and their sum, as functions of the dial."""

        def difference(points: Array) -> tuple[Array, Array]:
            reference, challenger = (self._cost(scenario, name, along, basis, points) for name in between)
            return challenger - reference, np.abs(challenger) + np.abs(reference)

        return difference

    def _cost(self, scenario: Scenario, name: str, along: str, basis: CashBasis, points: Array) -> Array:
        builds = scenario.options[name].ready_after_days > 0 or along == f"options.{name}.ready_after_days"
        asked = steady(scenario, name) if basis == "steady_state" and builds else scenario
        turned = concerns(scenario, name, along)
        key = (id(scenario) if asked is scenario else -id(scenario), name, along, points.tobytes() if turned else b"")
        if key not in self._kept:
            draws = {along: points if turned else points[:1]}
            self._kept[key] = (scenario, run(asked, name, draws=draws))
        result = self._kept[key][1]
        total = result.money_usd if basis == "equal_quality" else result.total_usd
        cost = total - (result.one_off_usd if basis == "steady_state" else 0.0)
        if result.ruled_out is not None:
            cost = np.where(result.ruled_out, BEYOND_USD, cost)
        return cost if turned else np.broadcast_to(cost, points.shape)


def _limit_flags(scenario: Scenario, between: tuple[str, str], along: str, at: float) -> list[str]:
    flags = []
    for name in between:
        option = scenario.options[name]
        if not isinstance(option, HostedOption):
            flags += _capacity_flags(scenario, name, along, at)
            continue
        limits = (option.limits, scenario.price_on(option.price, 0).limits)
        if any(limit.rpm is not None or limit.tpm is not None for limit in limits):
            flags += [
                f"{name}: {flag}" for flag in run(with_dials(scenario, {along: at}), name).flags if "limit is" in flag
            ]
    return flags


def _capacity_flags(scenario: Scenario, name: str, along: str, at: float) -> list[str]:
    """Whether a crossing lies where a fleet stops keeping up, rather than where two costs meet."""
    near = run(scenario, name, draws={along: np.array([at * (1.0 - 1e-3), at * (1.0 + 1e-3)])}).fleet
    if near is None or float(near.overload_share.max()) <= OVERLOADED:
        return []
    return [f"{name} serves {near.most_per_s[0]:,.3g} calls a second at most, and is full there"]


def payback(
    scenario: Scenario, between: tuple[str, str], results: Mapping[str, SimulationResult] | None = None
) -> Payback:
    """When the option with the larger one-off has paid it back against the other, in cash.

    Args:
        scenario: the question.
        between: the two options.
        results: daily results already at hand, by option name.
    """
    found = {name: (results or {}).get(name) or run(scenario, name) for name in between}
    paid = {name: [found[name].ledger.spent_usd(one_off=kind)[0] for kind in (True, False)] for name in between}
    one_offs = {name: float(paid[name][0].sum()) for name in between}
    other, larger = sorted(between, key=lambda name: (one_offs[name], name == between[1]))
    flags = tuple(_common_span(scenario, between)[1])
    if one_offs[larger] <= 0:
        return Payback(days=None, date=None, reason="neither option pays anything up front", flags=flags)
    days = min(_served_days(scenario, name) for name in between)
    one_off, recurring = (paid[larger][kind][:days] - paid[other][kind][:days] for kind in (0, 1))
    after_one_off, by_end = cumulative(one_off, recurring)
    day = payback_day(after_one_off, by_end)
    more = one_offs[larger] - one_offs[other]
    spent = f"{larger} pays ${more:,.0f} more up front than {other}"
    if more <= EQUAL * one_offs[larger]:
        spent = f"{larger} and {other} pay the same ${one_offs[larger]:,.0f} up front; {larger}"
    if day.days is None:
        short = float(by_end[-1]) if len(by_end) else 0.0
        return Payback(
            days=None, date=None, flags=flags, reason=f"{spent} and is still ${short:,.0f} behind after {spoken(days)}"
        )
    when = scenario.start + timedelta(days=math.ceil(day.days))
    return Payback(
        days=day.days,
        date=when,
        reason=f"{spent} and is level after {day.days:,.1f} days",
        flags=flags + (("fragile",) if day.fragile else ()),
    )


def _served_days(scenario: Scenario, name: str) -> int:
    stop = stages(scenario, name)[1]
    return int(scenario.horizon_days) if stop is None else stop
