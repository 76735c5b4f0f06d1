"""Whatever is typed wrong or goes wrong outside, the user is told one sentence and never shown a traceback."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import QUESTION, is_one_sentence, tunepoint

from simulator.cli import main

ROOT = Path(__file__).parents[1]
AZURE = ROOT / "tests" / "data" / "azure_llm_2023"


@pytest.fixture
def question(tmp_path: Path) -> Path:
    """A file with the question of the hand."""
    path = tmp_path / "question.yaml"
    path.write_text(QUESTION, "utf-8")
    return path


def program(*arguments: object, **others: Any) -> subprocess.CompletedProcess[str]:
    """`python -m simulator` as a program of its own."""
    return subprocess.run(
        [sys.executable, "-m", "simulator", *map(str, arguments)], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", timeout=300, check=False, **others,
    )


MISTAKES = {
    ("comapre",): 'no such command "comapre"; did you mean "compare"?',
    ("compare", "--jsno"): "no such option: --jsno; did you mean --json",
    ("prices",): "missing command",
    ("prices", "shwo"): 'did you mean "show"?',
    ("prices", "show", "openai/gpt-4o-min"): 'no price table "openai/gpt-4o-min"; did you mean "openai/gpt-4o-mini"?',
    ("prices", "show", "openai/gpt-4o-mini", "--on", "2020-01-01"): "its first version is of 2024-07-18",
    ("prices", "list", "--on", "2026-02-30"): '--on: "2026-02-30" is not a date; write YYYY-MM-DD',
    ("prices", "list", "--provider", "opena"): 'did you mean "openai"?',
    ("prices", "diff", "2026-02-01", "2026-01-01"): "name the earlier day first",
    ("prices", "check", "--older-than", "-3"): "is not a number of days",
    ("break-even",): 'missing argument "SCENARIO"',
    ("break-even", "QUESTION", "--between", "dear"): "--between",
    ("break-even", "QUESTION", "--between", "dear", "chep"): 'no option "chep"; did you mean "cheap"?',
    ("break-even", "QUESTION", "--between", "dear", "dear"): "dear stands twice",
    ("break-even", "QUESTION", "--along", "workload.cals_per_day"): 'did you mean "workload.calls_per_day"?',
    ("break-even", "QUESTION", "--from", "ten"): '--from: "ten" is not a number',
    ("break-even", "QUESTION", "--from", "10", "--to", "5"): "is no range of this dial",
    ("compare", "nowhere.yaml"): "nowhere.yaml: there is no such file",
    ("compare", "QUESTION", "--set", "workload.cals_per_day=5"): 'did you mean "calls_per_day"?',
    ("compare", "QUESTION", "--set", "workload.calls_per_day"): "write PATH=VALUE",
    ("compare", "QUESTION", "--engine", "simulated", "--runs", "0"): "--runs is 0; play at least one",
    ("compare", "QUESTION", "--runs", "5"): "--runs is of the simulated engine; add --engine simulated",
    ("compare", "QUESTION", "--engine", "simulated", "--seed", "-1"): "seed is -1; it must be a whole number",
    ("compare", "QUESTION", "--set", "workload.calls_per_day={low: 1, high: 2}", "--seed", "-1"): "seed is -1",
    ("sensitivity", "QUESTION", "--method", "sobol", "--seed", "-1"): "seed is -1",
    ("sensitivity", "QUESTION", "--method", "voi", "--seed", "-1"): "seed is -1",
    ("outlook", "QUESTION", "--seed", "-1"): "seed is -1",
    ("compare", "QUESTION", "--engine", "simulated", "--fidelity", "calls"): 'did you mean "call"?',
    ("compare", "QUESTION", "--engine", "simulated", "--precision", "200%"): "is not a share above 0 and below 1",
    ("trace", "CODE", "--fit", "never.yaml", "--price", "openai/gpt-4o-mini"): "fitted or billed; ask for one",
    ("compare", "QUESTION", "--engine", "simulatd"): 'not one of expected, simulated; did you mean "simulated"',
    ("compare", "QUESTION", "--json", "--csv"): "choose one of them",
    ("compare", "QUESTION", "QUESTION"): "write compare SCENARIO OTHER --diff",
    ("compare", "QUESTION", "--out"): 'option "--out" requires an argument',
    ("trace", "nowhere.csv"): "nowhere.csv: there is no such file",
    ("trace", "CODE", "--price", "openai/gpt-4o-min"): 'did you mean "openai/gpt-4o-mini"?',
    ("trace", "CODE", "--price", "openai/gpt-4o-mini", "--on", "2027-01-14"): "retired on 2027-01-14",
    ("trace", "CODE", "--price", "fireworks/sft-lora-16b", "--on", "2026-11-23"): "has no input and output rate",
    ("trace", "CODE", "--on", "2026-11-23"): "name one with --price",
    ("tokens", "nowhere.md"): "there is no such file",
    ("tokens", "LICENSE", "--model", "openai/gpt-4o-min"): 'did you mean "openai/gpt-4o-mini"?',
}


@pytest.mark.parametrize(("typed", "sentence"), MISTAKES.items(), ids=[" ".join(typed) for typed in MISTAKES])
def test_a_mistake_is_one_sentence_and_code_2(
    typed: tuple[str, ...], sentence: str, question: Path
) -> None:
    paths = {"QUESTION": question, "CODE": AZURE / "AzureLLMInferenceTrace_code.csv.gz", "LICENSE": ROOT / "LICENSE"}
    said = tunepoint(*(paths.get(word, word) for word in typed))
    assert (said.code, said.out) == (2, "")
    assert is_one_sentence(said.err)
    assert sentence in said.err


def test_a_defect_of_the_program_is_not_passed_off_as_a_mistake(
    question: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("simulator.studies.compare.compare", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        tunepoint("compare", question)


def test_the_user_may_break_off(question: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.studies.compare.compare", interrupted)
    said = tunepoint("compare", question)
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("total_usd", 'is no comparison; write KEY > NUMBER'),
        ("total_usd > much", '"much" is not a number'),
        ("total_usd > nan", '"nan" is not a number'),
        ("verdict changed", "only compare A B --diff tells whether the verdict changed"),
        ("totl_usd > 5", 'no key "totl_usd"; did you mean "total_usd"?'),
        ("options.chaep.total_usd > 5", 'no key "chaep"; did you mean "cheap"?'),
        ("break_even.7.payback.days > 5", "it is a list of 1, counted from 0"),
        ("verdict.choice > 5", 'verdict.choice is "cheap", not a number'),
        ("why_not > 5", "options.cheap.why_not is null, not a number"),
        ("by_line > 5", "holds further keys, not a number; there are "),
    ],
)
def test_a_condition_that_means_nothing_is_one_sentence(
    condition: str, sentence: str, question: Path
) -> None:
    said = tunepoint("compare", question, "--fail-if", condition)
    assert said.code == 2
    assert is_one_sentence(said.err)
    assert said.err.startswith("--fail-if")
    assert sentence in said.err


def test_help_names_every_command_and_every_command_has_help() -> None:
    front = tunepoint("--help")
    assert (front.code, front.err) == (0, "")
    assert tunepoint() .out == front.out
    commands = ("compare", "break-even", "trace", "tokens", "schema", "prices")
    assert all(re.search(rf"^  {command} +[A-Z]", front.out, re.MULTILINE) for command in commands)
    inside = [("prices", name) for name in ("list", "show", "history", "diff", "check")]
    for typed in (*((command,) for command in commands), *inside):
        said = tunepoint(*typed, "--help")
        assert said.code == 0
        assert "--json" in said.out or typed == ("prices",)


def test_the_module_is_the_program_and_a_mistake_leaves_no_traceback() -> None:
    version = program("--version")
    assert (version.returncode, version.stdout) == (0, "tunepoint 0.1.0\n")
    wrong = program("compare", "nowhere.yaml")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert is_one_sentence(wrong.stderr)


def test_what_is_piped_has_no_colours_and_fits_80_columns() -> None:
    said = program("compare", env={**os.environ, "TERM": "xterm-256color"})
    assert said.returncode == 0
    assert "\x1b" not in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`tunepoint prices list | head -n 1`, as a shell sees it: SIGPIPE's code and nothing said."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "simulator", "prices", "list"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=closed,
            stderr=subprocess.PIPE, encoding="utf-8", timeout=300, check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, "")


class Full(io.StringIO):
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["prices", "list"]) == 2
    assert capsys.readouterr().err == "standard output cannot be written (No space left on device); send it elsewhere\n"


@pytest.mark.parametrize("form", [["--json"], ["--csv"], []])
def test_a_standard_output_that_is_closed_is_one_sentence(
    question: Path, form: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)                    # as Python starts after the shell's `>&-`
    assert main(["compare", str(question), *form]) == 2
    assert capsys.readouterr().err == "standard output cannot be written (it is closed); send it elsewhere\n"
