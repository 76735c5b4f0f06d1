"""What a recorded trace would have cost: every call of it billed by the till, at the rates of one day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError, NotSold
from pricing.table import Confidence, PriceTable, PriceVersion, Rates, WindowRates
from simulator.billing import bill
from simulator.domain.ledger import CostLedger
from simulator.domain.options import HostedPrompt
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, Count, TokenMeter, TokenPrice
from simulator.domain.workload import Tokens, Workload

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

Group = tuple[int, int | None, TokenMeter]
"""Length tier (0: below the first), daily window (None: outside all), and meter."""

NAME = "trace"
METERS: tuple[TokenMeter, ...] = ("input", "output")
MTOK = 1e6
NS_PER_HOUR = 3_600_000_000_000
FIRST_WEEKDAY = 3
"""1970-01-01, from which stamps are counted, was a Thursday (Monday = 0)."""


class Calls(Protocol):
    """Calls in order of time: ns from the first stamp, itself ns from 1970-01-01 00:00 UTC, and tokens by call."""

    @property
    def first_ns(self) -> int:
        """The first stamp."""

    @property
    def stamps_ns(self) -> Counts:
        """Nanoseconds since the first stamp, shape (rows,)."""

    @property
    def input_tokens(self) -> Counts:
        """Tokens read, shape (rows,)."""

    @property
    def output_tokens(self) -> Counts:
        """Tokens written, shape (rows,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The bill of a trace: dollars in all and by line, and the version of the price that was asked."""

    price: str
    on: date
    price_version: str
    confidence: Confidence
    cost_usd: float
    by_line: Mapping[str, float]
    input_tokens: int
    output_tokens: int


def replay(calls: Calls, table: PriceTable, on: date) -> Replay:
    """Bill every call at the rates in force on `on`, as if none of its input had been cached.

    A call whose input is above a tier is billed at that tier's rates as a whole; where rates differ by the hour,
    a call is billed by the time of day and the weekday of its own stamp, read as UTC.

    Args:
        calls: the trace.
        table: the price, with all its versions.
        on: the day whose rates are asked.

    Raises:
        NotInForce: no version is in force on that day.
        NotSold: the price has no input or no output rate and the trace has such tokens.
        InputError: the model had retired by then.
    """
    return replay_blocks((calls,), table, on)


def replay_blocks(blocks: Iterable[Calls], table: PriceTable, on: date) -> Replay:
    """Bill a trace that comes in parts, in any order, without holding more than one; else as `replay`."""
    version = table.on(on)
    ends = version.lifecycle.retires_on
    if ends is not None and ends <= on:
        raise InputError(f'"{table.id}" retired on {ends}; name an earlier day than {on}, or another price')
    rows = 0
    sums: dict[Group, int] = {}
    for calls in blocks:
        rows += len(calls.input_tokens)
        for band, window, inside in _groups(calls, version.usd_per_mtok):
            for meter in METERS:
                column = calls.input_tokens if meter == "input" else calls.output_tokens
                key = (band, window, meter)
                sums[key] = sums.get(key, 0) + int(column[inside].sum())
    total = {meter: sum(tokens for (_, _, of), tokens in sums.items() if of == meter) for meter in METERS}
    try:
        ledger = bill(_scenario(rows, total, table, on), _activity(rows, sums, table.id))
    except NotSold:
        raise NotSold(_unsold(table, version)) from None
    by_line = {"input": 0.0, "output": 0.0, **_by_line(ledger)}
    return Replay(
        price=table.id,
        on=on,
        price_version=table.version_id(version),
        confidence=version.source.confidence,
        cost_usd=sum(by_line.values()),
        by_line=by_line,
        input_tokens=total["input"],
        output_tokens=total["output"],
    )


def _scenario(rows: int, total: Mapping[TokenMeter, int], table: PriceTable, on: date) -> Scenario:
    """One day on which the calls of the trace come: what the till needs to know of them."""
    tokens = Tokens(input=total["input"] / rows, output=total["output"] / rows)
    return Scenario(
        name=NAME,
        start=on,
        horizon_days=1,
        baseline=NAME,
        workload=Workload(calls_per_day=float(rows), tokens=tokens),
        options={NAME: HostedPrompt(price=table.id)},
        prices={table.id: table},
    )


def _activity(rows: int, sums: Mapping[Group, int], price: str) -> Activity:
    """Exact token sums by meter, length tier and daily window."""
    calls, none = np.array([[float(rows)]]), np.zeros((1, 1))
    counts = [
        Count(
            line=meter,
            unit="Mtok",
            quantity=np.array([[tokens / MTOK]]),
            basis=TokenPrice(price=price, meter=meter, band=band, window=window),
            option=NAME,
        )
        for (band, window, meter), tokens in sums.items()
        if tokens
    ]
    return Activity(
        option=NAME,
        edges=np.array([0, 1]),
        counts=tuple(counts),
        calls=calls,
        served=calls,
        eligible=none,
        hits=none,
        peak_per_s=np.zeros(1),
        delivered_share=np.ones(1),
    )


def _groups(calls: Calls, rates: Rates) -> Iterator[tuple[int, int | None, Mask]]:
    """The rows of each length tier (0: below the first) within each daily window (None: outside all)."""
    band = np.searchsorted([tier.above for tier in rates.tiers], calls.input_tokens, side="left")
    left = np.ones(len(band), dtype=bool)
    windows: list[tuple[int | None, Mask]] = []
    for number, window in enumerate(rates.windows):
        inside = left & _within(calls, window)
        left = left & ~inside
        windows.append((number, inside))
    for window_number, rows in [*windows, (None, left)]:
        for tier in range(len(rates.tiers) + 1):
            yield tier, window_number, rows & (band == tier)


def _within(calls: Calls, window: WindowRates) -> Mask:
    """Which calls come inside a window; one that passes midnight belongs to the day on which it began."""
    hours, ns = np.divmod(calls.first_ns + calls.stamps_ns, NS_PER_HOUR)
    weekday = (hours // 24 + FIRST_WEEKDAY) % 7
    ns_of_day = hours % 24 * NS_PER_HOUR + ns
    begin, end = (round(hour * NS_PER_HOUR) for hour in window.hours)
    named = sorted(window.weekdays)
    today, yesterday = np.isin(weekday, named), np.isin((weekday - 1) % 7, named)
    if begin < end:
        return today & (ns_of_day >= begin) & (ns_of_day < end)
    return (today & (ns_of_day >= begin)) | (yesterday & (ns_of_day < end))


def _by_line(ledger: CostLedger) -> dict[str, float]:
    return {line: float(usd[0]) for line, usd in ledger.by_line().items()}


def _unsold(table: PriceTable, version: PriceVersion) -> str:
    rates = version.usd_per_mtok
    missing = " and ".join(meter for meter in ("input", "output") if getattr(rates, meter) is None)
    return f"{table.version_id(version)} has no {missing or 'such'} rate by the token; name a price that sells both"
