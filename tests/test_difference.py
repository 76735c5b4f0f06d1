"""Two scenarios are told apart by what moved the answer: a price, a dial, an option, the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import QUESTION, is_one_sentence, tunepoint

from simulator.domain.fingerprint import differences


def two(folder: Path, old: str, new: str) -> tuple[Path, Path]:
    before, after = folder / "before.yaml", folder / "after.yaml"
    before.write_text(QUESTION, "utf-8")
    after.write_text(QUESTION.replace(old, new), "utf-8")
    return before, after


CASES = {
    "dial": ("calls_per_day: 1000,", "calls_per_day: 100,", "workload.calls_per_day", 1000, 100),
    "option": ("price: mine/small", "price: mine/big", "cheap", "mine/small", "mine/big"),
    "other": ("start: 2026-12-01", "start: 2026-12-02", "start", "2026-12-01", "2026-12-02"),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_changed_is_named_with_both_values(tmp_path: Path, kind: str) -> None:
    old, new, *wanted = CASES[kind]
    changes = tunepoint("compare", *two(tmp_path, old, new), "--diff", "--json").json["difference"]["changes"]
    assert wanted in [[one["path"], one["before"], one["after"]] for one in changes if one["kind"] == kind]


def test_a_price_that_moved_the_verdict_stops_a_pipeline(tmp_path: Path) -> None:
    files = two(tmp_path, "output: 7.5", "output: 70.5")
    answer = tunepoint("compare", *files, "--diff", "--fail-if", "verdict changed")
    assert answer.code == 1
    assert "The verdict changed from before to after: cheap -> dear." in answer.words
    assert "price mine/small: other figures behind" in answer.words
    assert "verdict_changed is 1" in answer.err


def test_the_same_scenario_twice_has_no_difference(tmp_path: Path) -> None:
    before, _ = two(tmp_path, "", "")
    answer = tunepoint("compare", before, before, "--diff", "--fail-if", "verdict changed")
    assert answer.code == 0
    assert "Nothing that can move a number changed" in answer.words


def test_the_totals_of_both_stand_side_by_side(tmp_path: Path) -> None:
    files = two(tmp_path, "calls_per_day: 1000,", "calls_per_day: 2000,")
    answer = tunepoint("compare", *files, "--diff", "--bare", "--json").json
    assert answer["difference"]["total_usd"]["dear"] == pytest.approx([30 * 1000 * 0.0045, 30 * 2000 * 0.0045])
    assert answer["options"]["dear"]["total_usd"] == pytest.approx(270)


def test_another_program_is_a_reason() -> None:
    assert [str(one) for one in differences({"code": "1"}, {"code": "2"})] == ["code tunepoint: 1 -> 2"]


def test_diff_is_asked_of_two_scenarios(tmp_path: Path) -> None:
    before, after = two(tmp_path, "", "")
    for arguments in ((before, "--diff"), (before, after)):
        answer = tunepoint("compare", *arguments)
        assert (answer.code, is_one_sentence(answer.err)) == (2, True)
        assert "--diff" in answer.err
