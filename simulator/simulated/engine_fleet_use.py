"""The part of the simulated engine that adds up what fleets did, run by run, and books what they cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.scenario import Scenario
from simulator.domain.usage import FleetRecord, FleetUse
from simulator.simulated.engine_machines import book_machines
from simulator.simulated.engine_tally import Tally
from simulator.simulated.latencies import NAMES, SHARES, Latencies

Array = NDArray[np.float64]
SUMS = (
    "paid_hours", "used_hours", "busy_hours", "calls", "overload_calls", "overflow_calls", "end_backlog_calls",
    "preemptions", "starts", "losses",
)  # fmt: skip
MAXIMA = ("most_per_s", "backlog_s")
HOURLY = ("calls", "overflow", "replicas", "serving", "used", "inside", "queue")


class FleetAccount:
    """The account of one option's fleet over a block of runs.

    Args:
        rows: runs.
        days: days of the horizon.
    """

    def __init__(self, rows: int, days: int) -> None:
        self.sums = {name: np.zeros(rows) for name in (*SUMS, *MAXIMA)}
        self.latencies: list[Latencies] = [Latencies() for _ in range(rows)]
        self.hourly = {name: np.zeros((days, 24)) for name in HOURLY}
        self.seen = False
        self.first_day = days

    def add(
        self, tally: Tally, scenario: Scenario, view: Any, name: str, day: int, hours: Any, saturation_per_s: Any,
        on_duty: Any = 1.0,
    ) -> None:  # fmt: skip
        """Book a day.

        Args:
            tally: of the option that is billed.
            scenario: whose machines they are.
            view: the same with drawn dials.
            name: the self-hosted option.
            day: the column.
            hours: by name of HOUR, (rows, 24) each.
            saturation_per_s: calls a second of one replica, a number or (rows,).
            on_duty: 1 for runs in which it serves that day, else 0; a number or (rows,).
        """
        used = hours["finished"] / np.reshape(saturation_per_s, (-1, 1))
        paid_h = (hours["paid_s"] + hours["rounded_s"]).sum(axis=1) / 3600.0
        used_h, busy_h = np.minimum(used.sum(axis=1) / 3600.0, paid_h), hours["busy_s"].sum(axis=1) / 3600.0
        busy_h = np.minimum(busy_h, paid_h)
        book_machines(tally, scenario, view, name, day, on_duty, paid_h, used_h, busy_h)
        for key, value in (("paid_hours", paid_h), ("used_hours", used_h), ("busy_hours", busy_h)):
            self.sums[key] += value
        for key in ("starts", "losses"):
            self.sums[key] += hours[key].sum(axis=1)
        self.seen, self.first_day = True, min(self.first_day, day)
        for key, value in (
            ("calls", hours["arrived"]), ("overflow", hours["turned_away"]), ("replicas", hours["paid_s"] / 3600.0),
            ("serving", hours["up_s"] / 3600.0), ("used", used / 3600.0), ("inside", hours["held_s"] / 3600.0),
            ("queue", hours["queue_s"] / 3600.0),
        ):  # fmt: skip
            self.hourly[key][day] = value[0]

    def use(self) -> FleetUse | None:
        """What `compare` tells of the fleet, by run; None where no fleet served."""
        if not self.seen:
            return None
        means = np.stack([latencies.mean_s() for latencies in self.latencies])
        shares = np.stack([latencies.percentiles_s() for latencies in self.latencies])
        found = {name: means[:, row] for row, name in enumerate(NAMES)}
        for row, name in enumerate(NAMES):
            for place, share in enumerate(SHARES):
                found[name.replace("_s", f"_p{round(100 * share)}_s")] = shares[:, row, place]
        return FleetUse(**self.sums, **found)

    def record(self) -> FleetRecord | None:
        """The first run hour by hour, from the first day on which the fleet served."""
        if not self.seen:
            return None
        return FleetRecord(
            begin_day=self.first_day, **{name: values[self.first_day :].ravel() for name, values in self.hourly.items()}
        )


def fleet_of_runs(accounts: Sequence[FleetAccount], rows: Sequence[NDArray[np.int64]]) -> FleetUse | None:
    """The accounts of several blocks as one, taking the named rows of each, in order; None where no fleet served."""
    uses = [account.use() for account in accounts]
    names = [field.name for field in dataclasses.fields(FleetUse)]
    found = [(use, at) for use, at in zip(uses, rows, strict=True) if use is not None]
    if not found:
        return None
    return FleetUse(**{name: np.concatenate([getattr(use, name)[at] for use, at in found]) for name in names})


def mean_use(use: FleetUse) -> FleetUse:
    """The mean run."""
    names = [field.name for field in dataclasses.fields(FleetUse)]
    return FleetUse(**{name: np.atleast_1d(getattr(use, name).mean()) for name in names})
