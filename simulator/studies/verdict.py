"""The answer in words: short, numbers first, never more certain than the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.domain.findings import BreakEven, OptionSummary, PriceUsed, Verdict
from simulator.domain.options import HostedFineTuned, HostedOption, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.formats import count, per_call, share, usd, usd_exact
from simulator.studies.breakeven import VOLUME, Costs, dial_at, sign_changes
from simulator.studies.machines import machine_caveats

TOO_CLOSE = 0.05
"""A saving under this share of the runner-up's cost is called too close to decide."""
BEST_EFFORT_SHARE = 0.05
"""Cached input must be worth at least this share of an option's bill before its reach is a caveat."""
PROMPT_LINES = frozenset({"input", "cached_input", "cache_write", "batch_input", "batch_cached_input"})
LINES = {
    "prompt": "what is read (prompt and input, cached or not)",
    "input": "uncached input",
    "cached_input": "cached input",
    "cache_write": "cache writes",
    "output": "output",
    "ops": "upkeep",
    "gpu": "GPU time that is used",
    "gpu_idle": "GPU time that stands idle",
    "hardware": "hardware",
    "residual": "what the hardware fetches at the end",
    "electricity": "electricity",
    "hosting": "hosting",
    "storage": "storage",
    "training": "training",
    "dataset": "the data set",
    "evaluation": "evaluation",
    "engineering": "engineering",
    "failures": "wrong answers",
    "human": "people who step in",
    "batch_input": "batch input",
    "batch_cached_input": "cached batch input",
    "batch_output": "batch output",
    "adjust": "negotiated prices and credit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Feasible options from cheapest to dearest with what they cost."""

    names: tuple[str, ...]
    usd: Mapping[str, float]

    @property
    def choice(self) -> str:
        """The cheapest."""
        return self.names[0]

    @property
    def runner_up(self) -> str | None:
        """The second cheapest, if there is one."""
        return self.names[1] if len(self.names) > 1 else None


def ranked(scenario: Scenario, options: Mapping[str, OptionSummary], *, with_quality: bool) -> Ranking:
    """Rank feasible options by horizon cash (or net present value); ties go to the baseline, then to file order."""
    costs: dict[str, float] = {}
    for name, option in options.items():
        if option.result.feasible:
            failures = 0.0 if with_quality else float(option.result.total_usd[0] - option.result.money_usd[0])
            costs[name] = (
                option.npv_usd if scenario.rank_by == "npv_usd" else float(option.total_usd or 0.0)
            ) - failures
    order = list(options)
    names = sorted(costs, key=lambda name: (costs[name], name != scenario.baseline, order.index(name)))
    return Ranking(names=tuple(names), usd=costs)


def verdict(
    scenario: Scenario,
    options: Mapping[str, OptionSummary],
    crossings: tuple[BreakEven, ...],
    used: tuple[PriceUsed, ...],
    costs: Costs,
) -> Verdict:
    """What to do, at equal quality and with it, why, and what would change it.

    Args:
        scenario: the question.
        options: readings by name.
        crossings: break-evens of every option against the baseline.
        used: the prices that paid.
        costs: scans already done.
    """
    money = ranked(scenario, options, with_quality=False)
    judged = any(option.success_rate is not None for option in scenario.options.values()) and scenario.failure_usd > 0
    quality = ranked(scenario, options, with_quality=True) if judged else None
    best = quality or money
    runner_usd = best.usd[best.runner_up] if best.runner_up else best.usd[best.choice]
    saving = runner_usd - best.usd[best.choice]
    too_close = best.runner_up is not None and saving < TOO_CLOSE * abs(runner_usd)
    base = options[scenario.baseline]
    base_usd = float(base.result.total_usd[0])
    return Verdict(
        choice=best.choice,
        runner_up=best.runner_up,
        saving_usd=saving,
        saving_vs_baseline_usd=base_usd - float(options[best.choice].result.total_usd[0])
        if base.result.feasible
        else 0.0,
        too_close=too_close,
        money=("" if best.choice == money.choice else "In money alone: ") + _sentence(scenario, options, money, costs),
        with_quality=_quality_sentence(scenario, options, money, quality),
        quality_gap_to_flip=_quality_gap(scenario, options, money),
        max_saving_usd_per_month=max(0.0, base.monthly_usd * _money_share(base)),
        because=tuple(_because(scenario, options, best, crossings)),
        caveats=tuple(_caveats(scenario, options, best, used, too_close)),
        flips=tuple(_flips(scenario, best, costs)),
    )


def _sentence(scenario: Scenario, options: Mapping[str, OptionSummary], best: Ranking, costs: Costs) -> str:
    """Choice, saving, from which volume it would change."""
    choice, days = best.choice, int(scenario.horizon_days)
    cost = best.usd[choice]
    what = "in present value over" if scenario.rank_by == "npv_usd" else "over"
    calls = f"{count(scenario.workload.calls_per_day)} calls a day"
    base = scenario.baseline
    if choice == base:
        text = f"Keep {choice}: at {calls} it is the cheapest way, {usd(cost)} {what} {days} days"
        if best.runner_up:
            text += f", {usd(best.usd[best.runner_up] - cost)} less than {best.runner_up}"
    elif base in best.usd:
        saved = best.usd[base] - cost
        part = f" ({share(saved / best.usd[base])})" if best.usd[base] > 0 else ""
        text = f"Choose {choice}: at {calls} it saves {usd(saved)}{part} {what} {days} days against {base}"
        if best.runner_up and best.runner_up != base:
            text += f" and {usd(best.usd[best.runner_up] - cost)} against the runner-up {best.runner_up}"
    else:
        why = options[base].result.why_not
        text = f"Choose {choice}: {usd(cost)} {what} {days} days at {calls}; {base} is no choice ({why})"
    return f"{text}; {_volume_clause(scenario, best, costs)}."


def _volume_clause(scenario: Scenario, best: Ranking, costs: Costs) -> str:
    """Between which volumes the choice stays the cheapest of the feasible options."""
    dial, now = dial_at(scenario, VOLUME), scenario.workload.calls_per_day
    below, above = (0.0, ""), (np.inf, "")
    for other in best.names[1:]:
        for crossing in _turns(scenario, best.choice, other, costs):
            if crossing <= now and crossing > below[0]:
                below = (crossing, other)
            if crossing > now and crossing < above[0]:
                above = (crossing, other)
    if not below[1] and not above[1]:
        return f"that holds at every volume from {count(dial.low)} to {count(dial.high)} calls a day"
    parts = []
    if below[1]:
        parts.append(f"below {count(below[0])} calls a day {below[1]} is cheaper")
    if above[1]:
        parts.append(f"above {count(above[0])} calls a day {above[1]} is cheaper")
    return " and ".join(parts)


def _turns(scenario: Scenario, choice: str, other: str, costs: Costs) -> list[float]:
    dial = dial_at(scenario, VOLUME)
    points = np.geomspace(dial.low, dial.high, 2001)
    points[0], points[-1] = dial.low, dial.high
    changes, _ = sign_changes(costs.difference(scenario, (choice, other), VOLUME, "equal_quality"), points)
    return [change.at for change in changes]


def _quality_sentence(
    scenario: Scenario, options: Mapping[str, OptionSummary], money: Ranking, quality: Ranking | None
) -> str | None:
    if quality is None:
        return None
    rates = " and ".join(
        f"{name} is right {100 * (o.success_rate or 0.0):.3g} %" for name, o in scenario.options.items()
    )
    paid = f"if a wrong answer costs {usd_exact(scenario.failure_usd)} and {rates} of the time"
    if quality.choice == money.choice:
        stays = f"{quality.choice} stays cheapest at {usd(quality.usd[quality.choice])}"
        return f"Quality does not change the choice: {paid}, {stays}."
    return (
        f"Quality changes the choice: {paid}, {quality.choice} costs {usd(quality.usd[quality.choice])} against "
        f"{usd(quality.usd[money.choice])} with {money.choice}, which is cheapest in money alone."
    )


def _quality_gap(scenario: Scenario, options: Mapping[str, OptionSummary], money: Ranking) -> float | None:
    """Points of success by which the runner-up must be better than the choice to win."""
    delivered = float(options[money.choice].result.delivered_calls[0])
    if money.runner_up is None or scenario.failure_usd <= 0 or delivered <= 0:
        return None
    gap = money.usd[money.runner_up] - money.usd[money.choice]
    return 100.0 * gap / (delivered * scenario.failure_usd)


def _because(
    scenario: Scenario, options: Mapping[str, OptionSummary], best: Ranking, crossings: tuple[BreakEven, ...]
) -> list[str]:
    """Three reasons with numbers: the bills, one more call, the line that decides."""
    days = int(scenario.horizon_days)
    bills = ", ".join(f"{name} {usd(best.usd[name])}" for name in best.names)
    found = [f"Over {days} days: {bills}."]
    against = scenario.baseline if best.choice != scenario.baseline else best.runner_up
    choice = options[best.choice]
    if against is None:
        return [
            *found,
            f"One call costs {per_call(choice.per_call_usd)}, one more {per_call(choice.unit_usd)}.",
            f"It is the only one of {len(options)} options that can be bought and serves every day.",
        ]
    other = options[against]
    found.append(
        f"One more call {_one_more(choice)} with {best.choice} and {_one_more(other, choice)} "
        f"with {against}; {usd(choice.fixed_usd_per_month)} and {usd(other.fixed_usd_per_month)} a month are fixed."
    )
    mine, theirs = _by_group(choice), _by_group(other)
    apart = {line: theirs.get(line, 0.0) - mine.get(line, 0.0) for line in {**theirs, **mine}}
    line = max(apart, key=lambda key: apart[key])
    found.append(
        f"The largest difference is {LINES.get(line, line)}: {usd(mine.get(line, 0.0))} with "
        f"{best.choice} against {usd(theirs.get(line, 0.0))} with {against}."
    )
    for crossing in crossings:
        if crossing.between[1] == best.choice and crossing.payback.days is not None:
            found[0] = f"{found[0][:-1]}; {crossing.payback.reason}."
    return found


def _one_more(option: OptionSummary, after: OptionSummary | None = None) -> str:
    """What one more call costs, in words: it can lower a bill, because it keeps a cache alive for the others."""
    if after is not None and option.unit_usd >= 0 and after.unit_usd >= 0:
        return per_call(option.unit_usd)
    if option.unit_usd < 0:
        return f"saves {per_call(-option.unit_usd)} (it keeps the cache warm)"
    return f"costs {per_call(option.unit_usd)}"


def _by_group(option: OptionSummary) -> dict[str, float]:
    """Dollars by line, all that is read in a prompt taken together, cached or not, and all output."""
    sums: dict[str, float] = {}
    for line, cost in option.result.ledger.by_line().items():
        group = "prompt" if line in PROMPT_LINES else "output" if line == "batch_output" else line
        sums[group] = sums.get(group, 0.0) + float(cost[0])
    return sums


def _money_share(option: OptionSummary) -> float:
    """The part of a bill that is money paid, not the cost of wrong answers."""
    total = float(option.result.total_usd[0])
    return float(option.result.money_usd[0]) / total if total > 0 else 1.0


def _caveats(
    scenario: Scenario, options: Mapping[str, OptionSummary], best: Ranking, used: tuple[PriceUsed, ...], close: bool
) -> list[str]:
    found = []
    if close:
        found.append(f"Too close to call: {best.choice} and {best.runner_up} differ by less than {share(TOO_CLOSE)}.")
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
        if isinstance(plain, SelfHosted):
            found += machine_caveats(scenario, name, plain)
        if plain.prompt is not None and not plain.prompt_exact:
            found.append(f"{name}: {plain.prompt} was counted with a stand-in tokenizer.")
    found += _cache_caveat(scenario, options)
    for price in used:
        if price.price in scenario.gpus:  # told with the machine it pays for
            continue
        if price.confidence in ("estimated", "unverified"):
            found.append(f"The price {price.id} is {price.confidence} ({price.title}).")
        if price.age_days > 90:
            found.append(f"The price {price.id} was last seen {price.age_days} days before the start.")
    found += _announced(scenario)
    slo = scenario.workload.slo
    if any(limit is not None for limit in (slo.ttft_p95_s, slo.tpot_p95_s, slo.e2e_p95_s)):
        found.append("Latency of hosted options is unknown here, so the latency targets are not checked.")
    return found


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


def _flips(scenario: Scenario, best: Ranking, costs: Costs) -> list[str]:
    """The nearest single changes, up to tenfold, that make the runner-up the cheapest of the two."""
    if best.runner_up is None:
        return []
    choice, other = best.choice, best.runner_up
    tokens = scenario.workload.tokens
    asked = [
        (VOLUME, scenario.workload.calls_per_day, "calls a day {changes} to {value}"),
        (
            f"options.{choice}.price_factor",
            scenario.options[choice].price_factor,
            f"prices of {choice} {{changes}} to {{times}}",
        ),
        (
            f"options.{other}.price_factor",
            scenario.options[other].price_factor,
            f"prices of {other} {{changes}} to {{times}}",
        ),
        ("workload.tokens.input", tokens.input, "input per call {changes}s to {value} tokens"),
        ("workload.tokens.output", tokens.output, "output per call {changes}s to {value} tokens"),
        (
            f"options.{choice}.prefix_tokens",
            scenario.options[choice].prefix_tokens,
            f"the prompt of {choice} {{changes}}s to {{value}} tokens",
        ),
        (
            f"options.{other}.prefix_tokens",
            scenario.options[other].prefix_tokens,
            f"the prompt of {other} {{changes}}s to {{value}} tokens",
        ),
    ]
    found: list[tuple[float, str]] = []
    mine, theirs = scenario.options[choice], scenario.options[other]
    prices = [one.price if isinstance(one, HostedOption) else None for one in (mine, theirs)]
    one_price = prices[0] == prices[1] is not None
    shared = {"price_factor": one_price, "prefix_tokens": mine.prefix_tokens == theirs.prefix_tokens}
    for path, now, words in asked:
        together = path.startswith("options.") and one_price and shared[path.rsplit(".", 1)[1]]
        if now <= 0 or together:  # one price, or one prompt of one model, cannot change for one of the two alone
            continue
        points = now * np.geomspace(0.1, 10.0, 161)
        points[80] = now
        changes, _ = sign_changes(costs.difference(scenario, (choice, other), path, "horizon"), points, width=1e-4)
        for change in sorted(changes, key=lambda c: abs(np.log(c.at / now)))[:1]:
            moved = "rise" if change.at > now else "fall"
            text = words.format(changes=moved, value=count(change.at), times=f"{change.at / now:.2g} times today's")
            found.append((abs(float(np.log(change.at / now))), f"{other} wins if {text}."))
    return [text for _, text in sorted(found)]
