"""The ways to serve the calls: a hosted model with a prompt, or a hosted model after tuning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pricing.table import STRICT, CachingMode, Limits
from simulator.domain.costs import Dataset, Fallback, Human, Outages, Retries, Training
from simulator.domain.dials import Dial, check_dials

OPS_HOURS = {"hosted_prompt": 2.0, "hosted_fine_tuned": 4.0}
"""Upkeep in engineer hours a month where the scenario names none: both sides carry people. A judgement of ours that the
report lists as an assumption."""

REACH = {"automatic": 0.9, "explicit": 1.0, "off": 0.0}
"""Share of would-be cache hits that really come. Automatic caches are best effort: one 5,000-token prefix was measured
at 0, 51, 75 and 91 % (dev.to/sm1ck). The 0.9 is a judgement of ours that the report lists as an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """How an option uses the provider's prompt cache; what is not set follows the price table's rule.

    `scopes` caches share the traffic evenly; `calls_per_cache` replaces arrivals by a fixed number of
    calls that read a cache after one request has written it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    mode: CachingMode | None = None
    ttl: int | None = None
    scopes: Annotated[float, Dial("Separate caches", "caches", 1, 1000, "log", least=1)] = 1.0
    reach: Annotated[float | None, Dial("Would-be cache hits that come", "share", 0, 1, most=1)] = None
    calls_per_cache: Annotated[float | None, Dial("Calls per written cache", "calls", 1, 1000, "log", least=1e-9)] = (
        None
    )

    def __post_init__(self) -> None:
        check_dials(self)
        if self.ttl is not None and self.ttl <= 0:
            raise ValueError(f"ttl is {self.ttl}; a time to live is a positive number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedOption:
    """What both hosted kinds share: a price, a prompt, calls, and people.

    `prefix_tokens` is the part of the prompt that every call repeats (system prompt, examples, tool
    definitions); `prompt` names the file it was counted from.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    price: str
    prefix_tokens: Annotated[float, Dial("Shared prompt", "tokens", 0, 100_000)] = 0.0
    prompt: str | None = None
    prompt_exact: bool = True
    caching: Caching = field(default_factory=Caching)
    cache_hit_rate: Annotated[float | None, Dial("Cache hit share", "share", 0, 1, most=1)] = None
    batch_share: Annotated[float, Dial("Deferrable calls sent as batch", "share", 0, 1, most=1)] = 0.0
    service: Literal["standard", "flex", "priority"] = "standard"
    retries: Retries = field(default_factory=Retries)
    reasoning_tokens: Annotated[float, Dial("Hidden reasoning per call", "tokens", 0, 10_000)] = 0.0
    input_tokens: Annotated[float | None, Dial("Input per call", "tokens", 1, 200_000, "log")] = None
    output_tokens: Annotated[float | None, Dial("Output per call", "tokens", 1, 20_000, "log")] = None
    evaluation_usd: Annotated[float, Dial("Evaluation per release", "USD", 0, 10_000)] = 0.0
    engineering_hours: Annotated[float, Dial("Engineering to build it", "h", 0, 500)] = 0.0
    ops_hours_per_month: Annotated[float | None, Dial("Upkeep", "h/month", 0, 80)] = None
    ready_after_days: Annotated[float, Dial("Ready after", "days", 0, 180, whole=True)] = 0.0
    until_ready: str | None = None
    successor: str = "stop"
    success_rate: Annotated[float | None, Dial("Answers that are right", "share", 0, 1, most=1)] = None
    price_factor: Annotated[float, Dial("Factor on book prices", "x", 0.1, 3, most=1000)] = 1.0
    one_off_usd: Annotated[dict[str, float], Dial("Paid once", "USD", 0, 100_000)] = field(default_factory=dict)
    recurring_usd_per_month: Annotated[dict[str, float], Dial("Paid every month", "USD/month", 0, 20_000)] = field(
        default_factory=dict
    )
    fallback: Fallback | None = None
    outages: Outages = field(default_factory=Outages)
    human: Human | None = None
    limits: Limits = field(default_factory=Limits)
    dataset: Dataset | None = None
    kind: Literal["hosted_prompt", "hosted_fine_tuned"] = "hosted_prompt"

    def __post_init__(self) -> None:
        check_dials(self)
        if self.ready_after_days != int(self.ready_after_days):
            raise ValueError(f"ready_after_days is {self.ready_after_days:g}; count whole days")
        if self.ready_after_days > 0 and self.until_ready is None:
            raise ValueError(
                f"ready_after_days is {self.ready_after_days:g} and nothing serves until then; "
                "name an option in until_ready"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPrompt(HostedOption):
    """A hosted model that is told in every call what to do."""

    kind: Literal["hosted_prompt"] = "hosted_prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedFineTuned(HostedOption):
    """A hosted model that was trained on examples and needs a shorter prompt."""

    kind: Literal["hosted_fine_tuned"] = "hosted_fine_tuned"
    training: Training | None = None
    storage_gb: Annotated[float, Dial("Stored weights", "GB", 0, 100)] = 0.0


Option = HostedPrompt | HostedFineTuned
KINDS: dict[str, type[HostedOption]] = {"hosted_prompt": HostedPrompt, "hosted_fine_tuned": HostedFineTuned}
