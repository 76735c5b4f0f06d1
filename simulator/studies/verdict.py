"""The answer in words: short, numbers first, never more certain than the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.domain.advice import Control, Diagnosed
from simulator.domain.drawn import find_dial
from simulator.domain.findings import BreakEven, OptionSummary, PriceUsed, Verdict
from simulator.domain.options import HostedOption, HostedPrompt, Hybrid, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Uncertainty
from simulator.formats import count, days, line_name, one_more, per_call, share, usd, usd_exact
from simulator.studies.breakeven import VOLUME
from simulator.studies.caveats import caveats
from simulator.studies.finance import ceiling_usd_per_month
from simulator.studies.overtake import Basis, Scan, Search, Stretch, found_together, scans, stretch

TIE = 1e-9
"""A saving under this share of the runner-up's cost is none."""
TOO_CLOSE = 0.05
"""A saving under this share of the runner-up's cost is called too close to decide: a judgement of ours, of the size
of what token counts and list prices are commonly off by; the sentence that applies it states it."""
PROMPT_LINES = frozenset({"input", "cached_input", "cache_write", "batch_input", "batch_cached_input"})
PROMPT = "prompt"
PROMPT_WORDS = "what is read (prompt and input, cached or not)"


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
    *,
    unsure: Uncertainty | None = None,
    control: Control | None = None,
    diagnosed: Diagnosed | None = None,
    look: bool = True,
) -> Verdict:
    """What to do, at equal quality and with it, why, and what would change it.

    Args:
        scenario: the question.
        options: readings by name.
        crossings: break-evens of every option against the baseline.
        used: the prices that paid.
        unsure: chances over draws, where inputs are ranges.
        control: what a cheaper model, prompted as today, would save.
        diagnosed: whether tuning is due, where the scenario says.
        look: whether to look for what would change the choice; without, there are no flips, and the sentence ends
            before the volumes.
    """
    money = ranked(scenario, options, with_quality=False)
    judged = any(option.success_rate is not None for option in scenario.options.values()) and scenario.failure_usd > 0
    quality = ranked(scenario, options, with_quality=True) if judged else None
    best = quality or money
    runner_usd = best.usd[best.runner_up] if best.runner_up else best.usd[best.choice]
    saving = runner_usd - best.usd[best.choice]
    near = [_near(best, saving, runner_usd)]
    if unsure is not None and best.choice == unsure.choice:
        near.append(_wavering(unsure))
    close = [sentence for sentence in near if sentence]
    basis: Basis = "with_quality" if judged else "money"
    tuned = not isinstance(scenario.options[money.choice], HostedPrompt)
    early = tuned and diagnosed is not None and diagnosed.justified is False
    clause, flips = "", list[tuple[float, str] | None]()
    if look:
        wanted = [_flip(scenario, best, basis, *asked) for asked in _asked(scenario, best)]
        clause, *flips = found_together(scenario, [_volume_clause(scenario, money), *wanted])
    base = options[scenario.baseline]
    base_usd = float(base.result.total_usd[0])
    return Verdict(
        choice=best.choice,
        runner_up=best.runner_up,
        saving_usd=saving,
        saving_vs_baseline_usd=base_usd - float(options[best.choice].result.total_usd[0])
        if base.result.feasible
        else 0.0,
        too_close=bool(close),
        confidence=None if unsure is None else unsure.options[best.choice].cheapest_share,
        money=("" if best.choice == money.choice else "In money alone: ")
        + _sentence(scenario, options, money, clause, lead=lambda word: _lead(money, unsure, word, early=early))
        + _chance(unsure, money.choice),
        with_quality=_quality_sentence(scenario, options, money, quality),
        quality_gap_to_flip=_quality_gap(scenario, options, money),
        max_saving_usd_per_month=ceiling_usd_per_month(scenario, base.result),
        because=tuple(_because(scenario, options, best, crossings)),
        caveats=(*close, *caveats(scenario, options, used), *(unsure.notes if unsure else ())),
        flips=tuple(text for _, text in sorted(flip for flip in flips if flip is not None)),
        control=control.sentence if control is not None and control.sentence else None,
        diagnosis=None if diagnosed is None else diagnosed.advice,
    )


def _near(best: Ranking, saving: float, runner_usd: float) -> str:
    if best.runner_up is None or saving >= TOO_CLOSE * abs(runner_usd):
        return ""
    if saving <= TIE * abs(runner_usd):
        return f"A tie: {best.choice} and {best.runner_up} cost the same."
    return f"Too close to call: {best.choice} and {best.runner_up} differ by less than {share(TOO_CLOSE)}."


def _wavering(unsure: Uncertainty) -> str:
    """Where the 5 to 95 % interval of the saving over the runner-up holds zero."""
    if unsure.saving_usd is None or unsure.saving_usd[0] > 0:
        return ""
    low, _, high = unsure.saving_usd
    return (
        f"Too close to call: against {unsure.runner_up}, {unsure.choice} saves between {usd(low)} and {usd(high)} "
        "in 90 of 100 draws."
    )


def _chance(unsure: Uncertainty | None, choice: str) -> str:
    if unsure is None:
        return ""
    risk = unsure.options[choice]
    low, _, high = risk.interval_usd
    return (
        f" In {share(risk.cheapest_share)} of {count(unsure.draws)} draws it is the cheapest; "
        f"9 of 10 draws cost between {usd(low)} and {usd(high)}."
    )


def _lead(best: Ranking, unsure: Uncertainty | None, word: str, *, early: bool) -> str:
    """How the verdict begins: no surer of the choice than the numbers are, nor than the user is that tuning is due."""
    saving = best.usd[best.runner_up] - best.usd[best.choice] if best.runner_up else math.inf
    share_of = abs(best.usd[best.runner_up]) if best.runner_up else 0.0
    if saving <= TIE * share_of:
        return f"A tie; {word.lower()} {best.choice}"
    if saving < TOO_CLOSE * share_of or (unsure is not None and unsure.choice == best.choice and _wavering(unsure)):
        return f"Too close to call; {best.choice} leads"
    return f"Not yet; once tuning is due, {word.lower()} {best.choice}" if early else f"{word} {best.choice}"


def _sentence(
    scenario: Scenario, options: Mapping[str, OptionSummary], best: Ranking, clause: str, lead: Callable[[str], str]
) -> str:
    """Choice, saving, from which volume it would change; no more sure of it than the numbers are."""
    choice, time = best.choice, days(scenario.horizon_days)
    cost = best.usd[choice]
    tied = best.runner_up if best.runner_up and best.usd[best.runner_up] - cost <= TIE * abs(cost) else None
    what = "in present value over" if scenario.rank_by == "npv_usd" else "over"
    calls = f"{count(scenario.workload.calls_per_day)} calls a day"
    base = scenario.baseline
    if tied:
        text = f"{lead('Keep' if choice == base else 'Choose')}: at {calls} {choice} and {tied} both cost {usd(cost)} "
        text += f"{what} {time}"
    elif choice == base:
        text = f"{lead('Keep')}: at {calls} it is the cheapest way, {usd(cost)} {what} {time}"
        if best.runner_up:
            text += f", {usd(best.usd[best.runner_up] - cost)} less than {best.runner_up}"
    elif base in best.usd:
        saved = best.usd[base] - cost
        part = f" ({share(saved / best.usd[base])})" if best.usd[base] > 0 else ""
        text = f"{lead('Choose')}: at {calls} it saves {usd(saved)}{part} {what} {time} against {base}"
        if best.runner_up and best.runner_up != base:
            text += f" and {usd(best.usd[best.runner_up] - cost)} against the runner-up {best.runner_up}"
    else:
        why = options[base].result.why_not
        text = f"{lead('Choose')}: {usd(cost)} {what} {time} at {calls}; {base} is no choice ({why})"
    return f"{text}; {clause}." if clause else f"{text}."


def _volume_clause(scenario: Scenario, best: Ranking) -> Search[str]:
    """Between which volumes the choice stays the cheapest of the feasible options; true at the numbers said."""
    if scenario.rank_by == "npv_usd":
        return "how it changes with volume is not computed in present value"
    dial, now = find_dial(scenario, VOLUME), scenario.workload.calls_per_day
    low, high = min(dial.low, now), max(dial.high, now)
    parts = []
    ways = yield from scans(scenario, VOLUME, (low, high), "money")
    for way in ways:
        found = yield from stretch(scenario, best.choice, way, basis="money", digits=6, narrow=1.0)
        if found is None:
            continue
        ends = sorted((found.near, found.far))
        where = f"between {' and '.join(f'{value:,.10g}' for value in ends)} calls a day"
        if found.open:
            where = f"at {found.near:,.10g} calls a day or {'more' if found.near > now else 'fewer'}"
        beyond = "above" if found.late == ends[1] else "below"
        why = "" if found.late is None else f" ({beyond}, it misses its latency targets)"
        parts.append(f"{where} {found.to} is cheaper{why}")
    if parts:
        return " and ".join(parts)
    if all(set(way.won) == {best.choice} for way in ways):
        return f"that holds at every volume from {count(low)} to {count(high)} calls a day"
    return "that holds at this volume, not at every other"


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
    bills = ", ".join(f"{name} {usd(best.usd[name])}" for name in best.names)
    found = [f"Over {days(scenario.horizon_days)}: {bills}."]
    against = scenario.baseline if best.choice != scenario.baseline else best.runner_up
    choice = options[best.choice]
    if against is None:
        return [
            *found,
            f"One call costs {per_call(choice.per_call_usd)}, one more {one_more(choice.unit_usd)}.",
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
    if apart[line] > 0:
        found.append(
            f"The largest saving is {PROMPT_WORDS if line == PROMPT else line_name(line)}: "
            f"{usd(mine.get(line, 0.0))} with {best.choice} against {usd(theirs.get(line, 0.0))} with {against}."
        )
    for crossing in crossings:
        if crossing.between[1] == best.choice and crossing.payback.days is not None:
            found[0] = f"{found[0][:-1]}; {crossing.payback.reason}."
    return found


def _one_more(option: OptionSummary, after: OptionSummary | None = None) -> str:
    """What one more call costs or saves, with its verb where it is not that of the option `after` which it stands."""
    costs_both = after is not None and option.unit_usd >= 0 and after.unit_usd >= 0
    return f"{'' if costs_both or option.unit_usd < 0 else 'costs '}{one_more(option.unit_usd)}"


def _by_group(option: OptionSummary) -> dict[str, float]:
    """Dollars by line, all that is read in a prompt taken together, cached or not, and all output."""
    sums: dict[str, float] = {}
    for line, cost in option.result.ledger.by_line().items():
        group = PROMPT if line in PROMPT_LINES else "output" if line == "batch_output" else line
        sums[group] = sums.get(group, 0.0) + float(cost[0])
    return sums


def _flip(
    scenario: Scenario, best: Ranking, basis: Basis, path: str, now: float, words: str
) -> Search[tuple[float, str] | None]:
    """The nearest change of a dial, up to tenfold, that makes another option the cheapest; true at the number said.

    Returns:
        How far it is, as a log ratio, and the sentence; None where there is none.
    """
    ways = yield from scans(scenario, path, (now / 10.0, now * 10.0), basis)
    nearest = yield from _nearest(scenario, best.choice, ways, basis)
    if nearest is None:
        return None
    up, unit = nearest.near > now, now if path.endswith("price_factor") else 1.0
    ends = [f"{value / unit:,.10g}" for value in (nearest.near, nearest.far)]
    # Beyond what was looked at a fleet fills up, so nothing is said of it.
    onwards = nearest.open and not (up and isinstance(scenario.options[nearest.to], SelfHosted | Hybrid))
    text = words.format(
        change="rise" if up else "fall",
        values=ends[0] if onwards else f"between {' and '.join(ends if up else ends[::-1])}",
        or_so="" if not onwards else " or more" if up else " or less",
    )
    return abs(math.log(nearest.near / now)), f"{nearest.to} wins if {text}."


def _nearest(scenario: Scenario, choice: str, ways: list[Scan], basis: Basis) -> Search[Stretch | None]:
    """The nearer of the stretches on either side; the farther one is not narrowed where it cannot be nearer."""
    nearest: Stretch | None = None
    far = math.inf
    for way in sorted(ways, key=lambda way: way.first_other(choice)):
        if way.first_other(choice) >= far:
            break
        found = yield from stretch(scenario, choice, way, basis=basis)
        if found is not None and (away := abs(math.log(found.near / way.today))) < far:
            nearest, far = found, away
    return nearest


def _asked(scenario: Scenario, best: Ranking) -> list[tuple[str, float, str]]:
    """What a flip is looked for in: path, value today, and the sentence about it."""
    choice, other = best.choice, best.runner_up
    if other is None or scenario.rank_by == "npv_usd":
        return []
    mine, theirs, tokens = scenario.options[choice], scenario.options[other], scenario.workload.tokens
    asked = [
        (VOLUME, scenario.workload.calls_per_day, "calls a day {change} to {values}{or_so}"),
        ("workload.tokens.input", tokens.input, "input per call {change}s to {values} tokens{or_so}"),
        ("workload.tokens.output", tokens.output, "output per call {change}s to {values} tokens{or_so}"),
    ]
    # One price, or one prompt of one model, cannot change for one of the two alone.
    prices = [one.price if isinstance(one, HostedOption) else None for one in (mine, theirs)]
    one_model = prices[0] == prices[1] is not None
    for name, option in ((choice, mine), (other, theirs)):
        if not (one_model and mine.price_factor == theirs.price_factor):
            words = f"prices of {name} {{change}} to {{values}} times today's{{or_so}}"
            asked.append((f"options.{name}.price_factor", option.price_factor, words))
        if not (one_model and mine.prefix_tokens == theirs.prefix_tokens):
            words = f"the prompt of {name} {{change}}s to {{values}} tokens{{or_so}}"
            asked.append((f"options.{name}.prefix_tokens", option.prefix_tokens, words))
    return [one for one in asked if one[1] > 0]
