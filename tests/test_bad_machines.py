"""Every bad thing one can say of a machine ends in one sentence: what, where, the value, the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.studies.compare import compare
from simulator.studies.sizing import meets_slo
from tests.command_line import tunepoint
from tests.questions import asked

GOOD = """start: 2026-12-01
horizon_days: 60
baseline: own
workload: {calls_per_day: 1000, tokens: {input: 300, output: 50}}
gpus:
  mine/box:
    owned: {purchase_usd: 100, electricity_usd_per_kwh: 0.2, idle_w: 1, light_w: 2, saturated_w: 3, life_years: 3}
    gpu: rtx-4090
options:
  own:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: runpod-secure/rtx-4090
    fleet: {replicas: {min: 1, max: 2}}
"""
SERVING = "vllm/rtx-4090/llama-3.1-8b/bf16"
BAD = {
    "a model larger than the GPU": (
        SERVING, "vllm/rtx-4090/llama-3.3-70b/bf16", "llama-3.3-70b does not fit: rtx-4090 reports 25.3 GB"),
    "KV for not even one sequence": (
        f"serving: {SERVING}\n", f"serving: {SERVING}\n    prefix_tokens: 60000\n",
        "a call of 60,350 tokens does not fit alone into the 41,408"),
    "min above max": ("min: 1, max: 2", "min: 3, max: 2", "fleet.replicas.min: 3; it cannot exceed max, which is 2"),
    "half a replica": ("max: 2", "max: 2.5", "count whole replicas"),
    "a GPU without the precision": (
        SERVING, "vllm/a100-80gb-sxm/llama-3.1-8b/fp8", "a100-80gb-sxm has no fp8 arithmetic"),
    "a precision nobody knows": (SERVING, "vllm/rtx-4090/llama-3.1-8b/bf15", "precision bf15 is not one of bf16"),
    "an unknown model": (SERVING, "vllm/rtx-4090/lama-3.1-8b/bf16", 'did you mean "llama-3.1-8b"?'),
    "an unknown card": (SERVING, "vllm/rtx-4091/llama-3.1-8b/bf16", 'did you mean "rtx-4090"?'),
    "an unknown engine": (SERVING, "vlm/rtx-4090/llama-3.1-8b/bf16", 'did you mean "vllm"?'),
    "no serving id at all": (SERVING, "my-server", "write engine/gpu/model/precision"),
    "an unknown price": ("runpod-secure/rtx-4090", "runpod-secure/rtx-4091", 'no GPU price "runpod-secure/rtx-4091"'),
    "owned hardware with zero life": ("life_years: 3", "life_years: 0", ":7: gpus.mine/box.owned.life_years"),
    "a speed of zero": (
        f"serving: {SERVING}", "serving: {tokens_per_s: 0}", "options.own.serving"),
    "two speeds": (
        f"serving: {SERVING}", "serving: {tokens_per_s: 1, output_tokens_per_s: 1}",
        "give one of output_tokens_per_s and tokens_per_s"),
    "no price of a machine": ("    gpu: runpod-secure/rtx-4090\n", "", "gpu is missing"),
    "a shift that ends before it begins": (
        "max: 2}}", "max: 2}, shifts: [{hours: [9, 8], replicas: {min: 1, max: 1}}]}",
        "shifts.0.hours: is [9, 8]; write two hours"),
    "a price that begins later": ("start: 2026-12-01", "start: 2020-01-01", 'has no on_demand price on 2020-01-01'),
    "training of no size": (
        "    fleet:", "    training: {gpu: runpod-secure/rtx-4090}\n    fleet:", "a run is sized by one of"),
    "a disk whose price nobody knows": (
        "gpu: runpod-secure/rtx-4090", "gpu: vast/rtx-4090\n    disk_gb: 50",
        "vast/rtx-4090 has no storage_usd_per_gb_month"),
    "arrivals beyond capacity": (
        "calls_per_day: 1000", "calls_per_day: 9e6", "calls come faster than its replicas serve"),
}


SERVED = ("arrivals beyond capacity",)
"""What is no mistake to `size`: it asks how many replicas serve so many calls."""


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["compare", "size"])
def test_one_sentence_on_the_command_line(tmp_path: Path, name: str, command: str) -> None:
    old, new, sentence = BAD[name]
    assert old in GOOD
    path = tmp_path / "question.yaml"
    path.write_text(GOOD.replace(old, new), "utf-8")
    if command == "size":
        if name in SERVED:
            return
        done = tunepoint("size", str(path), "--option", "own", "--set", "workload.slo.ttft_p95_s=2")
    else:
        done = tunepoint("compare", str(path), "--bare")
    assert done.code == (3 if name == "arrivals beyond capacity" else 2)
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert not done.out


def test_what_is_good_is_answered(tmp_path: Path) -> None:
    assert compare(asked(tmp_path, GOOD)).verdict.choice == "own"


PROFILE = {
    "zero bandwidth": ("mbu: 0", "mbu: 0.0; it is a share above 0 and at most 1"),
    "KV for no token": ("kv_tokens: 0", "kv_tokens: 0; it must be at least 1"),
    "a misspelt parameter": ("mbuu: 0.9", "unknown key"),
}


@pytest.mark.parametrize("name", PROFILE)
def test_a_profile_of_ones_own(tmp_path: Path, name: str) -> None:
    line, sentence = PROFILE[name]
    path = tmp_path / "mine.yaml"
    path.write_text(f"serving: {SERVING}\n{line}\n", "utf-8")
    done = tunepoint("gpu", "run", str(path), "--input", "10", "--output", "5", "--rate", "1")
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--rate", "1", "--concurrency", "2"], "--concurrency and --rate: give one of them"),
        ([], "--concurrency and --rate: give one of them"),
        (["--rate", "0"], "--rate: 0 calls a second"),
        (["--rate", "1", "--requests", "1.5"], "--requests: 1.5 is not a whole number"),
        (["--concurrency", "0"], "--concurrency: 0 is not a whole number"),
    ],
)
def test_flags_of_gpu_run(flags: list[str], sentence: str) -> None:
    done = tunepoint("gpu", "run", SERVING, "--input", "10", "--output", "5", *flags)
    assert (done.code, sentence in done.err) == (2, True)


def test_sizing_asks_for_a_fleet_and_a_target(tmp_path: Path) -> None:
    path = tmp_path / "question.yaml"
    path.write_text(GOOD, "utf-8")
    done = tunepoint("size", str(path), "--option", "own")
    assert (done.code, "has no target to size for" in done.err) == (2, True)
    typed = ["--set", "workload.slo.ttft_p95_s=0.001"]
    late = tunepoint("size", str(path), "--option", "own", *typed)
    assert (late.code, "a call alone has first token p95" in late.err) == (3, True)


SHIFTS = "max: 2}, shifts: [{hours: [8, 20], replicas: {min: 1, max: 2}}, {hours: [0, 8], replicas: NIGHT}]}"
EVENING = "max: 2}}"


@pytest.mark.parametrize(("night", "kept"), [("{min: 1, max: 1}", True), ("{min: 0, max: 1}", True)])
def test_every_shift_keeps_the_targets_or_the_fleet_is_no_choice(tmp_path: Path, night: str, kept: bool) -> None:
    text = GOOD.replace(EVENING, SHIFTS.replace("NIGHT", night))
    scenario = asked(tmp_path, text, "workload.slo.e2e_p95_s=5")
    assert meets_slo(scenario, "own") == (kept, "")


def test_the_night_shift_alone_can_break_the_promise(tmp_path: Path) -> None:
    """Thirty calls a second around the clock: three cards keep five seconds, one by night cannot serve them."""
    text = GOOD.replace("calls_per_day: 1000", "calls_per_day: 2_592_000").replace("max: 2}}", "max: 5}}")
    slo = "workload.slo.e2e_p95_s=5"
    assert meets_slo(asked(tmp_path, text, slo), "own") == (True, "")
    one = "max: 5}, shifts: [{hours: [0, 8], replicas: {min: 1, max: 1}}]}}"
    kept, missing = meets_slo(asked(tmp_path, text.replace("max: 5}}", one[:-1]), slo), "own")
    assert kept is False
    assert "end to end p95" in missing
    cheapest = compare(asked(tmp_path, text.replace("max: 5}}", one[:-1]) + API, slo))
    assert cheapest.verdict.choice == "api"
    assert "own" in " ".join(cheapest.verdict.caveats)


API = "  api: {kind: hosted_prompt, price: mine/dear}\nprices: {mine/dear: {usd_per_mtok: {input: 900, output: 900}}}\n"
