"""Reads what providers and gateways log of calls into one shape: when, which model, tokens by meter, what was paid.

Known: OpenAI usage export (JSON buckets or CSV), Anthropic usage CSV, LiteLLM spend logs, Langfuse observations,
OpenTelemetry GenAI spans (JSONL), and any CSV with a column map. Cached tokens are made apart from input whatever
the source, and so are tokens written to a cache: OpenAI, its imitators, OpenTelemetry and a CSV of one's own include
both in the input count, Anthropic does not, LiteLLM did not at all times.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pricing.errors import InputError
from pricing.nearest import nearest
from pricing.table import Service
from simulator.intake.usage_records import records

FIELDS = ("time", "model", "input", "output", "cached", "cache_write", "calls", "usd", "failed", "currency",
          "service")
"""What a row may say; `time`, `input` and `output` are needed."""
NEEDED = ("time", "input", "output")
IN_USD = "prices here are in USD, so convert the log first"
CURRENCIES = {
    **{code: code for code in (
        "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "KRW", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD",
        "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "UAH", "RUB", "TRY", "ILS",
        "AED", "SAR", "ZAR", "BRL", "MXN", "ARS", "CLP", "COP", "THB", "IDR", "MYR", "PHP", "VND",
    )},
    "EURO": "EUR", "EUROS": "EUR", "\u20ac": "EUR", "POUND": "GBP", "POUNDS": "GBP", "\u00a3": "GBP", "YEN": "JPY",
    "\u00a5": "JPY", "YUAN": "CNY", "RMB": "CNY", "RUPEES": "INR", "\u20b9": "INR",
}
"""How the name of a column may say another currency than USD: codes of ISO 4217 that trade most, words, signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Calls of one model at one time; `input` is what was neither read from nor written to a cache.

    `cache_write_1h` is the part of `cache_write` that is kept for an hour; `service` is the level they were sold at.
    `calls` is None in an export that sums up tokens and does not count calls.
    """

    at: datetime
    model: str
    calls: float | None
    input: float
    cached: float
    cache_write: float
    cache_write_1h: float
    output: float
    usd: float | None
    failed: float
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A log summed up; `hours` (24) and `weekdays` (7) are shares of calls times 24 and 7, so that their mean is 1.

    `models` sums by model, `sold` by model and service level, which have rates of their own. Where the export does not
    count calls, `calls` is None, the sums have none, and `by_day`, `hours` and `weekdays` go by tokens instead.
    `usd` is what its rows say was paid, None where none does; `unpaid_rows` say nothing of it.
    """

    rows: int
    calls: float | None
    days: float
    models: Mapping[str, Mapping[str, float]]
    by_day: Mapping[date, float]
    hours: tuple[float, ...] | None
    weekdays: tuple[float, ...] | None
    failed: float
    usd: float | None
    unpaid_rows: int = 0
    sold: Mapping[tuple[str, Service], Mapping[str, float]] = field(default_factory=dict)

    def total(self, meter: str) -> float:
        """Tokens of a meter over all models."""
        return sum(one[meter] for one in self.models.values())

    def counting(self, calls: float) -> Usage:
        """The same log where somebody else knows how many calls it holds; they come as its tokens do."""
        tokens = sum(self.by_day.values())
        by_day = {day: calls * one / tokens for day, one in self.by_day.items()} if tokens else self.by_day
        return replace(self, calls=calls, by_day=by_day)


SUMMED = ("calls", "input", "cached", "cache_write", "cache_write_1h", "output", "usd")
ROWS = ("rows", "unpaid_rows")


def summed(rows: Iterable[UsageRow]) -> Usage:
    """A log as volume by day, profile of hours and weekdays, tokens by model, and what was paid.

    The profile of hours is None where every row stands at midnight (a log of days), that of weekdays under 7 days.
    """
    models: dict[str, dict[str, float]] = {}
    sold: dict[tuple[str, Service], dict[str, float]] = {}
    by_day: dict[date, float] = {}
    hours, weekdays = [0.0] * 24, [0.0] * 7
    count = unpaid = volume = failed = usd = 0.0
    at_midnight = counted = True
    for row in rows:
        count += 1
        unpaid += row.usd is None
        for sums in (models.setdefault(row.model, dict.fromkeys((*SUMMED, *ROWS), 0.0)),
                     sold.setdefault((row.model, row.service), dict.fromkeys((*SUMMED, *ROWS), 0.0))):
            sums["rows"] += 1
            sums["unpaid_rows"] += row.usd is None
            for name in SUMMED:
                sums[name] += getattr(row, name) or 0.0
        usd += row.usd or 0.0
        counted = counted and row.calls is not None
        weight = row.input + row.cached + row.cache_write + row.output if row.calls is None else row.calls
        volume, failed = volume + weight, failed + row.failed
        day = row.at.date()
        by_day[day] = by_day.get(day, 0.0) + weight
        hours[row.at.hour] += weight
        weekdays[day.weekday()] += weight
        at_midnight = at_midnight and row.at.hour == row.at.minute == 0
    days = (max(by_day) - min(by_day)).days + 1 if by_day else 0
    if not counted:
        for sums in (*models.values(), *sold.values()):
            del sums["calls"]
    known = volume > 0
    return Usage(
        rows=int(count),
        calls=volume if counted else None,
        days=days,
        models=models,
        by_day=dict(sorted(by_day.items())),
        hours=tuple(24 * one / volume for one in hours) if known and not at_midnight else None,
        weekdays=tuple(7 * one / volume for one in weekdays) if known and days >= 7 else None,
        failed=failed,
        usd=usd if unpaid < count else None,
        unpaid_rows=int(unpaid),
        sold=sold,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A known log: how it is recognised, which key holds what, whether its input includes what a cache took or gave.

    Of keys with | between them the first that says anything counts, those with + are summed. A row without a number of
    calls is one call, unless the rows of the log are `sums` of tokens. Of a log that is `unsure`, input that is less
    than what its cache took or gave does not include it.
    """

    name: str
    mark: tuple[str, ...]
    keys: Mapping[str, str]
    includes_cached: bool = True
    unsure: bool = False
    sums: bool = False


_LITELLM = "metadata.usage_object"
_SPAN = {
    "model": "gen_ai.request.model|gen_ai.response.model",
    "input": "gen_ai.usage.input_tokens|gen_ai.usage.prompt_tokens",
    "output": "gen_ai.usage.output_tokens|gen_ai.usage.completion_tokens",
    "cached": "gen_ai.usage.cache_read.input_tokens|gen_ai.usage.cache_read_tokens",
    "cache_write": "gen_ai.usage.cache_creation.input_tokens|gen_ai.usage.cache_creation_tokens",
    "failed": "error.type",
}
"""Attributes of a span, under today's names and earlier ones; a point and an underscore are the same in them."""

FORMS = (
    _Form(name="openai", mark=("start_time", "num_model_requests"), keys={
        "time": "start_time", "model": "model", "input": "input_tokens", "output": "output_tokens",
        "cached": "input_cached_tokens", "cache_write": "input_cache_write_tokens", "calls": "num_model_requests",
        "service": "batch+service_tier"}),
    _Form(name="anthropic", mark=("usage_date_utc", "usage_input_tokens_no_cache"), sums=True,
          includes_cached=False, keys={
        "time": "usage_date_utc", "model": "model_version", "input": "usage_input_tokens_no_cache",
        "output": "usage_output_tokens", "cached": "usage_input_tokens_cache_read",
        "cache_write": "usage_input_tokens_cache_write_5m+usage_input_tokens_cache_write_1h",
        "cache_write_1h": "usage_input_tokens_cache_write_1h", "service": "usage_type+service_tier"}),
    _Form(name="litellm", mark=("startTime", "prompt_tokens"), unsure=True, keys={
        "time": "startTime", "model": "model", "input": "prompt_tokens", "output": "completion_tokens",
        "usd": "spend", "failed": "status",
        "cached": f"{_LITELLM}.cache_read_input_tokens|{_LITELLM}.prompt_tokens_details.cached_tokens",
        "cache_write": f"{_LITELLM}.cache_creation_input_tokens|"
                       f"{_LITELLM}.prompt_tokens_details.cache_creation_tokens",
        "cache_write_1h": f"{_LITELLM}.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens"}),
    _Form(name="langfuse", mark=("startTime", "usageDetails"), includes_cached=False, keys={
        "time": "startTime", "model": "model", "input": "usageDetails.input", "output": "usageDetails.output",
        "cached": "usageDetails.input_cached_tokens+usageDetails.cache_read_input_tokens",
        "cache_write": "usageDetails.cache_creation_input_tokens", "usd": "totalCost", "failed": "level"}),
    _Form(name="otel", mark=("attributes", "startTimeUnixNano"), keys={"time": "startTimeUnixNano", **_SPAN}),
    _Form(name="otel", mark=("attributes", "start_time"), keys={"time": "start_time", **_SPAN}),
)
"""Keys as in the providers' own references: OpenAI usage API, Anthropic Console export, LiteLLM_SpendLogs,
Langfuse observations export, OpenTelemetry semantic conventions for GenAI spans (as sent, and as Python prints them).
LiteLLM's `prompt_tokens` hold what a cache took or gave in today's versions, and did not in all earlier ones."""


def read_usage(
    path: str | os.PathLike[str], columns: Mapping[str, str] | None = None, asked_by: str = "columns"
) -> Iterator[UsageRow]:
    """Rows of a usage log, in the order of the file.

    Args:
        path: CSV, JSON or JSONL, plain or gzip.
        columns: for a CSV of one's own, which of its columns holds which of `FIELDS`.
        asked_by: by what `columns` are given where the reader is, as a mistake names it.

    Raises:
        InputError: no such log, a column that is not there, a value that cannot be read, or another currency.
    """
    path = Path(path)
    form: _Form | None = None
    if columns is not None:
        for name in columns:
            if name not in FIELDS:
                raise InputError(f"{asked_by}: {name} is none of {', '.join(FIELDS)}{nearest(name, FIELDS)}")
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            first = missing[0]
            raise InputError(f"{asked_by}: {first} is missing; say which column holds it, as in {first}=COLUMN")
        if other := _currency_in(columns.get("usd", "")):
            raise InputError(f"{path}: column {columns['usd']} is in {other}; {IN_USD}")
        form = _Form(name="columns", mark=(), keys=columns)
    found = False
    for number, record in records(path):
        if form is None:
            form = next((one for one in FORMS if all(mark in record for mark in one.mark)), None)
            if form is None:
                some = ", ".join(list(record)[:8])
                known = ", ".join(dict.fromkeys(one.name for one in FORMS))
                where = f"{path}: line {number}"
                raise InputError(f"{where}: no known log ({known}) has the columns {some}; map them by {asked_by}")
        row = _row(f"{path}: line {number}", record, form)
        if form.mark and not (row.model or row.input or row.cached or row.cache_write or row.output):
            continue                                # a span that is no call of a model, a period without any
        found = True
        yield row
    if not found:
        raise InputError(f"{path}: the file is empty or holds no call; a usage log has a row for each call or period")


def _row(where: str, record: Mapping[str, Any], form: _Form) -> UsageRow:
    attributes = _attributes(record)

    def value(name: str) -> Any:
        key = form.keys.get(name)
        return None if key is None else at(key)

    def at(key: str) -> Any:
        if not (form.mark and "|" in key):
            return only(key)
        return next((found for way in key.split("|") if (found := only(way))), None)

    def only(key: str) -> Any:
        if key in record:
            return record[key]
        if (plain := key.replace(".", "_")) in attributes:
            return attributes[plain]
        if form.name == "columns":
            raise InputError(f"{where}: no column {key!r}{nearest(key, record)}")
        node: Any = record
        for part in key.split("."):
            node = _json_of(node)
            node = node.get(part) if isinstance(node, Mapping) else None
        return node

    beside = next((one for key, one in record.items() if str(key).strip().lower() == "currency"), None)
    currency = value("currency") if form.keys.get("currency") else beside
    if currency not in (None, "") and str(currency).upper() != "USD":
        raise InputError(f"{where}: currency is {currency}; {IN_USD}")
    counted = ("input", "output", "cached", "cache_write", "cache_write_1h", "calls")
    numbers = {name: _number(where, name, value(name)) for name in counted}
    for name in ("cached", "cache_write"):
        if len(keys := _keys(form, name)) > 1:                          # one meter in several columns
            numbers[name] = sum(_number(where, name, at(key)) or 0.0 for key in keys)
    cached, written = numbers["cached"] or 0.0, numbers["cache_write"] or 0.0
    given = numbers["input"] or 0.0
    inside = cached + written if form.includes_cached else 0.0
    if form.unsure and inside > given:
        inside = cached if cached <= given else 0.0
    if inside > given:
        both = f"{cached:,.0f} cached tokens" + (f" and {written:,.0f} written to a cache" if written else "")
        raise InputError(f"{where}: {both} are more than the {given:,.0f} of the input they are part of")
    usd = value("usd")
    return UsageRow(
        at=_time(where, value("time")),
        model=str(value("model") or ""),
        calls=1.0 if numbers["calls"] is None and not form.sums else numbers["calls"],
        input=given - inside,
        cached=cached,
        cache_write=written,
        cache_write_1h=numbers["cache_write_1h"] or 0.0,
        output=numbers["output"] or 0.0,
        usd=None if usd in (None, "") else _number(where, "usd", usd),
        failed=float(_has_failed(value("failed"))),
        service=_service(at(key) for key in _keys(form, "service")),
    )


def _keys(form: _Form, name: str) -> list[str]:
    """The keys that hold a field; a known log may spread it over several, a column of one's own has one name."""
    keys = form.keys.get(name)
    return [] if keys is None else keys.split("+") if form.mark else [keys]


def _currency_in(column: str) -> str | None:
    """The other currency that a column's name holds as a word of its own: cost_eur, costEUR, Kosten (\u20ac).

    >>> _currency_in("cost_eur"), _currency_in("totalCostGBP"), _currency_in("cost_neural"), _currency_in("cost_usd")
    ('EUR', 'GBP', None, None)
    """
    words = [word.upper() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\w\s]", column)]
    return None if "USD" in words else next((CURRENCIES[word] for word in words if word in CURRENCIES), None)


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """OpenTelemetry attributes by key, from either of their two JSON forms; an underscore stands for every point."""
    found = record.get("attributes")
    if isinstance(found, Mapping):
        return {str(key).replace(".", "_"): one for key, one in found.items()}
    if not isinstance(found, list):
        return {}
    named = [one for one in found if isinstance(one, Mapping) and "key" in one]
    return {str(one["key"]).replace(".", "_"): _typed(one.get("value")) for one in named}


def _typed(value: Any) -> Any:
    """What OpenTelemetry wraps in the name of its type."""
    return next(iter(value.values()), None) if isinstance(value, Mapping) else value


def _json_of(node: Any) -> Any:
    """What a cell of a CSV says in JSON; anything else as it is."""
    if not (isinstance(node, str) and node.lstrip().startswith("{")):
        return node
    try:
        return json.loads(node)
    except (ValueError, RecursionError):
        return node


def _has_failed(value: Any) -> bool:
    return str(value).lower() not in ("none", "", "false", "0", "success", "ok", "default", "debug", "warning", "200")


def _service(marks: Iterable[Any]) -> Service:
    """The level a row was sold at: a mark of batch is the word or a plain yes, and no mark is standard."""
    levels: dict[str, Service] = {"batch": "batch", "true": "batch", "1": "batch", "1.0": "batch", "yes": "batch",
                                  "flex": "flex", "priority": "priority"}
    words = (str(mark).strip().lower() for mark in marks)
    return next((levels[word] for word in words if word in levels), "standard")


def _number(where: str, name: str, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        grouped = isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}(,\d{3})+(\.\d*)?\s*", value)
        number = float(value.replace(",", "")) if grouped else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < 1e18:
        raise InputError(f"{where}: {name} is {str(value)[:40]!r}; it must be a number of zero or more")
    return number


_READERS: tuple[Callable[[str], datetime], ...] = (
    lambda text: datetime.fromtimestamp(float(text) / _unit(float(text)), UTC),
    datetime.fromisoformat,
)


def _unit(stamp: float) -> float:
    """What a stamp counts, by its size: seconds, milliseconds, microseconds or nanoseconds since 1970."""
    return next(unit for unit in (1.0, 1e3, 1e6, 1e9) if stamp / unit < 1e10 or unit == 1e9)


def _time(where: str, value: Any) -> datetime:
    text = str(value).strip()
    for read in _READERS[1:] if re.fullmatch(r"(19|20)\d{6}", text) else _READERS:
        try:
            found = read(text)
        except (ValueError, OverflowError, OSError):
            continue
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    raise InputError(f"{where}: time is {text[:40]!r}; write it as 2026-11-16 18:17:03 or as seconds since 1970")
