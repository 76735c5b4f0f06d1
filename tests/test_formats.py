"""A number as a person reads it is never off by more than its last digit, at any size, on either side of a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator import formats

LETTERS = {"k": 1e3, "M": 1e6, "B": 1e9}
SIZES = st.floats(min_value=1e-6, max_value=9e11, allow_nan=False)


def read(text: str) -> float:
    """What a person takes the text for."""
    text = text.replace("$", "").replace(",", "").removesuffix(" %")
    scale = LETTERS.get(text[-1], 1.0)
    return float(text.rstrip("kMB")) * scale


@given(SIZES)
@example(9_999.5)
@example(9.995)
@example(9.996)
@example(999_499.9)
@example(999_500.1)
@example(999_999_999.0)
def test_dollars_read_back_within_half_a_percent(value: float) -> None:
    assert read(formats.usd(value)) == pytest.approx(value, rel=0.05 if 10 <= value < 100 else 0.00501)


@given(SIZES)
@example(999.97)
@example(1e-5)
def test_what_was_measured_reads_back_within_its_fourth_digit_without_an_exponent(value: float) -> None:
    said = formats.measured(value)
    assert read(said) == pytest.approx(value, rel=0.000501)
    assert "e" not in said
    assert ("," in said) == (read(said) >= 1000)


@given(SIZES)
@example(9.96)
@example(999_999.6)
def test_counts_read_back_within_their_last_digit(value: float) -> None:
    assert read(formats.count(value)) == pytest.approx(value, rel=0.051 if value < 100 else 0.00501)


@given(SIZES)
def test_a_quantity_can_be_multiplied_by_its_price(value: float) -> None:
    assert read(formats.quantity(value)) == pytest.approx(value, rel=5.01e-9)
    assert read(formats.rate(value)) == pytest.approx(value, rel=5.01e-6)


@given(st.floats(min_value=0.0, max_value=1.0))
@example(0.99999)
@example(1e-7)
def test_a_share_reads_as_none_or_all_only_if_it_is(value: float) -> None:
    text = formats.share(value)
    assert read(text) / 100 == pytest.approx(value, abs=0.00501)
    if 1e-7 < value < 1 - 1e-7:
        assert text not in ("0 %", "100 %")


@given(SIZES, SIZES)
def test_the_larger_amount_never_reads_smaller(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for written in (formats.usd, formats.count, formats.per_call, formats.usd_exact):
        assert read(written(low)) <= read(written(high)) * (1 + 1e-12)


@pytest.mark.parametrize(
    "written", [formats.usd, formats.usd_exact, formats.rate, formats.per_call, formats.count, formats.quantity,
                formats.share], ids=lambda f: f.__name__,
)
def test_what_is_no_number_is_not_written_as_one(written: Callable[[float], str]) -> None:
    assert {written(x) for x in (math.nan, math.inf, -math.inf)} == {formats.NONE}


@pytest.mark.parametrize("written", [formats.usd, formats.usd_exact, formats.rate, formats.per_call, formats.count],
                         ids=lambda f: f.__name__)
@given(value=SIZES)
def test_below_zero_only_the_sign_differs(written: Callable[[float], str], value: float) -> None:
    assert written(-value) == "-" + written(value)


def test_amounts_are_written_as_agreed() -> None:
    assert [formats.usd(x) for x in (1_234, 20_987, 123_456, 3_400_000, 1.2e9)] == [
        "$1,234", "$21.0k", "$123k", "$3.40M", "$1.20B"]
    assert [formats.count(x) for x in (50_000, 3_400_000)] == ["50,000", "3.4M"]
    assert formats.share(0.12) == "12 %"
    assert formats.per_call(0.000114) == "$0.000114"
    assert formats.day(date(2027, 1, 22)) == "22 Jan 2027"
