"""What is paid besides tokens - training, data, hosting, people, negotiated prices - each against a bill by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from questions import asked, billed, told

from pricing.errors import NotSold
from simulator.run import run

PAGE = """
start: 2026-12-01
horizon_days: 360
hours_per_month: 720
baseline: a
workload: {calls_per_day: 100, tokens: {input: 0, output: 0}}
"""
FREE = "usd_per_mtok: {input: 0, output: 0}"
Bill = Callable[..., dict[str, float]]


@pytest.fixture
def bill(tmp_path: Path) -> Bill:
    """Dollars by line over 12 months of 30 days with one option at a price typed in."""

    def found(
        option: str, *flags: str, price: str = FREE, more: str = "", kind: str = "hosted_fine_tuned",
        bare: bool = True,
    ) -> dict[str, float]:
        prices, use = f"mine/p: {{{price}}}{more}", f"kind: {kind}, price: mine/p"
        text = f"{PAGE}prices: {{{prices}}}\noptions: {{a: {{{use}, {option}}}}}\n"
        return billed(asked(tmp_path, text, *flags, bare=bare), "a")

    return found


def trained(usd: str = "usd_per_mtok: 3", rules: str = "", method: str = "sft") -> str:
    return f"{FREE}, training: {{{method}: {{{usd}}}}}, rules: {{training: {{{rules}}}}}"


# Training: tokens x epochs, validation, fees, hours, graders

RULE = "epochs: {target: 3, min_examples: 100, max_examples: 25000, cap: 25}"


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(10, 10), (3, 25), (20, 5), (33, 3), (34, 3), (500, 3), (8333, 3), (8334, 2), (12_500, 2), (12_501, 1),
     (30_000, 1)],
)
def test_epochs_aim_at_three_and_keep_passes_within_100_and_25000(bill: Bill, examples: int, epochs: int) -> None:
    found = bill(f"training: {{examples: {examples}, tokens_per_example: 500}}", price=trained(rules=RULE))
    assert found == {"training": pytest.approx(examples * 500 * epochs * 3 / 1e6)}


@pytest.mark.parametrize(("training", "tokens"), [
    ("tokens: 250_000", 750_000),                                           # no rule: the usual three
    ("tokens: 250_000, epochs: 1", 250_000),
    ("examples: 500, tokens_per_example: 500, epochs: 2.5", 625_000),
])
def test_typed_epochs_win_and_without_a_rule_there_are_three(bill: Bill, training: str, tokens: float) -> None:
    assert bill(f"training: {{{training}}}", price=trained()) == {"training": pytest.approx(tokens * 3 / 1e6)}


@pytest.mark.parametrize(
    ("billed_too", "evaluations", "tokens"), [("false", 4, 3e6), ("true", 4, 3e6 + 4e5), ("true", 0, 3e6 + 1e5)]
)
def test_validation_is_billed_each_time_it_is_gone_through_or_not_at_all(
    bill: Bill, billed_too: str, evaluations: int, tokens: float
) -> None:
    training = f"tokens: 1e6, validation_tokens: 1e5, evaluations: {evaluations}"
    price = trained(rules=f"validation_billed: {billed_too}")
    assert bill(f"training: {{{training}}}", price=price) == {"training": pytest.approx(tokens * 3 / 1e6)}


@pytest.mark.parametrize(("tokens", "usd"), [(1e5, 4.0), (4e5, 4.0), (1e6, 9.0)])
def test_a_minimum_fee_is_paid_for_every_job(bill: Bill, tokens: float, usd: float) -> None:
    found = bill(f"training: {{tokens: {tokens}, runs_per_model: 2.5}}", price=trained(rules="min_usd: 4"))
    assert found == {"training": pytest.approx(2.5 * usd)}


def test_a_trainer_that_stores_the_model_is_paid_for_it_even_if_another_price_serves(bill: Bill) -> None:
    found = bill("training: {tokens: 1e5, epochs: 1, price: mistral/fine-tuning-classifier}")
    assert found == {"training": 4.0, "storage": pytest.approx(12 * 2)}


def test_failed_runs_are_repeated_until_one_succeeds(bill: Bill) -> None:
    found = bill("training: {tokens: 1e6, runs_per_model: 3, failure_rate: 0.25}", price=trained())
    assert found == {"training": pytest.approx(3 / 0.75 * 9)}


@pytest.mark.parametrize(("rules", "hours"), [("", 4.5678), ("hour_decimals: 2", 4.57)])
def test_reinforcement_is_billed_by_the_hour_rounded_where_the_provider_rounds(
    bill: Bill, rules: str, hours: float
) -> None:
    found = bill("training: {hours: 4.5678, method: rft}", price=trained("usd_per_hour: 100", rules, "rft"))
    assert found == {"training": pytest.approx(hours * 100)}


def test_grading_is_billed_at_the_price_of_the_grader_for_every_job(bill: Bill) -> None:
    grader = "grader: {price: mine/g, input_tokens: 5e6, output_tokens: 4.9e6}"
    found = bill(f"training: {{hours: 4, method: rft, runs_per_model: 2, {grader}}}",
                 price=trained("usd_per_hour: 100", "", "rft"),
                 more=", mine/g: {usd_per_mtok: {input: 1.1, output: 4.4}}")
    assert found == {"training": pytest.approx(2 * (400 + 27.06))}


def test_training_may_be_bought_under_another_price_than_serving(bill: Bill) -> None:
    found = bill("training: {tokens: 1e6, price: mine/t}", more=f", mine/t: {{{trained('usd_per_mtok: 5')}}}")
    assert found == {"training": pytest.approx(15)}


@pytest.mark.parametrize("method", ["sft", "sft_full", "dpo", "dpo_full"])
def test_every_method_has_its_own_rate(bill: Bill, method: str) -> None:
    rates = {"sft": 0.5, "sft_full": 1.0, "dpo": 1.25, "dpo_full": 2.0}
    sold = ", ".join(f"{name}: {{usd_per_mtok: {rate}}}" for name, rate in rates.items())
    found = bill(f"training: {{tokens: 1e6, method: {method}}}", price=f"{FREE}, training: {{{sold}}}")
    assert found == {"training": pytest.approx(3 * rates[method])}


def test_training_that_is_not_sold_that_way_is_an_error(bill: Bill) -> None:
    for training, how in (("tokens: 1e6, method: dpo", "no dpo training by the token"),
                          ("hours: 2", "no sft training by the hour")):
        with pytest.raises(NotSold, match=rf"options\.a: mine/p sells {how}; name another training\.price"):
            bill(f"training: {{{training}}}", price=trained())


def test_a_typed_training_bill_needs_no_price(bill: Bill) -> None:
    assert bill("training: {usd: 75, runs_per_model: 2}") == {"training": 150}


@pytest.mark.parametrize(
    ("examples", "told"), [(9, ("a training job at mine/p needs at least 10 examples",)), (10, ())]
)
def test_a_training_set_smaller_than_the_provider_takes_is_flagged(
    tmp_path: Path, examples: int, told: tuple[str, ...]
) -> None:
    option = f"training: {{examples: {examples}, tokens_per_example: 500, retrain_every_days: 30}}"
    text = (f"{PAGE}prices: {{mine/p: {{{trained(rules='min_examples: 10')}}}}}\n"
            f"options: {{a: {{kind: hosted_fine_tuned, price: mine/p, {option}}}}}\n")
    assert run(asked(tmp_path, text), "a").flags == told


# Building: data, engineering, evaluation, typed sums


@pytest.mark.parametrize(
    ("dataset", "usd"),
    [("examples: 500, minutes_per_example: 2.4", 20 * 35), ("examples: 500, usd_per_example: 0.5", 250),
     ("hours: 12, wage: engineer", 12 * 110), ("usd: 300", 300),
     ("examples: 100, usd_per_example: 0.5, minutes_per_example: 0.6, hours: 2, usd: 7", 50 + 35 + 70 + 7)],
)
def test_a_data_set_is_made_by_hand_or_bought_or_both(bill: Bill, dataset: str, usd: float) -> None:
    assert bill(f"dataset: {{{dataset}}}") == {"dataset": pytest.approx(usd)}


def test_a_data_set_without_a_size_of_its_own_has_as_many_examples_as_training(bill: Bill) -> None:
    found = bill("dataset: {minutes_per_example: 3}, training: {examples: 200, tokens_per_example: 1}", price=trained())
    assert found["dataset"] == pytest.approx(10 * 35)


def test_typed_wages_replace_the_defaults_one_by_one(bill: Bill) -> None:
    found = bill("dataset: {hours: 10}, engineering_hours: 4", "wages_usd_per_hour={annotator: 20}")
    assert found == {"dataset": 200, "engineering": 440}


def test_evaluation_is_paid_at_every_release_and_training_too(bill: Bill) -> None:
    option = "evaluation_usd: 40, training: {usd: 100, retrain_every_days: 120}"
    assert bill(option) == {"evaluation": 3 * 40, "training": 3 * 100}      # days 0, 120, 240 of 360
    assert bill("evaluation_usd: 40", kind="hosted_prompt") == {"evaluation": 40}


def test_one_offs_are_paid_once_and_monthly_sums_by_the_month(bill: Bill) -> None:
    found = bill("one_off_usd: {audit: 500}, recurring_usd_per_month: {index: 60}")
    assert found == {"audit": 500, "index": pytest.approx(12 * 60)}


# Hosting, storage, people


def test_hosting_is_paid_by_the_hour_whether_calls_come_or_not(bill: Bill) -> None:
    price = f"{FREE}, hosting_usd_per_hour: 1.7"
    idle = bill("prefix_tokens: 0", "workload.calls_per_day=1e-6", price=price)
    busy = bill("prefix_tokens: 0", "workload.calls_per_day=1e6", price=price)
    assert idle == busy == {"hosting": pytest.approx(360 * 24 * 1.7)}


def test_storage_is_paid_by_the_month_for_a_model_or_by_its_size(bill: Bill) -> None:
    by_model = bill("prefix_tokens: 0", price=f"{FREE}, storage_usd_per_month: 1.95")
    assert by_model == {"storage": pytest.approx(12 * 1.95)}
    by_size = bill("storage_gb: 2.5", price=f"{FREE}, storage_usd_per_gb_month: 0.1")
    assert by_size == {"storage": pytest.approx(12 * 2.5 * 0.1)}
    with pytest.raises(NotSold, match="has no storage_usd_per_gb_month; leave it out or choose another price"):
        bill("storage_gb: 2.5")


def test_a_month_is_as_long_as_the_scenario_says(bill: Bill) -> None:
    found = bill("recurring_usd_per_month: {index: 73}", "hours_per_month=730", "horizon_days=365")
    assert found == {"index": pytest.approx(12 * 73)}


@pytest.mark.parametrize(("kind", "hours"), [("hosted_prompt", 2), ("hosted_fine_tuned", 4)])
def test_both_kinds_need_upkeep_unless_it_is_typed_or_the_question_is_bare(bill: Bill, kind: str, hours: float) -> None:
    assert bill("prefix_tokens: 0", kind=kind, bare=False) == {"ops": pytest.approx(12 * hours * 110)}
    assert bill("ops_hours_per_month: 0.5", kind=kind, bare=False) == {"ops": pytest.approx(12 * 0.5 * 110)}
    assert bill("ops_hours_per_month: 0.5", kind=kind) == {"ops": pytest.approx(12 * 0.5 * 110)}
    assert bill("prefix_tokens: 0", kind=kind) == {}


def test_a_person_handles_a_share_of_calls_and_wrong_answers_cost(bill: Bill) -> None:
    found = bill("human: {share: 0.02, usd: 3}, success_rate: 0.9, retries: {failure_rate: 0.5, max: 1}",
                 "failure_usd=0.25")
    calls = 36_000
    assert found == {"human": pytest.approx(calls * 0.02 * 3), "failures": pytest.approx(calls * 0.75 * 0.1 * 0.25)}


# What was negotiated

PAID = "usd_per_mtok: {input: 1e4, output: 2e4}, training: {sft: {usd_per_mtok: 3}}, hosting_usd_per_hour: 0.5"
LINES = {"input": 36_000 * 1e-2, "output": 36_000 * 2e-2, "training": 9.0, "hosting": 4320.0}
USE = "input_tokens: 1, output_tokens: 1, training: {tokens: 1e6}, ops_hours_per_month: 1"


def test_a_price_factor_scales_book_prices_and_no_wages(bill: Bill) -> None:
    found = bill(f"{USE}, price_factor: 0.5", price=PAID)
    assert found == pytest.approx({line: 0.5 * usd for line, usd in LINES.items()} | {"ops": 1320})


@pytest.mark.parametrize(
    ("adjust", "change"),
    [("{label: EA, factor: 0.85}", -0.15 * sum(LINES.values())),
     ("{label: EA, factor: 0.85, lines: [tokens]}", -0.15 * (LINES["input"] + LINES["output"])),
     ("{label: EA, factor: 0.5, lines: [hosting, training]}", -0.5 * (LINES["hosting"] + LINES["training"])),
     ("{label: EA, factor: 1.1, lines: [input]}", 0.1 * LINES["input"]),
     ("{label: A, factor: 0.5, lines: [hosting]}, {label: B, factor: 0.8, lines: [hosting]}", -0.6 * LINES["hosting"])],
)
def test_a_negotiated_factor_shows_as_a_line_of_its_own(bill: Bill, adjust: str, change: float) -> None:
    found = bill(USE, f"adjust=[{adjust}]", price=PAID)
    assert found == pytest.approx(LINES | {"ops": 1320, "adjust": change})


def test_a_negotiated_factor_holds_only_for_the_options_it_names(tmp_path: Path) -> None:
    two = f"a: {{kind: hosted_fine_tuned, price: mine/p, {USE}}}, b: {{like: a}}"
    scenario = asked(tmp_path, f"{PAGE}prices: {{mine/p: {{{PAID}}}}}\noptions: {{{two}}}\n",
                     "adjust=[{label: EA, factor: 0.5, on: [b]}]")
    assert "adjust" not in billed(scenario, "a")
    assert billed(scenario, "b")["adjust"] == pytest.approx(-0.5 * sum(LINES.values()))


def test_credit_pays_book_prices_until_it_is_used_up_or_over(bill: Bill) -> None:
    a_day = (sum(LINES.values()) - 9) / 360
    assert bill(USE, "credits={usd: 100}", price=PAID)["adjust"] == pytest.approx(-100)
    assert bill(USE, "credits={usd: 1e6}", price=PAID)["adjust"] == pytest.approx(-sum(LINES.values()))
    until = bill(USE, "credits={usd: 1e6, until: 2026-12-11}", price=PAID)["adjust"]
    assert until == pytest.approx(-(9 + 10 * a_day))
    less = bill(USE, "credits={usd: 1e6}", "adjust=[{label: EA, factor: 0.5}]", price=PAID)["adjust"]
    assert less == pytest.approx(-sum(LINES.values()))                      # half by the factor, the rest by credit


def test_every_line_is_quantity_times_unit_price(tmp_path: Path) -> None:
    text = f"{PAGE}prices: {{mine/p: {{{PAID}}}}}\noptions: {{a: {{kind: hosted_fine_tuned, price: mine/p, {USE}}}}}\n"
    rows = {row["line"]: row for row in told(asked(tmp_path, text))["a"]["lines"]}
    by_hand = {"input": (0.036, "Mtok", 1e4), "output": (0.036, "Mtok", 2e4), "training": (1, "job", 9),
               "hosting": (8640, "h", 0.5), "ops": (12, "h", 110)}
    assert {line: (row["unit"], row["one_off"]) for line, row in rows.items()} == {
        line: (unit, line == "training") for line, (_, unit, _) in by_hand.items()}
    for line, (quantity, _, usd_per_unit) in by_hand.items():
        row = rows[line]
        assert (row["quantity"], row["usd_per_unit"]) == pytest.approx((quantity, usd_per_unit))
        assert row["usd"] == pytest.approx(row["quantity"] * row["usd_per_unit"])
