"""Every row of `data/throughput.csv` is run as it was measured, judged or set aside with its reason.

Where the parameters of a card come from, before any row is judged:

- RTX 4090: the kernels timed apart (`test_rtx4090_run.py`), no row; A100: the matmuls of Vidur's profile
  (`test_vidur.py`), no row.
- H100 PCIe: the middle of fits on other H100s, no row (its runs of 200 calls are mostly ramp-up and ramp-down).
- H100 SXM (bf16 and fp8 apart), A40: every other row of that card is fitted, the rest are judged.
- llama.cpp, one stream: per card, model and format the bandwidth share is fitted at 1,024 tokens, judged at 8,192.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from scipy.optimize import least_squares

from pricing.load_serving import bound_replica
from verification.test_vidur import MBU, MFU, ON_TOP
from verification.throughput import GPUS, Parameters, Row, read_rows, run

DEFAULT = Parameters(overhead_s=1.7e-3, mbu=0.85, mfu=0.55, per_sequence_s=16e-6)  # the middle of fits on H100s
A100 = Parameters(overhead_s=DEFAULT.overhead_s, mbu=MBU, mfu=MFU / (1 + ON_TOP), per_sequence_s=16e-6)
# its kernels: 921 GB/s at one token, 154 TFLOP/s at 2,048 with norms and attention
RTX_4090 = Parameters(overhead_s=DEFAULT.overhead_s, mbu=0.914, mfu=0.93, per_sequence_s=16e-6)
NOT_FITTED = {"RTX 4090": RTX_4090, "A100 80GB SXM": A100, "A100 40GB SXM": A100, "H100 PCIe": DEFAULT}
PLOT = Path(__file__).parent.parent / "runs" / "verification" / "throughput.html"
LLAMAS = {"Llama-3-8B": "llama-3.1-8b", "Llama-3-70B": "llama-3.3-70b"}  # the same shapes
CLOSED, AS_RUN = 0.10, 0.20  # mean absolute error of held-out rows

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
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in read_rows():
        if row.why_not() is None:
            key = (row.gpu, row.model, row.precision) if row.kind == "single stream" else (row.gpu, row.precision)
            groups.setdefault((row.kind if row.kind == "single stream" else "served", *key), []).append(row)
    found: Judged = []
    for (kind, gpu, *_), rows in groups.items():
        fitted: list[Row] = []
        if kind == "single stream":
            fitted = [row for row in rows if row.output == 1024]
            parameters = fit(fitted, stream, [0.7])
        elif gpu in NOT_FITTED:
            parameters = NOT_FITTED[gpu]
        else:
            fitted = rows[::2]
            if gpu == "H100 SXM":
                parameters = fit(fitted, all_four, [1.7e-3, 0.85, 0.55, 16e-6])
            else:
                parameters = fit(fitted, bandwidth_alone, [0.7])
            print(
                f"\n{gpu} {rows[0].precision}: fitted on {len(fitted)} of {len(rows)} rows: overhead "
                f"{parameters.overhead_s * 1e3:.2f} ms, MBU {parameters.mbu:.3f}, MFU {parameters.mfu:.3f}, "
                f"{parameters.per_sequence_s * 1e6:.1f} us a sequence"
            )
        found += [(row, run(row, parameters), row in fitted) for row in rows]
    return sorted(found, key=lambda one: one[0].number)


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
    draw(judged)


def test_the_shipped_profiles_of_one_stream_are_what_is_fitted_here() -> None:
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in read_rows():
        if row.kind == "single stream" and row.why_not() is None and row.output == 1024:
            groups.setdefault((row.gpu, row.model, row.precision), []).append(row)
    for (gpu, model, precision), rows in groups.items():
        card = gpu.lower().replace(" ", "-")
        name = f"llama.cpp/{card}/{LLAMAS[model]}/{precision.removeprefix('gguf-')}"
        assert bound_replica(name).profile.mbu == pytest.approx(fit(rows, stream, [0.7]).mbu, abs=0.002), name


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
