"""Where long work is done: one pool of processes for the whole server, what it found, and how far it is."""

from __future__ import annotations

import atexit
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.guard import guarded
from dashboard.shown import say
from simulator import Crew

if TYPE_CHECKING:
    from simulator import Job

KEPT = 24
"""Jobs remembered for all sessions: what one has played, another that asks the same need not."""
LOOK_S = 0.5
"""How often a page looks how far its job is."""


class Workshop:
    """The pool, and its jobs by what they were asked: equal questions share a job, and with it its answer."""

    def __init__(self) -> None:
        self.crew = Crew()
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._askers: dict[Hashable, set[str]] = {}
        atexit.register(self.crew.close)

    def job(self, asked: Hashable, asker: str) -> Job | None:
        """What became of a question; None where neither the asker has asked it nor its answer is there."""
        with self._lock:
            found = self._jobs.get(asked)
            known = found is not None and (found.state == "done" or asker in self._askers[asked])
            return found if known else None

    def begin(self, asked: Hashable, function: Callable[[Any], Any], tasks: Sequence[Any], asker: str) -> Job:
        """Start what was asked, or join who has asked the same."""
        with self._lock:
            found: Job | None = self._jobs.get(asked)
            if found is None or found.state in ("stopped", "failed"):
                found = self.crew.begin(function, tasks)
                self._jobs[asked], self._askers[asked] = found, set()
            self._askers[asked].add(asker)
            self._jobs.move_to_end(asked)
            ended = [key for key, job in self._jobs.items() if job.state != "running"]
            for key in ended[: max(0, len(self._jobs) - KEPT)]:
                del self._jobs[key], self._askers[key]
            return found

    def leave(self, asked: Hashable, asker: str) -> Job | None:
        """Stop for one asker, who keeps what was found so far; the work goes on while another waits for it."""
        with self._lock:
            found = self._jobs.get(asked)
            if found is None or found.state != "running":
                return found
            kept = found.snapshot()
            kept.stop()
            self._askers[asked].discard(asker)
            if not self._askers[asked]:
                found.stop()
            return kept


@st.cache_resource(show_spinner=False)
def workshop() -> Workshop:
    """The one of this server."""
    return Workshop()


def job_of(asked: Hashable) -> Job | None:
    """What became of a question of this session."""
    stopped: dict[Hashable, Job] = st.session_state.get("stopped", {})
    return stopped.get(asked) or workshop().job(asked, _me())


def begin(asked: Hashable, function: Callable[[Any], Any], tasks: Sequence[Any]) -> None:
    """Start what this session asks; what it had stopped is forgotten."""
    st.session_state.stopped = {}
    workshop().begin(asked, function, tasks, _me())


def _stop(asked: Hashable) -> None:
    left = workshop().leave(asked, _me())
    if left is not None and left.state == "stopped":
        st.session_state.stopped = {asked: left}


def _me() -> str:
    """A name for this session that no other has."""
    me: str = st.session_state.setdefault("me", secrets.token_hex(8))
    return me


@st.fragment(run_every=LOOK_S)
def progress(asked: Hashable, unit: str) -> None:
    """How far a job is, looked at by itself: the page around it is drawn again only when it has ended, or was left."""
    job = job_of(asked)
    if job is None or job.state != "running":
        st.rerun()
    left = "" if job.left_s is None else f", {_seconds(job.left_s)} to go"
    st.progress(job.done_share, f"{len(job.found)} of {len(job.tasks)} {unit} done{left}")
    st.button("Stop", icon=":material/stop:", key="stop", on_click=_stop, args=(asked,))


def ended(job: Job) -> None:
    """Say how a job that came to no good end has ended, be it stopped or by a mistake, and what there is of it."""
    with guarded():
        if job.problem is not None:
            raise job.problem
    if job.state != "done":
        say(f"Stopped after {len(job.found)} of {len(job.tasks)} parts; what follows rests on these."
            if job.found else "Stopped before the first part was done.")


def _seconds(left: float) -> str:
    return f"{left:,.0f} s" if left < 90 else f"{left / 60:,.0f} min"
