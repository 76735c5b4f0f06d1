"""The serving kernel does exactly what a plain simulation of every step does, and what pencil and paper say."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.simulated import arrivals, kernels
from simulator.simulated.queueing import Engine, Fleet, serve, serve_closed_loop, why_refused
from simulator.simulated.steptime import StepTime, attention_s, matmul_s, step_time
from verification.plain import simulate_fleet

EXACT = 1e-9
WITH_PREEMPTION = 1e-3

SIMPLE = StepTime(
    overhead_s=0.010,
    weights_s=0.0,
    experts_s=0.0,
    active_share=1.0,
    per_token_s=0.001,
    per_sequence_s=0.0,
    read_s=0.0,
    read_window_s=0.0,
    pair_s=0.0,
    pair_window_s=0.0,
    window=0,
)


@st.composite
def engines(draw: st.DrawFn) -> Engine:
    window = draw(st.sampled_from([0, 0, 20, 64]))
    prefix = draw(st.sampled_from([0, 0, 13, 48]))
    step = StepTime(
        overhead_s=0.002,
        weights_s=0.010,
        experts_s=draw(st.sampled_from([0.0, 0.02])),
        active_share=0.125,
        per_token_s=draw(st.floats(1e-6, 1e-4)),
        per_sequence_s=draw(st.floats(0, 1e-4)),
        read_s=draw(st.floats(0, 1e-5)),
        read_window_s=2e-6 if window else 0.0,
        pair_s=1e-8,
        pair_window_s=1e-8 if window else 0.0,
        window=window,
    )
    return Engine(
        step=step,
        kv_tokens=draw(st.sampled_from([100_000, prefix + 400, prefix + 800])),
        max_num_seqs=draw(st.sampled_from([2, 8, 64])),
        max_num_batched_tokens=draw(st.sampled_from([64, 128, 2048])),
        scheduler=draw(st.sampled_from(["stall", "chunked"])),
        prefix_tokens=prefix,
        full_share=0.5 if window else 1.0,
        prefix_caching=draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(
    engine=engines(),
    replicas=st.sampled_from([1, 1, 2, 3]),
    seed=st.integers(0, 2**32 - 1),
    span=st.sampled_from([0.0, 0.1, 3.0, 20.0]),
)
def test_every_call_ends_when_a_plain_simulation_of_every_step_says(
    engine: Engine, replicas: int, seed: int, span: float
) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 50))
    arrival = np.sort(random.random(count)) * span
    prompt = engine.prefix_tokens + random.integers(1, 200, count)
    output = random.integers(1, 120, count)
    fast = serve(arrival, prompt, output, engine, replicas=replicas)
    assume(fast.refused == 0)
    plain = simulate_fleet(arrival.tolist(), prompt.tolist(), output.tolist(), engine, replicas)
    tolerance = WITH_PREEMPTION if plain.preemptions else EXACT
    np.testing.assert_allclose(fast.ttft_s, plain.ttft, rtol=tolerance)
    np.testing.assert_allclose(fast.e2e_s, plain.e2e, rtol=tolerance)
    np.testing.assert_allclose(fast.busy_s.sum(), plain.busy, rtol=tolerance)


def test_two_calls_by_hand_when_a_prefill_stops_the_world() -> None:
    engine = Engine(step=SIMPLE, kv_tokens=1600, scheduler="stall")
    served = serve([0.0, 0.115], [100, 50], [4, 2], engine)
    # A: prefill to 0.110; one step of 11 ms to 0.121, where B is let in; B prefills 60 ms to 0.181;
    # one step of both, 12 ms, to 0.193, which ends B; the last step of A alone ends at 0.204.
    np.testing.assert_allclose(served.ttft_s, [0.110, 0.181 - 0.115])
    np.testing.assert_allclose(served.e2e_s, [0.204, 0.193 - 0.115])


def test_two_calls_by_hand_when_prefill_rides_along() -> None:
    engine = Engine(step=SIMPLE, kv_tokens=1600, scheduler="chunked", max_num_batched_tokens=41)
    served = serve([0.0, 0.115], [80, 50], [4, 2], engine)
    # A: 41 tokens to 0.051, 39 to 0.100. One step of 11 ms to 0.111, one to 0.122, where B is let in with what A
    # leaves of the budget: 1 + 40 tokens, 51 ms, to 0.173, which ends A; B's other 10 to 0.193; its last to 0.204.
    np.testing.assert_allclose(served.ttft_s, [0.100, 0.193 - 0.115])
    np.testing.assert_allclose(served.e2e_s, [0.173, 0.204 - 0.115])


def test_a_shared_prefix_is_prefilled_once_and_then_one_token_at_least() -> None:
    engine = Engine(step=SIMPLE, kv_tokens=1600, scheduler="stall", prefix_tokens=64)
    served = serve([0.0, 1.0, 2.0], [100, 100, 64], [1, 1, 1], engine)
    np.testing.assert_allclose(served.ttft_s, [0.110, 0.046, 0.011])
    assert served.prefill_tokens == 100 + 36 + 1


def test_a_full_cache_sends_the_last_call_back_and_it_finds_its_first_blocks_again() -> None:
    # 4 blocks of 16, two for each prompt of 20. At 33 tokens A needs a third: B goes, one of its two blocks is
    # overwritten by A's third, and the other is found again once A has left.
    engine = Engine(step=SIMPLE, kv_tokens=64, scheduler="stall")
    with_cache = serve([0.0, 0.0], [20, 20], [20, 14], engine)
    forgetful = Engine(step=SIMPLE, kv_tokens=64, scheduler="stall", prefix_caching=False)
    without = serve([0.0, 0.0], [20, 20], [20, 14], forgetful)
    assert with_cache.preemptions == without.preemptions == 1
    # B had emitted 13 tokens: without the cache it prefills 33 tokens anew, with it 33 - 16
    assert without.prefill_tokens == 20 + 20 + 33
    assert with_cache.prefill_tokens == 20 + 20 + 17
    assert without.e2e_s[1] - with_cache.e2e_s[1] == pytest.approx(0.016)


def test_calls_go_to_the_replica_with_fewest_and_ties_to_the_lowest() -> None:
    engine = Engine(step=SIMPLE, kv_tokens=16_000, scheduler="stall")
    served = serve([0.0, 0.0, 0.0, 0.0], [100, 10, 10, 10], [1, 1, 1, 1], engine, replicas=2)
    # 1 -> a, 2 -> b, 3 -> a (tie), 4 -> b: a takes 110 then 20 ms, b takes 20 and 20 ms
    np.testing.assert_allclose(served.e2e_s, [0.110, 0.020, 0.130, 0.040])
    np.testing.assert_allclose(served.busy_s, [0.130, 0.040])


def test_a_closed_loop_keeps_as_many_calls_in_the_system_as_it_was_told() -> None:
    engine = Engine(step=SIMPLE._replace(read_s=1e-6), kv_tokens=100_000)
    one = serve_closed_loop([100] * 50, [20] * 50, engine, concurrency=1)
    alone = serve([0.0], [100], [20], engine)
    assert one.makespan_s == pytest.approx(50 * alone.makespan_s)
    assert one.mean_concurrency == pytest.approx(1.0)
    eight = serve_closed_loop([100] * 400, [20] * 400, engine, concurrency=8, replicas=2)
    half = serve_closed_loop([100] * 200, [20] * 200, engine, concurrency=4)
    assert eight.makespan_s == pytest.approx(half.makespan_s)
    assert np.max(eight.waiting_at(np.linspace(0, eight.makespan_s, 500))) <= 8


@settings(max_examples=40, deadline=None)
@given(engine=engines(), replicas=st.sampled_from([1, 3]), seed=st.integers(0, 2**32 - 1), pieces=st.integers(2, 9))
def test_a_run_in_pieces_is_the_same_run(engine: Engine, replicas: int, seed: int, pieces: int) -> None:
    random = np.random.default_rng(seed)
    arrival = np.sort(random.random(60)) * 3.0
    prompt = engine.prefix_tokens + random.integers(1, 500, 60)
    output = random.integers(1, 400, 60)
    whole = serve(arrival, prompt, output, engine, replicas=replicas)
    fleet = Fleet(engine, replicas)
    parts = [
        fleet.serve(arrival[at], prompt[at], output[at], drain=at[-1] == 59)
        for at in np.array_split(np.arange(60), pieces)
    ]
    assert parts[-1].under_way == 0
    assert sum(part.refused for part in parts) == whole.refused
    assert sum(part.preemptions for part in parts) == whole.preemptions
    assert sum(part.prefill_tokens for part in parts) == whole.prefill_tokens
    came = np.concatenate([part.arrival_s for part in parts])
    order = np.argsort(came)
    for name in ("ttft_s", "e2e_s"):
        joined = np.concatenate([getattr(part, name) for part in parts])[order]
        np.testing.assert_array_equal(joined, getattr(whole, name))
    np.testing.assert_allclose(sum(part.busy_s for part in parts), whole.busy_s, rtol=1e-12)


def test_a_piece_cannot_begin_before_the_last_one_ended() -> None:
    fleet = Fleet(Engine(step=SIMPLE, kv_tokens=1600))
    assert fleet.serve([5.0], [10], [10]).under_way == 1
    with pytest.raises(ValueError, match="before the last piece ended"):
        fleet.serve([4.0], [10], [10])
    with pytest.raises(ValueError, match="empty fleet"):
        fleet.serve_closed_loop([10], [10], 1)


def test_a_call_longer_than_the_cache_is_refused_with_the_arithmetic() -> None:
    engine = Engine(step=SIMPLE, kv_tokens=1600, prefix_tokens=160)
    served = serve([0.0, 0.0], [1000, 200], [700, 10], engine)
    assert served.refused == 1
    assert np.isnan(served.e2e_s[0])
    assert served.e2e_s[1] > 0
    assert served.output_tokens == 10
    sentence = why_refused(engine, 1000, 700)
    assert sentence is not None
    assert "1000 + 700 tokens needs 97 KV blocks" in sentence
    assert "leaves 90" in sentence
    assert why_refused(engine, 200, 10) is None


def test_no_calls_are_served_in_no_time() -> None:
    served = serve([], [], [], Engine(step=SIMPLE, kv_tokens=1600))
    assert served.makespan_s == 0.0
    assert served.mean_concurrency == 0.0
    assert served.refused == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Engine(step=SIMPLE, kv_tokens=1600, scheduler="fifo"), "chunked, stall"),
        (lambda: Engine(step=SIMPLE, kv_tokens=15), "no block left"),
        (lambda: Engine(step=SIMPLE, kv_tokens=1600, max_num_seqs=0), "at least 1"),
        (lambda: Engine(step=SIMPLE, kv_tokens=1600, full_share=1.5), "between 0 and 1"),
        (lambda: serve([1.0, 0.0], [9, 9], [1, 1], Engine(step=SIMPLE, kv_tokens=1600)), "ascending"),
        (lambda: serve([0.0], [9, 9], [1], Engine(step=SIMPLE, kv_tokens=1600)), "do not go together"),
        (lambda: serve([0.0], [9], [0], Engine(step=SIMPLE, kv_tokens=1600)), "at least 1 token"),
        (lambda: serve([0.0], [9], [1], Engine(step=SIMPLE, kv_tokens=1600), replicas=0), "replicas 0"),
        (lambda: serve_closed_loop([9], [1], Engine(step=SIMPLE, kv_tokens=1600), concurrency=0), "concurrency 0"),
    ],
)
def test_what_no_engine_could_mean_has_its_sentence(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_step_time_takes_experts_and_windows_into_account() -> None:
    moe = SIMPLE._replace(per_token_s=0.0, weights_s=0.002, experts_s=0.008, active_share=0.25)
    assert matmul_s(moe, 1) == pytest.approx(0.002 + 0.008 * 0.25)
    assert matmul_s(moe, 2) == pytest.approx(0.002 + 0.008 * (1 - 0.75**2))
    windowed = SIMPLE._replace(pair_s=1.0, pair_window_s=10.0, window=4)
    # queries at places 3 to 7 see 3 4 5 6 7 keys, or at most 4 of them
    assert attention_s(windowed, 2, 5) == pytest.approx(25.0 + 10.0 * (3 + 4 + 4 + 4 + 4))


def test_two_gpus_halve_the_seconds_and_no_bandwidth_is_refused() -> None:
    rates: dict[str, float] = {
        "overhead_s": 0.001, "mbu": 0.9, "mfu": 0.5, "per_sequence_s": 1e-5, "flops_per_s": 3e14,
        "weight_bytes": 1.5e10, "matmul_params": 7.5e9, "kv_bytes": 131072.0,
    }  # fmt: skip
    one = step_time(bandwidth_bytes_per_s=2e12, **rates)
    two = step_time(bandwidth_bytes_per_s=2e12, gpus=2, **rates)
    assert two.weights_s == pytest.approx(one.weights_s / 2)
    assert two.per_token_s == pytest.approx(one.per_token_s / 2)
    assert two.overhead_s == one.overhead_s
    with pytest.raises(ValueError, match="above zero"):
        step_time(bandwidth_bytes_per_s=0.0, **rates)


def test_without_a_cache_folder_kernels_compile_and_the_user_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(**options: object) -> Callable[[Any], Any]:
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    monkeypatch.setattr(kernels, "_warned", [])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert kernels.compiled(lambda x: x + 1)(1) == 2
        assert kernels.compiled_in_place(lambda x: x + 2)(1) == 3
    assert [str(one.message) for one in said] == [kernels.NO_CACHE]


def test_where_the_cache_cannot_be_written_a_kernel_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cache:
        _source_stamp, _index_path = "stamp", "/nowhere/at/all"

        def save(self, key: object, kernel: object) -> None:
            raise OSError(errno.EFBIG, "File too large")

    class Cached:
        def __init__(self, function: Callable[[int], int]) -> None:
            self.function, self._cache = function, SimpleNamespace(_cache_file=Cache())

        def __call__(self, x: int) -> int:
            self._cache._cache_file.save("key", self)
            return self.function(x)

    monkeypatch.setattr(numba, "njit", lambda **options: Cached)
    monkeypatch.setattr(kernels, "_warned", [])
    with pytest.warns(RuntimeWarning, match="cannot be cached"):
        assert kernels.compiled(lambda x: x + 1)(1) == 2


def test_a_cached_kernel_is_forgotten_when_another_file_with_kernels_changes(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("@compiled\ndef f(): return 1\n")
    (tmp_path / "words.py").write_text("nothing = 0\n")
    before = kernels.digest_of_kernels(tmp_path)
    (tmp_path / "words.py").write_text("nothing = 1\n")
    assert kernels.digest_of_kernels(tmp_path) == before
    (tmp_path / "one.py").write_text("@compiled\ndef f(): return 2\n")
    assert kernels.digest_of_kernels(tmp_path) != before
    if not numba.config.DISABLE_JIT:  # numba compares this stamp with the one beside the cached machine code
        stamp = arrivals.drive_arrivals._cache._cache_file._source_stamp
        assert stamp[1] == kernels.DIGEST != ""


def test_the_kernel_gives_the_same_numbers_as_plain_python() -> None:
    program = (
        "import numpy as np; from simulator.simulated.queueing import Engine, serve;"
        "from simulator.simulated.steptime import StepTime;"
        "step = StepTime(.002, .01, 0., 1., 1e-4, 1e-5, 1e-6, 1e-6, 1e-9, 1e-9, 40);"
        "engine = Engine(step=step, kv_tokens=1200, prefix_tokens=20, full_share=.5);"
        "r = np.random.default_rng(5);"
        "s = serve(np.cumsum(r.random(60)) / 20, 20 + r.integers(1, 200, 60), r.integers(1, 99, 60), engine);"
        "print(s.preemptions, s.ttft_s.tolist(), s.e2e_s.tolist())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for off in ("0", "1")
    ]
    jit, plain = (np.array(text.replace("[", "").replace("]", "").replace(",", " ").split(), float) for text in printed)
    assert jit[0] > 0
    np.testing.assert_allclose(jit, plain, rtol=1e-12)
