"""The parts of the break-even page draw what the studies behind the command line find."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import simulator
from dashboard import breakeven
from simulator import charts
from simulator.cli import main
from simulator.domain.uncertain import Explored
from tests.dashboards import HOSTED, HOSTED_PATH

PAGE = "from dashboard import breakeven, question\nquestion.begin()\nbreakeven.page()\n"


def opened() -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60)
    page.query_params["scenario"] = HOSTED
    return page.run()


@pytest.mark.parametrize(
    ("part", "name"),
    [("Crossings", "break-even"), ("Map of two dials", "map"), ("What moves it", "tornado"),
     ("What would flip it", "flips")],
)
def test_each_part_draws_its_chart(part: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, str] = {}

    def keep(name: str, figure: Any, *_: int) -> None:
        drawn[name] = figure.layout.meta["alt"]

    monkeypatch.setattr("dashboard.pictures.show", keep)
    page = opened()
    page.segmented_control(key="part").set_value(part).run()
    assert not page.exception
    assert not [part for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    assert len(drawn[name]) > 30


def test_where_there_is_nothing_to_draw_a_sentence_stands_in_place_of_a_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(breakeven, "_shown", lambda _, name, *__: drawn.append(name))
    monkeypatch.setattr("dashboard.shown.say", said.append)
    found = simulator.flips(simulator.read_scenario(HOSTED_PATH))
    breakeven._flips(None, dataclasses.replace(found, rows=()))
    far = tuple(dataclasses.replace(row, change=9.0) for row in found.rows)
    breakeven._flips(None, dataclasses.replace(found, rows=far))
    assert not drawn
    assert said == [f"No dial alone ends the lead of {found.choice} within its span.",
                    f"No dial that moves by less than 200 % alone ends the lead of {found.choice}."]
    assert "what-flips-it" not in charts.moving_pictures(Explored(flips=dataclasses.replace(found, rows=far)))


def test_a_crossing_is_said_in_the_words_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    page = opened()
    words = " ".join(part.proto.body for part in page.get("html"))
    assert main(["break-even", str(HOSTED_PATH), "--between", "long-prompt", "tuned", "--csv"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if ",horizon," in line)
    at = float(row.split(",")[6])
    assert f"Above {at:,.0f} calls a day tuned is cheaper than long-prompt" in words


@pytest.mark.parametrize("name", ["breakeven", "simulate"])
def test_what_can_be_taken_along_of_a_scenario_stands_on_its_other_pages_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlit.popover", lambda label, **_: st.expander(label, expanded=True, on_change="rerun"))
    page = AppTest.from_string(PAGE.replace("breakeven", name), default_timeout=60)
    page.query_params["scenario"] = HOSTED
    page.run()
    assert not page.exception
    assert any(f"scenario={HOSTED}" in code.value for code in page.code)
    assert {"Scenario (YAML)", "Full report (HTML)", "Everything (JSON)"} <= {
        button.proto.label for button in page.get("download_button")}
