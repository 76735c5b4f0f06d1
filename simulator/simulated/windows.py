"""Finds how much of every hour of a day lies in a daily price window, by asking its minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hours_inside(starts: Sequence[datetime], hours: tuple[float, float], weekdays: frozenset[int]) -> Array:
    """The share of each hour that begins at `starts` (with time zone) within a daily UTC window.

    Twin of `window_hours` in `expected/calls.py`, class *exact* for windows of whole minutes.

    Args:
        starts: beginnings of the hours.
        hours: begin and end in hours of the UTC day; an end at or before the begin passes midnight.
        weekdays: days on which the window begins, Monday = 0.

    >>> hours_inside([datetime(2026, 12, 1, 1, tzinfo=UTC)], (1.5, 4.0), frozenset({1})).tolist()
    [0.5]
    """
    shares: Array = minutes_inside(starts, hours, weekdays).mean(axis=1)
    return shares


def minutes_inside(
    starts: Sequence[datetime], hours: tuple[float, float], weekdays: frozenset[int]
) -> NDArray[np.bool_]:
    """Whether each minute of the hours that begin at `starts` lies in the window, (hours, 60)."""
    begin, end = round(hours[0] * 60), round(hours[1] * 60)
    length = (end - begin) % 1440 or 1440
    utc = [start.astimezone(UTC) for start in starts]
    of_week = np.array([1440 * at.weekday() + 60 * at.hour + at.minute for at in utc])[:, None] + np.arange(60)
    since = (of_week - begin) % 1440
    opened = (of_week - since) // 1440 % 7
    inside: NDArray[np.bool_] = (since < length) & np.isin(opened, sorted(weekdays))
    return inside
