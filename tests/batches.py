"""Batches as tests run them: small questions whose figures come out by hand, and what is in a batch's folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet
from command_line import QUESTION

ROOT = Path(__file__).parents[1]
UPKEEP_USD = 2 * 110 * 30 * 24 / 730
"""Two engineer hours a month over 30 days, the default on both options of the question."""
BATCH = """\
scenarios: [question.yaml]
vary:
  workload.calls_per_day: [100, 592, 593, 10_000]
"""


def written(folder: Path, batch: str = BATCH, question: str = QUESTION) -> Path:
    """A batch file beside its question."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "question.yaml").write_text(question, "utf-8")
    path = folder / "batch.yaml"
    path.write_text(batch, "utf-8")
    return path


def rows(folder: Path, name: str = "question") -> list[dict[str, Any]]:
    """Every row of a scenario of a finished batch, in the order of its files."""
    parts = sorted((folder / f"scenarios/scenario={name}").glob("part-*.parquet"))
    return [row for part in parts for row in pyarrow.parquet.read_table(part, partitioning=None).to_pylist()]


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a batch, by its path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Started:
    """The program in a process of its own, to be killed; it is gone at the end of the `with`."""

    def __init__(self, *arguments: object, more: Mapping[str, str] | None = None) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        command = [sys.executable, "-m", "simulator", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(more or {})}, stdout=subprocess.DEVNULL, stderr=self._said
        )
        self.pid = self.process.pid

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.killed()
        self._said.close()

    def killed(self) -> None:
        """End it as the system would: it has no say in it."""
        self.process.kill()
        self.process.wait()

    def ended(self, within_s: float = 180) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(within_s)

    @property
    def told(self) -> str:
        """What it said on standard error."""
        self._said.seek(0)
        return self._said.read().decode()


def parts_in(folder: Path) -> int:
    """How many pieces are written."""
    return sum(1 for _ in folder.glob("scenarios/*/part-*.parquet"))


def until(is_so: Callable[[], bool], what: str, within_s: float = 120) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, f"{what} did not happen within {within_s:g} s"
        time.sleep(0.005)


def children(process: int) -> list[int]:
    """The processes below one, as Linux tells them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if above == process:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def is_alive(process: int) -> bool:
    """Whether a process still runs, dead ones that nobody has asked after aside."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def environment() -> dict[str, str]:
    """What a helper process needs to import this project."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
