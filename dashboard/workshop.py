"""Where long work is done: one pool of processes for the whole server, what it found, and how far it is."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.shown import say
from simulator import Crew

if TYPE_CHECKING:
    from simulator import Job

KEPT = 24
"""Jobs remembered for all sessions: what one has played, another that asks the same need not."""
LOOK_S = 0.5


class Workshop:
    """The pool, and its jobs by what they were asked: equal questions share a job, and with it its answer."""

    def __init__(self) -> None:
        self.crew = Crew()
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        atexit.register(self.crew.close)

    def job(self, asked: Hashable) -> Job | None:
        """What became of a question; None where nobody asked."""
        with self._lock:
            return self._jobs.get(asked)

    def begin(self, asked: Hashable, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Job:
        """Start what was asked, or join who has asked the same."""
        with self._lock:
            found: Job | None = self._jobs.get(asked)
            if found is None or found.state in ("stopped", "failed"):
                found = self.crew.begin(function, tasks)
                self._jobs[asked] = found
            self._jobs.move_to_end(asked)
            ended = [key for key, job in self._jobs.items() if job.state != "running"]
            for key in ended[: max(0, len(self._jobs) - KEPT)]:
                del self._jobs[key]
            return found


@st.cache_resource(show_spinner=False)
def workshop() -> Workshop:
    """The one of this server."""
    return Workshop()


@st.fragment(run_every=LOOK_S)
def progress(job: Job, unit: str) -> None:
    """How far a job is, looked at by itself: the page around it is drawn again only when the job has ended."""
    if job.state != "running":
        st.rerun()
    left = "" if job.left_s is None else f", {_seconds(job.left_s)} to go"
    st.progress(job.done_share, f"{len(job.found)} of {len(job.tasks)} {unit} done{left}")
    st.button("Stop", icon=":material/stop:", key="stop", on_click=job.stop)


def ended(job: Job) -> None:
    """Say how a job that came to no good end has ended; what went wrong is raised, so that the page tells it."""
    if job.problem is not None:
        raise job.problem
    if job.state == "stopped":
        say(f"Stopped after {len(job.found)} of {len(job.tasks)} parts; what follows rests on these."
            if job.found else "Stopped before the first part was done.")


def _seconds(left: float) -> str:
    return f"{left:,.0f} s" if left < 90 else f"{left / 60:,.0f} min"
