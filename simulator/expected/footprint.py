"""Counts the tokens of one attempt by meter and length tier, given how often its prefix is found in a cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.expected.calls import tier_shares
from simulator.expected.resampled import Pairs, pair_tier_shares

Array = NDArray[np.float64]
Meter = Literal["input", "cached_input", "cache_write", "output"]
NOTHING = 1e-12
"""Tokens of an attempt below which a meter is not worth a line: a tier that no prompt of this length reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Mean tokens of an attempt; `cacheable` is the part of `prefix` that a cache can serve.

    Around their means lengths are lognormal; or as in a log, where `pairs` holds its calls, of all or by period.
    """

    prefix: ArrayLike
    cacheable: ArrayLike
    overhead: ArrayLike
    input: ArrayLike
    output: ArrayLike
    input_cv: ArrayLike = 0.0
    output_cv: ArrayLike = 0.0
    correlation: ArrayLike = 0.0
    pairs: tuple[Pairs, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTokens:
    """Tokens of an attempt on one meter in one length tier."""

    meter: Meter
    band: int
    tokens: Array


def tokens_by_meter(
    lengths: Lengths, hit_share: ArrayLike, writes_billed: bool, thresholds: tuple[float, ...] = ()
) -> list[MeterTokens]:
    """Expected tokens of an attempt by meter and band.

    A hit bills the cacheable part as `cached_input`; a miss as `cache_write` where writes are billed,
    else as `input`, like everything that is not cacheable.

    Args:
        lengths: mean token counts, scalars or arrays that broadcast with `hit_share`.
        hit_share: share of attempts whose cacheable part is found.
        writes_billed: whether a miss pays for writing the cache.
        thresholds: prompt lengths above which the whole request is re-priced, rising.

    >>> found = tokens_by_meter(Lengths(prefix=2600, cacheable=2560, overhead=9, input=350, output=40), 0.5, False)
    >>> {m.meter: float(m.tokens) for m in found}
    {'input': 1679.0, 'cached_input': 1280.0, 'output': 40.0}
    """
    hit, cacheable = np.asarray(hit_share, dtype=float), np.asarray(lengths.cacheable, dtype=float)
    cached, missed = cacheable * hit, cacheable * (1.0 - hit)
    fixed = np.asarray(lengths.prefix, dtype=float) + np.asarray(lengths.overhead, dtype=float)
    plain = fixed - cacheable + (0.0 if writes_billed else missed)
    if thresholds and lengths.pairs:
        calls, inputs, outputs = pair_tier_shares(lengths.pairs, fixed, lengths.input, thresholds)
    elif thresholds:
        calls, inputs, outputs = tier_shares(
            fixed, lengths.input, lengths.input_cv, lengths.output_cv, lengths.correlation, thresholds
        )
    else:
        calls = inputs = outputs = [np.ones(())]
    found: list[MeterTokens] = []
    for band, (of_calls, of_input, of_output) in enumerate(zip(calls, inputs, outputs, strict=True)):
        meters: dict[Meter, Array] = {
            "input": plain * of_calls + np.asarray(lengths.input, dtype=float) * of_input,
            "cached_input": cached * of_calls,
            "cache_write": missed * of_calls if writes_billed else np.zeros(()),
            "output": np.asarray(lengths.output, dtype=float) * of_output,
        }
        found += [
            MeterTokens(meter=meter, band=band, tokens=np.asarray(tokens))
            for meter, tokens in meters.items()
            if np.any(np.asarray(tokens) > NOTHING)
        ]
    return found
