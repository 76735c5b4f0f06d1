"""A trace described block by block says what the whole one says, in every shape, in memory that does not grow."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import pytest
from batches import ROOT, environment
from command_line import is_one_sentence, tunepoint
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.intake import trace_stream
from simulator.intake.trace import describe, read_trace
from simulator.intake.trace_stream import describe_file

AZURE = Path(__file__).parent / "data" / "azure_llm_2023"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
CALLS = ((0.0, 10, 5), (0.25, 30, 7), (2.5, 20, 6))
"""Seconds, tokens in, tokens out."""


def shaped(folder: Path, shape: str) -> Path:
    stamps, inputs, outputs = zip(*CALLS, strict=True)
    path = folder / f"{shape}.trace"
    if shape == "burstgpt":
        path.write_text(BURST + "".join(f"{at},GPT-4,{a},{b},{a + b},API log\n" for at, a, b in CALLS), "utf-8")
    elif shape == "mooncake":
        lines = [{"timestamp": int(at * 1000), "input_length": a, "output_length": b, "hash_ids": [1, 2]}
                 for at, a, b in CALLS]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    elif shape == "parquet":
        at = pa.array(np.array(stamps) * 1e9, pa.float64()).cast(pa.int64()).cast(pa.timestamp("ns"))
        columns = {"TIMESTAMP": at, "ContextTokens": inputs, "GeneratedTokens": outputs}
        pyarrow.parquet.write_table(pa.table(columns), path)
    else:
        path.write_bytes(gzip.compress(shaped(folder, shape.removesuffix("-gz")).read_bytes()))
    return path


@pytest.mark.parametrize("shape", ["burstgpt", "mooncake", "parquet", "burstgpt-gz", "mooncake-gz"])
def test_every_shape_says_the_same_of_the_same_calls(tmp_path: Path, shape: str) -> None:
    found, notes = describe_file(shaped(tmp_path, shape))
    assert (found["rows"], found["span_s"], found["input_tokens"], found["output_tokens"]) == (3, 2.5, 60, 18)
    assert found["input"] == {"mean": 20, "p50": 20, "p95": 29, "p99": 29.8, "max": 30}
    assert found["dispersion"]["1s"] == 2                       # 2 and 0 calls in the whole seconds: variance 2, mean 1
    assert not notes
    assert found == describe(read_trace(shaped(tmp_path, shape)))


@pytest.mark.parametrize("name", ["code", "conv"])
def test_a_real_trace_is_described_alike_whole_and_in_blocks(name: str) -> None:
    path = AZURE / f"AzureLLMInferenceTrace_{name}.csv.gz"
    whole, (blocks, _) = describe(read_trace(path)), describe_file(path)
    assert blocks.pop("interarrival_cv") == pytest.approx(whole.pop("interarrival_cv"), rel=1e-12)
    assert blocks == whole


@settings(max_examples=60)
@given(
    gaps=st.lists(st.floats(0, 40), min_size=1, max_size=60), size=st.integers(1, 9),
    lengths=st.lists(st.integers(0, 2**31 - 1), min_size=60, max_size=60),
)
def test_blocks_of_any_size_give_the_same_description(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[float], size: int, lengths: list[int]
) -> None:
    stamps = np.cumsum([0.0, *gaps[1:]])
    path = tmp_path_factory.mktemp("t") / "a.csv"
    rows = (f"{at:.6f},m,{length},{length // 3},0,x\n" for at, length in zip(stamps, lengths, strict=False))
    path.write_text(BURST + "".join(rows), "utf-8")
    trace = read_trace(path)
    columns = (trace.stamps_ns, trace.input_tokens, trace.output_tokens)
    blocks = (tuple(column[at : at + size] for column in columns) for at in range(0, len(trace), size))
    found, whole = trace_stream._described(blocks), describe(trace)
    for key in ("input", "output"):
        assert found.pop(key) == pytest.approx(whole.pop(key), rel=1e-12)
    variations = [one.pop("interarrival_cv") for one in (found, whole)]
    assert found == whole
    assert variations == [None, None] or variations[0] == pytest.approx(variations[1], rel=1e-9)


def test_a_trace_out_of_order_is_sorted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(BURST + "5,m,1,1,2,x\n4,m,1,1,2,x\n", "utf-8")
    found, notes = describe_file(path)
    assert found["span_s"] == 1
    assert "were sorted" in notes[0]


BAD = {
    BURST + "1,m,10,5,15,x\n2,m,-10,5,15,x\n": "line 3: '2,m,-10,5,15,x' is no call",
    BURST + "1,m,10,5,15,x\n2,m,10\n": "line 3",
    BURST + "1,m,ten,5,15,x\n": "line 2",
    BURST + "1,m,,5,15,x\n": "line 2",
    BURST: "a header and no row",
    '{"timestamp": 1, "input_length": 5, "output_length": 5}\n{"timestamp": 2, "input_le': "line 2",
    '{"timestamp": 1, "input_length": 5}\n': "line 1",
    '{"timestamp": 1, "input_length": 5, "output_length": 5, "hash_ids": ' + "[" * 100_000: "line 1",
    '{"timestamp": 1, "input_length": -5, "output_length": 5}\n': "line 1",
    '{"a": 1}\n': "line 1",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_call_is_told_by_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.trace").write_text(text, "utf-8")
    answer = tunepoint("trace", tmp_path / "a.trace")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True), answer.err
    assert BAD[text] in answer.err


def test_parquet_of_something_else_is_told_by_its_columns(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    answer = tunepoint("trace", tmp_path / "a.parquet")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "the columns are a" in answer.err


STAMPS = ("2023-11-16 18:17:03.9799600", "2023-11-16 18:17:04.2299600", "1969-12-31 23:59:59.9999999")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("zone", ["", "+00:00", "+02:00", "Z"])
def test_parquet_with_stamps_of_text_is_read_as_the_same_csv(tmp_path: Path, kind: pa.DataType, zone: str) -> None:
    stamps = [stamp + zone for stamp in STAMPS]
    (tmp_path / "a.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"{at},{n},7\n" for n, at in enumerate(stamps)), "utf-8"
    )
    columns = {"TIMESTAMP": pa.array(stamps).cast(kind), "ContextTokens": [0, 1, 2], "GeneratedTokens": [7] * 3}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    plain, packed = read_trace(tmp_path / "a.csv"), read_trace(tmp_path / "a.parquet")
    assert (plain.first_ns, plain.input_tokens.tolist()) == (packed.first_ns, [2, 0, 1])
    assert plain.stamps_ns.tolist() == packed.stamps_ns.tolist()
    assert packed.input_tokens.tolist() == [2, 0, 1]
    assert describe_file(tmp_path / "a.csv")[0] == describe_file(tmp_path / "a.parquet")[0]


@pytest.mark.parametrize(("stamp", "said"), [
    ("yesterday", "row 2: TIMESTAMP is 'yesterday'; write a real day and time"),
    ("2023-11-16 18:17:04+00:00", "without a zone as the first row has none"),
    (None, "a value is missing"),
])
def test_a_bad_stamp_of_text_in_parquet_is_told_by_its_row(tmp_path: Path, stamp: str | None, said: str) -> None:
    columns = {"TIMESTAMP": [STAMPS[0], stamp], "ContextTokens": [1, 2], "GeneratedTokens": [3, 4]}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "bad.parquet")
    answer = tunepoint("trace", tmp_path / "bad.parquet")
    assert answer.code == 2
    assert is_one_sentence(answer.err)
    assert said in answer.err


def test_lines_of_json_take_no_more_memory_than_the_same_calls_as_csv(tmp_path: Path) -> None:
    """Ten million lines took 290 MiB more, as each block of 8 MiB was parsed into many small pieces at once."""
    peaks = []
    for name in ("burst.csv", "mooncake.jsonl"):
        with (tmp_path / name).open("w", encoding="utf-8") as stream:
            stream.write(BURST if name == "burst.csv" else "")
            line = "{0},m,{1},{2},0,x\n" if name == "burst.csv" else (
                '{{"timestamp": {0}000, "input_length": {1}, "output_length": {2}, "hash_ids": [46, 47]}}\n')
            for at in range(1, 1_500_000):
                stream.write(line.format(at, at % 4000, at % 300))
        peaks.append(peak_mib(tmp_path / name))
    assert peaks[1] - peaks[0] < 100, peaks


def peak_mib(path: Path) -> float:
    """The most memory that describing and billing a trace takes, in a process of its own."""
    code = (
        "import resource, sys; from simulator.cli import main;"
        "assert main(['trace', sys.argv[1], '--price', 'openai/gpt-4o-mini', '--on', '2026-11-23']) == 0;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, env=environment(), check=True, capture_output=True
    )
    return int(answer.stdout.split()[-1]) / 1024


def test_four_times_the_calls_described_and_billed_take_no_more_memory(tmp_path: Path) -> None:
    """Held whole, three million more calls would take 72 MB of arrays; blocks take none of it."""
    peaks = []
    for calls in (1_000_000, 4_000_000):
        path = tmp_path / f"{calls}.csv"
        with path.open("w", encoding="utf-8") as stream:
            stream.write(BURST)
            for start in range(0, calls, 100_000):
                stream.write("".join(f"{at},m,{at % 4000},{at % 300},0,x\n" for at in range(start, start + 100_000)))
        peaks.append(peak_mib(path))
    assert peaks[1] - peaks[0] < 36, peaks


@pytest.mark.parametrize("text", [
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,5,2\n",
    f"{BURST}1,m,5,2,0,x\n",
    "window_start_s,calls\n0,5\n600,7\n1200,6\n1800,9\n",
    '{"timestamp": 1000, "input_length": 5, "output_length": 2}\n',
])
def test_no_thread_reads_a_file_of_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Such a thread now and then kept a program that was done from ending."""
    alone = []
    for module, name in ((pyarrow.csv, "open_csv"), (pyarrow.json, "open_json")):
        real = getattr(module, name)

        def opened(plain: Any, options: Any, *more: Any, real: Any = real, **named: Any) -> Any:
            alone.append(not options.use_threads)
            return real(plain, options, *more, **named)

        monkeypatch.setattr(module, name, opened)
    (tmp_path / "trace").write_text(text, "utf-8")
    answer = tunepoint("trace", tmp_path / "trace")
    assert answer.code == 0, answer.err
    assert alone
    assert all(alone)
