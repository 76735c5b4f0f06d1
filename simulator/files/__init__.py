"""The disk door: scenarios in, results out."""

from simulator.files.link import packed, unpacked
from simulator.files.results import check_folder, write_results
from simulator.files.scenario import (
    dashboard_path,
    default_scenario_path,
    parse_scenario,
    read_scenario,
    shipped_scenarios,
)
from simulator.files.schema import schema
from simulator.files.written import gpu_override, price_override, scenario_yaml

__all__ = [
    "check_folder",
    "dashboard_path",
    "default_scenario_path",
    "gpu_override",
    "packed",
    "parse_scenario",
    "price_override",
    "read_scenario",
    "scenario_yaml",
    "schema",
    "shipped_scenarios",
    "unpacked",
    "write_results",
]
