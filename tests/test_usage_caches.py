"""Tokens written to or read from a cache are neither taken for plain input nor counted twice."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pricing.errors import InputError
from pricing.load import shipped_book
from simulator.intake.usage import Usage, read_usage, summed
from simulator.studies.usage_bill import checked_bill

MODEL = "claude-haiku-4-5"
SPAN: dict[str, Any] = {"startTimeUnixNano": 1793610000 * 10**9, "attributes": {
    "gen_ai.request.model": MODEL, "gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 100_000,
    "gen_ai.usage.cache_read.input_tokens": 500_000, "gen_ai.usage.cache_creation.input_tokens": 200_000}}
NESTED = SPAN | {"attributes": [
    {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
    for key, value in SPAN["attributes"].items()]}
UNDERSCORED = SPAN | {"attributes": {
    key.replace(".", "_").replace("usage_input", "usage_prompt"): value for key, value in SPAN["attributes"].items()}}
PRINTED = {"start_time": "2026-11-02T09:00:00.000000Z", "attributes": SPAN["attributes"]}
"""As a span is printed by OpenTelemetry's own exporter for Python."""


def litellm(sent: int, **used: Any) -> dict[str, Any]:
    return {"startTime": "2026-11-02T09:00:00Z", "model": f"anthropic/{MODEL}", "prompt_tokens": sent,
            "completion_tokens": 100_000, "metadata": {"usage_object": used}}


LITELLM = [
    litellm(1_000_000, cache_read_input_tokens=500_000, cache_creation_input_tokens=200_000),
    litellm(1_000_000, prompt_tokens_details={"cached_tokens": 500_000, "cache_creation_tokens": 200_000}),
    litellm(300_000, cache_read_input_tokens=500_000, cache_creation_input_tokens=200_000),
]
"""Today's log in both of its spellings, and one whose input is what neither came from a cache nor went to one."""
OPENAI = {"start_time": 1793610000, "model": MODEL, "num_model_requests": 1, "input_tokens": 1_000_000,
          "output_tokens": 100_000, "input_cached_tokens": 500_000, "input_cache_write_tokens": 200_000}
OWN = f"at,who,sent,got,hit,put\n2026-11-02,{MODEL},1000000,100000,500000,200000\n"
COLUMNS = {"time": "at", "model": "who", "input": "sent", "output": "got", "cached": "hit", "cache_write": "put"}


def usage_of(folder: Path, text: str) -> Usage:
    path = folder / "log"
    path.write_text(text, "utf-8")
    return summed(read_usage(path, None if text.startswith("{") else COLUMNS))


@pytest.mark.parametrize("text", [
    OWN, *map(json.dumps, (SPAN, NESTED, UNDERSCORED, PRINTED, OPENAI, *LITELLM))])
def test_a_million_sent_is_three_parts_of_a_million(tmp_path: Path, text: str) -> None:
    """300,000 at 1, 500,000 at 0.1, 200,000 at 1.25 and 100,000 at 5 dollars a million."""
    found = usage_of(tmp_path, text)
    assert [found.total(meter) for meter in ("input", "cached", "cache_write")] == [300_000, 500_000, 200_000]
    [bill] = checked_bill(found.sold, shipped_book().prices, date(2026, 11, 3), paid=False)
    assert bill.book_usd == pytest.approx(0.3 + 0.05 + 0.25 + 0.5)


def test_more_in_a_cache_than_was_sent_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="500,000 cached tokens and 600,000 written to a cache are more than"):
        usage_of(tmp_path, OWN.replace(",200000", ",600000"))


def test_an_old_litellm_put_what_was_written_beside_the_input(tmp_path: Path) -> None:
    """Its input held what was read: 31 sent and 1,253 written is no mistake, but 1,284 altogether."""
    found = usage_of(tmp_path, json.dumps(litellm(31, cache_read_input_tokens=11, cache_creation_input_tokens=1_253)))
    assert [found.total(meter) for meter in ("input", "cached", "cache_write")] == [20, 11, 1_253]


def test_litellm_tells_what_was_written_for_an_hour(tmp_path: Path) -> None:
    details = {"cached_tokens": 0, "cache_creation_token_details": {"ephemeral_1h_input_tokens": 200}}
    found = usage_of(tmp_path, json.dumps(
        litellm(1_000, cache_creation_input_tokens=300, prompt_tokens_details=details)))
    assert [found.total(meter) for meter in ("input", "cache_write", "cache_write_1h")] == [700, 300, 200]
