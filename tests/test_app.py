"""The dashboard says what the command line says: every page, every shipped scenario, every move of a slider."""

from __future__ import annotations

import html
import json
import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.state.query_params_proxy import QueryParamsProxy
from streamlit.testing.v1 import AppTest

import simulator
from simulator.cli import main
from simulator.formats import usd
from tests.dashboards import HOSTED, HOSTED_PATH, words

ROOT = Path(__file__).parents[1]
WAIT_S = 300
NAMES = tuple(path.stem for path in simulator.shipped_scenarios())
PAGES = ("decide", "breakeven", "simulate", "prices", "own_data", "batches", "about")
PAGE = """
import streamlit as st
from dashboard import {module}, question
question.begin()
{module}.page()
"""


def opened(module: str, **asked: Any) -> AppTest:
    """A page as a session of its own sees it, opened by a link."""
    page = AppTest.from_string(PAGE.format(module=module), default_timeout=WAIT_S)
    for key, value in asked.items():
        page.query_params[key] = value
    return page.run()


def mistakes(page: AppTest) -> list[str]:
    """The sentences about mistakes on a page."""
    told_wrong = [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    return [html.unescape(re.sub(r"<[^>]*>", "", body)) for body in told_wrong]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command line answers as JSON."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("module", PAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_page_opens_on_every_shipped_scenario(module: str, name: str) -> None:
    page = opened(module, scenario=name)
    assert not page.exception
    assert mistakes(page) == []


def test_the_whole_app_opens_on_its_first_page() -> None:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not page.exception
    assert "Choose cheap-prompt" in words(page)


def test_importing_the_app_as_a_worker_does_runs_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    ran = []
    monkeypatch.setattr("streamlit.set_page_config", lambda **_: ran.append(True))
    runpy.run_path(str(ROOT / "app.py"), run_name="__mp_main__")
    assert ran == []


@pytest.mark.parametrize("calls", [10_000, 200_000, 1_000_000])
def test_a_moved_slider_shows_the_number_of_the_command_line(calls: int, capsys: pytest.CaptureFixture[str]) -> None:
    page = opened("decide", scenario=HOSTED)
    next(dial for dial in page.select_slider if dial.label == "Calls per day").set_value(float(calls))
    page.run()
    answer = told(capsys, "compare", str(HOSTED_PATH), "--set", f"workload.calls_per_day={calls}")
    shown = words(page)
    assert answer["verdict"]["money"] in shown
    for option in answer["options"].values():
        assert f"{usd(option['monthly_usd'])}  a month" in shown


def test_every_slider_that_is_open_moves_the_scenario_as_a_flag_does(capsys: pytest.CaptureFixture[str]) -> None:
    page = opened("decide", scenario=HOSTED)
    dial = next(dial for dial in page.select_slider if dial.label == "Growth per month")
    dial.set_value(0.1)
    page.run()
    answer = told(capsys, "compare", str(HOSTED_PATH), "--set", "workload.growth_per_month=0.1")
    assert answer["verdict"]["money"] in words(page)


def test_a_link_restores_what_was_laid_over_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    page = opened("decide", scenario="small-volume", set=["workload.calls_per_day=54321"])
    path = next(path for path in simulator.shipped_scenarios() if path.stem == "small-volume")
    answer = told(capsys, "compare", str(path), "--set", "workload.calls_per_day=54321")
    assert answer["verdict"]["money"] in words(page)
    dial = next(dial for dial in page.select_slider if dial.label == "Calls per day")
    assert dial.value == 54_321


def test_the_address_is_written_again_where_the_browser_tells_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("decide")
    page.session_state.laid["workload.calls_per_day"] = "60000"
    page.run()
    written: list[Any] = []
    monkeypatch.setattr(QueryParamsProxy, "from_dict", lambda _, given: written.append(given))
    page.query_params.clear()  # what the browser said as it had not yet heard of 60,000
    del page.session_state.laid["workload.calls_per_day"]
    page.run()
    assert written == [{}]


def test_a_dial_comes_back_to_a_value_of_many_digits_that_a_link_has_set() -> None:
    page = opened("decide", scenario=HOSTED, set="workload.calls_per_day=31274.00231234567")
    for calls in (40_000.0, 31274.00231234567):
        page.select_slider(key=volume_key(page)).set_value(calls).run()
        assert mistakes(page) == []
        assert page.select_slider(key=volume_key(page)).value == calls
    assert page.session_state.laid == {"workload.calls_per_day": "31274.00231234567"}


def volume_key(page: AppTest) -> str:
    return str(next(dial.key for dial in page.select_slider if dial.label == "Calls per day"))


def test_a_link_with_a_value_that_cannot_be_is_told_in_one_sentence() -> None:
    page = opened("decide", scenario=HOSTED, set=["workload.calls_per_day=-5"])
    (sentence,) = mistakes(page)
    assert "calls_per_day" in sentence
    assert "-5" in sentence


def test_a_link_that_was_cut_short_is_told_in_one_sentence() -> None:
    letters = simulator.pack_link(simulator.default_scenario_path().read_bytes())
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    page.query_params["yaml"] = str(letters)[:200]
    page.run()
    assert any("cut short" in sentence for sentence in mistakes(page))
    assert "Choose cheap-prompt" in words(page)


@pytest.mark.parametrize(("link", "said"), [
    ({"set": ["horizon_days=90", "foo"]}, '"set=foo" is no PATH=VALUE'),
    ({"view": ["along=horizon_days", "foo"]}, '"view=foo" is no NAME=CHOICE'),
    ({"set": ["horizon_days=90"] * 201}, "sets 201 values, and the first 200 are taken"),
    ({"file": ["mine"]}, "mine was too long for one, so open its file"),
])
def test_what_a_link_cannot_bring_is_told_and_all_else_is_answered(link: dict[str, list[str]], said: str) -> None:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, values in link.items():
        page.query_params[key] = values
    page.run()
    assert any(said in sentence for sentence in mistakes(page))
    assert ("over 90 days" in words(page)) is ("set" in link)


def test_a_link_to_a_scenario_that_is_not_shipped_is_told_and_not_answered_by_another_in_silence() -> None:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    page.query_params["scenario"] = "suport-triage"
    page.run()
    assert any('"suport-triage"' in words and '"support-triage"' in words for words in mistakes(page))
    assert "Choose cheap-prompt" in words(page)


HOSTILE = """
question: "<script>alert(1)</script> ![x](http://127.0.0.1/x.png) =1+1 $x$ :red[y]"
start: 2026-12-01
baseline: long
workload: {calls_per_day: 1000, tokens: {input: 100, output: 10}}
assumes: {workload.calls_per_day: "<img src=x onerror=alert(2)> [a](javascript:alert(3))"}
options:
  long: {kind: hosted_prompt, price: openai/gpt-5.4-mini, prefix_tokens: 10, one_off_usd: {"=cmd|' /C calc'!A0": 5}}
"""


@pytest.mark.parametrize("module", ["decide", "breakeven", "about"])
def test_what_a_file_says_is_shown_as_text(module: str) -> None:
    page = opened(module, yaml=str(simulator.pack_link(HOSTILE.encode())))
    assert not page.exception
    bodies = " ".join(part.proto.body for part in page.get("html"))
    assert "<script" not in bodies
    assert "<img" not in bodies
    if module != "breakeven":
        assert "<script>alert(1)</script> ![x](http://127.0.0.1/x.png)" in words(page)
    for dial in page.select_slider:
        assert "<img" not in str(dial.help) or "\\<img" in str(dial.help)
    assert not page.markdown


def test_a_sent_scenario_cannot_read_a_file_of_the_server() -> None:
    sent = HOSTILE.replace("prefix_tokens: 10", "prompt: ../../../../etc/hostname")
    page = opened("decide", yaml=str(simulator.pack_link(sent.encode())))
    (sentence,) = mistakes(page)  # once, not beside the dials too
    assert "cannot name a file" in sentence


def test_a_defect_is_told_by_an_id_that_the_log_explains(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr("dashboard.answer.comparison_of", broken)
    with caplog.at_level(logging.ERROR, logger="tunepoint.dashboard"):
        page = opened("decide")
    (sentence,) = mistakes(page)
    found = re.search(r"under ([0-9a-f]{8})", sentence)
    assert found
    assert found[1] in caplog.text
    assert "a secret of the server" in caplog.text
    assert "secret" not in words(page)
    assert not page.exception


def test_two_sessions_do_not_see_each_other() -> None:
    one, other = opened("decide", scenario=HOSTED), opened("decide", scenario=HOSTED)
    next(dial for dial in one.select_slider if dial.label == "Calls per day").set_value(1_000_000.0)
    one.run()
    other.run()
    assert "at 1,000,000 calls" in words(one) or "at 1M calls" in words(one)
    assert "at 50,000 calls" in words(other)


def test_a_prompt_is_counted_and_sent_into_the_scenario() -> None:
    page = opened("own_data", scenario=HOSTED)
    page.text_area[0].set_value("hello world " * 100)
    page.run()
    tokens = simulator.count_tokens("hello world " * 100, "o200k_base").tokens
    assert f"{tokens:,}" in words(page)
    next(button for button in page.button if button.label == "Send into the scenario").click()
    page.run()
    assert page.session_state.laid == {"options.long-prompt.prefix_tokens": str(tokens)}


def test_it_is_served_to_this_machine_alone_and_tells_nobody() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["maxUploadSize"] == 20
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
