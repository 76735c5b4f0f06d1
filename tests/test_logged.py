"""A log inside a scenario: its pairs are drawn from, or its calls are played as they came, in both engines alike."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from agreement import agrees, results_agree
from command_line import is_one_sentence, tunepoint
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.domain.dials import walk_dials
from simulator.domain.recorded import Recorded
from simulator.domain.scenario import Scenario
from simulator.expected.replayed import alive_at_calls, alive_by_period
from simulator.expected.resampled import Pairs, pair_tier_shares, relative
from simulator.files import read_scenario
from simulator.run import run
from simulator.simulated import each_call
from simulator.simulated.resampled import pair_moments
from simulator.simulated.streams import stream
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare

AZURE = Path(__file__).parent / "data" / "azure_llm_2023"
EXACT_BILLS = [("code", (18_059_974, 245_896), 2.8565337), ("conv", (22_361_870, 4_088_665), 5.8074795)]

QUESTION = """\
question: What does a log cost again?
start: 2024-09-10
horizon_days: {days}
baseline: mini
workload: {workload}
options:
  mini: {{kind: hosted_prompt, price: openai/gpt-4o-mini, prefix_tokens: 0}}
  cached: {{kind: hosted_prompt, price: my/cached, prefix_tokens: 2000}}
  tiered: {{kind: hosted_prompt, price: my/tiers, prefix_tokens: 700}}
prices:
  my/cached:
    usd_per_mtok: {{input: 1, cached_input: 0.1, output: 4}}
    rules: {{caching: {{mode: explicit, min_tokens: 1024, increment: 1, ttl_s: [30, 300]}}}}
  my/tiers: {{usd_per_mtok: {{input: 1, output: 4, tiers: [{{above: 1500, input: 2, output: 9}}]}}}}
"""

ROWS = ["0.5,800,10", "20,801,30", "20,2000,50", "60,100,5", "86399,799,7", "172801,5000,100", "172802,3,1"]
"""Seconds after the first midnight, tokens read, tokens written: three days, with a tier at 800 of them."""


def written(rows: list[str]) -> str:
    """A log in the columns of the Azure traces."""
    found = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for row in rows:
        second, read, wrote = row.split(",")
        at = np.datetime64("2023-11-16", "ms") + round(float(second) * 1000)
        found.append(f"{str(at).replace('T', ' ')},{read},{wrote}")
    return "\n".join(found) + "\n"


def asked(folder: Path, workload: str, *flags: str, days: int = 3, rows: list[str] | None = None) -> Scenario:
    """The question about a log of a few rows."""
    (folder / "log.csv").write_text(written(ROWS if rows is None else rows), "utf-8")
    (folder / "question.yaml").write_text(QUESTION.format(workload=workload, days=days), "utf-8")
    return read_scenario(folder / "question.yaml", flags, bare=True)


@pytest.mark.parametrize(("file", "tokens", "usd"), EXACT_BILLS)
def test_a_real_hour_replayed_call_by_call_costs_what_its_tokens_cost(
    file: str, tokens: tuple[int, int], usd: float, tmp_path: Path
) -> None:
    """The bill of `tests/test_replay.py`, from the same rows, through the program a user starts."""
    name = f"AzureLLMInferenceTrace_{file}.csv.gz"
    shutil.copy(AZURE / name, tmp_path / name)
    text = QUESTION.format(workload=f"{{replay: {name}}}", days=1)
    (tmp_path / "question.yaml").write_text(text, "utf-8")
    how = ("--engine", "simulated", "--fidelity", "call", "--runs", "1")
    for engine in (how, ()):
        answer = tunepoint("compare", tmp_path / "question.yaml", "--bare", "--json", *engine).json
        mini = answer["options"]["mini"]
        assert (mini["tokens"]["input"], mini["tokens"]["output"]) == tokens
        assert mini["total_usd"] == pytest.approx(usd, rel=1e-9)
    assert answer["options"]["cached"]["calls"] == mini["calls"]


def test_replay_counts_by_day_what_the_log_has_on_that_day(tmp_path: Path) -> None:
    scenario = asked(tmp_path, "{replay: log.csv}")
    for engine in ("expected", "simulated"):
        found = run(scenario, "mini", engine=engine, runs=2)  # type: ignore[arg-type]
        by_day = sum(line.quantity for line in found.ledger.lines if line.line == "input") * 1e6
        assert by_day[0] == pytest.approx([800 + 801 + 2000 + 100 + 799, 0, 5003], rel=1e-9)
        assert found.calls[0] == 7


def test_both_engines_replay_a_log_to_the_same_bill(tmp_path: Path) -> None:
    """Times and lengths are given, so nothing is left to chance: exact, with hits and tiers."""
    scenario = asked(tmp_path, "{replay: log.csv}")
    for name in scenario.options:
        simulated = run(scenario, name, engine="simulated", runs=2, seed=4)
        expected = run(scenario, name)
        results_agree(simulated, expected)
        assert np.ptp(simulated.total_usd) == 0
    # 30 s to live: of 0.5, 20, 20, 60 the second and third find it, of the last two the second does.
    assert run(scenario, "cached").hit_calls[0] == pytest.approx(3, rel=1e-12)
    # 700 and the message of the prefix are 700: above 1500 lie inputs of 801, 2000 and 5000.
    above = [line for line in run(scenario, "tiered").ledger.lines if line.line == "output"]
    assert sorted(float(line.quantity.sum() * 1e6) for line in above) == pytest.approx([23, 180], rel=1e-9)


@pytest.mark.parametrize("flags", [
    ["options.cached.retries={failure_rate: 0.3, max: 2}"],
    ["workload.deferrable_share=0.5", "options.cached.batch_share=1",
     "prices={my/cached: {usd_per_mtok: {input: 1, cached_input: 0.1, output: 4, batch: {input: 0.5, output: 2}}, "
     "rules: {caching: {mode: explicit, min_tokens: 1024, ttl_s: [30]}}}, "
     "my/tiers: {usd_per_mtok: {input: 1, output: 4}}}"],
    ["options.cached.caching={scopes: 2}"],
    ["options.cached.caching={reach: 0.4}"],
    ["options.cached.caching={mode: automatic, reach: 1, ttl: 300}"],
    ["options.cached.fallback={to: mini, share: 0.5}"],
], ids=["retries", "batch", "scopes", "reach", "ttl", "fallback"])  # fmt: skip
def test_what_is_left_to_chance_in_a_replay_has_the_expected_mean(flags: list[str], tmp_path: Path) -> None:
    scenario = asked(tmp_path, "{replay: log.csv}", *flags)
    results_agree(run(scenario, "cached", engine="simulated", runs=100, seed=8), run(scenario, "cached"))


@pytest.mark.parametrize("fidelity", ["aggregate", "call"])
def test_pairs_drawn_from_a_log_have_the_expected_mean(fidelity: str, tmp_path: Path) -> None:
    scenario = asked(tmp_path, "{calls_per_day: 400, tokens: {trace: log.csv}}")
    for name in scenario.options:
        results_agree(run(scenario, name, engine="simulated", runs=100, seed=6, fidelity=fidelity), run(scenario, name))


def test_pairs_are_kept_together(tmp_path: Path) -> None:
    """One call of two reads much and writes little: the dear tier bills its input and not the other's output."""
    scenario = asked(tmp_path, "{calls_per_day: 400, tokens: {trace: log.csv}}", rows=["1,4000,1", "2,100,999"])
    found = run(scenario, "tiered", engine="simulated", runs=5, fidelity="call")
    tier = [line for line in found.ledger.lines if line.line == "output" and line.usd.sum() / line.quantity.sum() > 8]
    long = [line for line in found.ledger.lines if line.line == "input" and line.usd.sum() / line.quantity.sum() > 1.5]
    calls = tier[0].quantity.sum(axis=1) * 1e6
    assert long[0].quantity.sum(axis=1) * 1e6 == pytest.approx(4700 * calls, rel=1e-9)
    assert np.all((calls > 400) & (calls < 800))


def test_every_length_drawn_from_a_log_is_a_length_of_the_log() -> None:
    log = Recorded.of([137, 4001, 77], [3, 11, 501])
    inputs, outputs, chances = np.zeros((3, 10_000))
    pairs = [relative(column) for column in (log.inputs, log.outputs)]
    each_call.draw_pairs(stream(1, "pairs"), 10_000, *pairs, inputs, outputs, chances)
    counts = np.zeros((2, 1, each_call.QUANTITIES))
    terms = each_call.terms_of(
        ttl_s=1, refresh=True, reach=1, pinned=None, cacheable=0, deferred=0, batch_too=False, failure_rate=0,
        max_retries=0, failures_billed=True, fixed=0, mean_input=log.means[0], mean_output=log.means[1],
    )  # fmt: skip
    for i in range(200):
        one = slice(i, i + 1)
        counts[:] = 0
        each_call.serve(
            stream(2, "hits", i), 1, np.array([float(i)]), inputs[one], outputs[one], chances[one],
            np.zeros(1440, dtype=np.int64), np.zeros(1), terms, np.zeros(0), counts, np.zeros(1),
        )  # fmt: skip
        row = counts[0, 0]
        assert (row[each_call.INPUT], row[each_call.OUTPUT]) in {(137, 3), (4001, 11), (77, 501)}
    agrees(inputs, 1.0, "relative input")


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 900)), min_size=1, max_size=20),
    fixed=st.floats(0, 3000),
    mean=st.floats(1, 9000),
    thresholds=st.lists(st.integers(1, 9000), max_size=3, unique=True).map(sorted),
)
def test_both_engines_spread_a_log_alike_over_tiers(
    pairs: list[tuple[int, int]], fixed: float, mean: float, thresholds: list[int]
) -> None:
    """Summed by hand, call by call: the twins of `resampled.py`, exact."""
    x, y = (relative([pair[k] for pair in pairs]) for k in range(2))
    steps = tuple(float(edge) for edge in thresholds)
    calls, inputs, outputs = pair_tier_shares([Pairs.of(x, y)], fixed, mean, steps)
    moments = pair_moments(x, y, fixed, mean, 100.0, steps)
    band = np.array([sum(fixed + mean * one > edge + 1e-9 for edge in steps) for one in x])
    for number in range(len(steps) + 1):
        own = band == number
        assert calls[number].item() == pytest.approx(own.mean(), abs=1e-9)
        assert inputs[number].item() == pytest.approx(x[own].sum() / x.sum(), abs=1e-9)
        assert outputs[number].item() == pytest.approx(y[own].sum() / y.sum(), abs=1e-9)
        assert moments.share[number, 0] == pytest.approx(own.mean(), abs=1e-9)
        assert moments.share[number, 0] * moments.input[number, 0] == pytest.approx(mean * x[own].sum() / len(x))
        assert moments.share[number, 0] * moments.output[number, 0] == pytest.approx(100 * y[own].sum() / len(x))


@given(
    gaps=st.lists(st.integers(0, 8), min_size=1, max_size=25),
    ttl=st.integers(1, 6),
    share=st.sampled_from([1.0, 0.5]),
    refresh=st.booleans(),
)
def test_hits_at_known_times_are_those_of_every_way_the_calls_can_be_spread(
    gaps: list[int], ttl: int, share: float, refresh: bool
) -> None:
    """By brute force: draw many times which calls one cache sees, and follow it."""
    at = np.cumsum(gaps)
    found = alive_at_calls(at * 1_000_000_000, float(ttl), share, refresh)
    rng = np.random.default_rng(3)
    draws = 1 if share == 1 else 2000
    alive = np.zeros((draws, len(at)))
    for draw in range(draws):
        last = -np.inf
        seen = rng.random(len(at)) < share
        for i, now in enumerate(at):
            alive[draw, i] = now - last <= ttl
            if seen[i] and (refresh or not alive[draw, i]):
                last = now
    error = np.sqrt(np.maximum(found * (1 - found), 1e-3) / draws)
    assert np.all(np.abs(alive.mean(axis=0) - found) <= (1e-12 if share == 1 else 5.5 * error))


def test_the_time_a_cache_lives_is_the_union_of_what_each_call_adds() -> None:
    """Calls at 0, 5 and 8 s, 4 s to live: alive from 0 to 4 and 5 to 12; without refresh the third is a miss at 9."""
    at = np.array([0, 5, 8]) * 1_000_000_000
    edges = np.array([0, 10, 20]) * 1_000_000_000
    assert alive_by_period(at, 4.0, 1.0, True, edges).tolist() == pytest.approx([0.9, 0.2])
    assert alive_by_period(at, 4.0, 1.0, False, edges).tolist() == pytest.approx([0.8, 0.0])


def test_the_scenario_carries_its_log_and_says_so(tmp_path: Path) -> None:
    """One frozen value: equal and of one digest after a journey, another one for another log."""
    scenario = asked(tmp_path, "{replay: log.csv}")
    (tmp_path / "log.csv").unlink()
    arrived = pickle.loads(pickle.dumps(scenario))
    assert arrived == scenario
    assert arrived.digest == scenario.digest
    assert run(arrived, "mini", engine="simulated", runs=1).calls[0] == 7
    assert scenario.assumes["workload.tokens.input"] == "played as recorded in log.csv: 7 calls over 3 days"
    other = asked(tmp_path, "{replay: log.csv}", rows=[*ROWS[:-1], "172802,4,1"])
    assert other.digest != scenario.digest
    turned = {at.path for at in walk_dials(scenario)}
    assert "workload.tokens.input" in turned
    assert not turned & {"workload.tokens.input_cv", "workload.growth_per_month"}


def test_a_break_even_along_volume_thins_and_packs_the_log(tmp_path: Path) -> None:
    """Without a cache the bill is linear in the calls, so that half of them cost half."""
    scenario = asked(tmp_path, "{replay: log.csv}")
    calls = scenario.workload.calls_per_day
    found = run(scenario, "tiered", draws={"workload.calls_per_day": calls * np.array([0.5, 1, 2])})
    assert found.total_usd / found.total_usd[1] == pytest.approx([0.5, 1, 2], rel=1e-9)
    some = run(scenario, "cached", draws={"workload.calls_per_day": calls * np.array([0.01, 0.5, 1])})
    shares = some.hit_calls / some.eligible_calls
    assert 0 <= shares[0] < shares[1] < shares[2] == pytest.approx(3 / 7)
    assert break_even(scenario, ("mini", "cached")).answer == "never"


BAD = {
    "both": ("{replay: log.csv, calls_per_day: 5}", "workload.calls_per_day: stands beside replay, which takes it"),
    "growth": ("{replay: log.csv, growth_per_month: 0}", "workload.growth_per_month: stands beside replay"),
    "lengths": ("{calls_per_day: 9, tokens: {trace: log.csv, input: 5}}", "workload.tokens.input: stands beside trace"),
    "outside": ("{replay: ../log.csv}", "../log.csv: lies outside"),
    "absent": ("{replay: lgo.csv}", "workload.replay: lgo.csv: there is no such file"),
    "no file": ("{replay: 7}", "workload.replay: 7 stands where a file is expected, as in workload.replay: my-log.csv"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_log_that_cannot_be_taken_is_told_in_a_sentence(case: str, tmp_path: Path) -> None:
    workload, sentence = BAD[case]
    (tmp_path / "log.csv").write_text(written(ROWS), "utf-8")
    (tmp_path / "question.yaml").write_text(QUESTION.format(workload=workload, days=3), "utf-8")
    answer = tunepoint("compare", tmp_path / "question.yaml")
    assert answer.code == 2
    assert is_one_sentence(answer.err)
    assert sentence in answer.err


def test_a_horizon_beyond_the_log_and_totals_of_hours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r":3: horizon_days: 4; workload.replay plays a log of 3 days once"):
        asked(tmp_path, "{replay: log.csv}", days=4)
    scenario = asked(tmp_path, "{replay: log.csv}", days=2)
    assert run(scenario, "mini").calls[0] == 5
    with pytest.raises(InputError, match=r"workload\.replay plays every call"):
        run(scenario, "mini", engine="simulated", fidelity="aggregate")
    with pytest.raises(InputError, match=r"workload.calls_per_day is 9; the log that is replayed has 2.33333 a day"):
        run(scenario, "mini", engine="simulated", draws={"workload.calls_per_day": np.array([9.0])})


def test_a_prompt_beside_a_log_of_whole_prompts_is_a_caveat(tmp_path: Path) -> None:
    scenario = asked(tmp_path, "{calls_per_day: 100, tokens: {trace: log.csv}}", days=20)
    said = [words for words in compare(scenario).verdict.caveats if "billed twice" in words]
    assert [words.split(": ")[0] for words in said] == [
        "prefix_tokens come on top of the 1,358 tokens that a call of the log reads, for cached (2,000), tiered (700)"
    ]


@pytest.mark.parametrize(("fidelity", "told"), [(None, True), ("aggregate", True), ("call", False)])
def test_a_fleet_tells_where_it_serves_lengths_like_those_of_a_log(
    fidelity: str | None, told: bool, tmp_path: Path
) -> None:
    """Its hours are tabulated for a lognormal of the log's moments; only call by call it serves the pairs."""
    (tmp_path / "log.csv").write_text(written(ROWS), "utf-8")
    page = (
        "start: 2026-12-01\nhorizon_days: 2\nbaseline: card\n"
        "workload: {calls_per_day: 500, tokens: {trace: log.csv}}\n"
        "options:\n  card: {kind: self_hosted, serving: vllm/rtx-4090/llama-3.1-8b/bf16, gpu: owned/rtx-4090}\n"
    )
    (tmp_path / "own.yaml").write_text(page, "utf-8")
    how = {} if fidelity is None else {"engine": "simulated", "runs": 1, "fidelity": fidelity}
    result = run(read_scenario(tmp_path / "own.yaml"), "card", **how)  # type: ignore[arg-type]
    assert any("lengths of the log" in words for words in result.approximate) == told
