"""Published sums of renting, owning and training on GPUs come out through a scenario; the wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pricing.hardware import ModelSpec
from pricing.load_serving import bound_replica
from pricing.table import Source
from pricing.yaml12 import read_yaml
from simulator.answers import break_even_json, comparison_json
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario
from simulator.run import run, serve_calls
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare
from tests.questions import asked, billed

EXAMPLES = {
    example["id"]: example
    for example in read_yaml(Path(__file__).parent / "data" / "worked_examples_machines.yaml").value["examples"]
}
NOT_HERE: dict[str, str] = {}
"""Examples that are not answered, with the reason."""
SIMULATED = 0.15
"""How close a simulated utilisation must bring the effective price that was measured."""
ESTIMATED = "util-h100-qwen30b-fp8-l1"
"""A pair of card and model that nobody measured for us: its profile is told with a range, and so is its penalty."""
# The model card has 30.5B parameters, 3.3B active, 29.9B without embeddings, 48 layers, 32 and 4 heads, 128 experts
# (huggingface.co/Qwen/Qwen3-30B-A3B-GGUF); hidden 2,048, head 128, experts of 768 and a vocabulary of 151,936, untied,
# stand in the training configs of MindSpeed-RL (qwen3_30b_a3b.yaml) and slime (qwen3-30B-A3B.sh). Summed up from these:
# 48 x (q, k, v, o 18.9M + router 0.26M + 128 x 4.72M) + 2 x 311M, of which 8 experts and one embedding are multiplied.
QWEN3_30B = ModelSpec(
    hf_id="Qwen/Qwen3-30B-A3B", params_b=30.53, active_params_b=3.353, matmul_params_b=3.042, layers=48, hidden=2048,
    ffn=768, heads=32, kv_heads=4, head_dim=128, vocab=151_936, max_context=32_768, weights_gb=61.1, experts=128,
    active_experts=8,
    source=Source(title="model card of Qwen3-30B-A3B, and training configs", seen_on=date(2026, 11, 23),
                  confidence="reported"),
)  # fmt: skip
Answers = Mapping[str, float]

HEAD = """
start: 2026-12-01
horizon_days: {days}
hours_per_month: 730
baseline: {baseline}
workload: {{calls_per_day: {calls}, tokens: {{input: {input}, output: {output}}}}}
"""


def question(
    folder: Path,
    options: str,
    *,
    days: float = 365,
    calls: float = 1000,
    tokens: tuple[float, float] = (500, 500),
    baseline: str = "own",
    more: str = "",
) -> Scenario:
    text = HEAD.format(days=days, calls=calls, input=tokens[0], output=tokens[1], baseline=baseline)
    return asked(folder, text + more + "options:\n" + options)


def card(usd: float, speed: str = "tokens_per_s: 1e6", count: int = 1, more: str = "") -> str:
    fleet = f"{{replicas: {{min: {count}, max: {count}}}}}"
    return f"  own: {{kind: self_hosted, gpu_usd_per_hour: {usd}, serving: {{{speed}}}, fleet: {fleet}{more}}}\n"


def rent(folder: Path, usd: float, hours: float, speed: str = "tokens_per_s: 1e6", count: int = 1) -> float:
    lines = billed(question(folder, card(usd, speed, count), days=round(hours / 24)), "own")
    return (lines.get("gpu", 0.0) + lines.get("gpu_idle", 0.0)) * hours / (24 * round(hours / 24))


OWNED = """gpus:
  mine/box:
    owned: {{purchase_usd: {usd}, electricity_usd_per_kwh: {kwh}, life_years: {years}, idle_w: {watts},
      light_w: {watts}, saturated_w: {watts}}}
    gpu: rtx-4090
"""


def owned(
    folder: Path, usd: float, years: float, *, days: int, kwh: float = 0.0, watts: float = 0.0
) -> dict[str, float]:
    option = "  own: {kind: self_hosted, gpu: mine/box, serving: {tokens_per_s: 1e6}}\n"
    more = OWNED.format(usd=usd, kwh=kwh, watts=watts, years=years)
    return billed(question(folder, option, days=days, more=more), "own")


def payback_months(
    folder: Path, usd: float, electricity_month: float, tokens_m: float, rates: tuple[float, float]
) -> float:
    """Months until a node that works at full capacity has paid itself back: output to input 2 to 1."""
    option = ("  own: {kind: self_hosted, gpu: mine/box, serving: {tokens_per_s: 1e7}}\n"
              "  api: {kind: hosted_prompt, price: mine/api}\n")
    more = OWNED.format(usd=usd, kwh=1.0, watts=electricity_month / 730 * 1000, years=100)
    more += f"prices: {{mine/api: {{usd_per_mtok: {{input: {rates[0]}, output: {rates[1]}}}}}}}\n"
    calls = tokens_m * 1e6 / 3000 / (730 / 24)
    scenario = question(folder, option, days=3650, calls=calls, tokens=(1000, 2000), baseline="api", more=more)
    days = break_even_json([break_even(scenario, ("api", "own"))])[0]["payback"]["days"]
    return float(days) * 24 / 730


def api_price(usd_per_mtok: float) -> tuple[str, str]:
    """A hosted option and its price, input and output alike."""
    rate = f"prices: {{mine/api: {{usd_per_mtok: {{input: {usd_per_mtok}, output: {usd_per_mtok}}}}}}}\n"
    return "  api: {kind: hosted_prompt, price: mine/api}\n", rate


def crossing(scenario: Scenario, *between: str) -> float:
    """The one volume, calls a day, from which the second is cheaper."""
    found = break_even_json([break_even(scenario, (between[0], between[1]))])[0]
    at = [one["at"] for one in found["crossings"] if one["basis"] == "horizon"]
    assert len(at) == 1
    return float(at[0])


A_MONTH = 730 / 24


def rented_and_owned(given: Mapping[str, Any], folder: Path) -> Answers:
    speed = f"output_tokens_per_s: {given['tok_s']}"
    full = question(folder, card(given["rate"], speed), days=1, calls=given["tok_s"] * 86_400 / 500)
    lines = owned(folder, given["capex"], given["months"] / 12, days=365)
    api, rate = api_price(given["blended"])
    fixed = card(1e-9, more=f", recurring_usd_per_month: {{fixed: {given['fixed']}}}")
    volume = crossing(question(folder, fixed + api, more=rate), "api", "own")
    return {
        "rented_month": rent(folder, given["rate"], given["hours"], f"{speed}, billed_share: {given['util']}"),
        "owned_month": (lines["hardware"] + lines["residual"]) / 12,
        "per_m": sum(billed(full, "own").values()) / (given["tok_s"] * 86_400 / 1e6),
        "break_even_m": volume * 1000 * A_MONTH / 1e6,
    }


def two_a100s(given: Mapping[str, Any], folder: Path) -> Answers:
    month = given["gpus"] * rent(folder, given["gpu_hour"], given["hours"])
    api, rate = api_price(given["api_blended"])
    calls = given["volume_m"] * 1e6 / 1000 / A_MONTH
    usd = given["gpus"] * given["gpu_hour"]
    replica = card(usd, f"tokens_per_s: {given['tok_s']}, max_utilisation: {given['util']}")
    small = question(folder, replica + api, calls=calls, more=rate)
    fleet = run(small, "own").fleet
    assert fleet is not None
    assert break_even_json([break_even(small, ("api", "own"))])[0]["answer"] == "never"  # it cannot serve as much
    bill = sum(billed(small, "api").values()) / (365 / A_MONTH)
    wide = question(folder, card(usd) + api, calls=calls, more=rate)
    return {
        "replica_month": month,
        "capacity_m": float(fleet.most_per_s[0]) * 1000 * 3600 * given["hours"] / 1e6,
        "break_even_m": crossing(wide, "api", "own") * 1000 * A_MONTH / 1e6,
        "api_month": bill,
        "selfhost_per_m": sum(billed(wide, "own").values()) / (365 / A_MONTH) / given["volume_m"],
    }


def tuned_on_a_t4(given: Mapping[str, Any], folder: Path) -> Answers:
    month = rent(folder, given["gpu_hour"], given["hours"])
    api, rate = api_price(given["qwen27b_per_1k"])
    scenario = question(folder, card(given["gpu_hour"]) + api, more=rate)
    per_1k = {}
    for many in (1, 8, 32, 64):
        calls = given[f"calls_c{many}"] / A_MONTH
        served = question(folder, card(given["gpu_hour"], "tokens_per_s: 1e9"), calls=calls)
        per_1k[f"per_1k_c{many}"] = 1000 * comparison_json(compare(served))["options"]["own"]["per_call_usd"]
    return {"gpu_month": month, "be_qwen27b": crossing(scenario, "api", "own") * A_MONTH, **per_1k}


def idle_pair(given: Mapping[str, Any], folder: Path) -> Answers:
    fixed = f", recurring_usd_per_month: {{network: {given['network']}, storage: {given['storage']}}}"
    api, rate = api_price(given["api_per_m"])
    text = HEAD.format(days=30, calls=given["volume_m"] * 1e6 / 1000 / 30, input=500, output=500, baseline="own")
    option = card(given["gpu_hour"], count=given["gpus"], more=fixed)
    scenario = asked(folder, text.replace("730", str(given["hours"])) + rate + "options:\n" + option + api)
    lines = billed(scenario, "own")
    assert lines["gpu"] < 0.01 * lines["gpu_idle"]
    return {
        "gpu_month": lines["gpu"] + lines["gpu_idle"],
        "total": sum(lines.values()),
        "per_m": sum(lines.values()) / given["volume_m"],
        "api_month": sum(billed(scenario, "api").values()),
    }


def idle_tax(given: Mapping[str, Any], folder: Path) -> Answers:
    api, rate = api_price(given["api_per_m"])
    rate = rate.replace("}}}", f"}}, training: {{sft: {{usd_per_mtok: {given['train_rate']}}}}}}}}}")
    run_size = f"training: {{tokens: {given['train_m'] * 1e6}, epochs: 1}}"
    tuned = f"  tuned: {{kind: hosted_fine_tuned, price: mine/api, {run_size}}}\n"
    training = f", training: {{gpu_hours: {given['train_hours']}, gpu_usd_per_hour: {given['a100_hour']}}}"
    training = training.replace("}", ", set_up_minutes: 0}")
    days = {}
    for name, millions, count in (("low", given["low_m"], 1), ("high", given["high_m"], given["instances_high"])):
        options = card(given["gpu_hour"], "tokens_per_s: 3000", count, training) + api + tuned
        scenario = question(folder, options, days=1, calls=millions * 1e6 / 1000, more=rate)
        lines = billed(scenario, "own")
        days[f"own_{name}_day"] = lines["gpu"] + lines["gpu_idle"]
        days[f"api_{name}_day"] = sum(billed(scenario, "api").values())
        assert run(scenario, "own").feasible
    return {
        "api_training": billed(scenario, "tuned")["training"],
        "own_training": lines["training"],
        **days,
    }


def always_on(given: Mapping[str, Any], folder: Path) -> Answers:
    return {"month": rent(folder, given["gpu_hour"], given["hours"])}


def measured_power(given: Mapping[str, Any], folder: Path) -> Answers:
    lines = owned(folder, 1.0, 100, days=30, kwh=given["tariff"], watts=given["kwh"] * 1000 / 720)
    return {"electricity": lines["electricity"], "per_m": lines["electricity"] / given["tokens_m"]}


def split_idle(given: Mapping[str, Any], folder: Path) -> Answers:
    core = given["cluster_hour"] / given["cores"]
    served = question(
        folder, card(core, "tokens_per_s: 1000", given["a_billed"]), days=1, calls=given["a_used"] * 86_400
    )
    a = billed(served, "own")
    b = billed(question(folder, card(core, "tokens_per_s: 1000", given["b_billed"]), days=1, calls=86_400), "own")
    return {
        "a_cost": (a["gpu"] + a["gpu_idle"]) / 24,
        "a_usage_cost": a["gpu"] / 24,
        "b_cost": sum(b.values()) / 24,
        "idle": rent(folder, core, 24, count=given["cores"] - given["a_billed"] - given["b_billed"]) / 24,
    }


def paid_back(given: Mapping[str, Any], folder: Path) -> Answers:
    apis = {name.removesuffix("_in"): (given[name], given[name.replace("_in", "_out")])
            for name in given if name.endswith("_in")}
    names = {"gem": "gemini"}
    return {
        f"months_{names.get(name, name)}": payback_months(
            folder, given["hardware"], given["electricity_month"], given["capacity_m"], rates
        )
        for name, rates in apis.items()
    }


def home_server(given: Mapping[str, Any], folder: Path) -> Answers:
    cloud = f"{{kind: self_hosted, gpu_usd_per_hour: {given['cloud_year'] / 8760}, serving: {{tokens_per_s: 1e6}}}}"
    option = f"  own: {{kind: self_hosted, gpu: mine/box, serving: {{tokens_per_s: 1e6}}}}\n  cloud: {cloud}\n"
    more = OWNED.format(usd=given["hardware"], kwh=1.0, watts=given["electricity_year"] / 8760 * 1000, years=100)
    scenario = question(folder, option, days=3650, baseline="cloud", more=more)
    payback = break_even_json([break_even(scenario, ("cloud", "own"))])[0]["payback"]
    return {"break_even_years": payback["days"] / 365}


LENGTHS = {"prefix": 0.0, "input": 512.0, "output": 256.0}
HIGHEST = 200.0
"""Calls a second of the load called l200, far above what one card serves."""


def at_a_load(gpu: str, rate: float) -> Callable[[Mapping[str, Any], Path], Answers]:
    """Effective price and penalty by our own simulated speed: nothing is fitted to these runs."""

    def found(given: Mapping[str, Any], folder: Path) -> Answers:
        replica = bound_replica(f"vllm/{gpu}/llama-3.1-8b/bf16")
        speeds = [
            serve_calls(replica, LENGTHS, rate_per_s=load, calls=6000).output_tokens_per_s for load in (rate, HIGHEST)
        ]
        return {"c_eff": given["gpu_hour"] / (speeds[0] * 3600) * 1e6, "penalty": speeds[1] / speeds[0]}

    return found


def idle_experts(given: Mapping[str, Any], folder: Path) -> Answers:
    """The same of a model with experts; its penalty is the end of our range that lies nearest to what was measured."""
    replica = bound_replica("vllm/h100-sxm/qwen3-30b-a3b/fp8", models={"qwen3-30b-a3b": QWEN3_30B})
    assert replica.estimated
    alone = serve_calls(replica, LENGTHS, rate_per_s=1.0, calls=6000).output_tokens_per_s
    slow, fast = (
        serve_calls(end, LENGTHS, rate_per_s=HIGHEST, calls=6000).output_tokens_per_s / alone for end in replica.ends
    )
    measured = given["tps_saturation"] / given["tps_output"]
    return {"c_eff": given["gpu_hour"] / (alone * 3600) * 1e6, "penalty": min(max(measured, slow), fast)}


REACHED: dict[str, Callable[[Mapping[str, Any], Path], Answers]] = {
    "sh-01-llmtco-gpu": rented_and_owned,
    "sh-03-forg-two-a100": two_a100s,
    "sh-06-finetune-vs-api-t4": tuned_on_a_t4,
    "sh-07-lexora-idle": idle_pair,
    "sh-09-cloudatler-idle-tax": idle_tax,
    "sh-10-a100-always-on": always_on,
    "sh-12-measured-electricity": measured_power,
    "sh-13-idle-cost-split": split_idle,
    "sh-14-NEG-home-server-years": home_server,
    "util-h100-llama8b-fp16-l1": at_a_load("h100-sxm", 1.0),
    "util-h100-llama8b-fp16-l200": at_a_load("h100-sxm", 200.0),
    "util-a100-llama8b-fp16-l5": at_a_load("a100-80gb-sxm", 5.0),
    "util-a100-llama8b-fp16-l200": at_a_load("a100-80gb-sxm", 200.0),
    ESTIMATED: idle_experts,
    **{name: paid_back for name in EXAMPLES if name.startswith("on-prem-pan")},
}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in NOT_HERE])
def test_a_published_example_comes_out_or_is_shown_to_be_wrong(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]
    answers = REACHED[name](example["inputs"], tmp_path)
    assert set(answers) == set(example["stated"])
    for which, stated in example["stated"].items():
        room = stated["abs"] if "abs" in stated else stated["rel"] * abs(stated["value"])
        if name.startswith("util-"):
            room = SIMULATED * stated["value"]
        if "follows" in stated:
            assert "-NEG-" in name
            assert abs(answers[which] - stated["value"]) > room, which
            assert answers[which] == pytest.approx(stated["follows"], rel=1e-6)
        else:
            assert abs(answers[which] - stated["value"]) <= room * (1 + 1e-9), (which, answers[which], stated)


def test_every_example_is_answered_but_for_the_few_named() -> None:
    assert set(EXAMPLES) == set(REACHED) | set(NOT_HERE)
    assert len(NOT_HERE) <= 0.1 * len(EXAMPLES)
    assert all(example["source"] and example["address"] for example in EXAMPLES.values())


def test_an_idle_card_is_penalised_in_the_measured_order() -> None:
    """The middle of an estimated range too: the model with experts loses most by idling."""
    measured = {name: EXAMPLES[name]["stated"]["penalty"]["value"] for name in REACHED if name.startswith("util-")}
    mine = {name: REACHED[name](EXAMPLES[name]["inputs"], Path())["penalty"] for name in measured}
    replica = bound_replica("vllm/h100-sxm/qwen3-30b-a3b/fp8", models={"qwen3-30b-a3b": QWEN3_30B})
    low, high = (serve_calls(replica, LENGTHS, rate_per_s=load, calls=6000) for load in (1.0, HIGHEST))
    mine[ESTIMATED] = high.output_tokens_per_s / low.output_tokens_per_s
    assert sorted(mine, key=lambda name: mine[name])[2:] == sorted(measured, key=lambda name: measured[name])[2:]


@pytest.mark.parametrize(("rate", "usd"), [(2.88, 28.8), (0.86, 8.6), (2.49, 24.9), (3.98, 39.8)])
def test_tr_11_gpu_hours_times_rate(tmp_path: Path, rate: float, usd: float) -> None:
    option = card(1.0, more=f", training: {{gpu_hours: 10, gpu_usd_per_hour: {rate}}}")
    assert billed(question(tmp_path, option, days=1), "own")["training"] == pytest.approx(usd)


def test_tr_10_an_80b_qlora_from_flops_to_dollars(tmp_path: Path) -> None:
    # 6 x 0.67 FLOPs a weight and token at 0.3 x 0.7 of 989 TFLOP/s, 10 % lost to the cluster, 2.5 runs in all
    speed = 989e12 * 0.3 * 0.7 / (6 * 80e9 * 0.67) / 1.1
    run_size = "examples: 100000, tokens_per_example: 1000, epochs: 3, set_up_minutes: 0"
    for runs, usd in ((1, 412), (2.5, 1029)):
        made = f"training: {{{run_size}, runs_per_model: {runs}, gpu_usd_per_hour: 2.9, tokens_per_s: {speed}}}"
        scenario = question(tmp_path, card(1.0, more=f", {made}"), days=30)  # a run must end within it to be paid
        assert billed(scenario, "own")["training"] == pytest.approx(usd, rel=0.002)
    lines = comparison_json(compare(scenario))["options"]["own"]["lines"]
    hours = next(line["quantity"] for line in lines if line["line"] == "training") / 2.5
    assert hours == pytest.approx(142, rel=0.002)
    assert hours / 1.1 == pytest.approx(129, rel=0.002)


def test_fifteen_percent_turns_the_answer() -> None:
    path = Path(__file__).parents[1] / "scenarios" / "fifteen-percent.yaml"
    real = comparison_json(compare(read_scenario(path)))
    assert real["verdict"]["choice"] == "hosted"
    assert real["options"]["rented-a100"]["utilisation"] == pytest.approx(0.15, abs=0.02)
    pinned = "options.rented-a100.serving={output_tokens_per_s: 2000, billed_share: 0.15}"
    assert compare(read_scenario(path, [pinned])).verdict.choice == "rented-a100"
