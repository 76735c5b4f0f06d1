"""What would flip the choice is one story: the chart, the words beside it and the command line tell the same flips."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re

import numpy as np
import pytest

import simulator
from dashboard import behind, shown
from simulator import charts
from simulator.cli import main
from simulator.cli.studies_shown import show_sensitivity
from simulator.domain.drawn import with_dials
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Flips
from simulator.flip_words import dial_name, dial_value, flip_words, flips_at
from simulator.studies.compare import compare
from simulator.studies.flip import flips
from simulator.studies.moves import cheapest_first, explicit, priced, today_usd

FILES = {path.stem: path for path in simulator.shipped_scenarios()}
TOLD = ("support-triage", "how-sure")
SLOW = "nightly-catalogue"
"""A scenario of fleets whose flips take 20 s of CPU to find: `verification/` holds it to the same."""


@functools.cache
def asked(name: str) -> tuple[Scenario, Flips]:
    scenario = explicit(simulator.read_scenario(FILES[name]))
    return scenario, flips(scenario)


def typed(said: str) -> float:
    """The number that is said, as it is typed in."""
    return float(said.split(" ")[0].replace(",", "")) * (0.01 if " %" in said else 1.0)


@pytest.mark.parametrize("name", TOLD)
def test_chart_words_and_command_line_tell_the_same_flips_the_nearest_first(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = asked(name)
    words = flip_words(found)
    assert main(["sensitivity", str(FILES[name]), "--method", "flips", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    told = [re.findall(r'^(\S+) wins once "(.+?)" ', one)[0] for one in words]
    assert told == [(row["to"], dial_name(row["path"], row["label"])) for row in rows]
    assert main(["sensitivity", str(FILES[name]), "--method", "flips"]) == 0
    table = capsys.readouterr().out
    for row, sentence in zip(rows[:12], words, strict=False):
        said = flips_at(row["at"], row["unit"], row["today"])
        assert f" to {said}" in sentence
        assert ("% (" in sentence) is False                                # no percent of a percent
        assert said in next(line for line in table.splitlines() if f" {row['path']} " in line)
    chart = charts.flips(found)
    drawn = list(chart.data[0].x)
    assert drawn == [row["change"] for row in rows if row["change"] is not None and abs(row["change"]) <= 2][:15]
    few = f"the nearest {len(drawn)} of {len(rows)}" if len(drawn) < len(rows) else f"all {len(rows)}"
    assert few in chart.layout.title.subtitle.text + str(chart.layout.annotations) + chart.layout.title.text
    assert few in chart.layout.meta["alt"]
    labels = [*chart.data[0].text, *(note.text for note in chart.layout.annotations)]
    for said in re.findall(r" at (.*?) to ", chart.layout.meta["alt"]):          # the same figures, seen or read out
        assert any(label and label.startswith(said) for label in labels), said


def test_every_value_said_flips_the_choice_as_typed_in() -> None:
    scenario, found = asked("support-triage")
    for row in found.rows:
        value = typed(flips_at(row.at, row.unit, row.today))
        assert compare(with_dials(scenario, {row.path: value}), flips=False).verdict.choice == row.to, row.path


@pytest.mark.parametrize("name", [name for name in FILES if name != SLOW])
def test_every_flip_told_names_another_option_which_wins_once_its_value_alone_is_set(name: str) -> None:
    """Priced as it is typed in, in the scenario, one value a run: a fleet is read between others in a run of many."""
    scenario, found = asked(name)
    names = list(scenario.options)
    for row in found.rows:
        assert row.to != found.choice, row.path
        usd = today_usd(with_dials(scenario, {row.path: typed(flips_at(row.at, row.unit, row.today))}))
        assert names[cheapest_first(usd[:, None], names.index(scenario.baseline))[0, 0]] == row.to, row.path


def test_a_fleet_that_is_overrun_today_is_no_choice_because_a_dial_stands_elsewhere_by_a_trifle() -> None:
    scenario = asked("bursty-million")[0]
    today = today_usd(scenario)
    moves = [("options.base-cards.fleet.window_s", 60.0), ("horizon_days", 365.0), ("options.hosted.price_factor", 1.0)]
    for move in [*((move,) for move in moves), moves]:
        assert priced(scenario, move) == pytest.approx(np.repeat(today[:, None], len(move), axis=1), rel=1e-12)


def test_what_moves_no_length_of_calls_costs_the_same_beside_moves_that_do() -> None:
    scenario = asked("bursty-million")[0]
    moves = [("options.hosted.price_factor", 0.5), ("options.base-cards.price_factor", 0.5)]
    longer = [("workload.tokens.output", float(tokens)) for tokens in np.geomspace(15, 5_000, 40)]
    assert priced(scenario, moves + longer)[:, :2] == pytest.approx(priced(scenario, moves), rel=1e-12)


@pytest.mark.parametrize("name", [name for name in FILES if name != SLOW])
def test_every_value_said_is_beyond_where_the_choice_flips_by_less_than_its_last_digit(name: str) -> None:
    """And what is said of today is as exact, as the change is told from one to the other."""
    for row in asked(name)[1].rows:
        value, beyond = typed(flips_at(row.at, row.unit, row.today)), math.copysign(1.0, row.at - row.today)
        unit = 10.0 ** (math.floor(math.log10(abs(row.at))) - 3)
        assert -1e-5 * unit <= beyond * (value - row.at) <= unit, row.path
        assert value == pytest.approx(row.at, rel=0.005), row.path
        assert typed(dial_value(row.today, row.unit)) == pytest.approx(row.today, rel=0.005), row.path


def test_a_value_is_said_to_as_many_digits_at_any_size() -> None:
    for tens in range(-4, 8):
        assert typed(flips_at(1.23456 * 10.0**tens, "USD", 0.0)) == pytest.approx(1.235 * 10.0**tens, rel=1e-12)
        assert typed(flips_at(1.23456 * 10.0**tens, "USD", 1e9)) == pytest.approx(1.234 * 10.0**tens, rel=1e-12)


def test_one_flip_or_none_is_told_in_words_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked("support-triage")[1]
    one = charts.flips(dataclasses.replace(found, rows=found.rows[:1]))
    assert "; the only one is drawn." in one.layout.title.subtitle.text + str(one.layout.annotations)
    show_sensitivity({"method": "flips", "choice": "a", "rows": []})
    assert capsys.readouterr().out == "a is the choice; no change of one dial within its span ends this.\n"


def test_the_first_page_says_that_its_flips_are_not_all_and_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, list[str]] = {}
    monkeypatch.setattr(shown, "points", lambda title, sentences: said.update({title: list(sentences)}))
    found = compare(simulator.read_scenario(FILES["support-triage"]))
    behind.reasons(found)
    *sentences, last = said["It would flip"]
    assert sentences == list(found.verdict.flips)
    assert "Break-even, What would flip it, has every dial" in last


def test_few_bars_fill_their_rows_without_an_empty_one() -> None:
    _, found = asked("support-triage")
    chart = charts.flips(found)
    assert len(chart.data[0].y) == 3
    assert chart.layout.yaxis.range is None                              # one row each, and none besides
    assert chart.layout.bargap == pytest.approx(1 - 0.65 * 3 / 4)
