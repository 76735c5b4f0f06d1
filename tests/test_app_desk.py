"""Who answers the pages: workers that answer each question once, in turn, and a neighbour only when nobody waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import StopException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType

import simulator
from dashboard import answer, work
from dashboard.answer import AHEAD, Desk
from pricing.errors import InputError
from simulator.studies.crew import Crew
from tests.dashboards import HOSTED_PATH, WAIT_S, hold, nap, until


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    found = Desk()
    yield found
    found.crew.close()


@pytest.fixture
def alone() -> Iterator[Crew]:
    """One worker, so that whoever waits can be seen waiting."""
    found = Crew(1)
    yield found
    found.close()


def note(path: Path, seconds: float = 0.0) -> int:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return os.getpid()


def note_by_name(task: tuple[str, str]) -> None:
    path, name = task
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")


def refuse(words: str) -> None:
    raise InputError(words)


def test_what_many_ask_at_once_is_worked_out_once_and_elsewhere(desk: Desk, tmp_path: Path) -> None:
    seen: list[int] = []
    asked = [threading.Thread(target=lambda: seen.append(desk.answer("one", note, tmp_path / "who", 0.3)))
             for _ in range(12)]
    for one in asked:
        one.start()
    for one in asked:
        one.join(WAIT_S)
    assert len(seen) == 12
    assert len((tmp_path / "who").read_text("utf-8").splitlines()) == 1
    assert set(seen) != {os.getpid()}


def test_a_mistake_is_told_to_all_who_ask_and_is_not_kept(desk: Desk, tmp_path: Path) -> None:
    for words in ("the first", "the second"):
        with pytest.raises(InputError, match=words):
            desk.answer("wrong", refuse, words)


def test_an_answer_whose_worker_is_killed_is_worked_out_by_another(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "who"
    found: list[int] = []
    asks = threading.Thread(target=lambda: found.append(desk.answer("killed", note, path, 1.0)))
    asks.start()
    until(lambda: path.exists() and path.read_text("utf-8"))
    os.kill(int(path.read_text("utf-8").split()[0]), signal.SIGKILL)
    asks.join(WAIT_S)
    first, second = map(int, path.read_text("utf-8").split())
    assert first != second
    assert found == [second]


def test_what_is_for_later_waits_for_all_others_and_can_be_hurried(alone: Crew, tmp_path: Path) -> None:
    said = tmp_path / "said"
    alone.begin(nap, [0.5])
    later = [alone.begin(note_by_name, [(str(said), name)], later=True) for name in ("idle", "hurried")]
    alone.begin(note_by_name, [(str(said), "asked")])
    alone.hurry(later[1])
    until(lambda: later[0].state == "done")
    assert said.read_text("utf-8").split() == ["asked", "hurried", "idle"]


def test_what_is_hurried_takes_the_worker_that_was_kept_free(desk: Desk, tmp_path: Path) -> None:
    desk.crew.begin(note, [tmp_path / "warm"])
    until(lambda: not desk.crew._busy)
    long = desk.crew.begin(hold, [tmp_path / "go"])
    desk.ahead([("kept", note, (tmp_path / "kept",))])
    assert desk.answer("kept", note, tmp_path / "kept")
    assert long.state == "running"
    (tmp_path / "go").touch()
    until(lambda: not desk.crew._busy)


def test_what_is_for_later_runs_beside_what_is_slow_unless_others_wait(tmp_path: Path) -> None:
    crew = Crew(2)
    try:
        crew.begin(hold, [tmp_path / "go"], slow=True)
        later = crew.begin(nap, [0.0], later=True)
        until(lambda: later.state != "running")
        waiting = crew.begin(nap, [0.0], slow=True)
        last = crew.begin(nap, [0.0], later=True)
        assert (waiting.given, last.given) == (0, 0)
        (tmp_path / "go").touch()
        until(lambda: last.state == "done")
        assert waiting.state == "done"
    finally:
        crew.close()


def test_what_is_slow_leaves_a_worker_for_what_is_quick(tmp_path: Path) -> None:
    crew = Crew(2)
    try:
        slow = [crew.begin(hold, [tmp_path / "go"], slow=True) for _ in range(3)]
        quick = crew.begin(nap, [0.0])
        until(lambda: quick.state == "done")
        assert [job.given for job in slow] == [1, 0, 0]
        (tmp_path / "go").touch()
        until(lambda: all(job.state == "done" for job in slow))
    finally:
        crew.close()


def test_neighbours_are_few_and_known_at_once_when_they_are_asked(desk: Desk, tmp_path: Path) -> None:
    desk.ahead((("beside", place), note, (tmp_path / f"{place}",)) for place in range(AHEAD + 6))
    last = ("beside", AHEAD + 5)
    until(lambda: desk.known(last, note, tmp_path / f"{AHEAD + 5}") is not None)
    until(lambda: not desk.crew._busy)
    assert len(list(tmp_path.iterdir())) <= AHEAD + 2  # those that workers had begun before the others were asked


def test_a_page_that_has_moved_on_leaves_no_work_behind(desk: Desk, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    class MovedOn(Exception):
        pass

    def again(**_: str) -> None:
        raise MovedOn

    held = [desk.crew.begin(nap, [1.0]) for _ in range(answer.WORKERS)]
    monkeypatch.setattr(answer, "get_script_run_ctx", lambda **_: object())
    monkeypatch.setattr(answer, "_overtaken", lambda: True)
    monkeypatch.setattr(answer.st, "rerun", again)
    with pytest.raises(MovedOn):
        desk.answer("left", note, tmp_path / "left")
    until(lambda: all(job.state == "done" for job in held))
    until(lambda: not desk.crew._busy)
    assert not (tmp_path / "left").exists()


def test_a_page_that_was_left_waits_no_longer_for_what_it_asked_or_may_be_asked(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        """A session state at whose first reading Streamlit ends the run, as it does where the page was left."""

        def get(self, _: str) -> None:
            raise StopException

    desk.crew.begin(hold, [tmp_path / "go"])
    desk.crew.begin(hold, [tmp_path / "go"])
    monkeypatch.setattr(answer, "get_script_run_ctx", lambda **_: object())
    monkeypatch.setattr(answer.st, "session_state", Gone())
    with pytest.raises(StopException):
        desk.answer("left", note, tmp_path / "left")
    desk.ahead([("beside", note, (tmp_path / "beside",))])
    with pytest.raises(StopException):
        desk.found_within(WAIT_S, "beside")
    (tmp_path / "go").touch()
    until(lambda: not desk.crew._busy)
    assert not (tmp_path / "left").exists()


def test_streamlit_still_keeps_a_request_where_it_is_looked_for() -> None:
    requests = ScriptRequests()
    assert requests._state == ScriptRequestType.CONTINUE
    requests.request_rerun(RerunData(fragment_id="page"))
    assert requests._state == ScriptRequestType.RERUN


def test_a_look_is_the_bills_of_the_command_line_and_the_charts_of_the_report() -> None:
    question = work.Question(name=HOSTED_PATH.name, raw=HOSTED_PATH.read_bytes(), folder=HOSTED_PATH.parent)
    found = work.look(question)
    plain = simulator.compare(simulator.read_scenario(HOSTED_PATH))
    assert {name: one.total_usd for name, one in found.bills.options.items()} == {
        name: one.total_usd for name, one in plain.options.items()}
    assert work.comparison(question, found.bills).verdict == plain.verdict
    assert list(found.drawn) == ["cumulative-cost", "cost-against-volume", "bill-by-line"]


def test_what_was_begun_ahead_is_waited_for_as_long_as_is_said(desk: Desk, tmp_path: Path) -> None:
    assert desk.found_within(9.0, "never begun") is None
    desk.ahead([("soon", note, (tmp_path / "soon", 0.3)), ("late", nap, (3.0,))])
    assert desk.found_within(0.0, "late") is None
    assert desk.found_within(WAIT_S, "soon") is not None
    assert desk.known("late", nap, 3.0) is None
    until(lambda: not desk.crew._busy)


def test_a_process_that_ends_with_work_in_hand_says_nothing() -> None:
    code = "import time; from simulator import Crew; Crew(1).begin(time.sleep, [0.3] * 3); time.sleep(0.1)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stderr == ""
