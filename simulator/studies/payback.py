"""When the option with the larger one-off has earned it back against another, in cash and at its present value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import with_dials
from simulator.domain.findings import Payback, SimulationResult
from simulator.domain.plan import closed_reason, stages
from simulator.domain.scenario import Scenario
from simulator.formats import day as spoken_day
from simulator.formats import days as spoken
from simulator.formats import share
from simulator.run import run
from simulator.studies.finance import cumulative, discounted, payback_day
from simulator.studies.sizing import kept_promises
from simulator.studies.turns import EQUAL

Array = NDArray[np.float64]


def common_span(scenario: Scenario, between: tuple[str, str]) -> tuple[Scenario, list[str]]:
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


def payback(
    scenario: Scenario, between: tuple[str, str], results: Mapping[str, SimulationResult] | None = None
) -> Payback:
    """When the option with the larger one-off has paid it back against the other, in cash and discounted.

    Args:
        scenario: the question.
        between: the two options.
        results: daily results already at hand, by option name, judged by whether they keep their promises.
    """
    found = {name: (results or {}).get(name) or kept_promises(scenario, run(scenario, name)) for name in between}
    paid = {name: [found[name].ledger.spent_usd(one_off=kind)[0] for kind in (True, False)] for name in between}
    one_offs = {name: float(paid[name][0].sum()) for name in between}
    other, larger = sorted(between, key=lambda name: (one_offs[name], name == between[1]))
    flags = tuple(common_span(scenario, between)[1])
    if one_offs[larger] <= 0:
        return Payback(days=None, date=None, reason="neither option pays anything up front", flags=flags)
    if late := [name for name in between if not found[name].keeps_up]:
        reason = f"none, as {late[0]} is no choice: {found[late[0]].why_not}"
        return Payback(days=None, date=None, reason=reason, flags=tuple(flag for flag in flags if flag not in reason))
    days = min(_served_days(scenario, name) for name in between)
    one_off, recurring = (paid[larger][kind][:days] - paid[other][kind][:days] for kind in (0, 1))
    after_one_off, by_end = cumulative(one_off, recurring)
    day = payback_day(after_one_off, by_end)
    later = _discounted(scenario, one_off, recurring, told=day.days is not None)
    more = one_offs[larger] - one_offs[other]
    spent = f"{larger} pays ${more:,.0f} more up front than {other}"
    if more <= EQUAL * one_offs[larger]:
        spent = f"{larger} and {other} pay the same ${one_offs[larger]:,.0f} up front; {larger}"
    if day.days is None:
        short = float(by_end[-1]) if len(by_end) else 0.0
        reason = f"{spent} and is still ${short:,.0f} behind after {spoken(days)}"
        return dataclasses.replace(later, reason=reason, flags=flags)
    return dataclasses.replace(
        later,
        days=day.days,
        date=_date(scenario, day.days),
        reason=f"{spent} and is level after {day.days:,.1f} days",
        flags=flags + (("fragile",) if day.fragile else ()),
    )


def _date(scenario: Scenario, days: float) -> date:
    return scenario.start + timedelta(days=math.ceil(days))


def _discounted(scenario: Scenario, one_off: Array, recurring: Array, told: bool) -> Payback:
    """The discounted part of a payback: cash of each day at its present value; that there is none is said if `told`."""
    rate = scenario.discount_rate
    if rate <= 0:
        return Payback(days=None, date=None, reason="")
    day = payback_day(*cumulative(discounted(one_off, rate), discounted(recurring, rate)))
    lead = f"discounted at {share(rate)} a year"
    if day.days is None:
        words = f"{lead} not level within {spoken(len(one_off))}" if told else None
        return Payback(days=None, date=None, reason="", discounted=words)
    when = _date(scenario, day.days)
    near = " (fragile)" if day.fragile else ""
    return Payback(
        days=None,
        date=None,
        reason="",
        discounted_days=day.days,
        discounted_date=when,
        discounted=f"{lead} level after {day.days:,.1f} days, on {spoken_day(when)}{near}",
    )


def _served_days(scenario: Scenario, name: str) -> int:
    stop = stages(scenario, name)[1]
    return int(scenario.horizon_days) if stop is None else stop
