"""Charts, tables and the report leave in every format; without a Chrome one sentence, and the rest still comes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
from command_line import QUESTION, is_one_sentence, tunepoint

from pricing.errors import InputError
from simulator.charts_export import chrome
from simulator.files.tables import as_markdown, as_xlsx

DANGER = '=HYPERLINK("x")'
CHARTS = {
    "cumulative-cost", "bill-by-line", "cost-against-volume", "cost-per-day-dear", "cost-per-day-cheap", "bridge",
    "cost-map", "what-moves-it", "what-flips-it",
}


def question(folder: Path) -> Path:
    path = folder / "question.yaml"
    path.write_text(QUESTION.replace("set-up: 40", f"'{DANGER}': 40"), "utf-8")
    return path


def test_tables_hold_the_numbers_of_the_answer_and_no_formula(tmp_path: Path) -> None:
    forms = ("--format", "csv,parquet,xlsx,md", "--bare")
    answer = tunepoint("export", question(tmp_path), "--out", tmp_path / "out", *forms)
    assert answer.code == 0, answer.err
    ledger = pyarrow.parquet.read_table(tmp_path / "out/ledger.parquet").to_pylist()
    sums = {name: sum(row["usd"] for row in ledger if row["option"] == name) for name in ("dear", "cheap")}
    assert sums == pytest.approx({"dear": 135, "cheap": 107.5})
    book = openpyxl.load_workbook(tmp_path / "out/question.xlsx")
    assert book.sheetnames == ["options", "ledger", "break-even"]
    cells = [cell for row in book["ledger"].iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    assert f"'{DANGER}" in [cell.value for cell in cells]
    totals = {row[0].value: row[3].value for row in book["options"].iter_rows(min_row=2)}
    assert totals == pytest.approx({"dear": 135, "cheap": 107.5})
    assert f"'{DANGER}".replace('"', '""') in (tmp_path / "out/ledger.csv").read_text("utf-8")
    assert (tmp_path / "out/options.md").read_text("utf-8").count("\n| ") == 2


def test_a_results_folder_gives_what_its_scenario_gives(tmp_path: Path) -> None:
    assert tunepoint("compare", question(tmp_path), "--out", tmp_path / "run").code == 0
    assert tunepoint("export", tmp_path / "run", "--format", "html,csv").code == 0
    assert tunepoint("export", question(tmp_path), "--format", "html,csv", "--out", tmp_path / "out").code == 0
    for name in ("options.csv", "ledger.csv", "break-even.csv"):
        assert (tmp_path / "run/export" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    pages = {path.stem for path in (tmp_path / "run/export").glob("*.html")}
    assert pages == CHARTS | {"report"}
    assert "plotly.js v" in (tmp_path / "run/export/bill-by-line.html").read_text("utf-8")


def test_pictures_are_what_they_are_called(tmp_path: Path) -> None:
    """Needs a Chrome, as the pictures do; where there is none, the sentence that says so is what is proved.

    The dear option costs 30 x 1,000 x 0.0045 and 217 dollars of upkeep: its bar says $352.
    """
    answer = tunepoint("export", question(tmp_path), "--format", "png,svg,pdf,csv", "--out", tmp_path / "out")
    assert (tmp_path / "out/ledger.csv").is_file()
    if answer.code == 2:
        with pytest.raises(InputError) as none:
            chrome()
        assert answer.err == f"{none.value}\n"
        return
    assert answer.code == 0, answer.err
    begins = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}
    for form, begin in begins.items():
        found = {path.stem: path.read_bytes() for path in (tmp_path / "out").glob(f"*.{form}")}
        assert set(found) - {"report"} == CHARTS
        assert all(content.startswith(begin) for content in found.values())
    for name in CHARTS:                                         # 960 x 540 px are 720 x 405 points, on one sheet
        sheet = (tmp_path / f"out/{name}.pdf").read_bytes()
        assert re.findall(rb"/MediaBox ?\[0 0 720 40[45]", sheet)
        assert len(re.findall(rb"/Type ?/Page\b", sheet)) == 1
    png = (tmp_path / "out/bill-by-line.png").read_bytes()
    assert int.from_bytes(png[16:20]) == 3 * 960
    assert "$352" in (tmp_path / "out/bill-by-line.svg").read_text("utf-8")


@pytest.mark.parametrize("kind", ["none", "broken", "missing"])
def test_without_a_chrome_one_sentence_and_the_pages_still_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if kind == "none":
        monkeypatch.delenv("BROWSER_PATH", raising=False)
    else:
        broken = tmp_path / "chrome-of-mine"
        if kind == "broken":
            broken.write_text("#!/bin/sh\nexit 3\n", "utf-8")
            broken.chmod(0o755)
        monkeypatch.setenv("BROWSER_PATH", str(broken))
    answer = tunepoint("export", question(tmp_path), "--format", "png,html", "--out", tmp_path / "out")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "apt install chromium" in answer.err
    assert {path.stem for path in (tmp_path / "out").glob("*.html")} == CHARTS | {"report"}


def test_what_cannot_be_exported_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run = tmp_path / "run"
    tunepoint("compare", question(tmp_path), "--out", run)
    (run / "manifest.json").unlink()
    for arguments, words in (
        ((tmp_path / "empty",), "is no results folder (there is no result.json in it)"), ((run,), "is not complete"),
        ((question(tmp_path),), "--out: is needed"),
        ((question(tmp_path), "--format", "gif", "--out", "x"), '"gif" is not one of'),
        ((question(tmp_path), "--format", ",", "--out", "x"), "names nothing"),
    ):
        answer = tunepoint("export", *arguments)
        assert (answer.code, is_one_sentence(answer.err)) == (2, True)
        assert words in answer.err


def test_a_workbook_of_nothing_is_still_one() -> None:
    assert as_xlsx({"a": []})[:2] == b"PK"
    assert as_markdown([{"a": None}]).splitlines()[2].strip("| ") == ""


BATCH = """\
scenarios: [question.yaml]
vary: {workload.calls_per_day: [100, 592, 593, 10_000], options.cheap.price_factor: [1, 2]}
"""


def test_a_batch_gives_its_answers_as_tables_and_a_page_by_scenario(tmp_path: Path) -> None:
    """At 593 calls a day `cheap` is the cheapest, twice as dear it never is: 2 of the 8 points are its own."""
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    (tmp_path / "batch.yaml").write_text(BATCH, "utf-8")
    assert tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "run").code == 0
    answer = tunepoint("export", tmp_path / "run", "--format", "html,parquet")
    assert answer.code == 0, answer.err
    choices = pyarrow.parquet.read_table(tmp_path / "run/export/choices.parquet").to_pylist()
    assert [(row["choice"], row["points"], row["share"]) for row in choices] == [("cheap", 2, 0.25), ("dear", 6, 0.75)]
    (row,) = pyarrow.parquet.read_table(tmp_path / "run/export/scenarios.parquet").to_pylist()
    assert row["points"] == 8
    assert row["total_usd_min"] < row["total_usd_mean"] < row["total_usd_max"]
    shown = (tmp_path / "run/export/cheapest-question.html").read_text("utf-8")
    assert "Which option is the cheapest?" in shown
    assert json.loads((tmp_path / "run/batch.json").read_text("utf-8"))["digest"] in shown
    (tmp_path / "run/manifest.json").unlink()
    refused = tunepoint("export", tmp_path / "run")
    assert (refused.code, is_one_sentence(refused.err)) == (2, True)
    assert "run the batch again with --resume" in refused.err


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    answer = tunepoint("export", tmp_path / "nowhere")
    assert (answer.code, answer.err) == (2, f"{tmp_path / 'nowhere'}: there is no such folder or scenario\n")
