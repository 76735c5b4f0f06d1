"""Workers that stay: a pool of processes for a server of many readers, whose jobs take turns in it task by task."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Literal

from pricing.errors import InputError
from simulator.studies.runners import _end_with_parent as end_with_parent

State = Literal["running", "done", "stopped", "failed"]
PRELOADED = ["simulator.studies.rehearsal", "simulator.studies.batch", "simulator.simulated.engine"]
"""Imported once, by the process from which every worker is forked."""
NICENESS = 10
"""Workers step back behind the pages: where cores are short, a slider comes first."""
LOST = "a worker was ended from outside, as happens when memory runs out; take fewer runs or points, and start again"


class WorkerLost(InputError):
    """A worker was ended from outside."""


class Job:
    """Tasks that belong together: how far they are, what came back, and what went wrong; safe to read from any thread.

    `given` counts the tasks that workers were given; `over` is set when the job is no longer running.
    """

    def __init__(self, function: Callable[[Any], Any], tasks: Sequence[Any], *, slow: bool = False) -> None:
        """A job that has not begun.

        Args:
            function: what is done with each task; importable, as it is sent to the workers by its name.
            tasks: whatever pickles.
            slow: see `Crew.begin`.
        """
        self.function, self.tasks, self.slow = function, tuple(tasks), slow
        self.found: dict[int, Any] = {}
        self.problem: BaseException | None = None
        self.state: State = "running" if self.tasks else "done"
        self.given = 0
        self.over = threading.Event()
        self.begun_s = time.monotonic()
        self.ended_s: float | None = None
        if not self.tasks:
            self.over.set()

    @property
    def results(self) -> list[Any]:
        """What has come back so far, in the order of the tasks."""
        return [self.found[number] for number in sorted(self.found)]

    @property
    def done_share(self) -> float:
        """Part of the tasks that has come back."""
        return len(self.found) / len(self.tasks) if self.tasks else 1.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was begun, until it ended."""
        return (self.ended_s or time.monotonic()) - self.begun_s

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the pace so far; None before the first task came back."""
        done = self.done_share
        return self.elapsed_s * (1.0 - done) / done if done else None

    def snapshot(self) -> Job:
        """Another of the same tasks, with what has come back so far."""
        other = Job(self.function, self.tasks)
        other.found, other.given, other.begun_s = dict(self.found), self.given, self.begun_s
        return other

    def stop(self) -> None:
        """Give no further task; those under way are finished and forgotten."""
        self.end("stopped")

    def end(self, state: State, problem: BaseException | None = None) -> None:
        """End it, unless it has ended."""
        if self.state == "running":
            self.state, self.problem, self.ended_s = state, problem, time.monotonic()
            self.over.set()


class Crew:
    """One pool of worker processes; jobs take turns, a task each, so that a long one holds up no other."""

    def __init__(
        self, workers: int | None = None, *, niceness: int = NICENESS, preloaded: Sequence[str] = ()
    ) -> None:
        """An empty pool, whose processes start when the first task is there.

        Args:
            workers: processes (default: one less than there are cores, so that one is left for the pages).
            niceness: how far they step back behind other processes.
            preloaded: modules to import once for all, if no pool of this process has started before.
        """
        self.workers = workers or max(1, (os.cpu_count() or 1) - 1)
        self.niceness, self.preloaded = niceness, [*PRELOADED, *preloaded]
        self._lock = threading.RLock()
        self._pool: ProcessPoolExecutor | None = None
        self._jobs: deque[Job] = deque()
        self._later: deque[Job] = deque()
        self._busy = self._slow = 0

    def begin(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, slow: bool = False, later: bool = False
    ) -> Job:
        """Start a job and return at once.

        Args:
            function, tasks: see `Job`.
            slow: its tasks leave one worker free, where there are two or more, for what is quick.
            later: it begins when no other waits, and none but a slow one is under way.
        """
        job = Job(function, tasks, slow=slow)
        with self._lock:
            (self._later if later else self._jobs).append(job)
            self._hand_out()
        return job

    def hurry(self, job: Job) -> None:
        """Let a job that was begun for later wait no longer than others."""
        with self._lock:
            if job in self._later:
                self._later.remove(job)
                self._jobs.append(job)
                self._hand_out()  # a worker may be free that a job for later was not given

    def close(self) -> None:
        """End all jobs and all workers."""
        with self._lock:
            for job in (*self._jobs, *self._later):
                job.stop()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _hand_out(self) -> None:
        """Give out tasks while a worker is free, and no more: none can pass a task that the pool itself queues."""
        while self._busy < self.workers and (job := self._next()) is not None:
            number, job.given = job.given, job.given + 1
            self._pool = self._pool or self._started()
            try:
                future = self._pool.submit(job.function, job.tasks[number])
            except BrokenProcessPool:  # its workers were ended while nobody used them
                self._pool = self._started()
                future = self._pool.submit(job.function, job.tasks[number])
            except RuntimeError:                                # the interpreter ends, and no pool takes anything more
                job.stop()
                continue
            self._busy += 1
            self._slow += job.slow
            future.add_done_callback(functools.partial(self._came, job, number, self._pool))

    def _next(self) -> Job | None:
        """The job whose turn it is, which goes to the end of its line; None where none may be given a task now."""
        for line in (self._jobs, self._later):
            for _ in range(len(line)):
                job = line.popleft()
                if job.state == "running" and job.given < len(job.tasks):
                    line.append(job)
                    if not job.slow or self._slow < max(1, self.workers - 1):
                        return job
            if self._jobs or self._busy > self._slow:
                return None  # others wait, or one is served that is not slow: a free worker is kept for who asks next
        return None

    def _started(self) -> ProcessPoolExecutor:
        context = get_context("forkserver")
        context.set_forkserver_preload(self.preloaded)
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=_at_work, initargs=(self.niceness,))

    def _came(self, job: Job, number: int, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        with self._lock:
            self._busy -= 1
            self._slow -= job.slow
            error = None if future.cancelled() else future.exception()
            if future.cancelled():
                job.stop()
            elif error is None:
                if job.state == "running":
                    job.found[number] = future.result()
                if len(job.found) == len(job.tasks):
                    job.end("done")
            elif isinstance(error, BrokenProcessPool):
                self._pool = None if self._pool is pool else self._pool
                job.end("failed", WorkerLost(LOST))
            else:
                job.end("failed", error)
            self._hand_out()


def _at_work(niceness: int) -> None:
    """What a worker does first: end when its server ends, and step back behind it."""
    end_with_parent()
    if hasattr(os, "nice"):
        os.nice(niceness)
