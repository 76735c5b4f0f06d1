"""What tests of the dashboard ask where no fleet matters: the shipped desk of 2024, whose options are all hosted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import simulator

HOSTED = "support-triage-2024-09"
HOSTED_PATH = next(path for path in simulator.shipped_scenarios() if path.stem == HOSTED)
WAIT_S = 120.0


def until(so: Callable[[], Any]) -> None:
    """Wait for something that other processes bring about."""
    end = time.monotonic() + WAIT_S
    while not so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def nap(seconds: float) -> None:
    """Work for a worker to be seen at."""
    time.sleep(seconds)


def hold(until_there: Path) -> None:
    """Work that ends when a file is there."""
    until(until_there.exists)
