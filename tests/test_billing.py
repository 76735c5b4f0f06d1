"""Every rule by which providers bill tokens, each against a bill reckoned by hand for one million calls.

One million calls of `n` tokens at `r` USD per million tokens cost `n x r` USD, so every expected figure below is
tokens of a call times the rate. The rules are those of the providers' pricing pages, as the price tables cite them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from questions import asked, billed, lines_of
from scipy import integrate, stats

from pricing.errors import InputError, NotSold
from simulator.run import run

INPUT, OUTPUT = 300.0, 50.0
CHAT = 9.0
"""Tokens that the shipped OpenAI tables add for a request of two messages."""
PAGE = """
start: 2026-12-07
horizon_days: 10
hours_per_month: 720
baseline: a
workload:
  calls_per_day: 100_000
  tokens: {{input: 300, output: 50}}
  deferrable_share: 1
prices: {{mine/p: {price}}}
options: {{a: {{kind: hosted_prompt, price: {use}, {option}}}}}
"""
Bill = Callable[..., dict[str, float]]


@pytest.fixture
def bill(tmp_path: Path) -> Bill:
    """Dollars by line of a million calls with an option, at a price typed in or named."""

    def found(option: str, *flags: str, price: str = "{usd_per_mtok: {}}", use: str = "mine/p") -> dict[str, float]:
        return billed(asked(tmp_path, PAGE.format(price=price, use=use, option=option), *flags), "a")

    return found


def about(expected: dict[str, float]) -> object:
    return pytest.approx({line: usd for line, usd in expected.items() if usd}, rel=1e-9)


# Prompt caching: what can be cached, what a read and a write cost

READS = "{{usd_per_mtok: {{input: 2, cached_input: 0.5, output: 8}}, rules: {{caching: {{{rule}}}}}}}"


@pytest.mark.parametrize(
    ("prefix", "cacheable"), [(900, 0), (1023, 0), (1024, 1024), (1151, 1024), (1152, 1152), (2600, 2560)]
)
def test_a_prefix_is_cached_from_1024_tokens_in_steps_of_128(bill: Bill, prefix: int, cacheable: int) -> None:
    price = READS.format(rule="mode: automatic, min_tokens: 1024, increment: 128")
    found = bill(f"prefix_tokens: {prefix}, cache_hit_rate: 1", price=price)
    plain = prefix - cacheable + INPUT
    assert found == about({"input": plain * 2, "cached_input": cacheable * 0.5, "output": OUTPUT * 8})


@pytest.mark.parametrize(("prefix", "cacheable"), [(4095, 0), (4096, 4096), (4100, 4100)])
def test_without_an_increment_the_whole_prefix_is_cached_from_the_minimum_on(
    bill: Bill, prefix: int, cacheable: int
) -> None:
    price = READS.format(rule="mode: explicit, min_tokens: 4096")
    found = bill(f"prefix_tokens: {prefix}, cache_hit_rate: 1", price=price)
    plain = prefix - cacheable + INPUT
    assert found == about({"input": plain * 2, "cached_input": cacheable * 0.5, "output": OUTPUT * 8})


def test_a_miss_bills_input_where_writes_are_free(bill: Bill) -> None:
    found = bill("prefix_tokens: 1000, cache_hit_rate: 0.75", price=READS.format(rule="mode: automatic"))
    assert found == about({"input": (250 + INPUT) * 2, "cached_input": 750 * 0.5, "output": OUTPUT * 8})


@pytest.mark.parametrize(
    ("model", "read_share"),
    [("gpt-4o", 0.5), ("gpt-4o-mini", 0.5), ("gpt-4.1", 0.25), ("gpt-5.4", 0.1), ("gpt-6-luna", 0.1),
     ("gpt-6.1-sol", 0.05), ("gpt-6.1-terra", 0.05)],
)
def test_each_openai_model_has_its_own_discount_on_reads(bill: Bill, model: str, read_share: float) -> None:
    found = bill("prefix_tokens: 2560, cache_hit_rate: 1", use=f"openai/{model}")
    assert found["cached_input"] / 2560 == pytest.approx(read_share * found["input"] / (INPUT + CHAT), rel=1e-9)


@pytest.mark.parametrize(
    ("use", "ttl", "premium"),
    [("anthropic/claude-haiku-4-5", 300, 1.25), ("anthropic/claude-haiku-4-5", 3600, 2.0),
     ("anthropic/claude-sonnet-5-5", 300, 1.25), ("anthropic/claude-sonnet-5-5", 3600, 2.0),
     ("openai/gpt-6-luna", 1800, 1.25), ("openai/gpt-6-luna", 43200, 2.5)],
)
def test_a_miss_pays_the_premium_of_its_time_to_live_where_writes_are_billed(
    bill: Bill, use: str, ttl: int, premium: float
) -> None:
    found = bill(f"prefix_tokens: 4096, cache_hit_rate: 0.25, caching: {{ttl: {ttl}}}", use=use)
    base = found["input"] / (INPUT + (CHAT if use.startswith("openai") else 0))
    assert found["cache_write"] == pytest.approx(0.75 * 4096 * premium * base, rel=1e-9)


def test_a_time_to_live_that_is_not_on_offer_is_refused(bill: Bill) -> None:
    with pytest.raises(InputError, match=r"options\.a\.caching\.ttl: 600 s .* it sells 1800, 43200"):
        bill("prefix_tokens: 4096, caching: {ttl: 600}", use="openai/gpt-6-luna")


def test_without_a_cached_rate_the_cached_part_bills_as_input(bill: Bill) -> None:
    price = "{usd_per_mtok: {input: 2, output: 8}, rules: {caching: {mode: automatic}}}"
    found = bill("prefix_tokens: 1000, cache_hit_rate: 1", price=price)
    assert found == about({"input": INPUT * 2, "cached_input": 1000 * 2, "output": OUTPUT * 8})


def test_caching_switched_off_bills_every_token_as_input(bill: Bill) -> None:
    found = bill("prefix_tokens: 1000, caching: {mode: off}", price=READS.format(rule="mode: automatic"))
    assert found == about({"input": (1000 + INPUT) * 2, "output": OUTPUT * 8})


def test_reach_is_the_share_of_would_be_hits_that_come(bill: Bill) -> None:
    price = READS.format(rule="mode: automatic, ttl_s: [86400]")            # 100,000 calls a day hit always
    found = bill("prefix_tokens: 1000, caching: {reach: 0.7}", price=price)
    assert found == about({"input": (300 + INPUT) * 2, "cached_input": 700 * 0.5, "output": OUTPUT * 8})


def test_calls_per_cache_pays_one_write_and_then_reads(bill: Bill) -> None:
    price = "{usd_per_mtok: {input: 2, cached_input: 0.5, cache_write: 2.5, output: 8}}"
    found = bill("prefix_tokens: 1000, caching: {calls_per_cache: 10}", price=price)
    assert found == about({"cache_write": 1000 / 10 * 2.5, "cached_input": 1000 * 0.5, "input": INPUT * 2,
                           "output": OUTPUT * 8})


def test_a_request_that_only_writes_a_cache_is_billed_in_the_tier_of_its_own_length(bill: Bill) -> None:
    price = """{usd_per_mtok: {input: 2, cached_input: 0.5, cache_write: 2.5, output: 8,
      tiers: [{above: 1000, input: 4, cached_input: 1, cache_write: 5, output: 12}]}}"""
    for prefix, write in ((1000, 2.5), (1001, 5.0)):
        found = bill(f"prefix_tokens: {prefix}, caching: {{calls_per_cache: 10}}", price=price)
        assert found == about({"cache_write": prefix / 10 * write, "cached_input": prefix * 1, "input": INPUT * 4,
                               "output": OUTPUT * 12})


# Batch: half of everything, with or without the cache

BATCHED = """{{usd_per_mtok:
  {{input: 2, cached_input: 0.5, output: 8, {write} batch: {{input: 1, output: 4, {cached}}}}},
  rules: {{caching: {{mode: automatic, batch_stacks: {stacks}, writes_billed: {billed}}}}}}}"""


def test_anthropic_batch_halves_everything_including_reads_and_writes(bill: Bill) -> None:
    option = "prefix_tokens: 4096, cache_hit_rate: 0.25"
    full = bill(option, use="anthropic/claude-haiku-4-5")
    half = bill(f"{option}, batch_share: 1", use="anthropic/claude-haiku-4-5")
    assert half == about({
        "batch_input": full["input"] / 2, "batch_cached_input": full["cached_input"] / 2,
        "cache_write": full["cache_write"] / 2, "batch_output": full["output"] / 2,
    })


def test_gpt_4o_batch_has_no_cached_rate_and_no_caching(bill: Bill) -> None:
    found = bill("prefix_tokens: 2560, cache_hit_rate: 1, batch_share: 1", use="openai/gpt-4o")
    assert found == about({"batch_input": (2560 + INPUT + CHAT) * 1.25, "batch_output": OUTPUT * 5})


def test_gpt_5_batch_stacks_with_the_cache_at_half_the_cached_rate(bill: Bill) -> None:
    found = bill("prefix_tokens: 2560, cache_hit_rate: 1, batch_share: 1", use="openai/gpt-5.4-mini")
    assert found == about({"batch_input": (INPUT + CHAT) * 0.375, "batch_cached_input": 2560 * 0.0375,
                           "batch_output": OUTPUT * 2.25})


def test_groq_batch_does_not_stack_although_reads_are_cheap(bill: Bill) -> None:
    option = "prefix_tokens: 2560, cache_hit_rate: 1"
    plain = bill(option, use="groq/openai/gpt-oss-20b")
    batch = bill(f"{option}, batch_share: 1", use="groq/openai/gpt-oss-20b")
    rate, written = plain["input"] / INPUT, plain["output"]
    assert plain["cached_input"] < rate * 2560
    assert batch == about({"batch_input": (2560 + INPUT) * rate / 2, "batch_output": written / 2})


def test_batch_that_stacks_without_a_cached_rate_bills_reads_as_batch_input(bill: Bill) -> None:
    price = BATCHED.format(write="", cached="", stacks="true", billed="false")
    found = bill("prefix_tokens: 1000, cache_hit_rate: 1, batch_share: 1", price=price)
    assert found == about({"batch_input": INPUT * 1, "batch_cached_input": 1000 * 1, "batch_output": OUTPUT * 4})


def test_batch_writes_without_a_rate_of_their_own_keep_the_premium_over_batch_input(bill: Bill) -> None:
    price = BATCHED.format(write="cache_write: 2.5,", cached="cached_input: 0.25", stacks="true", billed="true")
    found = bill("prefix_tokens: 1000, cache_hit_rate: 0, batch_share: 1", price=price)
    assert found == about({"batch_input": INPUT * 1, "cache_write": 1000 * 1.25, "batch_output": OUTPUT * 4})


def test_batch_that_does_not_stack_writes_nothing_to_the_cache_either(bill: Bill) -> None:
    price = BATCHED.format(write="cache_write: 2.5,", cached="", stacks="false", billed="true")
    found = bill("prefix_tokens: 1000, cache_hit_rate: 0.5, batch_share: 1", price=price)
    assert found == about({"batch_input": (1000 + INPUT) * 1, "batch_output": OUTPUT * 4})


def test_only_the_batch_share_of_deferrable_calls_goes_through_batch(bill: Bill) -> None:
    price = BATCHED.format(write="", cached="", stacks="false", billed="false")
    found = bill("batch_share: 0.4", "workload.deferrable_share=0.5", price=price)
    assert found == about({"input": 0.8 * INPUT * 2, "output": 0.8 * OUTPUT * 8, "batch_input": 0.2 * INPUT,
                           "batch_output": 0.2 * OUTPUT * 4})


# Service levels


@pytest.mark.parametrize(("service", "rates"), [("flex", (0.375, 0.0375, 2.25)), ("priority", (1.5, 0.15, 9.0))])
def test_flex_bills_like_batch_and_priority_at_its_own_rates(
    bill: Bill, service: str, rates: tuple[float, float, float]
) -> None:
    found = bill(f"prefix_tokens: 2560, cache_hit_rate: 1, service: {service}", use="openai/gpt-5.4-mini")
    assert found == about({"input": (INPUT + CHAT) * rates[0], "cached_input": 2560 * rates[1],
                           "output": OUTPUT * rates[2]})


def test_a_service_level_or_meter_that_is_not_sold_is_an_error_and_never_free(bill: Bill) -> None:
    asks = {
        r'mine/p has no flex input rate': ("service: flex", "{usd_per_mtok: {input: 1, output: 2}}"),
        r'mine/p has no batch input rate': ("batch_share: 1", "{usd_per_mtok: {input: 1, output: 2}}"),
        r'mine/p has no output rate': ("prefix_tokens: 10", "{usd_per_mtok: {input: 1}}"),
        r'mine/p has no cache_write rate for 300 s': (
            "prefix_tokens: 10, cache_hit_rate: 0",
            "{usd_per_mtok: {input: 1, output: 2}, rules: {caching: {mode: explicit, writes_billed: true}}}"),
    }
    for sentence, (option, price) in asks.items():
        with pytest.raises(NotSold, match=rf"options\.a: {sentence}; choose another service or price"):
            bill(option, price=price)


# Length tiers re-price the whole request

TIERED = """{usd_per_mtok: {input: 2, output: 8, batch: {input: 1, output: 4},
  tiers: [{above: 1000, input: 4, output: 12}]}}"""


@pytest.mark.parametrize(("tokens", "rates"), [(700, (2, 8)), (701, (4, 12))])
def test_a_prompt_above_the_tier_bills_all_of_its_input_and_output_dearer(
    bill: Bill, tokens: int, rates: tuple[float, float]
) -> None:
    found = bill(f"prefix_tokens: 300, input_tokens: {tokens}", price=TIERED)
    assert found == about({"input": (300 + tokens) * rates[0], "output": OUTPUT * rates[1]})


def test_cached_tokens_count_for_the_tier_and_are_repriced_with_it(bill: Bill) -> None:
    for tokens, rates in ((272_000, (2.5, 0.25, 15.0)), (272_001, (5.0, 0.5, 22.5))):
        own = tokens - 256_000 - CHAT
        found = bill(f"prefix_tokens: 256_000, cache_hit_rate: 1, input_tokens: {own}", use="openai/gpt-5.4")
        assert found == about({"input": (tokens - 256_000) * rates[0], "cached_input": 256_000 * rates[1],
                               "output": OUTPUT * rates[2]})


def test_a_tier_of_the_standard_rates_holds_in_the_same_proportion_for_batch(bill: Bill) -> None:
    found = bill("prefix_tokens: 300, input_tokens: 800, batch_share: 1", price=TIERED)
    assert found == about({"batch_input": 1100 * 2, "batch_output": OUTPUT * 6})


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.4])
def test_a_tier_bills_the_expectation_over_lengths_not_the_length_expected(bill: Bill, correlation: float) -> None:
    cv, output_cv, prefix, mean = 0.8, 0.5, 300.0, 600.0
    shape = ("workload.tokens.input_cv=0.8", "workload.tokens.output_cv=0.5",
             f"workload.tokens.correlation={correlation}")
    found = bill(f"prefix_tokens: {prefix}, input_tokens: {mean}", *shape, price=TIERED)
    log_sd, output_sd = np.sqrt(np.log1p(cv**2)), np.sqrt(np.log1p(output_cv**2))
    edge = (np.log(1000 - prefix) - np.log(mean) + log_sd**2 / 2) / log_sd

    def over_lengths(worth: Callable[[float], float]) -> float:
        """The mean of a worth of the standardised log length, cut at the tier so that quadrature is exact."""
        parts = ((-12, edge), (edge, 12))
        return float(sum(integrate.quad(lambda z: worth(z) * stats.norm.pdf(z), *part, epsrel=1e-12)[0]
                         for part in parts))

    def input_usd(z: float) -> float:
        tokens = prefix + mean * np.exp(log_sd * z - log_sd**2 / 2)
        return tokens * (4 if z > edge else 2)

    def output_usd(z: float) -> float:
        lean = correlation * output_sd
        return OUTPUT * np.exp(lean * z - lean**2 / 2) * (12 if z > edge else 8)

    assert found == pytest.approx({"input": over_lengths(input_usd), "output": over_lengths(output_usd)}, rel=1e-9)
    at_the_mean = bill(f"prefix_tokens: {prefix}, input_tokens: {mean}", price=TIERED)
    assert sum(found.values()) > 1.2 * sum(at_the_mean.values())


# What is billed as a token


def test_hidden_reasoning_bills_as_output(bill: Bill) -> None:
    found = bill("reasoning_tokens: 200", price="{usd_per_mtok: {input: 2, output: 8}}")
    assert found == about({"input": INPUT * 2, "output": 250 * 8})


@pytest.mark.parametrize(("prefix", "overhead"), [(0, 3 + 3), (100, 3 + 2 * 3)])
def test_messages_and_the_request_itself_cost_tokens(bill: Bill, prefix: int, overhead: int) -> None:
    price = "{usd_per_mtok: {input: 2, output: 8}, rules: {tokens: {per_message: 3, per_request: 3}}}"
    found = bill(f"prefix_tokens: {prefix}", price=price)
    assert found == about({"input": (prefix + overhead + INPUT) * 2, "output": OUTPUT * 8})


@pytest.mark.parametrize(
    ("retries", "attempts"),
    [("{failure_rate: 0.2, max: 2}", 1 + 0.2 + 0.04), ("{failure_rate: 0.2, max: 2, billed: false}", 1 - 0.2**3),
     ("{failure_rate: 1, max: 3}", 4.0), ("{failure_rate: 1, max: 3, billed: false}", 0.0)],
)
def test_failed_attempts_are_billed_in_full_or_not_at_all(bill: Bill, retries: str, attempts: float) -> None:
    found = bill(f"retries: {retries}", price="{usd_per_mtok: {input: 2, output: 8}}")
    assert found == about({"input": attempts * INPUT * 2, "output": attempts * OUTPUT * 8})


def test_a_retry_finds_what_its_first_attempt_left_in_the_cache(bill: Bill) -> None:
    price = READS.format(rule="mode: automatic")
    found = bill("prefix_tokens: 1000, cache_hit_rate: 0.5, retries: {failure_rate: 0.2, max: 1}", price=price)
    assert found == about({"cached_input": (0.5 + 0.2) * 1000 * 0.5, "input": (0.5 * 1000 + 1.2 * INPUT) * 2,
                           "output": 1.2 * OUTPUT * 8})
    kept = bill("prefix_tokens: 1000, cache_hit_rate: 0.5, retries: {failure_rate: 0.2, max: 1, billed: false}",
                price=price)
    assert kept == about({"cached_input": (0.8 * 0.5 + 0.16) * 1000 * 0.5,
                          "input": (0.8 * 0.5 * 1000 + 0.96 * INPUT) * 2, "output": 0.96 * OUTPUT * 8})


def test_explicit_caches_pay_for_every_hour_they_are_kept(tmp_path: Path) -> None:
    page = PAGE.format(
        price="{usd_per_mtok: {input: 2, cached_input: 0.2, output: 8}, cache_storage_usd_per_mtok_hour: 0.5, "
              "rules: {caching: {mode: explicit, ttl_s: [3600], refresh: REFRESH}}}",
        use="mine/p", option="prefix_tokens: 10000, caching: {scopes: 4}")
    a_ttl = 24 / 24 / 4                                                     # calls of a scope in one time to live
    alive = {"false": a_ttl / (1 + a_ttl), "true": 1 - np.exp(-a_ttl)}      # share of time, calls see time averages
    for refresh, share in alive.items():
        result = run(asked(tmp_path, page.replace("REFRESH", refresh), "workload.calls_per_day=24"), "a")
        assert result.cache_hit_rate[0] == pytest.approx(share, rel=1e-9)
        assert lines_of(result)["storage"] == pytest.approx(240 * 4 * share * 0.01 * 0.5, rel=1e-9)
    busy = run(asked(tmp_path, page.replace("REFRESH", "true")), "a")
    assert lines_of(busy)["storage"] == pytest.approx(240 * 4 * 0.01 * 0.5, rel=1e-9)
