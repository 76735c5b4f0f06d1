"""How an option uses the provider's prompt cache, read from its wishes and the rule of its price; no counting here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricing.errors import InputError
from pricing.table import PriceVersion
from simulator.domain.options import REACH

Array = NDArray[np.float64]

LINES = {
    "standard": {"input": "input", "cached_input": "cached_input", "cache_write": "cache_write", "output": "output"},
    "batch": {
        "input": "batch_input",
        "cached_input": "batch_cached_input",
        "cache_write": "cache_write",
        "output": "batch_output",
    },
}
"""Name of the bill's line by service and meter; every service but batch is billed on the standard lines."""


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
    mode = wish.mode or (
        "explicit" if rule.mode == "off" and (pinned is not None or per_cache is not None) else rule.mode
    )
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


def eligible_prefix(prefix: ArrayLike, min_tokens: int, increment: int) -> Array:
    """The cacheable part of a prefix: nothing below the minimum, else whole increments.

    >>> [float(eligible_prefix(p, 1024, 128)) for p in (900, 1024, 2600)]
    [0.0, 1024.0, 2560.0]
    """
    tokens = np.asarray(prefix, dtype=float)
    return np.where((tokens > 0) & (tokens >= min_tokens), np.floor(tokens / increment) * increment, 0.0)
