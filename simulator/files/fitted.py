"""Writes a fitted workload as a scenario: the shipped question, asked of the demand that a log shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from simulator.files.results import write_whole
from simulator.files.scenario import default_scenario_path

PAST = ("growth_per_month", "deferrable_share", "events", "cap_per_s")
"""What the shipped workload says and a log does not: growth, what may wait, what is planned."""


def write_fitted(path: Path, workload: dict[str, Any], source: str) -> None:
    """Write a scenario whose workload was fitted.

    Args:
        path: where it goes; a file that stands there is replaced whole.
        workload: as a scenario writes it.
        source: the log, which the scenario names as the origin of its numbers.

    Raises:
        InputError: it cannot be written.
    """
    page = yaml.safe_load(default_scenario_path().read_text("utf-8"))
    kept = {key: value for key, value in page["workload"].items() if key not in PAST}
    page["workload"] = {**kept, **workload}
    page["question"] = f"What do these options cost for the demand of {Path(source).name}?"
    fitted = ["workload.calls_per_day", *(f"workload.tokens.{key}" for key in workload.get("tokens", {}))]
    page["assumes"] = dict.fromkeys(fitted, f"fitted to {Path(source).name}")
    head = f"# Demand fitted to {Path(source).name}; options are those of the shipped scenario.\n\n"
    write_whole(path, (head + yaml.safe_dump(page, sort_keys=False, allow_unicode=True)).encode())
