"""The disk door: scenarios in, results out."""

from simulator.files.results import write_results
from simulator.files.scenario import default_scenario_path, read_scenario, shipped_scenarios
from simulator.files.schema import schema

__all__ = ["default_scenario_path", "read_scenario", "schema", "shipped_scenarios", "write_results"]
