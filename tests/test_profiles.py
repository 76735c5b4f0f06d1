"""Every card runs every model, or says why not; what nobody measured is marked, with a wider range that is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pricing.errors import InputError
from pricing.load_hardware import shipped_models, shipped_specs
from pricing.load_serving import bound_replica, shipped_serving
from simulator.answers import comparison_json
from simulator.run import saturation
from simulator.studies.compare import compare
from tests.command_line import tunepoint
from tests.questions import asked

CARDS = ("rtx-3090", "rtx-4090", "rtx-5090", "l4", "l40s", "a10g", "a100-40gb-sxm", "a100-80gb-sxm", "h100-sxm",
         "h200-sxm", "b200-sxm")
LENGTHS = {"prefix": 0.0, "input": 512.0, "output": 128.0}
QUESTION = """
start: 2026-12-01
horizon_days: 60
baseline: own
workload: {calls_per_day: 1000, tokens: {input: 300, output: 50}}
options:
  own:
    kind: self_hosted
    serving: SERVING
    gpu: runpod-secure/rtx-4090
"""


@pytest.mark.parametrize("card", CARDS)
def test_every_model_runs_on_a_card_or_is_refused_with_the_arithmetic(card: str) -> None:
    assert len(shipped_models()) == 13
    fitting, specs = 0, shipped_specs()
    for model in shipped_models():
        name = f"vllm/{card}/{model}/bf16"
        room = specs[card].memory_gb * 0.88 - shipped_models()[model].weights_gb / 1.074     # GiB; 1.4 to 4.7 are lost
        if room < 5.0:
            if room < 1.0:
                with pytest.raises(InputError, match=r"does not fit: .* GB are left"):
                    bound_replica(name)
            continue
        replica = bound_replica(name)
        fitting += 1
        measured = f"{card}/{model}/bf16" in shipped_serving()["vllm"].profiles
        assert replica.estimated is not measured, name
        slow, own, fast = (saturation(one, LENGTHS) for one in (replica.ends[0], replica, replica.ends[1]))
        assert slow < own < fast, name
    assert fitting >= 3


def test_an_estimated_profile_has_a_wider_range_than_the_measured_one_it_stems_from() -> None:
    def width(name: str) -> float:
        slow, fast = (saturation(end, LENGTHS) for end in bound_replica(name).ends)
        return fast / slow

    for card in ("rtx-4090", "a100-80gb-sxm"):
        measured = width(f"vllm/{card}/llama-3.1-8b/bf16")
        assert measured == pytest.approx(1.0 / 0.7, rel=1e-6)     # the deployment factor alone, 0.7 to 1
        assert width(f"vllm/{card}/qwen3-8b/bf16") > measured


def test_the_range_of_an_estimated_profile_is_shown(tmp_path: Path) -> None:
    answer = comparison_json(compare(asked(tmp_path, QUESTION.replace("SERVING", "vllm/rtx-4090/qwen3-4b/bf16"))))
    caveats = [one for one in answer["verdict"]["caveats"] if "is estimated" in one]
    assert len(caveats) == 1
    assert "calls a second at the ends of its range" in caveats[0]
    flags = ["--input", "512", "--output", "128", "--rate", "1"]
    done = tunepoint("gpu", "run", "vllm/rtx-4090/qwen3-4b/bf16", *flags)
    assert "an estimated profile" in done.out
    assert "at the slow and the fast end of its range" in done.out
    read = json.loads(tunepoint("gpu", "run", "vllm/rtx-4090/qwen3-4b/bf16", *flags, "--json").out)
    low, high = read["saturation_range_per_s"]
    assert low < read["saturation_per_s"] < high
    shown = json.loads(tunepoint("gpu", "show", "vllm/rtx-4090/qwen3-4b/bf16", "--json").out)
    assert (shown["measured"], shown["confidence"], shown["ranges"]["mfu"]) == (False, "estimated", [0.4, 0.93])


def test_llama_cpp_serves_one_call_at_a_time_and_four_bits_fit_where_sixteen_do_not() -> None:
    one = bound_replica("llama.cpp/rtx-4090/llama-3.1-8b/q4_k_m")
    assert (one.profile.max_num_seqs, one.measured) == (1, True)
    assert one.weights_bytes == pytest.approx(8.03e9 * 4.9 / 8)
    # at concurrency 1 a call of 1,024 tokens takes what was measured, but for the deployment factor: 127.7 a second
    speed = saturation(one, {"prefix": 0.0, "input": 1.0, "output": 1024.0}) * 1024
    assert speed / 0.85 == pytest.approx(127.7, rel=0.01)
    assert bound_replica("llama.cpp/l40s/llama-3.3-70b/q4_k_m").measured
    with pytest.raises(InputError, match="does not fit"):
        bound_replica("llama.cpp/l40s/llama-3.3-70b/fp16")


def test_sglang_takes_wider_steps_on_the_same_card() -> None:
    mine, other = (bound_replica(f"{engine}/a100-80gb-sxm/qwen3-14b/bf16") for engine in ("sglang", "vllm"))
    assert mine.measured
    assert not other.measured
    assert mine.profile.max_num_batched_tokens > other.profile.max_num_batched_tokens
    assert mine.kv_tokens == other.kv_tokens


def test_the_profile_in_the_readme_runs(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    page = next(block for block in readme.split("```yaml\n")[1:] if block.startswith("serving: ")).partition("```")[0]
    path = tmp_path / "mine.yaml"
    path.write_text(page, "utf-8")
    done = tunepoint("gpu", "run", str(path), "--input", "512", "--output", "128", "--concurrency", "4")
    assert done.code == 0, done.err
    assert "a typed profile" in " ".join(done.out.split())
