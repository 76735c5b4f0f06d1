"""Findings as pictures: cash over time, a day's bill by line, the bills side by side, cost against a dial."""

from __future__ import annotations

import plotly.graph_objects as go

from simulator.charts_bills import bill_by_line, cost_per_day
from simulator.charts_cash import cumulative_cost
from simulator.charts_curve import cost_against_volume
from simulator.charts_style import CONFIG, placed, plotly_script
from simulator.domain.findings import Comparison, CostCurve

__all__ = ["CONFIG", "bill_by_line", "cost_against_volume", "cost_per_day", "cumulative_cost", "pictures", "placed",
           "plotly_script"]


def pictures(comparison: Comparison, curve: CostCurve) -> dict[str, go.Figure]:
    """Every chart of a comparison by the plain name of the file it may be kept in."""
    return {
        "cumulative-cost": cumulative_cost(comparison),
        "bill-by-line": bill_by_line(comparison),
        "cost-against-volume": cost_against_volume(curve, comparison.break_even, comparison),
        **{f"cost-per-day-{name}": cost_per_day(comparison, name) for name in comparison.options},
    }
