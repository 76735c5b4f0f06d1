"""The closed forms of the serving station are the text-book ones where text books have them, and obey their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from simulator.expected import queueing as expected
from simulator.expected.queueing import Engine, StepTime, in_domain, saturation_per_s, station, stay
from simulator.simulated import queueing as simulated
from simulator.simulated.steptime import StepTime as SimulatedStepTime

FLAT = StepTime(overhead_s=0.01, weights_s=0.0)  # a step of 10 ms, however many are in it


def free_prefill(step: StepTime, **limits: int) -> expected.Station:
    """A station whose prefill costs nothing, so that only decoding is left."""
    at = station(Engine(step=step, kv_tokens=1e9, scheduler="stall", **limits), [1], [101])
    no_time = StepTime(overhead_s=step.overhead_s, weights_s=step.weights_s, per_token_s=step.per_token_s)
    assert at.engine.step == no_time
    return expected.Station(
        engine=at.engine,
        steps=at.steps,
        context=at.context,
        near=at.near,
        fresh=at.fresh,
        attention_s=-at.prefill_s,
        weights=at.weights,
        most=at.most,
        kv_binds=at.kv_binds,
    )


def test_one_sequence_at_a_time_is_the_single_server_queue() -> None:
    at = free_prefill(FLAT, max_num_seqs=1)  # 100 steps of 10 ms: a service of one second
    load = np.array([0.1, 0.5, 0.9])
    got = stay(at, load)
    assert saturation_per_s(at) == pytest.approx(1.0)
    # insensitive product form = M/M/1: T = s / (1 - load); and half a step until an arrival is let in
    np.testing.assert_allclose(got.e2e_s, 1.0 / (1.0 - load) + load * 0.005, rtol=1e-6)
    np.testing.assert_allclose(got.busy_share, load, rtol=1e-6)


def test_steps_that_do_not_grow_make_the_queue_without_waiting() -> None:
    at = free_prefill(FLAT, max_num_seqs=1000)
    got = stay(at, [20.0])
    assert got.decoding[0] == pytest.approx(20.0)  # M/G/infinity: rate times one second
    assert got.busy_share[0] == pytest.approx(1 - np.exp(-20.0))
    assert got.e2e_s[0] == pytest.approx(1.005, rel=1e-6)


def test_a_few_servers_are_erlang_c() -> None:
    # steps of 10 ms for up to 3 sequences make three servers of one second each; load 2/3
    at = free_prefill(FLAT, max_num_seqs=3)
    rate, servers = 2.0, 3
    terms = [rate**k / np.prod(np.arange(1, k + 1)) for k in range(servers)]
    last = rate**servers / 6.0 * servers / (servers - rate)
    waiting = last / (sum(terms) + last)  # Erlang C = 4/9
    assert waiting == pytest.approx(4 / 9)
    got = stay(at, [rate])
    assert got.ttft_s[0] == pytest.approx(waiting / (servers - rate) + 0.005 * got.busy_share[0], rel=1e-6)


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    prompt=st.integers(20, 1000),
    output=st.integers(120, 600),
    spread=st.floats(0.0, 0.9),
    scheduler=st.sampled_from(["stall", "chunked"]),
    replicas=st.sampled_from([1, 2, 5]),
)
def test_a_stay_lengthens_with_the_rate_and_is_endless_at_saturation(
    prompt: int, output: int, spread: float, scheduler: str, replicas: int
) -> None:
    step = StepTime(
        overhead_s=0.0017, weights_s=0.0087, per_token_s=8.7e-5, per_sequence_s=1.6e-5, read_s=7.6e-8, pair_s=3e-9
    )
    around = np.array([1 - spread, 1.0, 1 + spread])
    engine = Engine(step=step, kv_tokens=393_000, scheduler=scheduler)
    at = station(engine, np.ceil(prompt * around), 1 + np.ceil(output * around))
    assert in_domain(at)
    top = replicas * saturation_per_s(at)
    got = stay(at, top * np.array([1e-6, 0.1, 0.3, 0.5, 0.7, 0.85, 1.001, 2.0]), replicas=replicas)
    assert np.all(np.diff(got.e2e_s[:6]) > -1e-9)
    assert np.all(np.diff(got.busy_share[:6]) > -1e-9)
    assert np.all(np.isinf(got.e2e_s[6:]))
    assert np.all(got.ttft_s[:6] < got.e2e_s[:6])
    np.testing.assert_allclose(got.load, [1e-6, 0.1, 0.3, 0.5, 0.7, 0.85, 1.001, 2.0])


@pytest.mark.parametrize("scheduler", ["stall", "chunked"])
def test_an_almost_idle_replica_serves_a_call_as_the_kernel_does(scheduler: str) -> None:
    step = StepTime(
        overhead_s=0.0017, weights_s=0.0087, per_token_s=8.7e-5, per_sequence_s=1.6e-5, read_s=7.6e-8, pair_s=3e-9
    )
    at = station(Engine(step=step, kv_tokens=393_000, scheduler=scheduler), [700], [90])
    twin = SimulatedStepTime(0.0017, 0.0087, 0.0, 1.0, 8.7e-5, 1.6e-5, 7.6e-8, 0.0, 3e-9, 0.0, 0)
    engine = simulated.Engine(step=twin, kv_tokens=393_000, scheduler=scheduler)
    alone = simulated.serve([0.0], [700], [90], engine)
    got = stay(at, 1e-9)
    assert got.e2e_s[0] == pytest.approx(alone.e2e_s[0], rel=1e-6)
    assert got.ttft_s[0] == pytest.approx(alone.ttft_s[0], rel=1e-6)
    assert got.tpot_s[0] == pytest.approx(alone.tpot_s[0], rel=1e-6)


def test_where_prefill_outweighs_decoding_the_law_says_that_it_is_out_of_its_depth() -> None:
    step = StepTime(overhead_s=0.0017, weights_s=0.0087, per_token_s=8.7e-5)
    engine = Engine(step=step, kv_tokens=393_000)
    assert in_domain(station(engine, [512], [128]))
    assert not in_domain(station(engine, [8000], [10]))
    assert not in_domain(station(engine, [512], [1]))


@pytest.mark.parametrize(("prompt", "further"), [(500, 0.0), (500, 0.001), (500, 0.5), (50, 0.0), (50, 0.01), (5, 1.0)])
def test_calls_that_hardly_decode_share_a_step_until_its_tokens_or_sequences_are_used_up(
    prompt: int, further: float
) -> None:
    # a share of the calls writes a second token: what one replica can serve is finite, and what the kernel measures
    step = StepTime(overhead_s=0.0017, weights_s=0.0163, per_token_s=9.8e-5, per_sequence_s=1.6e-5, pair_s=1e-9)
    twin = SimulatedStepTime(0.0017, 0.0163, 0.0, 1.0, 9.8e-5, 1.6e-5, 0.0, 0.0, 1e-9, 0.0, 0)
    random = np.random.default_rng(1)
    prompts = np.maximum(1.0, random.normal(prompt, prompt / 3, 20_000)).astype(int)
    outputs = 1 + (random.random(20_000) < further).astype(int)
    kernel = simulated.Engine(step=twin, kv_tokens=393_000)
    crowd = simulated.serve_closed_loop(prompts, outputs, kernel, concurrency=600)
    ends = np.sort(crowd.arrival_s + crowd.e2e_s)
    at = station(Engine(step=step, kv_tokens=393_000), prompts, outputs)
    assert saturation_per_s(at) == pytest.approx(15_000 / (ends[17_499] - ends[2_499]), rel=expected.SATURATION_BAND)
    assert np.isfinite(stay(at, np.array([0.1, 0.5, 0.9]) * saturation_per_s(at)).e2e_s).all()


def test_no_calls_keep_nothing_busy() -> None:
    got = stay(station(Engine(step=FLAT, kv_tokens=1e6), [100], [10]), [0.0])
    assert got.busy_share[0] == got.decoding[0] == got.load[0] == 0.0


def test_a_window_and_a_prefix_shorten_what_is_read_and_what_is_prefilled() -> None:
    engine = Engine(step=StepTime(overhead_s=0.01, weights_s=0.0, window=50), kv_tokens=1e6, prefix_tokens=80)
    at = station(engine, [100], [21])
    assert at.context == pytest.approx(100 + 21 / 2)  # contexts 101 .. 120
    assert at.near == pytest.approx(50.0)
    assert at.fresh.tolist() == [20.0]
