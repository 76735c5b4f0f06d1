"""Calls counted per window are described and fitted alike from CSV, gzip and Parquet, in memory that does not grow."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from batches import ROOT, environment
from command_line import is_one_sentence, tunepoint

from simulator.files import read_scenario
from simulator.intake import counts
from simulator.intake.counts import describe_counts, read_counts

SERVEGEN = Path(__file__).parent / "data" / "servegen_m_small" / "m-small-rate-10min.csv"
HAND = "timestamp,count,input_tokens_mean,output_tokens_mean\n0,10,100,20\n60,30,200,40\n120,0,,\n180,20,50,10\n"
"""60 calls in four minutes: 1,000 + 6,000 + 0 + 1,000 tokens in, 200 + 1,200 + 0 + 200 out."""


def test_a_small_file_agrees_with_a_hand_calculation(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HAND, "utf-8")
    found = tunepoint("trace", tmp_path / "a.csv", "--json").json
    assert (found["rows"], found["window_s"], found["span_s"], found["calls"]) == (4, 60, 240, 60)
    assert (found["input_tokens"], found["output_tokens"]) == (8000, 1600)
    assert found["input"]["mean"] == pytest.approx(8000 / 60)
    assert found["calls_per_s"] == pytest.approx(
        {"mean": 0.25, "p50": 0.25, "p95": 0.475, "p99": 0.495, "max": 0.5}
    )
    assert found["dispersion"]["60s"] == pytest.approx(np.var([10, 30, 0, 20], ddof=1) / 15)
    assert found["dispersion"]["120s"] == pytest.approx(np.var([40, 20], ddof=1) / 30)
    assert found["interarrival_cv"] is None
    words = tunepoint("trace", tmp_path / "a.csv").words
    assert "60 calls in 4 windows of 60 s" in words


def other(folder: Path, shape: str) -> Path:
    """The real file written otherwise."""
    path = folder / f"counts.{shape}"
    table = pyarrow.csv.read_csv(SERVEGEN)
    seconds = table["window_start_s"]
    if shape == "csv.gz":
        path.write_bytes(gzip.compress(SERVEGEN.read_bytes()))
    elif shape == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif shape == "dated.parquet":
        at = seconds.cast(pa.int64()).cast(pa.timestamp("s"))
        pyarrow.parquet.write_table(table.set_column(0, "time", at), path)
    elif shape == "shuffled.csv":
        order = np.random.default_rng(1).permutation(len(seconds))
        pyarrow.csv.write_csv(table.take(order), path)
    elif shape == "crlf.csv":
        path.write_bytes(b"\xef\xbb\xbf" + SERVEGEN.read_bytes().replace(b"\n", b"\r\n"))
    else:                                                       # counts rather than rates
        calls = pa.array(table["total_rate_rps"].to_numpy() * 600.0)
        pyarrow.csv.write_csv(table.set_column(1, "calls", calls), path)
    return path


@pytest.mark.parametrize("shape", ["csv.gz", "parquet", "dated.parquet", "shuffled.csv", "crlf.csv", "counted.csv"])
def test_every_shape_says_the_same_of_the_same_windows(tmp_path: Path, shape: str) -> None:
    whole, found = read_counts(SERVEGEN), read_counts(other(tmp_path, shape))
    assert np.array_equal(found.counts, whole.counts, equal_nan=True) or shape == "counted.csv"
    np.testing.assert_allclose(found.counts, whole.counts, rtol=1e-12)
    assert found.window_s == whole.window_s == 600


def test_a_start_with_a_day_and_a_time_tells_hour_and_weekday(tmp_path: Path) -> None:
    lines = [f"2026-11-25 06:{minute:02d}:00+00:00,{5 + minute % 3}\n" for minute in range(60)]
    (tmp_path / "a.csv").write_text("time,rate\n" + "".join(lines), "utf-8")
    found = read_counts(tmp_path / "a.csv")
    assert (found.first_hour, found.first_weekday) == (6, 2)     # a Wednesday
    assert found.counts[:3].tolist() == [300, 360, 420]          # 5, 6 and 7 calls a second for a minute


def test_a_fit_keeps_calls_and_tokens_and_can_be_asked(tmp_path: Path) -> None:
    rows = (f"{60 * k},{10 + k % 2},{100 + 20 * (k % 2)},8\n" for k in range(120))
    (tmp_path / "a.csv").write_text("window_start_s,calls,mean_input_tokens,mean_output_tokens\n" + "".join(rows))
    answer = tunepoint("trace", tmp_path / "a.csv", "--fit", tmp_path / "fit.yaml", "--json").json
    assert answer["workload"]["calls_per_day"] == pytest.approx(10.5 * 1440)
    scenario = read_scenario(tmp_path / "fit.yaml")
    assert scenario.workload.tokens.input == pytest.approx((10 * 100 + 11 * 120) / 21)
    assert scenario.workload.tokens.output == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,calls\n0,1\n60,2\n120,x\n", "line 4: '120,x' is not two numbers"),
        ("time,calls\n0,1\n60,\n120,3\n", "line 3: '60,' is not two numbers"),
        ("time,calls\n0,1\n60,nan\n120,3\n", "line 3"),
        ("time,calls\n0,1\n60,2,3\n120,3\n", "line 3: '60,2,3' has 3 fields instead of 2"),
        ("time,calls,input_tokens_mean\n0,1,5\n60,2,-5\n120,3,1\n", "line 3: input_tokens_mean is '-5'"),
        ("time,calls\n2026-01-01 00:00:00,1\n2026-13-01 00:00:00,2\n", "line 3: '2026-13-01 00:00:00,2' is not a day"),
        ("time,calls\n1764000000000,1\n1764000060000,2\n1764000120000,3\n", "seem to be milliseconds"),
        ("time,calls\n0,1\n", "1 windows"),
        ("time,calls\n", "0 windows"),
    ],
)  # fmt: skip
def test_a_bad_window_is_told_by_its_line_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    answer = tunepoint("trace", tmp_path / "a.csv")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True), answer.err
    assert said in answer.err


def test_windows_name_no_call_so_they_are_not_billed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HAND, "utf-8")
    answer = tunepoint("trace", tmp_path / "a.csv", "--price", "openai/gpt-4o-mini")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "use --fit" in answer.err


def test_more_windows_than_are_kept_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weeks of ten minutes in at most 1,000 windows are windows of half an hour with the same calls."""
    fine = read_counts(SERVEGEN).counts
    monkeypatch.setattr(counts, "MOST_WINDOWS", 1000)
    found, notes = describe_counts(SERVEGEN)
    coarse = read_counts(SERVEGEN)
    assert coarse.window_s == 1800
    np.testing.assert_allclose(coarse.counts, fine.reshape(-1, 3).sum(axis=1), rtol=1e-12)
    assert found["window_s"] == 600
    assert "added up" in notes[-1]


def test_four_times_the_windows_take_no_more_memory(tmp_path: Path) -> None:
    """Held whole, six million more windows would take 96 MB of starts and counts."""
    peaks = []
    for windows in (2_000_000, 8_000_000):
        path = tmp_path / f"{windows}.csv"
        schema = pa.schema({"time": pa.int64(), "calls": pa.int64()})
        with pyarrow.csv.CSVWriter(path, schema) as writer:     # in parts: a child's peak begins with its parent's
            for start in range(0, windows, 100_000):
                at = np.arange(start, start + 100_000)
                writer.write_table(pa.table({"time": at, "calls": at % 7}))
        code = (
            "import resource, sys; from simulator.intake import counts; counts.MOST_WINDOWS = 2**17;"
            "counts.describe_counts(sys.argv[1]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code, path], cwd=ROOT, env=environment(), check=True, capture_output=True
        )
        peaks.append(int(answer.stdout) / 1024)
    assert peaks[1] - peaks[0] < 48, peaks
