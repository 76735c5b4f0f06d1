"""Every study answers on the command line: words, stable keys in JSON, rows in CSV, one sentence for a mistake."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import tunepoint

from simulator.files import default_scenario_path

QUESTION = """
question: Which way is cheaper?
start: 2027-01-01
horizon_days: 100
baseline: a
workload: {calls_per_day: {low: 50, mode: 200, high: 600}, tokens: {input: 900, output: 50}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 9}}
  acme/small: {usd_per_mtok: {input: 1, output: 3}}
options:
  a: {kind: hosted_prompt, price: acme/big, prefix_tokens: 500}
  b: {kind: hosted_prompt, price: acme/small, prefix_tokens: 500, one_off_usd: {build: {low: 20, high: 60}}}
"""
X, Y = "workload.calls_per_day", "options.a.prefix_tokens"


@pytest.fixture
def question(tmp_path: Path) -> Path:
    path = tmp_path / "question.yaml"
    path.write_text(QUESTION, "utf-8")
    return path


def answer(*typed: object) -> Any:
    said = tunepoint(*map(str, typed), "--json")
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


def test_map(question: Path) -> None:
    found = answer("map", question, "--x", X, "--y", f"{Y}=100..900", "--points", 7)
    assert found["x"]["path"] == X
    assert found["y"]["values"][0] == 100
    assert len(found["cheapest"]) == len(found["margin_usd"]) == 7
    assert {name for row in found["cheapest"] for name in row} <= {"a", "b"}
    several = answer("map", question, "--x", X, "--y", Y, "--points", 3, "--facet", "options.b.price_factor=0.5,2")
    assert [one["facet"]["value"] for one in several] == [0.5, 2]
    assert "cheapest on" in tunepoint("map", str(question), "--x", X, "--y", Y).out


def test_sweep(question: Path) -> None:
    found = answer("sweep", question, "--vary", f"{X}=10..1000:3:log", "--vary", f"{Y}=1,2")
    assert [row[X] for row in found["rows"]] == pytest.approx([10, 10, 100, 100, 1000, 1000])
    said = tunepoint("sweep", str(question), "--vary", f"{X}=10,20", "--csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0]) == [X, "a_usd", "b_usd", "cheapest", "margin_usd"]
    still = tunepoint("sweep", str(question), "--vary", "discount_rate=0,0.1")
    assert still.err == "discount_rate changes nothing in this scenario.\n"


@pytest.mark.parametrize("method", ["tornado", "sobol", "voi", "flips"])
def test_sensitivity(question: Path, method: str, tmp_path: Path) -> None:
    page = tmp_path / "picture.html"
    found = answer("sensitivity", question, "--method", method, "--samples", 64, "--draws", 500, "--out", page)
    assert found["method"] == method
    assert found["rows"]
    assert "plotly" in page.read_text("utf-8")
    said = tunepoint("sensitivity", str(question), "--method", method, "--csv")
    assert len(list(csv.DictReader(io.StringIO(said.out)))) == len(
        answer("sensitivity", question, "--method", method)["rows"])
    assert found["choice"] in tunepoint("sensitivity", str(question), "--method", method).out


def test_both_sobol_indices_are_told_with_their_intervals(question: Path) -> None:
    rows = answer("sensitivity", question, "--method", "sobol", "--samples", 64)["rows"]
    said = " ".join(tunepoint("sensitivity", str(question), "--method", "sobol", "--samples", "64").out.split())
    for row in rows:
        for kind in ("first", "total"):
            value, low, high = (re.escape(f"{abs(x) if abs(x) < 0.005 else x:.2f}")
                                for x in (row[kind], *row[f"{kind}_interval"]))
            assert re.search(rf"{row['path']} .*{value} \({low} to {high}\)", said)


def test_a_picture_of_supposed_ranges_says_so(question: Path, tmp_path: Path) -> None:
    plain, page = ("--set", f"{X}=200", "--set", "options.b.one_off_usd={build: 40}"), tmp_path / "picture.html"
    said = tunepoint("sensitivity", str(question), "--method", "voi", "--draws", "500", *plain, "--out", str(page))
    assert said.code == 0
    assert "are supposed to lie" in " ".join(page.read_text("utf-8").replace("<br>", " ").split())


def test_compare_with_ranges_says_how_sure(question: Path) -> None:
    found = answer("compare", question, "--seed", 5)
    assert found["seed"] == 5
    assert 0 < found["verdict"]["confidence"] <= 1
    assert [len(option["interval_usd"]) for option in found["options"].values()] == [3, 3]
    assert found["bridge"][0].keys() >= {"from", "to", "part", "usd"}
    assert found["alternatives"][0]["note"] == "quality not compared"
    assert found["spreads"]["break_even"][0]["at"] is not None
    assert "draws it is the cheapest" in " ".join(tunepoint("compare", str(question)).out.split())


def test_the_report_tells_how_sure_and_draws_it(question: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert tunepoint("compare", str(question), "--out", str(folder)).code == 0
    page = (folder / "report.html").read_text("utf-8")
    for part in ("certainty", "bridge", "alternatives"):
        assert f'id="{part}"' in page
        assert f'href="#{part}"' in page
    assert {"bridge.json", "cost-distribution.json"} <= {path.name for path in (folder / "charts").iterdir()}


def test_backtest_outlook_and_diagnose(question: Path) -> None:
    found = answer("backtest", question, "--decide-on", "2025-06-01", "--until", "2025-06-11")
    assert (found["decided_on"], found["until"]) == ("2025-06-01", "2025-06-11")
    assert found["paid_usd"].keys() == {"a", "b"}
    assert found["versions"]["a"] == ["acme/big"]
    assert [one["decided_on"] for one in answer(
        "backtest", question, "--decide-on", "2025-06-01", "--monthly", "2025-08-01")] == [
        "2025-06-01", "2025-07-01", "2025-08-01"]
    assert answer("outlook", question, "--wait", 2)["waits"][0]["months"] == 2
    judged = answer("diagnose", question)
    assert judged.keys() >= {"justified", "answers", "missing", "advice", "worth_usd_per_month"}
    assert tunepoint("diagnose", str(question)).out.startswith("Not yet, because")


MISTAKES = {
    "a dial that does not exist": (
        ("map", "--x", "workload.cals_per_day", "--y", Y), 'did you mean "workload.calls_per_day"?'),
    "one dial twice": (("map", "--x", X, "--y", X), "is named twice"),
    "an axis that is none": (("map", "--x", f"{X}=5", "--y", Y), "is no axis; write PATH or PATH=LO..HI"),
    "a method that does not exist": (("sensitivity", "--method", "monte"), "is not one of tornado, sobol, voi, flips"),
    "no power of two": (("sensitivity", "--method", "sobol", "--samples", "100"), "power of two"),
    "too few draws": (("sensitivity", "--method", "voi", "--draws", "10"), "too few to speak of chances"),
    "a day in the future": (
        ("backtest", "--decide-on", "9031-09-15"), "--decide-on: 9031-09-15 lies in the future"),
    "a last day in the future": (
        ("backtest", "--decide-on", "2025-06-01", "--monthly", "9031-09-15"), "--monthly: 9031-09-15 lies in"),
    "a day that is none": (("backtest", "--decide-on", "2025-13-01"), "is not a date"),
    "an end before the decision": (
        ("backtest", "--decide-on", "2025-06-01", "--until", "2025-05-01"), "-31 days after the decision"),
    "a wait too long": (("outlook", "--wait", "99"), "does not fit into 100 days"),
    "a picture that cannot be written": (
        ("sensitivity", "--out", "/nowhere/at/all.html"), "cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(question: Path, mistake: str) -> None:
    (command, *rest), sentence = MISTAKES[mistake]
    said = tunepoint(command, str(question), *rest)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert sentence in said.err


@pytest.mark.parametrize("method", ["flips", "tornado"])
def test_a_flip_of_an_option_that_others_copy_says_that_set_moves_them_too(method: str) -> None:
    """Typed back with --set, a dial of `no-cache` would move its two copies as well."""
    case = default_scenario_path().parent / "cases" / "legal-doctrine.yaml"
    (note,) = tunepoint("sensitivity", case, "--method", method, "--json").json["notes"]
    assert note.startswith("five-minutes and one-hour are like no-cache: a row moves one option alone")


def test_what_a_scenario_does_not_hold_is_not_spoken_of() -> None:
    """No automatic cache, so nothing is supposed of one; no tuned option, so none that cannot be bought."""
    case = default_scenario_path().parent / "cases" / "legal-doctrine.yaml"
    supposed = tunepoint("sensitivity", case, "--method", "sobol", "--samples", 64).words
    assert "apart from prices, days and design, are supposed" in supposed
    assert "automatic caches" not in supposed
    words = tunepoint("diagnose", case).words
    assert "no option here is tuned; add one to see" in words
    assert "no option of this scenario is tuned" in words
