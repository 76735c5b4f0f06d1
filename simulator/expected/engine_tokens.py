"""The part of the expected engine that turns one stage of service into token counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.table import PriceVersion, Service
from simulator.domain.options import REACH
from simulator.domain.usage import Count, RecurringPrice, TokenPrice
from simulator.expected.caching import eligible_prefix, with_retries
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar
from simulator.expected.footprint import Lengths, tokens_by_meter

Array = NDArray[np.float64]
LINES = {
    "standard": {"input": "input", "cached_input": "cached_input", "cache_write": "cache_write", "output": "output"},
    "batch": {
        "input": "batch_input", "cached_input": "batch_cached_input", "cache_write": "cache_write", "output": "batch_output",
    },
}
MTOK = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Token counts of a stage with the calls behind them, each (D, T)."""

    counts: list[Count]
    eligible: Array
    hits: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlan:
    """How a stage uses the cache: what can be cached, for how long, and how the hits come about."""

    cacheable: Array
    ttl_s: int
    reach: Any
    pinned: Any
    calls_per_cache: Any
    writes_billed: bool
    refresh: bool
    batch_too: bool
    stored: bool


def cache_plan(option: Any, version: PriceVersion, where: str) -> CachePlan:
    """What the option's wishes and the provider's rule make of the cache.

    Raises:
        InputError: a time to live the provider does not sell.
    """
    rule, wish = version.rules.caching, option.caching
    pinned, per_cache = option.cache_hit_rate, wish.calls_per_cache
    mode = wish.mode or ("explicit" if rule.mode == "off" and (pinned is not None or per_cache is not None) else rule.mode)
    ruled = rule.mode != "off"
    ttl = wish.ttl or rule.ttl_s[0]
    if ruled and mode != "off" and wish.ttl is not None and wish.ttl not in rule.ttl_s:
        offered = ", ".join(f"{seconds}" for seconds in rule.ttl_s)
        raise InputError(f"{where}.caching.ttl: {wish.ttl} s is not on offer at {option.price}; it sells {offered}")
    prefix = np.asarray(option.prefix_tokens, dtype=float)
    cacheable = eligible_prefix(prefix, rule.min_tokens, rule.increment) if mode != "off" else 0.0 * prefix
    return CachePlan(
        cacheable=cacheable,
        ttl_s=ttl,
        reach=REACH[mode] if wish.reach is None else wish.reach,
        pinned=pinned,
        calls_per_cache=per_cache,
        writes_billed=rule.writes_billed or (not ruled and version.usd_per_mtok.cache_write is not None),
        refresh=rule.refresh,
        batch_too=rule.batch_stacks,
        stored=mode == "explicit" and version.cache_storage_usd_per_mtok_hour is not None,
    )


def token_counts(
    calendar: Calendar, option: Any, name: str, price: str, version: PriceVersion, span: slice, share: Any = 1.0
) -> Served:
    """Counts of one option at one price version over the periods of `span`.

    Args:
        calendar: calls and hit shares by period.
        option: the option or its drawn view.
        name: its name, for messages.
        price: id of the price that serves.
        version: its version in force.
        span: periods served, as a slice of the calendar's.
        share: share of the workload's calls that comes here.
    """
    workload = calendar.scenario.workload
    column = calendar.column
    plan = cache_plan(option, version, f"options.{name}")
    tries, delivered = attempts(option.retries.failure_rate, option.retries.max)
    billed = tries if option.retries.billed else delivered
    deferred = column(np.asarray(workload.deferrable_share, dtype=float) * option.batch_share)
    calls = calendar.calls[:, span] * column(share)
    rules = version.rules.tokens
    overhead = rules.per_request + rules.per_message * (1.0 + (np.asarray(option.prefix_tokens) > 0))
    input_tokens = workload.tokens.input if option.input_tokens is None else option.input_tokens
    output_tokens = workload.tokens.output if option.output_tokens is None else option.output_tokens
    lengths = Lengths(
        prefix=column(option.prefix_tokens),
        cacheable=column(plan.cacheable),
        overhead=column(overhead),
        input=column(input_tokens),
        output=column(np.asarray(output_tokens, dtype=float) + option.reasoning_tokens),
        input_cv=column(workload.tokens.input_cv),
        output_cv=column(workload.tokens.output_cv),
        correlation=column(workload.tokens.correlation),
    )
    thresholds = tuple(tier.above for tier in version.usd_per_mtok.tiers)
    windows = version.usd_per_mtok.windows if option.service == "standard" else ()
    counts: list[Count] = []
    can_cache = bool(np.any(plan.cacheable > 0))
    flows: list[tuple[Service, int | None, Array, Array]] = []
    interactive = calls * (1.0 - deferred)
    arriving = column(share) * (1.0 if plan.batch_too else 1.0 - deferred) / column(option.caching.scopes)
    hit_all = np.zeros((1, 1))
    for window, part, mask in calendar.windows(windows, span):
        hit = _hit_share(calendar, plan, arriving, mask, span) if can_cache else np.zeros((1, 1))
        flows.append((option.service, window, interactive * part, hit))
        hit_all = hit_all + hit * part
    if np.any(deferred > 0):
        flows.append(("batch", None, calls * deferred, hit_all if plan.batch_too else np.zeros((1, 1))))
    for service, window, flow, hit in flows:
        per_attempt = with_retries(hit, column(tries), column(delivered), column(option.retries.failure_rate),
                                   bool(option.retries.billed)) if can_cache else hit
        if plan.calls_per_cache is not None and can_cache and service != "batch":
            counts += _written_ahead(plan, flow, price, name, service, window, column)
        for found in tokens_by_meter(lengths, per_attempt if plan.calls_per_cache is None else hit, plan.writes_billed,
                                     thresholds):
            basis = TokenPrice(price=price, meter=found.meter, service=service, band=found.band, window=window,
                               ttl_s=plan.ttl_s if found.meter == "cache_write" else None)  # type: ignore[arg-type]
            line = LINES["batch" if service == "batch" else "standard"][found.meter]
            quantity = flow * column(billed) * found.tokens / MTOK
            counts.append(Count(line=line, unit="Mtok", quantity=quantity, basis=basis, option=name))
    cached = interactive * (column(plan.cacheable) > 0)
    if plan.stored:
        counts.append(_stored(plan, cached * (1.0 - hit_all), price, name, column))
    return Served(counts=counts, eligible=cached, hits=cached * hit_all)


def _hit_share(calendar: Calendar, plan: CachePlan, arriving: Any, mask: tuple[float, ...] | None, span: slice) -> Array:
    if plan.calls_per_cache is not None:
        return np.ones((1, 1))
    if plan.pinned is not None:
        return calendar.column(plan.pinned)
    share = calendar.hit_share(float(plan.ttl_s), plan.refresh, arriving, mask, span)
    reached: Array = share * calendar.column(plan.reach)
    return reached


def _written_ahead(plan: CachePlan, flow: Array, price: str, name: str, service: Service, window: int | None, column: Any
                   ) -> list[Count]:
    """Requests that only write a cache, one for every `calls_per_cache` calls."""
    written = flow / column(plan.calls_per_cache) * column(plan.cacheable) / MTOK
    meter = "cache_write" if plan.writes_billed else "input"
    basis = TokenPrice(price=price, meter=meter, service=service, window=window,  # type: ignore[arg-type]
                       ttl_s=plan.ttl_s if plan.writes_billed else None)
    return [Count(line=meter, unit="Mtok", quantity=written, basis=basis, option=name)]


def _stored(plan: CachePlan, writes: Array, price: str, name: str, column: Any) -> Count:
    """Million token-hours kept: every write lives for one time to live (exact where reads do not renew it)."""
    per_cache = plan.calls_per_cache
    lives = writes if per_cache is None else writes / column(per_cache)
    kept = lives * column(plan.cacheable) / MTOK * plan.ttl_s / 3600.0
    basis = RecurringPrice(price=price, rate="cache_storage_usd_per_mtok_hour")
    return Count(line="storage", unit="Mtok-h", quantity=kept, basis=basis, option=name)
