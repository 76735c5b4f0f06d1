"""The public face: the names programs and faces use, each loaded when first used.

>>> import simulator
>>> "compare" in dir(simulator)
True
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "BatchFolder": "simulator.files.batch_folder",
    "DIAGNOSIS_QUESTIONS": "simulator.studies.diagnose:ASKED",
    "Diagnosis": "simulator.domain.diagnosis",
    "HostedOption": "simulator.domain.options",
    "Scenario": "simulator.domain.scenario",
    "Start": "simulator.files.starter",
    "Trace": "simulator.intake.trace",
    "TunepointError": "pricing.errors",
    "Usage": "simulator.intake.usage",
    "as_csv": "simulator.files.results",
    "as_json": "simulator.files.results",
    "as_markdown": "simulator.files.tables",
    "as_parquet": "simulator.files.results",
    "as_xlsx": "simulator.files.tables",
    "backtest": "simulator.studies.backtest",
    "backtest_json": "simulator.answers_studies",
    "backtest_monthly": "simulator.studies.backtest:monthly",
    "board": "simulator.studies.board",
    "NoFleet": "pricing.errors:NoFeasibleOption",
    "bound_replica": "pricing.load_serving",
    "break_even": "simulator.studies.breakeven",
    "break_even_json": "simulator.answers",
    "chart_of": "simulator.charts_export",
    "chat_in": "simulator.intake.chat",
    "chat_tokens": "simulator.intake.chat",
    "checked_bill": "simulator.studies.usage_bill",
    "compare": "simulator.studies.compare",
    "comparison_json": "simulator.answers",
    "cost_curve": "simulator.studies.compare",
    "cost_map": "simulator.studies.map",
    "count_tokens": "simulator.intake.tokens:count",
    "dashboard_path": "simulator.files",
    "decode_prompt": "simulator.intake.tokens",
    "default_scenario_path": "simulator.files",
    "describe_trace": "simulator.intake.trace:describe",
    "describe_trace_file": "simulator.intake.trace_stream:describe_file",
    "diagnose": "simulator.studies.diagnose",
    "diagnosis_json": "simulator.answers_studies",
    "differences": "simulator.domain.fingerprint",
    "drawn": "simulator.charts_export",
    "fingerprint": "simulator.domain.fingerprint",
    "fit_log": "simulator.intake.counts",
    "flips": "simulator.studies.flip",
    "flips_json": "simulator.answers_studies",
    "headlines": "simulator.headline",
    "idle_axes": "simulator.studies.sweep:idle",
    "gpu_json": "simulator.answers_machines",
    "gpu_rows": "simulator.answers_machines",
    "ledger_rows": "simulator.answers",
    "map_json": "simulator.answers_studies",
    "outlook": "simulator.studies.outlook",
    "outlook_json": "simulator.answers_studies",
    "pack_link": "simulator.files:packed",
    "packed": "simulator.files.batch_folder",
    "page": "simulator.charts_export",
    "parse_scenario": "simulator.files",
    "parse_trace": "simulator.intake.sent",
    "price_batch": "simulator.studies.batch",
    "price_override": "simulator.files",
    "printed": "simulator.charts_export",
    "read_batch": "simulator.files.batch",
    "read_batch_plan": "simulator.files.batch_folder:read_plan",
    "read_dataset": "simulator.intake.dataset",
    "read_place": "simulator.studies.runners",
    "read_prompt": "simulator.intake.tokens",
    "read_replica": "simulator.files.hardware",
    "read_scenario": "simulator.files",
    "read_trace": "simulator.intake.trace",
    "read_usage": "simulator.intake.usage",
    "replay": "simulator.studies.replay",
    "replay_calls": "simulator.run",
    "report_html": "simulator.report",
    "sample": "simulator.studies.probability",
    "saturation": "simulator.run",
    "scenario_schema": "simulator.files:schema",
    "scenario_yaml": "simulator.files",
    "serve_calls": "simulator.run",
    "serving_json": "simulator.answers_machines",
    "shipped_book": "pricing.load",
    "shipped_hardware": "pricing.load_hardware",
    "shipped_scenarios": "simulator.files",
    "small_multiples": "simulator.studies.map",
    "sobol": "simulator.studies.sensitivity",
    "sobol_json": "simulator.answers_studies",
    "starter": "simulator.files.starter",
    "summarise_batch": "simulator.files.batch_summary:summarise",
    "summed_usage": "simulator.intake.usage:summed",
    "supposed": "simulator.studies.moves",
    "sweep": "simulator.studies.sweep",
    "sweep_axis": "simulator.studies.sweep:axis",
    "tornado": "simulator.studies.sensitivity",
    "tornado_json": "simulator.answers_studies",
    "trace_settings": "simulator.intake.sent",
    "training_offers": "simulator.studies.training_cost",
    "uncertainty": "simulator.studies.probability",
    "unpack_link": "simulator.files:unpacked",
    "voi_json": "simulator.answers_studies",
    "worth_of_knowing": "simulator.studies.probability",
    "write_fitted": "simulator.files.fitted",
    "size": "simulator.studies.sizing",
    "sizing_json": "simulator.answers_machines",
    "write_results": "simulator.files",
    "write_whole": "simulator.files.results",
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
