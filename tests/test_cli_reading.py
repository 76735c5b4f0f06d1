"""What the program reads, prices, traces, texts, it shows as it stands: every figure, day and source."""

from __future__ import annotations

import io
import re
import sys
from datetime import date
from pathlib import Path

import pytest
from command_line import tunepoint

AZURE = Path(__file__).parent / "data" / "azure_llm_2023"


def test_a_price_on_a_day_has_its_keys_and_its_rates() -> None:
    """OpenAI's caching discount of 1 October 2024: half the input rate."""
    found = tunepoint("prices", "show", "openai/gpt-4o-mini", "--on", "2025-01-01", "--json").json
    keys = {"id", "effective", "recorded", "rates", "rules", "lifecycle", "source", "age_days"}
    assert keys <= set(found)
    assert (found["id"], found["effective"]) == ("openai/gpt-4o-mini", "2024-10-01")
    assert {meter: found["rates"][meter] for meter in ("input", "cached_input", "output")} == {
        "input": 0.15, "cached_input": 0.075, "output": 0.6
    }
    assert found["rules"]["caching"]["min_tokens"] == 1024
    assert found["lifecycle"]["retires_on"] == "2027-01-14"
    assert found["age_days"] == (date.today() - date.fromisoformat(found["source"]["seen_on"])).days
    before = tunepoint("prices", "show", "openai/gpt-4o-mini", "--on", "2024-09-30", "--json").json
    assert (before["effective"], before["rates"]["cached_input"]) == ("2024-07-18", None)


def test_a_price_reads_well_on_a_terminal() -> None:
    said = tunepoint("prices", "show", "openai/gpt-4o-mini", "--on", "2025-01-01").out
    assert re.search(r"standard +\$0\.15 +\$0\.075 +\$0\.60", said)
    assert "retires on 14 Jan 2027" in said
    assert "caching: automatic, prompts from 1,024 tokens in steps of 128" in said


def test_the_list_has_every_price_in_force_on_the_day() -> None:
    rows = tunepoint("prices", "list", "--on", "2025-01-01", "--json").json
    ids = {row["id"] for row in rows}
    assert "openai/gpt-4o-mini" in ids
    assert "openai/gpt-6-luna" not in ids                       # sold since September 2026
    only = tunepoint("prices", "list", "--on", "2025-01-01", "--provider", "openai", "--csv").rows
    assert {row["id"] for row in only} == {name for name in ids if name.startswith("openai/")}


def test_no_line_of_a_piped_table_is_cut() -> None:
    rows = tunepoint("prices", "list", "--on", "2026-11-23", "--json").json
    table = tunepoint("prices", "list", "--on", "2026-11-23").out
    assert all(re.search(rf"^ {re.escape(row['id'])} ", table, re.MULTILINE) for row in rows)


def test_the_history_tells_corrections_from_changes() -> None:
    found = tunepoint("prices", "history", "anthropic/claude-sonnet-5", "--json").json
    kinds = [(one["kind"], one["announced"], one["changed"][0]["after"]) for one in found["versions"]]
    assert kinds[:3] == [("first", False, 2.0), ("change", True, 3.0), ("correction", True, 2.0)]
    words = tunepoint("prices", "history", "anthropic/claude-sonnet-5").out
    assert "correction" in words
    assert "input: 3 -> 2" in words
    rows = tunepoint("prices", "history", "anthropic/claude-sonnet-5", "--csv").rows
    assert {row["kind"] for row in rows} == {one["kind"] for one in found["versions"]}


def test_the_difference_of_two_days_is_what_came_changed_and_retired() -> None:
    found = tunepoint("prices", "diff", "2024-09-30", "2024-10-01", "--json").json
    assert set(found) == {"from", "to", "added", "changed", "retired"}
    mini = next(one for one in found["changed"] if one["id"] == "openai/gpt-4o-mini")
    assert {"path": "cached_input", "before": None, "after": 0.075} in mini["changed"]
    later = tunepoint("prices", "diff", "2026-09-21", "2026-10-23", "--json").json
    assert "openai/gpt-6-luna" in later["added"]
    assert "openai/gpt-4.1-nano" in later["retired"]
    events = {row["event"] for row in tunepoint("prices", "diff", "2026-09-21", "2026-10-23", "--csv").rows}
    assert {"added", "retired"} <= events
    assert "openai/gpt-4.1-nano" in tunepoint("prices", "diff", "2026-09-21", "2026-10-23").out


def test_the_check_names_what_is_old_unverified_announced_or_ending() -> None:
    found = tunepoint("prices", "check", "--on", "2026-11-23", "--json").json
    assert {"stale", "unverified", "announced", "ending"} <= set(found)
    assert all(one["age_days"] > 90 for one in found["stale"])
    assert {"id": "openai/gpt-4o-mini", "what": "retires_on", "on": "2027-01-14", "days": 52,
            "successor": "openai/gpt-6-luna"} in found["ending"]
    assert "google/gemini-3.8-flash@2027-01-01" in [one["version"] for one in found["announced"]]
    all_ages = tunepoint("prices", "check", "--on", "2026-11-23", "--older-than", "0d", "--json").json["stale"]
    assert len(all_ages) >= len(found["stale"])
    words = tunepoint("prices", "check", "--on", "2026-11-23").out
    assert "2027-01-14  openai/gpt-4o-mini retires on this day, then openai/gpt-6-luna" in words


def test_the_trace_of_a_real_service_is_described_and_billed_exactly() -> None:
    file = AZURE / "AzureLLMInferenceTrace_code.csv.gz"
    found = tunepoint("trace", file, "--price", "openai/gpt-4o-mini", "--on", "2024-09-10", "--json").json
    assert {"rows", "span_s", "input_tokens", "output_tokens", "input", "output", "interarrival_cv", "dispersion",
            "cost_usd", "by_line", "price_version"} <= set(found)
    assert (found["rows"], found["input_tokens"], found["output_tokens"]) == (8819, 18_059_974, 245_896)
    assert found["cost_usd"] == pytest.approx(2.8565337, rel=1e-9)
    assert found["price_version"] == "openai/gpt-4o-mini@2024-07-18"
    assert set(found["input"]) == {"mean", "p50", "p95", "p99", "max"}
    assert set(found["dispersion"]) == {"1s", "10s", "60s", "300s"}
    words = tunepoint("trace", file, "--price", "openai/gpt-4o-mini", "--on", "2024-09-10").out
    assert "18,059,974 tokens in, 245,896 out" in " ".join(words.split())
    assert "$2.86 at openai/gpt-4o-mini@2024-07-18" in words


def test_a_trace_without_a_price_is_described_and_not_billed(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-01 00:00:00,10,1\n2026-01-01 00:00:05,30,3\n")
    found = tunepoint("trace", file, "--json").json
    assert (found["rows"], found["span_s"], found["input"]["mean"], "cost_usd" in found) == (2, 5.0, 20.0, False)
    assert found["interarrival_cv"] is None
    row, = tunepoint("trace", file, "--csv").rows
    assert (row["input.mean"], row["dispersion.300s"]) == ("20.0", "")


def test_large_figures_of_a_log_and_of_replicas_are_written_out(tmp_path: Path) -> None:
    """20,000 calls in one second of ten, and machines that write hundreds of thousands of tokens a second."""
    file = tmp_path / "log.csv"
    busy = "2026-01-01 00:00:00,10,1\n" * 20_000
    file.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{busy}2026-01-01 00:00:10,30,3\n")
    served = ("--input", "10", "--output", "100", "--concurrency", "4000", "--requests", "4000", "--replicas", "16")
    for asked in (("trace", file), ("gpu", "run", "vllm/h100-sxm/llama-3.1-8b/bf16", *served)):
        words = tunepoint(*asked).words
        assert re.search(r"\d{2},\d{3}", words)
        assert not re.search(r"\de[+]\d", words)


def test_tokens_are_counted_from_a_file_or_a_pipe_and_for_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hello world` is two tokens in o200k_base (OpenAI's tokenizer page)."""
    file = tmp_path / "prompt.md"
    file.write_text("hello world", "utf-8")
    plain = {"tokens": 2, "exact": True, "encoding": "o200k_base", "model": None, "note": ""}
    assert tunepoint("tokens", file, "--json").json == plain
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello world")))
    assert tunepoint("tokens", "-", "--json").json == plain
    mini = tunepoint("tokens", file, "--model", "openai/gpt-4o-mini", "--json").json
    assert mini == {**plain, "model": "openai/gpt-4o-mini"}
    guessed = tunepoint("tokens", file, "--model", "anthropic/claude-haiku-4-5", "--json").json
    assert (guessed["exact"], bool(guessed["note"])) == (False, True)
    assert tunepoint("tokens", file).out == "2 tokens (o200k_base, exact)\n"


def test_the_schema_describes_a_scenario() -> None:
    assert "workload" in tunepoint("schema").json["properties"]
    assert tunepoint("schema", "--json").json == tunepoint("schema").json
