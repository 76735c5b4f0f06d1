"""Calls sold in batches, and cache writes that live for an hour, are billed at the rates they were sold at."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from command_line import tunepoint

from pricing.load import shipped_book
from simulator.intake.usage import Usage, read_usage, summed
from simulator.studies.usage_bill import ModelBill, checked_bill

ANTHROPIC = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count\n"
)
HAIKU = "claude-haiku-4-5-20251001"
"""USD per million: input 1, read 0.1, write 1.25 or (1 h) 2, output 5; half of each in batches."""


def bucket(**told: object) -> dict[str, object]:
    return {"model": "gpt-4o-mini", "input_tokens": 3_000_000, "output_tokens": 1_000_000, "num_model_requests": 10,
            **told}


def log_of(folder: Path, text: str) -> Usage:
    path = folder / ("log.json" if text.startswith("{") else "log.csv")
    path.write_text(text, "utf-8")
    return summed(read_usage(path))


def openai(*results: dict[str, object]) -> str:
    return json.dumps({"start_time": 1793610000, "results": results})


def bills(usage: Usage) -> dict[str, ModelBill]:
    found = checked_bill(usage.sold, shipped_book().prices, date(2026, 11, 3), paid=False)
    return {one.service: one for one in found}


@pytest.mark.parametrize("mark", [{"batch": True}, {"batch": "true"}, {"batch": None, "service_tier": "batch"}])
def test_a_batch_of_openai_is_billed_at_half(tmp_path: Path, mark: dict[str, object]) -> None:
    found = bills(log_of(tmp_path, openai(bucket(batch=False, service_tier="default"), bucket(**mark))))
    assert found["standard"].book_usd == pytest.approx(3 * 0.15 + 0.60)
    assert found["batch"].book_usd == pytest.approx(3 * 0.075 + 0.30)
    assert "batch rates" in found["batch"].note


def test_a_mark_of_priority_is_billed_at_its_own_rates(tmp_path: Path) -> None:
    found = bills(log_of(tmp_path, openai(bucket(service_tier="priority"))))
    assert found["priority"].book_usd == pytest.approx(3 * 0.25 + 1.0)


def test_a_batch_that_is_not_sold_is_told(tmp_path: Path) -> None:
    unsold = next(
        name for name, table in sorted(shipped_book().prices.items())
        if table.versions[-1].effective <= date(2026, 11, 3) and table.versions[-1].usd_per_mtok.batch is None
        and table.versions[-1].usd_per_mtok.input
    )
    one = bills(log_of(tmp_path, openai(bucket(model=unsold, batch=True))))["batch"]
    assert one.book_usd is None
    assert "has no batch input rate" in one.note


def test_anthropics_batches_and_writes_of_an_hour_have_their_own_rates(tmp_path: Path) -> None:
    """A million of each: 1 + 1.25 + 2 + 0.1 + 5 dollars, and half of that in batches."""
    row = f"2026-11-02 09:00,{HAIKU},key,Default,KIND,200k,1000000,1000000,1000000,1000000,1000000,0\n"
    log = ANTHROPIC + row.replace("KIND", "standard") + row.replace("KIND", "batch")
    found = bills(log_of(tmp_path, log))
    assert found["standard"].book_usd == pytest.approx(9.35)
    assert found["batch"].book_usd == pytest.approx(4.675)


def test_a_column_of_ones_own_marks_batches(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("at,in,out,who,how sold\n2026-11-02,1000000,1000000,gpt-4o-mini,Batch\n", "utf-8")
    columns = {"time": "at", "input": "in", "output": "out", "model": "who", "service": "how sold"}
    assert bills(summed(read_usage(path, columns)))["batch"].book_usd == pytest.approx(0.075 + 0.30)


def test_the_command_line_bills_batches_apart(tmp_path: Path) -> None:
    log_of(tmp_path, openai(bucket(), bucket(batch=True, num_model_requests=4)))
    answer = tunepoint("usage", tmp_path / "log.json", "--json")
    assert [one["service"] for one in answer.json["bill"]] == ["standard", "batch"]
    assert [one["book_usd"] for one in answer.json["bill"]] == pytest.approx([1.05, 0.525])
    assert "batch rates" in tunepoint("usage", tmp_path / "log.json").words
