"""What would flip the choice is one story: the chart, the words beside it and the command line tell the same flips."""

from __future__ import annotations

import json
import re

import pytest

import simulator
from dashboard import behind, shown
from simulator import charts
from simulator.charts_flip_words import flip_words, flips_at
from simulator.cli import main
from simulator.domain.drawn import with_dials
from simulator.studies.compare import compare
from simulator.studies.flip import flips
from simulator.studies.moves import explicit

FILES = {path.stem: path for path in simulator.shipped_scenarios()}
TOLD = ("support-triage", "how-sure")


@pytest.mark.parametrize("name", TOLD)
def test_chart_words_and_command_line_tell_the_same_flips_the_nearest_first(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = flips(simulator.read_scenario(FILES[name]))
    words = flip_words(found)
    assert main(["sensitivity", str(FILES[name]), "--method", "flips", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    told = [re.findall(r"^(\S+) wins once (\S+) ", one)[0] for one in words]
    assert told == [(row["to"], row["path"]) for row in rows]
    assert main(["sensitivity", str(FILES[name]), "--method", "flips"]) == 0
    table = capsys.readouterr().out
    for row, sentence in zip(rows[:12], words, strict=False):
        said = flips_at(row["at"], row["unit"], row["today"])
        assert f" to {said} (" in sentence
        assert said in next(line for line in table.splitlines() if f" {row['path']} " in line)
    chart = charts.flips(found)
    drawn = list(chart.data[0].x)
    assert drawn == [row["change"] for row in rows if row["change"] is not None and abs(row["change"]) <= 2][:15]
    few = f"the nearest {len(drawn)} of {len(rows)}" if len(drawn) < len(rows) else f"all {len(rows)}"
    assert few in chart.layout.title.subtitle.text + str(chart.layout.annotations) + chart.layout.title.text
    assert few in chart.layout.meta["alt"]


def test_every_value_said_flips_the_choice_as_typed_in() -> None:
    scenario = explicit(simulator.read_scenario(FILES["support-triage"]))
    found = flips(scenario)
    for row in found.rows:
        said = re.sub(r"[^\d.M]", "", flips_at(row.at, row.unit, row.today).split(" ")[0])
        value = float(said.rstrip("M")) * (1e6 if said.endswith("M") else 0.01 if row.unit == "share" else 1.0)
        assert value == pytest.approx(row.at, rel=0.03)
        assert compare(with_dials(scenario, {row.path: value}), flips=False).verdict.choice == row.to, row.path


def test_the_first_page_says_that_its_flips_are_not_all_and_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, list[str]] = {}
    monkeypatch.setattr(shown, "points", lambda title, sentences: said.update({title: list(sentences)}))
    found = compare(simulator.read_scenario(FILES["support-triage"]))
    behind.reasons(found)
    *sentences, last = said["It would flip"]
    assert sentences == list(found.verdict.flips)
    assert "Break-even, What would flip it, has every dial" in last


def test_few_bars_fill_their_rows_without_an_empty_one() -> None:
    found = flips(simulator.read_scenario(FILES["support-triage"]))
    chart = charts.flips(found)
    assert len(chart.data[0].y) == 3
    assert chart.layout.yaxis.range is None                              # one row each, and none besides
    assert chart.layout.bargap == pytest.approx(1 - 0.65 * 3 / 4)
