"""The folder of a batch: what was asked, a Parquet file a piece, and a manifest last; any interruption leaves it whole.

DIR/batch.json                              what is priced: members, axes, what each rests on
DIR/scenarios/scenario=NAME/part-000000.parquet
DIR/summary.json                            counts and sums by scenario, changes, failures
DIR/manifest.json                           sha256 of every file, written last
DIR/previous/                               the finished run before this one, as it was
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.batch import Batch, Member, Piece
from simulator.domain.fingerprint import fingerprint
from simulator.files.results import MANIFEST, as_json, why_not, write_whole

PLAN, SUMMARY, PARTS, PREVIOUS, LOCK = "batch.json", "summary.json", "scenarios", "previous", ".lock"
_MOVED = (PARTS, SUMMARY, PLAN, MANIFEST)
"""What makes a run, in the order it is moved: a folder with a plan still has its parts."""


EVER_NEW = ("point", "total_usd", "saving", "per_call_usd", "cheapest_share")
"""Columns whose numbers hardly come twice, so that a dictionary of them would only take time and memory."""


def packed(blocks: Iterable[Mapping[str, NDArray[Any]]], options: tuple[str, ...]) -> bytes:
    """Blocks of columns as a Parquet file, a row group each; numbers of options become names, a missing one null.

    Args:
        blocks: columns of equal lengths, as `price_points` and `decide_points` give them; at least one block.
        options: names that the numbers of `choice`, `runner_up` and `best` stand for.
    """
    import pyarrow as pa
    import pyarrow.parquet

    out = io.BytesIO()                                          # hands its bytes over without a copy
    names = pa.array(options, pa.string())
    with contextlib.ExitStack() as closing:
        writer = None
        for columns in blocks:
            table = pa.table({name: _cells(name, column, names) for name, column in columns.items()})
            if writer is None:
                few = [name for name in table.column_names if not name.startswith(EVER_NEW)]
                writer = closing.enter_context(pa.parquet.ParquetWriter(
                    out, table.schema, compression="zstd", compression_level=1, use_dictionary=few
                ))
            writer.write_table(table)
    pa.default_memory_pool().release_unused()                   # else it keeps as much again for the next piece
    return out.getvalue()


def _cells(name: str, column: NDArray[Any], names: Any) -> Any:
    import pyarrow as pa

    if name in ("choice", "runner_up", "best"):
        return pa.DictionaryArray.from_arrays(pa.array(column, pa.int32(), mask=column < 0), names)
    if column.dtype == object:                                  # an axis of words; a missing one is null
        return pa.array(column, pa.string())
    if column.dtype == np.float64:
        return pa.array(column, mask=~np.isfinite(column))
    return pa.array(column)


class BatchFolder:
    """A folder that one process at a time fills with the pieces of one batch."""

    def __init__(self, path: Path, batch: Batch) -> None:
        """`path` is made where missing; nothing is written before `opened`."""
        self.path = path
        self.batch = batch

    @contextlib.contextmanager
    def opened(self, resume: bool) -> Iterator[list[Piece]]:
        """The pieces still to be priced, in a folder that belongs to this process until the end of the block.

        Args:
            resume: go on with what is there; else a finished run is kept as `previous/`, and an unfinished one
                is refused.

        Raises:
            InputError: the folder cannot be written, is in use, or holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with _held(self.path):
                self._settle()
                self._begin(resume)
                done = set(self._parts())
                yield [piece for piece in self.batch.pieces() if self.place_of(piece) not in done]
        except OSError as error:
            raise InputError(f"{self.path}: {why_not(error)}; --resume then continues") from None

    def place_of(self, piece: Piece) -> str:
        """Where a piece is written, below the folder."""
        return f"{PARTS}/scenario={self.batch.members[piece.member].name}/part-{piece.number:06d}.parquet"

    def keep(self, piece: Piece, content: bytes) -> None:
        """Write a piece whole.

        Raises:
            OSError: it could not be written; `opened` says so in a sentence.
        """
        write_whole(self.path / self.place_of(piece), content)

    def finish(self, summary: Mapping[str, Any], failed: Mapping[str, str]) -> None:
        """Write the summary, then the manifest: from now on the folder is complete.

        Raises:
            RuntimeError: a piece of a scenario that did not fail is missing, which no interruption explains.
        """
        there = set(self._parts())
        wanted = {self.place_of(p) for p in self.batch.pieces() if self.batch.members[p.member].name not in failed}
        if not wanted <= there:
            raise RuntimeError(f"{self.path}: {len(wanted - there)} pieces were neither written nor failed")
        write_whole(self.path / SUMMARY, as_json(summary).encode())
        names = sorted([PLAN, SUMMARY, *self._parts()])
        digests = {name: _sha256(self.path / name) for name in names}
        write_whole(self.path / MANIFEST, as_json({"batch": self.batch.digest, "files": digests}).encode())

    def _parts(self) -> list[str]:
        found = (self.path / PARTS).glob("scenario=*/part-*.parquet")
        return sorted(path.relative_to(self.path).as_posix() for path in found)

    def _settle(self) -> None:
        """Finish a move, and clear what was half written, when an earlier process was stopped."""
        for half in self.path.glob(f"{PARTS}/*/.*.part"):
            half.unlink(missing_ok=True)
        for half in self.path.glob(".*.part"):
            half.unlink(missing_ok=True)
        if (self.path / f".{PREVIOUS}").is_dir():
            self._move_away()

    def _begin(self, resume: bool) -> None:
        plan = self.path / PLAN
        finished = (self.path / MANIFEST).is_file()
        if plan.is_file() and finished and not resume:
            (self.path / f".{PREVIOUS}").mkdir()
            self._move_away()
        elif plan.is_file():
            self._check_same(read_plan(self.path), finished or resume)
            (self.path / MANIFEST).unlink(missing_ok=True)
            return
        elif strangers := sorted(at.name for at in self.path.iterdir() if at.name not in (PREVIOUS, LOCK)):
            raise InputError(f"{self.path}: holds {strangers[0]} and is no folder of a batch; name another folder")
        write_whole(plan, as_json(plan_of(self.batch)).encode())

    def _check_same(self, before: Mapping[str, Any], resume: bool) -> None:
        if not resume:
            raise InputError(f"{self.path}: holds an unfinished batch; --resume continues it, or name another folder")
        if before.get("digest") != self.batch.digest:
            raise InputError(
                f"{self.path}: was begun with another batch ({_what_changed(before, plan_of(self.batch))}); "
                "run it as it was, or name another folder"
            )

    def _move_away(self) -> None:
        """The finished run becomes the previous one; what stands half-way is told by the folder it goes through."""
        beside = self.path / f".{PREVIOUS}"
        for name in _MOVED:
            if (self.path / name).exists():
                (self.path / name).rename(beside / name)
        shutil.rmtree(self.path / PREVIOUS, ignore_errors=True)
        beside.rename(self.path / PREVIOUS)


def plan_of(batch: Batch) -> dict[str, Any]:
    """What a batch prices, as plain values."""
    return {
        "schema_version": 1,
        "digest": batch.digest,
        "engine": batch.engine,
        "chunk_points": batch.chunk_points,
        "points": batch.points,
        "members": {member.name: _member(member) for member in batch.members},
        "refused": dict(batch.refused),
    }


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan a folder was begun with.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / PLAN
    try:
        plan = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); name the folder of a batch") from None
    except ValueError:
        plan = None
    if not isinstance(plan, dict) or not isinstance(plan.get("members"), dict):
        raise InputError(f"{path}: is not the plan of a batch; name the folder of a batch")
    return plan


def _member(member: Member) -> dict[str, Any]:
    return {
        "source": member.source,
        "points": member.points,
        "draws": member.draws,
        "axes": [dataclasses.asdict(axis) for axis in member.axes],
        "fixed": dict(member.fixed),
        "decided_on": list(member.decided_on),
        "until": member.until,
        "seed": member.seed,
        "rests_on": fingerprint(member.scenario),
    }


WHATS = {
    "rests_on": "another scenario or price", "axes": "other axes", "draws": "other draws",
    "decided_on": "other days of decision", "until": "another last day", "seed": "another seed",
}


def _what_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if before.get("engine") != after["engine"]:
        return f"its engine was {before.get('engine')}"
    for name in {**before["members"], **after["members"]}:
        old, new = before["members"].get(name), after["members"].get(name)
        if old is None or new is None:
            return f"{name} was {'not in it' if old is None else 'in it'}"
        for key, what in WHATS.items():
            if as_json(old.get(key) or None) != as_json(new[key] or None):
                return f"{name} has {what}"
    return "it was cut into other pieces"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder alone; a process that ends, however it ends, lets go."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:                                     # a system without file locks: nothing holds there
            pass
        except BlockingIOError:
            raise InputError(f"{folder}: another batch is writing there; wait for it, or name another folder") from None
        yield
    finally:
        os.close(lock)
