"""Dated rates and billing rules, each with who says so: a fact is a value with a day and a source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from pricing.errors import NotInForce

STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}
"""What pydantic must refuse at the door, shared by every dataclass read from a file."""

Confidence = Literal["verified", "library", "reported", "estimated", "unverified"]
CachingMode = Literal["automatic", "explicit", "off"]
Service = Literal["standard", "batch", "flex", "priority"]
TrainingMethod = Literal["sft", "sft_full", "dpo", "dpo_full", "rft"]


_CLOCKS = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)-((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
ALWAYS = date.min
"""From when a price holds that the scenario types without a date: for ever."""


class Dated(Protocol):
    """Anything that holds from `effective` on and could be known from `recorded` on."""

    @property
    def effective(self) -> date:
        """First day in force."""

    @property
    def recorded(self) -> date:
        """First day it could be known."""


D = TypeVar("D", bound=Dated)


def in_force(versions: Iterable[D], day: date, known_by: date | None = None) -> D | None:
    """The version in force on `day`: latest `effective`, then latest `recorded`.

    Args:
        versions: in any order.
        day: the day asked for.
        known_by: only versions recorded on or before this day count (default: all of them).
    """
    standing = [v for v in versions if v.effective <= day and (known_by is None or v.recorded <= known_by)]
    return max(standing, key=lambda v: (v.effective, v.recorded), default=None)


def not_negative(owner: object, *names: str) -> None:
    """Raise ValueError for the first named field that is set and below zero."""
    for name in names:
        value = getattr(owner, name)
        if value is not None and value < 0:
            raise ValueError(f"{name} is {value}; it cannot be below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says so, where, when it was seen, and how far to believe it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    title: str
    seen_on: date
    confidence: Confidence
    href: str | None = None
    dated: Literal["stated", "inferred"] = "stated"
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRates:
    """USD per million tokens by meter; `cache_write` is one rate or a rate by time to live in seconds."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    input: float | None = None
    cached_input: float | None = None
    cache_write: float | dict[int, float] | None = None
    output: float | None = None

    def __post_init__(self) -> None:
        not_negative(self, "input", "cached_input", "output")
        writes = self.cache_write.values() if isinstance(self.cache_write, Mapping) else [self.cache_write]
        if any(rate is not None and rate < 0 for rate in writes):
            raise ValueError(f"cache_write is {self.cache_write}; it cannot be below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRates(MeterRates):
    """Rates for the whole request once its prompt holds more than `above` tokens."""

    above: float

    def __post_init__(self) -> None:
        MeterRates.__post_init__(self)
        if self.above <= 0:
            raise ValueError(f"above is {self.above}; a tier begins above a positive number of prompt tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRates(MeterRates):
    """Rates inside a daily window of UTC hours, `"01:00-04:00"`, on the days named, `mon-fri`."""

    utc: str
    days: str = "mon-sun"

    def __post_init__(self) -> None:
        MeterRates.__post_init__(self)
        _ = self.hours, self.weekdays

    @property
    def hours(self) -> tuple[float, float]:
        """Begin and end in hours of the UTC day; an end at or before the begin runs past midnight."""
        clock = _CLOCKS.fullmatch(self.utc)
        if clock is None:
            raise ValueError(f'utc is "{self.utc}"; write "HH:MM-HH:MM", each from 00:00 to 24:00')
        begin, end = (int(time[:2]) + int(time[3:]) / 60 for time in clock.groups())
        return begin, end

    @property
    def weekdays(self) -> frozenset[int]:
        """Days of the week, Monday = 0."""
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        first, _, last = self.days.partition("-")
        if first not in names or (last or first) not in names:
            raise ValueError(f'days is "{self.days}"; write "mon-fri" or "sat"')
        begin, end = names.index(first), names.index(last or first)
        return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates(MeterRates):
    """Everything billed by the token: base meters, service levels, length tiers, daily windows."""

    batch: MeterRates | None = None
    flex: MeterRates | None = None
    priority: MeterRates | None = None
    tiers: tuple[TierRates, ...] = ()
    windows: tuple[WindowRates, ...] = ()

    def __post_init__(self) -> None:
        MeterRates.__post_init__(self)
        above = [tier.above for tier in self.tiers]
        if above != sorted(set(above)):
            raise ValueError(f"tiers begin above {above}; list each once, rising")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRate:
    """What a training job is billed by: the token or the hour."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    usd_per_mtok: float | None = None
    usd_per_hour: float | None = None

    def __post_init__(self) -> None:
        not_negative(self, "usd_per_mtok", "usd_per_hour")
        if (self.usd_per_mtok is None) == (self.usd_per_hour is None):
            raise ValueError("give one of usd_per_mtok and usd_per_hour")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachingRule:
    """When a shared prefix is billed as cached.

    `min_tokens` and `increment` bound the cacheable part; `ttl_s` lists the times to live on offer,
    the default first; `refresh` says whether a read renews the life; `batch_stacks` whether batch
    calls use the cache too.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    mode: CachingMode = "off"
    min_tokens: int = 0
    increment: int = 1
    ttl_s: tuple[int, ...] = (300,)
    refresh: bool = True
    writes_billed: bool = False
    batch_stacks: bool = False

    def __post_init__(self) -> None:
        not_negative(self, "min_tokens")
        if self.increment < 1:
            raise ValueError(f"increment is {self.increment}; the smallest step is 1 token")
        if not self.ttl_s or min(self.ttl_s) <= 0:
            raise ValueError(f"ttl_s is {list(self.ttl_s)}; list at least one time to live in seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRule:
    """The provider's default number of epochs for a data set of `n` examples."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    target: int = 3
    min_examples: int = 100
    max_examples: int = 25_000
    cap: int = 25

    def epochs(self, examples: float) -> int:
        """Aim at `target`; keep examples x epochs within [min_examples, max_examples], epochs in [1, cap].

        Source: OpenAI cookbook, Chat_finetuning_data_prep.ipynb.

        >>> [EpochRule().epochs(n) for n in (10, 50, 500, 12_000, 100_000)]
        [10, 3, 3, 2, 1]
        """
        if examples * self.target < self.min_examples:
            return max(1, min(self.cap, int(self.min_examples // examples)))
        if examples * self.target > self.max_examples:
            return max(1, int(self.max_examples // examples))
        return self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRule:
    """How a training job is billed: minimum fee, smallest data set, validation, rounding of hours."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    min_usd: float = 0.0
    min_examples: int = 0
    validation_billed: bool = False
    epochs: EpochRule | None = None
    hour_decimals: int | None = None

    def __post_init__(self) -> None:
        not_negative(self, "min_usd", "min_examples", "hour_decimals")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """How text becomes billed tokens: tokenizer, overhead of a message and of a request.

    `factor` scales tokens counted with `encoding` where the provider's own tokenizer is not public.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    encoding: str | None = None
    factor: float = 1.0
    exact: bool = False
    per_message: int = 0
    per_request: int = 0

    def __post_init__(self) -> None:
        not_negative(self, "per_message", "per_request")
        if self.factor <= 0:
            raise ValueError(f"factor is {self.factor}; it must be above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Billing rules as data."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    caching: CachingRule = field(default_factory=CachingRule)
    training: TrainingRule = field(default_factory=TrainingRule)
    tokens: TokenRule = field(default_factory=TokenRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """When a thing can first be bought, stops taking customers or jobs, and ends."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    available_from: date | None = None
    no_new_customers_from: date | None = None
    no_new_jobs_from: date | None = None
    retires_on: date | None = None
    successor: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests and tokens a minute that the provider admits."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    rpm: float | None = None
    tpm: float | None = None

    def __post_init__(self) -> None:
        not_negative(self, "rpm", "tpm")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """Everything a provider asks for one thing, from `effective` until the next version."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    effective: date
    recorded: date
    source: Source
    usd_per_mtok: Rates = field(default_factory=Rates)
    training: dict[TrainingMethod, TrainingRate] = field(default_factory=dict)
    hosting_usd_per_hour: float | None = None
    storage_usd_per_month: float | None = None
    storage_usd_per_gb_month: float | None = None
    cache_storage_usd_per_mtok_hour: float | None = None
    rules: Rules = field(default_factory=Rules)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        not_negative(
            self,
            "hosting_usd_per_hour",
            "storage_usd_per_month",
            "storage_usd_per_gb_month",
            "cache_storage_usd_per_mtok_hour",
        )

    @property
    def announced(self) -> bool:
        """Whether it was known before it came into force."""
        return self.effective > self.recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """All versions of one price, oldest first."""

    id: str
    versions: tuple[PriceVersion, ...]
    base: str | None = None

    def __post_init__(self) -> None:
        if not self.versions:
            raise ValueError("a price table needs at least one version")
        dates = [(version.effective, version.recorded) for version in self.versions]
        if len(set(dates)) < len(dates):
            raise ValueError(f"{self.id}: two versions share effective and recorded; correct by a later recorded day")
        object.__setattr__(self, "versions", tuple(sorted(self.versions, key=lambda v: (v.effective, v.recorded))))

    @property
    def provider(self) -> str:
        """The part of the id before the first slash."""
        return self.id.partition("/")[0]

    @property
    def base_id(self) -> str | None:
        """Id of the price of the untuned model, of the same provider unless it names another."""
        return self.base if self.base is None or "/" in self.base else f"{self.provider}/{self.base}"

    def on(self, day: date) -> PriceVersion:
        """The version in force on `day`, by all we know now.

        Raises:
            NotInForce: the first version is later than `day`.
        """
        return self._found(in_force(self.versions, day), day)

    def known_on(self, day: date) -> PriceVersion:
        """The version in force on `day`, as it could be known on that day."""
        return self._found(in_force(self.versions, day, known_by=day), day)

    def held_from(self, start: date, day: date, announced: bool = True) -> PriceVersion:
        """What a plan made on `start` reckons with on a later `day`: today's price, and announced changes.

        Args:
            start: the first day of the plan.
            day: the day priced, `start` or later.
            announced: whether announced changes (`effective` after `recorded`) apply from their day.
        """
        standing = [v for v in self.versions if v.effective <= start or (announced and v.announced)]
        return self._found(in_force(standing, day), start)

    def version_id(self, version: PriceVersion) -> str:
        """`id@effective`, with the recording day where the same day was recorded anew; the id if it holds for ever."""
        if version.effective == ALWAYS:
            return self.id
        same = [v for v in self.versions if v.effective == version.effective]
        again = f"+{version.recorded}" if version is not same[0] and version.recorded != same[0].recorded else ""
        return f"{self.id}@{version.effective}{again}"

    def _found(self, version: PriceVersion | None, day: date) -> PriceVersion:
        if version is None:
            first = min(v.effective for v in self.versions)
            raise NotInForce(f'"{self.id}" has no price on {day}; its first version is of {first}')
        return version
