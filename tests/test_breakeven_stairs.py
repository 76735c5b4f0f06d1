"""On a staircase of 40 whole replicas every root and every jump is found, by hand and by a scan of 100,000 points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.studies.turns import sign_changes

REPLICAS, CALLS_EACH = 40, 2.5e5
FIXED_USD, REPLICA_USD, HOSTED_USD = 900.0, 1300.0, 0.0057
"""A month: what serving costs at all, one replica more, and one hosted call more than a served one."""
OVER = (1.0, 1e7)


def apart(calls: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fleet = FIXED_USD + REPLICA_USD * np.clip(np.ceil(calls / CALLS_EACH), 1, REPLICAS)
    return fleet - HOSTED_USD * calls, fleet + HOSTED_USD * calls


def test_roots_and_jumps_are_those_of_hand_calculation() -> None:
    """Stair n is level with hosting at (900 + 1,300 n) / 0.0057; the next stair lifts the fleet above it again.

    The level lies on stair n where 900 + 1,300 n is within 1,425 (n - 1) and 1,425 n, for n from 8 to 18; the step from
    n to n + 1 makes the fleet dearer where 900 + 1,300 (n + 1) is above 1,425 n, for n up to 17.
    """
    found, _ = sign_changes(apart, np.geomspace(*OVER, 2001))
    roots = [(FIXED_USD + REPLICA_USD * n) / HOSTED_USD for n in range(8, 19)]
    jumps = [n * CALLS_EACH for n in range(8, 18)]
    assert [change.at for change in found if not change.jump] == pytest.approx(roots, rel=1e-6)
    assert [change.at for change in found if change.jump] == pytest.approx(jumps, rel=1e-6)
    assert all(change.below == (-1 if change.jump else 1) == -change.above for change in found)


def test_a_scan_of_100000_points_finds_no_crossing_that_is_missed() -> None:
    found, _ = sign_changes(apart, np.geomspace(*OVER, 2001))
    points = np.geomspace(*OVER, 100_000)
    signs = np.sign(apart(points)[0])
    turns = [(points[i], points[j]) for i, j in itertools.pairwise(range(len(points))) if signs[i] != signs[j]]
    assert len(turns) == len(found) == 21
    for (low, high), change in zip(turns, found, strict=True):
        assert low * (1 - 1e-6) <= change.at <= high * (1 + 1e-6)
