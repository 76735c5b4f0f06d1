"""The part of the simulated engine in which one option serves a day's calls at one price version, by totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pricing.table import PriceVersion, Service
from simulator.domain.cacheplan import LINES, CachePlan, cache_plan
from simulator.domain.recorded import overhead_tokens
from simulator.domain.scenario import Scenario
from simulator.domain.usage import RecurringPrice, TokenMeter, TokenPrice
from simulator.simulated.caching import hit_share
from simulator.simulated.calls import split, thin, try_calls
from simulator.simulated.engine_tally import Tally
from simulator.simulated.footprint import Moments, draw_sums, moments
from simulator.simulated.resampled import pair_moments, relative
from simulator.simulated.windows import hours_inside
from simulator.simulated.world import Bursts

Array = NDArray[np.float64]
MTOK = 1e6
LONGEST_TTL_S = 7 * 86_400.0
"""The longest time to live that is played; providers sell up to a day."""
Streams = Callable[[str, int], Generator]
"""The generator of a phenomenon today; the number tells several draws of one phenomenon apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a day brought: calls delivered (rows,), and by hour those with a cacheable prefix and those that hit."""

    delivered: Array
    eligible: Array
    hits: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One option at one price version; numbers are floats or columns (rows, 1)."""

    name: str
    price: str
    version: PriceVersion
    option: Any
    plan: CachePlan
    lengths: Moments
    fixed: Any
    deferred: Any
    bursts: Bursts | None
    cap_per_s: Array | None
    timezone: str

    @classmethod
    def opened(
        cls,
        scenario: Scenario,
        view: Any,
        name: str,
        price: str,
        version: PriceVersion,
        bursts: Bursts | None,
    ) -> Server:
        """Read the option and the rules of its price once for all the days they hold."""
        option, tokens = view.options[name], view.workload.tokens
        plan = cache_plan(option, version, f"options.{name}")
        rules = version.rules.tokens
        prefix = np.asarray(option.prefix_tokens, dtype=float)
        fixed = prefix + overhead_tokens(rules, prefix, scenario.recorded)
        mean_input = tokens.input if option.input_tokens is None else option.input_tokens
        output = tokens.output if option.output_tokens is None else option.output_tokens
        mean_output = np.asarray(output, dtype=float) + option.reasoning_tokens
        thresholds = tuple(tier.above for tier in version.usd_per_mtok.tiers)
        if scenario.recorded is None:
            spread = (tokens.input_cv, tokens.output_cv, tokens.correlation)
            lengths = moments(fixed, mean_input, mean_output, *spread, thresholds)
        else:
            pairs = (relative(scenario.recorded.inputs), relative(scenario.recorded.outputs))
            lengths = pair_moments(*pairs, fixed, mean_input, mean_output, thresholds)
        return cls(
            name=name,
            price=price,
            version=version,
            option=option,
            plan=plan,
            lengths=lengths,
            fixed=fixed,
            deferred=np.asarray(view.workload.deferrable_share, dtype=float) * option.batch_share,
            bursts=bursts,
            cap_per_s=None if view.workload.cap_per_s is None else column(view.workload.cap_per_s),
            timezone=scenario.workload.timezone,
        )

    @property
    def ttl_s(self) -> float:
        """Time to live of its cache, 0 where nothing is cached by arrivals."""
        played = np.any(self.plan.cacheable > 0) and self.plan.pinned is None and self.plan.calls_per_cache is None
        return min(float(self.plan.ttl_s), LONGEST_TTL_S) if played else 0.0

    def serve(
        self,
        tally: Tally,
        day: int,
        midnight: datetime,
        calls: Array,
        rates: Array,
        share: Any,
        present: Array,
        streams: Streams,
    ) -> Outcome:
        """Serve a day's calls and count their tokens.

        Args:
            tally: where the counts go.
            day: its column.
            midnight: the day's beginning, for the hours of price windows.
            calls: that come here by hour, (rows, 24).
            rates: mean calls per second of the workload, (rows, behind + 24), the hours behind first.
            share: share of the calls that comes here while any come, a number or (rows, 1).
            present: share of each hour in which this server is the one asked, (rows, 24) or (rows, 1).
            streams: today's randomness.
        """
        waiting = thin(streams("deferred", 0), calls, column(self.deferred))
        live = calls - waiting
        alive = self._alive(rates, share) if np.any(self.plan.cacheable > 0) else 0.0
        pinned = self.plan.pinned is not None or self.plan.calls_per_cache is not None
        hit = alive if pinned else alive * column(self.plan.reach)
        eligible = live * (column(self.plan.cacheable) > 0)
        delivered, found = np.zeros(len(calls)), np.zeros_like(calls)
        for number, (service, window, flow) in enumerate(self._flows(live, waiting, midnight, streams)):
            uncached = service == "batch" and not self.plan.batch_too
            hits = thin(streams("hits", number), flow, 0.0 if uncached else hit)
            delivered = delivered + self._count(tally, day, service, window, flow, hits, streams, number)
            if service != "batch":
                found = found + hits
        if self.plan.stored:
            by_time = self._alive(rates, share, by_time=True)
            scopes = np.ravel(self.option.caching.scopes)
            self.store(tally, day, (by_time * present * np.ones((1, 24))).sum(axis=1) * scopes, eligible.sum(axis=1))
        return Outcome(delivered=delivered, eligible=eligible, hits=found)

    def _alive(self, rates: Array, share: Any, *, by_time: bool = False) -> Array:
        """Chance by hour that a call (or any moment) finds a live cache, before a best-effort cache forgets some."""
        if self.plan.calls_per_cache is not None:
            return np.ones((1, 1))
        if self.plan.pinned is not None:
            return column(self.plan.pinned)
        arriving = (1.0 if self.plan.batch_too else 1.0 - column(self.deferred)) * share
        arriving = arriving / column(self.option.caching.scopes)
        cap = None if self.cap_per_s is None else self.cap_per_s * arriving
        return hit_share(rates * arriving, self.ttl_s, self.plan.refresh, self.bursts, cap, by_time=by_time)

    def _flows(
        self, live: Array, waiting: Array, midnight: datetime, streams: Streams
    ) -> Iterator[tuple[Service, int | None, Array]]:
        """The calls by how they are billed: service and daily price window."""
        left, rest = live, np.ones(24)
        windows = self.version.usd_per_mtok.windows if self.option.service == "standard" else ()
        zone = ZoneInfo(self.timezone)
        starts = [
            (datetime.combine(midnight.date(), datetime.min.time(), zone) + timedelta(hours=hour)) for hour in range(24)
        ]
        for number, window in enumerate(windows):
            inside = hours_inside(starts, window.hours, window.weekdays)
            chosen = thin(streams("windows", number), left, np.divide(inside, rest, out=0 * rest, where=rest > 0))
            yield self.option.service, number, chosen
            left, rest = left - chosen, rest - inside
        yield self.option.service, None, left
        if waiting.any():
            yield "batch", None, waiting

    def _count(
        self,
        tally: Tally,
        day: int,
        service: Service,
        window: int | None,
        flow: Array,
        hits: Array,
        streams: Streams,
        number: int,
    ) -> Array:
        """Count the tokens of one flow; returns the calls delivered, (rows,)."""
        retries = self.option.retries
        total, hit = flow.sum(axis=1), hits.sum(axis=1)
        groups = []
        for group, calls in enumerate((hit, total - hit)):
            part = 2 * number + group
            bands = split(streams("bands", part), calls, self.lengths.share)
            failing = np.asarray(retries.failure_rate)
            groups.append(try_calls(streams("retries", part), bands, failing, int(retries.max), bool(retries.billed)))
        found, missed = groups
        billed, squares = found.billed + missed.billed, found.squares + missed.squares
        inputs, outputs = draw_sums(streams("lengths", number), self.lengths, billed, squares)
        self.book(tally, day, service, window, total, billed, missed.first, inputs, outputs)
        delivered: Array = (found.delivered + missed.delivered).sum(axis=0)
        return delivered

    def book(
        self,
        tally: Tally,
        day: int,
        service: Service,
        window: int | None,
        calls: Array,
        billed: Array,
        missed: Array,
        inputs: Array,
        outputs: Array,
    ) -> None:
        """Add the tokens of a day's calls to the tally.

        Args:
            tally: where the counts go.
            day: its column.
            service: how the calls are billed.
            window: daily price window, or None.
            calls: calls, (rows,).
            billed: attempts that are billed, (bands, rows).
            missed: those of them that did not find the prefix cached.
            inputs: tokens of the callers' input over the billed attempts.
            outputs: tokens written over them.
        """
        plan = self.plan
        writes = plan.writes_billed and (service != "batch" or plan.batch_too)
        cacheable, fixed = np.ravel(plan.cacheable), np.ravel(self.fixed)
        cached = cacheable * (billed - missed)
        written = cacheable * missed
        meters: dict[TokenMeter, Array] = {
            "input": (fixed - cacheable) * billed + (0.0 if writes else written) + inputs,
            "cached_input": cached,
            "cache_write": written if writes else 0.0 * written,
            "output": outputs,
        }
        line = LINES["batch" if service == "batch" else "standard"]
        for meter, tokens in meters.items():
            for band in range(len(tokens)):
                if tokens[band].any():
                    ttl = plan.ttl_s if meter == "cache_write" else None
                    basis = TokenPrice(
                        price=self.price,
                        meter=meter,
                        service=service,
                        band=band,
                        window=window,
                        ttl_s=ttl,
                    )
                    tally.add(day, tokens[band] / MTOK, line[meter], "Mtok", basis, self.name)
        if plan.calls_per_cache is not None and cacheable.any() and service != "batch":
            self._write_ahead(tally, day, service, window, calls)

    def _write_ahead(self, tally: Tally, day: int, service: Service, window: int | None, calls: Array) -> None:
        """Requests that only write a cache, one for every `calls_per_cache` calls, each in the tier of its prompt."""
        billed = self.plan.writes_billed
        written = calls / np.ravel(self.plan.calls_per_cache) * np.ravel(self.plan.cacheable) / MTOK
        tier = np.searchsorted([tier.above for tier in self.version.usd_per_mtok.tiers], np.ravel(self.fixed))
        meter: TokenMeter = "cache_write" if billed else "input"
        for band in np.unique(tier).tolist():
            basis = TokenPrice(
                price=self.price,
                meter=meter,
                service=service,
                band=band,
                window=window,
                ttl_s=self.plan.ttl_s if billed else None,
            )
            tally.add(day, written * (tier == band), meter, "Mtok", basis, self.name)

    def store(self, tally: Tally, day: int, hours_alive: Array, eligible: Array) -> None:
        """Million token-hours kept: caches that are open, or one time to live for every cache written ahead."""
        per_cache = self.plan.calls_per_cache
        hours = hours_alive if per_cache is None else eligible / np.ravel(per_cache) * self.plan.ttl_s / 3600.0
        basis = RecurringPrice(price=self.price, rate="cache_storage_usd_per_mtok_hour")
        tally.add(day, hours * np.ravel(self.plan.cacheable) / MTOK, "storage", "Mtok-h", basis, self.name)


def column(value: Any) -> Array:
    """A number as (1, 1), a value a run as (rows, 1)."""
    return np.asarray(value, dtype=float).reshape(-1, 1)
