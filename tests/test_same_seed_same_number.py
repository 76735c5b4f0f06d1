"""The same seed gives the same numbers to the last bit: any split of the runs, any other options, any workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pricing.errors import InputError
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.run import run
from simulator.studies.runs import play

SMALL = ["workload.calls_per_day=500", "horizon_days=25"]
ROOT = Path(__file__).parents[1]

ASKED = """
from simulator.files import read_scenario, default_scenario_path
from simulator.run import run
scenario = read_scenario(default_scenario_path(), ["workload.calls_per_day=150", "horizon_days=13",
    "options.long-prompt.retries={failure_rate: 0.1, max: 2}", "options.long-prompt.caching={scopes: 3}",
    "workload.demand={hours: office, burst: {ratio: 5, on_share: 0.2, mean_on_s: 600}}"])
for fidelity in ("aggregate", "call"):
    print(run(scenario, "long-prompt", engine="simulated", runs=2, seed=5, fidelity=fidelity).total_usd.tolist())
"""


def read(*changes: str) -> Scenario:
    return read_scenario(default_scenario_path(), [*SMALL, *changes])


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_runs_may_be_split_and_joined(fidelity: str) -> None:
    """The second part begins inside a block of runs and ends in another."""
    scenario, last = read(), 104 if fidelity == "aggregate" else 4
    whole = run(scenario, "tuned-api", engine="simulated", runs=last, seed=9, fidelity=fidelity)
    parts = [
        run(scenario, "tuned-api", engine="simulated", runs=some, seed=9, fidelity=fidelity)
        for some in (range(2), range(2, last))
    ]
    for field in ("total_usd", "calls", "hit_calls", "peak_per_s"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert joined.tolist() == getattr(whole, field).tolist()


def test_sets_of_runs_merge_in_any_order_and_count_a_run_once() -> None:
    scenario = read()
    whole, early, late = (play(scenario, some) for some in (6, range(2), range(2, 6)))
    for merged in (early.merged(late), late.merged(early)):
        assert merged.numbers.tolist() == list(range(6))
        for name in scenario.options:
            assert merged.total_usd[name].tolist() == whole.total_usd[name].tolist()
            assert merged.interval_usd(name) == whole.interval_usd(name)
            assert merged.mean[name].total_usd == pytest.approx(whole.mean[name].total_usd, rel=1e-12)
        assert merged.cheapest_share() == whole.cheapest_share()
        assert {k: v.tolist() for k, v in merged.payback_days.items()} == {
            k: v.tolist() for k, v in whole.payback_days.items()
        }
    with pytest.raises(InputError, match="run 2 is in both"):
        late.merged(late)


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_one_more_option_changes_no_other(fidelity: str) -> None:
    fewer = read()
    more = read("options.another={kind: hosted_prompt, price: openai/gpt-5.4-mini, prefix_tokens: 10}")
    for name in fewer.options:
        a, b = (run(s, name, engine="simulated", runs=2, fidelity=fidelity).total_usd for s in (fewer, more))
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_options_face_the_same_calls(fidelity: str) -> None:
    scenario = read()
    a, b = (run(scenario, name, engine="simulated", runs=3, fidelity=fidelity) for name in ("long-prompt", "tuned-api"))
    assert a.calls.tolist() == b.calls.tolist()
    if fidelity == "call":
        assert a.tokens["output"].tolist() == b.tokens["output"].tolist()


def test_another_seed_gives_other_numbers() -> None:
    scenario = read()
    a, b = (run(scenario, "long-prompt", engine="simulated", runs=3, seed=seed).total_usd for seed in (1, 2))
    assert not set(a.tolist()) & set(b.tolist())


def test_the_number_of_workers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, found = read(), []
    for workers in (1, 2, 7):
        monkeypatch.setattr(os, "cpu_count", lambda workers=workers: workers)
        found.append(run(scenario, "long-prompt", engine="simulated", runs=1, fidelity="call").total_usd.tolist())
    assert found[0] == found[1] == found[2]


def test_kernels_give_the_same_numbers_as_plain_python() -> None:
    """`NUMBA_DISABLE_JIT=1` runs the same code; logarithms may differ in the last bit, counts do not."""
    printed = []
    for disabled in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", ASKED], cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        )  # fmt: skip
        printed.append([float(x) for line in done.stdout.splitlines() for x in line.strip("[]").split(",")])
    assert printed[0] == pytest.approx(printed[1], rel=1e-9)


def test_draws_are_runs_and_keep_their_own_randomness() -> None:
    """A run whose dial is drawn at the scenario's own value is the run without a draw."""
    scenario = read()
    plain = run(scenario, "long-prompt", engine="simulated", runs=3).total_usd
    prices = np.array([1.0, 2.0, 1.0])
    drawn = run(scenario, "long-prompt", engine="simulated", draws={"options.long-prompt.price_factor": prices})
    assert drawn.total_usd[[0, 2]].tolist() == plain[[0, 2]].tolist()
    assert drawn.total_usd[1] > plain[1]
    sds = np.array([0.25, 0.0, 0.25])
    regrouped = run(scenario, "long-prompt", engine="simulated", draws={"workload.demand.day_sd": sds})
    assert regrouped.total_usd[[0, 2]] == pytest.approx(plain[[0, 2]], rel=1e-12)
    with pytest.raises(InputError, match="every run is a draw"):
        run(scenario, "long-prompt", engine="simulated", runs=7, draws={"options.long-prompt.price_factor": prices})


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"runs": 0}, "runs is 0; play at least one"),
        ({"runs": range(5, 5)}, "play at least one"),
        ({"seed": -1}, "seed is -1"),
        ({"fidelity": "calls"}, 'fidelity is "calls"; it must be aggregate or call; did you mean "call"'),
    ],
)
def test_what_cannot_be_played_is_said_in_a_sentence(flags: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as told:
        run(read(), "long-prompt", engine="simulated", **flags)  # type: ignore[arg-type]
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)
