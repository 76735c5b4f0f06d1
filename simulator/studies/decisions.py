"""Prices the points of a batch that are decisions of earlier days: each a backtest, all as columns of one table."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.advice import Paid
from simulator.domain.batch import OPTION_TOTAL, Member
from simulator.domain.drawn import with_dials
from simulator.studies.backtest import backtest

NO_CHOICE = Paid(planned_usd=None, paid_usd=None, serves_until=None, why_not=None, versions=())


def decide_points(member: Member, first: int, after: int) -> dict[str, NDArray[Any]]:
    """What was chosen at points of a batch with the prices known that day, and what it cost at those that followed.

    Args:
        member: scenario, days and axes.
        first: the first point.
        after: the point after the last.

    Returns:
        Columns of shape (after - first,): `point`, `decided_on`, `until`, every axis by its path, `choice` and `best`
        (number of the option in file order, -1 for none), `planned_usd` and `total_usd` of the choice, its
        `regret_usd` against the best on sale that day, `stopped_on` (NaT where it served to the end), `decided_at`
        and `paid_at` (version ids, with commas between), and `total_usd.NAME` of each option; NaN for none.

    Raises:
        InputError: no option had a price on one of the days.
    """
    axes = member.at(first, after)
    names = list(member.scenario.options)
    found = []
    for row, day in enumerate(member.days(first, after)):
        at = with_dials(member.scenario, {path: float(column[row]) for path, column in axes.items()})
        found.append(backtest(at, day, member.until))
    chosen = [one.options[one.choice] if one.choice else NO_CHOICE for one in found]
    return {
        "point": np.arange(first, after, dtype=np.int64),
        "decided_on": _days([one.decided_on for one in found]),
        "until": _days([one.until for one in found]),
        **axes,
        "choice": _places(names, [one.choice for one in found]),
        "best": _places(names, [one.best for one in found]),
        "planned_usd": _numbers([one.planned_usd for one in chosen]),
        "total_usd": _numbers([one.paid_usd for one in chosen]),
        "regret_usd": _numbers([one.regret_usd for one in found]),
        "stopped_on": _days([one.serves_until for one in chosen]),
        "decided_at": _words([[at for paid in one.options.values() for at in paid.planned_at] for one in found]),
        "paid_at": _words([one.versions for one in chosen]),
        **{f"{OPTION_TOTAL}{name}": _numbers([one.options[name].paid_usd for one in found]) for name in names},
    }


def _days(found: list[date | None]) -> NDArray[Any]:
    return np.asarray(found, dtype="datetime64[D]")


def _numbers(found: list[float | None]) -> NDArray[np.float64]:
    return np.asarray(found, dtype=float)


def _places(names: list[str], found: list[str | None]) -> NDArray[np.int32]:
    return np.asarray([-1 if name is None else names.index(name) for name in found], dtype=np.int32)


def _words(found: list[Any]) -> NDArray[np.str_]:
    return np.asarray([", ".join(dict.fromkeys(words)) for words in found], dtype=str)
