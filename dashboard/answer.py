"""The answer to a question, worked out once however many pages and sessions ask it, while the page waits for it.

Workers do it, in processes of their own: a page in Python would hold up every other page while it works.
"""

from __future__ import annotations

import atexit
import functools
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

from dashboard import work
from dashboard.work import Look, Question
from simulator import Crew, WorkerLost

if TYPE_CHECKING:
    from simulator import Job
    from simulator.domain.findings import BreakEven, Comparison, CostCurve, Knob

KEPT = 256
"""Answers kept for all sessions; a third of a MB each, and an answer tells nothing but what its question said."""
WORKERS = 2
NICENESS = 5
"""Before the workers of a simulation, behind the pages."""
GLANCE_S = 0.02
"""How often a page that waits for its answer looks whether its reader has moved on."""
GLANCE_AHEAD_S = 0.005
"""The same of a page that has answered and waits for what may be asked next: no reader needs that wait."""
AHEAD = 4
"""Questions that wait to be worked out before they are asked, at most; of more, the first would be out of date."""


class Desk:
    """The workers that answer, the jobs they have done or are at, and how many pages wait for each.

    A job is kept under what is `asked`: equal questions share it, whoever asks them.
    """

    def __init__(self) -> None:
        self.crew = Crew(WORKERS, niceness=NICENESS, preloaded=[work.__name__])
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._waiting: Counter[Hashable] = Counter()
        self._ahead: list[Hashable] = []
        atexit.register(self.crew.close)

    def answer(self, asked: Hashable, function: Callable[..., Any], *given: Any) -> Any:
        """What a function of `work` finds: at once where the same was asked before, else from a worker.

        A page whose reader has moved on stops waiting; what nobody waits for any more is not begun. What a worker had
        when it was ended from outside is given to another once.
        """
        try:
            return self._waited(asked, function, given)
        except WorkerLost:
            return self._waited(asked, function, given)

    def known(self, asked: Hashable, function: Callable[..., Any], *given: Any) -> Any:
        """What was found before; where nothing was, None, and a worker begins."""
        with self._lock:
            job = self._begun(asked, function, given)
        return job.found[0] if job.state == "done" else None

    def ahead(self, questions: Iterable[tuple[Hashable, Callable[..., Any], tuple[Any, ...]]]) -> None:
        """Have answers worked out that may be asked next, while the workers have nothing else to do."""
        with self._lock:
            for asked, function, given in questions:
                if asked not in self._jobs:
                    self._jobs[asked] = self.crew.begin(work.done, [(function, given)], later=True)
                    self._ahead.append(asked)
            old, self._ahead = self._ahead[:-AHEAD], self._ahead[-AHEAD:]
            for asked in old:
                self._drop_unless_begun(asked)

    def found_within(self, seconds: float, asked: Hashable) -> Any:
        """The answer to what was begun ahead, waited for so many seconds at most; None where it is not there by then.

        A page whose reader has moved on stops waiting.
        """
        with self._lock:
            job = self._jobs.get(asked)
        end = time.monotonic() + seconds
        while job is not None and job.state == "running" and not job.over.wait(min(GLANCE_AHEAD_S, seconds)):
            _give_way()
            if time.monotonic() > end:
                return None
        return job.found[0] if job is not None and job.state == "done" else None

    def _waited(self, asked: Hashable, function: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        with self._lock:
            job = self._begun(asked, function, given)
            self._waiting[asked] += 1
        try:
            while not job.over.wait(GLANCE_S):
                _give_way()
        finally:
            with self._lock:
                self._waiting[asked] -= 1
                if not self._waiting[asked]:
                    del self._waiting[asked]
                    self._drop_unless_begun(asked)
        if job.problem is not None:
            raise job.problem
        return job.found[0]

    def _begun(self, asked: Hashable, function: Callable[..., Any], given: tuple[Any, ...]) -> Job:
        job = self._jobs.get(asked)
        if job is None or job.state in ("stopped", "failed"):
            slow = function is not work.look  # charts come first: a worker is always left for them
            job = self._jobs[asked] = self.crew.begin(work.done, [(function, given)], slow=slow)
        else:
            self.crew.hurry(job)
        self._jobs.move_to_end(asked)
        over = [key for key, one in self._jobs.items() if one.state != "running"]
        for key in over[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[key]
        return job

    def _drop_unless_begun(self, asked: Hashable) -> None:
        job = self._jobs.get(asked)
        if job is not None and job.state == "running" and not job.given and asked not in self._waiting:
            job.stop()
            del self._jobs[asked]


def _give_way() -> None:
    """End the run of a page that was left or closed; begin it anew where its reader has moved on."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return
    st.session_state.get("round")  # here Streamlit ends a run whose page is gone
    if _overtaken():
        st.rerun(scope="fragment")  # with what the reader has set since


def _overtaken() -> bool:
    """Whether the reader has moved on: Streamlit lets a fragment run to its end before it looks, however long it is.

    What it keeps of a request is not public: where it is not there, the run goes on to its end.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not context.fragment_ids_this_run:
        return False
    return getattr(context.script_requests, "_state", None) == ScriptRequestType.RERUN


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    """The one of this server."""
    return Desk()


def _key(function: Callable[..., Any], *given: Hashable) -> Hashable:
    """What a job is kept under: the name of the function, and what it is given."""
    return function.__name__, *given


def _of(function: Callable[..., Any], *given: Hashable) -> Any:
    return desk().answer(_key(function, *given), function, *given)


def look_at(question: Question) -> Look:
    """The bills, and the first charts: known before what would change the choice."""
    found: Look = _of(work.look, question)
    return found


def look_if_known(question: Question) -> Look | None:
    """The same without waiting: None where it is not known yet, and a worker begins."""
    found: Look | None = desk().known(_key(work.look, question), work.look, question)
    return found


def look_ahead(questions: Iterable[Question]) -> None:
    """Have the bills and first charts of questions worked out that may be asked next; returns at once."""
    desk().ahead((_key(work.look, one), work.look, (one,)) for one in questions)


def look_within(question: Question, seconds: float) -> Look | None:
    """A look that was begun ahead, waited for so many seconds at most; None where it is not there by then."""
    found: Look | None = desk().found_within(seconds, _key(work.look, question))
    return found


def comparison_of(question: Question) -> Comparison:
    """Every option side by side, and what would change the choice."""
    bills = look_at(question).bills
    found: Comparison = desk().answer(_key(work.comparison, question), work.comparison, question, bills)
    return found


def priced_everywhere(question: Question) -> Comparison:
    """The same with every price there is: the saving taken apart, and what else could be bought."""
    found: Comparison = _of(work.priced_everywhere, question)
    return found


@functools.lru_cache(maxsize=KEPT)
def knobs_of(question: Question, linked: tuple[tuple[str, float], ...]) -> tuple[Knob, ...]:
    """The dials of a question, with the positions a link has added; so soon known that no worker is asked."""
    return work.knobs(question, linked)


def crossings_of(
    question: Question, pair: tuple[str, str], along: str, ends: tuple[float, float]
) -> tuple[BreakEven, CostCurve]:
    """Where two options cost the same along a dial, and the curve."""
    found: tuple[BreakEven, CostCurve] = _of(work.crossings, question, pair, along, ends)
    return found


def tornado_of(question: Question) -> Any:
    """What each dial does to the lead of the best option."""
    return _of(work.moves, question)


def flips_of(question: Question) -> Any:
    """The smallest change of each dial that changes the choice."""
    return _of(work.flipped, question)


def explored_of(question: Question) -> Any:
    """What a report shows of what moves the answer."""
    return _of(work.explored, question)


def map_of(question: Question, x: str, y: str) -> Any:
    """The cheapest option over two dials."""
    return _of(work.mapped, question, x, y)
