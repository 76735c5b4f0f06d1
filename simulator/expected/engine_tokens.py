"""The part of the expected engine that turns one stage of service into token counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.table import PriceVersion, Service
from simulator.domain.cacheplan import LINES, CachePlan, cache_plan
from simulator.domain.recorded import overhead_tokens
from simulator.domain.usage import Count, RecurringPrice, TokenMeter, TokenPrice
from simulator.expected.caching import WEEK_S, with_retries
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar
from simulator.expected.footprint import Lengths, tokens_by_meter

Array = NDArray[np.float64]
MTOK = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Token counts of a stage with the calls behind them, each (D, T)."""

    counts: list[Count]
    eligible: Array
    hits: Array


def token_counts(
    calendar: Calendar,
    option: Any,
    name: str,
    price: str,
    version: PriceVersion,
    span: slice,
    share: Any = 1.0,
    time: Any = 1.0,
) -> Served:
    """Counts of one option at one price version over the periods of `span`.

    Args:
        calendar: calls and hit shares by period.
        option: the option or its drawn view.
        name: its name, for messages.
        price: id of the price that serves.
        version: its version in force.
        span: periods served, as a slice of the calendar's.
        share: share of the workload's calls that comes here, while any come.
        time: share of the time in which they come, which leaves the rate that a cache sees as it is.
    """
    workload = calendar.scenario.workload
    column = calendar.column
    plan = cache_plan(option, version, f"options.{name}")
    tries, delivered = attempts(option.retries.failure_rate, option.retries.max)
    billed = tries if option.retries.billed else delivered
    deferred = column(np.asarray(workload.deferrable_share, dtype=float) * option.batch_share)
    calls = calendar.calls[:, span] * column(share) * column(time)
    rules = version.rules.tokens
    overhead = overhead_tokens(rules, option.prefix_tokens, calendar.scenario.recorded)
    input_tokens = workload.tokens.input if option.input_tokens is None else option.input_tokens
    output_tokens = workload.tokens.output if option.output_tokens is None else option.output_tokens
    log = calendar.lengths(span)
    lengths = Lengths(
        prefix=column(option.prefix_tokens),
        cacheable=column(plan.cacheable),
        overhead=column(overhead),
        input=column(input_tokens) * log.input,
        output=column(np.asarray(output_tokens, dtype=float) + option.reasoning_tokens) * log.output,
        input_cv=column(workload.tokens.input_cv),
        output_cv=column(workload.tokens.output_cv),
        correlation=column(workload.tokens.correlation),
        pairs=log.pairs,
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
        hit = _hit_share(calendar, plan, arriving, mask, span, price) if can_cache else np.zeros((1, 1))
        flows.append((option.service, window, interactive * part, hit))
        hit_all = hit_all + hit * part
    if np.any(deferred > 0):
        flows.append(("batch", None, calls * deferred, hit_all if plan.batch_too else np.zeros((1, 1))))
    for service, window, flow, hit in flows:
        per_attempt = (
            with_retries(
                hit, column(tries), column(delivered), column(option.retries.failure_rate), bool(option.retries.billed)
            )
            if can_cache
            else hit
        )
        if plan.calls_per_cache is not None and can_cache and service != "batch":
            counts += _written_ahead(plan, flow, lengths, thresholds, price, name, service, window, column)
        writes = plan.writes_billed and (service != "batch" or plan.batch_too)
        for found in tokens_by_meter(
            lengths, per_attempt if plan.calls_per_cache is None else hit, writes, thresholds
        ):
            basis = TokenPrice(
                price=price,
                meter=found.meter,
                service=service,
                band=found.band,
                window=window,
                ttl_s=plan.ttl_s if found.meter == "cache_write" else None,
            )
            line = LINES["batch" if service == "batch" else "standard"][found.meter]
            quantity = flow * column(billed) * found.tokens / MTOK
            counts.append(Count(line=line, unit="Mtok", quantity=quantity, basis=basis, option=name))
    cached = interactive * (column(plan.cacheable) > 0)
    if plan.stored:
        counts.append(_stored(calendar, plan, arriving, cached, option.caching.scopes, price, name, span, time))
    return Served(counts=counts, eligible=cached, hits=cached * hit_all)


def _hit_share(
    calendar: Calendar, plan: CachePlan, arriving: Any, mask: tuple[float, ...] | None, span: slice, price: str
) -> Array:
    if plan.calls_per_cache is not None:
        return np.ones((1, 1))
    if plan.pinned is not None:
        return calendar.column(plan.pinned)
    _check_computable(calendar, plan, price)
    share = calendar.hit_share(float(plan.ttl_s), plan.refresh, arriving, mask, span)
    reached: Array = share * calendar.column(plan.reach)
    return reached


def _check_computable(calendar: Calendar, plan: CachePlan, price: str) -> None:
    """Refuse caches whose share of hits has no closed form here, rather than answer another question."""
    if plan.ttl_s > WEEK_S:
        raise InputError(
            f"{price}: rules.caching.ttl_s is {plan.ttl_s}, and hits are computed for caches of up to a week "
            f"({WEEK_S:.0f} s); name a shorter one, or set cache_hit_rate of the options that use it"
        )
    if not plan.refresh and calendar.scenario.workload.demand.burst is not None:
        raise InputError(
            f"workload.demand.burst: {price} has rules.caching.refresh false, and hits of bursts are computed only "
            "where a read renews the cache; leave burst out, or set cache_hit_rate of the options that use it"
        )


def _written_ahead(
    plan: CachePlan,
    flow: Array,
    lengths: Lengths,
    thresholds: tuple[float, ...],
    price: str,
    name: str,
    service: Service,
    window: int | None,
    column: Any,
) -> Iterator[Count]:
    """Requests that only write a cache, one for every `calls_per_cache` calls, each in the tier of its own length."""
    written = flow / column(plan.calls_per_cache) * column(plan.cacheable) / MTOK
    prompt = np.asarray(lengths.prefix) + lengths.overhead
    tier = np.searchsorted(np.asarray(thresholds), prompt)
    meter: TokenMeter = "cache_write" if plan.writes_billed else "input"
    for band in np.unique(tier).tolist():
        basis = TokenPrice(
            price=price,
            meter=meter,
            service=service,
            band=band,
            window=window,
            ttl_s=plan.ttl_s if plan.writes_billed else None,
        )
        yield Count(line=meter, unit="Mtok", quantity=written * (tier == band), basis=basis, option=name)


def _stored(
    calendar: Calendar,
    plan: CachePlan,
    arriving: Array,
    cached: Array,
    scopes: Any,
    price: str,
    name: str,
    span: slice,
    time: Any,
) -> Count:
    """Million token-hours kept: caches that are open, or one time to live for every cache written ahead."""
    column = calendar.column
    if plan.calls_per_cache is not None:
        hours = cached / column(plan.calls_per_cache) * plan.ttl_s / 3600.0
    else:
        # A Poisson call finds what any moment finds (Wolff, PASTA, 1982): a pinned hit share is a share of time too.
        alive = (
            calendar.hit_share(float(plan.ttl_s), plan.refresh, arriving, None, span, by_time=True)
            if plan.pinned is None
            else column(plan.pinned)
        )
        hours = alive * column(scopes) * calendar.days[:, span] * 24.0 * column(time)
    kept = hours * column(plan.cacheable) / MTOK
    basis = RecurringPrice(price=price, rate="cache_storage_usd_per_mtok_hour")
    return Count(line="storage", unit="Mtok-h", quantity=kept, basis=basis, option=name)
