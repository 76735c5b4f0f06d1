"""How a number is written where a person reads it: one rule for charts, report, tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.domain.findings import Comparison
    from simulator.domain.uncertain import Reign

NONE = "n/a"
"""What stands where there is no number."""

NOT_WORTH_MEASURING = "No single input is worth measuring: whatever it turns out to be, the choice stays."

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Written here rather than asked of the locale, so that a report reads the same on every machine."""

LINES = {
    "input": "uncached input", "cached_input": "cached input", "cache_write": "cache writes", "output": "output",
    "batch_input": "batch input", "batch_cached_input": "cached batch input", "batch_output": "batch output",
    "gpu": "GPU in use", "gpu_idle": "GPU idle", "residual": "residual value", "ops": "upkeep",
    "dataset": "data set", "failures": "wrong answers", "human": "people who step in",
    "adjust": "negotiated prices and credit",
}
"""Lines of a bill whose key is not yet the word for it."""

LARGE = (("B", 1e9), ("M", 1e6), ("k", 1e3))


def usd(value: float) -> str:
    """Dollars to read: cents below $10, whole dollars below $10k, then three digits with k, M or B.

    Below one dollar three significant digits stand, and never fewer than two decimals.

    >>> [usd(x) for x in (0, 0.000114, 0.5, 4.2, 20.987, 9_999.4, 9_999.6, 12_345, 999_600, 3.4e6)]
    ['$0', '$0.000114', '$0.50', '$4.20', '$21', '$9,999', '$10.0k', '$12.3k', '$1.00M', '$3.40M']
    >>> usd(-12_345), usd(float("nan"))
    ('-$12.3k', 'n/a')
    """
    if not math.isfinite(value):
        return NONE
    size = _significant(abs(value), 3)
    if size == 0:
        return "$0"
    if size < 10:
        return _signed(value, _decimals(size, 3, least=2))
    if round(abs(value)) < 10_000:
        return _signed(value, f"{abs(value):,.0f}")
    return _signed(value, _large(size))


def usd_exact(value: float) -> str:
    """Dollars to check: every dollar and cent, or three significant digits where cents would be zero.

    >>> usd_exact(20_987.004), usd_exact(-3), usd_exact(0.00123), usd_exact(0)
    ('$20,987.00', '-$3.00', '$0.00123', '$0.00')
    """
    if not math.isfinite(value):
        return NONE
    size = abs(value)
    return _signed(value, f"{size:,.2f}" if size >= 0.1 or size == 0 else _decimals(_significant(size, 3), 3, least=2))


def rate(value: float) -> str:
    """A price of one unit: up to six significant digits, at least cents.

    >>> rate(0.3), rate(0.0125), rate(2), rate(1_234.5), rate(0.1 + 0.2)
    ('$0.30', '$0.0125', '$2.00', '$1,234.50', '$0.30')
    """
    return _signed(value, _decimals(_significant(abs(value), 6), 6, least=2)) if math.isfinite(value) else NONE


def per_call(value: float) -> str:
    """Dollars for one call: three significant digits, however small, and cents from a dollar on.

    >>> per_call(0.00011432), per_call(0.012), per_call(1.5), per_call(13.046), per_call(0)
    ('$0.000114', '$0.0120', '$1.50', '$13.05', '$0')
    """
    if not math.isfinite(value):
        return NONE
    size = _significant(abs(value), 3)
    if size == 0 or size >= 1:
        return _signed(value, f"{abs(value):,.2f}") if size else "$0"
    return _signed(value, f"{size:.{2 - math.floor(math.log10(size))}f}")


def one_more(value: float) -> str:
    """What one more call costs; it can lower a bill, because it keeps a cache alive for the others.

    >>> one_more(0.012), one_more(-0.0033201)
    ('$0.0120', 'saves $0.00332 (it keeps the cache warm)')
    """
    return f"saves {per_call(-value)} (it keeps the cache warm)" if value < 0 else per_call(value)


def count(value: float) -> str:
    """How many: whole below a million, with one decimal below ten, then three digits with M or B.

    >>> [count(x) for x in (0, 0.04, 2.5, 3, 50_000, 999_999.7, 3.4e6, 18_250_000, 2.5e9)]
    ['0', '0.04', '2.5', '3', '50,000', '1M', '3.4M', '18.2M', '2.5B']
    """
    if not math.isfinite(value):
        return NONE
    size = abs(value)
    sign = "-" if value < 0 else ""
    if size < 1:
        return sign + _trimmed(f"{_significant(size, 2):,.10f}")
    if size < 10:
        return sign + _trimmed(f"{size:,.1f}")
    if round(size) < 1_000_000:
        return f"{sign}{size:,.0f}"
    number = _large(_significant(size, 3))
    return f"{sign}{_trimmed(number[:-1])}{number[-1]}"


def quantity(value: float) -> str:
    """A quantity to check: nine significant digits at most, no zeros at the end.

    >>> quantity(43_387.5), quantity(1_234.56789), quantity(0.96), quantity(3)
    ('43,387.5', '1,234.56789', '0.96', '3')
    """
    if not math.isfinite(value):
        return NONE
    return f"{'-' if value < 0 else ''}{_decimals(_significant(abs(value), 9), 9, least=0)}"


def measured(value: float) -> str:
    """What was measured or fitted: whole from a thousand on, else four digits, as it is not surer than that.

    >>> measured(28816.0223), measured(0.067189882), measured(999.97), measured(-0.00001), measured(0)
    ('28,816', '0.06719', '1,000', '-0.00001', '0')
    """
    if not math.isfinite(value):
        return NONE
    size = _significant(abs(value), 4)
    return f"{value:,.0f}" if size >= 1000 else f"{'-' if value < 0 else ''}{_decimals(size, 4, least=0)}"


def decade(value: float) -> str:
    """A power of ten as an axis shows it.

    >>> [decade(x) for x in (0.01, 1, 100, 1_000, 1e5, 1e7, 1e9)]
    ['0.01', '1', '100', '1k', '100k', '10M', '1B']
    """
    letter, unit = next(((letter, unit) for letter, unit in LARGE if value >= unit), ("", 1.0))
    return f"{value / unit:g}{letter}"


def share(value: float) -> str:
    """A part of the whole in percent, precise enough that nearly all never reads as all.

    >>> [share(x) for x in (0, 0.0004, 0.034, 0.12, 0.125, 0.5, 0.966, 0.9996, 1, 1.25)]
    ['0 %', '0.04 %', '3.4 %', '12 %', '12 %', '50 %', '96.6 %', '99.96 %', '100 %', '125 %']
    """
    if not math.isfinite(value):
        return NONE
    left = min(abs(value), abs(1.0 - value))
    digits = 0 if left == 0 or left >= 0.1 else min(6, -math.floor(math.log10(left)) - 1)
    return f"{_trimmed(f'{100.0 * value:,.{digits}f}')} %"


def nearly(value: float) -> str:
    """A part of the whole with two digits after the point at most, where nearly all is not all, nor nearly none none.

    >>> nearly(0.999989), nearly(0.9996), nearly(0.00002), nearly(0.034), nearly(1), nearly(0)
    ('over 99.99 %', '99.96 %', 'under 0.01 %', '3.4 %', '100 %', '0 %')
    """
    if 0.0 < value < 0.0001:
        return f"under {share(0.0001)}"
    return f"over {share(0.9999)}" if 0.9999 < value < 1.0 else share(value)


def day(value: date) -> str:
    """A date that no country reads the other way round.

    >>> day(date(2027, 1, 22))
    '22 Jan 2027'
    """
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def days(value: float) -> str:
    """A span in days.

    >>> days(1), days(51.6), days(0.4), days(1_204)
    ('1 day', '52 days', '0.4 days', '1,204 days')
    """
    number = f"{value:,.0f}" if value >= 9.95 else _trimmed(f"{value:,.1f}")
    return f"{number} {'day' if number == '1' else 'days'}"


def many(number: int, one: str) -> str:
    """How many of what is called by a word that takes an s.

    >>> many(1, "record"), many(1_204, "record"), many(0, "problem")
    ('1 record', '1,204 records', '0 problems')
    """
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def reading(value: float, unit: str) -> str:
    """A value of a dial with its unit.

    >>> reading(11_027, "1/day"), reading(0.4, "share"), reading(2_600, "tokens"), reading(2, "")
    ('11,027 calls a day', '40 %', '2,600 tokens', '2')
    """
    if unit == "1/day":
        return f"{count(value)} calls a day"
    return share(value) if unit == "share" else f"{count(value)} {unit}".rstrip()


def setting(value: float, unit: str) -> str:
    """A position of a dial, to the last digit: its unit stands beside it.

    >>> setting(50_000, "1/day"), setting(0.125, "share"), setting(1.05, "x"), setting(0.05, "USD")
    ('50,000', '12.5 %', '1.05', '$0.05')
    """
    if unit.startswith("share"):
        return f"{quantity(100.0 * value)} %"
    return f"{'$' if unit == 'USD' else ''}{quantity(value)}"


def line_name(key: str) -> str:
    """A line of a bill in words; a label the user gave stays as it is.

    >>> line_name("cached_input"), line_name("hosting"), line_name("licence fee")
    ('cached input', 'hosting', 'licence fee')
    """
    return LINES.get(key, key)


def short(name: str, most: int = 28) -> str:
    """A long name with its middle left out, as names that begin alike often differ at the end.

    >>> short("tuned-api"), short("support-desk-with-the-very-long-prompt-2026")
    ('tuned-api', 'support-desk-…ng-prompt-2026')
    """
    head = (most - 1) // 2
    return name if len(name) <= most else f"{name[:head]}…{name[head + 1 - most:]}"


def retired_too(number: int) -> str:
    """What a list adds of prices it leaves out.

    >>> retired_too(12), retired_too(0)
    ('; 12 more have retired', '')
    """
    return f"; {number:,} more {'has' if number == 1 else 'have'} retired" if number else ""


def _signed(value: float, number: str) -> str:
    return f"{'-' if value < 0 else ''}${number}"


def _large(size: float) -> str:
    """`12.3k`: three significant digits and a letter; `size` is rounded already, so it picks the right letter."""
    letter, unit = next(((letter, unit) for letter, unit in LARGE if size >= unit), ("", 1.0))
    head = size / unit
    return f"{head:,.{max(0, 2 - math.floor(math.log10(head)))}f}{letter}"


def _significant(size: float, digits: int) -> float:
    return float(f"{size:.{digits}g}")


def _decimals(size: float, digits: int, *, least: int) -> str:
    """Up to `digits` significant digits, at least `least` decimals, no further zeros at the end."""
    if size == 0:
        return f"{0:.{least}f}"
    places = max(least, digits - 1 - math.floor(math.log10(size)))
    whole, _, part = f"{size:,.{places}f}".partition(".")
    part = part.rstrip("0").ljust(least, "0")
    return f"{whole}.{part}" if part else whole


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def reign_words(found: Sequence[Reign], unit: str) -> str:
    """Which option is the cheapest over which stretch of a dial, in a sentence; the middle of many is counted.

    >>> from simulator.domain.uncertain import Reign
    >>> low = Reign(low=1, high=250, cheapest="a", begins=None)
    >>> reign_words([low, Reign(low=250, high=900, cheapest="b", begins="root")], "1/day")
    'Cheapest of all: a below 250 calls a day, b above.'
    """
    names = [one.cheapest or "none" for one in found]
    if len(found) == 1:
        return f"Cheapest of all, from end to end: {names[0]}."
    parts = [f"{names[0]} below {reading(found[0].high, unit)}"]
    shown = list(zip(names, found, strict=True))[1:-1]
    parts += [f"{name} up to {reading(one.high, unit)}" for name, one in shown[:2]]
    if len(shown) > 2:
        parts.append(f"then {len(shown) - 2} more stretches up to {reading(shown[-1][1].high, unit)}")
    return f"Cheapest of all: {', '.join(parts)}, {names[-1]} above."


FEW_RUNS = 20
"""Runs below which the least and the greatest are told: nine runs of ten need twenty for one beyond either end."""


def played_words(comparison: Comparison) -> tuple[list[str], list[str]]:
    """What the runs of a simulation say, a sentence an option, and the story of its first run; empty for no simulation.

    Args:
        comparison: of either engine.
    """
    played = comparison.played
    if played is None:
        return [], []
    many, cheapest = len(played.numbers) > 1, played.cheapest_share()
    ranges = []
    for name in comparison.options:
        low, middle, high = played.interval_usd(name)
        span = f"{usd(low)} to {usd(high)} in nine runs of ten"
        if len(played.numbers) < FEW_RUNS:
            low, high = played.total_usd[name].min(), played.total_usd[name].max()
            span = f"{usd(float(low))} to {usd(float(high))} in {len(played.numbers)} runs"
        words = f"{name}: {span}, median {usd(middle)}" if many else usd(middle)
        often = f"; cheapest in {share(cheapest[name])} of runs" if name in cheapest and many else ""
        back = ""
        if many and comparison.earns_back(name):
            back = _pays_back(played.never_share(name), played.payback_interval(name), len(played.numbers))
        ranges.append(f"{words if many else f'{name}: {words}'}{often}{back}.")
    best = played.best_two()
    if many and len(best) == 2:
        costs = [float(played.total_usd[name].mean()) for name in best]
        half = played.half_width_usd()
        told = f", {share(half / costs[0])} of what {best[0]} costs" if costs[0] > 0 else ""
        ranges.append(
            f"{best[0]} and {best[1]} are {usd(costs[1] - costs[0])} apart on average, give or take {usd(half)} "
            f"(95 %{told})."
        )
    story = [
        f"{name}, day {moment.day}: {moment.text}."
        for name, option in comparison.options.items()
        for moment in option.result.timeline
    ]
    return ranges, story


def _pays_back(never: float, after: tuple[float | None, float | None, float | None], runs: int) -> str:
    """In how many runs an option pays back, given the share in which it never does, and when: 5, 50 and 95 % of runs.

    >>> _pays_back(0.0, (40.0, 50.0, 61.0), 200), _pays_back(0.0, (40.0, 50.0, 61.0), 3)
    ('; pays back in every run, after 40 to 61 days in nine of ten', '; pays back in every run, after 40 to 61 days')
    >>> _pays_back(0.02, (40.0, 50.0, 90.0), 200)
    '; does not pay back in 2 % of runs, after 50 days in the median'
    >>> _pays_back(0.0, (0.0, 0.0, 0.0), 200), _pays_back(1.0, (None, None, None), 200)
    ('; pays back in every run', '; pays back in no run')
    """
    low, middle, high = after
    if never == 1:
        return "; pays back in no run"
    if never == 0:
        if not low or not high:
            return "; pays back in every run"
        when = f"{low:,.0f} to {days(high)}" if round(low) < round(high) else days(high)
        often = " in nine of ten" if " to " in when and runs >= FEW_RUNS else ""
        return f"; pays back in every run, after {when}{often}"
    when = f", after {days(middle)} in the median" if middle else ""
    return f"; does not pay back in {share(never)} of runs{when}"


def played_how(comparison: Comparison) -> str:
    """How a comparison was counted: the engine, and for a simulation its runs, fidelity and seed."""
    if comparison.played is None:
        return f"{comparison.engine} engine"
    number = len(comparison.played.numbers)
    runs = "1 run" if number == 1 else f"{number:,} runs"
    return f"{comparison.engine} engine, {runs}, fidelity {comparison.fidelity}, seed {comparison.seed}"
