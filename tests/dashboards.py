"""What tests of the dashboard ask where no fleet matters: the shipped desk of 2024, whose options are all hosted."""

from __future__ import annotations

import simulator

HOSTED = "support-triage-2024-09"
HOSTED_PATH = next(path for path in simulator.shipped_scenarios() if path.stem == HOSTED)
