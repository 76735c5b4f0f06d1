"""Where work is done: here, in processes of this machine, or on a Dask cluster; the numbers never know which."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Literal, TypeVar

import numpy as np

from pricing.errors import InputError
from pricing.nearest import nearest
from simulator.domain.findings import VERSION

T = TypeVar("T")
R = TypeVar("R")

IN_FLIGHT = 2
"""Tasks a worker is given ahead: enough that none waits for this process, few enough that results stay small."""
MOST_DEATHS = 5
"""Times the workers may die over one task before it is taken to be the cause, as when memory runs out."""
CONNECT_S = 10
MOST_PROCESSES = 1024
HOW = "write serial, processes:N or dask:tcp://host:port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where tasks run; `workers` counts processes (0: as many as the cluster has)."""

    kind: Literal["serial", "processes", "dask"] = "serial"
    workers: int = 1
    address: str = ""


def read_place(text: str) -> Place:
    """A place as typed after `--on`.

    Raises:
        InputError: it is none of the three.

    >>> read_place("processes:2")
    Place(kind='processes', workers=2, address='')
    """
    kind, _, rest = text.partition(":")
    if text == "serial":
        return Place()
    if kind == "processes":
        if not rest.isdecimal() or not 1 <= int(rest) <= MOST_PROCESSES:
            raise InputError(f'--on: "{text}" names no number of processes from 1 to {MOST_PROCESSES}; {HOW}')
        return Place(kind="processes", workers=int(rest))
    if kind == "dask":
        if "://" not in rest:
            raise InputError(f'--on: "{text}" names no scheduler; write its address, as in dask:tcp://127.0.0.1:8786')
        return Place(kind="dask", workers=0, address=rest)
    raise InputError(f'--on: "{text}" is no place to work{nearest(kind, ("serial", "processes", "dask"))}; {HOW}')


def spread(function: Callable[[T], R], tasks: Iterable[T], place: Place) -> Iterator[R]:
    """Results of a function over tasks, each once, as they are done; tasks are only asked for when there is room.

    Args:
        function: importable, as it is sent by name.
        tasks: whatever pickles.
        place: where.

    Raises:
        InputError: the place is not there, runs another version, or was lost.
    """
    if place.kind == "serial":
        yield from map(function, tasks)
    elif place.kind == "processes":
        yield from _in_processes(function, iter(tasks), place.workers)
    else:
        yield from _on_dask(function, iter(tasks), place.address)


def _in_processes(function: Callable[[T], R], tasks: Iterator[T], workers: int) -> Iterator[R]:
    """A killed worker breaks its whole pool: what it had not handed back is given to a new one."""
    context = multiprocessing.get_context("forkserver")
    again: deque[T] = deque()
    deaths = 0
    while deaths < MOST_DEATHS:
        running: dict[Future[R], T] = {}
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
        try:
            while True:
                again.extend(itertools.islice(tasks, max(0, IN_FLIGHT * workers - len(running) - len(again))))
                while again and len(running) < IN_FLIGHT * workers:
                    running[pool.submit(function, again[0])] = again[0]
                    again.popleft()                             # not before the pool has taken it
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del running[future]
                    deaths = 0
                    yield result
        except BrokenProcessPool:
            deaths += 1
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for future, task in running.items():
            if future.cancelled() or future.exception() is not None:
                again.append(task)
            else:
                yield future.result()
    raise InputError(
        f"--on processes:{workers}: the workers died {deaths} times without a result; memory may have run out, "
        "so take fewer processes, and --resume continues"
    )


def _end_with_parent() -> None:
    """Let a worker end when the process that asked is gone, however it went: nobody else would tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _on_dask(function: Callable[[T], R], tasks: Iterator[T], address: str) -> Iterator[R]:
    try:
        distributed: Any = importlib.import_module("distributed")
        killed: Any = importlib.import_module("distributed.scheduler").KilledWorker
        closed: Any = importlib.import_module("distributed.comm.core").CommClosedError
        cancelled: Any = importlib.import_module("distributed.client").FutureCancelledError
    except ImportError:
        raise InputError('--on dask: Dask is not installed; install it with pip install "tunepoint[cluster]"') from None
    if address.startswith("tls://"):
        _with_certificates(distributed, address)
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--on dask:{address}: no scheduler answers there ({_first_line(error)}); start one, or check the address"
        ) from None
    lost = f"--on dask:{address}: the cluster was lost; start it again, and --resume continues"
    try:
        workers = _same_everywhere(client, address)
        room = IN_FLIGHT * workers
        running = distributed.as_completed(
            [client.submit(function, task, pure=False) for task in itertools.islice(tasks, room)],
            loop=client.loop,
        )
        for future in running:
            result: R = future.result()
            future.release()
            for task in itertools.islice(tasks, 1):
                running.add(client.submit(function, task, pure=False))
            yield result
    except killed:
        raise InputError(
            f"--on dask:{address}: a chunk killed every worker it was given to; memory may have run out, so give "
            "workers more, and --resume continues"
        ) from None
    except (closed, cancelled, TimeoutError, OSError):
        raise InputError(lost) from None
    finally:
        client.close(timeout=CONNECT_S)


def _with_certificates(distributed: Any, address: str) -> None:
    """Refuse an address that is asked over TLS where Dask's configuration names no certificates that can be read.

    Raises:
        InputError: naming what to set.
    """
    try:
        found = distributed.Security().get_connection_args("client").get("ssl_context") is not None
        why = "names no certificate"
    except (OSError, ValueError) as error:                      # an SSLError is an OSError
        found, why = False, f"names one that cannot be read ({_first_line(error)})"
    if not found:
        raise InputError(
            f"--on dask:{address}: Dask's configuration {why}; set ca-file, client.cert and client.key under "
            "distributed.comm.tls there"
        )


def versions() -> dict[str, str]:
    """What must be the same on every worker for the numbers to be the same bit for bit."""
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python, "numpy": np.__version__, "tunepoint": VERSION}


def _same_everywhere(client: Any, address: str) -> int:
    """The number of workers; all must run what runs here.

    Raises:
        InputError: no worker, or one with another version.
    """
    ours = versions()
    try:
        found: dict[str, Any] = client.run(versions, on_error="return")
    except ImportError as error:
        raise InputError(f"--on dask:{address}: {_not_there(error)}") from None
    if not found:
        raise InputError(f"--on dask:{address}: the scheduler has no workers; start some with dask worker {address}")
    for worker, theirs in found.items():
        if isinstance(theirs, ImportError):
            raise InputError(f"--on dask:{address}: worker {worker}: {_not_there(theirs)}")
        if isinstance(theirs, BaseException):
            raise InputError(f"--on dask:{address}: worker {worker} cannot work ({_first_line(theirs)})")
        check_versions(f"--on dask:{address}: worker {worker}", ours, theirs)
    return len(found)


def check_versions(where: str, ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Refuse a worker that would give other digits.

    Raises:
        InputError: naming the first package whose versions differ.

    >>> check_versions("worker a", {"numpy": "2.4.1"}, {"numpy": "2.4.1"})
    """
    for package, version in ours.items():
        other = theirs.get(package, "none")
        if other != version:
            raise InputError(
                f"{where} runs {package} {other} and this machine {version}; install the same versions on both"
            )


def _not_there(error: BaseException) -> str:
    return f"tunepoint cannot be imported there ({_first_line(error)}); install the same version on every worker"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
