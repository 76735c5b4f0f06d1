"""A page that its reader turns dark, or light again, while it is open takes its charts and cards with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench._served import Served
from simulator import charts
from tests.dashboards import HOSTED, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

PAPERS = "[...document.querySelectorAll('.tp-chart')].map(box => box.firstChild?.layout?.paper_bgcolor)"
FIGURES = """[...document.querySelectorAll('.tp-chart')].map(({ firstChild: { data, layout } }) =>
  JSON.parse(JSON.stringify([data, layout])))"""
EDGES = "[...document.querySelectorAll('.tp-card')].map(card => getComputedStyle(card).borderTopColor)"
DAY, NIGHT = "white", charts.NIGHT["white"]


def turned(page: Page, paper: str) -> None:
    """Wait until every chart of a page is on a paper, and no other."""
    page.wait_for_function(f"paper => {PAPERS}.length && {PAPERS}.every(one => one === paper)", arg=paper)


@pytest.fixture
def desk(page: Page, app: Served) -> Page:
    """The first page by day, when the charts beside its dial's position have been sent ahead."""
    page.goto(f"{app.url}/?scenario={HOSTED}")
    page.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    page.wait_for_function("window.tpAhead.stops.size >= 3")
    turned(page, DAY)
    return page


def words(node: Any, *, shown: bool, inside: bool = False) -> Iterator[tuple[str, Any]]:
    """What is shown of a figure, or all else of it, each with its key."""
    for key, inner in node.items() if isinstance(node, dict) else ((str(at), one) for at, one in enumerate(node)):
        here = inside or (key in charts.SHOWN and not (key == "title" and isinstance(inner, dict)))
        if isinstance(inner, dict | list):
            yield from words(inner, shown=shown, inside=here)
        elif here == shown:
            yield key, inner


def test_charts_and_cards_turn_dark_and_light_with_an_open_page(desk: Page) -> None:
    day, said, edges = desk.evaluate(FIGURES), desk.locator(".tp-verdict").inner_text(), desk.evaluate(EDGES)
    desk.emulate_media(color_scheme="dark")
    turned(desk, NIGHT)
    night = desk.evaluate(FIGURES)
    assert list(words(night, shown=True)) == list(words(day, shown=True))
    assert {one for _, one in words(day, shown=False) if isinstance(one, str)} & charts.NIGHT.keys()
    assert not {one for _, one in words(night, shown=False) if isinstance(one, str)} & charts.NIGHT.keys()
    assert desk.locator(".tp-verdict").inner_text() == said
    assert (edges[0], desk.evaluate(EDGES)[0]) == ("rgb(0, 114, 178)", "rgb(26, 128, 196)")
    red, green, low = desk.evaluate("getComputedStyle(document.querySelector('.tp-verdict')).color.match(/\\d+/g)")
    assert min(int(red), int(green), int(low)) > 200            # light words on what is dark now
    desk.emulate_media(color_scheme="light")
    turned(desk, DAY)
    assert desk.evaluate(EDGES) == edges


def test_what_was_sent_ahead_by_day_is_drawn_by_night_and_the_dials_stay(desk: Page) -> None:
    slider = desk.get_by_role("slider", name="Calls per day")
    slider.press("ArrowRight")
    desk.locator(".tp-verdict:not(:has-text('at 50,000 calls'))").wait_for()
    at = slider.get_attribute("value")
    desk.emulate_media(color_scheme="dark")
    turned(desk, NIGHT)
    assert slider.get_attribute("value") == at
    desk.evaluate(f"""() => {{
      window.papers = new Set();
      const look = () => {{
        {PAPERS}.forEach(paper => window.papers.add(paper));
        requestAnimationFrame(look);
      }};
      look();
    }}""")
    drawn = "document.querySelector('.tp-chart').tpDrawn"
    before = desk.evaluate(drawn)
    for _ in range(3):
        slider.press("ArrowRight")
    desk.wait_for_function(f"before => {drawn} > before", arg=before)
    settled(desk)
    assert desk.evaluate("[...window.papers]") == [NIGHT]


def test_the_choice_in_the_menu_turns_the_charts_of_other_pages_too(desk: Page) -> None:
    desk.get_by_role("link", name="Break-even", exact=True).click()
    desk.locator(".tp-title", has_text="Break-even").wait_for()
    turned(desk, DAY)
    for choice, paper in (("Dark", NIGHT), ("Light", DAY), ("Dark", NIGHT), ("System", DAY)):
        desk.get_by_test_id("stMainMenu").click()
        desk.get_by_test_id(f"stMainMenuItem-theme-{choice}").click()
        turned(desk, paper)
        desk.keyboard.press("Escape")
