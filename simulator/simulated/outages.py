"""Plays the times in which a provider does not answer: up for a while, down for a while, as in a renewal process.

Twin of `expected/outages.py`, class *unbiased*.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy
from numpy.random import Generator

from simulator.simulated.training import Process


def outages(
    env: simpy.Environment, generator: Generator, up_h: float, down_h: float, told: Callable[[float, float], None]
) -> Process:
    """A process that is up and down in turn, exponential times of the given means, in its steady state from the start.

    Args:
        env: the calendar, in hours.
        generator: decides when outages begin and how long they last.
        up_h: mean time between two outages.
        down_h: mean length of an outage.
        told: called with begin and end of every outage when it begins.
    """
    down = generator.random() < down_h / (up_h + down_h)
    while True:
        length = generator.exponential(down_h if down else up_h)
        if down:
            told(env.now, env.now + length)
        yield env.timeout(length)
        down = not down


def mark_hours(hours: list[float], begin_h: float, end_h: float) -> None:
    """Add an outage to the share of every hour that is lost; what lies outside the list is left out.

    >>> hours = [0.0, 0.0, 0.0]
    >>> mark_hours(hours, 0.5, 2.25); hours
    [0.5, 1.0, 0.25]
    """
    for hour in range(max(0, int(begin_h)), min(len(hours), int(end_h) + 1)):
        hours[hour] += max(0.0, min(hour + 1.0, end_h) - max(float(hour), begin_h))
