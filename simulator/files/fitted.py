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
    tokens = workload.get("tokens", {})
    page["workload"] = {**kept, **workload}
    if tokens and not {"input", "output"} <= tokens.keys():
        page["workload"]["tokens"] = {**kept["tokens"], **tokens}
    page["question"] = f"What do these options cost for the demand of {Path(source).name}?"
    fitted = ["workload.calls_per_day", *(f"workload.tokens.{key}" for key in tokens)]
    page["assumes"] = dict.fromkeys(fitted, f"fitted to {Path(source).name}")
    missing = [side for side in ("input", "output") if side not in tokens]
    guessed = f"not told by {Path(source).name}; a guess"
    page["assumes"] |= dict.fromkeys((f"workload.tokens.{side}" for side in missing), guessed)
    head = f"# Demand fitted to {Path(source).name}; options are those of the shipped scenario.\n"
    if "input" in tokens:
        head += "# Where the log counts whole prompts, set every prefix_tokens to 0: what they repeat is in it.\n"
    head += "\n"
    write_whole(path, (head + yaml.safe_dump(page, sort_keys=False, allow_unicode=True)).encode())
