"""On a terminal `init` asks for what nobody said until it is told, and states what it assumed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from batches import ROOT, environment

from simulator.files import read_scenario

END, INTERRUPT = "\x04", "\x03"
ASKED = ("Price of today's model", "Calls a day", "Tokens of the prompt", "Tokens of a call's own input",
         "Tokens of an answer")  # fmt: skip


def _own_terminal() -> None:
    """Let Ctrl-C reach the program, even where these tests run in the background and do not hear it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def talk(folder: Path, answers: Sequence[str], *flags: object) -> tuple[int, str]:
    """Exit code, and all that a terminal showed, of an `init` that is answered line by line as it asks."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "simulator", "init", "--start", "2026-12-01", *map(str, flags)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(theirs)
    left, shown = list(answers), ""
    answered = 0
    end = time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1.0)[0]:
                if answers[-1] == INTERRUPT and not left:       # one that comes just before Python waits is not heard
                    os.write(ours, INTERRUPT.encode())
                continue
            try:
                piece = os.read(ours, 4096).decode()
            except OSError:                                     # the other end is gone
                break
            shown += piece
            if left and shown.count("]: ") > answered:
                answered += 1
                os.write(ours, left.pop(0).encode())
        return process.wait(30), shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_it_asks_for_what_is_missing_and_writes_what_it_is_told(tmp_path: Path) -> None:
    answers = ["openai/gpt-4o-mini\n", "2e5\n", "900\n", "\n", "40\n"]
    code, shown = talk(tmp_path, answers, "--out", tmp_path / "mine.yaml")
    assert code == 0, shown
    places = [shown.index(question) for question in ASKED]
    assert places == sorted(places)
    scenario = read_scenario(tmp_path / "mine.yaml")
    today = scenario.options["today"]
    assert (today.price, today.prefix_tokens) == ("openai/gpt-4o-mini", 900)
    assert (scenario.workload.calls_per_day, scenario.workload.tokens.input, scenario.workload.tokens.output) == (
        200_000, 400, 40
    )
    assert scenario.assumes["workload.calls_per_day"] == "typed at init"
    assert scenario.assumes["workload.tokens.input"] == "a guess of init: measure yours"
    assert "What it rests on:" in shown
    assert "workload.tokens.input: a guess of init" in shown


def test_a_wrong_answer_is_told_in_a_sentence_and_asked_again(tmp_path: Path) -> None:
    answers = ["openai/gpt-4o-mni\n", "openai/gpt-4o-mini\n", "many\n", "0\n", "100\n", "\n", "\n", "\n"]
    code, shown = talk(tmp_path, answers, "--out", tmp_path / "mine.yaml")
    assert code == 0, shown
    assert 'did you mean "openai/gpt-4o-mini"?' in shown
    assert '"many" is not a number' in shown
    assert "must be above 0" in shown
    assert "Traceback" not in shown
    assert read_scenario(tmp_path / "mine.yaml").workload.calls_per_day == 100


def test_what_a_file_says_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Be brief and kind.\n", "utf-8")
    flags = ("--prompt", tmp_path / "prompt.md", "--out", tmp_path / "mine.yaml")
    code, shown = talk(tmp_path, ["\n", "\n", "\n", "\n"], *flags)
    assert code == 0, shown
    assert "Tokens of the prompt" not in shown
    assert read_scenario(tmp_path / "mine.yaml").options["today"].prefix_tokens == 5    # o200k: Be brief and kind.


@pytest.mark.parametrize("key", [END, INTERRUPT], ids=["end of input", "interrupt"])
def test_a_user_who_leaves_is_let_go_and_nothing_is_written(tmp_path: Path, key: str) -> None:
    code, shown = talk(tmp_path, ["\n", key], "--out", tmp_path / "mine.yaml")
    assert code == 130, shown
    assert "Traceback" not in shown
    assert not (tmp_path / "mine.yaml").exists()
