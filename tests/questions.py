"""Asks a question written as scenario text, so that a test of the engine reads like the file a user would write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.answers import break_even_json, comparison_json
from simulator.domain.findings import SimulationResult
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario
from simulator.run import run
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare


def asked(folder: Path, text: str, *flags: str, bare: bool = True) -> Scenario:
    """The scenario of a text under `PATH=VALUE` flags; without default costs unless `bare` is False."""
    path = folder / "question.yaml"
    path.write_text(text, "utf-8")
    return read_scenario(path, flags, bare=bare)


def billed(scenario: Scenario, option: str) -> dict[str, float]:
    """Dollars over the horizon by line, the lines of nothing left out."""
    return lines_of(run(scenario, option))


def lines_of(result: SimulationResult) -> dict[str, float]:
    """Dollars of a result by line, the lines of nothing left out."""
    return {line: float(usd[0]) for line, usd in result.ledger.by_line().items() if usd[0] != 0}


def told(scenario: Scenario) -> dict[str, Any]:
    """What `compare --json` says of every option, by name."""
    found: dict[str, Any] = comparison_json(compare(scenario))["options"]
    return found


def crossed(
    scenario: Scenario, *between: str, along: str = "workload.calls_per_day", over: tuple[float, float] | None = None
) -> Mapping[str, Any]:
    """What `break-even --json` says of two options along a dial."""
    low, high = over or (None, None)
    return break_even_json([break_even(scenario, (between[0], between[1]), along, low, high)])[0]
