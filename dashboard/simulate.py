"""The scenario played many times over: how far the cost strays, when an option pays back, what happens on the way."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import pictures, question, shown, take, view, work, workshop
from dashboard.guard import guarded
from simulator import charts, rehearsal_parts, rehearse
from simulator.formats import NONE, days, share, usd

if TYPE_CHECKING:
    from dashboard.work import Question
    from simulator import Job, Rehearsal, Scenario

MOST_RUNS = 2_000
"""Of the page; the command line plays more."""
FIDELITIES = {"aggregate": "hour by hour", "call": "call by call (much slower)"}
HEIGHTS_PX = {"payback": 380}
"""Of charts that need less than others."""
How = tuple[int, int, str]


@st.fragment
def page() -> None:
    """Runs, seed and fidelity; then what the runs say."""
    shown.title("Simulate", "How far can the cost stray, when does an option pay back, what happens on the way?")
    with guarded():
        asked = question.asked()
        question.keep_in_address(asked)
        scenario = work.scenario_of(asked)
        chosen, start = st.columns([0.8, 0.2], vertical_alignment="bottom")
        with chosen:
            how = _chosen(scenario)
        key = ("rehearsal", scenario.digest, *how)
        job = workshop.job_of(key)
        start.button(
            "Simulate", icon=":material/play_arrow:", type="primary", disabled=_is_over(job), width="stretch",
            on_click=_begin, args=(key, scenario, how),
        )
        if job is None:
            shown.say(f"{question.called(asked)} has not been simulated with these settings and dials. The runs are "
                      "played by other processes of this server; every page stays as quick as it is.")
        elif job.state == "running":
            workshop.progress(key, "parts")
        else:
            workshop.ended(job)
            if job.found:
                _found(asked, _merged(job))
        take.scenario(asked)


def _chosen(scenario: Scenario) -> How:
    """Runs, seed and fidelity."""
    plan = scenario.simulation
    one, two, three = st.columns([1, 1, 2])
    runs = view.number(one, "Runs", min(int(plan.runs), MOST_RUNS), "runs", 1, MOST_RUNS, step=50)
    seed = view.number(two, "Seed", 0, "seed", 0, 2**53 - 1, help="The same seed gives the same numbers.")
    fidelity = view.switch(three, "Fidelity", list(FIDELITIES), plan.fidelity, "fidelity",
                           format_func=FIDELITIES.__getitem__)
    return int(runs), int(seed), fidelity


def _is_over(job: Job | None) -> bool:
    """Whether there is nothing to start: it runs, or all is there."""
    return job is not None and job.state in ("running", "done")


def _begin(key: tuple[object, ...], scenario: Scenario, how: How) -> None:
    runs, seed, fidelity = how
    workshop.begin(key, rehearse, rehearsal_parts(scenario, runs, seed, fidelity))


@functools.lru_cache(maxsize=workshop.KEPT)
def _merged(job: Job) -> Rehearsal:
    """All the runs of a job that has ended, as one."""
    found: Rehearsal = functools.reduce(lambda one, other: one.merged(other), job.results)
    return found


def _found(asked: Question, found: Rehearsal) -> None:
    _table(found)
    drawn = charts.played_pictures(found)
    take.charts_of(question.called(asked), drawn)
    for name, figure in drawn.items():
        own = name in ("events", "latency") or name.startswith("fleet-week")
        pictures.show(name, figure, figure.layout.height if own else HEIGHTS_PX.get(name, charts.PLOT_PX))
        if name == "events":
            _events(found)


def _events(found: Rehearsal) -> None:
    rows = charts.event_rows(found)
    if rows:
        shown.table({"no.": "n", "option": "w", "day": "n", "date": "w", "what happens": ""},
                    [tuple(str(cell) for cell in row.values()) for row in rows])


def pays_back(found: Rehearsal, name: str) -> str:
    """When half of the runs have paid back, as the card of the first page says it of the mean."""
    if not found.earns_back(name):
        return NONE
    half = found.runs.payback_interval(name)[1]
    return "never" if half is None else days(half)


def _table(found: Rehearsal) -> None:
    """Every option over all runs, in the words of the command line's `interval_usd`, `cheapest_share` and payback."""
    runs, cheapest = found.runs, found.runs.cheapest_share()
    rows = []
    for name in found.options:
        low, middle, high = runs.interval_usd(name)
        rows.append((name, usd(middle), f"{usd(low)} to {usd(high)}", share(cheapest.get(name, 0.0)),
                     pays_back(found, name)))
    shown.table(
        {"option": "", f"{days(found.horizon_days)}, median": "n", "nine runs of ten": "n", "cheapest in, of runs": "n",
         "pays back, median": "n"}, rows,
    )
    shown.say(f"{len(runs.numbers):,} runs, fidelity {found.fidelity}, seed {found.seed}; the command line's compare "
              f"--engine simulated --runs {len(runs.numbers)} --seed {found.seed} gives the same figures.")
