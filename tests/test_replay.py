"""A recorded trace gives its exact token sums and its exact bill, call by call."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError, NotInForce, NotSold
from pricing.load import shipped_book
from pricing.table import Lifecycle, PriceTable, PriceVersion, Rates, Source, TierRates, WindowRates
from simulator import read_trace, replay, replay_blocks, trace_blocks
from simulator.intake.trace import Trace
from simulator.studies.replay import Replay

AZURE = Path(__file__).parent / "data" / "azure_llm_2023"
DAY = date(2026, 6, 1)
NS = 1_000_000_000
MONDAY_NS = 1_717_372_800 * NS      # Monday, 2024-06-03 00:00 UTC


def sold(rates: Rates, lifecycle: Lifecycle | None = None) -> PriceTable:
    """A price in force from 2026 on."""
    source = Source(title="made for this test", seen_on=DAY, confidence="reported")
    version = PriceVersion(
        effective=date(2026, 1, 1), recorded=date(2026, 1, 1), source=source, usd_per_mtok=rates,
        lifecycle=lifecycle or Lifecycle(),
    )
    return PriceTable(id="mine/model", versions=(version,))


def calls(rows: list[tuple[int, int]], hours: list[float] | None = None) -> Trace:
    """Calls of (input, output) tokens, at hours after Monday midnight UTC (default: all at once)."""
    at = np.array([round(hour * 3600) * NS for hour in hours or [0.0] * len(rows)], dtype=np.int64)
    tokens = np.array(rows, dtype=np.int64)
    return Trace(
        source="made", first_ns=MONDAY_NS + int(at[0]), stamps_ns=at - at[0],
        input_tokens=tokens[:, 0].copy(), output_tokens=tokens[:, 1].copy(),
    )


@pytest.mark.parametrize(
    ("file", "tokens", "usd"),
    [("code", (18_059_974, 245_896), 2.8565337), ("conv", (22_361_870, 4_088_665), 5.8074795)],
)
def test_an_hour_of_a_real_service_costs_what_its_tokens_cost(file: str, tokens: tuple[int, int], usd: float) -> None:
    """The Azure traces of November 2023 at gpt-4o-mini's first rates, 0.15 in and 0.60 out."""
    trace = read_trace(AZURE / f"AzureLLMInferenceTrace_{file}.csv.gz")
    bill: Replay = replay(trace, shipped_book(["openai"]).table("openai/gpt-4o-mini"), date(2024, 9, 10))
    assert (bill.input_tokens, bill.output_tokens) == tokens
    assert bill.cost_usd == pytest.approx(usd, rel=1e-9)
    assert bill.by_line == pytest.approx({"input": tokens[0] * 0.15e-6, "output": tokens[1] * 0.60e-6}, rel=1e-9)
    assert bill.price_version == "openai/gpt-4o-mini@2024-07-18"


def test_a_trace_in_blocks_has_the_bill_of_the_whole_one_in_whatever_order_its_rows_stand(tmp_path: Path) -> None:
    """By a price with a tier and with hours; 60,000 rows of about 30 bytes, read in several blocks."""
    rng = np.random.default_rng(5)
    drawn = rng.integers([[0]] * 4, [[28], [24], [4000], [900]], (4, 60_000)).T
    lines = [f"2024-06-{1 + day:02d} {hour:02d}:30:00,{read},{wrote}\n" for day, hour, read, wrote in drawn]
    path = tmp_path / "calls.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(lines), "utf-8")
    night = WindowRates(utc="16:30-00:30", input=0.5, output=2.0)
    table = sold(Rates(input=1.0, output=4.0, tiers=(TierRates(above=2000, input=2.0, output=8.0),), windows=(night,)))
    blocks = list(trace_blocks(path))
    assert len(blocks) > 1
    assert replay_blocks(blocks, table, DAY) == replay(read_trace(path), table, DAY)


def test_a_prompt_above_a_tier_is_billed_at_its_rates_as_a_whole() -> None:
    """At the threshold the lower rates hold; one token above it every token of the call costs the upper ones."""
    table = sold(Rates(input=1.0, output=10.0, tiers=(TierRates(above=1000, input=2.0, output=30.0),)))
    assert replay(calls([(1000, 100)]), table, DAY).cost_usd == pytest.approx((1000 * 1 + 100 * 10) / 1e6, rel=1e-12)
    assert replay(calls([(1001, 100)]), table, DAY).cost_usd == pytest.approx((1001 * 2 + 100 * 30) / 1e6, rel=1e-12)


def test_tiers_are_judged_call_by_call_and_not_on_the_mean() -> None:
    """Two calls of 500 and 1,500 tokens do not cost what two of 1,000 do."""
    table = sold(Rates(input=1.0, output=1.0, tiers=(TierRates(above=1000, input=2.0, output=2.0),)))
    apart, alike = (replay(calls(rows), table, DAY) for rows in ([(500, 0), (1500, 0)], [(1000, 0), (1000, 0)]))
    assert apart.cost_usd == pytest.approx(3500e-6, rel=1e-12)
    assert alike.cost_usd == pytest.approx(2000e-6, rel=1e-12)
    assert apart.by_line == pytest.approx({"input": 3500e-6, "output": 0.0}, rel=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 20_000)), min_size=1, max_size=30),
    st.lists(st.integers(1, 300_000), max_size=3, unique=True).map(sorted),
)
def test_the_bill_is_the_sum_of_the_bills_of_its_calls(rows: list[tuple[int, int]], above: list[int]) -> None:
    """Summed by hand: a call pays the rates of the highest tier that begins below its prompt."""
    tiers = tuple(TierRates(above=edge, input=2.0 + n, output=5.0 + n) for n, edge in enumerate(above))
    bill = replay(calls(rows), sold(Rates(input=1.0, output=4.0, tiers=tiers)), DAY)
    by_hand = 0.0
    for tokens_in, tokens_out in rows:
        steps = sum(edge < tokens_in for edge in above)
        by_hand += tokens_in * (1.0 + steps) + tokens_out * (4.0 + steps)
    assert bill.cost_usd == pytest.approx(by_hand / 1e6, rel=1e-9)
    assert sum(bill.by_line.values()) == pytest.approx(bill.cost_usd, rel=1e-12)


@pytest.mark.parametrize(
    ("hour", "usd_per_mtok"),
    [(0.99, 1.0), (1.0, 3.0), (3.99, 3.0), (4.0, 1.0), (5 * 24 + 2.0, 1.0), (4 * 24 + 2.0, 3.0)],
    ids=["before", "at its begin", "at its last minute", "at its end", "on Saturday", "on Friday"],
)
def test_a_call_pays_the_rate_of_its_hour(hour: float, usd_per_mtok: float) -> None:
    """A window from 01:00 to 04:00 UTC, Monday to Friday."""
    peak = WindowRates(utc="01:00-04:00", days="mon-fri", input=3.0, output=3.0)
    table = sold(Rates(input=1.0, output=1.0, windows=(peak,)))
    assert replay(calls([(1_000_000, 0)], [hour]), table, DAY).cost_usd == pytest.approx(usd_per_mtok, rel=1e-12)


@pytest.mark.parametrize(
    ("hour", "inside"),
    [(23.0, True), (24.0, True), (25.99, True), (26.0, False), (0.5, False), (21.9, False), (24 + 23.0, False)],
)
def test_a_window_past_midnight_belongs_to_the_day_it_began(hour: float, inside: bool) -> None:
    """A window from 22:00 to 02:00 UTC that begins on Mondays ends on Tuesday, and no other night has one."""
    night = WindowRates(utc="22:00-02:00", days="mon", input=0.5, output=0.5)
    table = sold(Rates(input=1.0, output=1.0, windows=(night,)))
    bill = replay(calls([(1_000_000, 0)], [hour]), table, DAY)
    assert bill.cost_usd == pytest.approx(0.5 if inside else 1.0, rel=1e-12)


def test_only_what_the_trace_has_must_be_sold() -> None:
    """A price without an output rate bills a trace that wrote nothing, and refuses one that wrote a token."""
    table = sold(Rates(input=1.0))
    assert replay(calls([(1_000_000, 0)]), table, DAY).by_line == {"input": 1.0, "output": 0.0}
    with pytest.raises(NotSold, match=r"^mine/model@2026-01-01 has no output rate by the token; name"):
        replay(calls([(10, 1)]), table, DAY)


def test_no_bill_before_the_first_price_or_after_the_end() -> None:
    table = sold(Rates(input=1.0, output=1.0), Lifecycle(retires_on=DAY))
    with pytest.raises(NotInForce, match="no price on 2025-12-31"):
        replay(calls([(1, 1)]), table, date(2025, 12, 31))
    with pytest.raises(InputError, match="retired on 2026-06-01"):
        replay(calls([(1, 1)]), table, DAY)
    assert replay(calls([(1, 1)]), table, date(2026, 5, 31)).cost_usd == pytest.approx(2e-6, rel=1e-12)
