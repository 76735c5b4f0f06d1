"""Plays a training campaign: jobs one after the other, each tried again until it does not fail.

Twin of `expected/training.py`, class *unbiased* (the number of jobs is a count: rare ones by an exact test).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Generator as Steps
from typing import Any

import simpy
from numpy.random import Generator

Process = Steps[simpy.Event, Any, Any]
"""What SimPy plays: a generator of the events it waits for."""


def models_to_train(generator: Generator, runs_per_model: float) -> int:
    """Runs a release takes; a fractional number is met on average.

    >>> import numpy as np
    >>> models_to_train(np.random.default_rng(0), 3.0)
    3
    """
    whole = int(runs_per_model)
    return whole + int(generator.random() < runs_per_model - whole)


def campaign(
    env: simpy.Environment,
    generator: Generator,
    runs: int,
    failure_rate: float,
    job_hours: float,
    failed: Callable[[], None],
    ended: Callable[[], None] = lambda: None,
) -> Process:
    """A process that trains `runs` models; its value is the number of jobs it took.

    Args:
        env: the calendar, in hours.
        generator: decides which jobs fail.
        runs: models to be trained, one after the other.
        failure_rate: chance that a job fails; it is paid all the same.
        job_hours: how long a job takes.
        failed: called whenever one fails.
        ended: called whenever one ends, failed or not.
    """
    jobs = 0
    for _ in range(runs):
        while True:
            yield env.timeout(job_hours)
            jobs += 1
            ended()
            if generator.random() >= failure_rate:
                break
            failed()
    return jobs
