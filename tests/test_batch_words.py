"""Axes of words are columns like those of numbers: in the rows, on the terminal, in tables and in what changed."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet
from batches import rows, written
from command_line import QUESTION, tunepoint

from simulator.files.batch import read_batch
from simulator.files.batch_folder import packed
from simulator.files.batch_table import batch_points
from simulator.studies.batch import price_batch
from simulator.studies.runners import read_place

DAYS = """\
scenarios: [question.yaml]
vary: {start: [2026-12-01, 2027-12-01], options.cheap.price: [mine/small, mine/big]}
"""
POINTS = [(date(year, 12, 1), price) for year in (2026, 2027) for price in ("mine/small", "mine/big")]


def test_every_row_names_the_day_and_the_price_it_stands_on(tmp_path: Path) -> None:
    assert tunepoint("batch", written(tmp_path, DAYS), "--out", tmp_path / "out").code == 0
    whole = pyarrow.dataset.dataset(tmp_path / "out/scenarios", partitioning="hive").to_table()
    assert (str(whole.schema.field("start").type), str(whole.schema.field("options.cheap.price").type)) == (
        "date32[day]", "string",
    )
    found = sorted((row["start"], row["options.cheap.price"], row["choice"]) for row in whole.to_pylist())
    assert [row[:2] for row in found] == sorted(POINTS)
    assert {row[2] for row in found if row[1] == "mine/big"} == {"dear"}        # the set-up then buys nothing


def test_the_terminal_the_summary_and_the_tables_name_them_too(tmp_path: Path) -> None:
    answer = tunepoint("batch", written(tmp_path, DAYS), "--out", tmp_path / "out")
    assert "start" in answer.words
    assert "options.cheap.price" in answer.words
    assert answer.words.count("2027-12-01") == 2
    assert answer.words.count("mine/small") == 2
    summary = json.loads((tmp_path / "out/summary.json").read_text("utf-8"))
    assert [tuple(one["fixed"].values()) for one in summary["scenarios"].values()] == [
        (str(day), price) for day, price in POINTS
    ]
    assert tunepoint("export", tmp_path / "out", "--format", "csv").code == 0
    for name in ("scenarios", "choices"):
        table = list(csv.DictReader((tmp_path / f"out/export/{name}.csv").read_text("utf-8-sig").splitlines()))
        assert [(row["start"], row["options.cheap.price"]) for row in table] == [
            (str(day), price) for day, price in POINTS
        ]


def test_what_changed_names_the_word_it_changed_at(tmp_path: Path) -> None:
    batch = written(tmp_path, DAYS)
    tunepoint("batch", batch, "--out", tmp_path / "a")
    written(tmp_path, DAYS, QUESTION.replace("set-up: 40", "set-up: 4000"))
    answer = tunepoint("batch", batch, "--out", tmp_path / "b", "--against", tmp_path / "a")
    assert "at start 2027-12-01, options.cheap.price mine/small: cheap -> dear" in answer.words


def test_a_column_has_one_type_in_every_scenario_of_its_axis(tmp_path: Path) -> None:
    """A missing word is a null of the same type; yes and no stay what they are."""
    axes = "options.cheap.until_ready: [null, dear], announced_prices: [true, false]"
    batch = f"scenarios: [question.yaml]\nvary: {{{axes}}}\n"
    assert tunepoint("batch", written(tmp_path, batch), "--out", tmp_path / "out").code == 0
    found = [rows(tmp_path / "out", name)[0] for name in ("question", "question-2", "question-3", "question-4")]
    assert [(row["options.cheap.until_ready"], row["announced_prices"]) for row in found] == [
        (None, True), (None, False), ("dear", True), ("dear", False),
    ]
    schemas = {
        str(pyarrow.parquet.read_schema(path)) for path in (tmp_path / "out/scenarios").glob("*/part-*.parquet")
    }
    assert len(schemas) == 1


def test_the_points_that_a_page_shows_have_them_as_words(tmp_path: Path) -> None:
    batch = read_batch([written(tmp_path, DAYS)])
    done = price_batch(batch, list(batch.pieces()), read_place("serial"), packed)
    points = batch_points(batch, [(one.piece, one.content) for one in done])
    assert points.words("start") == ("2026-12-01", "2027-12-01")
    assert len(points.where({"options.cheap.price": ["mine/big"]})) == 2
    assert list(points.columns)[:3] == ["scenario", "start", "options.cheap.price"]


def test_decisions_of_earlier_days_name_them_too(tmp_path: Path) -> None:
    batch = (
        "scenarios: [question.yaml]\nvary: {options.cheap.price: [mine/small, mine/big]}\n"
        "decide_on: {from: 2026-10-01, to: 2026-11-01}\n"
    )
    answer = tunepoint("batch", written(tmp_path, batch), "--out", tmp_path / "out")
    assert "question-2, options.cheap.price mine/big, decided with" in answer.words
    assert tunepoint("export", tmp_path / "out", "--format", "csv").code == 0
    table = list(csv.DictReader((tmp_path / "out/export/decisions.csv").read_text("utf-8-sig").splitlines()))
    assert [row["options.cheap.price"] for row in table] == ["mine/small"] * 2 + ["mine/big"] * 2
