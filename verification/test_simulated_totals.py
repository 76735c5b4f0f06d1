"""The spread of a quarter, and the forecast of a second week, simulated in quantity beside theory and a real log."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from simulator.files import default_scenario_path, read_scenario
from simulator.files.fitted import write_fitted
from simulator.intake.counts import read_counts
from simulator.intake.fit import fit_windows
from simulator.run import run

ROOT = Path(__file__).parent.parent
SERVEGEN = ROOT / "tests" / "data" / "servegen_m_small" / "m-small-rate-10min.csv"
PLOT = ROOT / "runs" / "verification" / "second-week.html"


def test_the_calls_of_a_year_spread_as_an_autocorrelated_level_says() -> None:
    """Var of a sum of days: `sum_ij cov(|i - j|)`, cov(k) = exp(sd^2 lag^k) - 1 times the day's calls squared."""
    scenario = read_scenario(
        default_scenario_path(),
        ["workload.demand={day_sd: 0.4, day_lag1: 0.7}", "workload.growth_per_month=0", "horizon_days=90"],
    )
    calls = run(scenario, "long-prompt", engine="simulated", runs=2000, seed=6).calls
    apart = np.abs(np.subtract.outer(np.arange(90), np.arange(90)))
    theory = 50_000.0**2 * np.expm1(0.16 * 0.7**apart).sum() + 50_000 * 90
    squares = (calls - 50_000 * 90) ** 2
    assert abs(squares.mean() - theory) <= 4 * squares.std(ddof=1) / np.sqrt(len(squares))
    print(f"sd of 90 days of calls: {np.sqrt(squares.mean()):,.0f} simulated, {np.sqrt(theory):,.0f} in theory")


def test_the_second_week_of_a_service_beside_the_forecast_from_its_first(tmp_path: Path) -> None:
    """Week 2 was 1.21 x week 1 (1.26 without the gaps): a level that one week cannot foretell, above the interval.

    The daily level fitted to week 1 alone has a log sd of 0.09 and hardly a memory, that of both weeks 0.15 and 0.66.
    The model is not at fault: fitted to both weeks, its 90 % for a week holds either of them.
    """
    both = read_counts(SERVEGEN)
    first = dataclasses.replace(both, counts=both.counts[:1008])
    fit = fit_windows(first)
    written = tmp_path / "week.yaml"
    write_fitted(written, fit.workload, "week.csv")
    scenario = read_scenario(written, ["horizon_days=7"])
    totals = run(scenario, scenario.baseline, engine="simulated", runs=1000, seed=1).calls / 1e6
    low, high = np.percentile(totals, (5, 95))
    weeks = [float(np.nanmean(part) * 1008 / 1e6) for part in (both.counts[:1008], both.counts[1008:])]
    print(f"week 1 {weeks[0]:,.0f}, week 2 {weeks[1]:,.0f} million calls; forecast {low:,.0f} to {high:,.0f} (90 %)")
    figure = go.Figure(go.Histogram(x=totals, name="forecast", marker_color="#0072b2"))
    figure.add_vrect(
        x0=low, x1=high, fillcolor="#0072b2", opacity=0.12, line_width=0, annotation_text="90 % of the forecast",
        annotation_position="top left",
    )  # fmt: skip
    for week, at in enumerate(weeks, 1):
        figure.add_vline(x=at, line_color="#d55e00", annotation_text=f"week {week}")
    figure.update_layout(
        title="Calls of the second week, foretold from the first", xaxis_title="million calls a week",
        yaxis_title="runs of 1,000", template="plotly_white",
    )  # fmt: skip
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(PLOT, include_plotlyjs=True)
    halves = np.nansum(both.counts[:1008]), np.nansum(both.counts[1008:])
    assert halves[1] / halves[0] == pytest.approx(1.21, abs=0.01)
    assert low < weeks[0] < high < weeks[1]
    level, known = fit.workload["demand"], fit_windows(both).workload
    assert (level["day_sd"], level["day_lag1"]) == pytest.approx((0.09, 0.08), abs=0.005)
    assert (known["demand"]["day_sd"], known["demand"]["day_lag1"]) == pytest.approx((0.15, 0.66), abs=0.005)
    assert any("too few to tell growth and how the level moves from week to week" in note for note in fit.notes)
    write_fitted(written, known, "both.csv")
    scenario = read_scenario(written, ["horizon_days=7"])
    totals = run(scenario, scenario.baseline, engine="simulated", runs=1000, seed=1).calls / 1e6
    low, high = np.percentile(totals, (5, 95))
    print(f"fitted to both weeks: {low:,.0f} to {high:,.0f}")
    assert low < weeks[0] < weeks[1] < high
