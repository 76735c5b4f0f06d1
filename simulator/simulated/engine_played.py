"""What a block of runs did, before it becomes an Activity."""

from __future__ import annotations

import numpy as np

from simulator.simulated.engine_control import Schedule
from simulator.simulated.engine_fleet_use import FleetAccount
from simulator.simulated.engine_tally import Tally


class Played:
    """What a block of runs did: counts, and calls by day, (rows, days) each."""

    def __init__(self, option: str, rows: int, days: int, schedule: Schedule) -> None:
        self.tally = Tally(option, rows, days)
        self.calls, self.served, self.delivered, self.eligible, self.hits = np.zeros((5, rows, days))
        self.peak_per_s = np.zeros(rows)
        self.schedule = schedule
        self.price_index = schedule.price_index
        self.fleet = FleetAccount(rows, days)
