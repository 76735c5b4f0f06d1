"""Findings as pictures: cash, bills, cost against a dial, maps, what moves the answer, how sure it is."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
from plotly.graph_objects import Figure

from simulator.charts_batch import batch_answers, batch_scatter, column_name
from simulator.charts_bills import bill_by_line, cost_per_day
from simulator.charts_cash import cumulative_cost
from simulator.charts_curve import cost_against_volume, crossing_words
from simulator.charts_decisions import decisions, outlook
from simulator.charts_fleet import fleet_week, fleet_weeks
from simulator.charts_latency import latency
from simulator.charts_map import cost_map
from simulator.charts_moves import FAR, flips, near_flips, sobol, tornado, worth
from simulator.charts_page import (
    NIGHT,
    PLOT_PX,
    SHOWN,
    page_config,
    page_json,
    page_room,
    plotted,
    share_axes,
    standalone,
)
from simulator.charts_played import (
    cost_fan,
    event_rows,
    events,
    payback_chances,
    played_pictures,
    rehearsed,
    run_pictures,
    timeline,
)
from simulator.charts_prices import gpu_price_over_time, price_over_time
from simulator.charts_style import CONFIG, placed, plotly_script
from simulator.charts_unsure import backtests, bridge, cost_distribution
from simulator.domain.findings import Comparison, CostCurve
from simulator.domain.uncertain import Explored

__all__ = ["CONFIG", "FAR", "NIGHT", "PLOT_PX", "SHOWN", "Figure", "backtests", "batch_answers", "batch_scatter",
           "bill_by_line", "bridge", "column_name", "cost_against_volume", "cost_distribution", "cost_fan", "cost_map",
           "cost_per_day", "crossing_words", "cumulative_cost", "decisions", "event_rows", "events", "fleet_week",
           "fleet_weeks", "flips", "gpu_price_over_time", "latency", "moving_pictures", "near_flips", "outlook",
           "page_config", "page_json", "page_room", "payback_chances", "pictures", "placed", "played_pictures",
           "plotly_script", "plotted", "price_over_time", "rehearsed", "share_axes", "sobol", "standalone", "timeline",
           "tornado", "unsure_pictures", "worth", "write_page"]


def pictures(comparison: Comparison, curve: CostCurve, explored: Explored | None = None) -> dict[str, go.Figure]:
    """Every chart of a comparison by the plain name of the file it may be kept in."""
    return {
        "cumulative-cost": cumulative_cost(comparison),
        "bill-by-line": bill_by_line(comparison),
        "cost-against-volume": cost_against_volume(
            curve, comparison.break_even, comparison, explored.reigns if explored else (), comparison.meetings
        ),
        **unsure_pictures(comparison),
        **moving_pictures(explored),
        **run_pictures(comparison),
        **fleet_weeks(comparison),
        **{f"cost-per-day-{name}": cost_per_day(comparison, name) for name in comparison.options},
    }


def unsure_pictures(comparison: Comparison) -> dict[str, go.Figure]:
    """The charts a comparison has only where it was taken apart, or where inputs are ranges."""
    found = {}
    if comparison.bridge is not None:
        found["bridge"] = bridge(comparison.bridge, comparison)
    if comparison.uncertainty is not None:
        found["cost-distribution"] = cost_distribution(comparison.uncertainty, comparison)
        if any(one.usd > 0 for one in comparison.worth):
            found["measure-first"] = worth(comparison.worth, comparison.uncertainty)
    return found


def moving_pictures(explored: Explored | None) -> dict[str, go.Figure]:
    """The charts of what moves the answer, as far as it was explored."""
    if explored is None:
        return {}
    found = {}
    if explored.map is not None:
        found["cost-map"] = cost_map([explored.map])
    if explored.tornado is not None and explored.tornado.bars:
        found["what-moves-it"] = tornado(explored.tornado)
    if explored.sobol is not None and explored.sobol.rows:
        found["what-makes-it-uncertain"] = sobol(explored.sobol)
    if explored.flips is not None and near_flips(explored.flips):
        found["what-flips-it"] = flips(explored.flips)
    return found


def write_page(chart: go.Figure, path: Path) -> None:
    """One chart as a page that needs no network.

    Raises:
        InputError: it cannot be written.
    """
    from pricing.errors import InputError

    try:
        path.write_text(chart.to_html(include_plotlyjs=True, config=CONFIG), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); name another file") from None
