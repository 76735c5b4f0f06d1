"""Whether an option has something to pay back is said alike wherever it is said, for every shipped scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator
from dashboard.formulas import filled
from dashboard.simulate import pays_back
from simulator.charts_cash import paybacks
from simulator.charts_played import late_payers
from simulator.cli.answers_shown import _paid_back
from simulator.formats import NONE, played_words


@pytest.mark.parametrize("path", simulator.shipped_scenarios(), ids=lambda path: path.stem)
def test_an_option_without_a_larger_outlay_has_nothing_to_pay_back(path: Path) -> None:
    """On the card of the first page, after the runs, on the chart, on the terminal and as JSON."""
    scenario = simulator.read_scenario(path)
    found = simulator.rehearse(simulator.rehearsal_parts(scenario, 2, fidelity="aggregate")[0])
    bills = simulator.compare(scenario, flips=False)
    simulated = simulator.compare(scenario, engine="simulated", fidelity="aggregate", played=found.runs, flips=False)
    sentences = played_words(simulated)[0]
    said = {name: next(one for one in sentences if one.startswith(f"{name}: ")) for name in simulated.options}
    told = {one["between"][1]: one["payback"] for one in simulator.comparison_json(simulated)["break_even"]}
    marked = {name for name, *_ in paybacks(bills)}
    cards = {one.option: one.facts["pays back"] for one in simulator.headlines(bills)}
    assert cards[bills.baseline] == pays_back(found, bills.baseline) == NONE
    for pair in bills.break_even:
        name = pair.between[1]
        outlay = {one: bills.options[one].result.ledger.spent_usd(one_off=True).sum() for one in pair.between}
        nothing = bool(outlay[name] <= outlay[bills.baseline]) or not bills.options[name].result.keeps_up
        assert (cards[name] == NONE) is nothing
        assert (pays_back(found, name) == NONE) is nothing
        assert (_paid_back(bills, pair) == "") is nothing
        assert ("pay back" not in said[name] and "pays back" not in said[name]) is nothing
        assert (told[name]["interval_days"] is None) is (told[name]["never_share"] is None) is nothing
        assert (name in late_payers(found)) is not nothing
        assert (name in marked) is (not nothing and pair.payback.days is not None)


def test_what_the_baseline_pays_back_is_said_of_no_other_option_and_marked_nowhere() -> None:
    """Where today's option is the one with the outlay, a break-even tells in words that it has earned it back."""
    scenario = simulator.read_scenario(simulator.default_scenario_path(), ["baseline=tuned-api"])
    bills = simulator.compare(scenario, flips=False)
    told = next(one.payback for one in bills.break_even if one.between[1] == "long-prompt")
    assert told.days is not None
    assert told.reason.startswith("tuned-api pays $")
    assert filled(scenario, bills, "long-prompt")["Payback"] == told.reason
    assert list(paybacks(bills)) == []


@pytest.mark.parametrize(("laid_over", "why_not"), [
    ("workload.calls_per_day=50000000", "calls come faster than its replicas serve"),
    ("workload.slo.ttft_p95_s=0.01", "it misses the latency targets in its busiest hour"),
    ("options.own-4090.ready_after_days=400", "it is ready after 400 days, not within the horizon"),
])
def test_what_is_no_choice_pays_nothing_back_for_the_reason_that_is_told_of_it(laid_over: str, why_not: str) -> None:
    """Too many calls, too strict a target, too late a day: the reason stands once, not among the flags again."""
    scenario = simulator.read_scenario(simulator.default_scenario_path(), [laid_over])
    found = simulator.compare(scenario, flips=False)
    late = [pair for pair in found.break_even if not found.options[pair.between[1]].result.keeps_up]
    assert late
    for pair in late:
        name = pair.between[1]
        assert (pair.payback.days, pair.payback.date) == (None, None)
        assert pair.payback.reason == f"none, as {name} is no choice: {found.options[name].result.why_not}"
        assert why_not in pair.payback.reason
        assert not any("no choice" in flag for flag in pair.payback.flags)
        assert simulator.break_even(scenario, pair.between).payback == pair.payback
