"""Published worked examples come out of a scenario file, within the tolerance stated beside each answer.

Nothing here re-types a formula: an example's inputs become a scenario with inline prices, and its answers are read
where a user finds them, in the JSON of `compare` and `break-even`. Where a count is asked for, the price is one
dollar, so that the bill is the count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from questions import asked, crossed, told

from pricing.yaml12 import read_yaml
from simulator.domain.scenario import Scenario

EXAMPLES = {e["id"]: e for e in read_yaml(Path(__file__).parent / "data" / "worked_examples.yaml").value["examples"]}
GROUPS = {"finetune_vs_prompt", "training_cost", "hosted_serving", "prompt_caching", "negative_control"}

NOT_HERE = {
    ("tr-10-qlora-flops-to-dollars", answer): "it is priced in GPU-hours, which only a self-hosted option counts"
    for answer in ("flops", "gpu_hours_compute", "gpu_hours", "run_cost", "campaign_cost")
}
"""Answers that no hosted option can express, with the reason."""

Inputs = Mapping[str, Any]
Answers = Mapping[str, float | bool]
Ask = Callable[..., Scenario]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Writes a scenario of months of 30 days and reads it back."""

    def written(
        options: Inputs, prices: Inputs, *, calls: float = 1000, input: float = 0, output: float = 0, days: int = 360
    ) -> Scenario:
        kinds = {name: {"kind": "hosted_prompt", **option} for name, option in options.items()}
        page = {
            "start": "2026-12-01", "horizon_days": days, "hours_per_month": 720, "baseline": next(iter(options)),
            "workload": {"calls_per_day": calls, "tokens": {"input": input, "output": output}},
            "options": kinds, "prices": prices,
        }
        return asked(tmp_path, json.dumps(page))

    return written


def rates(**usd_per_mtok: float) -> Inputs:
    return {"usd_per_mtok": usd_per_mtok}


def tuned(price: str, training: Inputs, **more: Any) -> Inputs:
    return {"kind": "hosted_fine_tuned", "price": price, "training": training, **more}


def trained_at(price: str, usd_per_mtok: float, **rules: Any) -> Inputs:
    """A price table that trains by the token and serves for nothing."""
    free = {"usd_per_mtok": {"input": 0, "output": 0}, "training": {"sft": {"usd_per_mtok": usd_per_mtok}}}
    return {price: {**free, "rules": {"training": rules}}}


def training_usd(scenario: Scenario, option: str) -> float:
    found: float = told(scenario)[option]["by_line"]["training"]
    return found


def at_calls_a_month(scenario: Scenario, *between: str) -> float:
    """The one volume at which two options cost the same over the horizon, in calls a month of 30 days."""
    found = crossed(scenario, *between)
    [at] = [crossing["at"] for crossing in found["crossings"] if crossing["basis"] == "horizon"]
    return 30.0 * float(at)


# The examples


def long_prompt_vs_tuned_small(i: Inputs, ask: Ask) -> Answers:
    scenario = ask(
        {
            "long": {"price": "mine/big", "prefix_tokens": i["prompt_long"]},
            "cached": {"price": "mine/big", "prefix_tokens": i["prompt_long"], "cache_hit_rate": i["cached_share"]},
            "rag": {"price": "mine/big", "prefix_tokens": i["prompt_rag"],
                    "recurring_usd_per_month": {"retrieval": i["rag_fixed"]}},
            "tuned": {"kind": "hosted_fine_tuned", "price": "mine/small", "prefix_tokens": i["prompt_tuned"],
                      "recurring_usd_per_month": {
                          "training": i["train_amortised_month"], "upkeep": i["eng_hours_month"] * i["eng_rate"]}},
        },
        {"mine/big": rates(input=i["big_in"], cached_input=i["big_in"] * i["cache_read"], output=i["big_out"]),
         "mine/small": rates(input=i["small_in"], output=i["small_out"])},
        output=i["out"], calls=1e6 / 30,
    )
    found = told(scenario)
    return {
        "cost_long": found["long"]["unit_usd"],
        "cost_long_cached": found["cached"]["unit_usd"],
        "cost_rag": found["rag"]["unit_usd"],
        "cost_tuned": found["tuned"]["unit_usd"],
        "fixed_tuned": found["tuned"]["fixed_usd_per_month"],
        "be_long_vs_tuned": at_calls_a_month(scenario, "long", "tuned"),
        "be_cached_vs_tuned": at_calls_a_month(scenario, "cached", "tuned"),
        "be_rag_vs_tuned": at_calls_a_month(scenario, "rag", "tuned"),
        "be_long_vs_rag": at_calls_a_month(scenario, "long", "rag"),
        "month_cost_tuned_1m": found["tuned"]["monthly_usd"],
    }


def tuned_premium_never(i: Inputs, ask: Ask) -> Answers:
    base, premium = rates(input=i["base_in"], output=i["base_out"]), i["premium"]
    scenario = ask(
        {"prompt": {"price": "mine/base", "prefix_tokens": i["overhead_tokens"]},
         "tuned": tuned("mine/tuned", {"usd": 3.6})},
        {"mine/base": base, "mine/tuned": rates(input=i["base_in"] * premium, output=i["base_out"] * premium)},
        input=i["core_in"], output=i["core_out"],
    )
    found, verdict = told(scenario), crossed(scenario, "prompt", "tuned")
    assert "so no volume pays for it" in verdict["reason"]
    return {
        "prompt_per_call": found["prompt"]["unit_usd"],
        "tuned_per_call": found["tuned"]["unit_usd"],
        "pays_back": verdict["answer"] != "never" or verdict["payback"]["days"] is not None,
    }


def from_big_to_tuned_small(i: Inputs, ask: Ask, premium: float = 1.0) -> Scenario:
    return ask(
        {"big": {"price": "mine/big"}, "small": tuned("mine/small", {"usd": i["training_once"]})},
        {"mine/big": rates(input=i["big_in"], output=i["big_out"]),
         "mine/small": rates(input=i["small_in"] * premium, output=i["small_out"] * premium)},
        input=i["tok_in"], output=i["tok_out"], calls=i["calls_month"] / 30,
    )


def payback_in_two_weeks(i: Inputs, ask: Ask) -> Answers:
    scenario = from_big_to_tuned_small(i, ask)
    found = told(scenario)
    return {
        "big_month": found["big"]["monthly_usd"],
        "small_month": found["small"]["monthly_usd"],
        "payback_under_2_weeks": crossed(scenario, "big", "small")["payback"]["days"] < 14,
    }


def per_thousand_classifications(i: Inputs, ask: Ask) -> Answers:
    found = told(ask(
        {"big": {"price": "mine/big"}, "small": {"price": "mine/small"}},
        {"mine/big": rates(input=i["big_in"], output=i["big_out"]),
         "mine/small": rates(input=i["small_in"], output=i["small_out"])},
        input=i["tok_in"], output=i["tok_out"],
    ))
    big, small = 1000 * found["big"]["per_call_usd"], 1000 * found["small"]["per_call_usd"]
    return {"big_per_1k": big, "small_per_1k": small, "ratio": big / small}


def shots_against_a_tuned_prompt(i: Inputs, ask: Ask) -> Answers:
    found = told(ask(
        {"prompt": {"price": "mine/one", "prefix_tokens": i["sys"] + i["shots"]},
         "tuned": {"price": "mine/one", "prefix_tokens": i["sys_tuned"]}},
        {"mine/one": rates(input=i["price_in"])}, input=i["user"],
    ))
    return {"prompt_call": found["prompt"]["unit_usd"], "tuned_call": found["tuned"]["unit_usd"]}


def five_day_break_even(i: Inputs, ask: Ask) -> Answers:
    scenario = ask(
        {"before": {"price": "mine/one", "input_tokens": i["in_before"]},
         "after": {"price": "mine/one", "input_tokens": i["in_after"], "one_off_usd": {"tuning": i["one_time"]}}},
        {"mine/one": rates(input=i["price_in"], output=i["price_out"])}, output=i["out"], calls=i["calls_day"],
    )
    found = told(scenario)
    return {
        "day_before": found["before"]["monthly_usd"] / 30,
        "day_after": found["after"]["monthly_usd"] / 30,
        "break_even_days": crossed(scenario, "before", "after")["payback"]["days"],
    }


def openai_training(i: Inputs, ask: Ask) -> Answers:
    run = {"tokens": i["tokens"], "epochs": i["epochs"], "validation_tokens": 40_000}
    scenario = ask(
        {"mini": tuned("mine/mini", run), "turbo": tuned("mine/turbo", run)},
        trained_at("mine/mini", i["rate_4o_mini"]) | trained_at("mine/turbo", i["rate_35"]),
    )
    return {"cost_4o_mini": training_usd(scenario, "mini"), "cost_35_turbo": training_usd(scenario, "turbo")}


def five_hundred_of_five_hundred(i: Inputs, ask: Ask) -> Answers:
    run = {key: i[key] for key in ("examples", "tokens_per_example", "epochs")}
    scenario = ask({"tuned": tuned("mine/t", run)}, trained_at("mine/t", i["rate"]))
    return {"training_run": training_usd(scenario, "tuned")}


def azure_training(i: Inputs, ask: Ask) -> Answers:
    run = {"tokens": 1e6 * i["tokens_m"], "epochs": i["epochs"], "validation_tokens": 40_000}
    scenario = ask({"tuned": tuned("mine/t", run)}, trained_at("mine/t", i["rate"]))
    return {"cost": training_usd(scenario, "tuned")}


def azure_reinforcement(i: Inputs, ask: Ask) -> Answers:
    grader = {"price": "mine/grader", "input_tokens": 1e6 * i["grader_in_m"], "output_tokens": 1e6 * i["grader_out_m"]}
    scenario = ask(
        {"tuned": tuned("mine/t", {"hours": i["billable_hours"], "method": "rft", "grader": grader})},
        {"mine/t": {**rates(input=0, output=0), "training": {"rft": {"usd_per_hour": i["hourly"]}}},
         "mine/grader": rates(input=i["grader_in_rate"], output=i["grader_out_rate"])},
    )
    found = told(scenario)["tuned"]
    graded = [line["usd"] for line in found["lines"] if line["price_version"].startswith("mine/grader")]
    return {"grading": sum(graded), "total": found["by_line"]["training"]}


def ori_training(i: Inputs, ask: Ask) -> Answers:
    run = {"tokens": 1e6 * i["train_m"], "epochs": i["epochs"], "validation_tokens": 1e6 * i["valid_m"]}
    prices = trained_at("mine/ori", i["rate"], validation_billed=True)
    prices |= trained_at("mine/dollar", 1, validation_billed=True)
    scenario = ask({"ori": tuned("mine/ori", run), "dollar": tuned("mine/dollar", run)}, prices)
    return {"cost": training_usd(scenario, "ori"), "billed_tokens_m": training_usd(scenario, "dollar")}


def fifteen_million_tokens(i: Inputs, ask: Ask) -> Answers:
    run = {"examples": i["examples"], "tokens_per_example": i["tokens"], "epochs": i["epochs"]}
    scenario = ask(
        {"tuned": tuned("mine/t", run), "dollar": tuned("mine/dollar", run)},
        trained_at("mine/t", i["rate"]) | trained_at("mine/dollar", 1),
    )
    return {"cost": training_usd(scenario, "tuned"), "train_tokens_m": training_usd(scenario, "dollar")}


def managed_against_gpu_hours(i: Inputs, ask: Ask) -> Answers:
    run = {key: i[key] for key in ("examples", "tokens_per_example", "epochs")}
    scenario = ask(
        {"tuned": tuned("mine/t", run), "dollar": tuned("mine/dollar", run)},
        trained_at("mine/t", i["managed_rate"]) | trained_at("mine/dollar", 1),
    )
    return {"managed_cost": training_usd(scenario, "tuned"), "tokens_m": training_usd(scenario, "dollar")}


def hours_times_rate(i: Inputs, ask: Ask) -> Answers:
    by_vendor = {"aws_cost": "aws", "spot_cost": "aws_spot", "runpod_cost": "runpod", "lambda_cost": "lambda_labs"}
    names = {answer: answer.replace("_", "-") for answer in by_vendor}
    scenario = ask(
        {names[answer]: tuned(f"mine/{vendor}", {"hours": i["hours"]}) for answer, vendor in by_vendor.items()},
        {f"mine/{vendor}": {**rates(input=0, output=0), "training": {"sft": {"usd_per_hour": i[vendor]}}}
         for vendor in by_vendor.values()},
    )
    return {answer: training_usd(scenario, name) for answer, name in names.items()}


def azure_hosting_fee(i: Inputs, ask: Ask) -> Answers:
    each = i["conversations"]
    scenario = ask(
        {"tuned": {"kind": "hosted_fine_tuned", "price": "mine/t"}},
        {"mine/t": {**rates(input=i["in_rate"], output=i["out_rate"]), "hosting_usd_per_hour": i["hosting_hour"]}},
        calls=each / i["days"], input=1e6 * i["in_m"] / each, output=1e6 * i["out_m"] / each, days=i["days"],
    )
    found = told(scenario)["tuned"]
    lines = found["by_line"]
    return {"hosting": lines["hosting"], "tokens": lines["input"] + lines["output"], "total": found["monthly_usd"]}


def contextual_retrieval(i: Inputs, ask: Ask) -> Answers:
    chunks = i["doc_tokens"] / i["chunk_tokens"]
    scenario = ask(
        {"tuned": {"price": "mine/haiku", "prefix_tokens": i["doc_tokens"], "caching": {"calls_per_cache": chunks}}},
        {"mine/haiku": rates(input=i["price_in"], cached_input=i["cache_read"], cache_write=i["cache_write"],
                             output=i["price_out"])},
        calls=chunks * 1e6 / i["doc_tokens"], input=i["chunk_tokens"] + i["instruction_tokens"],
        output=i["context_out"], days=1,
    )
    return {"cost_per_m_doc_tokens": told(scenario)["tuned"]["total_usd"]}


def api_month(i: Inputs, ask: Ask) -> Answers:
    scenario = ask({"api": {"price": "mine/one"}}, {"mine/one": rates(input=i["in_rate"], output=i["out_rate"])},
                   calls=100 / 30, input=1e4 * i["in_m"], output=1e4 * i["out_m"])
    return {"api_month": told(scenario)["api"]["monthly_usd"]}


REACHED: dict[str, Callable[[Inputs, Ask], Answers]] = {
    "ft-01-long-prompt-vs-tuned-small": long_prompt_vs_tuned_small,
    "ft-02-tuned-premium-never": tuned_premium_never,
    "ft-03-4o-to-mini-payback": payback_in_two_weeks,
    "ft-05-per-1k-classification": per_thousand_classifications,
    "ft-07-per-call-prompt-vs-tuned": shots_against_a_tuned_prompt,
    "ft-09-NEG-five-day-break-even": five_day_break_even,
    "tr-01-openai-docs-training": openai_training,
    "tr-02-seed-500x500": five_hundred_of_five_hundred,
    "tr-03-azure-sft": azure_training,
    "tr-05-azure-rft-grader": azure_reinforcement,
    "tr-06-ori-validation-billed": ori_training,
    "tr-08-kickllm-15m-tokens": fifteen_million_tokens,
    "tr-10-qlora-flops-to-dollars": managed_against_gpu_hours,
    "tr-11-gpu-hours-times-rate": hours_times_rate,
    "ho-01-azure-hosting-fee": azure_hosting_fee,
    "ho-02-contextual-retrieval-caching": contextual_retrieval,
    "ho-06-llmtco-api": api_month,
}


def close(answer: float | bool, stated: Inputs) -> bool:
    """Whether an answer lies within the example's own tolerance."""
    if isinstance(stated["value"], bool):
        return answer is stated["value"]
    room = stated["abs"] if "abs" in stated else stated["rel"] * abs(stated["value"])
    return abs(answer - stated["value"]) <= room


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_published_example_comes_out(name: str, ask: Ask) -> None:
    example = EXAMPLES[name]
    answers = REACHED[name](example["inputs"], ask)
    left_out = {answer for which, answer in NOT_HERE if which == name}
    assert set(answers) | left_out == set(example["stated"])
    assert not set(answers) & left_out
    follow = {answer: stated for answer, stated in example["stated"].items() if "follows" not in stated}
    assert not {
        answer: (answers[answer], stated)
        for answer, stated in follow.items()
        if answer not in left_out and not close(answers[answer], stated)
    }


def test_a_published_break_even_that_does_not_follow_from_its_inputs_is_told(ask: Ask) -> None:
    example = EXAMPLES["ft-09-NEG-five-day-break-even"]
    stated = example["stated"]["break_even_days"]
    answer = five_day_break_even(example["inputs"], ask)["break_even_days"]
    assert stated["value"] == 5
    assert not close(answer, stated)
    assert answer == pytest.approx(stated["follows"], rel=1e-6)
    assert answer == pytest.approx(1.59, abs=0.005)


def test_at_the_published_tuned_rates_the_same_small_model_costs_twice_and_pays_back_later(ask: Ask) -> None:
    inputs = EXAMPLES["ft-03-4o-to-mini-payback"]["inputs"]
    base, dearer = from_big_to_tuned_small(inputs, ask), from_big_to_tuned_small(inputs, ask, premium=2.0)
    assert told(dearer)["small"]["monthly_usd"] == pytest.approx(39.0)
    assert crossed(base, "big", "small")["payback"]["days"] == pytest.approx(7.4, abs=0.05)
    assert crossed(dearer, "big", "small")["payback"]["days"] == pytest.approx(7.9, abs=0.05)


def test_the_examples_are_all_there_with_their_sources_and_the_list_of_what_is_not_is_short() -> None:
    assert {example["group"] for example in EXAMPLES.values()} == GROUPS
    assert all(example["source"] and example["address"] for example in EXAMPLES.values())
    assert set(EXAMPLES) == set(REACHED)
    assert len(NOT_HERE) <= 0.1 * sum(len(example["stated"]) for example in EXAMPLES.values())
