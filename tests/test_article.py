"""The article's price claims come out as dated sources have them, and two of the caching rules it does not know.

Each claim is asked through the public face: the price book, and a scenario with its training or its calls.
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest
from questions import asked, billed

from pricing.load import shipped_book
from simulator.run import run
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare

COMPILED = date(2026, 11, 23)

CALLS = 1_000_000
FOUND = 0.95
"""A high share of calls that find the cache."""

QUESTION = """\
start: 2025-02-01
horizon_days: 30
baseline: base
workload: {calls_per_day: 1_000, tokens: {input: 500, output: 200}}
options:
  base: {kind: hosted_prompt, price: openai/gpt-4o-mini}
  tuned: {kind: hosted_fine_tuned, price: openai/gpt-4o-mini-ft, training: {examples: 500, tokens_per_example: 500}}
"""

PROMPTS = """\
start: 2026-12-01
horizon_days: 100
baseline: short
workload: {calls_per_day: 10_000, tokens: {input: 300, output: 50}}
options:
  short: {kind: hosted_prompt, price: anthropic/claude-haiku-4-5, prefix_tokens: 2600}
  padded: {like: short, prefix_tokens: 4100}
"""


def training_usd(folder: Path, *flags: str) -> float:
    return billed(asked(folder, QUESTION, *flags), "tuned")["training"]


# Claim 1: fine-tuning GPT-4o costs about 25 USD per million training tokens


def test_training_gpt_4o_costs_25_usd_a_million_tokens(tmp_path: Path) -> None:
    version = shipped_book(["openai"]).prices["openai/gpt-4o-ft"].on(COMPILED)
    assert version.training["sft"].usd_per_mtok == 25.00
    one_million = "options.tuned.training={tokens: 1e6, epochs: 1}"
    assert training_usd(tmp_path, "options.tuned.price=openai/gpt-4o-ft", one_million) == pytest.approx(25.00)


def test_it_is_closed_to_new_organisations_and_retires_on_14_january_2027(tmp_path: Path) -> None:
    for model in ("gpt-4o-ft", "gpt-4o-mini-ft"):
        lifecycle = shipped_book(["openai"]).prices[f"openai/{model}"].on(COMPILED).lifecycle
        assert lifecycle.no_new_customers_from == date(2026, 5, 7)
        assert lifecycle.retires_on == date(2027, 1, 14)
        late = ("start=2026-12-01", "horizon_days=90", f"options.tuned.price=openai/{model}",
                "options.base.price=openai/gpt-6-luna")
        found = compare(asked(tmp_path, QUESTION, *late))
        assert found.verdict.choice == "base"
        assert "takes no new customers since 2026-05-07" in (found.options["tuned"].result.why_not or "")
        old = compare(asked(tmp_path, QUESTION, *late, "existing_customer=[openai]"))
        assert old.options["tuned"].result.why_not == "it stops serving on 2027-01-14, inside the horizon"
        assert old.options["tuned"].total_usd is None


def test_until_then_anybody_could_train_it(tmp_path: Path) -> None:
    before = asked(tmp_path, QUESTION, "start=2026-05-06", "options.tuned.price=openai/gpt-4o-ft")
    assert compare(before).options["tuned"].result.feasible


# Claim 2: GPT-4o mini at 3 USD a million; 500 examples of 500 tokens cost about 0.75 USD a run


def test_75_cents_are_one_epoch_and_the_provider_s_default_of_three_costs_2_25(tmp_path: Path) -> None:
    version = shipped_book(["openai"]).prices["openai/gpt-4o-mini-ft"].on(COMPILED)
    assert version.training["sft"].usd_per_mtok == 3.00
    assert training_usd(tmp_path, "options.tuned.training.epochs=1") == pytest.approx(0.75)
    rule = version.rules.training.epochs
    assert rule is not None
    assert rule.epochs(500) == 3
    assert training_usd(tmp_path) == pytest.approx(2.25)


def test_with_the_overhead_of_three_messages_it_is_2_32(tmp_path: Path) -> None:
    overhead = 3 + 3 * (3 + 1)          # the cookbook's: 3 an example, 3 a message and 1 for its role
    counted = training_usd(tmp_path, f"options.tuned.training.tokens_per_example={500 + overhead}")
    assert counted == pytest.approx(2.32, abs=0.005)


# Claim 3: fine-tuned 4o-mini output at 0.30 against 0.60 of the base


def test_a_tuned_output_token_costs_twice_the_base_s_and_30_cents_are_its_input(tmp_path: Path) -> None:
    prices = shipped_book(["openai"]).prices
    tuned, base = (prices[f"openai/gpt-4o-mini{end}"].on(COMPILED).usd_per_mtok for end in ("-ft", ""))
    assert (tuned.input, tuned.cached_input, tuned.output) == (0.30, 0.15, 1.20)
    assert (base.input, base.cached_input, base.output) == (0.15, 0.075, 0.60)
    assert base.batch is not None
    assert base.batch.output == 0.30                   # the only output rate of 0.30 there is
    scenario = asked(tmp_path, QUESTION)
    sent = 30 * 1_000 * 200 / 1e6
    assert billed(scenario, "tuned")["output"] == pytest.approx(sent * 1.20)
    assert billed(scenario, "base")["output"] == pytest.approx(sent * 0.60)


def test_tuned_tokens_never_save_by_unit_price_only_by_a_shorter_prompt(tmp_path: Path) -> None:
    same = break_even(asked(tmp_path, QUESTION), ("base", "tuned"))
    assert (same.answer, same.cheaper) == ("never", "base")
    assert "no volume pays for it" in (same.reason or "")
    shorter = break_even(asked(tmp_path, QUESTION, "options.base.prefix_tokens=2600"), ("base", "tuned"))
    assert (shorter.answer, shorter.crossings[0].above) == ("crosses", "tuned")


# What a cache does not take


def test_haiku_4_5_does_not_cache_2600_tokens_and_padding_them_to_4100_is_cheaper(tmp_path: Path) -> None:
    scenario = asked(tmp_path, PROMPTS)
    short, padded = run(scenario, "short"), run(scenario, "padded")
    assert (short.eligible_calls[0], short.tokens["cached_input"][0], short.tokens["cache_write"][0]) == (0, 0, 0)
    assert billed(scenario, "short") == pytest.approx(
        {"input": CALLS * (2600 + 300) * 1.00 / 1e6, "output": CALLS * 50 * 5.00 / 1e6})
    missed = math.exp(-10_000 / 86_400 * 300)          # nobody came in the five minutes before
    by_hand = {
        "input": 300 * 1.00, "cached_input": 4100 * (1 - missed) * 0.10,
        "cache_write": 4100 * missed * 1.25, "output": 50 * 5.00,
    }
    assert billed(scenario, "padded") == pytest.approx(by_hand, rel=1e-6, abs=1e-9)     # a million calls
    assert padded.total_usd[0] < 0.4 * short.total_usd[0]
    assert compare(scenario).verdict.choice == "padded"


def test_one_token_below_the_minimum_nothing_is_cached(tmp_path: Path) -> None:
    scenario = asked(tmp_path, PROMPTS, "options.short.prefix_tokens=4095", "options.padded.prefix_tokens=4096")
    assert run(scenario, "short").hit_calls[0] == 0
    assert run(scenario, "padded").hit_calls[0] == pytest.approx(CALLS)


def test_900_tokens_cost_more_than_2600_where_the_cache_begins_at_1024(tmp_path: Path) -> None:
    prices = [f"options.{name}.price=openai/gpt-5.4-mini" for name in ("short", "padded")]
    scenario = asked(tmp_path, PROMPTS, *prices, "options.short.prefix_tokens=900",
                     "options.padded.prefix_tokens=2600", f"options.padded.cache_hit_rate={FOUND}",
                     f"options.short.cache_hit_rate={FOUND}")
    short, long = billed(scenario, "short"), billed(scenario, "padded")
    assert sum(short.values()) == pytest.approx((900 + 300 + 9) * 0.75 + 50 * 4.50)
    read = 2560 * FOUND
    assert sum(long.values()) == pytest.approx((2600 + 300 + 9 - read) * 0.75 + read * 0.075 + 50 * 4.50)
    assert sum(short.values()) > sum(long.values())
