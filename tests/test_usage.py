"""Logs of every known source come to the same demand and the same bill, and become a scenario that can be asked."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from batches import ROOT
from command_line import is_one_sentence, tunepoint

from pricing.errors import InputError
from pricing.load import shipped_book
from simulator.files import read_scenario
from simulator.intake.sent import parse_usage
from simulator.intake.usage import Usage, read_usage, summed
from simulator.studies.usage_bill import checked_bill, price_of

STAMPS = ("2026-11-02T09:00:00+00:00", "2026-11-02T10:30:00+00:00", "2026-11-03T10:00:00+00:00")
UNIX = (1793610000, 1793615400, 1793700000)
"""The same moments in seconds since 1970."""
MODEL = "gpt-4o-mini-2024-07-18"
HEAD = "model,stamp,in,out,hit\n"
OTEL = {"gen_ai.request.model": MODEL, "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 400}


def otel(nanoseconds: int) -> dict[str, Any]:
    attributes = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in OTEL.items()
    ]
    return {"startTimeUnixNano": str(nanoseconds), "attributes": attributes}


def jsonl(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


LOGS = {
    "openai.json": json.dumps({"object": "page", "data": [
        {"object": "bucket", "start_time": at, "results": [{
            "model": MODEL, "input_tokens": 1000, "input_cached_tokens": 400, "output_tokens": 50,
            "num_model_requests": 1}]} for at in UNIX]}, indent=1),
    "openai.csv": "start_time,model,num_model_requests,input_tokens,input_cached_tokens,output_tokens\n"
                  + "".join(f"{at},{MODEL},1,1000,400,50\n" for at in UNIX),
    "anthropic.csv": "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_read,"
                     "usage_output_tokens\n" + "".join(f"{at},{MODEL},600,400,50\n" for at in STAMPS),
    "litellm.jsonl": jsonl(*({
        "startTime": at, "model": f"openai/{MODEL}", "prompt_tokens": 1000, "completion_tokens": 50, "spend": 0.001,
        "status": "success", "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 400}}},
    } for at in STAMPS)),
    "langfuse.json": json.dumps([{
        "startTime": at, "model": MODEL, "usageDetails": {"input": 600, "input_cached_tokens": 400, "output": 50},
        "level": "DEFAULT"} for at in STAMPS]),
    "otel.jsonl": jsonl({"resourceSpans": [{"scopeSpans": [{"spans": [otel(at * 10**9) for at in UNIX[:2]]}]}]},
                        {"startTimeUnixNano": UNIX[2] * 10**9, "attributes": OTEL}),
    "own.csv": "﻿" + (HEAD + "".join(f"{MODEL},{at},1000,50,400\n" for at in STAMPS)).replace("\n", "\r\n"),
}
COLUMNS = {"time": "stamp", "model": "model", "input": "in", "output": "out", "cached": "hit"}


def read(folder: Path, name: str, text: str | None = None) -> Usage:
    path = folder / name
    path.write_text(LOGS[name] if text is None else text, "utf-8")
    return summed(read_usage(path, COLUMNS if name.startswith("own") else None))


@pytest.mark.parametrize("name", LOGS)
def test_every_source_gives_the_same_demand(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name)
    assert (found.calls, found.days, found.failed) == (None if name == "anthropic.csv" else 3, 2, 0)
    assert [found.total(meter) for meter in ("input", "cached", "output")] == [1800, 1200, 150]
    assert list(found.counting(3).by_day.values()) == [2, 1]
    assert found.hours is not None
    assert (found.hours[9], found.hours[10], sum(found.hours)) == (8, 16, 24)


@pytest.mark.parametrize("name", LOGS)
def test_every_source_gives_the_same_bill(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name)
    [bill] = checked_bill(found.sold, shipped_book().prices, date(2026, 11, 3), paid=found.usd is not None)
    assert bill.price == "openai/gpt-4o-mini"
    assert bill.book_usd == pytest.approx((1800 * 0.15 + 1200 * 0.075 + 150 * 0.60) / 1e6)
    assert bill.paid_usd == (pytest.approx(0.003) if name == "litellm.jsonl" else None)


def test_a_failed_call_is_counted(tmp_path: Path) -> None:
    assert read(tmp_path, "litellm.jsonl", LOGS["litellm.jsonl"].replace("success", "failure", 1)).failed == 1


LANGFUSE = "startTime,type,model,level,input,usageDetails\n"
CELL = '"{""input"":600,""input_cached_tokens"":400,""output"":50}"'


@pytest.mark.parametrize(("name", "text", "calls", "meters"), [
    ("langfuse.csv", f'{LANGFUSE}{STAMPS[0]},GENERATION,{MODEL},WARNING,"two\nlines",{CELL}\n', 1, (600, 400, 0, 50)),
    ("anthropic.csv", "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
     "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
     "2026-11-02,claude-haiku-4-5,600,20,30,400,50\n", None, (600, 400, 50, 50)),
    ("langfuse.json", json.dumps([
        {"startTime": STAMPS[0], "type": "SPAN", "model": None, "level": "DEFAULT", "usageDetails": {}},
        {"startTime": STAMPS[0], "model": "claude-haiku-4-5", "level": "DEFAULT", "usageDetails": {
            "input": 600, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 30, "output": 50}},
    ]), 1, (600, 400, 30, 50)),
    ("otel.jsonl", jsonl({"startTimeUnixNano": UNIX[0] * 10**9, "attributes": {"http.method": "POST"}},
                         otel(UNIX[1] * 10**9)), 1, (600, 400, 0, 50)),
    ("openai.csv", LOGS["openai.csv"].replace("\n", "\n1793600000,,,,,\n", 1), 3, (1800, 1200, 0, 150)),
    ("litellm.jsonl", jsonl({"startTime": STAMPS[0], "model": MODEL, "prompt_tokens": 1000, "completion_tokens": 50,
     "metadata": '{"usage_object": {"prompt_tokens_details": {"cached_tokens": 400}}}'}), 1, (600, 400, 0, 50)),
    ("own.csv", f'{HEAD}{MODEL},20261102,"1,000",50,400\n', 1, (600, 400, 0, 50)),
])
def test_logs_as_they_are_really_exported(
    tmp_path: Path, name: str, text: str, calls: float | None, meters: tuple[float, ...]
) -> None:
    found = read(tmp_path, name, text)
    assert (found.calls, found.failed) == (calls, 0)
    assert tuple(found.total(meter) for meter in ("input", "cached", "cache_write", "output")) == meters
    assert min(found.by_day).year == 2026


def test_a_decimal_comma_is_not_taken_for_thousands(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'0,35'"):
        read(tmp_path, "own.csv", f'{HEAD}{MODEL},2026-11-02,"0,35",50,0\n')


def test_a_log_of_days_has_no_profile_of_hours(tmp_path: Path) -> None:
    days = "".join(f"{MODEL},2026-11-{day:02d},1000,50,0\n" for day in range(2, 16))
    found = read(tmp_path, "own.csv", HEAD + days)
    assert found.hours is None
    assert found.weekdays == pytest.approx([1.0] * 7)


@pytest.mark.parametrize(("model", "price"), [
    ("ft:gpt-4o-mini-2024-07-18:acme::x1", "openai/gpt-4o-mini-ft"), ("openai/gpt-4o", "openai/gpt-4o"),
    ("nobody", None),
])
def test_models_are_found_by_the_name_a_log_gives_them(model: str, price: str | None) -> None:
    assert price_of(model, shipped_book().prices) == price


ROW = f"{MODEL},2026-11-02 09:00:00,"
BAD = {
    "": "the file is empty",
    HEAD + ROW + "1000,50\n": "line 2: 4 fields instead of 5; was the file cut off?",
    HEAD + ROW + "-5,50,0\n": "input is '-5'",
    HEAD + ROW + "nan,50,0\n": "input is 'nan'",
    HEAD + ROW + "10,50,40\n": "40 cached tokens are more than the 10",
    HEAD + f"{MODEL},yesterday,1,1,0\n": "time is 'yesterday'",
    HEAD.replace("hit", "hits") + ROW + "1,1,0\n": "no column 'hit'; did you mean \"hits\"?",
    HEAD.replace("\n", ",currency\n") + ROW + "1,1,0,EUR\n": "currency is EUR",
    HEAD.replace("\n", ",Currency\n") + ROW + "1,1,0,GBP\n": "currency is GBP",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_log_is_told_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text, "utf-8")
    columns = COLUMNS | ({"currency": "currency"} if "currency" in text else {})
    flags = [part for name, column in columns.items() for part in ("--column", f"{name}={column}")]
    answer = tunepoint("usage", tmp_path / "log.csv", *flags)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert BAD[text] in answer.err


def test_a_torn_last_line_is_told_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: not JSON .*was the file cut off\?"):
        read(tmp_path, "litellm.jsonl", LOGS["litellm.jsonl"][:-40])


@pytest.mark.parametrize("flags", [("--column", "time"), ("--column", "tim=a"), ("--column", "time=a"), ()])
def test_a_log_that_cannot_be_mapped_is_told_in_one_sentence(tmp_path: Path, flags: tuple[str, ...]) -> None:
    (tmp_path / "log.csv").write_text(LOGS["own.csv"], "utf-8")
    answer = tunepoint("usage", tmp_path / "log.csv", *flags)
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "--column" in answer.err


def test_init_makes_a_scenario_of_ones_own_data(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(LOGS["litellm.jsonl"], "utf-8")
    data = ROOT / "tests" / "data"
    answer = tunepoint(
        "init", "--from", tmp_path / "log.jsonl", "--prompt", data / "system_prompts" / "citations_agent.md",
        "--dataset", data / "openai_cookbook" / "drone_training.jsonl", "--out", tmp_path / "mine.yaml",
        "--start", "2026-12-01",
    )
    assert answer.code == 0, answer.err
    scenario = read_scenario(tmp_path / "mine.yaml")
    prefix = scenario.options["today"].prefix_tokens
    assert scenario.options["today"].price == "openai/gpt-4o-mini"
    assert scenario.workload.calls_per_day == 1.5
    assert scenario.workload.tokens.input + prefix == pytest.approx(1000)
    assert scenario.assumes["workload.calls_per_day"] == "log.jsonl, 2 days"
    assert tunepoint("compare", tmp_path / "mine.yaml").code == 0
    again = tunepoint("init", "--out", tmp_path / "mine.yaml")
    assert (again.code, "is there already" in again.err) == (2, True)


def test_init_from_nothing_says_what_it_guessed(tmp_path: Path) -> None:
    answer = tunepoint("init", "--out", tmp_path / "mine.yaml", "--start", "2026-12-01")
    assert answer.code == 0, answer.err
    assert "workload.calls_per_day: a guess of init" in answer.words
    assert tunepoint("compare", tmp_path / "mine.yaml").code == 0


def test_the_share_of_prompts_that_were_cached_is_the_logs(tmp_path: Path) -> None:
    """Four calls repeat a prompt of 5 tokens, and 15 of those 20 tokens were read from a cache."""
    (tmp_path / "prompt.md").write_text("Be brief and kind.\n", "utf-8")
    cached = enumerate((5, 5, 5, 0), start=1)
    rows = "".join(f"2026-11-0{day} 10:00:00,gpt-4o-mini,200,50,{tokens}\n" for day, tokens in cached)
    (tmp_path / "log.csv").write_text("time,model,input,output,cached\n" + rows, "utf-8")
    columns = [f"--column={name}={name}" for name in ("time", "model", "input", "output", "cached")]
    files = ("--from", tmp_path / "log.csv", "--prompt", tmp_path / "prompt.md", "--out", tmp_path / "mine.yaml")
    answer = tunepoint("init", *files, *columns)
    assert answer.code == 0, answer.err
    today = read_scenario(tmp_path / "mine.yaml").options["today"]
    assert (today.prefix_tokens, today.price) == (5, "openai/gpt-4o-mini")
    assert today.cache_hit_rate == pytest.approx(0.75)


def test_the_failures_of_a_log_are_those_of_every_option(tmp_path: Path) -> None:
    """One of three calls failed; a log says nothing of the models it did not call, so all are given its rate."""
    (tmp_path / "log.jsonl").write_text(LOGS["litellm.jsonl"].replace("success", "failure", 1), "utf-8")
    answer = tunepoint("init", "--from", tmp_path / "log.jsonl", "--out", tmp_path / "mine.yaml")
    assert answer.code == 0, answer.err
    scenario = read_scenario(tmp_path / "mine.yaml")
    for name in ("today", "cheaper", "tuned"):
        assert scenario.options[name].retries.failure_rate == pytest.approx(1 / 3, abs=1e-4)
        assert "1 of 3 calls failed in log.jsonl" in scenario.assumes[f"options.{name}.retries.failure_rate"]
    assert "that of today: 1 of 3 calls failed" in answer.words


@pytest.mark.parametrize("text", ["[" * 100_000, '{"model": "x"}\n' + "[" * 100_000])
def test_a_log_that_is_nested_beyond_reason_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"own\.json: line [12]: (not JSON \(nested too deeply\)|no known log)"):
        parse_usage(text.encode(), "own.json")


def test_a_cell_that_is_nested_beyond_reason_counts_as_the_words_it_is() -> None:
    found = [parse_usage(f"{LANGFUSE}{STAMPS[0]},GENERATION,{MODEL},DEFAULT,x,{cell}\n".encode(), "langfuse.csv")
             for cell in ("words", '"{""input"":' + "[" * 100_000 + '"')]
    assert found[0].models == found[1].models


def test_a_server_without_room_for_files_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"^own\.json: cannot be laid in .*gone \(No such file or directory\)$"):
        parse_usage(b"{}", "own.json")
