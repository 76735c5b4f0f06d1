"""Many draws of a fleet at once cost what each costs alone, and its autoscaler is a dial like others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import tunepoint
from questions import asked

from simulator import reigns
from simulator.domain.drawn import with_dials
from simulator.domain.uncertain import Reign
from simulator.run import run
from simulator.studies.draws import coarse, draw
from simulator.studies.flip import flips
from simulator.studies.moves import supposed
from simulator.studies.probability import sample, uncertainty
from simulator.studies.spreads import break_even_spread

QUESTION = """
start: 2026-12-01
horizon_days: 365
baseline: api
workload:
  calls_per_day: 100_000
  growth_per_month: 0.02
  demand: {hours: office, day_sd: 0.1}
  tokens: {input: 300, input_cv: 0.5, output: 100, output_cv: 0.5}
prices: {mine/model: {usd_per_mtok: {input: 0.06, output: 0.06}}}
options:
  api: {kind: hosted_prompt, price: mine/model}
  cards:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: runpod-community/rtx-4090
    prefix_tokens: 100
    fleet: {replicas: {min: 1, max: 12}}
"""
CALLS, GROWTH, OUTPUT = "workload.calls_per_day", "workload.growth_per_month", "workload.tokens.output"


def test_draws_that_share_lengths_or_growth_cost_what_each_costs_alone(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    shape = np.meshgrid(np.geomspace(2e4, 2e6, 4), [40.0, 100.0, 250.0], [0.0, 0.03], indexing="ij")
    draws = dict(zip((CALLS, OUTPUT, GROWTH), (axis.ravel() for axis in shape), strict=True))
    together = run(scenario, "cards", draws=draws)
    for row in range(0, 24, 5):
        one = {path: values[row : row + 1] for path, values in draws.items()}
        alone = run(scenario, "cards", draws=one)
        assert together.total_usd[row] == pytest.approx(float(alone.total_usd[0]), rel=1e-9)
        typed = run(with_dials(scenario, {path: float(values[0]) for path, values in one.items()}), "cards")
        assert float(typed.total_usd[0]) == pytest.approx(float(alone.total_usd[0]), rel=1e-9)


def test_lengths_between_those_followed_cost_nearly_what_they_cost_alone(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "workload.calls_per_day=500_000")
    lengths = np.geomspace(20, 900, 25)                                       # nine are followed, sixteen read between
    together = run(scenario, "cards", draws={OUTPUT: lengths}).fleet
    assert together is not None
    apart = []
    for row in range(1, 25, 3):
        alone = run(scenario, "cards", draws={OUTPUT: lengths[row : row + 1]}).fleet
        assert alone is not None
        apart.append(together.paid_hours[row] / float(alone.paid_hours[0]) - 1.0)
    assert np.abs(apart).max() < 0.02
    assert np.abs(apart).mean() < 0.005


def test_growth_of_a_fleet_is_drawn_on_a_few_values_and_this_is_said(tmp_path: Path) -> None:
    growth = "workload.growth_per_month={low: 0, high: 0.04}"
    scenario = asked(tmp_path, QUESTION, growth)
    values = draw(scenario, 1000)[GROWTH]
    assert len(np.unique(values)) == 32
    assert values.mean() == pytest.approx(0.02, rel=1e-3)
    assert values.var() == pytest.approx(0.04**2 / 12, rel=2e-3)             # (1 - 1 / 32^2) of a uniform's
    said = uncertainty(sample(scenario, 200)).notes
    assert any(note.startswith(f"{GROWTH}: drawn on 32 equally likely values") for note in said)
    hosted = asked(tmp_path, QUESTION.partition("  cards:")[0], growth)
    assert coarse(hosted) == ()
    assert len(np.unique(draw(hosted, 1000)[GROWTH])) == 1000


def test_a_fleet_is_chosen_and_not_supposed(tmp_path: Path) -> None:
    found, said = supposed(asked(tmp_path, QUESTION))
    assert said
    assert found.ranges
    assert not any(".fleet." in path for path in found.ranges)


def test_the_autoscaler_nobody_typed_can_end_a_choice(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "workload.calls_per_day=900_000")
    found = flips(scenario)
    known = {flip.path for flip in found.rows} | {*found.steady, *found.idle}
    tried = {f"options.cards.fleet.{name}" for name in ("down_window_s", "load_s", "control_s", "window_s")}
    assert tried <= known
    for flip in found.rows:
        if flip.path in tried:
            there = with_dials(scenario, {flip.path: flip.at})
            costs = {name: float(run(there, name).total_usd[0]) for name in there.options}
            assert min(costs, key=lambda name: costs[name]) == flip.to
    still = flips(asked(tmp_path, QUESTION, "options.cards.fleet.replicas={min: 2, max: 2}"))
    assert tried <= {*still.idle}                                             # two cards stay two, whatever it does


def test_dominance_in_json_is_what_the_words_say(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION)
    path = tmp_path / "question.yaml"
    held: tuple[Reign, ...] = reigns(scenario)
    assert [one.cheapest for one in held] == ["api", "cards", "api"]          # few calls, many, more than it can serve
    told = tunepoint("compare", path, "--bare", "--json").json["dominance"]
    assert [(one["cheapest"], one["begins"]) for one in told] == [("api", None), ("cards", "root"), ("api", "jump")]
    assert [one["low"] for one in told] == [one.low for one in held]
    assert [one["high"] for one in told] == [one.high for one in held]
    (pair,) = tunepoint("break-even", path, "--bare", "--json").json
    assert pair["dominance"] == told
    horizon = [crossing["at"] for crossing in pair["crossings"] if crossing["basis"] == "horizon"]
    assert horizon == pytest.approx([one["low"] for one in told[1:]], rel=1e-6)
    (between,) = tunepoint("break-even", path, "--bare", "--between", "api", "cards", "--json").json
    assert between["dominance"] == []                                         # two were asked about, not all


def test_a_fleet_that_is_full_is_never_the_cheaper_one_in_any_draw(tmp_path: Path) -> None:
    """Twelve cards cost the same however many calls they turn away, so far beyond them their bill is the smaller."""
    scenario = asked(tmp_path, QUESTION, f"{OUTPUT}={{low: 80, high: 120}}", "options.api.price_factor=0.33")
    found = break_even_spread(scenario, ("api", "cards"), draw(scenario, 40))
    assert (found.never, found.crosses, found.at) == (1.0, 0.0, None)
    full = run(scenario, "cards", draws={CALLS: np.array([1e7])})
    assert full.ruled_out is not None
    assert float(full.total_usd[0]) < float(run(scenario, "api", draws={CALLS: np.array([1e7])}).total_usd[0])
