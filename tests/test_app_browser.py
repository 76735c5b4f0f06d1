"""The dashboard does in a real browser what a reader wants: move, read, link, save, upload, and not be fooled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import simulator
from bench._served import Served, browser_path, chromium, opened, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
WAIT_MS = 180_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if browser_path() is None:
        if REQUIRED:
            pytest.fail("REQUIRE_BROWSER=1, and there is no chromium, chromium-browser or google-chrome")
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def app() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture
def page(browser: Browser, app: Served) -> Iterator[Page]:
    found = opened(browser, app.url, viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    found.set_default_timeout(WAIT_MS)
    yield found
    found.context.close()


def verdict(page: Page) -> str:
    return page.locator(".tp-verdict").inner_text()


def moved(page: Page, presses: int = 3) -> str:
    """The verdict after the volume was turned up from the keyboard."""
    before = verdict(page)
    for _ in range(presses):
        page.get_by_role("slider", name="Calls per day").press("ArrowRight")
    page.wait_for_function("before => document.querySelector('.tp-verdict')?.innerText !== before", arg=before)
    page.locator(".tp-verdict", has_text="at 100,000 calls a day").wait_for()
    return verdict(page)


def saved(page: Page, label: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label, exact=True).click()
    return Path(waiting.value.path()).read_bytes()


def test_a_slider_moved_by_keyboard_moves_verdict_and_charts(page: Page) -> None:
    said, drawn = verdict(page), page.locator(".js-plotly-plot").nth(1).inner_text()
    assert "at 50,000 calls a day" in said
    assert "today 50,000 calls a day" in drawn
    assert "at 100,000 calls a day" in moved(page)
    page.get_by_text("today 100,000 calls a day").wait_for()


def test_a_link_restores_the_state_in_a_second_browser_session(page: Page, browser: Browser) -> None:
    said = moved(page)
    assert "set=workload.calls_per_day" in page.url
    other = opened(browser, page.url)
    other.get_by_text("100,000 calls a day").first.wait_for()
    assert verdict(other) == said
    other.context.close()
    fresh = opened(browser, page.url.partition("?")[0])
    assert "at 50,000 calls a day" in verdict(fresh)
    fresh.context.close()


def test_scenario_table_report_and_picture_can_be_saved(page: Page) -> None:
    moved(page)
    page.get_by_role("button", name="Take it along").click()
    page.get_by_role("button", name="Scenario (YAML)").wait_for()
    again = simulator.parse_scenario(saved(page, "Scenario (YAML)"), "saved.yaml")
    assert again.workload.calls_per_day == 100_000
    lines = saved(page, "Every line of every bill (CSV)").decode().splitlines()
    assert lines[0].startswith("option,line,quantity")
    assert len(lines) > 5
    assert saved(page, "cumulative-cost (CSV)").decode().startswith("series,x,y")
    report = saved(page, "Full report (HTML)").decode()
    assert report.lstrip().lower().startswith("<!doctype html>")
    assert "100,000 calls a day" in report
    page.keyboard.press("Escape")
    chart = page.locator(".js-plotly-plot").first
    chart.hover()
    with page.expect_download() as waiting:
        chart.locator("[data-title^='Download plot']").first.click()
    picture = Path(waiting.value.path()).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 10_000


def test_a_bad_file_is_told_in_one_sentence_and_a_good_one_answers(page: Page) -> None:
    upload(page, b"start: 2026-12-01\nbaselin: long\n")
    page.locator(".tp-wrong").first.wait_for()
    sentence = page.locator(".tp-wrong").first.inner_text()
    assert "sent.yaml:2" in sentence
    assert "baselin" in sentence
    assert "Traceback" not in sentence


def test_a_script_in_a_file_is_text(page: Page) -> None:
    page.evaluate("window.fooled = false")
    raw = simulator.default_scenario_path().read_text("utf-8")
    question = "question: '<img src=x onerror=\"window.fooled = true\"><script>window.fooled = true</script>'"
    sent = "\n".join(question if line.startswith("question:") else line for line in raw.splitlines())
    upload(page, sent.encode())
    page.locator(".tp-question", has_text="<script>").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.fooled") is False


def upload(page: Page, content: bytes) -> None:
    page.get_by_role("button", name="Upload your own (YAML)").click()
    page.locator("input[type=file]").first.set_input_files(
        files=[{"name": "sent.yaml", "mimeType": "application/yaml", "buffer": content}]
    )


@pytest.mark.parametrize("path", ["break-even", "simulate", "prices", "your-data", "batch", "about"])
def test_every_page_opens_without_a_mistake(browser: Browser, app: Served, path: str) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{app.url}/{path}")
    page.locator(".tp-title").wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    assert page.locator(".tp-wrong").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    page.context.close()


def test_no_request_leaves_the_machine(browser: Browser, app: Served) -> None:
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app.url)
    page.locator(".js-plotly-plot .main-svg").nth(2).wait_for(timeout=WAIT_MS, state="attached")
    page.wait_for_timeout(1000)
    assert asked
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []
    page.context.close()


@pytest.mark.parametrize("width", [900, 1400])
def test_nothing_is_wider_than_the_window(browser: Browser, app: Served, width: int) -> None:
    page = opened(browser, app.url, viewport={"width": width, "height": 900})
    page.locator(".tp-card").first.wait_for()
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= width
    page.context.close()


def test_every_chart_is_told_in_words(page: Page) -> None:
    page.locator(".js-plotly-plot").nth(2).wait_for()
    told = page.locator("[role=figure]").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(told) == 3
    assert all(len(words) > 40 for words in told)
