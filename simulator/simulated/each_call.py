"""Kernels that draw and serve every call: when it comes, how long it is, how often it is tried, what it finds cached.

Nothing here grows with the day: an hour's calls are drawn into arrays that are used again, then served in order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.simulated.kernels import compiled

Array = NDArray[np.float64]

CALLS, BILLED, CACHED, INPUT, OUTPUT, DELIVERED, HITS, ELIGIBLE = range(8)
"""What is counted of each flow and length band: calls, billed attempts, those of them that found the prefix cached,
tokens of input and output over billed attempts, calls delivered, calls whose first attempt hit, calls that could."""
QUANTITIES = 8
WHOLE = 1e-9
"""Tokens by which a length may miss a whole number, and be it all the same: a log's lengths come out as recorded."""


@compiled
def draw_arrivals(generator: np.random.Generator, edges_s: Array, rates: Array, times: Array) -> int:
    """Poisson arrivals at rates that change at `edges_s`; returns how many were written to `times`.

    Args:
        generator: of the day's arrivals.
        edges_s: when each rate begins, and when the last ends, (pieces + 1,).
        rates: calls per second, (pieces,).
        times: where they go, in order; long enough for any count that happens.
    """
    count = 0
    owed = generator.standard_exponential()  # of the integral of the rate until the next call
    for piece in range(len(rates)):
        now, end, rate = edges_s[piece], edges_s[piece + 1], rates[piece]
        while True:
            left = (end - now) * rate
            if owed > left:
                owed -= left
                break
            now += owed / rate
            if count == len(times):
                return -1
            times[count] = now
            count += 1
            owed = generator.standard_exponential()
    return count


@compiled
def draw_lengths(
    generator: np.random.Generator, count: int, law: Array, inputs: Array, outputs: Array, chances: Array
) -> None:
    """Draw lognormal inputs and outputs of mean one that are tied in the logarithm.

    Args:
        generator: of the day's lengths.
        count: calls.
        law: log sd of the input and of the output, and the correlation of the logs, (3,).
        inputs: written, relative to the mean.
        outputs: written, relative to the mean.
        chances: written, uniform, by which lengths become whole tokens: every option rounds a call alike.
    """
    sd_in, sd_out, rho = law[0], law[1], law[2]
    rest = math.sqrt(max(0.0, 1.0 - rho * rho))
    less_in, less_out = sd_in * sd_in / 2, sd_out * sd_out / 2
    for i in range(count):
        z = generator.standard_normal() if sd_in > 0 or rho != 0 else 0.0
        inputs[i] = math.exp(sd_in * z - less_in) if sd_in > 0 else 1.0
        if sd_out > 0:
            outputs[i] = math.exp(sd_out * (rho * z + rest * generator.standard_normal()) - less_out)
        else:
            outputs[i] = 1.0
        chances[i] = generator.random()


@compiled
def draw_pairs(
    generator: np.random.Generator,
    count: int,
    pair_inputs: Array,
    pair_outputs: Array,
    inputs: Array,
    outputs: Array,
    chances: Array,
) -> None:
    """Draw the lengths of calls from a log, each pair as likely as any other.

    Args:
        generator: of the day's pairs.
        count: calls.
        pair_inputs: of the log, relative to their mean, (pairs,).
        pair_outputs: the same.
        inputs: written, relative to the mean.
        outputs: written, relative to the mean.
        chances: written, uniform, by which scaled lengths become whole tokens.
    """
    for i in range(count):
        pair = int(generator.random() * len(pair_inputs))
        inputs[i] = pair_inputs[pair]
        outputs[i] = pair_outputs[pair]
        chances[i] = generator.random()


@compiled
def serve(
    generator: np.random.Generator,
    count: int,
    times: Array,
    inputs: Array,
    outputs: Array,
    chances: Array,
    flows: NDArray[np.int64],
    last_s: Array,
    terms: Array,
    thresholds: Array,
    counts: Array,
    open_s: Array,
) -> None:
    """Serve calls in order of time and add what they use to `counts`.

    Args:
        generator: of what befalls the calls.
        count: calls.
        times: seconds since the run's first midnight, rising, all of one day.
        inputs: relative to their mean; whole tokens are made here, up or down at random so that the mean is kept.
        outputs: the same.
        chances: by which they are rounded.
        flows: price window by minute of the day, (1440,); the last flow is the batch.
        last_s: when each cache was last read or written, or written where reads do not renew it, (scopes,).
        terms: see `terms_of`.
        thresholds: prompt tokens above which each next band begins.
        counts: (flows, bands, QUANTITIES).
        open_s: seconds in which caches are open, added to, (1,).
    """
    ttl, refresh, reach, pinned, cacheable = terms[0], terms[1] > 0, terms[2], terms[3], terms[4] > 0
    deferred, batch_too, failure, retries, billed_all = terms[5], terms[6] > 0, terms[7], terms[8], terms[9] > 0
    fixed, mean_in, mean_out = terms[10], terms[11], terms[12]
    midnight_s = math.floor(times[0] / 86400.0) * 86400.0 if count else 0.0
    scopes, bands, batch = len(last_s), len(thresholds), counts.shape[0] - 1
    for i in range(count):
        now = times[i]
        flow = flows[int((now - midnight_s) / 60.0)]
        waits = deferred > 0 and generator.random() < deferred
        if waits:
            flow = batch
        hit = False
        caches = cacheable and (batch_too or not waits)
        if caches:
            if pinned >= 0:
                hit = pinned >= 1 or generator.random() < pinned
            else:
                scope = int(generator.random() * scopes) if scopes > 1 else 0
                since = now - last_s[scope]
                alive = since <= ttl
                if refresh:
                    open_s[0] += min(since, ttl)
                    last_s[scope] = now
                elif not alive:
                    open_s[0] += ttl
                    last_s[scope] = now
                hit = alive and (reach >= 1 or generator.random() < reach)
        attempts, delivered = 1, True
        if failure > 0:
            while generator.random() < failure:
                if attempts > retries:
                    delivered = False
                    break
                attempts += 1
        billed = attempts if billed_all else (1 if delivered else 0)
        cached = 0
        if caches:
            if billed_all:
                cached = attempts - (0 if hit else 1)
            elif delivered and (hit or attempts > 1):
                cached = 1
        input_tokens, output_tokens = mean_in * inputs[i], mean_out * outputs[i]
        prompt, band = fixed + input_tokens, 0
        while band < bands and prompt > thresholds[band] + WHOLE:
            band += 1
        row = counts[flow, band]
        row[CALLS] += 1
        row[BILLED] += billed
        row[CACHED] += cached
        row[INPUT] += billed * math.floor(input_tokens + WHOLE + (1.0 - 2.0 * WHOLE) * chances[i])
        finer = chances[i] * 1048576.0  # the lower digits of the same number, for the other length
        row[OUTPUT] += billed * math.floor(
            output_tokens + WHOLE + (1.0 - 2.0 * WHOLE) * (finer - math.floor(finer))
        )
        row[DELIVERED] += delivered
        row[HITS] += hit
        row[ELIGIBLE] += cacheable


def terms_of(
    *,
    ttl_s: float,
    refresh: bool,
    reach: float,
    pinned: float | None,
    cacheable: float,
    deferred: float,
    batch_too: bool,
    failure_rate: float,
    max_retries: float,
    failures_billed: bool,
    fixed: float,
    mean_input: float,
    mean_output: float,
) -> Array:
    """The numbers by which an option serves, in the order the kernel reads them.

    Args:
        ttl_s: time to live of a cache.
        refresh: whether a read renews it.
        reach: share of would-be hits that come.
        pinned: hit share that replaces the cache, or None.
        cacheable: tokens of the prefix that a cache can serve.
        deferred: share of calls sent as batch.
        batch_too: whether they use the cache.
        failure_rate: chance that an attempt fails.
        max_retries: how often a call is tried again.
        failures_billed: whether failed attempts are billed.
        fixed: tokens of a prompt before the caller's input.
        mean_input: tokens.
        mean_output: tokens.
    """
    return np.array(
        [
            ttl_s,
            refresh,
            reach,
            -1.0 if pinned is None else pinned,
            cacheable,
            deferred,
            batch_too,
            failure_rate,
            max_retries,
            failures_billed,
            fixed,
            mean_input,
            mean_output,
        ],
        dtype=np.float64,
    )
