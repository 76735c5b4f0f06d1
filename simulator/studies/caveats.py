"""What to know before trusting an answer: ruled-out options, missing costs, weak prices, guessed cache hits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pricing.book import STALE_DAYS
from simulator.domain.findings import OptionSummary, PriceUsed
from simulator.domain.options import HostedFineTuned, HostedOption, SelfHosted
from simulator.domain.overload import ROOM_UNSURE
from simulator.domain.recorded import LENGTHS_OF_A_FLEET
from simulator.domain.scenario import Scenario
from simulator.formats import share
from simulator.studies.machines import machine_caveats

BEST_EFFORT_SHARE = 0.05
"""Cached input must be worth at least this share of an option's bill before its reach is a caveat."""

PROMPTED = HostedOption | SelfHosted
UNLIKE_DELIVERY = 0.001
"""Difference in the share of calls delivered from which options no longer do the same work."""


def caveats(
    scenario: Scenario, options: Mapping[str, OptionSummary], used: tuple[PriceUsed, ...]
) -> list[str]:
    """Sentences a reader must know before trusting the answer.

    Args:
        scenario: the question.
        options: readings by name.
        used: the prices that paid.
    """
    found = []
    for name, option in options.items():
        if option.result.why_not:
            found.append(f"{name} is no choice: {option.result.why_not}.")
        found += [f"{name}: {flag}." for flag in option.result.flags]
        plain = scenario.options[name]
        if isinstance(plain, HostedFineTuned | SelfHosted):
            missing = [
                word for word, block in (("data set", plain.dataset), ("training", plain.training)) if block is None
            ]
            if missing and (isinstance(plain, HostedFineTuned) or len(missing) == 1):
                found.append(
                    f"{name} is tuned, but no {' and no '.join(missing)} cost is given: its one-off is understated."
                )
        for words in (LENGTHS_OF_A_FLEET, ROOM_UNSURE):
            if words in option.result.approximate:
                found.append(f"{name}: approximate, {words}.")
        if isinstance(plain, SelfHosted):
            found += machine_caveats(scenario, name, plain)
        if plain.prompt is not None and not plain.prompt_exact:
            found.append(f"{name}: {plain.prompt} was counted with a stand-in tokenizer.")
    found += _whole_prompts(scenario) + _fallbacks(scenario)
    found += _delivery_caveat(scenario, options)
    found += _cache_caveat(scenario, options)
    for price in used:
        if price.price in scenario.gpus:  # told with the machine it pays for
            continue
        if price.confidence in ("estimated", "unverified"):
            found.append(f"The price {price.id} is {price.confidence} ({price.title}).")
        if price.age_days > STALE_DAYS:
            found.append(f"The price {price.id} was last seen {price.age_days} days before the start.")
    found += _announced(scenario)
    slo = scenario.workload.slo
    if any(limit is not None for limit in (slo.ttft_p95_s, slo.tpot_p95_s, slo.e2e_p95_s)):
        found.append("Latency of hosted options is unknown here, so the latency targets are not checked.")
    return found


def _whole_prompts(scenario: Scenario) -> list[str]:
    """A log whose prompts may hold already what the options add to them."""
    added = {name: plain.prefix_tokens for name, plain in scenario.options.items() if isinstance(plain, PROMPTED)}
    named = [f"{name} ({tokens:,.0f})" for name, tokens in added.items() if tokens > 0]
    if scenario.recorded is None or not named:
        return []
    return [
        f"prefix_tokens come on top of the {scenario.recorded.means[0]:,.0f} tokens that a call of the log reads, for "
        f"{', '.join(named)}: where the log counts whole prompts, set them to 0, or they are billed twice."
    ]


def _fallbacks(scenario: Scenario) -> list[str]:
    """Fallbacks on which an outage counts, though they may be away themselves: no outage of a fallback is counted."""
    found = []
    for name, plain in scenario.options.items():
        if plain.fallback is None or plain.outages.per_month * plain.outages.hours == 0:
            continue
        to = plain.fallback.to
        other = scenario.options[to]
        if isinstance(plain, HostedOption) and isinstance(other, HostedOption):
            provider = plain.price.partition("/")[0]
            if provider == other.price.partition("/")[0]:
                found.append(f"{name} falls back to {to} in an outage, and both are served by {provider}: it is taken "
                             "to answer all the same, so name a fallback elsewhere.")
                continue
        if other.outages.per_month * other.outages.hours > 0:
            found.append(f"{name} falls back to {to} in an outage, which is taken to answer then: outages of {to} are "
                         "counted for its own calls alone.")
    return found


def _delivery_caveat(scenario: Scenario, options: Mapping[str, OptionSummary]) -> list[str]:
    """Options that give up on unlike shares of their calls: the cheaper one may only do less."""
    shares = {}
    for name, option in options.items():
        retries = scenario.options[name].retries
        if option.result.feasible:
            shares[name] = 1.0 - retries.failure_rate ** (retries.max + 1.0)
    if not shares or max(shares.values()) - min(shares.values()) <= UNLIKE_DELIVERY:
        return []
    least_first = sorted(shares.items(), key=lambda item: item[1])
    named = [f"{name} {'all' if part == 1 else share(part)}" for name, part in least_first]
    name, part = least_first[0]
    return [
        f"{name} delivers {share(part)} of its calls, {', '.join(named[1:])}: compare cost per delivered call "
        "(per_success_usd)."
    ]


def _cache_caveat(scenario: Scenario, options: Mapping[str, OptionSummary]) -> list[str]:
    """Options whose bill leans on cache hits that nobody promised, in one sentence."""
    leaning = {}
    for name, option in options.items():
        plain = scenario.options[name]
        if not isinstance(plain, HostedOption):
            continue
        mode = plain.caching.mode or scenario.price_on(plain.price, 0).rules.caching.mode
        cached = float(option.result.ledger.by_line().get("cached_input", np.zeros(1))[0])
        guessed = mode == "automatic" and plain.caching.reach is None and plain.cache_hit_rate is None
        if guessed and cached > BEST_EFFORT_SHARE * max(float(option.result.total_usd[0]), 1e-9):
            leaning[name] = float(option.result.cache_hit_rate[0])
    if not leaning:
        return []
    named = " and ".join(f"{name} ({share(hit)})" for name, hit in leaning.items())
    return [
        f"Cache hits are assumed, not promised, for {named}: automatic caches are best effort and owners measured "
        "0 to 91 %, so measure yours and set caching.reach."
    ]


def _announced(scenario: Scenario) -> list[str]:
    """Announced changes inside the horizon."""
    found = []
    named = {option.price for option in scenario.options.values() if isinstance(option, HostedOption)}
    for price in sorted(named):
        for version in scenario.prices[price].versions:
            inside = scenario.start < version.effective < scenario.end and version.announced
            standing = inside and scenario.prices[price].on(version.effective) is version
            if standing:
                used = "applies from that day" if scenario.announced_prices else "is switched off"
                found.append(f"{price} changes its price on {version.effective}; the announced change {used}.")
    return found
