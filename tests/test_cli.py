"""The command line answers under stable keys, with figures that come out by hand, and ends with the right code."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import QUESTION, is_one_sentence, tunepoint

from simulator import default_scenario_path

DEAR_USD, CHEAP_USD = 135.0, 107.5
"""30 days x 1,000 calls x (1,000 x 3 + 100 x 15) / 10^6; half of that and 40."""
CROSSING = 40 / (30 * 0.00225)
"""Calls a day at which 30 days of saving 0.00225 a call are worth 40."""
PAYBACK_DAYS = 40 / 2.25


@pytest.fixture
def question(tmp_path: Path) -> Path:
    """A file with the question of the hand."""
    path = tmp_path / "question.yaml"
    path.write_text(QUESTION, "utf-8")
    return path


def test_compare_puts_the_verdict_first_and_the_figures_come_out_by_hand(question: Path) -> None:
    said = tunepoint("compare", question, "--bare")
    assert (said.code, said.err) == (0, "")
    lines = [line for line in said.out.splitlines() if line]
    assert lines[0] == "question: Does half the price pay for a set-up of 40 dollars?"
    assert lines[1].startswith("Choose cheap")
    assert re.search(r"\* +cheap +\$108 .* \$40 +18 days", said.out)
    assert re.search(r" dear +\$135 .* \$0 +baseline", said.out)


COMPARE_KEYS = {
    "": "schema_version currency scenario baseline engine fidelity runs seed start horizon_days options break_even"
    " verdict bridge alternatives assumptions prices_used provenance",
    "scenario": "name question digest",
    "options.cheap": "kind feasible why_not serves_until calls peak_per_s total_usd total_until npv_usd monthly_usd"
    " fixed_usd_per_month unit_usd per_call_usd per_success_usd one_off_usd recurring_usd by_month by_line lines"
    " tokens cache_hit_rate utilisation busy_share overload_share replica_hours latency meets_slo interval_usd"
    " cheapest_share approximate",
    "options.cheap.lines.0": "line quantity unit usd_per_unit usd price_version",
    "break_even.0": "between along unit answer cheaper crossings reason payback",
    "break_even.0.crossings.0": "at kind basis below above flags",
    "break_even.0.payback": "days date reason flags discounted_days discounted_date",
    "verdict": "choice runner_up saving_usd confidence too_close money with_quality quality_gap_to_flip"
    " max_saving_usd_per_month because caveats flips",
    "assumptions.0": "path value source set_by_user",
    "prices_used.0": "id effective recorded confidence",
    "provenance": "version prices_digest stale",
}


@pytest.mark.parametrize("place", COMPARE_KEYS)
def test_the_answer_of_compare_has_every_key_it_promises(place: str, question: Path) -> None:
    node = tunepoint("compare", question, "--json").json
    for key in place.split(".") if place else ():
        node = node[int(key)] if isinstance(node, list) else node[key]
    assert set(COMPARE_KEYS[place].split()) <= set(node)


def test_the_answer_of_compare_holds_the_figures_of_the_hand(question: Path) -> None:
    answer = tunepoint("compare", question, "--bare", "--json").json
    assert answer["options"]["dear"]["total_usd"] == pytest.approx(DEAR_USD, rel=1e-9)
    assert answer["options"]["cheap"]["total_usd"] == pytest.approx(CHEAP_USD, rel=1e-9)
    assert answer["options"]["cheap"]["unit_usd"] == pytest.approx(0.00225, rel=1e-6)
    assert answer["verdict"]["choice"] == "cheap"
    assert answer["verdict"]["saving_usd"] == pytest.approx(DEAR_USD - CHEAP_USD, rel=1e-9)
    assert (answer["start"], answer["horizon_days"]) == ("2026-12-01", 30)
    assert (answer["engine"], answer["fidelity"], answer["runs"], answer["seed"]) == ("expected", None, 1, 0)


def test_a_flag_beats_the_file_and_the_last_flag_wins(question: Path) -> None:
    calls = "workload.calls_per_day"
    answer = tunepoint("compare", question, "--bare", "--json", "--set", f"{calls}=5", "--set", f"{calls}=2e3").json
    assert answer["options"]["dear"]["total_usd"] == pytest.approx(2 * DEAR_USD, rel=1e-9)


def test_bare_leaves_out_what_nobody_wrote(question: Path) -> None:
    """Upkeep is a default cost; without --bare it is there."""
    with_upkeep = tunepoint("compare", question, "--json").json["options"]["dear"]
    bare = tunepoint("compare", question, "--json", "--bare").json["options"]["dear"]
    assert with_upkeep["total_usd"] - bare["total_usd"] == pytest.approx(with_upkeep["by_line"]["ops"], rel=1e-9)
    assert bare["total_usd"] == pytest.approx(sum(bare["by_line"].values()), rel=1e-12)


def test_without_a_scenario_the_shipped_one_answers() -> None:
    bare, named = (tunepoint("compare", *path, "--json").json for path in ((), (default_scenario_path(),)))
    assert bare == named
    assert bare["scenario"]["name"] == "support-triage"


def test_the_csv_of_compare_has_a_line_for_each_option(question: Path) -> None:
    rows = tunepoint("compare", question, "--bare", "--csv").rows
    assert [row["option"] for row in rows] == ["dear", "cheap"]
    assert float(rows[0]["total_usd"]) == pytest.approx(DEAR_USD, rel=1e-9)


def test_a_results_folder_holds_what_was_said_and_a_digest_of_every_file(question: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "first"
    said = tunepoint("compare", question, "--bare", "--out", folder)
    assert said.words.endswith("report.html, charts/, manifest.json.")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    listed = json.loads(found.pop("manifest.json"))["files"]
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    assert {"result.json", "ledger.csv", "ledger.parquet", "report.html", "charts/cumulative-cost.json"} <= set(found)
    assert json.loads(found["result.json"]) == tunepoint("compare", question, "--bare", "--json").json
    ledger = list(csv.DictReader(io.StringIO(found["ledger.csv"].decode())))
    dear = sum(float(row["usd"]) for row in ledger if row["option"] == "dear")
    assert dear == pytest.approx(DEAR_USD, rel=1e-9)


def test_an_answer_that_cannot_be_written_is_still_told(question: Path) -> None:
    said = tunepoint("compare", question, "--bare", "--json", "--out", question)
    assert said.code == 2
    assert said.json["verdict"]["choice"] == "cheap"
    assert is_one_sentence(said.err)
    assert str(question) in said.err


def test_without_out_nothing_is_written(question: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tunepoint("compare", question).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [question.name]


def test_an_option_that_ends_too_early_is_shown_as_ruled_out(question: Path) -> None:
    """gpt-4o-mini retires on 2027-01-14, within two months of the start."""
    flags = ("--set", "options.dying={kind: hosted_prompt, price: openai/gpt-4o-mini}", "--set", "horizon_days=90")
    said = tunepoint("compare", question, *flags)
    assert said.code == 0
    assert re.search(r" dying +\(\$[0-9.]+k?\) ", said.out)
    assert "dying is no choice: it stops serving on 2027-01-14" in said.words
    option = tunepoint("compare", question, *flags, "--json").json["options"]["dying"]
    assert (option["feasible"], option["total_usd"], option["serves_until"]) == (False, None, "2027-01-14")
    assert option["total_until"] > 0


def test_where_nothing_can_be_bought_the_program_ends_with_3(question: Path) -> None:
    said = tunepoint("compare", question, "--set", "options={dear: {kind: hosted_prompt, price: openai/gpt-4o-mini}}",
                     "--set", "horizon_days=90")
    assert (said.code, said.out) == (3, "")
    assert is_one_sentence(said.err)
    assert "2027-01-14" in said.err


def test_break_even_finds_the_volume_and_the_day_of_the_hand(question: Path) -> None:
    found = tunepoint("break-even", question, "--bare", "--json").json
    assert [one["between"] for one in found] == [["dear", "cheap"]]
    assert (found[0]["along"], found[0]["unit"], found[0]["answer"]) == ("workload.calls_per_day", "1/day", "crosses")
    horizon = [one for one in found[0]["crossings"] if one["basis"] == "horizon"]
    assert [(one["below"], one["above"], one["kind"]) for one in horizon] == [("dear", "cheap", "root")]
    assert horizon[0]["at"] == pytest.approx(CROSSING, rel=1e-6)
    assert found[0]["payback"]["days"] == pytest.approx(PAYBACK_DAYS, rel=1e-9)
    assert found[0]["payback"]["date"] == "2026-12-19"          # within the 18th day


def test_break_even_says_the_same_in_words_and_as_csv(question: Path) -> None:
    words = tunepoint("break-even", question, "--bare", "--between", "dear", "cheap").words
    assert "dear is cheaper below 593 calls a day, cheap above (with one-offs)" in words
    assert "level after 17.8 days, on 19 Dec 2026" in words
    rows = tunepoint("break-even", question, "--bare", "--csv").rows
    assert [(row["basis"], float(row["at"])) for row in rows] == [("horizon", pytest.approx(CROSSING, rel=1e-6))]


def test_break_even_along_another_dial_within_given_ends(question: Path) -> None:
    """30 days x 1,000 calls: half of 4.5 per mille a token saved; 40 is earned back where calls are long enough."""
    along = ("--along", "workload.tokens.input", "--from", "0", "--to", "1e4")
    found = tunepoint("break-even", question, "--bare", "--json", *along).json[0]
    at = [one["at"] for one in found["crossings"] if one["basis"] == "horizon"]
    assert at == [pytest.approx((40 / 30_000 - 100 * 7.5e-6) / 1.5e-6, rel=1e-6)]
    never = tunepoint("break-even", question, "--bare", *along[:5], "100").out
    assert "never: " in never


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("total_usd > 100", True),
        ("total_usd>108", False),
        ("total_usd >= 107.5", True),
        ("by_line.output < 22.6", True),
        ("options.dear.total_usd == 135", True),
        ("verdict.saving_usd <= 27", False),
        ("break_even.0.payback.days < 18", True),
        ("options.dear.lines.0.usd != 0", True),
        ("horizon_days > 1e3", False),
    ],
)
def test_a_condition_that_holds_ends_with_1_and_still_answers(
    condition: str, holds: bool, question: Path
) -> None:
    said = tunepoint("compare", question, "--bare", "--json", "--fail-if", condition)
    assert said.code == (1 if holds else 0)
    assert said.json["verdict"]["choice"] == "cheap"
    assert is_one_sentence(said.err) if holds else said.err == ""


def test_a_condition_tells_what_it_found(question: Path) -> None:
    said = tunepoint("compare", question, "--bare", "--fail-if", "total_usd > 100", "--fail-if", "one_off_usd > 50")
    assert said.err == "--fail-if total_usd > 100 holds: options.cheap.total_usd is 107.5\n"


def leaves(node: Any) -> Iterator[Any]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    yield from ([node] if not isinstance(node, (dict, list)) else (leaf for one in inner for leaf in leaves(one)))


def test_no_number_of_any_answer_is_infinite(question: Path) -> None:
    for typed in (("compare", question), ("break-even", question), ("prices", "check"), ("prices", "list")):
        numbers = [leaf for leaf in leaves(tunepoint(*typed, "--json").json) if isinstance(leaf, float)]
        assert all(map(math.isfinite, numbers))
