"""Where a saving comes from adds up exactly; a cheaper model is the control; questions come before tuning."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from questions import asked

from pricing.load import shipped_book
from simulator.answers import comparison_json
from simulator.domain.diagnosis import Diagnosis
from simulator.domain.findings import Comparison
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario, shipped_scenarios
from simulator.studies.bridge import bridge
from simulator.studies.compare import compare
from simulator.studies.diagnose import diagnose

# A day: 1,000 calls of 2,000 + 1,000 tokens. Today's model costs 3 and 9 a million tokens, its cheaper cousin 1 and 3,
# the tuned form of that 2 and 6 with a prompt of 500. No caches, no people: every part is a product of three numbers.
QUESTION = """
start: 2027-01-01
horizon_days: 100
baseline: today
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 100}}
prices:
  acme/big: {usd_per_mtok: {input: 3, output: 9}}
  acme/small: {usd_per_mtok: {input: 1, output: 3}}
  acme/small-ft: {base: small, usd_per_mtok: {input: 2, output: 6}, training: {sft: {usd_per_mtok: 10}}}
options:
  today: {kind: hosted_prompt, price: acme/big, prefix_tokens: 2000, recurring_usd_per_month: {seat: 73}}
  tuned:
    kind: hosted_fine_tuned
    price: acme/small-ft
    prefix_tokens: 500
    output_tokens: 50
    training: {tokens: 1_000_000, epochs: 1}
    one_off_usd: {build: 20}
"""


def answered(folder: Path, text: str = QUESTION, *flags: str) -> tuple[Scenario, Comparison]:
    scenario = asked(folder, text, *flags)
    return scenario, compare(scenario, book=shipped_book())


def test_parts_of_a_bridge_by_hand(tmp_path: Path) -> None:
    scenario, found = answered(tmp_path)
    results = {name: option.result for name, option in found.options.items()}
    parts = {part.part: part.usd for part in bridge(scenario, ("today", "tuned"), results).parts}
    mtok_in, mtok_out = 100 * 1000 * 3000 / 1e6, 100 * 1000 * 100 / 1e6
    assert parts["model price"] == pytest.approx(2 * mtok_in + 6 * mtok_out)
    assert parts["prompt length"] == pytest.approx(100 * 1000 * 1500 / 1e6)
    assert parts["caching"] == 0
    assert parts["output length"] == pytest.approx(100 * 1000 * 50 / 1e6 * 3)
    assert parts["tuning premium"] == pytest.approx(-(100 * 1000 * 1500 / 1e6 * 1 + 100 * 1000 * 50 / 1e6 * 3))
    assert parts["one-off"] == pytest.approx(-(10 + 20))
    assert parts["other monthly costs"] == pytest.approx(73 * 2400 / 730)
    assert parts["people"] == parts["hosting and idle"] == parts["quality"] == 0


@pytest.mark.parametrize("path", shipped_scenarios(), ids=lambda path: path.stem)
def test_parts_add_up_to_the_saving_in_every_shipped_scenario(path: Path) -> None:
    scenario = read_scenario(path)
    found = compare(scenario)
    results = {name: option.result for name, option in found.options.items() if option.result.feasible}
    for name in results:
        if name != scenario.baseline and scenario.baseline in results:
            taken = bridge(scenario, (scenario.baseline, name), results)
            assert sum(part.usd for part in taken.parts) == pytest.approx(taken.saving_usd, rel=1e-9, abs=1e-6)


def test_a_cheaper_model_that_explains_the_saving_is_said(tmp_path: Path) -> None:
    """Prompting the small model costs 600 + 30 of input and output, the tuned one 300 + 30 + 30: today 990 in all."""
    _, found = answered(tmp_path)
    assert found.control is not None
    assert found.control.by == "acme/small"
    today = 100 * (3 * 3.0 + 0.1 * 9) + 240
    tuned = 100 * (1.5 * 2 + 0.05 * 6) + 30
    assert found.control.saving_usd == pytest.approx(today - (100 * (3 + 0.3) + 240), rel=1e-9)
    assert found.control.share == pytest.approx((today - 100 * 3.3 - 240) / (today - tuned), rel=1e-9)
    assert not found.control.change_of_model
    _, other = answered(tmp_path, QUESTION, "options.tuned.prefix_tokens=1500", "options.tuned.output_tokens=100")
    assert other.verdict.control is not None
    assert other.verdict.control.startswith("A change of model, not a gain from tuning")


def test_alternatives_are_open_trusted_alive_and_sorted() -> None:
    book = shipped_book()
    scenario = read_scenario(shipped_scenarios()[0])
    found = compare(scenario, book=book).alternatives
    assert len(found) == 5
    assert [one.usd for one in found] == sorted(one.usd for one in found)
    for one in found:
        life = book.table(one.price).on(scenario.start).lifecycle
        assert one.confidence in ("verified", "library")
        assert life.retires_on is None or life.retires_on >= scenario.end
        assert life.no_new_customers_from is None or life.no_new_customers_from > scenario.start
        assert not one.price.endswith("-ft")
        assert one.note == "quality not compared"


def test_a_price_that_is_the_cheapest_alternative_costs_that_much_as_an_option(tmp_path: Path) -> None:
    scenario, found = answered(tmp_path)
    best = found.alternatives[0]
    other = f"  other: {{kind: hosted_prompt, price: {best.price}, prefix_tokens: 2000, "
    other += "recurring_usd_per_month: {seat: 73}}\n"
    again = asked(tmp_path, QUESTION.replace("options:\n", f"options:\n{other}"))
    assert compare(again).options["other"].total_usd == pytest.approx(best.usd)
    assert scenario.baseline == "today"


def test_both_halves_of_the_diagnosis(tmp_path: Path) -> None:
    scenario, found = answered(tmp_path)
    options, crossings = found.options, found.break_even
    unknown = diagnose(scenario, options, crossings)
    assert unknown.justified is None
    assert unknown.missing == ("prompt_tried", "narrow", "prompt_cannot")
    yes = Diagnosis(prompt_tried=True, narrow=True, prompt_cannot=True)
    assert diagnose(scenario, options, crossings, yes).justified is True
    no = diagnose(scenario, options, crossings, dataclasses.replace(yes, narrow=False))
    assert no.justified is False
    assert no.not_yet == "Not yet, because the task is too wide for 200 to 500 examples."
    totals = [float(found.options[name].total_usd or 0) for name in ("today", "tuned")]
    assert no.worth_usd_per_month == pytest.approx((totals[0] - totals[1]) / (2400 / 730))
    assert "It would be worth" in no.advice


def test_ten_thousand_calls_stand_beside_the_scenarios_own_break_even(tmp_path: Path) -> None:
    text = QUESTION.replace(", recurring_usd_per_month: {seat: 73}", "")
    scenario, found = answered(tmp_path, text, "workload.calls_per_day=300", "options.tuned.one_off_usd.build=500")
    volume = diagnose(scenario, found.options, found.break_even).answers[2]
    assert volume.answer is False                                  # 300 x 730 / 24 = 9,125
    assert found.break_even[0].crossings[0].basis == "horizon"
    assert f"{found.break_even[0].crossings[0].at * 730 / 24:,.0f} a month" in volume.why


def test_a_tuned_option_that_always_wins_is_not_said_to_never_win(tmp_path: Path) -> None:
    scenario, found = answered(tmp_path)
    assert found.break_even[0].answer == "always"
    assert "at any volume" in diagnose(scenario, found.options, found.break_even).answers[2].why


def test_a_scenario_with_a_diagnosis_says_both_halves_in_its_verdict(tmp_path: Path) -> None:
    text = QUESTION + "diagnosis: {prompt_tried: false, narrow: true, prompt_cannot: unknown, examples_in_prompt: 6}\n"
    _, found = answered(tmp_path, text)
    told = comparison_json(found)["verdict"]["diagnosis"]
    assert told.startswith("Not yet, because a good prompt with 3 to 5 examples was not really tried.")
    assert found.diagnosed is not None
    assert {sign.key: sign.answer for sign in found.diagnosed.signs}["examples_in_prompt"] is True


@pytest.mark.parametrize(("said", "lead"), [
    ("{prompt_tried: false}", "Not yet; once tuning is due, choose tuned: "),
    ("{prompt_tried: true, narrow: true, prompt_cannot: true}", "Choose tuned: "),
    ("{prompt_tried: true}", "Choose tuned: "),                     # nothing speaks against it, not all is known
])
def test_a_verdict_for_tuning_is_no_surer_that_it_is_due_than_its_user(tmp_path: Path, said: str, lead: str) -> None:
    _, found = answered(tmp_path, f"{QUESTION}diagnosis: {said}\n")
    assert found.verdict.money.startswith(lead)
    _, prompted = answered(tmp_path, f"{QUESTION}diagnosis: {said}\n", "options.tuned.one_off_usd.build=1e6")
    assert prompted.verdict.money.startswith("Keep today: ")
