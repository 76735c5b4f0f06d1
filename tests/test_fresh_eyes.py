"""What a first user stumbled over: an answer that misleads, or a mistake that went by unsaid, now speaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import QUESTION, is_one_sentence, tunepoint
from questions import asked

from pricing.errors import InputError, NotSold
from simulator.files import write_results
from simulator.intake.trace import read_trace
from simulator.intake.trace_stream import describe_file
from simulator.run import run
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare, summary

DEAR = "{kind: hosted_prompt, price: mine/big}"
TYPED = "mine/big: {usd_per_mtok: {input: 3, output: 15}}"


def changed(*pairs: tuple[str, str]) -> str:
    text = QUESTION
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def refused(folder: Path, text: str, *flags: str) -> str:
    """The one sentence with which a question is refused, without the folder."""
    with pytest.raises(InputError) as told:
        asked(folder, text, *flags)
    assert "\n" not in str(told.value)
    return str(told.value).replace(f"{folder}/", "")


# An option that delivers nothing

FAILS = "options.dear.retries={failure_rate: 1, max: 0, billed: false}"


def test_an_option_that_delivers_no_call_is_no_choice_and_has_no_cost_of_a_success(tmp_path: Path) -> None:
    path = tmp_path / "question.yaml"
    path.write_text(QUESTION, "utf-8")
    said = tunepoint("compare", path, "--set", FAILS, "--json", "--bare").json
    dear = said["options"]["dear"]
    assert (dear["per_success_usd"], dear["feasible"], dear["total_usd"]) == (None, False, None)
    assert dear["why_not"] == "it delivers no call: every attempt fails"
    assert said["verdict"]["choice"] == "cheap"


@pytest.mark.parametrize("engine", ["expected", "simulated"])
def test_both_engines_rule_out_what_delivers_nothing(tmp_path: Path, engine: str) -> None:
    scenario = asked(tmp_path, QUESTION, FAILS)
    result = run(scenario, "dear", engine=engine, runs=2 if engine == "simulated" else None)  # type: ignore[arg-type]
    assert result.why_not == "it delivers no call: every attempt fails"
    assert not result.feasible_draws.any()


def test_of_draws_only_those_that_deliver_nothing_are_ruled_out(tmp_path: Path) -> None:
    import numpy as np

    rates = {"options.dear.retries.failure_rate": np.array([0.0, 0.5, 1.0])}
    result = run(asked(tmp_path, QUESTION), "dear", draws=rates)
    assert result.feasible
    assert result.feasible_draws.tolist() == [True, True, False]


def test_answers_that_are_never_right_have_no_cost_each(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "options.dear.success_rate=0", "options.cheap.success_rate=0.5")
    assert summary(scenario, run(scenario, "dear")).per_success_usd is None
    half = summary(scenario, run(scenario, "cheap"))
    assert half.per_success_usd == pytest.approx(2 * half.per_call_usd, rel=1e-12)


def test_the_report_of_what_is_never_right_says_so(tmp_path: Path) -> None:
    path, out = tmp_path / "question.yaml", tmp_path / "out"
    path.write_text(QUESTION, "utf-8")
    said = tunepoint("compare", path, "--set", "options.dear.success_rate=0", "--set",
                     "options.cheap.success_rate=1", "--out", out)
    assert said.code == 0
    assert "n/a" in (out / "report.html").read_text("utf-8")


def test_options_that_deliver_unlike_shares_are_told_apart(tmp_path: Path) -> None:
    unlike = asked(tmp_path, QUESTION, "options.cheap.retries={failure_rate: 0.9, max: 0}")
    expected = "cheap delivers 10 % of its calls, dear all: compare cost per delivered call (per_success_usd)."
    assert expected in compare(unlike).verdict.caveats
    alike = asked(tmp_path, QUESTION, "options.cheap.retries={failure_rate: 0.1, max: 3}")
    assert not any("delivers" in caveat for caveat in compare(alike).verdict.caveats)


# Names that mean nothing

def test_a_line_that_no_bill_has_cannot_be_adjusted(tmp_path: Path) -> None:
    told = refused(tmp_path, QUESTION + "adjust: [{label: EA, factor: 0.5, lines: [inputs]}]\n")
    assert 'adjust: "EA" names the line "inputs", which no bill has; did you mean "input"?' in told


@pytest.mark.parametrize("line", ["tokens", "input", "gpu_idle", "set-up"])
def test_known_lines_and_the_users_labels_can_be_adjusted(tmp_path: Path, line: str) -> None:
    asked(tmp_path, QUESTION + f"adjust: [{{label: EA, factor: 0.5, lines: [{line}]}}]\n")


@pytest.mark.parametrize("key", ["one_off_usd", "recurring_usd_per_month"])
def test_a_label_of_the_users_is_no_line_of_the_bill(tmp_path: Path, key: str) -> None:
    told = refused(tmp_path, changed(("mine/big}", f"mine/big, {key}: {{output: 40}}}}")))
    assert f'{key}: names "output", which is a line counted from calls; choose another label' in told


def test_a_typed_sum_may_join_a_line_that_is_not_counted_from_calls(tmp_path: Path) -> None:
    text = changed(("mine/big}", "mine/big, recurring_usd_per_month: {hosting: 40}}"))
    months = 365 * 24 / 730
    scenario = asked(tmp_path, text)
    name = next(name for name, option in scenario.options.items() if option.recurring_usd_per_month)
    days = scenario.horizon_days
    assert run(scenario, name).ledger.by_line()["hosting"][0] == pytest.approx(40 * months * days / 365)


@pytest.mark.parametrize(("typed", "hint"), [("opnai", '"openai"'), ("OpenAI", '"openai"'), ("mien", '"mine"')])
def test_a_customer_of_nobody_is_refused(tmp_path: Path, typed: str, hint: str) -> None:
    told = refused(tmp_path, QUESTION + f"existing_customer: [mine, {typed}]\n")
    assert f'existing_customer.1: "{typed}" is no provider of any price; did you mean {hint}?' in told


def test_a_customer_of_a_bound_or_a_shipped_provider_is_read(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION + "existing_customer: [mine, openai]\n")
    assert scenario.existing_customer == ("mine", "openai")


def test_a_merge_key_is_refused_by_name(tmp_path: Path) -> None:
    told = refused(tmp_path, changed((DEAR, f"&d {DEAR}"), ("cheap: {", "cheap: {<<: *d, ")))
    assert told == "question.yaml:8: the merge key << is not of YAML 1.2; write its keys out, or use like: NAME"


@pytest.mark.parametrize("utc", ["25:00-04:00", "01:00-99:99", "01:60-02:00", "24:01-02:00", "1:00-2:00", "a", ""])
def test_a_window_outside_the_day_is_refused(tmp_path: Path, utc: str) -> None:
    window = f'{{input: 3, output: 15, windows: [{{utc: "{utc}", input: 1}}]}}'
    told = refused(tmp_path, changed(("{input: 3, output: 15}", window)))
    assert 'write "HH:MM-HH:MM", each from 00:00 to 24:00' in told


def test_a_window_may_end_with_the_day(tmp_path: Path) -> None:
    window = '{input: 3, output: 15, windows: [{utc: "16:30-24:00", input: 1}]}'
    scenario = asked(tmp_path, changed(("{input: 3, output: 15}", window)))
    assert scenario.price_on("mine/big", 0).usd_per_mtok.windows[0].hours == (16.5, 24.0)


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_place_to_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    monkeypatch.chdir(tmp_path)
    for typed in (("compare", "question.yaml", "--out", empty), ("export", "question.yaml", "--out", empty),
                  ("batch", "question.yaml", "--out", empty), ("trace", "log.csv", "--fit", empty)):
        said = tunepoint(*typed)
        assert (said.code, said.out) == (2, "")
        assert is_one_sentence(said.err)
        assert "name a file or folder" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["question.yaml"]


# What a number rests on

@pytest.mark.parametrize(("encoding", "exact"), [("{encoding: o200k_base, exact: true}", True), ("{}", False)])
def test_a_counted_prompt_says_once_where_its_tokens_come_from(tmp_path: Path, encoding: str, exact: bool) -> None:
    (tmp_path / "p.md").write_text("You sort tickets by urgency.", "utf-8")
    price = f"mine/big: {{usd_per_mtok: {{input: 3, output: 15}}, rules: {{tokens: {encoding}}}}}"
    scenario = asked(tmp_path, changed((TYPED, price), ("mine/big}", "mine/big, prompt: p.md}")))
    rows = [one for one in compare(scenario).assumptions if one.path == "options.dear.prefix_tokens"]
    assert len(rows) == 1
    assert rows[0].value == scenario.options["dear"].prefix_tokens > 0
    assert rows[0].set_by_user
    estimate = "" if exact else " with a stand-in tokenizer, so an estimate"
    assert rows[0].source == f"counted from p.md{estimate}"


TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,10,5\n2023-11-16 18:17:04,20,12"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_trace_without_its_last_line_end_is_read_with_a_note(tmp_path: Path, end: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes((TRACE + end).encode())
    trace = read_trace(path)
    note = f"{path}: the last line has no line end: if the file was cut short, its last number may be too"
    assert trace.notes == (() if end else (note,))
    assert describe_file(path)[1] == trace.notes
    assert trace.output_tokens.tolist() == [5, 12]


def test_an_announced_version_inside_the_horizon_may_bring_the_end(tmp_path: Path) -> None:
    source = "source: {title: mine, seen_on: 2026-11-01, confidence: verified}, usd_per_mtok: {input: 3, output: 15}"
    versions = (
        f"mine/big: {{versions: [{{effective: 2026-01-01, recorded: 2026-01-01, {source}}}, "
        f"{{effective: 2026-12-20, recorded: 2026-11-01, lifecycle: {{retires_on: 2027-01-10}}, {source}}}]}}"
    )
    scenario = asked(tmp_path, changed((TYPED, versions)), "horizon_days=60")
    result = run(scenario, "dear")
    assert str(result.serves_until) == "2027-01-10"
    assert float(result.served_calls[0]) == pytest.approx(1000 * 40, rel=1e-12)
    pair = break_even(asked(tmp_path, changed((TYPED, versions), (", one_off_usd: {set-up: 40}", "")),
                            "horizon_days=60"), ("dear", "cheap"))
    assert pair.crossings == ()
    assert pair.payback.flags == ("dear stops serving on 2027-01-10, inside the horizon",)


# Prices without a day, limits, and files left over

def test_a_typed_price_is_named_without_an_invented_day(tmp_path: Path) -> None:
    text = changed((TYPED, "mine/big: {usd_per_mtok: {input: 3}}"))
    with pytest.raises(NotSold, match=r"options\.dear: mine/big has no output rate; ") as told:
        run(asked(tmp_path, text), "dear")
    assert "1970" not in str(told.value)


@pytest.mark.parametrize("start", ["1969-07-20", "0001-01-01"])
def test_a_typed_price_holds_for_ever(tmp_path: Path, start: str) -> None:
    found = compare(asked(tmp_path, QUESTION, f"start={start}"))
    assert [(price.id, price.age_days) for price in found.prices_used] == [("mine/big", 0), ("mine/small", 0)]


LIMITED = "the busiest minute asks for {} a minute, the limit is {}"


def test_a_limit_below_one_is_not_told_as_none(tmp_path: Path) -> None:
    scenario = asked(tmp_path, QUESTION, "options.dear.limits={rpm: 0.1}")
    assert run(scenario, "dear").flags == (LIMITED.format(f"{1000 / 1440:.3g} requests", "0.1"),)


def test_tokens_a_minute_count_the_overhead_and_hidden_reasoning(tmp_path: Path) -> None:
    """1000 calls a day of 3 + 2 x 4 overhead, 500 prompt, 0 typed input, 100 output and 7 hidden tokens."""
    rules = "mine/big: {usd_per_mtok: {input: 3, output: 15}, rules: {tokens: {per_message: 4, per_request: 3}}}"
    text = changed((TYPED, rules), ("mine/big}", "mine/big, prefix_tokens: 500, input_tokens: 0, reasoning_tokens: 7}"))
    flags = run(asked(tmp_path, text, "options.dear.limits={tpm: 1}"), "dear").flags
    assert flags == (LIMITED.format(f"{1000 / 1440 * (11 + 500 + 100 + 7):,.0f} tokens", "1"),)


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=60)
    (tmp_path / "charts").mkdir()
    left = [tmp_path / f".report.html.{gone.pid}.part", tmp_path / "charts" / f".a.json.{gone.pid}.part"]
    kept = [tmp_path / f".report.html.{os.getppid()}.part", tmp_path / ".mine.part"]
    for path in (*left, *kept):
        path.write_text("half")
    write_results(tmp_path, {"a": 1}, [{"usd": 1.0}])
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)
