"""The disk door: scenarios in, results out."""

from simulator.files.scenario import default_scenario_path, read_scenario, shipped_scenarios

__all__ = ["default_scenario_path", "read_scenario", "shipped_scenarios"]
