"""A fitted workload keeps the log's means, and its dispersion and hours as far as the model can; faults are told."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from command_line import tunepoint

from pricing.errors import InputError
from simulator.files import read_scenario
from simulator.files.fitted import write_fitted
from simulator.intake import fit_calls
from simulator.intake.counts import fit_log, read_counts
from simulator.intake.fit import Fit, Windows, dispersion_of, fit_windows
from simulator.intake.fit_calls import fit_trace
from simulator.intake.trace import Trace, read_trace
from simulator.run import run

DATA = Path(__file__).parent / "data"
SERVEGEN = DATA / "servegen_m_small" / "m-small-rate-10min.csv"
NS = 1_000_000_000


def azure(name: str) -> Path:
    return DATA / "azure_llm_2023" / f"AzureLLMInferenceTrace_{name}.csv.gz"


def row(fit: Fit, what: str) -> tuple[float, float]:
    found = {name: (log, model) for name, log, model in fit.rows}[what]
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


def calls(seconds: list[float], outputs: list[int] | None = None) -> Trace:
    stamps = (np.asarray(seconds) * NS).astype(np.int64)
    written = np.full(len(stamps), 5) if outputs is None else np.asarray(outputs)
    return Trace(
        source="log.csv", first_ns=0, stamps_ns=stamps,
        input_tokens=np.full(len(stamps), 100), output_tokens=written.astype(np.int64),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["code", "conv"])
def test_real_traces_keep_their_means_and_their_bursts(name: str) -> None:
    trace = read_trace(azure(name))
    fit = fit_trace(trace)
    assert fit.workload["tokens"]["input"] == pytest.approx(trace.input_tokens.mean(), rel=1e-12)
    assert fit.workload["tokens"]["output"] == pytest.approx(trace.output_tokens.mean(), rel=1e-12)
    log, model = row(fit, "dispersion of counts in 60 s")
    assert abs(model / log - 1.0) < 0.25
    for length in (1, 10, 300):
        log, model = row(fit, f"dispersion of counts in {length} s")
        assert abs(math.log(model / log)) < math.log(1.5)


def test_the_first_week_of_a_service_keeps_its_hours_and_its_dispersion() -> None:
    fit = fit_windows(read_counts(SERVEGEN, first_days=7))
    assert row(fit, "hour profile, correlation with the log")[1] > 0.9
    log, model = row(fit, "dispersion of counts in 600 s")
    assert abs(model / log - 1.0) < 0.25


def test_the_model_has_the_dispersion_it_is_said_to_have() -> None:
    """The closed form beside the bursts played: 400 hours of the process fitted to the code trace."""
    from simulator.simulated.bursts import switches
    from simulator.simulated.streams import stream
    from simulator.simulated.world import Bursts

    fit = fit_trace(read_trace(azure("code")))
    bursts = Bursts.of(**fit.workload["demand"]["burst"])
    rate, found = fit.workload["calls_per_day"] / 86_400.0, []
    for day in range(16):
        generator = stream(1, "burst path", day)
        moments = switches(generator, False, bursts.leave_on_per_s, bursts.leave_off_per_s)
        edges = np.concatenate([[0.0], moments, [86_400.0]])
        state = np.where(np.arange(len(edges) - 1) % 2 == 1, bursts.on, bursts.off)
        integral = np.concatenate([[0.0], np.cumsum(state * np.diff(edges))])
        upto = np.interp(np.arange(0.0, 86_401.0, 60.0), edges, integral)
        counts = stream(1, "arrivals", day).poisson(rate * np.diff(upto))
        found.append(counts.var(ddof=1) / counts.mean())
    _, said = row(fit, "dispersion of counts in 60 s")
    assert np.mean(found) == pytest.approx(said, abs=4 * np.std(found, ddof=1) / 4)


def test_a_poisson_log_gets_no_bursts() -> None:
    counts = np.random.default_rng(1).poisson(5.0, 7200).astype(float)
    fit = fit_windows(Windows(source="log.csv", window_s=1.0, counts=counts))
    assert "burst" not in fit.workload["demand"]
    assert fit.workload["calls_per_day"] == pytest.approx(counts.mean() * 86_400, rel=1e-9)


def test_gaps_do_not_bias_a_fit() -> None:
    """Half a day of silence, and a day of missing windows, leave the mean rate of the rest as it is."""
    steady = [10.0 * k for k in range(720)]
    fit = fit_trace(calls([*steady, *(40_000.0 + second for second in steady)]))
    assert fit.workload["calls_per_day"] == pytest.approx(8640, rel=0.01)
    assert "is taken for a gap" in fit.notes[0]
    counts = np.random.default_rng(2).poisson(2000.0, 1008).astype(float)
    holed = counts.copy()
    holed[300:444] = np.nan
    whole, part = (fit_windows(Windows(source="log.csv", window_s=600.0, counts=c)) for c in (counts, holed))
    assert part.workload["calls_per_day"] == pytest.approx(whole.workload["calls_per_day"], rel=0.01)
    assert part.workload["demand"]["hour_sd"] == pytest.approx(whole.workload["demand"]["hour_sd"], abs=0.01)


def test_calls_without_output_are_calls() -> None:
    fit = fit_trace(calls([float(k) for k in range(1000)], [0, 10] * 500))
    assert fit.workload["tokens"]["output"] == 5.0
    assert fit.workload["tokens"]["output_cv"] == 1.0


def test_dispersion_leaves_windows_with_gaps_out() -> None:
    counts = np.array([1.0, 3.0, 2.0, np.nan, 5.0, 1.0])
    assert dispersion_of(counts, 1.0, 2.0) == pytest.approx(np.var([4, 6], ddof=1) / 5)


def test_a_fitted_scenario_is_asked_like_any_other(tmp_path: Path) -> None:
    fit = fit_log(azure("conv"))
    written = tmp_path / "conv.yaml"
    write_fitted(written, fit.workload, "conv.csv")
    scenario = read_scenario(written)
    assert scenario.workload.tokens.input == fit.workload["tokens"]["input"]
    assert scenario.workload.growth_per_month == 0
    result = run(scenario, scenario.baseline, engine="simulated", runs=2)
    assert result.calls.mean() == pytest.approx(fit.workload["calls_per_day"] * scenario.horizon_days, rel=0.05)


def test_a_million_calls_in_one_second_are_told() -> None:
    stamps = np.linspace(0, 0.9, 1_000_000)
    with pytest.raises(InputError, match=r"1,000,000 calls within 0.9 s; a fit needs a log of 600 s or more"):
        fit_trace(calls(stamps.tolist()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("window_start_s,calls\n0,1\n600,2\n600,3\n1200,1\n", "window 600 stands twice"),
        ("window_start_s,calls\n0,1\n600,2\n1201,3\n1800,3\n2400,1\n", "uneven distances"),
        ("window_start_s,calls\n0,1\n600,two\n", "line 3: '600,two' is not two numbers"),
        ("window_start_s,calls\n0,1\n600,-2\n1200,1\n", "line 3: -2 calls; a count is zero or more"),
        ("window_start_s,calls\n0,1\n600,2\n", "2 windows; a fit needs three or more"),
        ("window_start_s,calls\n0,0\n600,0\n1200,0\n", "no calls at all"),
        ("window_start_s,other\n0,0\n", "it must name window_start_s and calls (or count, requests, "),
        ("window_start_s,rps\n0,1e300\n600,1e300\n1200,2e300\n", "1.15e+305 calls a day; a scenario takes 1e+10 at"),
    ],
)
def test_a_bad_counts_file_is_told_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text)
    with pytest.raises(InputError) as told:
        fit_log(path)
    assert sentence in str(told.value)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_log_in_blocks_is_fitted_as_the_whole_one(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = azure("code")
    trace = read_trace(path)
    columns = (trace.first_ns + trace.stamps_ns, trace.input_tokens, trace.output_tokens)
    blocks = [tuple(column[at : at + size] for column in columns) for at in range(0, len(trace), size)]
    monkeypatch.setattr(fit_calls, "ordered_blocks", lambda _: iter(blocks))
    found, whole = fit_calls.fit_file(path), fit_trace(trace)
    assert found.workload["demand"] == whole.workload["demand"]
    assert found.workload["tokens"] == pytest.approx(whole.workload["tokens"], rel=1e-9)


def test_a_log_too_long_for_seconds_is_counted_in_longer_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call every 5 s for two hours: 7,200 seconds are more than 1,000 windows, 720 windows of 10 s are not."""
    monkeypatch.setattr(fit_calls, "MOST_WINDOWS", 1000)
    fit = fit_trace(calls([5.0 * k for k in range(1441)]))
    assert fit.workload["calls_per_day"] == pytest.approx(86_400 / 5)
    assert row(fit, "dispersion of counts in 10 s")[0] == 0      # two calls in each


def test_a_single_call_is_told() -> None:
    with pytest.raises(InputError, match="one call says nothing of demand"):
        fit_trace(calls([0.0]))


def test_missing_and_unsorted_windows_give_the_right_number(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("window_start_s,calls\n1200,30\n0,10\n600,20\n3000,60\n2400,50\n")
    windows = read_counts(path)
    assert windows.counts[:3].tolist() == [10, 20, 30]
    assert math.isnan(windows.counts[3])
    assert "1 window is missing and left out" in windows.notes[0]
    assert fit_windows(windows).workload["calls_per_day"] == pytest.approx(34 * 144)


def test_what_a_log_cannot_tell_is_told(tmp_path: Path) -> None:
    """A metronome is no Poisson process, and half an hour has no nights; a week that is random is told nothing."""
    stamps = np.arange(600, dtype=np.int64) * 3_000_000_000
    tokens = np.full(600, 10, dtype=np.int64)
    notes = fit_trace(
        Trace(source="m.csv", first_ns=0, stamps_ns=stamps, input_tokens=tokens, output_tokens=tokens.copy())
    ).notes
    assert [note.split("; ")[0] for note in notes] == [
        "m.csv: calls come more evenly than chance would have it",
        "m.csv: covers 0.5 hours, too few to tell the hours of a day apart",
        "m.csv: input tokens are those of the log",
    ]
    few = fit_trace(calls([0.0, *np.sort(np.random.default_rng(1).uniform(0, 900, 30))])).notes
    assert "only 2 windows of 300 s: what such windows say of bursts is hardly more than chance" in few[0]
    assert "rests on 30 calls; by chance alone their number may be 18 % off" in few[1]
    assert not any("more evenly" in note for note in few)
    counts = np.random.default_rng(2).poisson(100, 1008).astype(float)
    (week,) = fit_windows(Windows(source="c.csv", window_s=600.0, counts=counts)).notes
    assert week.startswith("c.csv: covers 7 days, too few to tell growth and how the level moves from week to week")
    assert fit_windows(Windows(source="c.csv", window_s=600.0, counts=np.tile(counts, 8))).notes == ()


@pytest.mark.parametrize(("each", "sd"), [(100, 0.0), (5, 0.0), (1, 0.0), (20, 0.5), (5, 0.5)])
def test_chance_is_not_taken_for_the_noise_of_hours(each: float, sd: float) -> None:
    """Hours of few calls scatter by counting alone; the model counts anew, so only what is beyond it is noise."""
    draws = np.random.default_rng(6)
    rate = each * np.repeat(np.exp(draws.normal(-sd * sd / 2, sd, 28 * 24)), 6)
    fit = fit_windows(Windows(source="c.csv", window_s=600.0, counts=draws.poisson(rate).astype(float)))
    assert fit.workload["demand"]["hour_sd"] == pytest.approx(sd, rel=0.1)
    for name, log, own in fit.rows:
        if name.startswith("dispersion"):
            assert own == pytest.approx(log, rel=0.25)
    assert not any("misses the log" in note for note in fit.notes)


def test_a_model_that_misses_the_scatter_of_a_log_is_told() -> None:
    """A job that calls for half a minute of every five, by the clock: bursts of chance lengths cannot follow it."""
    rate = np.where(np.arange(8640) % 30 < 3, 8.0, 0.1)
    counts = np.random.default_rng(3).poisson(rate).astype(float)
    fit = fit_windows(Windows(source="c.csv", window_s=10.0, counts=counts))
    (log, own), *_ = ((log, own) for name, log, own in fit.rows if name.endswith("in 30 s"))
    assert log is not None
    assert own is not None
    assert log > 1.25 * own
    assert fit.notes[0] == (
        f"c.csv: the fitted model misses the log; its dispersion is {own:.3g} in 30 s, where the log's is {log:.3g}"
    )


def test_the_prompt_a_log_may_hold_and_the_tokens_it_lacks_are_told(tmp_path: Path) -> None:
    """A whole prompt in the log and a prefix beside it would be billed twice; a length nobody logged is a guess."""
    out, log = tmp_path / "fit.yaml", tmp_path / "counts.csv"
    whole = "where it counts whole prompts, the part that every call repeats is in them"
    assert whole in tunepoint("trace", azure("code"), "--fit", out).words
    assert "set every prefix_tokens to 0" in out.read_text("utf-8")
    log.write_text("time,calls,input_tokens_mean\n" + "".join(f"{600 * k},{30 + k % 3},70\n" for k in range(30)))
    words = tunepoint("trace", log, "--fit", out).words
    assert whole in words
    assert "names no output tokens; those of the shipped scenario stand in workload.tokens" in words
    scenario = read_scenario(out)
    assert (scenario.workload.tokens.input, scenario.workload.tokens.output) == (70, 40)
    assert "a guess" in scenario.assumes["workload.tokens.output"]
    log.write_text("time,calls\n" + "".join(f"{600 * k},{30 + k % 3}\n" for k in range(30)))
    words = tunepoint("trace", log, "--fit", out).words
    assert "names no input tokens" in words
    assert whole not in words
    assert "prefix_tokens to 0" not in out.read_text("utf-8")


def test_hours_that_never_differ_have_no_correlation() -> None:
    fit = fit_windows(Windows(source="c.csv", window_s=600.0, counts=np.full(1008, 50.0)))
    rows = {name: figures for name, *figures in fit.rows}
    assert rows["hour profile, correlation with the log"] == [1.0, None]


def test_counts_that_are_described_or_billed_as_calls_are_told(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("window_start_s,calls\n0,5\n600,6\n1200,7\n", "utf-8")
    with pytest.raises(InputError, match=r"holds calls counted per window, not single calls; ask tunepoint trace with"):
        read_trace(path)
