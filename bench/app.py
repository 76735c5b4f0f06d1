"""What a reader of the dashboard waits for: slider to chart and first view, in a real browser."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bench._served import Served, chromium, opened, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOUR = """
question: What do four options cost?
start: 2026-12-01
baseline: long
workload:
  calls_per_day: 50000
  growth_per_month: 0.03
  demand: {weekday: office, hours: office}
  tokens: {input: 350, output: 40}
options:
  long: {kind: hosted_prompt, price: openai/gpt-5.4-mini, prefix_tokens: 2600}
  cheap: {kind: hosted_prompt, price: openai/gpt-6-luna, prefix_tokens: 2600}
  short: {kind: hosted_prompt, price: openai/gpt-5.4-mini, prefix_tokens: 900}
  tuned:
    kind: hosted_fine_tuned
    price: tinker/qwen3-8b-ft
    prefix_tokens: 120
    training: {examples: 800, tokens_per_example: 600, epochs: 3}
    dataset: {minutes_per_example: 2, wage: annotator}
    ready_after_days: 21
    until_ready: long
"""

WARM, SERIES = 5, 15
"""Moves before those that are measured, and how many are measured in a row: there are 23 stops to the right."""
PAUSES_MS = (150, 500)
"""Of a reader between moves: one who hardly looks, and one who reads the chart."""

READY = """() => {
  const charts = [...document.querySelectorAll('.tp-chart')];
  const before = charts.map(chart => chart.tpDrawn);
  let start = 0;
  document.addEventListener('keydown', () => { start = performance.now(); }, { capture: true, once: true });
  window.tpFirst = 0;
  window.tpWait = new Promise(done => {
    const look = () => {
      const drawn = charts.map((chart, i) => chart.tpDrawn > before[i]);
      if (start && !window.tpFirst && drawn[0]) window.tpFirst = performance.now() - start;
      if (start && drawn.every(Boolean)) done([window.tpFirst, performance.now() - start]);
      else requestAnimationFrame(look);
    };
    look();
  });
}"""
"""From the key to the first frame after the first chart, and after every chart, has been drawn anew."""


def move(page: Page, key: str = "ArrowRight") -> tuple[float, float]:
    """Milliseconds from the key that moves the volume until the first chart, and until all of them, have changed."""
    page.evaluate(READY)
    page.get_by_role("slider", name="Calls per day").press(key)
    first, last = page.evaluate("tpWait")
    return float(first), float(last)


def cpu_ms(process: int) -> float:
    """CPU time a process has used so far, ms (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return 1000.0 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def four_options() -> dict[str, str]:
    """What a link says that asks the scenario of four options."""
    from simulator import pack_link

    return {"yaml": str(pack_link(FOUR.encode()))}


def slider(app: Served, moves: int, pause_ms: int) -> dict[str, Any]:
    """Slider to all three charts, four options, each position new to server and browser.

    A series goes one way; the next has another growth, so that nothing is known of it. Between moves is a pause, in
    which the charts of the next positions are sent ahead.
    """
    took: list[tuple[float, float]] = []
    used = 0.0
    with chromium() as browser:
        for series in range(-(-moves // SERIES)):
            asked = four_options() | {"set": f"workload.growth_per_month={0.02 + series / 1e3 + pause_ms / 1e8:.8f}"}
            page = opened(browser, f"{app.url}/?{urlencode(asked)}", viewport={"width": 1400, "height": 1000})
            page.wait_for_timeout(2000)
            for _ in range(WARM):
                move(page)
                page.wait_for_timeout(pause_ms)
            before = cpu_ms(app.process.pid)
            for _ in range(min(SERIES, moves - len(took))):
                took.append(move(page))
                page.wait_for_timeout(pause_ms)
            used += cpu_ms(app.process.pid) - before
            page.context.close()
    return {
        "slider_to_first_chart_ms": summary([first for first, _ in took]),
        "slider_to_all_charts_ms": summary([last for _, last in took]),
        "server_cpu_ms_a_move": round(used / moves, 1),
    }


def first_view(app: Served) -> dict[str, Any]:
    """Navigation to verdict and to the first chart, in a browser that has nothing cached; the server is warm."""
    said, drawn = [], []
    with chromium() as browser:
        for _ in range(4):
            page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
            begin = time.perf_counter()
            page.goto(app.url)
            page.locator(".tp-card").first.wait_for(timeout=60_000)
            said.append(1000 * (time.perf_counter() - begin))
            page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
            drawn.append(1000 * (time.perf_counter() - begin))
            page.context.close()
    return {"first_verdict_ms": summary(said[1:]), "first_chart_ms": summary(drawn[1:])}


def summary(took: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(took)
    return {"n": len(took), "median": round(statistics.median(ordered), 1),
            "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1), "max": round(ordered[-1], 1)}


def main() -> None:
    """Measure what is asked and print it as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--moves", type=int, default=65)
    given = asked.parse_args()
    with served() as app:
        found = {f"pause_{pause}_ms": slider(app, given.moves, pause) for pause in PAUSES_MS} | first_view(app)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
