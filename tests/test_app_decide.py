"""Behind the verdict the first page says what the command line says of doubt, of the saving, and of other prices."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import simulator
from dashboard import behind, dials, shown
from simulator import charts
from simulator.cli import main
from simulator.formats import NOT_WORTH_MEASURING, share, usd
from tests.dashboards import HOSTED, HOSTED_PATH, words

PAGE = "from dashboard import decide, question\nquestion.begin()\ndecide.page()\n"
RANGES = ("workload.calls_per_day={low: 5000, mode: 12000, high: 30000}",
          "options.tuned.dataset.minutes_per_example={low: 1, high: 5}")


def opened(**asked: Any) -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60)
    for key, value in {"scenario": HOSTED, **asked}.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def shipped(name: str) -> Path:
    return next(path for path in simulator.shipped_scenarios() if path.stem == name)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["compare", str(HOSTED_PATH), *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every chart that the page shows, by name."""
    found: dict[str, Any] = {}
    monkeypatch.setattr("dashboard.pictures.show", lambda name, figure, *_, **__: found.__setitem__(name, figure))
    return found


def test_ranges_put_intervals_on_the_cards_and_their_charts_on_the_page(
    drawn: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    page = opened(set=list(RANGES))
    assert "Laid over it: {low: 5000, mode: 12000, high: 30000}. Move the dial to lay a number instead." in words(page)
    answer = told(capsys, *(part for flag in RANGES for part in ("--set", flag)))
    seen = words(page)
    for option in answer["options"].values():
        low, _, high = option["interval_usd"]
        assert f"{usd(low)} to {usd(high)}" in seen
        assert f"{share(option['cheapest_share'])} of draws" in seen
    assert "How sure is that?" in seen
    assert "draws" in drawn["cost-distribution"].layout.meta["alt"]
    assert "paid back after" in seen


def test_where_no_input_is_worth_measuring_a_sentence_stands_in_place_of_a_chart(
    drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(shown, "say", said.append)
    asked = simulator.read_scenario(HOSTED_PATH, RANGES)
    found = dataclasses.replace(simulator.compare(asked), worth=())
    behind.doubt(found, charts.unsure_pictures(found))
    assert "measure-first" not in drawn
    assert said == [NOT_WORTH_MEASURING]
    assert NOT_WORTH_MEASURING in simulator.report_html(found, simulator.cost_curve(asked))


def test_dials_of_ranges_stand_at_means_that_a_person_reads() -> None:
    page = opened(scenario="how-sure")
    labels = [words for dial in page.select_slider for words in dial.options]
    assert labels
    assert [words for words in labels if len(words.partition(".")[2]) > 6] == []


def test_without_ranges_nothing_is_said_of_draws(drawn: dict[str, Any]) -> None:
    assert "draws" not in words(opened())
    assert "cost-distribution" not in drawn


def test_the_saving_is_taken_apart_as_on_the_command_line(
    drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamlit.expander", open_ones())
    page = opened()
    answer = told(capsys)
    shown = words(page)
    parts = {part["part"]: part["usd"] for part in answer["bridge"] if part["usd"]}
    waterfall = drawn["bridge"].data[0]
    named = [words.replace("<br>", " ") for words in waterfall.x[1:-1]]
    assert dict(zip(named, (-value for value in waterfall.y[1:-1]), strict=True)) == pytest.approx(parts)
    assert answer["alternatives"]
    for one in answer["alternatives"]:
        assert one["price"] in shown
        assert usd(one["usd_per_month"]) in shown


def open_ones() -> Any:
    """Expanders that stand open, as a reader leaves them."""
    import streamlit as st

    plain = st.expander

    def expander(label: str, expanded: bool = False, **more: Any) -> Any:
        return plain(label, expanded=True, **more)

    return expander


def test_a_state_too_long_for_a_link_says_so_and_offers_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    monkeypatch.setattr("streamlit.popover", lambda label, **_: st.expander(label, expanded=True, on_change="rerun"))
    noise = base64.b64encode(np.random.default_rng(1).bytes(9000)).decode()
    sent = {name: f"# {noise if name == 'long' else name}\n".encode() + HOSTED_PATH.read_bytes()
            for name in ("short", "long")}
    for name, raw in sent.items():
        page = AppTest.from_string(PAGE, default_timeout=60)
        page.session_state.source, page.session_state.round = (f"{name}.yaml", raw, None), "'"
        for own in ("laid", "linked", "rates", "machines"):
            page.session_state[own] = {}
        page.run()
        assert not page.exception
        assert ("too long for a link, so" in words(page)) is (name == "long")
        assert page.query_params.get("file") == ("long" if name == "long" else None)
        assert any(block.value.startswith("http") or "yaml=" in block.value for block in page.code) is (name == "short")
        assert "Scenario (YAML)" in [button.proto.label for button in page.get("download_button")]


def test_cautions_are_counted_above_and_said_below(capsys: pytest.CaptureFixture[str]) -> None:
    assert "to be careful about" not in words(opened())  # it has none
    page = opened(scenario="support-triage")
    assert main(["compare", str(shipped("support-triage")), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"]["caveats"]
    shown = words(page)
    found = re.search(r"(\d+) things? to be careful about", shown)
    assert found
    for caveat in answer["verdict"]["caveats"]:
        assert caveat in shown
    assert int(found[1]) >= len(answer["verdict"]["caveats"])


def test_an_answer_of_the_diagnosis_changes_the_words_of_the_verdict() -> None:
    for said, lead, due in (("false", "Not yet; once tuning is due, choose tuned: ", "Not yet, because a good prompt"),
                            ("true", "Choose tuned: ", "All four questions speak for tuning.")):
        answers = [f"diagnosis.{name}={said}" for name in ("prompt_tried", "narrow", "prompt_cannot")]
        page = opened(set=answers)
        box = next(block.body for block in page.get("html") if "tp-verdict" in block.body and "role" in block.body)
        assert f"<p>{lead}" in box
        assert due in box
        assert "No: no" not in words(page)


def test_what_is_not_sold_to_the_end_says_so_in_a_line_of_its_own() -> None:
    found = simulator.compare(simulator.read_scenario(shipped("hundred-thousand-a-day")))
    cards = {one.option: one.facts for one in simulator.headlines(found)}
    ended = {option: facts for option, facts in cards.items() if "sold until" in facts}
    assert {option: facts["sold until"] for option, facts in ended.items()} == {"tuned-openai": "14 Jan 2027"}
    assert max(len(term) for facts in cards.values() for term in facts) <= len("one more call")


@pytest.mark.parametrize(("label", "unit", "name"), [
    ("Time to first token, p95", "s", "Time to first token, p95 (s)"),  # "first" has an s
    ("Training examples", "examples", "Training examples"),
    ("Calls per day", "1/day", "Calls per day"),
    ("Work on the data set", "h", "Work on the data set (h)"),
])
def test_a_dial_is_named_with_its_unit_unless_its_name_says_it(label: str, unit: str, name: str) -> None:
    assert dials.named(label, unit) == name


def test_idle_share_is_the_part_of_paid_hours_in_which_a_fleet_waits_rented_or_owned() -> None:
    found = simulator.compare(simulator.read_scenario(shipped("fifteen-percent")))
    facts = {one.option: one.facts for one in simulator.headlines(found)}
    rented = next(name for name, one in found.options.items() if one.result.fleet is not None)
    lines = {line.line: line.usd.sum() for line in found.options[rented].result.ledger.lines}
    assert facts[rented]["idle"] == share(lines["gpu_idle"] / (lines["gpu"] + lines["gpu_idle"]))
    assert "idle" not in facts[found.baseline]
    one = found.options[rented]
    fleet = dataclasses.replace(one.result.fleet, used_hours=one.result.fleet.paid_hours * 0.000011)
    one = dataclasses.replace(one, result=dataclasses.replace(one.result, fleet=fleet))
    cards = simulator.headlines(dataclasses.replace(found, options={**found.options, rented: one}))
    assert next(card.facts["idle"] for card in cards if card.option == rented) == "over 99.99 %"

    option = found.options[rented]
    assert option.result.fleet is not None
    thirty_of_forty = dataclasses.replace(
        option.result.fleet, paid_hours=np.array([24.0, 16.0]), used_hours=np.array([20.0, 10.0]))
    no_rent = dataclasses.replace(option.result.ledger, lines=())
    owned = dataclasses.replace(
        option, result=dataclasses.replace(option.result, ledger=no_rent, fleet=thirty_of_forty))
    facts = {one.option: one.facts for one in simulator.headlines(
        dataclasses.replace(found, options={**found.options, rented: owned}))}
    assert facts[rented]["idle"] == "25 %"


def test_an_option_of_two_scenarios_side_by_side_has_the_colour_of_its_card_in_both(drawn: dict[str, Any]) -> None:
    page = opened(scenario="hundred-thousand-a-day")
    next(button for button in page.button if button.label == "Pin to compare with").click()
    page.run()
    page.selectbox[0].set_value("support-triage").run()
    assert not page.exception
    colours = {state: {line.name.split("  ")[0]: line.line.color for line in drawn[f"cumulative-cost {state}"].data
                       if line.line.color} for state in ("pinned", "now")}
    asked = simulator.read_scenario(simulator.default_scenario_path())
    cards = {one.option: one.colour for one in simulator.headlines(simulator.compare(asked, flips=False))}
    assert colours["now"] == cards
    assert len(both := cards.keys() & colours["pinned"].keys()) > 1
    assert {name: colours["pinned"][name] for name in both} == {name: cards[name] for name in both}
    whole = cards | colours["pinned"]
    assert len(set(whole.values())) == min(len(whole), 7)
