"""The hour that a fleet is sized for: how fast calls come in it, and what the autoscaler runs then."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from simulator.domain.options import SelfHosted
from simulator.domain.scenario import Scenario
from simulator.expected.engine_calendar import Calendar
from simulator.expected.engine_fleet import FleetHours
from simulator.expected.engine_replica import policy_of
from simulator.expected.scaling import replicas_running

QUANTILE, LAST_DAYS = 0.99, 28
POINTS = 199


def _hours(scenario: Scenario, option: str) -> FleetHours:
    days = int(scenario.horizon_days)
    edges = np.unique(np.array([0, max(days - LAST_DAYS, 0), days]))
    view: Any = scenario
    calendar = Calendar(scenario, view, edges)
    return FleetHours(scenario, calendar, option, view.options[option], slice(len(edges) - 2, len(edges) - 1))


def sizing_rate(scenario: Scenario, option: str) -> float:
    """The 99 % quantile of the hourly rate over the last 28 days, calls a second, spread of demand included."""
    rates = _hours(scenario, option).hourly(0).ravel()
    demand = scenario.workload.demand
    spread = float(np.hypot(demand.day_sd, demand.hour_sd))
    z = np.array([NormalDist().inv_cdf((at + 0.5) / POINTS) for at in range(POINTS)]) if spread > 0 else np.zeros(1)
    factors = np.exp(spread * z - spread * spread / 2.0)
    return float(np.quantile(rates[:, None] * (factors / factors.mean()), QUANTILE))


def replicas_at(scenario: Scenario, option: str, rate_per_s: float) -> int:
    """Replicas that run in the mean when calls come at a rate, spares included, rounded to a whole one."""
    hours = _hours(scenario, option)
    plain = scenario.options[option]
    assert isinstance(plain, SelfHosted)
    policy = policy_of(plain.fleet, plain.fleet.replicas, hours.tables, 0.0)
    return max(math.floor(float(replicas_running(policy, [[rate_per_s]]).serving[0, 0]) + 0.5), 1)


def capacity_edges(scenario: Scenario, option: str) -> list[float]:
    """Calls a day at which the mean hour, or the busiest, asks a fleet for one more replica or for more than it has."""
    hours = _hours(scenario, option)
    plain = scenario.options[option]
    assert isinstance(plain, SelfHosted)
    rates = hours.hourly(0) / max(float(scenario.workload.calls_per_day), 1e-9)
    found: list[float] = []
    for bounds, inside in hours.bounds(0):
        if not inside.any() or not bounds.max:
            continue
        policy = policy_of(plain.fleet, bounds, hours.tables, 0.0)
        steps = np.arange(max(policy.least, 1), policy.most) * policy.mu_per_s
        room = (policy.most + policy.spare) * policy.saturation_per_s
        for rate in (float(rates[inside].mean()), float(rates[inside].max())):
            found += (np.append(steps, room) / rate).tolist()
    return found
