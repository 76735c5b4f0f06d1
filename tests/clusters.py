"""Dask clusters as tests run them: a scheduler and two workers, real processes on loopback, by their command lines."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from batches import environment, until
from distributed import Client

Cluster = tuple[str, list[subprocess.Popen[bytes]]]


@contextlib.contextmanager
def started(
    folder: Path, *, worker_path: Path | None = None, more: Mapping[str, str] | None = None, protocol: str = "tcp"
) -> Iterator[Cluster]:
    """The address of a cluster, and its workers; all processes are gone at the end.

    Args:
        folder: where its files go.
        worker_path: where workers find this project (default: here).
        more: environment of all its processes.
        protocol: `tcp` or `tls`.
    """
    file = folder / "scheduler.json"
    here = {**environment(), **(more or {})}
    there = here if worker_path is None else {**here, "PYTHONPATH": str(worker_path)}
    common = ["--scheduler-file", str(file), "--protocol", protocol]
    python = [sys.executable, "-W", "ignore", "-m"]
    scheduler = _quiet([*python, "distributed.cli.dask_scheduler", "--host", f"{protocol}://127.0.0.1", "--port", "0",
                        "--no-dashboard", *common], folder, here)
    processes = [scheduler]
    try:
        until(lambda: file.exists() or scheduler.poll() is not None, "the scheduler")
        worker = [*python, "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", "--host",
                  f"{protocol}://127.0.0.1", "--no-dashboard", *common]
        workers = [_quiet(worker, folder, there) for _ in range(2)]
        processes += workers
        yield json.loads(file.read_text("utf-8"))["address"], workers
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        shutil.rmtree(folder / "dask-worker-space", ignore_errors=True)


def _quiet(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for_workers(address: str) -> None:
    """Until both workers are there."""
    with Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
