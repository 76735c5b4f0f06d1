"""The public face: the names programs and faces use, each loaded when first used.

>>> import simulator
>>> "compare" in dir(simulator)
True
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Scenario": "simulator.domain.scenario",
    "TunepointError": "pricing.errors",
    "as_csv": "simulator.files.results",
    "as_json": "simulator.files.results",
    "NoFleet": "pricing.errors:NoFeasibleOption",
    "bound_replica": "pricing.load_serving",
    "break_even": "simulator.studies.breakeven",
    "break_even_json": "simulator.answers",
    "compare": "simulator.studies.compare",
    "comparison_json": "simulator.answers",
    "cost_curve": "simulator.studies.compare",
    "count_tokens": "simulator.intake.tokens:count",
    "decode_prompt": "simulator.intake.tokens",
    "default_scenario_path": "simulator.files",
    "describe_trace": "simulator.intake.trace:describe",
    "gpu_json": "simulator.answers_machines",
    "gpu_rows": "simulator.answers_machines",
    "ledger_rows": "simulator.answers",
    "read_prompt": "simulator.intake.tokens",
    "read_replica": "simulator.files.hardware",
    "read_scenario": "simulator.files",
    "read_trace": "simulator.intake.trace",
    "replay": "simulator.studies.replay",
    "replay_calls": "simulator.run",
    "report_html": "simulator.report",
    "scenario_schema": "simulator.files:schema",
    "serve_calls": "simulator.run",
    "serving_json": "simulator.answers_machines",
    "shipped_book": "pricing.load",
    "shipped_hardware": "pricing.load_hardware",
    "shipped_scenarios": "simulator.files",
    "size": "simulator.studies.sizing",
    "sizing_json": "simulator.answers_machines",
    "write_results": "simulator.files",
}
"""Where each name lives; after a colon, what it is called there."""

__all__ = sorted(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}")
    module, _, other = _WHERE[name].partition(":")
    return getattr(importlib.import_module(module), other or name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
