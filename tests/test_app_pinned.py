"""A state pinned on the first page is kept beside the present one, in a link too, and both are drawn alike."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import simulator
from dashboard.question import LONGEST_LINK
from dashboard.work import Question
from simulator.formats import usd
from tests.dashboards import HOSTED, HOSTED_PATH, words

PAGE = "from dashboard import decide, question\nquestion.begin()\ndecide.page()\n"
SHORTER = HOSTED_PATH.read_bytes().replace(b"calls_per_day: 50_000", b"calls_per_day: 20_000")
RATES = {"openai/gpt-4o-mini": {"like": "openai/gpt-4o-mini", "usd_per_mtok": {"input": 9.5, "output": 11}}}


def opened(**asked: Any) -> AppTest:
    """The first page, opened by a link."""
    page = AppTest.from_string(PAGE, default_timeout=60)
    for key, value in asked.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def followed(page: AppTest) -> AppTest:
    """The page as another reader sees it who opens the address that stands there now."""
    return opened(**page.query_params)


def sent(raw: bytes) -> AppTest:
    """The page on a scenario that is not shipped."""
    return opened(yaml=str(simulator.pack_link(raw)))


def priced() -> AppTest:
    """The page with a price typed in this session."""
    page = opened(scenario=HOSTED)
    page.session_state.rates = RATES
    return page.run()


def pin(page: AppTest) -> None:
    next(button for button in page.button if button.label == "Pin to compare with").click()
    page.run()


def turn(page: AppTest, calls: float = 120_000.0) -> None:
    next(dial for dial in page.select_slider if dial.label == "Calls per day").set_value(calls).run()


def choose(name: str) -> Callable[[AppTest], Any]:
    return lambda page: page.selectbox[0].set_value(name).run()


def beside(page: AppTest) -> str:
    """What is said of both states, but for what a scenario is called that came by a link."""
    said = words(page).partition("Side by side")[2].partition("Because")[0]
    return re.sub(r"\b(link|pinned)(?=; )", "sent", said)


def mistakes(page: AppTest) -> list[str]:
    told_wrong = [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    return [html.unescape(re.sub(r"<[^>]*>", "", body)) for body in told_wrong]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every chart that the page shows, by name."""
    found: dict[str, Any] = {}
    monkeypatch.setattr("dashboard.pictures.show", lambda name, figure, *_, **__: found.__setitem__(name, figure))
    return found


def test_a_pinned_scenario_stands_beside_the_present_one(drawn: dict[str, Any]) -> None:
    page = opened(scenario="small-volume")
    pinned = words(page)
    pin(page)
    choose("editorial-voice")(page)
    shown = words(page)
    assert re.search(r"\bPinned\s+small-volume; .*\bNow\s+editorial-voice; ", shown, re.DOTALL)
    verdict = simulator.compare(simulator.read_scenario(
        next(path for path in simulator.shipped_scenarios() if path.stem == "small-volume"))).verdict.money
    assert verdict in pinned
    assert verdict in shown
    assert {"cumulative-cost pinned", "cumulative-cost now"} <= set(drawn)
    saved = [button.proto.label for button in page.get("download_button")]
    for state in ("pinned", "now"):
        assert {f"cumulative-cost {state} (HTML)", f"cumulative-cost {state} (CSV)"} <= set(saved)


@pytest.mark.parametrize(("flag", "period"), [
    ("workload.calls_per_day=120000", "over 730 days"), ("workload.calls_per_day=1000", "over 730 days"),
    ("horizon_days=365", "a month"), ("", "over 730 days"),
])
def test_the_difference_in_money_stands_above_the_charts(flag: str, period: str) -> None:
    found = [simulator.compare(simulator.read_scenario(HOSTED_PATH, flags)) for flags in ([], [flag] if flag else [])]
    choices = [one.options[one.verdict.choice] for one in found]
    was, costs = ((one.total_usd if "over" in period else one.monthly_usd) or 0.0 for one in choices)
    gap = f"{usd(abs(costs - was))} {'less' if costs < was else 'more'}" if flag else "the same"
    names = [one.verdict.choice for one in found]
    said = words(opened(scenario=HOSTED, set=[flag] if flag else [], pinned=""))
    line = f"Pinned: {names[0]}, {usd(was)} {period}. Now: {names[1]}, {usd(costs)}, {gap}."
    assert line in said.partition("Side by side")[0]


def test_the_charts_of_both_states_have_one_range_before_and_after_a_slider_moves(drawn: dict[str, Any]) -> None:
    page = opened(scenario="small-volume")
    pin(page)
    choose(HOSTED)(page)
    for calls in (50_000.0, 120_000.0, 1_000.0):
        turn(page, calls)
        pinned, now = (drawn[f"cumulative-cost {state}"] for state in ("pinned", "now"))
        for axis in ("xaxis", "yaxis"):
            assert pinned.layout[axis].range == now.layout[axis].range
        dates, usd_range = now.layout.xaxis.range, now.layout.yaxis.range
        for trace in (*pinned.data, *now.data):
            assert dates[0] <= min(trace.x) <= max(trace.x) <= dates[1]
            assert usd_range[0] <= min(trace.y) <= max(trace.y) < usd_range[1]


PAIRS: dict[str, tuple[Callable[[], AppTest], Callable[[AppTest], Any]]] = {
    "a dial": (lambda: opened(scenario=HOSTED), turn),
    "a dial that was turned before": (lambda: opened(scenario=HOSTED, set="workload.calls_per_day=60000"), turn),
    "two that are shipped": (lambda: opened(scenario="small-volume"), choose("editorial-voice")),
    "the default and another": (opened, choose(HOSTED)),
    "another and the default": (lambda: opened(scenario=HOSTED), choose("support-triage")),
    "one that was sent": (lambda: sent(SHORTER), turn),
    "one that was sent and one that is shipped": (lambda: sent(SHORTER), choose(HOSTED)),
    "prices that were typed": (priced, turn),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_link_brings_the_pinned_state_too(pair: str) -> None:
    before, then = PAIRS[pair]
    page = before()
    pin(page)
    pinned = page.session_state.pinned
    for _ in range(2):
        other = followed(page)
        assert beside(page).count("730 days from") + beside(page).count("365 days from") >= 2
        assert beside(other) == beside(page)
        assert (other.session_state.pinned.raw, other.session_state.pinned.flags) == (pinned.raw, pinned.flags)
        then(page)
    if pair == "prices that were typed":
        assert any("9.5" in flag for flag in other.session_state.pinned.flags)


def test_a_link_says_a_scenario_that_both_states_share_once_and_none_where_nothing_is_pinned() -> None:
    page = sent(SHORTER)
    pin(page)
    turn(page)
    assert page.query_params["pinned"] in ("", [""])
    next(button for button in page.button if button.label == "Unpin").click()
    page.run()
    assert "pinned" not in page.query_params


@pytest.mark.parametrize(("pinned", "said"), [
    ("nonsense", 'the link: "pinned=nonsense" is no state of a scenario; all else of it holds'),
    ("set", 'the link: "pinned=set" is no state of a scenario; all else of it holds'),
    ("set=foo", 'the link: "pinned=set=foo" is no state of a scenario; all else of it holds'),
    ("set=horizon_days%3D90&sett=a%3Db", '"pinned=set=horizon_days%3D90&sett=a%3Db" is no state'),
    ("set=%ff%3D1", '"pinned=set=%ff%3D1" is no state'),
    (urlencode([("set", "horizon_days=90")] * 202), "is no state of a scenario"),
    ("scenario=suport-triage",
     'the link\'s pinned state: no scenario "suport-triage" is shipped; did you mean "support-triage"?; nothing is '
     "pinned"),
    (f"yaml={str(simulator.pack_link(SHORTER))[:200]}",
     "the link's pinned state: its scenario is cut short or altered; ask for the file instead; nothing is pinned"),
])
def test_a_garbled_pinned_state_is_told_in_one_sentence_and_all_else_is_answered(pinned: str, said: str) -> None:
    page = opened(scenario=HOSTED, set=["horizon_days=90"], pinned=pinned)
    (sentence,) = mistakes(page)
    assert said in sentence
    assert "over 90 days" in words(page)
    assert "Side by side" not in words(page)


def test_a_pinned_value_that_cannot_be_is_told_beside_the_answer_and_can_be_unpinned() -> None:
    page = opened(scenario=HOSTED, pinned=urlencode({"set": "workload.calls_per_day=-5"}))
    (sentence,) = mistakes(page)
    assert sentence.startswith("the pinned state: ")
    assert "calls_per_day" in sentence
    assert "Choose tuned" in words(page)
    next(button for button in page.button if button.label == "Unpin").click()
    page.run()
    assert mistakes(page) == []


def test_a_pinned_state_that_finds_no_room_in_the_link_is_said_and_its_file_offered(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit as st

    monkeypatch.setattr("streamlit.popover", lambda label, **_: st.expander(label, expanded=True, on_change="rerun"))
    random = np.random.default_rng(1)

    def long(volume: bytes) -> bytes:
        noise = base64.b64encode(random.bytes(2_000))
        return b"# " + noise + b"\n" + SHORTER.replace(b"20_000", volume)

    for present, fits in ((long(b"30_000"), False), (SHORTER, True)):
        page = sent(long(b"10_000"))
        pin(page)
        page.session_state.taken_up = Question(name="other.yaml", raw=present, folder=None)
        page.run()
        assert ("finds no room in the link" in words(page)) is not fits
        assert ("not in this link" in words(page)) is not fits
        assert "too long for a link" not in words(page)
        labels = [button.proto.label for button in page.get("download_button")]
        assert ("Pinned scenario (YAML)" in labels) is not fits
        assert ("pinned" in page.query_params) is fits
        assert len(urlencode(list(page.query_params.items()), doseq=True)) <= LONGEST_LINK
        assert ("at 30,000 calls a day" in words(followed(page))) is not fits
