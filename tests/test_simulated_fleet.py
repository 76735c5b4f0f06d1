"""A fleet served call by call does what a hand calculation says, and costs what the closed form expects of it.

Bands: paid GPU-hours and their cost 5 % where spans are billed by the second, 10 % by the hour (DESIGN section 7);
overflow of a hybrid OVERFLOW_BAND of the calls. Every comparison prints how far apart the two engines are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.domain.findings import SimulationResult
from simulator.domain.scenario import Scenario
from simulator.expected import gpu_training as expected_training
from simulator.expected.scaling import BAND, BAND_BY_HOUR, OVERFLOW_BAND
from simulator.run import run
from simulator.simulated import gpu_training
from simulator.simulated.autoscaled import AutoscaledFleet, Bounds
from simulator.simulated.each_fleet_call import lay_calls
from simulator.simulated.latencies import Latencies, note
from simulator.simulated.queueing import Engine, serve
from simulator.simulated.scaling import wanted
from simulator.simulated.slots import Policy
from simulator.simulated.steptime import StepTime
from tests.questions import asked

HOUR = 3600.0
ONE_AT_A_TIME = Engine(
    step=StepTime(0.0, 0.0, 0.0, 1.0, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0), kv_tokens=1 << 20, max_num_seqs=1,
    scheduler="stall", prefix_caching=False,
)  # fmt: skip
"""A replica that takes a hundredth of a second for each prompt token, one call after the other."""
PLAIN = Policy(
    target=1.0, spare=0, window_s=60.0, control_s=60.0, down_window_s=600.0, startup_s=100.0, granularity_s=0.0,
    losses_per_s=0.0, overflow_above=0, most_inside=10**6,
)  # fmt: skip


def fleet_of(
    least: int, most: int, hours: int = 2, lives: tuple[float, ...] = (1.0,), **changes: float
) -> AutoscaledFleet:
    bounds = Bounds(begin_s=0.0, least=np.full(hours, least), most=np.full(hours, most))
    return AutoscaledFleet(ONE_AT_A_TIME, PLAIN._replace(**changes), bounds, lives)


def served(fleet: AutoscaledFleet, arrivals: list[float], prompt: int, end_s: float = 2 * HOUR) -> np.ndarray:
    """Serve calls of one token out; says which were turned away."""
    times, ones = np.array(arrivals), np.ones(len(arrivals))
    calls = fleet.room_for(len(arrivals))
    none = np.empty(0, dtype=np.int64)
    lay_calls(calls, 0, times, ones, ones, np.zeros(len(arrivals)), none, np.array([0.0, prompt, 1.0, 0.0]))
    return fleet.serve(calls, end_s)


def test_the_autoscaler_asks_for_calls_over_target_rounded_up_between_its_bounds_and_spares_on_top() -> None:
    assert [wanted(calls, 4.0, 1, 5, 1) for calls in (0.0, 4.0, 4.1, 100.0)] == [2, 2, 3, 6]
    assert wanted(100.0, 4.0, 0, 0, 1) == 0                   # a shift in which nobody works has no spare either


def test_the_first_call_of_a_fleet_at_zero_waits_for_a_start_and_its_life_is_paid_to_the_end() -> None:
    """Asked for at 1,000 s, ready at 1,100; 5 s of work; seen by the look at 1,140, and let go 600 s after that."""
    fleet = fleet_of(0, 1)
    served(fleet, [1000.0], 500)
    assert fleet.latencies.mean_s()[2] == pytest.approx(105.0)
    assert fleet.hours.paid_s.sum() == pytest.approx(1140 + 600 - 1000)
    assert fleet.hours.up_s.sum() == pytest.approx(1740 - 1100)
    assert fleet.hours.busy_s.sum() == pytest.approx(5.0)
    assert fleet.hours.held_s.sum() == pytest.approx(105.0)
    assert (fleet.hours.starts.sum(), fleet.hours.finished.sum()) == (1, 1)


def test_billing_by_the_hour_rounds_every_span_up() -> None:
    fleet = fleet_of(0, 1, granularity_s=HOUR)
    served(fleet, [1000.0], 500)
    assert (fleet.hours.paid_s + fleet.hours.rounded_s).sum() == pytest.approx(HOUR)


def test_a_lost_replica_begins_its_call_anew_and_is_paid_from_the_loss_on() -> None:
    """Lost at 100 s, 50 s into a call of 80 s; back at 200, the call ends at 280: 230 s after it came at 50."""
    fleet = fleet_of(1, 1, lives=(100.0, 1e9), losses_per_s=1.0)
    served(fleet, [50.0], 8000)
    assert fleet.latencies.mean_s()[2] == pytest.approx(230.0)
    assert fleet.hours.losses.sum() == 1
    assert fleet.hours.paid_s.sum() == pytest.approx(2 * HOUR)
    assert fleet.hours.up_s.sum() == pytest.approx(2 * HOUR - 100.0)
    assert fleet.hours.finished.sum() == 1


def test_a_replica_that_is_let_go_first_ends_its_call() -> None:
    """Two calls of 2,000 s each ask for two replicas; with none wanted after them the second drains until it is empty.

    The second replica is asked for by the look at 60 s and ready at 160. Both calls had joined the first replica, which
    serves them one after the other until 4,000 s: the second replica never has a call and goes when two were no longer
    wanted for 600 s, the last look with two calls inside being the one at 2,040 s, which saw 20 s of the second.
    """
    fleet = fleet_of(1, 2)
    served(fleet, [0.0, 0.0], 200_000)
    assert fleet.hours.finished.sum() == 2
    assert fleet.latencies.mean_s()[2] == pytest.approx((2000 + 4000) / 2)
    assert fleet.hours.paid_s.sum() == pytest.approx(2 * HOUR + (2040 - 60 + 600))


def test_a_shift_brings_replicas_at_its_hour_and_takes_them_away_after_it() -> None:
    bounds = Bounds(begin_s=0.0, least=np.array([1, 3, 1]), most=np.array([1, 3, 1]))
    fleet = AutoscaledFleet(ONE_AT_A_TIME, PLAIN, bounds)
    for hour in range(3):
        fleet.serve(fleet.room_for(0), HOUR * (hour + 1))
    assert (fleet.hours.paid_s / HOUR)[:3].tolist() == pytest.approx([1, 3, 1])
    assert (fleet.hours.up_s / HOUR)[:3].tolist() == pytest.approx([1, 3 - 200 / HOUR, 1])


def test_calls_that_find_too_many_others_are_turned_away_and_those_beyond_the_longest_queue_are_shed() -> None:
    away = served(fleet_of(1, 1, overflow_above=2), [0.0, 1.0, 2.0, 100.5], 5000)
    assert away.tolist() == [False, False, True, False]       # 50 s each: at 100.5 s two are done, and nobody is inside

    fleet = fleet_of(1, 1, most_inside=2)
    assert not served(fleet, [0.0, 1.0, 2.0], 5000).any()
    assert (fleet.hours.shed.sum(), fleet.hours.finished.sum()) == (1, 2)


def test_pieces_give_the_very_numbers_of_one_run_and_of_a_fleet_of_fixed_size() -> None:
    random = np.random.default_rng(4)
    times = np.sort(random.random(4000)) * 4 * HOUR
    step = StepTime(0.004, 0.008, 0.0, 1.0, 1e-4, 1e-5, 1e-7, 0.0, 0.0, 0.0, 0)
    engine = Engine(step=step, kv_tokens=40_000)
    inputs, outputs = random.random((2, 4000)) + 0.5
    terms, none = np.array([100.0, 300.0, 60.0, 0.0]), np.empty(0, dtype=np.int64)

    def pieces(cuts: list[float]) -> AutoscaledFleet:
        bounds = Bounds(begin_s=0.0, least=np.full(4, 2), most=np.full(4, 2))
        fleet = AutoscaledFleet(engine, PLAIN, bounds)
        begin = 0
        for end in cuts:
            after = int(np.searchsorted(times, end))
            part = slice(begin, after)
            calls = fleet.room_for(after - begin)
            lay_calls(calls, calls.size - (after - begin), times[part], inputs[part], outputs[part],
                      np.zeros(after - begin), none, terms)  # fmt: skip
            fleet.serve(calls, end)
            begin = after
        return fleet

    whole, cut = pieces([4 * HOUR]), pieces([HOUR, 2 * HOUR, 2.5 * HOUR, 4 * HOUR])
    assert np.array_equal(whole.latencies.counts, cut.latencies.counts)
    assert whole.hours.busy_s.sum() == cut.hours.busy_s.sum()
    prompt = 100 + np.floor(300 * inputs).astype(int)
    fixed = serve(times, prompt, np.maximum(np.floor(60 * outputs), 1).astype(int), engine, replicas=2)
    assert whole.latencies.mean_s()[2] == pytest.approx(float(np.mean(fixed.e2e_s)), rel=1e-9)


def test_latencies_keep_means_exactly_and_percentiles_to_half_a_percent() -> None:
    values = np.random.default_rng(1).lognormal(0.0, 1.5, 20_000)
    kept = Latencies()
    note(values, 0, kept.counts, kept.sums)
    assert kept.mean_s()[0] == pytest.approx(values.mean(), rel=1e-12)
    assert kept.percentiles_s()[0] == pytest.approx(np.percentile(values, (50, 95, 99)), rel=5e-3)


@pytest.mark.parametrize("method", sorted(gpu_training.ARITHMETIC))
def test_both_wings_train_at_one_speed(method: str) -> None:
    for tokens in (None, 100.0, 400.0, 1500.0, 5000.0):
        for checkpointing in (True, False):
            mine = gpu_training.speed_per_s(method, 312.0, 7.1, tokens, checkpointing)
            theirs = float(expected_training.tokens_per_s(method, 312.0, 7.1, tokens, checkpointing))
            assert mine == pytest.approx(theirs, rel=1e-9)


QUESTION = """start: 2026-12-01
horizon_days: 28
baseline: hosted
wages_usd_per_hour: {engineer: 110, annotator: 35}
workload:
  calls_per_day: 400000
  demand: {weekday: office, hours: office, hour_sd: 0.2, hour_lag1: 0.7}
  tokens: {input: 300, output: 60, input_cv: 0.6, output_cv: 0.5}
options:
  hosted: {kind: hosted_prompt, price: openai/gpt-6-luna}
  fleet:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: runpod-secure/rtx-4090
    fleet: {replicas: {min: 1, max: 6}}
  both: {kind: hybrid, fleet_option: fleet, overflow_option: hosted, overflow_above: 40}
"""
OWNED = """options.fleet={kind: self_hosted, serving: vllm/rtx-4090/llama-3.1-8b/bf16, gpu: owned/rtx-4090,
  fleet: {replicas: {min: 2, max: 2}}, existing_gpus: 1, evaluation_usd: 30, one_off_usd: {rack: 400},
  training: {examples: 800, tokens_per_example: 600, gpu: runpod-secure/rtx-4090, method: qlora-unsloth,
    runs_per_model: 2, retrain_every_days: 10}, dataset: {minutes_per_example: 2, wage: annotator}}"""
EXACT = ("hardware", "residual", "training", "dataset", "evaluation", "ops", "rack")


def gpu_usd(result: SimulationResult) -> float:
    lines = result.ledger.by_line()
    return float(np.mean(lines["gpu"] + lines["gpu_idle"]))


def both_engines(scenario: Scenario, name: str, fidelity: str) -> tuple[SimulationResult, SimulationResult]:
    runs = 1 if fidelity == "call" else 10
    return run(scenario, name, engine="simulated", runs=runs, fidelity=fidelity), run(scenario, name)


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_what_no_chance_touches_is_the_same_to_the_ninth_digit(tmp_path: Path, fidelity: str) -> None:
    scenario = asked(tmp_path, QUESTION, OWNED, "workload.calls_per_day=20000", bare=False)
    for name in ("fleet", "both"):
        simulated, expected = (result.ledger.by_line() for result in both_engines(scenario, name, fidelity))
        for line in EXACT:
            assert simulated[line] == pytest.approx(expected[line][0], rel=1e-9), (name, line)


BESIDE = """options.fleet={kind: self_hosted, serving: vllm/rtx-4090/llama-3.1-8b/bf16, gpu: mine/card,
  disk_gb: 50, egress_gb_per_month: 200, fleet: {replicas: {min: LEAST, max: 4}}, ready_after_days: 5,
  until_ready: hosted}"""
MINE = """gpus={mine/card: {gpu: rtx-4090, usd_per_gpu_hour: {on_demand: 1}, terms: {storage_usd_per_gb_month: 0.2,
  egress_usd_per_gb: 0.09}}}"""


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_disks_and_traffic_are_paid_alike_from_the_day_the_fleet_serves(tmp_path: Path, fidelity: str) -> None:
    """Four cards of 50 GB at 0.20 and 200 GB a month at 0.09 over 23 days; an autoscaled disk goes with its card."""
    months = 23 * 24 / 730
    always = asked(tmp_path, QUESTION, BESIDE.replace("LEAST", "4"), MINE)
    for name, days in (("fleet", months), ("both", 28 / 23 * months)):
        for result in both_engines(always, name, fidelity):
            lines = result.ledger.by_line()
            assert lines["storage"].mean() == pytest.approx(days * 4 * 50 * 0.2, rel=1e-9), (name, result.engine)
            assert lines["egress"].mean() == pytest.approx(days * 200 * 0.09, rel=1e-9), (name, result.engine)
    scaled = asked(tmp_path, QUESTION, BESIDE.replace("LEAST", "1"), MINE)
    simulated, expected = both_engines(scaled, "fleet", fidelity)
    ratio = simulated.ledger.by_line()["storage"].mean() / expected.ledger.by_line()["storage"].mean()
    assert ratio == pytest.approx(1.0, abs=BAND + abs(float(simulated.calls.mean() / expected.calls[0]) - 1.0))


CASES = {
    "as it is": ([], BAND),
    "a spare": (["options.fleet.fleet.spare=1"], BAND),
    "a typed target": (["options.fleet.fleet.target_concurrency=12"], BAND),
    "shifts": (["options.fleet.fleet.shifts=[{hours: [8, 20], replicas: {min: 2, max: 5}}]"], BAND),
    "spot": (["options.fleet.fleet.interruptions_per_day=4"], BAND),
    "another rate": (["workload.calls_per_day=800000", "options.fleet.fleet.replicas={min: 1, max: 9}"], BAND),
    "scale to zero": (["workload.calls_per_day=300", "options.fleet.fleet.replicas={min: 0, max: 2}"], BAND_BY_HOUR),
    "tried again": (["options.fleet.retries={failure_rate: 0.2, max: 2}"], BAND),
    "billed by the hour": (
        ["gpus={rent/rtx-4090: {usd_per_gpu_hour: {on_demand: 0.5}, terms: {granularity_s: 3600}}}",
         "options.fleet.gpu=rent/rtx-4090"], BAND_BY_HOUR),
}  # fmt: skip


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
@pytest.mark.parametrize("case", CASES)
def test_gpu_hours_agree_within_their_band(tmp_path: Path, case: str, fidelity: str) -> None:
    flags, band = CASES[case]
    simulated, expected = both_engines(asked(tmp_path, QUESTION, *flags), "fleet", fidelity)
    assert simulated.fleet is not None
    assert expected.fleet is not None
    calls = float(simulated.calls.mean() / expected.calls[0])
    paid = float(simulated.fleet.paid_hours.mean() / expected.fleet.paid_hours[0])
    cost = gpu_usd(simulated) / gpu_usd(expected)
    used = float(simulated.fleet.used_hours.mean() / expected.fleet.used_hours[0]) / calls
    apart = {"calls": calls, "paid": paid, "cost": cost, "used": used}
    print(f"{case}, {fidelity}: " + ", ".join(f"{name} {ratio - 1.0:+.2%}" for name, ratio in apart.items()))
    assert simulated.approximate
    assert paid == pytest.approx(1.0, abs=band + abs(calls - 1.0))
    assert cost == pytest.approx(1.0, abs=band + abs(calls - 1.0))


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
@pytest.mark.parametrize("above", [20, 40, 80])
def test_the_share_that_overflows_agrees_within_its_band_and_is_paid_at_the_hosted_price(
    tmp_path: Path, above: int, fidelity: str
) -> None:
    flags = ["options.fleet.fleet.replicas={min: 1, max: 1}", f"options.both.overflow_above={above}",
             "workload.calls_per_day=900000"]  # fmt: skip
    scenario = asked(tmp_path, QUESTION, *flags)
    simulated, expected = both_engines(scenario, "both", fidelity)
    assert simulated.fleet is not None
    assert expected.fleet is not None
    shares = [float(np.mean(use.overflow_calls / use.calls)) for use in (simulated.fleet, expected.fleet)]
    print(f"above {above}, {fidelity}: {shares[0]:.2%} overflow, {shares[1]:.2%} expected")
    assert shares[0] == pytest.approx(shares[1], abs=OVERFLOW_BAND)
    hosted = run(scenario, "hosted", engine="simulated", runs=len(simulated.calls), fidelity=fidelity)
    each = hosted.ledger.by_line()["output"].sum() / hosted.calls.sum()
    mine = simulated.ledger.by_line()["output"].sum() / simulated.fleet.overflow_calls.sum()
    assert mine == pytest.approx(each, rel=0.01)              # the overflow is a sample of the same calls


def test_one_worker_and_two_give_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third segment begins with a backlog of the second: it is played again, whatever the workers."""
    flood = "workload.events=[{from: 2026-12-04, to: 2026-12-06, factor: 9, name: flood}]"
    scenario = asked(tmp_path, QUESTION, flood, "options.fleet.fleet.replicas={min: 1, max: 1}", "horizon_days=24")

    def played(workers: int) -> SimulationResult:
        monkeypatch.setattr("os.cpu_count", lambda: workers)
        return run(scenario, "fleet", engine="simulated", runs=1, fidelity="call")

    one, two = played(1), played(2)
    assert one.fleet is not None
    assert two.fleet is not None
    assert one.fleet.overload_calls[0] > 0
    for name in ("paid_hours", "used_hours", "busy_hours", "e2e_s", "e2e_p99_s", "backlog_s", "preemptions"):
        assert getattr(one.fleet, name)[0] == getattr(two.fleet, name)[0], name
    assert np.array_equal(one.total_usd, two.total_usd)


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_calls_beyond_capacity_for_weeks_are_told_with_their_backlog(tmp_path: Path, fidelity: str) -> None:
    """One card serves some 19 calls a second; 40 come: what is beyond its room is left after a week."""
    lengths = "{input: 300, output: 60, input_cv: 0.6, output_cv: 0.5}"
    flags = [f"workload={{calls_per_day: 3456000, tokens: {lengths}}}", "horizon_days=7",
             "options.fleet.fleet.replicas={min: 1, max: 1}"]  # fmt: skip
    scenario = asked(tmp_path, QUESTION, *flags)
    result = run(scenario, "fleet", engine="simulated", runs=1, fidelity=fidelity)
    assert result.fleet is not None
    assert result.why_not is not None
    assert "calls come faster than its replicas serve" in result.why_not
    room = float(result.fleet.most_per_s[0])
    assert float(result.fleet.end_backlog_calls[0]) == pytest.approx((40.0 - room) * 7 * 86_400, rel=0.02)
    assert float(result.fleet.overload_share[0]) == pytest.approx(1.0)


def test_a_typed_speed_is_used_as_the_closed_form_says(tmp_path: Path) -> None:
    text = QUESTION.replace("vllm/rtx-4090/llama-3.1-8b/bf16", "{output_tokens_per_s: 2000, max_utilisation: 0.8}")
    text = text[: text.index("  both:")]
    scenario = asked(tmp_path, text, "options.fleet.fleet.replicas={min: 2, max: 2}", "workload.demand={}")
    for fidelity in ("aggregate", "call"):
        simulated, expected = both_engines(scenario, "fleet", fidelity)
        assert simulated.fleet is not None
        assert float(simulated.fleet.used_hours.mean()) == pytest.approx(
            float(simulated.calls.mean()) * 60 / 1600 / 3600, rel=0.01
        )
        assert gpu_usd(simulated) == pytest.approx(gpu_usd(expected), rel=1e-9)
