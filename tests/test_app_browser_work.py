"""Long work in a real browser: a simulation and a batch run to their end, one is stopped, sessions stay apart."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import simulator
from bench._served import Served, opened
from tests.dashboards import HOSTED, HOSTED_PATH, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MINE = "mine-alone"
BATCH = b"""
scenarios: [../cases/support-triage-2024-09.yaml]
vary:
  workload.calls_per_day: {from: 100, to: 1e6, points: 9, scale: log}
"""


def asked(page: Page, url: str, runs: int) -> None:
    """The simulate page with a number of runs."""
    page.goto(url)
    box = page.get_by_label("Runs", exact=True)
    box.fill(str(runs))
    box.press("Enter")
    page.get_by_test_id("stMain").get_by_role("button", name="Simulate").click()


def wrong(page: Page) -> list[str]:
    return page.locator(".tp-wrong").all_inner_texts()


def test_a_simulation_shows_how_far_it_is_and_then_its_charts(page: Page, app: Served) -> None:
    asked(page, f"{app.url}/simulate?scenario={HOSTED}&set=horizon_days=120", 150)
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_text(re.compile(r"of 3 parts done")).wait_for()
    page.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    assert "150 runs, fidelity aggregate, seed 0" in page.locator(".tp-note").all_inner_texts()[1]
    assert page.get_by_role("button", name="Stop").count() == 0
    assert wrong(page) == []
    page.reload()
    page.locator(".tp-title").wait_for()
    log = app.log.read_text("utf-8", "replace")
    assert "Traceback" not in log
    assert "missing ScriptRunContext" not in log                # what a worker that ran the page would say


def test_who_stops_a_simulation_stops_nobody_else_and_other_pages_answer_meanwhile(page: Page, app: Served) -> None:
    question = f"{app.url}/simulate?scenario={HOSTED}&set=workload.calls_per_day=43210"
    asked(page, question, 2000)
    page.get_by_role("button", name="Stop").wait_for()
    other = page.context.new_page()
    asked(other, question, 2000)
    other.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"^Stopped")).wait_for()
    assert page.get_by_test_id("stMain").get_by_role("button", name="Simulate").is_enabled()
    assert other.get_by_role("button", name="Stop").count() == 1
    page.goto(f"{app.url}/?scenario={HOSTED}")
    page.locator(".tp-verdict", has_text="at 50,000 calls a day").wait_for()
    other.get_by_role("button", name="Stop").click()
    other.get_by_text(re.compile(r"^Stopped")).wait_for()
    other.close()


def test_a_batch_is_sent_corrected_run_filtered_and_saved(page: Page, app: Served) -> None:
    page.goto(f"{app.url}/batch")
    page.get_by_role("button", name="Upload your own (YAML)").click()
    for said, sent in ((page.get_by_text("neither sent nor shipped"), b"scenarios: [../../x.yaml]\n"),
                       (page.get_by_text("9 points of 1 scenario,"), BATCH)):
        page.locator("input[type=file]").first.set_input_files(
            files=[{"name": f"own-{len(sent)}.yaml", "mimeType": "application/yaml", "buffer": sent}])
        said.wait_for()
    assert wrong(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Run the batch").click()
    page.locator("[data-testid=stDataFrame]").wait_for()
    page.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="These points (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8"))))
    assert len(rows) == 9
    low = simulator.compare(simulator.read_scenario(HOSTED_PATH, ["workload.calls_per_day=100"]))
    assert float(rows[0]["total_usd"]) == pytest.approx(low.options[low.verdict.choice].total_usd)
    assert wrong(page) == []


def test_what_one_session_sends_no_other_session_sees(page: Page, app: Served, browser: Browser) -> None:
    raw = HOSTED_PATH.read_text("utf-8").replace("long-prompt", MINE)
    page.goto(f"{app.url}/?scenario={HOSTED}")
    page.get_by_role("button", name="Upload your own (YAML)").click()
    page.locator("input[type=file]").first.set_input_files(
        files=[{"name": f"{MINE}.yaml", "mimeType": "application/yaml", "buffer": raw.encode()}])
    page.locator(".tp-card", has_text=MINE).first.wait_for()
    other = opened(browser, f"{app.url}/?scenario={HOSTED}")
    for path in ("", "/simulate", "/batch", "/about"):
        other.goto(f"{app.url}{path}?scenario={HOSTED}")
        other.locator(".tp-title, .tp-verdict").first.wait_for()
        settled(other)
        assert MINE not in other.content()
    other.context.close()
    assert MINE in page.locator(".tp-card h3").all_inner_texts()
