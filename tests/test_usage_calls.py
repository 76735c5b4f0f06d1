"""An export that sums up tokens is never taken for calls: their number is asked for, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import is_one_sentence, tunepoint

from pricing.errors import InputError
from simulator.files import read_scenario
from simulator.intake.settings import usage_settings
from simulator.intake.usage import read_usage, summed

HEAD = "usage_date_utc,model_version,usage_type,usage_input_tokens_no_cache,usage_input_tokens_cache_read,"
ANTHROPIC = HEAD + """usage_output_tokens
2026-11-02 09:00,claude-haiku-4-5-20251001,standard,2000000,400000,80000
2026-11-03 15:00,claude-haiku-4-5-20251001,standard,700000,100000,20000
"""
"""2.48 of its 3.3 million tokens on the first of two days; with 4,000 calls, 800 input and 25 output tokens each."""
COUNTED = "time,model,input,output\n2026-11-02 09:00,gpt-4o-mini,100,5\n"


def log_of(folder: Path) -> Path:
    path = folder / "anthropic.csv"
    path.write_text(ANTHROPIC, "utf-8")
    return path


def test_usage_does_not_print_rows_as_calls(tmp_path: Path) -> None:
    path = log_of(tmp_path)
    answer = tunepoint("usage", path)
    assert "how many calls they were is not in the export" in answer.words
    assert "2 calls" not in answer.words
    told = tunepoint("usage", path, "--json").json
    assert (told["rows"], told["calls"], told["calls_per_day"], told["by_day"]) == (2, None, None, None)
    assert "calls" not in told["models"]["claude-haiku-4-5-20251001"]
    assert told["bill"][0]["book_usd"] == pytest.approx(2.7 * 1 + 0.5 * 0.1 + 0.1 * 5)


def test_init_asks_for_the_calls_in_one_sentence(tmp_path: Path) -> None:
    answer = tunepoint("init", "--from", log_of(tmp_path))
    assert (answer.code, answer.out, is_one_sentence(answer.err)) == (2, "", True)
    assert "add --calls NUMBER, those of all its 2 days" in answer.err


def test_init_takes_the_calls_it_is_told(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    answer = tunepoint("init", "--from", log_of(tmp_path), "--calls", "4000", "--out", mine, "--start", "2026-12-01")
    assert answer.code == 0, answer.err
    scenario = read_scenario(mine)
    assert scenario.workload.calls_per_day == 2000
    assert (scenario.workload.tokens.input, scenario.workload.tokens.output) == (800, 25)
    assert scenario.options["today"].price == "anthropic/claude-haiku-4-5"
    said = scenario.assumes["workload.calls_per_day"]
    assert said == "--calls 4,000 over anthropic.csv, 2 days, spread as its tokens"


@pytest.mark.parametrize(("calls", "wrong"), [
    ("0", "--calls: is 0"), ("nan", "--calls: is nan"), ("inf", "--calls: is inf"), ("few", "--calls"),
])
def test_no_number_of_calls_is_told_in_one_sentence(tmp_path: Path, calls: str, wrong: str) -> None:
    answer = tunepoint("init", "--from", log_of(tmp_path), "--calls", calls)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert wrong in answer.err


def test_calls_are_not_said_twice(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(COUNTED, "utf-8")
    columns = [f"--column={name}={name}" for name in ("time", "model", "input", "output")]
    for flags in (["--from", path, *columns], []):
        answer = tunepoint("init", "--calls", "5", *flags)
        assert (answer.code, is_one_sentence(answer.err)) == (2, True)
        assert "--calls: " in answer.err


def test_tokens_spread_the_calls_over_the_days(tmp_path: Path) -> None:
    log = summed(read_usage(log_of(tmp_path)))
    with pytest.raises(InputError, match="give their number"):
        usage_settings(log)
    assert log.hours is not None
    assert (log.hours[9], log.hours[15]) == pytest.approx((24 * 2.48 / 3.3, 24 * 0.82 / 3.3))
    assert list(log.counting(3300).by_day.values()) == pytest.approx([2480, 820])
    assert usage_settings(log.counting(4000))["workload.tokens.input"] == "800"
