"""A results folder is whole or says so: files appear at once, the manifest last, numbers as numbers, text as text."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from command_line import QUESTION, is_one_sentence, tunepoint
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.files import check_folder, write_results
from simulator.files.results import as_csv, as_parquet

ROWS = [
    {"option": "long", "line": "=HYPERLINK()", "usd": -2.5, "quantity": 3},
    {"option": "@tuned", "line": "input, and more", "usd": float("nan"), "quantity": 1.5},
]
RESULT = {"a": np.float64("inf"), "b": np.arange(3), "c": {"d": (1.5, float("nan"), "+1")}}


def written_to(folder: Path) -> dict[str, str]:
    return write_results(folder, RESULT, ROWS, "<p>ü</p>", {"cost.svg": "<svg/>", "cost.png": b"\x89PNG"})


def test_the_manifest_lists_the_digest_of_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "x"
    digests = written_to(folder)
    found = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in folder.rglob("*") if path.is_file()}
    assert found.pop("manifest.json")
    assert found == digests == json.loads((folder / "manifest.json").read_text())["files"]
    assert set(found) == {
        "result.json", "ledger.csv", "ledger.parquet", "report.html", "charts/cost.svg", "charts/cost.png"}


def test_json_holds_null_where_there_is_no_number(tmp_path: Path) -> None:
    written_to(tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result == {"a": None, "b": [0, 1, 2], "c": {"d": [1.5, None, "+1"]}}


def test_no_cell_of_the_csv_is_a_formula_and_numbers_are_numbers(tmp_path: Path) -> None:
    written_to(tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "ledger.csv").read_text("utf-8"))))
    assert rows[0] == {"option": "long", "line": "'=HYPERLINK()", "usd": "-2.5", "quantity": "3"}
    assert rows[1] == {"option": "'@tuned", "line": "input, and more", "usd": "", "quantity": "1.5"}


LABELS = st.builds(str.__add__, st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n"]), st.text(max_size=5))
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.fixed_dictionaries({"label": LABELS, "usd": FINITE}), min_size=1))
def test_every_text_that_begins_like_a_formula_is_escaped(rows: list[dict[str, Any]]) -> None:
    again = list(csv.DictReader(io.StringIO(as_csv(rows), newline="")))
    assert not [row for row in again if row["label"].startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [row["label"].removeprefix("'") for row in again] == [row["label"].removeprefix("'") for row in rows]
    assert [float(row["usd"]) for row in again] == [row["usd"] for row in rows]


def test_parquet_holds_the_numbers_and_the_plain_text(tmp_path: Path) -> None:
    written_to(tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "ledger.parquet")
    assert table.column("usd").to_pylist() == [-2.5, None]
    assert table.column("line").to_pylist() == ["=HYPERLINK()", "input, and more"]


def test_a_ledger_may_be_empty_and_a_column_may_hold_nothing() -> None:
    assert as_csv([]) == "\r\n"
    assert pyarrow.parquet.read_table(io.BytesIO(as_parquet([]))).num_rows == 0
    mixed = as_parquet([{"a": None, "b": 1}, {"a": None, "b": 2.5}])
    assert pyarrow.parquet.read_table(io.BytesIO(mixed)).column("b").to_pylist() == [1, 2.5]


def full_at(monkeypatch: pytest.MonkeyPatch, write: int, error: BaseException) -> None:
    """Lets the disk fail at the given write, counted from 0."""
    writes = iter(range(100))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if next(writes) == write:
            raise error
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("write", range(7))
def test_a_full_disk_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    written_to(tmp_path)
    full_at(monkeypatch, write, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(InputError) as told:
        written_to(tmp_path)
    full = f"{tmp_path}: the disk is full; free some space or name another folder; result.json, ledger.csv, "
    assert str(told.value).startswith(full)
    assert str(told.value).endswith(" stand there without a manifest.json, as no complete answer")
    check_folder(tmp_path)                                      # what a broken-off run left may be written anew
    assert not (tmp_path / "manifest.json").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_run_leaves_whole_files_and_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_to(tmp_path)
    before = (tmp_path / "ledger.csv").read_bytes()
    full_at(monkeypatch, 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_results(tmp_path, {"new": 1}, ROWS[:1])
    assert json.loads((tmp_path / "result.json").read_text()) == {"new": 1}
    assert (tmp_path / "ledger.csv").read_bytes() == before
    assert not (tmp_path / "manifest.json").exists()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_where_the_folder_should_be(tmp_path: Path, below: str) -> None:
    (tmp_path / "out").write_text("not a folder")
    folder = tmp_path / "out" / below
    with pytest.raises(InputError) as told:
        written_to(folder)
    assert str(told.value) == f"{folder}: a file stands where a folder is needed; name another folder"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(InputError) as told:
        written_to(tmp_path / "out")
    assert str(told.value) == f"{tmp_path / 'out'}: no permission to write there; name another folder"


def test_a_chart_is_named_by_a_plain_file_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        write_results(tmp_path, {}, [], charts={"../cost.svg": ""})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["report.html", "notes.txt", "charts/mine.json"])
def test_a_folder_of_somebody_else_is_refused_before_the_work_is_done(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "foreign" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine", "utf-8")
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    answer = tunepoint("compare", tmp_path / "question.yaml", "--out", tmp_path / "foreign")
    assert (answer.code, answer.out) == (2, "")
    assert is_one_sentence(answer.err)
    assert f"holds {name.partition('/')[0]}, which might be overwritten" in answer.err
    assert theirs.read_text("utf-8") == "mine"
    theirs.unlink()
    (tmp_path / "empty").mkdir()
    for _ in range(2):                                          # an empty folder is taken, and so is one's own
        assert tunepoint("compare", tmp_path / "question.yaml", "--out", tmp_path / "empty").code == 0
