"""The named shapes of a week: relative rates by day and by hour, from published series."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

WEEKDAYS: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * 7,
    # Daily views of a technical reference page (Wikipedia "R", 2008-2015), Monday first.
    "office": (1.11, 1.18, 1.18, 1.16, 1.05, 0.73, 0.73),
    # No public series with a known weekday was found for consumer calls: flat.
    "consumer": (1.0,) * 7,
}

HOURS: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * 24,
    # Mentions of a listed company by hour on weekdays (Numenta NAB, Twitter volume GOOG, 2015), moved from
    # UTC to US Eastern daylight time, where the working day falls between 9 and 18 o'clock.
    "office": (
        0.69,
        0.63,
        0.63,
        0.63,
        0.68,
        0.73,
        0.76,
        0.83,
        0.96,
        1.2,
        1.35,
        1.41,
        1.39,
        1.38,
        1.49,
        1.47,
        1.54,
        1.31,
        0.99,
        0.9,
        0.8,
        0.77,
        0.73,
        0.72,
    ),
    # Requests by hour of 43 clients of a hosted model over two weeks (ServeGen m-small); its time zone is
    # not stated, and its evening peak stands at 20 o'clock as published.
    "consumer": (
        0.826,
        0.703,
        0.749,
        0.699,
        0.712,
        0.728,
        0.765,
        0.873,
        1,
        1.133,
        1.108,
        1.077,
        1.044,
        1.057,
        1.044,
        1.031,
        1.074,
        1.062,
        0.992,
        1.21,
        1.434,
        1.381,
        1.25,
        1.047,
    ),
}


def week_shape(weekday: str | ArrayLike, hours: str | ArrayLike) -> tuple[Array, Array]:
    """Relative rates by day of the week (7,), Monday first, and by hour of the day (24,), each of mean one.

    >>> week_shape([2, 0, 0, 0, 0, 0, 0], "flat")[0]
    array([7., 0., 0., 0., 0., 0., 0.])
    """
    days = np.asarray(WEEKDAYS[weekday] if isinstance(weekday, str) else weekday, dtype=float)
    day_hours = np.asarray(HOURS[hours] if isinstance(hours, str) else hours, dtype=float)
    days, day_hours = days / days.max(), day_hours / day_hours.max()  # numbers of any size have a mean now
    return days / days.mean(), day_hours / day_hours.mean()
