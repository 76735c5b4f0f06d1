"""Every row of `data/throughput.csv` is run as it was measured, judged or set aside with its reason.

Where the parameters of a card come from, before any row is judged:

- RTX 4090: the kernels timed apart (`test_rtx4090_run.py`), no row; A100: the matmuls of Vidur's profile
  (`test_vidur.py`), no row.
- H100 PCIe: the middle of fits on other H100s, no row (its runs of 200 calls are mostly ramp-up and ramp-down).
- H100 SXM (bf16 and fp8 apart), A40: every other row of that card is fitted, the rest are judged.
- llama.cpp, one stream: per card, model and format the bandwidth share is fitted at 1,024 tokens, judged at 8,192.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from scipy.optimize import least_squares

from pricing.load_serving import bound_replica, shipped_serving
from simulator.simulated.queueing import serve
from verification.splits import Split, profile_of, splits
from verification.test_vidur import MBU, MFU, ON_TOP
from verification.throughput import GPUS, Parameters, Row, engine_of, lengths, read_rows, run

DEFAULT = Parameters(overhead_s=1.7e-3, mbu=0.85, mfu=0.55, per_sequence_s=16e-6)  # the middle of fits on H100s
A100 = Parameters(overhead_s=DEFAULT.overhead_s, mbu=MBU, mfu=MFU / (1 + ON_TOP), per_sequence_s=16e-6)
# its kernels: 921 GB/s at one token, 154 TFLOP/s at 2,048 with norms and attention
RTX_4090 = Parameters(overhead_s=DEFAULT.overhead_s, mbu=0.914, mfu=0.93, per_sequence_s=16e-6)
NOT_FITTED = {"RTX 4090": RTX_4090, "A100 80GB SXM": A100, "A100 40GB SXM": A100, "H100 PCIe": DEFAULT}
PLOT = Path(__file__).parent.parent / "runs" / "verification" / "throughput.html"
CLOSED, AS_RUN = 0.10, 0.20  # mean absolute error of held-out rows

GEMMA = 133
BEYOND = {
    GEMMA: "65.0 s for at most 600 steps are 108 ms a step; ours takes 66, and on the page's other five rows ours is "
    "within 10 ms. It is not arrivals (all 50 at once; the page's p99 of the first token is 0.57 s, so all were let "
    "in), not windows (no call passes 700 of their 1,024 tokens), not the KV cache as we count it (35,781 "
    "tokens; 35,000 are the most that is held). A cache of 14,500 tokens would explain it, by recomputation, and so "
    "would 40 ms more a step in what was then a new model of vLLM. The page tells neither its cache nor its version, "
    "so nothing is changed for one row",
}
"""Why a row comes out further off than AS_RUN, by its line; the figures are held by a test below."""

Judged = list[tuple[Row, float, bool]]  # the row, tokens per second foretold, and whether it was fitted


def fit(rows: list[Row], make: Callable[[np.ndarray], Parameters], start: list[float]) -> Parameters:
    """The parameters whose relative errors on the rows have the least squares."""

    def errors(x: np.ndarray) -> list[float]:
        return [np.log(run(row, make(x)) / row.tokens_per_s) for row in rows]

    low = [value / 4 for value in start]
    high = [min(value * 4, 0.95) for value in start]  # the best kernels we know reach 0.95 of a peak
    found = least_squares(errors, start, bounds=(low, high), x_scale=start, diff_step=0.02, max_nfev=25)
    return make(found.x)


def all_four(x: np.ndarray) -> Parameters:
    return Parameters(overhead_s=x[0], mbu=x[1], mfu=x[2], per_sequence_s=x[3])


def bandwidth_alone(x: np.ndarray) -> Parameters:
    return Parameters(overhead_s=DEFAULT.overhead_s, mbu=x[0], mfu=DEFAULT.mfu, per_sequence_s=DEFAULT.per_sequence_s)


def stream(x: np.ndarray) -> Parameters:
    return Parameters(overhead_s=0.0, mbu=x[0], mfu=1.0, per_sequence_s=0.0)


@pytest.fixture(scope="module")
def judged() -> Judged:
    found: Judged = []
    for split in splits():
        parameters = parameters_of(split)
        found += [(row, run(row, parameters), row in split.fitted) for row in split.rows]
    return sorted(found, key=lambda one: one[0].number)


def parameters_of(split: Split) -> Parameters:
    """What the rows of a split are run with: fitted on those it says, or taken from elsewhere."""
    fitted, gpu = list(split.fitted), split.gpu
    if split.kind == "single stream":
        return fit(fitted, stream, [0.7])
    if gpu in NOT_FITTED:
        assert not fitted
        return NOT_FITTED[gpu]
    if gpu == "H100 SXM":
        parameters = fit(fitted, all_four, [1.7e-3, 0.85, 0.55, 16e-6])
    else:
        parameters = fit(fitted, bandwidth_alone, [0.7])
    print(
        f"\n{gpu} {split.rows[0].precision}: fitted on {len(fitted)} of {len(split.rows)} rows: overhead "
        f"{parameters.overhead_s * 1e3:.2f} ms, MBU {parameters.mbu:.3f}, MFU {parameters.mfu:.3f}, "
        f"{parameters.per_sequence_s * 1e6:.1f} us a sequence"
    )
    return parameters


def test_no_row_is_dropped_silently(judged: Judged) -> None:
    rows = read_rows()
    reasons = {row.number: row.why_not() for row in rows}
    assert len(rows) == 143
    assert {row.number for row, _, _ in judged} == {at for at, reason in reasons.items() if reason is None}
    assert all(row.gpu in GPUS for row, _, _ in judged)
    print(f"\n{len(judged)} of {len(rows)} rows run; line of the file, card, model, how, measured, simulated, error")
    for row, got, fitted in judged:
        load = f"x{row.concurrency:.0f}" if row.kind in ("closed loop", "burst") else f"{row.rate:.0f}/s"
        load = "" if row.kind == "single stream" else load
        print(
            f"{row.number:4} {row.engine:9} {row.gpu:14} {row.model:28} {row.precision:11} "
            f"{row.prompt:6.0f}/{row.output:<5.0f} {row.kind:13} {load:6} "
            f"{row.tokens_per_s:9.1f} {got:9.1f} {got / row.tokens_per_s - 1:+7.1%}"
            f"{'  fitted' if fitted else ''}{'' if abs(got / row.tokens_per_s - 1) <= AS_RUN else '  (!)'}"
        )
    for row in rows:
        if reasons[row.number] is not None:
            print(f"{row.number:4} {row.engine:12} {row.gpu:14} {row.model:29} set aside: {reasons[row.number]}")
    beyond = {row.number for row, got, _ in judged if abs(got / row.tokens_per_s - 1) > AS_RUN}
    assert beyond == set(BEYOND)
    for at, why in BEYOND.items():
        print(f"{at:4} (!) {why}")
    draw(judged)


def test_the_shipped_profiles_are_what_is_fitted_here_and_say_the_error_found_here(judged: Judged) -> None:
    errors: dict[str, list[float]] = {}
    for row, got, fitted in judged:
        if not fitted:
            errors.setdefault(profile_of(row), []).append(abs(got / row.tokens_per_s - 1))
    told = {f"{engine}/{name}" for engine, serving in shipped_serving().items() for name in serving.profiles}
    assert set(errors) == told
    for split in splits():
        mine = parameters_of(split)
        for name in {profile_of(row) for row in split.rows}:
            theirs = bound_replica(name).profile
            assert theirs.mbu == pytest.approx(mine.mbu, abs=0.002), name
            if split.kind != "single stream":
                assert theirs.step_overhead_s == pytest.approx(mine.overhead_s, abs=2e-5), name
                assert theirs.mfu == pytest.approx(mine.mfu, abs=0.002), name
                assert theirs.per_sequence_s == pytest.approx(mine.per_sequence_s, abs=2e-7), name
            assert theirs.error_share == pytest.approx(float(np.mean(errors[name])), abs=0.0015), name


@pytest.mark.parametrize(
    ("kinds", "most"),
    [(("closed loop",), CLOSED), (("open loop", "burst"), AS_RUN), (("single stream",), CLOSED)],
)
def test_held_out_rows(judged: Judged, kinds: tuple[str, ...], most: float) -> None:
    errors = {row: got / row.tokens_per_s - 1 for row, got, fitted in judged if row.kind in kinds and not fitted}
    mean = float(np.mean(np.abs(list(errors.values()))))
    worst = max(errors, key=lambda row: abs(errors[row]))
    outside = sum(abs(error) > most for error in errors.values())
    print(
        f"\n{' and '.join(kinds)}: {len(errors)} rows held out, mean absolute error {mean:.1%}, "
        f"{outside} beyond {most:.0%}, worst {errors[worst]:+.1%} (line {worst.number}, {worst.gpu}, {worst.model})"
    )
    assert mean <= most


def test_what_is_said_of_the_row_that_is_far_off() -> None:
    """The A40 page's rows as bursts of known lengths: what arrivals, windows, the cache and the steps each would do."""
    card = next(split for split in splits() if split.gpu == "A40" and split.kind == "served")
    parameters = parameters_of(card)
    excess_s = {}
    for row in card.rows:
        engine = engine_of(row, parameters)
        prompt, output = lengths(row, row.calls, np.random.default_rng(row.number))
        served = serve(np.zeros(row.calls), prompt, output, engine)
        excess_s[row.number] = (row.calls / row.calls_per_s - served.makespan_s) / output.max()
        if row.number != GEMMA:
            continue
        assert row.calls / row.calls_per_s / 600 == pytest.approx(0.108, abs=0.001)
        assert float(np.median(served.tpot_s)) == pytest.approx(0.066, abs=0.001)
        assert (served.preemptions, engine.kv_tokens) == (0, 35_781)
        assert int((prompt + output).max()) <= 700 < engine.step.window
        wide = dataclasses.replace(engine, step=engine.step._replace(window=100_000))
        assert serve(np.zeros(row.calls), prompt, output, wide).makespan_s == pytest.approx(served.makespan_s)
        small = serve(np.zeros(row.calls), prompt, output, dataclasses.replace(engine, kv_tokens=14_500))
        assert small.preemptions > 0
        assert small.output_tokens / small.makespan_s == pytest.approx(row.tokens_per_s, rel=0.03)
    assert excess_s.pop(GEMMA) == pytest.approx(0.040, abs=0.002)
    print(f"\nms a step beyond ours, other rows of the page: "
          f"{', '.join(f'{1e3 * one:+.1f}' for one in excess_s.values())}")
    assert max(map(abs, excess_s.values())) < 0.010


def draw(judged: Judged) -> None:
    """Predicted against measured, both on log scales."""
    figure = go.Figure()
    for kind in ("closed loop", "open loop", "burst", "single stream"):
        rows = [(row, got) for row, got, fitted in judged if row.kind == kind and not fitted]
        figure.add_scatter(
            x=[row.tokens_per_s for row, _ in rows],
            y=[got for _, got in rows],
            text=[f"line {row.number}: {row.gpu}, {row.model} {row.precision}" for row, _ in rows],
            mode="markers",
            name=f"{kind}, held out",
        )
    ends = [10, 30_000]
    figure.add_scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": "grey", "dash": "dot"})
    figure.update_xaxes(type="log", title="measured, output tokens per s")
    figure.update_yaxes(type="log", title="simulated, output tokens per s")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(PLOT, include_plotlyjs=True)
    print(f"plot: {PLOT.relative_to(PLOT.parent.parent.parent)}")
