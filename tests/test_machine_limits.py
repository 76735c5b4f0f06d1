"""What a model, a card or an owner cannot do is refused in one sentence that holds the figures."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from pricing.errors import InputError
from pricing.load_serving import bound_replica
from pricing.serving import Replica
from simulator.domain.options import SelfHosted
from simulator.domain.overload import fleet_flags
from simulator.run import run, serve_calls
from simulator.studies import machines, sizing
from simulator.studies.breakeven import break_even
from tests.command_line import tunepoint
from tests.questions import asked

RTX, A100 = "vllm/rtx-4090/llama-3.1-8b/bf16", "vllm/a100-80gb-sxm/qwen3-8b/bf16"
GOOD = f"""start: 2026-12-01
horizon_days: 30
baseline: own
workload: {{calls_per_day: 1000, tokens: {{input: 300, output: 50}}, slo: {{ttft_p95_s: 9}}}}
options:
  own:
    kind: self_hosted
    serving: {A100}
    gpu: vast/a100-80gb-sxm
"""


def refused(folder: Path, text: str, *command: str) -> str:
    """The one sentence with which a command refuses a question."""
    path = folder / "question.yaml"
    path.write_text(text, "utf-8")
    done = tunepoint(command[0], str(path), *command[1:])
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    return done.err


COMPARE, SIZE = ("compare", "--bare"), ("size", "--option", "own")


@pytest.mark.parametrize("command", [COMPARE, SIZE])
@pytest.mark.parametrize("caching", ["true", "false"])
def test_a_mean_call_longer_than_the_context_is_refused(tmp_path: Path, command: tuple[str, ...], caching: str) -> None:
    """Qwen3-8B reads 40,960 tokens; the card has room for far more, so that only the model stands in the way."""
    long = f"    prefix_tokens: 40_611\n    prefix_caching: {caching}\n"
    sentence = "a call of 40,961 tokens is longer than the 40,960 that qwen3-8b reads (max_context)"
    assert sentence in refused(tmp_path, GOOD + long, *command)
    assert run(asked(tmp_path, GOOD + long.replace("40_611", "40_610")), "own").served_calls[0] > 0


def test_gpu_run_refuses_a_call_longer_than_the_context() -> None:
    done = tunepoint("gpu", "run", A100, "--prefix", "30000", "--input", "10000", "--output", "961", "--rate", "1")
    assert (done.code, "longer than the 40,960 that qwen3-8b reads" in done.err) == (2, True)


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_the_simulation_refuses_it_too(tmp_path: Path, fidelity: str) -> None:
    scenario = asked(tmp_path, GOOD + "    prefix_tokens: 41_000\n")
    with pytest.raises(InputError, match=r"options.own: a call of 41,350 tokens is longer than the 40,960"):
        run(scenario, "own", engine="simulated", runs=1, fidelity=fidelity)


@pytest.mark.parametrize("prefix", [0, 24])
def test_a_call_that_fills_the_last_block_is_served_and_one_token_more_is_not(prefix: int) -> None:
    """41,408 tokens are 2,588 blocks of 16; a prefix of 24 tokens takes two of them, and leaves eight tokens unused."""
    replica = bound_replica(RTX)
    own = 41_408 - (32 if prefix else 0)
    at_edge = serve_calls(replica, {"prefix": prefix, "input": own - 5, "output": 5}, concurrency=1, calls=3)
    assert at_edge.refused == 0
    with pytest.raises(InputError, match="does not fit alone into the 41,408 tokens") as caught:
        serve_calls(replica, {"prefix": prefix, "input": own - 4, "output": 5}, concurrency=1, calls=3)
    assert "GB are left for" not in str(caught.value)
    assert "the engine reported 41,408 tokens of 131,072 bytes" in str(caught.value)


def test_a_typed_cache_is_called_typed(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"serving: {RTX}\nkv_tokens: 100\n", "utf-8")
    done = tunepoint("gpu", "run", str(path), "--input", "100", "--output", "13", "--rate", "1")
    assert done.code == 2
    assert "does not fit alone into the 100 tokens of a KV cache held in blocks of 16" in done.err
    assert "kv_tokens is typed: 100 tokens of 131,072 bytes" in done.err
    assert " left" not in done.err
    path.write_text(f"serving: {RTX}\nkv_tokens: 112\n", "utf-8")
    assert tunepoint("gpu", "run", str(path), "--input", "100", "--output", "12", "--rate", "1").code == 0


TRAINED = "    training: {{tokens: 1e6, gpu: {gpu}, model: {model}, method: {method}}}\n"


@pytest.mark.parametrize(
    ("gpu", "model", "method", "sums"),
    [
        # 8.03e9 weights in bf16, a gradient and two Adam states each, against 24 GiB of which 98 % are reported
        ("runpod-secure/rtx-4090", "llama-3.1-8b", "full-hf",
         "16.1 GB of weights, 16.1 GB of gradients, 32.1 GB of two Adam states, 64.2 GB in all before any activation, "
         "and one rtx-4090 reports 25.3 GB"),
        ("runpod-secure/rtx-4090", "qwen3-14b", "lora-hf", "29.5 GB of weights"),
        ("runpod-secure/rtx-4090", "llama-3.3-70b", "qlora-unsloth",
         "39.5 GB of weights in 4 bits, 5.6 GB of adapters"),
        ("vast/a100-80gb-sxm", "llama-3.3-70b", "full-torchtune", "141.1 GB of weights"),
    ],
)
def test_a_model_that_a_card_cannot_hold_in_training_is_refused(
    tmp_path: Path, gpu: str, model: str, method: str, sums: str
) -> None:
    sentence = refused(tmp_path, GOOD + TRAINED.format(gpu=gpu, model=model, method=method), *COMPARE)
    assert sums in sentence
    assert ":10: options.own.training.gpu" in sentence


@pytest.mark.parametrize(("method", "gpu"), [
    ("full-torchtune", "runpod-secure/rtx-4090"), ("lora-torchtune", "runpod-secure/rtx-4090"),
    ("qlora-torchtune", "runpod-secure/rtx-4090"), ("full-hf", "vast/a100-80gb-sxm"),
])
def test_what_has_been_trained_on_such_a_card_is_not_refused(tmp_path: Path, method: str, gpu: str) -> None:
    """The first three are runs of Llama-3.1-8B on one RTX 4090 (torchtune's README): 18.9, 16.2 and 7.4 GiB."""
    asked(tmp_path, GOOD + TRAINED.format(gpu=gpu, model="llama-3.1-8b", method=method))


def test_a_typed_speed_is_somebody_s_own_run_on_as_many_cards_as_it_took(tmp_path: Path) -> None:
    text = TRAINED.format(gpu="runpod-secure/rtx-4090", model="llama-3.1-8b", method="full-hf")
    asked(tmp_path, GOOD + text.replace("tokens: 1e6", "tokens: 1e6, tokens_per_s: 900"))


@pytest.mark.parametrize(
    ("serving", "told"),
    [
        ("vllm/rtx-4090/llama-3.1-8b/bf16/tp3", "3 cards cannot share the 32 heads and 8 KV heads of llama-3.1-8b"),
        ("sglang/h100-sxm/qwen2.5-7b/bf16/tp8", "8 cards cannot share the 28 heads and 4 KV heads"),
        ("vllm/h100-sxm/qwen3-14b/bf16/tp5", "8 KV heads of qwen3-14b evenly; take 1, 2, 4, 8 cards"),
    ],
)
def test_cards_that_cannot_share_the_heads_are_refused(serving: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        bound_replica(serving)
    assert told in str(caught.value)


@pytest.mark.parametrize("serving", [
    "vllm/h100-sxm/qwen2.5-7b/bf16/tp4", "vllm/h100-sxm/llama-3.3-70b/bf16/tp16",
    "llama.cpp/rtx-4090/llama-3.1-8b/bf16/tp3",
])
def test_heads_that_divide_or_are_repeated_and_layers_are_shared(serving: str) -> None:
    """Sixteen cards hold each of eight KV heads twice; llama.cpp gives every card whole layers."""
    assert bound_replica(serving).profile.gpus_per_replica in (3, 4, 16)


OWNED = """gpus:
  mine/box: {{gpu: a100-80gb-sxm, owned: {{purchase_usd: 1000, host_usd: 200, electricity_usd_per_kwh: 0.2, idle_w: 1,
    light_w: 2, saturated_w: 3, life_years: 3, residual_usd: {residual}}}}}
"""


def test_nobody_sells_a_worn_card_for_more_than_was_paid(tmp_path: Path) -> None:
    text = GOOD.replace("vast/a100-80gb-sxm", "mine/box")
    sentence = refused(tmp_path, text + OWNED.format(residual=1201), *COMPARE)
    assert "owned.residual_usd: is 1,201, more than was paid, 1,200 for the card and its host" in sentence
    asked(tmp_path, text + OWNED.format(residual=1200))


@pytest.mark.parametrize("command", [COMPARE, SIZE])
def test_a_profile_of_another_card_than_is_rented_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    sentence = refused(tmp_path, GOOD.replace("vast/a100-80gb-sxm", "runpod-secure/rtx-4090"), *command)
    assert f'"{A100}" runs on a100-80gb-sxm, but gpu "runpod-secure/rtx-4090" is rtx-4090' in sentence
    unknown = refused(tmp_path, GOOD.replace("vast/a100-80gb-sxm", "lambda/a10"), *command)
    assert 'but gpu "lambda/a10" is a10' in unknown


def test_a_typed_price_of_a_card_without_a_spec_serves_any_profile(tmp_path: Path) -> None:
    mine = "gpus: {mine/box: {usd_per_gpu_hour: {on_demand: 1}}}\n"
    asked(tmp_path, GOOD.replace("vast/a100-80gb-sxm", "mine/box") + mine)


def test_size_says_over_how_many_seconds_its_calls_came(tmp_path: Path) -> None:
    """5,000,000 calls a day are 57.9 a second; nine tenths of 60,000 come in 54,000 / 57.87 = 933 s, not in an hour."""
    path = tmp_path / "question.yaml"
    path.write_text(GOOD.replace("calls_per_day: 1000", "calls_per_day: 5_000_000"), "utf-8")
    told = tunepoint("size", str(path), "--option", "own").out
    assert "At that rate, over 933 s after filling up: 54,000 calls" in told
    assert "In that hour" not in told


def test_an_inline_gpu_starts_from_a_copy(tmp_path: Path) -> None:
    text, shipped = GOOD.replace("vast/a100-80gb-sxm", "mine/box"), "runpod-secure/a100-80gb-sxm"
    rent = f"gpus: {{mine/box: {{like: {shipped}, usd_per_gpu_hour: {{on_demand: 1.5}}}}}}\n"
    mine, theirs = asked(tmp_path, text + rent), asked(tmp_path, text.replace("mine/box", shipped))
    copy, model = mine.gpus["mine/box"], theirs.gpus[shipped]
    assert (copy.gpu, copy.versions[0].terms) == (model.gpu, model.versions[-1].terms)
    assert copy.versions[0].usd_per_gpu_hour == {"on_demand": 1.5}
    same = asked(tmp_path, text + f"gpus: {{mine/box: {{like: {shipped}}}}}\n").gpus["mine/box"]
    assert same.versions[0].usd_per_gpu_hour == model.versions[-1].usd_per_gpu_hour
    owned = asked(tmp_path, text + "gpus: {mine/box: {like: owned/rtx-4090, gpu: a100-80gb-sxm, "
                  "usd_per_gpu_hour: {on_demand: 1}}}\n").gpus["mine/box"]
    assert owned.versions[0].owned is None
    wrong = refused(tmp_path, text + rent.replace(shipped, "runpod-secure/a100-81gb-sxm"), *COMPARE)
    assert 'gpus.mine/box.like: no GPU price "runpod-secure/a100-81gb-sxm"' in wrong


def test_an_inline_profile_starts_from_a_copy(tmp_path: Path) -> None:
    """What the engine reported of its KV cache is kept for the same model on the same card, and counted for another."""
    def bound(like: str) -> Replica:
        scenario = asked(tmp_path, GOOD + f"serving: {{{A100}: {{like: {like}, mfu: 0.5}}}}\n")
        return scenario.serving[A100]

    model = bound_replica("vllm/h100-sxm/qwen3-8b/bf16").profile
    copy = bound("vllm/h100-sxm/qwen3-8b/bf16").profile
    assert (copy.mbu, copy.step_overhead_s, copy.max_num_seqs) == (model.mbu, model.step_overhead_s, model.max_num_seqs)
    assert (copy.mfu, copy.kv_tokens, copy.points) == (0.5, None, 0)
    same = bound(A100.replace("vllm", "sglang") + "/tp2").profile
    assert (same.gpus_per_replica, same.tp_efficiency) == (1, 1.0)
    wrong = refused(tmp_path, GOOD + f"serving: {{{A100}: {{like: vlm/h100-sxm/qwen3-8b/bf16}}}}\n", *COMPARE)
    assert 'like: no serving engine "vlm"; did you mean "vllm"?' in wrong


FAST = """start: 2026-12-01
horizon_days: 30
baseline: api
workload: {calls_per_day: 1e9, tokens: {input: 1, output: 1}, slo: {ttft_p95_s: 9}}
prices: {mine/p: {usd_per_mtok: {input: 9, output: 9}}}
options:
  api: {kind: hosted_prompt, price: mine/p}
  typed: {kind: self_hosted, serving: {tokens_per_s: 8192}, gpu_usd_per_hour: 9}
  own: {kind: self_hosted, serving: vllm/rtx-4090/qwen3-4b/bf16, gpu_usd_per_hour: 9}
"""


def test_thousands_of_calls_a_second_are_written_out_wherever_a_rate_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a fleet too small or short at times, where it is full, between the ends of its ranges, without a replica."""
    scenario = asked(tmp_path, FAST)
    own = scenario.options["own"]
    assert isinstance(own, SelfHosted)
    behind = run(scenario, "typed")
    assert behind.fleet is not None
    late = dataclasses.replace(behind.fleet, backlog_s=np.array([600.0]))
    monkeypatch.setattr(sizing, "sizing_hours", lambda *_: [(12_345.6, 0)])
    monkeypatch.setattr(machines, "served_between", lambda *_: (1_234.5, 2_345.6))
    (full, *_) = break_even(scenario, ("api", "typed"), low=1e8, high=1e9).crossings
    rates = [
        str(behind.why_not), *fleet_flags(late), *full.flags, *machines.machine_caveats(scenario, "own", own),
        *(words for key, _, words in machines.machine_assumptions(scenario, own) if key == "serving.saturation_per_s"),
        sizing.meets_slo(scenario, "own")[1],
    ]
    assert len(rates) == 6
    assert all(re.search(r"\d,\d00 (a|calls a) second|1,230 to 2,350", one) for one in rates), rates
