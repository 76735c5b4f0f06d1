"""Plays on/off bursts switch by switch: a kernel, because a year of runs holds tens of millions of switches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.kernels import compiled

Array = NDArray[np.float64]


@compiled
def play_day(generator: np.random.Generator, state: Array, leave_on: float, leave_off: float) -> Array:
    """Share of each of 24 hours that each run is in a burst; `state` is left as it is at midnight."""
    shares = np.zeros((len(state), 24))
    for run in range(len(state)):
        on = state[run] > 0.5
        now = 0.0
        while now < 86400.0:
            end = min(86400.0, now + generator.standard_exponential() / (leave_on if on else leave_off))
            if on:
                begin = now
                while begin < end:
                    hour = min(23, int(begin / 3600.0))
                    until = end if hour == 23 else min(end, 3600.0 * (hour + 1))
                    shares[run, hour] += (until - begin) / 3600.0
                    begin = until
            if end < 86400.0:
                on = not on
            now = end
        state[run] = 1.0 if on else 0.0
    return shares


def switches(generator: np.random.Generator, on: bool, leave_on: float, leave_off: float) -> Array:
    """The moments of a day, in seconds, at which a run that begins it `on` or off changes its state."""
    found: list[float] = []
    now = 0.0
    while True:
        now += generator.standard_exponential() / (leave_on if on else leave_off)
        if now >= 86_400.0:
            return np.asarray(found)
        found.append(now)
        on = not on
