"""The public face: a dozen names, loaded when first used.

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
    "break_even": "simulator.studies.breakeven",
    "compare": "simulator.studies.compare",
    "cost_curve": "simulator.studies.compare",
    "count_tokens": "simulator.intake.tokens",
    "read_scenario": "simulator.files",
    "read_trace": "simulator.intake.trace",
    "replay": "simulator.studies.replay",
    "shipped_book": "pricing.load",
}

__all__ = sorted(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
