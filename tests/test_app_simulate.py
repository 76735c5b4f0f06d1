"""The simulate page plays what the command line plays, in other processes, and says so when one is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import simulator
from pricing.errors import InputError
from simulator.cli import main
from simulator.domain.rehearsed import LEVELS
from simulator.formats import usd
from simulator.studies.crew import LOST, Crew, Job
from simulator.studies.runs import play
from tests.dashboards import HOSTED, HOSTED_PATH, WAIT_S, until, words
from tests.test_charts_latency import FLEET

ROOT = Path(__file__).parents[1]
PAGE = "from dashboard import question, simulate\nquestion.begin()\nsimulate.page()\n"
SHORT = "horizon_days=120"


def opened(runs: int, **asked: Any) -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60)
    for key, value in {"scenario": HOSTED, **asked}.items():
        page.query_params[key] = value
    page.run()
    page.number_input(key="runs").set_value(runs)
    return page.run()


def pressed(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return page.run()


def played(page: AppTest) -> AppTest:
    """The page when its simulation has ended."""
    until(lambda: not any(button.label == "Stop" for button in page.run().button))
    return page


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """One worker for all; whoever kills it gets a new one."""
    found = Crew(1)
    yield found
    found.close()


@pytest.fixture(scope="module")
def scenario() -> simulator.Scenario:
    return simulator.read_scenario(HOSTED_PATH, [SHORT])


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def refuse(sentence: str) -> None:
    raise simulator.TunepointError(sentence)


def test_the_page_shows_what_the_command_line_simulates(capsys: pytest.CaptureFixture[str]) -> None:
    page = played(pressed(opened(20, set=[SHORT]), "Simulate"))
    assert not page.exception
    capsys.readouterr()
    assert main(["compare", str(HOSTED_PATH), "--set", SHORT, "--engine", "simulated", "--runs", "20", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    shown = words(page)
    for option in answer["options"].values():
        low, middle, high = option["interval_usd"]
        assert usd(middle) in shown
        assert f"{usd(low)} to {usd(high)}" in shown
    for moment in answer["options"]["tuned"]["timeline"]:
        assert moment["text"] in shown


def test_a_fleet_brings_its_busiest_week_and_its_latency_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    monkeypatch.setattr("dashboard.pictures.show", lambda name, figure, *_: drawn.__setitem__(name, figure))
    sent = FLEET.replace("TTFT", "2.0").encode()
    page = played(pressed(opened(2, yaml=str(simulator.pack_link(sent))), "Simulate"))
    assert not page.exception
    assert {"latency", "fleet-week-cards"} <= set(drawn)
    assert "cards keeps every target" in drawn["latency"].layout.meta["alt"]


def test_parts_of_a_rehearsal_make_the_runs_of_play(scenario: simulator.Scenario) -> None:
    parts = simulator.rehearsal_parts(scenario, 60, seed=3)
    assert len(parts) == 2
    later, sooner = map(simulator.rehearse, reversed(parts))
    whole, plain = later.merged(sooner), play(scenario, 60, seed=3)
    for name in scenario.options:
        np.testing.assert_array_equal(whole.runs.total_usd[name], plain.total_usd[name])
        np.testing.assert_allclose(whole.paid_usd[name][:, -1], plain.total_usd[name], rtol=1e-6)
        assert np.all(np.diff(whole.fan(name), axis=0) >= 0)
    for name, days in plain.payback_days.items():
        np.testing.assert_array_equal(whole.runs.payback_days[name], days)


def test_a_fan_is_the_quantiles_of_the_runs_and_begins_with_what_is_paid_at_once(scenario: simulator.Scenario) -> None:
    found = simulator.rehearse(simulator.rehearsal_parts(scenario, 50)[0])
    np.testing.assert_allclose(
        found.fan("tuned")[:, -1], np.quantile(found.runs.total_usd["tuned"], LEVELS), rtol=1e-6
    )
    ledger = found.runs.mean["tuned"].ledger
    assert found.paid_usd["tuned"][:, 0].mean() == pytest.approx(ledger.usd(one_off=True)[0, 0], rel=1e-6)
    assert found.paid_usd["long-prompt"][0, 0] == 0


def test_a_simulation_can_be_stopped_and_started_again() -> None:
    page = opened(2000, set=["workload.calls_per_day=51111"])
    pressed(page, "Simulate")
    pressed(page, "Stop")
    page.run()
    assert "Stopped" in words(page)
    assert not any(button.label == "Stop" for button in page.button)
    assert not next(button for button in page.button if button.label == "Simulate").disabled


def test_jobs_take_turns_and_answer_in_order(crew: Crew) -> None:
    first, second = crew.begin(nap, [0.1] * 6), crew.begin(abs, [-3, -2, -1])
    until(lambda: second.state == "done")
    assert first.state == "running"
    assert second.results == [3, 2, 1]
    assert first.left_s is not None
    until(lambda: first.state == "done")
    assert first.done_share == 1
    assert len(set(first.results)) == 1
    assert first.results[0] != os.getpid()


def test_a_mistake_in_a_worker_comes_back_as_its_sentence(crew: Crew) -> None:
    job = crew.begin(refuse, ["workload.x is -1; it must be positive"])
    until(lambda: job.state == "failed")
    assert str(job.problem) == "workload.x is -1; it must be positive"


def test_a_stopped_job_is_given_no_further_task(crew: Crew) -> None:
    job = crew.begin(nap, [0.2] * 50)
    until(lambda: job.found)
    job.stop()
    given = job.given
    after = crew.begin(abs, [-1])
    until(lambda: after.state == "done")
    assert job.given == given < 50
    assert job.state == "stopped"


def test_a_killed_worker_ends_its_job_with_a_sentence_and_the_next_job_has_new_ones(crew: Crew) -> None:
    first = crew.begin(nap, [0.0, 30.0])
    until(lambda: first.found)
    os.kill(first.results[0], signal.SIGKILL)
    until(lambda: first.state == "failed")
    assert str(first.problem) == LOST
    again = crew.begin(nap, [0.0])
    until(lambda: again.state == "done")
    os.kill(again.results[0], signal.SIGKILL)  # while nobody uses it
    time.sleep(0.3)
    third = crew.begin(nap, [0.0])
    until(lambda: third.state == "done")


def test_a_killed_worker_is_told_in_one_sentence_above_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: Crew, function: Any, tasks: Any) -> Job:
        job = Job(function, tasks)
        job.found[0] = function(tasks[0])
        job.end("failed", InputError(LOST))
        return job

    monkeypatch.setattr(Crew, "begin", lost)
    page = pressed(opened(120), "Simulate")
    told = [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    assert len(told) == 1
    assert "ended from outside" in told[0]
    assert "Stopped after 1 of 3 parts; what follows rests on these." in words(page)
    assert "50 runs, fidelity aggregate" in words(page)         # what was found is not lost
    assert not page.exception


SERVER = """
import sys, time, types
from simulator import Crew
main = types.ModuleType("__main__")            # as Streamlit puts the page it runs
main.__file__ = sys.argv[1]
sys.modules["__main__"] = main
crew = Crew(1)
job = crew.begin(eval, [sys.argv[2]])
while job.state == "running":
    time.sleep(0.05)
print(job.problem or job.results[0])
crew.close()
"""


LOADED = "(__import__('sys').modules['__mp_main__'].__file__, 'streamlit' in __import__('sys').modules)"
"""What a worker has loaded: its main module, and whether the page was laid out in it."""


@pytest.mark.parametrize(("guard", "ran"), [('if __name__ == "__main__":', False), ("if True:", True)])
def test_a_worker_imports_the_page_without_running_it(guard: str, ran: bool, tmp_path: Path) -> None:
    page = tmp_path / "app.py"
    page.write_text((ROOT / "app.py").read_text("utf-8").replace('if __name__ == "__main__":', guard), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERVER, str(page), LOADED],
        cwd=ROOT, capture_output=True, encoding="utf-8", timeout=WAIT_S, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    told = done.stdout.strip().splitlines()[-1]
    assert (told == str((str(page), False))) is not ran, done.stderr
