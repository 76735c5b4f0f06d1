"""Every price has a source, a day and a positive rate, and the book says what its sources said.

`data/prices/facts.csv` is the tidy form of the research the tables were written from: one line a row of it, with the
id, the day on which it must hold, how far it is believed, and its figures. It was made from the research, not from the
tables; a line whose figures were changed on purpose says why in its note.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from pricing.book import PriceBook
from pricing.errors import InputError, NotInForce
from pricing.load import TABLES, read_prices, shipped_book
from pricing.table import (
    CachingRule,
    EpochRule,
    Lifecycle,
    MeterRates,
    PriceVersion,
    TrainingRule,
    in_force,
)

COMPILED = date(2026, 11, 23)
FACTS = Path(__file__).parent / "data" / "prices" / "facts.csv"
FREE = {("azure/ft-developer", "hosting"), ("fireworks/sft-lora-16b", "training rft")}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return shipped_book()


def rows() -> list[dict[str, str]]:
    with FACTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def meters(rates: MeterRates, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The figures of one set of meters, by the names facts.csv uses."""
    for name in ("input", "cached_input", "output"):
        if getattr(rates, name) is not None:
            yield f"{prefix}{name}", getattr(rates, name)
    if isinstance(rates.cache_write, dict):
        for ttl, rate in rates.cache_write.items():
            yield f"{prefix}cache_write {ttl}", rate
    elif rates.cache_write is not None:
        yield f"{prefix}cache_write", rates.cache_write


def figures(version: PriceVersion) -> dict[str, float]:
    """Every figure of a version, by the names facts.csv uses."""
    rates = version.usd_per_mtok
    found = dict(meters(rates))
    for level in ("batch", "flex", "priority"):
        if (service := getattr(rates, level)) is not None:
            found.update(meters(service, f"{level} "))
    for tier in rates.tiers:
        found.update(meters(tier, f"tier {tier.above:g} "))
    for window in rates.windows:
        found.update(meters(window, f"window {window.utc[:5]} "))
    for method, rate in version.training.items():
        if rate.usd_per_mtok is not None:
            found[f"training {method}"] = rate.usd_per_mtok
        if rate.usd_per_hour is not None:
            found[f"training {method} hour"] = rate.usd_per_hour
    named = {"hosting": version.hosting_usd_per_hour, "storage": version.storage_usd_per_month,
             "storage_per_gb": version.storage_usd_per_gb_month,
             "cache_storage": version.cache_storage_usd_per_mtok_hour}
    found |= {name: rate for name, rate in named.items() if rate is not None}
    if version.rules.training.min_usd:
        found["min_usd"] = version.rules.training.min_usd
    return found


# --- the shipped tables ---------------------------------------------------------------------------------------------


def test_every_version_sells_something_at_a_positive_rate_and_says_who_says_so(book: PriceBook) -> None:
    for name, table in book.prices.items():
        for version in table.versions:
            assert version.source.title, name
            assert version.source.href is None or version.source.href.startswith("https://"), name
            found = figures(version)
            assert found, f"{table.version_id(version)} sells nothing"
            for meter, rate in found.items():
                assert rate > 0 or (name, meter) in FREE, f"{table.version_id(version)}: {meter} is {rate}"


def test_every_file_is_named_after_its_provider_and_every_id_is_lower_case() -> None:
    for path in sorted((TABLES / "apis").glob("*.yaml")):
        for name, table in read_prices(path).items():
            assert table.provider == path.stem
            assert name == name.lower()


def test_nothing_was_recorded_or_seen_after_the_facts_were_compiled(book: PriceBook) -> None:
    for table in book.prices.values():
        for version in table.versions:
            assert version.recorded <= COMPILED
            assert version.source.seen_on <= COMPILED


def test_a_successor_and_a_base_of_openai_are_sold_here(book: PriceBook) -> None:
    for name, table in book.prices.items():
        for version in table.versions:
            if version.lifecycle.successor:
                assert version.lifecycle.successor in book.prices, name
        if table.base and table.provider == "openai" and table.base not in ("davinci-002", "babbage-002"):
            assert f"openai/{table.base}" in book.prices, name


def test_every_caching_rule_has_a_rate_to_bill_and_every_cached_rate_a_rule(book: PriceBook) -> None:
    for table in book.prices.values():
        for version in table.versions:
            caches = version.rules.caching.mode != "off"
            assert caches == (version.usd_per_mtok.cached_input is not None), table.version_id(version)
            assert version.rules.caching.writes_billed == (version.usd_per_mtok.cache_write is not None)
            writes = version.usd_per_mtok.cache_write
            if isinstance(writes, dict):
                assert tuple(writes) == version.rules.caching.ttl_s, table.version_id(version)


# --- the research, line by line -------------------------------------------------------------------------------------


def test_the_research_has_175_rows_and_two_of_them_are_not_sold() -> None:
    assert len(rows()) == 175
    assert [row["id"] for row in rows() if not row["day"]] == ["vertex/gemini-3-ft", "cohere/fine-tuning"]


@pytest.mark.parametrize("row", [r for r in rows() if r["day"]], ids=lambda r: f"{r['row']}-{r['id']}")
def test_the_book_holds_every_figure_of_the_research(row: dict[str, str], book: PriceBook) -> None:
    version = book.table(row["id"]).on(date.fromisoformat(row["day"]))
    found = figures(version)
    for name, text in (pair.split("=") for pair in row["figures"].split(" | ")):
        if hasattr(Lifecycle, name):
            assert getattr(version.lifecycle, name) == date.fromisoformat(text), name
        else:
            assert found[name] == pytest.approx(float(text), rel=1e-12), name
    assert version.source.confidence == row["confidence"]


@pytest.mark.parametrize("name", [r["id"] for r in rows() if not r["day"]])
def test_what_has_no_figure_or_has_ended_is_not_in_the_book(name: str, book: PriceBook) -> None:
    with pytest.raises(InputError):
        book.table(name)


def test_an_unverified_row_never_stands_in_a_version_with_a_better_mark(book: PriceBook) -> None:
    doubtful = {row["id"] for row in rows() if row["confidence"] == "unverified" and row["day"]}
    marked = {name for name, version in book.on(COMPILED).items() if version.source.confidence == "unverified"}
    assert doubtful <= marked
    # Beyond the rows: a second size or term of the same source, a rate named only in a note, and a promotion run out.
    assert marked - doubtful == {
        "together/dedicated-b200", "bedrock/llama-2-provisioned-6-months", "bedrock/amazon.nova-lite-v1:0-ft",
        "mistral/fine-tuning-classifier", "openai/gpt-5.6-sol",
    }


# --- what was known when --------------------------------------------------------------------------------------------


def test_cached_rates_of_gpt_4o_mini_begin_on_1_october_2024(book: PriceBook) -> None:
    table = book.table("openai/gpt-4o-mini")
    before, after = table.on(date(2024, 9, 30)), table.on(date(2025, 1, 1))
    assert (before.usd_per_mtok.cached_input, before.rules.caching.mode) == (None, "off")
    assert (after.usd_per_mtok.input, after.usd_per_mtok.cached_input, after.usd_per_mtok.output) == (0.15, 0.075, 0.6)
    assert table.known_on(date(2024, 10, 1)).usd_per_mtok.cached_input == 0.075


def test_a_decision_of_2024_cannot_know_a_retirement_announced_in_2026(book: PriceBook) -> None:
    table = book.table("openai/gpt-4o-mini-ft")
    assert table.known_on(date(2024, 9, 10)).lifecycle == Lifecycle()
    assert table.on(date(2024, 9, 10)).lifecycle.retires_on == date(2027, 1, 14)
    assert table.known_on(date(2026, 6, 1)).lifecycle.no_new_customers_from == date(2026, 5, 7)
    assert table.known_on(date(2026, 6, 1)).lifecycle.retires_on is None
    ends = table.known_on(date(2026, 10, 14)).lifecycle
    assert (ends.retires_on, ends.no_new_jobs_from) == (date(2027, 1, 14), date(2027, 1, 6))
    assert ends.successor == "openai/gpt-6-luna"


def test_an_error_of_a_source_is_a_correction_and_not_a_price_cut(book: PriceBook) -> None:
    """Sources: histories of two price libraries; the wrong figures stood at 5/15, 0.014/0.028 and 0.59/0.79."""
    for day in (date(2025, 1, 1), date(2025, 6, 25), date(2025, 7, 4)):
        assert book.table("openai/gpt-4o").known_on(day).usd_per_mtok.input == 2.5
    assert book.table("deepseek/deepseek-chat").known_on(date(2025, 6, 25)).usd_per_mtok.input == 0.27
    groq = book.table("groq/llama-3.1-8b-instant")
    assert groq.on(date(2024, 8, 1)).usd_per_mtok.input == 0.05
    with pytest.raises(NotInForce):
        groq.known_on(date(2024, 10, 15))


def test_gpt_4o_cost_twice_as_much_before_its_alias_moved(book: PriceBook) -> None:
    table = book.table("openai/gpt-4o")
    assert (table.on(date(2024, 9, 6)).usd_per_mtok.input, table.on(date(2024, 9, 6)).usd_per_mtok.output) == (5, 15)
    assert book.table("openai/gpt-4o-2024-08-06").on(date(2024, 9, 6)).usd_per_mtok.input == 2.5


def test_the_rise_of_sonnet_5_was_announced_and_then_cancelled(book: PriceBook) -> None:
    table = book.table("anthropic/claude-sonnet-5")
    rise = in_force(table.versions, date(2026, 9, 1), known_by=date(2026, 8, 5))
    assert rise is not None
    assert rise.announced
    assert (rise.usd_per_mtok.input, rise.usd_per_mtok.output) == (3, 15)
    for day in (date(2026, 8, 31), date(2026, 9, 1), COMPILED):
        assert (table.on(day).usd_per_mtok.input, table.on(day).usd_per_mtok.output) == (2, 10)


@pytest.mark.parametrize(("name", "day", "before", "after"), [
    ("google/gemini-3.6-flash", date(2027, 1, 1), 0.75, 1.5),
    ("google/gemini-3.8-flash", date(2027, 1, 1), 0.75, 1.5),
    ("google/gemini-4-argon", date(2026, 12, 1), 2, 4),
])
def test_an_announced_rise_applies_from_its_day_and_can_be_switched_off(
    name: str, day: date, before: float, after: float, book: PriceBook
) -> None:
    table = book.table(name)
    assert table.on(day - timedelta(days=1)).usd_per_mtok.input == before
    assert table.held_from(COMPILED, day).usd_per_mtok.input == after
    assert table.held_from(COMPILED, day, announced=False).usd_per_mtok.input == before
    assert table.known_on(COMPILED).usd_per_mtok.input == before


def test_the_promotion_of_gpt_5_6_sol_is_unverified_once_its_guarantee_has_run_out(book: PriceBook) -> None:
    table = book.table("openai/gpt-5.6-sol")
    assert table.on(date(2026, 11, 21)).source.confidence == "verified"
    assert table.on(date(2026, 11, 23)).source.confidence == "unverified"


# --- billing rules as data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "day", "rule"), [
    ("openai/gpt-4o", COMPILED, CachingRule(mode="automatic", min_tokens=1024, increment=128)),
    ("openai/o4-mini", COMPILED, CachingRule(mode="automatic", min_tokens=1024, increment=128)),
    ("openai/gpt-5", COMPILED, CachingRule(mode="automatic", min_tokens=1024, increment=128, batch_stacks=True)),
    ("openai/gpt-5.5", COMPILED,
     CachingRule(mode="automatic", min_tokens=1024, increment=128, ttl_s=(86_400,), batch_stacks=True)),
    ("openai/gpt-6-luna", COMPILED, CachingRule(
        mode="automatic", min_tokens=1024, increment=128, ttl_s=(1800, 43_200), writes_billed=True, batch_stacks=True)),
    ("openai/gpt-4o-2024-05-13", COMPILED, CachingRule(mode="off")),
    ("google/gemini-2.5-flash", COMPILED, CachingRule(mode="automatic", min_tokens=1024, ttl_s=(300, 3600))),
    ("google/gemini-3-flash-preview", COMPILED, CachingRule(mode="automatic", min_tokens=1024, ttl_s=(300, 3600))),
    ("google/gemini-2.5-pro", COMPILED, CachingRule(mode="automatic", min_tokens=4096, ttl_s=(300, 3600))),
    ("google/gemini-3.1-pro-preview", COMPILED, CachingRule(mode="automatic", min_tokens=4096, ttl_s=(300, 3600))),
    ("groq/openai/gpt-oss-20b", COMPILED, CachingRule(mode="automatic", ttl_s=(7200,), batch_stacks=False)),
])
def test_a_caching_rule_is_data(name: str, day: date, rule: CachingRule, book: PriceBook) -> None:
    assert book.table(name).on(day).rules.caching == rule


@pytest.mark.parametrize(("model", "day", "minimum"), [
    ("claude-opus-5", COMPILED, 512), ("claude-sonnet-5", COMPILED, 1024), ("claude-sonnet-4-5", COMPILED, 1024),
    ("claude-opus-4-8", COMPILED, 1024), ("claude-opus-4-5", COMPILED, 4096), ("claude-opus-4-6", COMPILED, 4096),
    ("claude-haiku-4-5", COMPILED, 4096),
    ("claude-sonnet-4-6", date(2026, 6, 28), 2048), ("claude-sonnet-4-6", COMPILED, 1024),
    ("claude-opus-4-7", date(2026, 6, 28), 4096), ("claude-opus-4-7", COMPILED, 2048),
])
def test_anthropic_caches_on_request_from_a_minimum_of_its_day(
    model: str, day: date, minimum: int, book: PriceBook
) -> None:
    assert book.table(f"anthropic/{model}").on(day).rules.caching == CachingRule(
        mode="explicit", min_tokens=minimum, ttl_s=(300, 3600), refresh=True, writes_billed=True, batch_stacks=True)


def test_writes_cost_a_quarter_more_or_twice_the_input_at_anthropic_and_batch_halves_everything(
    book: PriceBook,
) -> None:
    for name, version in book.on(COMPILED).items():
        if not name.startswith("anthropic/"):
            continue
        rates = version.usd_per_mtok
        assert rates.input is not None
        assert isinstance(rates.cache_write, dict)
        assert rates.cache_write == pytest.approx({300: 1.25 * rates.input, 3600: 2 * rates.input})
        if rates.batch is not None:
            whole, half = dict(meters(rates)), dict(meters(rates.batch))
            assert half == pytest.approx({name: rate / 2 for name, rate in whole.items()})


def test_openai_bills_writes_from_gpt_5_6_on(book: PriceBook) -> None:
    for name, version in book.on(COMPILED).items():
        if name.startswith("openai/"):
            later = name.startswith(("openai/gpt-5.6", "openai/gpt-6"))
            assert version.rules.caching.writes_billed == later, name
            if later:
                rate = version.usd_per_mtok.input or 0
                assert version.usd_per_mtok.cache_write == pytest.approx({1800: 1.25 * rate, 43_200: 2.5 * rate})


def test_a_length_tier_of_openai_doubles_the_input_and_adds_half_to_the_output(book: PriceBook) -> None:
    tiered = [v.usd_per_mtok for n, v in book.on(COMPILED).items() if n.startswith("openai/") and v.usd_per_mtok.tiers]
    assert len(tiered) == 10
    for rates in tiered:
        (tier,) = rates.tiers
        assert rates.input is not None
        assert rates.output is not None
        assert (tier.above, tier.input, tier.output) == pytest.approx((272_000, 2 * rates.input, 1.5 * rates.output))


@pytest.mark.parametrize(("name", "above"), [
    ("google/gemini-2.5-pro", 200_000), ("google/gemini-3.1-pro-preview", 200_000),
    ("anthropic/claude-haiku-5-5", 100_000),
])
def test_other_length_tiers_begin_where_the_provider_says(name: str, above: int, book: PriceBook) -> None:
    assert [tier.above for tier in book.table(name).on(COMPILED).usd_per_mtok.tiers] == [above]


def test_deepseek_doubles_its_rates_in_two_windows_on_weekdays(book: PriceBook) -> None:
    for model in ("deepseek-flash", "deepseek-v4-flash", "deepseek-v4-pro"):
        rates = book.table(f"deepseek/{model}").on(COMPILED).usd_per_mtok
        assert [window.hours for window in rates.windows] == [(1, 4), (6, 10)]
        for window in rates.windows:
            assert window.weekdays == frozenset(range(5))
            assert dict(meters(window)) == pytest.approx({name: 2 * rate for name, rate in meters(rates)})


def test_training_rules_are_data(book: PriceBook) -> None:
    rules = {name: version.rules.training for name, version in book.on(COMPILED).items()}
    assert rules["openai/gpt-4o-mini-ft"] == TrainingRule(min_examples=10, epochs=EpochRule())
    assert EpochRule() == EpochRule(target=3, min_examples=100, max_examples=25_000, cap=25)
    assert rules["together/sft-lora-16b"].validation_billed
    assert rules["ori/sft-lora-10b"].validation_billed
    assert not rules["fireworks/sft-lora-16b"].validation_billed
    assert rules["mistral/fine-tuning"].min_usd == 4
    assert rules["azure/o4-mini-ft"].hour_decimals == 2


def test_a_tuned_model_on_azure_pays_its_base_models_rates_and_an_hourly_fee(book: PriceBook) -> None:
    for model in ("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini"):
        tuned, base = book.table(f"azure/{model}-ft").on(COMPILED), book.table(f"openai/{model}").on(COMPILED)
        assert dict(meters(tuned.usd_per_mtok)) == dict(meters(base.usd_per_mtok))
        assert tuned.hosting_usd_per_hour == 1.70


def test_only_openais_tokens_are_counted_exactly(book: PriceBook) -> None:
    for name, version in book.on(COMPILED).items():
        rule = version.rules.tokens
        assert not rule.exact or name.startswith(("openai/", "azure/")), name
    tokens = {name: version.rules.tokens.encoding for name, version in book.on(COMPILED).items()}
    assert tokens["openai/gpt-3.5-turbo"] == "cl100k_base"
    assert tokens["openai/gpt-4o"] == tokens["openai/gpt-6-luna"] == "o200k_base"


def test_cached_prefill_costs_a_fifth_at_tinker(book: PriceBook) -> None:
    rates = book.table("tinker/qwen3-8b-ft").on(COMPILED).usd_per_mtok
    assert rates.cached_input == pytest.approx(0.2 * 0.195)
