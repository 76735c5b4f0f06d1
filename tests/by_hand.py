"""What the tests of the shipped cases compute by hand, and how they read a case."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from simulator.domain.findings import Crossing
from simulator.domain.scenario import Scenario
from simulator.domain.shapes import HOURS
from simulator.files import read_scenario
from simulator.run import run
from simulator.studies.breakeven import VOLUME, break_even

CASES = Path(__file__).parents[1] / "scenarios" / "cases"

OFFICE_WEEK = (1.11, 1.18, 1.18, 1.16, 1.05, 0.73, 0.73)
"""Calls by day of the week, Monday first, as the expected wing lists them; their mean is 1.02."""
REACHED = 0.9
"""Of the calls that could find an automatic cache, those that do: the default, at volumes where all could."""
ENGINEER_USD, ANNOTATOR_USD = 110.0, 35.0
A_DAY = 24 / 730
"""Months in a day: monthly sums accrue over months of 730 hours."""
YEAR = 365 * A_DAY
"""Months in a year of 365 days."""
MORE_UPKEEP = 2 * ENGINEER_USD * A_DAY
"""USD a day: the two hours a month that a tuned model needs more by default."""


def case(name: str, *flags: str) -> Scenario:
    return read_scenario(CASES / f"{name}.yaml", flags)


def total(scenario: Scenario, option: str) -> float:
    return float(run(scenario, option).total_usd[0])


def day_factors(start: date, days: int) -> list[float]:
    mean = sum(OFFICE_WEEK) / 7
    return [OFFICE_WEEK[(start + timedelta(days=day)).weekday()] / mean for day in range(days)]


def call_usd(*meters: tuple[float, float]) -> float:
    """Cost of a call from pairs of tokens and USD per million."""
    return sum(tokens * rate for tokens, rate in meters) / 1e6


def paid_back(outlay: float, saved_per_call: float, per_day: float, more_a_day: float, start: date) -> float | None:
    """Days until the saving of each call, less what accrues by the day, has returned the outlay; None in two years."""
    left = outlay
    for day, factor in enumerate(day_factors(start, 730)):
        saved = saved_per_call * per_day * factor - more_a_day
        if saved >= left:
            return day + left / saved
        left -= saved
    return None


def office_hits(per_day: float, life: int) -> float:
    """Share of calls that follow another within `life` minutes, added up over an office week minute by minute."""
    week = np.outer(OFFICE_WEEK, HOURS["office"]).ravel()
    minutes = np.repeat(week / week.mean() * per_day / 1440, 60)
    since = np.cumsum(np.concatenate([minutes[-life:], minutes]))          # the week before ends as this one
    before = since[life:] - since[:-life] - minutes / 2 + np.roll(minutes, life) / 2
    return float((minutes * -np.expm1(-before)).sum() / minutes.sum())


def crossings(
    name: str, between: tuple[str, str], *flags: str, along: str = VOLUME, low: float | None = None
) -> list[Crossing]:
    """Crossings with one-offs included; at each of them both options cost the same when run one by one."""
    found = break_even(case(name, *flags), between, along, low)
    kept = [crossing for crossing in found.crossings if crossing.basis == "horizon"]
    for crossing in kept:
        there = case(name, *flags, f"{along}={crossing.at!r}")
        assert total(there, between[0]) == pytest.approx(total(there, between[1]), rel=1e-6)
        assert crossing.kind == "root"
    return kept


def only(found: list[Crossing]) -> Crossing:
    assert len(found) == 1
    return found[0]
