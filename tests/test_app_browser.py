"""The dashboard does in a real browser what a reader wants: move, read, link, save, upload, and not be fooled."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

import simulator
from bench._served import Served, opened
from dashboard import pictures
from tests.dashboards import HOSTED, HOSTED_PATH, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = ("break-even", "simulate", "prices", "your-data", "batch", "about")


def shown(page: Page, url: str) -> Page:
    """A page when its first chart is drawn."""
    page.goto(url)
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    return page


def wide(page: Page, url: str, width: int, charts: int = 3) -> None:
    """A page in a window of a width, when so many charts are drawn."""
    page.set_viewport_size({"width": width, "height": 900})
    shown(page, url)
    page.locator("[role=figure] .main-svg:first-of-type").nth(charts - 1).wait_for(state="attached")


@pytest.fixture
def desk(page: Page, app: Served) -> Page:
    """The first page on a scenario whose options are all hosted."""
    return shown(page, f"{app.url}/?scenario={HOSTED}")


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


def test_a_slider_moved_by_keyboard_moves_verdict_and_charts(page: Page, app: Served) -> None:
    shown(page, app.url)
    said, drawn = verdict(page), page.locator(".js-plotly-plot").nth(1).inner_text()
    assert "at 50,000 calls a day" in said
    assert "today 50,000 calls a day" in drawn
    assert "at 100,000 calls a day" in moved(page)
    page.get_by_text("today 100,000 calls a day").wait_for()


def test_a_link_restores_the_state_in_a_second_browser_session(desk: Page, browser: Browser) -> None:
    said = moved(desk)
    desk.wait_for_url("**set=workload.calls_per_day**")
    other = opened(browser, desk.url)
    other.get_by_text("100,000 calls a day").first.wait_for()
    assert verdict(other) == said
    shown(other, desk.url.partition("&set")[0])
    assert "at 50,000 calls a day" in verdict(other)
    other.context.close()


def test_the_address_says_what_is_asked_after_other_pages_too(desk: Page) -> None:
    moved(desk)
    desk.wait_for_url("**set=workload.calls_per_day**")
    asked = desk.url.partition("?")[2]
    for name in ("Prices", "Decide"):
        desk.get_by_role("link", name=name, exact=True).click()
        desk.wait_for_url(f"**?{asked}")
    assert desk.url.partition("?")[2] == asked


def test_scenario_table_report_and_picture_can_be_saved(desk: Page) -> None:
    page = desk
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


def test_a_bad_file_is_told_in_one_sentence_and_a_good_one_answers(desk: Page) -> None:
    page = desk
    moved(page)
    before = verdict(page)
    upload(page, b"start: 2026-12-01\nbaselin: long\n")
    page.locator(".tp-wrong").first.wait_for()
    sentence = page.locator(".tp-wrong").first.inner_text()
    assert "sent.yaml:2" in sentence
    assert "baselin" in sentence
    assert "Traceback" not in sentence
    assert verdict(page) == before                              # what was asked is not lost
    upload(page, HOSTED_PATH.read_bytes(), again=True)
    page.locator(".tp-verdict", has_text="at 50,000 calls a day").wait_for()
    page.locator(".tp-wrong").first.wait_for(state="detached")


def test_a_script_in_a_file_is_text(desk: Page) -> None:
    page = desk
    page.evaluate("window.fooled = false")
    raw = HOSTED_PATH.read_text("utf-8")
    question = "question: '<img src=x onerror=\"window.fooled = true\"><script>window.fooled = true</script>'"
    sent = "\n".join(question if line.startswith("question:") else line for line in raw.splitlines())
    upload(page, sent.encode())
    page.locator(".tp-question", has_text="<script>").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.fooled") is False


def test_a_rate_that_is_emptied_is_sold_no_longer_until_the_price_is_taken_back(page: Page, app: Served) -> None:
    def pressed(name: str, sold: str) -> None:
        page.get_by_role("button", name=name).click()
        page.wait_for_function("sold => location.search.includes('set=') === (sold === '')", arg=sold)
        settled(page)
        assert page.locator(".tp-wrong").count() == 0
        assert cached.input_value() == sold

    page.goto(f"{app.url}/prices?scenario=regulatory-framework")
    page.get_by_role("tab", name="My own price").click()
    cached = page.get_by_label("cached input, USD per million tokens", exact=True)
    cached.wait_for()
    sold = cached.input_value()
    assert float(sold) == 0.075
    cached.fill("")
    pressed("Use in this session", "")
    path = next(path for path in simulator.shipped_scenarios() if path.stem == "regulatory-framework")
    (flag,) = parse_qs(urlsplit(page.url).query)["set"]
    plain, typed = (one.prices["openai/gpt-5.4-mini"].on(one.start).usd_per_mtok
                    for one in (simulator.read_scenario(path), simulator.read_scenario(path, [flag])))
    assert typed == dataclasses.replace(plain, cached_input=None)
    pressed("Back to the book: openai/gpt-5.4-mini", sold)


def upload(page: Page, content: bytes, *, again: bool = False) -> None:
    if not again:
        page.get_by_role("button", name="Upload your own (YAML)").click()
    page.locator("input[type=file]").first.set_input_files(
        files=[{"name": "sent.yaml", "mimeType": "application/yaml", "buffer": content}]
    )


def test_every_page_opens_without_a_mistake_and_asks_no_other_machine(page: Page, app: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shown(page, f"{app.url}/?scenario={HOSTED}")
    for name in PAGES:
        page.goto(f"{app.url}/{name}?scenario={HOSTED}")
        page.locator(".tp-title").wait_for()
        settled(page)
        assert page.locator(".tp-wrong").count() == 0, name
        assert page.locator("[data-testid=stException]").count() == 0, name
    assert len(asked) > len(PAGES)
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []


def long_named() -> str:
    """The link of the default scenario, whose options have names as long as a team may give them."""
    text = simulator.default_scenario_path().read_text("utf-8")
    for name in yaml.safe_load(text)["options"]:
        text = text.replace(name, f"{name}-as-we-have-called-it-in-every-mail")
    packed = simulator.pack_link(text.encode())
    assert packed is not None
    return f"yaml={packed}"


@pytest.mark.parametrize("width", [900, 1400])
@pytest.mark.parametrize(("asked", "charts"), [
    (f"scenario={HOSTED}", 3), (long_named(), 3), (f"{long_named()}&pinned=set%3Dworkload.calls_per_day%3D500000", 5),
], ids=["hosted", "long names", "pinned"])
def test_nothing_is_wider_than_the_window_and_nothing_in_a_chart_is_cut_off(
    page: Page, app: Served, width: int, asked: str, charts: int
) -> None:
    wide(page, f"{app.url}/?{asked}", width, charts)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert page.locator(".tp-chart .legend").count() == charts
    cut = page.evaluate("""() => [...document.querySelectorAll('.tp-chart .js-plotly-plot')].flatMap(chart => {
      const frame = chart.getBoundingClientRect();
      const parts = '.g-gtitle, .legend, .xtitle, .ytitle, .xtick, .ytick, .annotation';
      return [...chart.querySelectorAll(parts)].filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1
          || box.bottom > frame.bottom + 1);
      }).map(part => part.textContent);
    })""")
    assert cut == []
    drawn = "[...document.querySelectorAll('.tp-chart .js-plotly-plot')]"
    tall = page.evaluate(f"{drawn}.map(chart => chart._fullLayout._size.h)")
    assert min(tall) > 150


def test_every_chart_is_told_in_words(desk: Page) -> None:
    desk.locator(".js-plotly-plot").nth(2).wait_for(state="attached")
    told = desk.locator("[role=figure]").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(told) == 3
    assert all(len(words) > 40 for words in told)


def test_what_is_read_under_the_pointer_is_one_figure_an_option_as_a_person_writes_it(desk: Page) -> None:
    desk.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")

    def read(place: int, share: float) -> list[str]:
        chart = desk.locator(".js-plotly-plot").nth(place)
        chart.scroll_into_view_if_needed()
        box = chart.locator(".nsewdrag").first.bounding_box()
        assert box is not None
        desk.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        chart.locator(".hoverlayer .traces").first.wait_for()
        return chart.locator(".hoverlayer text").all_text_contents()

    assert any(re.fullmatch(r"long-prompt : \$[\d,]+", line) for line in read(0, 0.4))
    for share in (0.55, 0.85):
        calls = read(1, share)[0]
        assert re.fullmatch(r"[\d,]+", calls), calls


def test_charts_that_have_left_the_page_leave_the_browser_too(desk: Page) -> None:
    desk.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    tools = desk.context.new_cdp_session(desk)
    tools.send("HeapProfiler.enable")

    def kept() -> int:
        for name, there in (("Prices", ".tp-title"), ("Decide", "[role=figure] .main-svg")):
            desk.get_by_role("link", name=name, exact=True).click()
            desk.locator(there).first.wait_for(state="attached")
            settled(desk)
        tools.send("HeapProfiler.collectGarbage")
        return int(tools.send("Memory.getDOMCounters")["nodes"])

    first = [kept() for _ in range(3)][-1]
    charts = desk.locator(".js-plotly-plot *").count()
    assert [kept() for _ in range(5)][-1] < first + 2 * charts


def test_the_kind_of_picture_that_was_chosen_outlasts_the_popover(desk: Page) -> None:
    desk.get_by_role("button", name="Take it along").click()
    desk.get_by_text("SVG", exact=True).click()
    chosen = "() => document.querySelector('.tp-chart').tpChartBox.config.toImageButtonOptions.format === 'svg'"
    desk.wait_for_function(chosen)
    desk.keyboard.press("Escape")
    settled(desk)
    moved(desk)
    assert desk.evaluate(chosen)


def watched(page: Page) -> None:
    """Begin to write down where verdict, cards and charts stand, as often as the browser draws, once all are there."""
    settled(page)
    page.evaluate("""() => {
      window.tops = new Set();
      const look = () => {
        window.tops.add([...document.querySelectorAll('.tp-verdict, .tp-cards, .tp-chart')]
          .map(part => Math.round(part.getBoundingClientRect().top)).join());
        requestAnimationFrame(look);
      };
      look();
    }""")


@pytest.mark.parametrize("width", [900, 1400])
@pytest.mark.parametrize(("pinned", "charts"), [("", 3), ("&pinned=", 5)], ids=["alone", "pinned"])
def test_nothing_jumps_while_a_slider_moves_even_to_where_machines_no_longer_serve(
    page: Page, app: Served, width: int, pinned: str, charts: int
) -> None:
    wide(page, f"{app.url}/?scenario=support-triage{pinned}", width, charts)
    watched(page)
    slider = page.get_by_role("slider", name="Calls per day")
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        slider.press(key)
        page.wait_for_timeout(300)
    slider.press("End")
    page.locator(".tp-card .no").nth(1).wait_for()
    settled(page)
    assert len(page.evaluate("[...window.tops]")) == 1


def test_the_line_of_a_pinned_state_keeps_its_room_where_it_becomes_shorter(page: Page, app: Served) -> None:
    text = HOSTED_PATH.read_text("utf-8").replace("long-prompt", "long")
    for mark in ("  tuned:", ".tuned."):
        text = text.replace(mark, mark.replace("tuned", "tuned-on-the-answers-of-2024"))
    wide(page, f"{app.url}/?yaml={simulator.pack_link(text.encode())}&pinned=", 1200, charts=5)
    settled(page)

    def tall(part: str) -> int:
        return int(page.locator(part).evaluate("part => part.clientHeight"))

    words, room = tall(".st-key-difference .tp-note"), tall(".st-key-difference")
    page.get_by_role("slider", name="Calls per day").press("Home")
    page.locator(".st-key-difference", has_text="Now: long,").wait_for()
    assert tall(".st-key-difference .tp-note") < words
    assert tall(".st-key-difference") == room


@pytest.mark.parametrize("width", [900, 1400])
def test_nothing_jumps_below_a_pinned_state_whose_words_are_shorter_or_longer_than_the_present_ones(
    page: Page, app: Served, width: int
) -> None:
    wide(page, f"{app.url}/?scenario=support-triage", width)
    page.get_by_role("button", name="Pin to compare with").click()
    page.locator(".tp-head", has_text="Side by side").wait_for()
    page.get_by_text("Where does the saving come from").click()
    page.locator("[role=figure] .main-svg:first-of-type").nth(5).wait_for(state="attached")
    settled(page)
    watched(page)
    slider = page.get_by_role("slider", name="Calls per day")
    for key, calls in (("Home", "10 calls"), ("End", "10M calls")):
        slider.press(key)
        page.locator(".st-key-beside-now", has_text=f"at {calls}").wait_for()
        settled(page)
    assert len(page.evaluate("[...window.tops]")) == 1


@pytest.mark.parametrize("width", [900, 1400])
def test_nothing_jumps_where_inputs_are_ranges_even_to_where_nothing_is_worth_measuring(
    page: Page, app: Served, width: int
) -> None:
    wide(page, f"{app.url}/?scenario=how-sure", width, charts=5)
    watched(page)
    slider = page.get_by_role("slider", name="Calls per day")
    for key, calls in (("ArrowLeft", "30,000"), ("Home", "10")):
        slider.press(key)
        page.locator(".tp-verdict", has_text=f"at {calls} calls a day").wait_for()
    settled(page)
    tops = [line.split(",") for line in page.evaluate("[...window.tops]")]
    held = min(map(len, tops))                                  # the last chart gives way to a sentence
    assert held >= max(map(len, tops)) - 1
    assert len({tuple(line[:held]) for line in tops}) == 1


def test_a_link_is_opened_again_by_who_had_to_log_in_first(page: Page, app: Served) -> None:
    at_the_door = """async ([script, inside]) => {
      const { default: run } = await import("data:text/javascript," + encodeURIComponent(script));
      run({ data: { inside } });
    }"""
    script = pictures.script("door")
    health = f"{app.url}/_stcore/health"                        # any page of the same origin
    for link in (f"{health}?set=horizon_days%3D90", f"{app.url}/_stcore/host-config"):
        page.goto(link)
        page.evaluate(at_the_door, [script, False])
        page.goto(health)                                       # where the provider sends everybody
        page.evaluate(at_the_door, [script, True])
        page.wait_for_url(link)
    page.goto(health)
    page.evaluate(at_the_door, [script, True])
    page.wait_for_timeout(300)
    assert page.url == health                                   # once
