"""Charts beside the position of a dial are sent ahead: right ones, once each, and drawn before the server answers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from bench._served import Served, opened
from dashboard import ahead, answer, pictures, question, work
from pricing.errors import InputError
from tests.dashboards import HOSTED, HOSTED_PATH, settled, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGE = "from dashboard import decide, question\nquestion.begin()\ndecide.page()\n"
VOLUME = "Calls per day"
STANDS = "[...document.querySelectorAll('.tp-chart')].map(box => box.tpChartBox.drawn)"
TODAY = "(document.querySelectorAll('.tp-chart')[1].textContent.match(/today ([\\d,]+) calls/) || [])[1]"
"""The volume of today as the second chart on the page says it."""


def handed(page: AppTest, component: str) -> list[dict[str, Any]]:
    """What a component of the page is told."""
    parts = page.get("bidi_component")
    return [json.loads(part.proto.bytes) for part in parts if part.proto.component_name == component]


def volume(page: AppTest) -> Any:
    return next(dial for dial in page.select_slider if dial.label == VOLUME)


@pytest.fixture
def desk() -> AppTest:
    """The first page, whose dials have not been moved."""
    page = AppTest.from_string(PAGE, default_timeout=60)
    page.query_params["scenario"] = HOSTED
    return page.run()


def test_the_first_dial_has_its_neighbours_sent_and_each_once(desk: AppTest) -> None:
    stops = [float(str(text).replace(",", "")) for text in volume(desk).options]
    here = stops.index(volume(desk).value)
    sent: list[tuple[int, dict[str, Any]]] = []

    def all_there() -> bool:
        (told,) = handed(desk, ahead.COMPONENT)
        sent.extend((at[2], charts) for at, charts in told["beside"])
        return len(sent) >= 3 or desk.run() is None

    until(all_there)
    assert sorted(place for place, _ in sent) == [here - 1, here + 1, here + 2]
    assert handed(desk.run(), ahead.COMPONENT) == [{"beside": []}]
    for place, found in sent:
        flags = (f"workload.calls_per_day={stops[place]:.12g}",)
        question = work.Question(name=HOSTED_PATH.name, raw=HOSTED_PATH.read_bytes(), folder=HOSTED_PATH.parent,
                                 flags=flags)
        drawn = work.look(question).drawn
        assert found == {name: json.loads(json.dumps(chart._asdict())) for name, chart in drawn.items()}


def test_what_was_found_before_the_page_was_called_away_is_sent_the_next_time(
    monkeypatch: pytest.MonkeyPatch, desk: AppTest
) -> None:
    def called_away(question: work.Question, seconds: float) -> work.Look:
        if waited:
            raise InputError("the reader has moved on")
        waited.append(question)
        return answer.look_at(question)

    waited: list[work.Question] = []
    volume(desk).set_value(1_000_000.0)
    with monkeypatch.context() as patch:
        patch.setattr(answer, "look_within", called_away)
        assert handed(desk.run(), ahead.COMPONENT) == []
    assert waited
    stop = int(handed(desk, pictures.CHART)[0]["at"][2])
    (told,) = handed(desk.run(), ahead.COMPONENT)
    assert stop + 1 in [at[2] for at, _ in told["beside"]]


def test_charts_on_the_page_say_at_which_position_they_hold(desk: AppTest) -> None:
    stops = [float(str(text).replace(",", "")) for text in volume(desk).options]
    (first, *_) = handed(desk, pictures.CHART)
    assert first["at"][2] == stops.index(volume(desk).value)
    volume(desk).set_value(1_000_000.0)
    (moved, *_) = handed(desk.run(), pictures.CHART)
    assert moved["at"] == [*first["at"][:2], stops.index(1_000_000.0)]
    desk.session_state.laid["workload.growth_per_month"] = "0.07"
    (turned, *_) = handed(desk.run(), pictures.CHART)
    assert turned["at"][1] != first["at"][1]  # all that the dial does not say is another


def test_a_dial_on_which_a_range_is_laid_has_no_position(desk: AppTest) -> None:
    first = handed(desk, pictures.CHART)[0]["at"]
    desk.session_state.laid["workload.calls_per_day"] = "{p10: 10_000, p90: 200_000}"
    ranged = handed(desk.run(), pictures.CHART)[0]
    assert ranged["at"][0] != first[0]


def test_the_way_a_dial_was_moved_is_looked_along_further(monkeypatch: pytest.MonkeyPatch, desk: AppTest) -> None:
    asked: list[work.Question] = []
    monkeypatch.setattr(answer, "look_ahead", lambda questions: asked.extend(questions))
    stops = [float(str(text).replace(",", "")) for text in volume(desk).options]
    place = stops.index(1_000_000.0)
    volume(desk).set_value(stops[place])
    desk.run()
    volume(desk).set_value(stops[place - 1])
    del asked[:]
    desk.run()
    assert not desk.exception
    values = [float(flag.partition("=")[2]) for one in asked for flag in one.flags]
    assert values == pytest.approx([stops[place - 1 + step] for step in (-1, 1, -2)], rel=1e-6)


def test_a_moved_dial_has_prices_typed_beside_those_of_a_link_read_once(
    monkeypatch: pytest.MonkeyPatch, desk: AppTest
) -> None:
    read: list[bytes] = []
    laid_over = question.scenario_yaml

    def noted(raw: bytes, name: str, flags: tuple[str, ...]) -> str:
        read.append(raw)
        return laid_over(raw, name, flags)

    monkeypatch.setattr(question, "scenario_yaml", noted)
    desk.session_state.laid["prices"] = "{openai/gpt-5.4-mini: {like: openai/gpt-5.4-mini}}"
    desk.session_state.rates["openai/gpt-4o-mini"] = {"input": 1.0, "output": 9.0}
    desk.run()
    for value in (1_000_000.0, 100_000.0):
        volume(desk).set_value(value)
        desk.run()
    assert not desk.exception
    assert len(read) == 1


def test_a_dial_that_stood_at_nothing_was_moved_up(desk: AppTest) -> None:
    for value in (0.0, 0.025):
        spread = next(dial for dial in desk.select_slider if dial.label.startswith("Day-to-day spread"))
        spread.set_value(value)
        desk.run()
    assert desk.session_state.heading == 1


@contextlib.contextmanager
def frozen(app: Served) -> Iterator[None]:
    """The server hears nothing and says nothing."""
    os.kill(app.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(app.process.pid, signal.SIGCONT)


@pytest.fixture
def ready(page: Page, app: Served) -> Page:
    """The first page in a browser that has been sent what stands beside its first dial."""

    def there() -> bool:
        page.goto(f"{app.url}/?scenario={HOSTED}")
        page.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
        settled(page)
        return bool(page.evaluate("window.tpAhead.stops.size >= 4"))

    until(there)  # a page that is opened first may not wait for them as long as they take
    return page


def turn(page: Page, key: str) -> None:
    page.get_by_role("slider", name=VOLUME).press(key)


def test_a_moved_slider_draws_its_charts_while_the_server_is_silent(
    ready: Page, app: Served, browser: Browser
) -> None:
    before = ready.evaluate(STANDS)
    with frozen(app):
        turn(ready, "ArrowRight")
        ready.wait_for_function(f"before => {STANDS}.every((chart, i) => chart !== before[i])", arg=before)
        ahead_of_it = ready.evaluate(STANDS)
        today = ready.evaluate(TODAY)
        times = ready.evaluate("[...document.querySelectorAll('.tp-chart')].map(box => box.tpDrawn)")
        assert f"at {today} calls a day" not in ready.locator(".tp-verdict").inner_text()
    ready.locator(".tp-verdict", has_text=f"at {today} calls a day").wait_for()
    assert ready.evaluate(STANDS) == ahead_of_it
    assert ready.evaluate("[...document.querySelectorAll('.tp-chart')].map(box => box.tpDrawn)") == times
    ready.wait_for_url("**set=workload.calls_per_day**")
    other = opened(browser, ready.url)
    other.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    assert other.evaluate(STANDS) == ahead_of_it
    other.context.close()


WORDS = "[...document.querySelectorAll('.tp-chart .main-svg')].map(layer => layer.textContent.replace(/ /g, '')).join()"
"""Of all charts that are seen; without spaces, as lines break by the width of the window."""
WAITING = "[...document.querySelectorAll('.tp-chart')].map(box => box.tpChartBox.next?.figure)"


@pytest.mark.parametrize("key", ["ArrowRight", "ArrowLeft"])
def test_the_charts_of_the_next_stop_are_drawn_before_the_slider_is_moved(
    ready: Page, app: Served, browser: Browser, key: str
) -> None:
    turn(ready, key)
    settled(ready)
    stands = ready.evaluate(STANDS)
    ready.wait_for_function(f"stands => {WAITING}.every((chart, i) => chart && chart !== stands[i])", arg=stands)
    expected, before = ready.evaluate(WAITING), ready.url
    ready.evaluate("""() => {
      const drawn = window.Plotly.react;
      window.tpReacts = 0;
      window.Plotly.react = (...given) => { window.tpReacts += 1; return drawn(...given); };
    }""")
    with frozen(app):
        turn(ready, key)
        ready.wait_for_function(f"stands => {STANDS}.every((chart, i) => chart !== stands[i])", arg=stands)
        assert ready.evaluate("window.tpReacts") == 0
        assert ready.evaluate(STANDS) == expected
        words = ready.evaluate(WORDS)
    ready.wait_for_url(lambda url: url != before)
    assert ready.evaluate(WORDS) == words
    other = opened(browser, ready.url)
    other.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    settled(other)
    assert other.evaluate(WORDS) == words
    other.context.close()


def test_an_answer_that_comes_late_does_not_take_the_chart_back(ready: Page) -> None:
    ready.evaluate(f"""() => {{ window.seen = [];
      new MutationObserver(() => {{ const now = {TODAY}; if (now && now !== seen.at(-1)) seen.push(now); }})
        .observe(document.querySelectorAll('.tp-chart')[1], {{ subtree: true, childList: true, characterData: true }});
    }}""")
    for key in ("ArrowRight", "ArrowLeft") * 4:
        ready.evaluate("window.seen = []")
        for _ in range(3):
            turn(ready, key)
            ready.wait_for_timeout(60)
        last = ready.get_by_role("slider", name=VOLUME).get_attribute("aria-valuetext")
        ready.locator(".tp-verdict", has_text=f"at {last} calls a day").wait_for()
        ready.wait_for_function(f"last => {TODAY} === last", arg=last)
        ready.wait_for_timeout(300)
        seen = [int(words.replace(",", "")) for words in ready.evaluate("seen")]
        assert seen == sorted(seen, reverse=key == "ArrowLeft")
        assert ready.evaluate(TODAY) == last
