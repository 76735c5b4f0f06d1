"""Cache hits call by call, in hourly totals and in closed form are one curve, over volume and over shapes of demand.

Each point is a simulation call by call (real gaps against the time to live) of 50 runs of ten days; the line is the
closed form, the crosses are hourly totals. Where reads do not renew the life and the rate moves, both engines take an
hour as long enough to be steady: that case is held to a band, all others to four standard errors, and to the digits
that the closed form's five nodes of every demand factor resolve.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.run import run

PLOT = Path(__file__).parent.parent / "runs" / "verification" / "hits.html"
VOLUMES = (30, 100, 300, 1000, 3000)
RUNS = 50
STEADY_BAND = 0.01
"""Absolute error of the hit share without renewal where the rate moves by the hour."""
RESOLVED = 5e-5
"""Absolute error of a hit share that five Gauss-Hermite nodes leave where only the quietest hours miss at all."""
RATES = "{input: 3, output: 15, cached_input: 0.3}"


def price(ttl_s: int, refresh: bool) -> list[str]:
    rule = f"{{mode: explicit, min_tokens: 0, ttl_s: [{ttl_s}], refresh: {str(refresh).lower()}}}"
    return [
        f"prices={{my/x: {{usd_per_mtok: {RATES}, rules: {{caching: {rule}}}}}}}",
        "options.long-prompt.price=my/x",
        "options.long-prompt.caching={reach: 1}",
    ]


CASES = {
    "Poisson, 5 min": ["workload.demand={}", *price(300, True)],
    "office hours, 5 min": ["workload.demand={hours: office, weekday: office}", *price(300, True)],
    "correlated noise, 1 h": [
        "workload.demand={hours: office, hour_sd: 0.6, hour_lag1: 0.8, day_sd: 0.3, day_lag1: 0.5}",
        *price(3600, True),
    ],
    "on/off bursts, 5 min": [
        "workload.demand={burst: {ratio: 30, on_share: 0.1, mean_on_s: 120}}",
        *price(300, True),
    ],
    "no renewal, 5 min": ["workload.demand={}", *price(300, False)],
    "no renewal, moving rate, 1 h": ["workload.demand={hours: office, hour_sd: 0.3}", *price(3600, False)],
    "retries, 5 min": [
        "workload.demand={hours: office}",
        "options.long-prompt.retries={failure_rate: 0.3, max: 2}",
        *price(300, True),
    ],
}


def read(case: str, volume: float) -> Scenario:
    fixed = ["horizon_days=10", f"workload.calls_per_day={volume}", "workload.growth_per_month=0"]
    return read_scenario(default_scenario_path(), [*fixed, *CASES[case]])


def share(scenario: Scenario, **how: object) -> tuple[float, float]:
    """Hits over calls of all runs, and the standard error of that ratio."""
    result = run(scenario, "long-prompt", **how)  # type: ignore[arg-type]
    found = float(result.hit_calls.sum() / result.eligible_calls.sum())
    if len(result.hit_calls) < 2:
        return found, 0.0
    off = result.hit_calls - found * result.eligible_calls
    return found, float(off.std(ddof=1) / np.sqrt(len(off)) / result.eligible_calls.mean())


Curve = list[tuple[float, tuple[float, float], tuple[float, float]]]


@pytest.fixture(scope="module")
def curves() -> dict[str, Curve]:
    """Of each case and volume: closed form, call by call and hourly totals with their standard errors."""
    found: dict[str, Curve] = {}
    for case in CASES:
        for volume in VOLUMES:
            scenario = read(case, volume)
            played = (
                share(scenario, engine="simulated", runs=RUNS, seed=4, fidelity=fidelity)
                for fidelity in ("call", "aggregate")
            )
            found.setdefault(case, []).append((share(scenario)[0], *played))
    draw(found)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_three_agree(case: str, curves: dict[str, Curve]) -> None:
    worst = 0.0
    for expected, (each, error), (hourly, hourly_error) in curves[case]:
        band = STEADY_BAND if "moving" in case else RESOLVED
        assert abs(each - expected) <= band + 4 * error
        assert abs(hourly - expected) <= band + 4 * hourly_error
        worst = max(worst, abs(each - expected))
    print(f"{case}: largest difference of a hit share {worst:.4f}")


def draw(curves: dict[str, Curve]) -> None:
    figure = make_subplots(rows=2, cols=4, subplot_titles=list(curves), shared_yaxes=True, vertical_spacing=0.2)
    ring = {"color": "#0072b2", "symbol": "circle-open", "size": 13, "line": {"width": 2}}
    for place, (_, curve) in enumerate(curves.items()):
        at = {"row": place // 4 + 1, "col": place % 4 + 1}
        first = place == 0
        columns = (
            ("closed form", [point[0] for point in curve], {"mode": "lines", "line": {"color": "#444"}}),
            ("call by call, 4 standard errors", [point[1][0] for point in curve],
             {"mode": "markers", "marker": ring, "error_y": {"array": [4 * point[1][1] for point in curve]}}),
            ("hourly totals", [point[2][0] for point in curve],
             {"mode": "markers", "marker": {"color": "#d55e00", "symbol": "x", "size": 6}}),
        )  # fmt: skip
        for name, y, look in columns:
            figure.add_trace(go.Scatter(x=VOLUMES, y=y, name=name, legendgroup=name, showlegend=first, **look), **at)
    told = [f"{volume:,}" for volume in VOLUMES]
    figure.update_xaxes(type="log", title="calls a day", tickvals=VOLUMES, ticktext=told)
    figure.update_yaxes(range=[-0.04, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%")
    figure.update_annotations(font_size=13)
    figure.update_layout(
        title="Share of calls that find their prompt cached", template="plotly_white",
        legend={"x": 0.8, "y": 0.3},
    )  # fmt: skip
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(PLOT, include_plotlyjs=True)
    print(f"plot: {PLOT.relative_to(PLOT.parent.parent.parent)}")
