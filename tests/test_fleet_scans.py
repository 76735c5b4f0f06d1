"""A fleet's stairs and its edge are found: every crossing that 100,000 points see, however many draws run together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.domain.drawn import with_dials
from simulator.domain.scenario import Scenario
from simulator.expected.engine_hours import MANY_PERIODS, hour_bins
from simulator.run import run
from simulator.studies.breakeven import VOLUME, Difference, break_even
from tests.questions import asked

STAIRS = """
start: 2026-12-01
horizon_days: 365
baseline: api
workload:
  calls_per_day: 100_000
  demand: {day_sd: 0, hour_sd: 0}
  tokens: {input: 300, input_cv: 0.5, output: 100, output_cv: 0.5}
prices: {mine/model: {usd_per_mtok: {input: PRICE, output: PRICE}}}
options:
  api: {kind: hosted_prompt, price: mine/model}
  cards:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: runpod-community/rtx-4090
    fleet: {replicas: {min: 1, max: 40}}
    recurring_usd_per_month: {rack: RACK}
"""


def stairs(price: float, rack: float = 0.0) -> str:
    return STAIRS.replace("PRICE", str(price)).replace("RACK", str(rack))


PAIR = ("api", "cards")
LOW, HIGH = 10.0, 1e8


@pytest.mark.parametrize(("price", "rack", "roots"), [(0.032, 600, 1), (0.034, 150, 3), (0.045, 600, 1)])
def test_every_crossing_of_a_staircase_of_forty_replicas_is_found(
    tmp_path: Path, price: float, rack: float, roots: int
) -> None:
    scenario = asked(tmp_path, stairs(price, rack))
    found = break_even(scenario, PAIR, low=LOW, high=HIGH)
    points = np.geomspace(LOW, HIGH, 100_000)
    difference, _ = Difference(scenario, PAIR, "horizon").at(VOLUME, points)
    turns = np.flatnonzero(np.sign(difference[1:]) != np.sign(difference[:-1]))
    mine = [crossing for crossing in found.crossings if crossing.basis == "horizon"]
    assert len(mine) == len(turns) == roots + 1  # as many as the 100,000 points see, and each between two of them
    for crossing, turn in zip(mine, turns, strict=True):
        assert points[turn] * (1 - 1e-6) <= crossing.at <= points[turn + 1] * (1 + 1e-6)
    assert [crossing.kind for crossing in mine] == ["root"] * (len(mine) - 1) + ["jump"]  # the last: the fleet is full
    for crossing in mine[:-1]:
        usd = [float(run(scenario, name, draws={VOLUME: np.array([crossing.at])}).total_usd[0]) for name in PAIR]
        assert usd[0] == pytest.approx(usd[1], rel=1e-6)


def test_the_first_of_these_staircases_has_one_root_by_hand_and_when_played(tmp_path: Path) -> None:
    """Against a price of 0.032 and a rack of 600, the followed autoscaler meets the API once, near 62 calls a second.

    The API costs what a(r) cards do: `(0.032 x 400 x 3600 / 1e6 r - 600 / 730) / 0.34` = 0.1355 r - 2.417 at r calls a
    second. An autoscaler that saw the rate itself would run ceil(r / mu) cards, mu = 11.60 being 0.7 of what one can
    serve. Its tread n then meets a(r) where n lies between a((n - 1) mu) = 1.572 n - 3.989 and a(n mu) = 1.572 n
    - 2.417, which are n = 5 and 6; with the riser between them, three crossings. But it sees calls, that scatter, and
    keeps a card for ten minutes that one look wanted: so it runs part of a sixth card all along the fifth tread (5.2 of
    them at 55 a second, where a = 5.08), and by the sixth riser, at 6 mu = 69.6, a(r) is past 7. Two of the three
    vanish. Whatever it does, it runs between r / mu - 1 and r / mu + 2 cards, so all happens between 2.5 and 7.8 mu.
    Played call by call, on the other engine, it is dearer and cheaper on the same sides.
    """
    scenario = asked(tmp_path, stairs(0.032, 600.0))
    a_card = 0.34
    assert float(run(scenario, "cards").ledger.by_line()["gpu_idle"][0]) > 0
    (root,) = [one.at / 86_400 for one in break_even(scenario, PAIR, low=LOW, high=HIGH).crossings
               if one.basis == "horizon" and one.kind == "root"]  # fmt: skip
    full = run(scenario, "cards").fleet
    assert full is not None
    mu = 0.7 * float(full.most_per_s[0]) / 40
    api = np.array([0.032 * 400 * 3600 / 1e6, -600 / 730]) / a_card
    assert (api[0] * mu, api[1]) == pytest.approx((1.572, -2.417), rel=1e-3)
    least, most = (api[1] + 1) / (1 / mu - api[0]), (api[1] - 2) / (1 / mu - api[0])
    assert (least / mu, most / mu) == pytest.approx((2.48, 7.72), abs=0.01)
    assert least < root < most
    for rate, dearer in ((55.3, True), (68.6, False), (72.0, False)):  # end of a tread, and either side of a riser
        there = with_dials(scenario, {VOLUME: rate * 86_400, "horizon_days": 2.0})
        played = run(there, "cards", engine="simulated", fidelity="call", runs=1).fleet
        assert played is not None
        assert (float(played.paid_hours[0]) / 48 > api[0] * rate + api[1]) == dearer
        assert (rate < root) == dearer


@pytest.mark.parametrize("path", ["workload.tokens.output", VOLUME, "options.cards.prefix_tokens"])
def test_a_draw_costs_what_it_costs_alone(tmp_path: Path, path: str) -> None:
    scenario = asked(tmp_path, stairs(0.06).replace("gpu:", "prefix_tokens: 100\n    gpu:"))
    values = np.geomspace(20, 900, 30) * (1000.0 if path == VOLUME else 1.0)
    together = run(scenario, "cards", draws={path: values}).total_usd
    alone = [float(run(scenario, "cards", draws={path: values[at : at + 1]}).total_usd[0]) for at in range(30)]
    assert together == pytest.approx(np.array(alone), rel=1e-9)
    typed = typed_in(tmp_path, path, float(values[7]))
    assert float(run(typed, "cards").total_usd[0]) == pytest.approx(alone[7], rel=1e-9)


def typed_in(folder: Path, path: str, value: float) -> Scenario:
    text = stairs(0.06).replace("gpu:", "prefix_tokens: 100\n    gpu:")
    changed: Scenario = with_dials(asked(folder, text), {path: value})
    return changed


def test_a_hosted_comparison_imports_neither_numba_nor_simpy(tmp_path: Path) -> None:
    question = tmp_path / "hosted.yaml"
    question.write_text(stairs(0.05).partition("  cards:")[0], "utf-8")
    script = (
        "import sys\nfrom pathlib import Path\nfrom simulator import compare, read_scenario, shipped_book\n"
        f"scenario = read_scenario(Path({str(question)!r}))\n"
        "compare(scenario, book=shipped_book())\n"
        "print([name for name in ('numba', 'simpy', 'pandas', 'plotly', 'scipy.stats') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_many_short_periods_are_added_up_as_few_long_ones() -> None:
    """Spreading the values or the bins is one sum: 365 days added up are the 12 months of the same hours."""
    hours, random = 24 * 365, np.random.default_rng(3)
    offsets, day = random.normal(0.0, 0.7, hours), np.arange(hours) // 24
    month = day // 31
    by_day, by_month = hour_bins(offsets, day, 365, 0.3), hour_bins(offsets, month, 12, 0.3)
    assert len(by_day.hours.spread) >= MANY_PERIODS > len(by_month.hours.spread)
    values, places = random.random(by_day.hours.spread.shape[1] + 40), np.array([0, 3, 40])
    for fine, coarse in ((by_day.hours, by_month.hours), (by_day.calls, by_month.calls)):
        found = fine.over(values, places)
        sums = np.stack([found[:, np.arange(365) // 31 == part].sum(axis=1) for part in range(12)], axis=1)
        assert sums == pytest.approx(coarse.over(values, places), rel=1e-12)
