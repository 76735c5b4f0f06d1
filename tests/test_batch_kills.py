"""Whatever is killed half-way, worker or client, nothing is lost or done twice, and the files are the same bytes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batches import BATCH, Started, children, digests, is_alive, parts_in, until, written
from clusters import Cluster, started, wait_for_workers
from command_line import is_one_sentence, tunepoint

MANY = BATCH + "  options.dear.prefix_tokens: {from: 0, to: 4000, points: 250}\nchunk_points: 4\n"
PIECES = 250
Undisturbed = tuple[Path, dict[str, str]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A batch of 250 pieces, and the files it gives when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    batch = written(folder, MANY)
    assert tunepoint("batch", batch, "--out", folder / "out").code == 0
    assert parts_in(folder / "out") == PIECES
    return batch, digests(folder / "out")


def test_a_killed_client_is_resumed(undisturbed: Undisturbed, tmp_path: Path) -> None:
    batch, wanted = undisturbed
    with Started("batch", batch, "--out", tmp_path / "out"):
        until(lambda: parts_in(tmp_path / "out") >= PIECES // 3, "a third of the pieces")
    there = parts_in(tmp_path / "out")
    assert there < PIECES
    assert not (tmp_path / "out/manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("scenarios/*/*.parquet")}
    assert tunepoint("batch", batch, "--out", tmp_path / "out", "--resume").code == 0
    assert digests(tmp_path / "out") == wanted
    assert all(path.stat().st_mtime_ns == then for path, then in before.items()), "a finished piece was done again"


def test_a_killed_worker_costs_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    batch, wanted = undisturbed
    with Started("batch", batch, "--out", tmp_path / "out", "--on", "processes:2") as client:
        until(lambda: parts_in(tmp_path / "out") >= PIECES // 5, "a fifth of the pieces")
        workers = [pid for pid in children(client.pid) if not children(pid)][-2:]
        os.kill(workers[0], signal.SIGKILL)
        assert client.ended() == 0, client.told
    assert digests(tmp_path / "out") == wanted


def test_a_killed_client_leaves_no_worker_behind(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with Started("batch", undisturbed[0], "--out", tmp_path / "out", "--on", "processes:2") as client:
        until(lambda: parts_in(tmp_path / "out") >= 5, "the first pieces")
        below = children(client.pid)
    assert below
    until(lambda: not any(is_alive(pid) for pid in below), "the end of the workers", within_s=30)


def test_two_clients_cannot_write_one_folder(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with Started("batch", undisturbed[0], "--out", tmp_path / "out") as client:
        until(lambda: parts_in(tmp_path / "out") >= 1, "the first piece")
        os.kill(client.pid, signal.SIGSTOP)
        answer = tunepoint("batch", undisturbed[0], "--out", tmp_path / "out", "--resume")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "another batch is writing there" in answer.err


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A disk of 600 kB and the way to enlarge it: a real one where it may be mounted, else one that says so."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True).returncode == 0:
        try:
            yield disk, lambda: subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        return
    calls = iter(range(PIECES // 2))

    def full(file: int) -> None:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    yield disk, monkeypatch.undo


def test_a_full_disk_is_one_sentence_and_nothing_written_is_lost(
    undisturbed: Undisturbed, small_disk: tuple[Path, Callable[[], object]]
) -> None:
    disk, enlarge = small_disk
    answer = tunepoint("batch", undisturbed[0], "--out", disk / "out")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "the disk is full" in answer.err
    assert 0 < parts_in(disk / "out") < PIECES
    assert not list(disk.rglob("*.part"))
    enlarge()
    assert tunepoint("batch", undisturbed[0], "--out", disk / "out", "--resume").code == 0
    assert digests(disk / "out") == undisturbed[1]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with started(tmp_path) as found:
        yield found


def test_a_cluster_gives_the_same_bytes_even_when_a_worker_is_killed(
    undisturbed: Undisturbed,
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    address, workers = cluster
    batch, wanted = undisturbed
    wait_for_workers(address)
    with Started("batch", batch, "--out", tmp_path / "out", "--on", f"dask:{address}") as run:
        until(lambda: parts_in(tmp_path / "out") >= PIECES // 3 or not is_alive(run.pid), "a third of the pieces")
        assert is_alive(run.pid), run.told
        workers[0].kill()
        assert run.ended() == 0, run.told
    assert digests(tmp_path / "out") == wanted


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with Started("batch", written(tmp_path), "--out", tmp_path / "out", "--on", "dask:tcp://127.0.0.1:9") as run:
        assert run.ended() == 2
        assert is_one_sentence(run.told), run.told
        assert "no scheduler answers there" in run.told


def test_a_cluster_without_workers_is_one_sentence(
    cluster: Cluster, tmp_path: Path
) -> None:
    address, workers = cluster
    for worker in workers:
        worker.kill()
        worker.wait()
    with Started("batch", written(tmp_path), "--out", tmp_path / "out", "--on", f"dask:{address}") as run:
        assert run.ended() == 2
        assert is_one_sentence(run.told), run.told
        assert "no workers" in run.told
