"""A batch of earlier days decides as a backtest of each day does, and its regrets come out by hand."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import plotly.graph_objects as go
import pytest
from batches import ROOT, digests, rows
from command_line import QUESTION, tunepoint

from simulator import charts
from simulator.domain.advice import Decided
from simulator.domain.scenario import Scenario
from simulator.files.batch import read_batch
from simulator.files.decisions import read_decisions
from simulator.studies.backtest import backtest

SHIPPED = ROOT / "scenarios/batches/decided-monthly.yaml"
NAME = "support-triage-2024-09"
OUTLAY_USD = 800 * 2 / 60 * 35 + 3 * 3 * 800 * 600 * 3.00 / 1e6 + 16 * 110
"""Data set of 800 pairs at two minutes, three runs of three epochs at 3 USD per Mtok, 16 hours of an engineer."""
RETIRED = date(2027, 1, 14)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decided") / "out"
    assert tunepoint("batch", SHIPPED, "--out", out).code == 0
    return out


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[Decided, ...]:
    return read_decisions(folder)[NAME]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return read_batch([SHIPPED]).members[0].scenario


def test_every_month_since_september_2024_is_decided_as_a_backtest_of_that_day(
    found: tuple[Decided, ...], scenario: Scenario
) -> None:
    assert [one.decided_on for one in found] == [
        date(year, month, 15) for year in (2024, 2025, 2026) for month in range(1, 13)
        if date(2024, 9, 1) <= date(year, month, 15) <= date(2026, 11, 30)
    ]
    for one in (found[0], found[11], found[20], found[-1]):
        alone = backtest(scenario, one.decided_on)
        assert (one.choice, one.best, one.regret_usd) == (alone.choice, alone.best, alone.regret_usd)
        assert one.by_option == {name: paid.paid_usd for name, paid in alone.options.items()}
        assert one.paid_at == (alone.options[alone.choice].versions if alone.choice else ())


def test_tuning_is_regretted_where_its_outlay_had_no_time_to_come_back(found: tuple[Decided, ...]) -> None:
    """With caching it saves 14.75 - 9.59 = 5.16 USD a day (support-triage-2025-01), until both models retire."""
    cached, read, wrote = 2560 * 0.9, 2600 + 350 + 9 - 2560 * 0.9, 40
    prompt = 0.05 * (cached * 0.075 + read * 0.15 + wrote * 0.60)
    tuned = 0.05 * ((120 + 350 + 9) * 0.30 + wrote * 1.20)
    for one in found:
        if one.choice != "tuned" or one.stopped_on is None:
            continue
        assert one.stopped_on == RETIRED
        late = OUTLAY_USD - (prompt - tuned) * (RETIRED - one.decided_on).days
        assert one.regret_usd == pytest.approx(max(0.0, late), abs=0.02 * OUTLAY_USD)
        assert one.best == ("long-prompt" if late > 0 else "tuned")


def test_what_was_known_and_what_paid_is_named_by_version(found: tuple[Decided, ...], scenario: Scenario) -> None:
    known = {table.version_id(version): version for table in scenario.prices.values() for version in table.versions}
    for one in found:
        assert all(known[at].recorded <= one.decided_on for at in one.decided_at)
        assert set(one.paid_at) <= set(known)
        assert bool(one.paid_at) == (one.choice is not None)
    assert found[0].paid_at == ("openai/gpt-4o-mini-ft@2024-09-06", "openai/gpt-4o-mini-ft@2024-10-01")


def test_the_readme_says_what_the_batch_found(found: tuple[Decided, ...]) -> None:
    said = re.search(r"was chosen until (\w+ \d+) and regretted from (\w+ \d+) on: both models retire on ([\d-]+),",
                     re.sub(r"\s+", " ", (ROOT / "README.md").read_text("utf-8")))
    assert said
    assert said[1] == max(one.decided_on for one in found if one.choice == "tuned").strftime("%B %Y")
    assert said[2] == min(one.decided_on for one in found if one.regret_usd and one.regret_usd > 1).strftime("%B %Y")
    assert said[3] == str(RETIRED)


def test_the_same_bytes_in_processes_and_after_an_interruption(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "out"
    assert tunepoint("batch", SHIPPED, "--out", other, "--on", "processes:2").code == 0
    (other / "manifest.json").unlink()
    next((other / "scenarios").glob("*/part-000001.parquet")).unlink()
    assert tunepoint("batch", SHIPPED, "--out", other, "--resume").code == 0
    assert digests(other) == digests(folder)


def test_the_table_is_printed_and_exported_with_its_picture(folder: Path, tmp_path: Path) -> None:
    shown = tunepoint("batch", SHIPPED, "--out", tmp_path / "out")
    assert re.search(r"15 Apr 2026\s+tuned\s+\$[\d,]+\s+\$1,\d+\s+long-prompt\s+\[2\]", shown.out)
    assert "[2] openai/gpt-4o-mini-ft@2024-10-01" in shown.out
    assert tunepoint("export", folder, "--format", "csv,html,xlsx", "--out", tmp_path / "export").code == 0
    with (tmp_path / "export/decisions.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["choice"] for row in table[:1] + table[-1:]] == ["tuned", ""]
    assert (tmp_path / "export/decisions.html").stat().st_size > 1e6


def test_the_picture_tells_the_choice_by_row_colour_and_symbol(found: tuple[Decided, ...]) -> None:
    chart = charts.decisions(found, NAME)
    go.Figure(chart.to_dict())                                  # the library's own checks
    marks = [trace for trace in chart.data if trace.type == "scatter"]
    assert {trace.y[0]: len(trace.x) for trace in marks} == {"long-prompt": 5, "tuned": 20, "no choice": 2}
    assert len({trace.marker.symbol for trace in marks}) == 3
    bars = [pair for trace in chart.data if trace.type == "bar" for pair in zip(trace.x, trace.y, strict=True)]
    assert sorted(bars) == [(str(one.decided_on), one.regret_usd) for one in found if one.choice]
    with pytest.raises(ValueError, match="no decision"):
        charts.decisions([])


def test_axes_and_days_make_every_combination(tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8").replace("..", str(ROOT / "scenarios")).replace("2026-11-15", "2024-11-15")
    (tmp_path / "batch.yaml").write_text(f"{text}vary: {{workload.calls_per_day: [5000, 50000]}}\n", "utf-8")
    assert tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "out").code == 0
    table = rows(tmp_path / "out", NAME)
    assert [(str(row["decided_on"]), row["workload.calls_per_day"]) for row in table] == [
        (f"2024-{month:02d}-15", calls) for month in (9, 10, 11) for calls in (5000, 50_000)
    ]
    assert [row["choice"] for row in table] == ["long-prompt", "tuned"] * 3
    assert read_decisions(tmp_path / "out") == {}
    exported = tunepoint("export", tmp_path / "out")  # decisions by day are one picture, by day and volume none
    assert exported.code == 0, exported.err
    assert sorted(path.name for path in (tmp_path / "out/export").iterdir()) == ["choices.csv", "scenarios.csv"]


def test_a_day_before_the_first_price_fails_its_scenario_in_one_sentence(tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8").replace("..", str(ROOT / "scenarios")).replace("2024-09-15", "2023-09-15")
    (tmp_path / "batch.yaml").write_text(text, "utf-8")
    answer = tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "out", "--json")
    assert answer.code == 1
    assert "had a price on 2023-09-15; the first of them was known on 2024-07-18" in answer.json["failed"][NAME]


def test_a_typed_price_holds_on_any_day(tmp_path: Path) -> None:
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    batch = "scenarios: [question.yaml]\ndecide_on: {from: 2020-01-31, to: 2020-12-31, every_months: 6}\n"
    (tmp_path / "batch.yaml").write_text(batch, "utf-8")
    answer = tunepoint("batch", tmp_path / "batch.yaml", "--out", tmp_path / "out", "--fail-if", "regret_usd > 0")
    assert answer.code == 0, answer.err
    assert [str(row["decided_on"]) for row in rows(tmp_path / "out")] == ["2020-01-28", "2020-07-28"]
    assert "None of 2 decisions was regretted." in answer.out
