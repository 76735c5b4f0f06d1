"""A trace is read exactly, described as published, and what cannot be read is one sentence with its line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.intake.trace import Trace, describe, dispersion, read_trace
from simulator.intake.trace_faults import MOST_TOKENS

AZURE = Path(__file__).parent / "data" / "azure_llm_2023"
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
NS = 1_000_000_000
START = datetime(2024, 2, 29, 23, 59, 58)


def ns_of(*seconds: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([round(second * NS) for second in seconds], dtype=np.int64)


def trace_of(stamps_ns: np.ndarray[Any, np.dtype[np.int64]]) -> Trace:
    ones = np.ones_like(stamps_ns)
    return Trace(source="made up", first_ns=0, stamps_ns=stamps_ns, input_tokens=ones, output_tokens=ones.copy())


def stamp(ns: int) -> str:
    seconds, rest = divmod(ns, NS)
    return f"2023-11-16 {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:09}"


UNENDED = "the last line has no line end: if the file was cut short, its last number may be too"
"""What both Azure files make the reader doubt, as they were published."""


def written(path: Path, rows: list[tuple[int, int, int]]) -> Path:
    path.write_text("\n".join([HEADER, *(f"{stamp(ns)},{read},{wrote}" for ns, read, wrote in rows), ""]))
    return path


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("code", "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6"),
        ("conv", "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8"),
    ],
)
def test_the_azure_traces_here_are_the_published_ones(name: str, sha256: str) -> None:
    content = gzip.decompress((AZURE / f"AzureLLMInferenceTrace_{name}.csv.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == sha256


@pytest.mark.parametrize(
    ("name", "sums", "published"),
    [
        (
            "code",
            (8_819, 18_059_974, 245_896),
            "3435.9 13.15 13.2 71.9 166.9 151.6 2048 1469 7303 7436 7437 27.9 13 90 251 1899",
        ),
        (
            "conv",
            (19_366, 22_361_870, 4_088_665),
            "3501.7 1.09 1.39 3.87 16.4 61.7 1155 1020 4083 4142 14050 211 129 451 601 1000",
        ),
    ],
)
def test_the_azure_traces_are_described_as_measured_to_the_last_figure(
    name: str, sums: tuple[int, int, int], published: str
) -> None:
    told = describe(read_trace(AZURE / f"AzureLLMInferenceTrace_{name}.csv.gz"))
    assert (told["rows"], told["input_tokens"], told["output_tokens"]) == sums
    found = [told["span_s"], told["interarrival_cv"]]
    for part in ("dispersion", "input", "output"):
        found += told[part].values()
    figures = published.split()
    decimals = [len(figure.partition(".")[2]) for figure in figures]
    assert [f"{value:.{places}f}" for value, places in zip(found, decimals, strict=True)] == figures


@pytest.mark.parametrize("name", ["code", "conv"])
def test_every_row_of_the_azure_traces_equals_a_plain_reading(name: str) -> None:
    path = AZURE / f"AzureLLMInferenceTrace_{name}.csv.gz"
    trace = read_trace(path)
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    assert trace.input_tokens.tolist() == [int(row["ContextTokens"]) for row in rows]
    assert trace.output_tokens.tolist() == [int(row["GeneratedTokens"]) for row in rows]
    # Seven decimals by whole numbers only: seconds of the clock, then 100 ns each.
    exact = []
    for row in rows:
        clock, _, decimals = row["TIMESTAMP"].partition(".")
        since = datetime.fromisoformat(clock) - datetime(1970, 1, 1)
        exact.append((since.days * 86_400 + since.seconds) * NS + int(decimals) * 100)
    assert trace.first_ns == exact[0]
    assert trace.stamps_ns.tolist() == [ns - exact[0] for ns in exact]
    assert [note.partition("AzureLLMInferenceTrace_")[2] for note in trace.notes] == [f"{name}.csv.gz: {UNENDED}"]


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n2024-02-29 23:59:58.0000001,5,7\n2024-03-01 00:00:00.1,0,1",
        f"{HEADER}\r\n2024-02-29 23:59:58.0000001,5,7\r\n2024-03-01 00:00:00.1000000,0,1\r\n",
        f"\ufeff{HEADER}\n\n2024-02-29T23:59:58.000000100,5,7\n\n2024-03-01 00:00:00.1,0,1\n\n",
        '"TIMESTAMP","ContextTokens","GeneratedTokens"\n"2024-02-29 23:59:58.0000001","5","7"\n'
        '"2024-03-01 00:00:00.1","0","1"\n',
        "GeneratedTokens,who,TIMESTAMP,ContextTokens\n7,\u00c4nne,2024-02-29 23:59:58.0000001,5\n"
        "1,,2024-03-01 00:00:00.1,0\n",
        f"{HEADER}\n2024-02-29 23:59:58.0000001+00:00,5,7\n2024-03-01 02:00:00.1+0200,0,1\n",
        f"{HEADER}\n2024-02-29 23:59:58.0000001Z,5,7\n2024-03-01 00:00:00.1Z,0,1\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_calls_written_otherwise_are_the_same_trace(content: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    trace = read_trace(path)
    assert trace.started_at == START
    assert trace.first_ns % NS == 100
    assert trace.stamps_ns.tolist() == [0, 2 * NS + 100_000_000 - 100]
    assert trace.input_tokens.tolist() == [5, 0]
    assert trace.output_tokens.tolist() == [7, 1]
    assert {array.dtype for array in (trace.stamps_ns, trace.input_tokens, trace.output_tokens)} == {np.dtype(np.int64)}
    assert len(trace) == 2


def test_rows_out_of_order_are_sorted_with_ties_in_the_order_of_the_file_and_it_is_said(tmp_path: Path) -> None:
    rows = [(3, 1, 1), (1, 2, 2), (3, 3, 3), (0, 4, 4), (1, 5, 5)]
    trace = read_trace(written(tmp_path / "log.csv", rows))
    assert trace.stamps_ns.tolist() == [0, 1, 1, 3, 3]
    assert trace.input_tokens.tolist() == [4, 2, 5, 1, 3]
    assert trace.output_tokens.tolist() == [4, 2, 5, 1, 3]
    (note,) = trace.notes
    assert "sorted" in note


def test_rows_of_many_blocks_are_all_there(tmp_path: Path) -> None:
    rows = [(i * 1_000_000, i % 977, i % 13) for i in range(80_000)]  # about three blocks of a million bytes
    trace = read_trace(written(tmp_path / "log.csv", rows))
    assert np.array_equal(np.column_stack([trace.stamps_ns, trace.input_tokens, trace.output_tokens]), rows)


def test_the_keys_are_those_of_the_contract_and_become_json() -> None:
    told = describe(trace_of(ns_of(0, 1, 2.5)))
    assert list(told) == [
        *("rows", "span_s", "input_tokens", "output_tokens", "input", "output", "interarrival_cv", "dispersion")
    ]
    assert list(told["input"]) == list(told["output"]) == ["mean", "p50", "p95", "p99", "max"]
    assert list(told["dispersion"]) == ["1s", "10s", "60s", "300s"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_small_trace_agrees_with_a_hand_calculation() -> None:
    # Windows of 1 s: 3, 1 and 0 calls, then a partial one. Mean 4/3, variance (25 + 1 + 16)/9/2 = 7/3, index 7/4.
    stamps = ns_of(0, 0.2, 0.4, 1.1, 3.5)
    assert dispersion(stamps, 1) == 7 / 4
    # Gaps 0.2, 0.2, 0.7, 2.4: mean 0.875, squared differences 2 x 0.455625 + 0.030625 + 2.325625 = 3.2675.
    told = describe(
        Trace(
            source="made up",
            first_ns=0,
            stamps_ns=stamps,
            input_tokens=np.array([10, 20, 30, 40, 50]),
            output_tokens=np.array([0, 0, 0, 0, 7]),
        )
    )
    assert told["interarrival_cv"] == pytest.approx((3.2675 / 3) ** 0.5 / 0.875, rel=1e-12)
    assert told["span_s"] == 3.5
    assert told["input"] == pytest.approx({"mean": 30, "p50": 30, "p95": 48, "p99": 49.6, "max": 50})
    assert told["output"] == pytest.approx({"mean": 1.4, "p50": 0, "p95": 5.6, "p99": 6.72, "max": 7})
    assert told["dispersion"] == {"1s": 7 / 4, "10s": None, "60s": None, "300s": None}


def test_the_window_the_last_call_opens_is_left_out() -> None:
    assert dispersion(ns_of(0, 1, 2), 1) == 0.0  # one call in each of two whole windows
    assert dispersion(ns_of(0, 1, 1.999999999), 1) is None  # one whole window only
    assert dispersion(ns_of(0, 0.999999999, 2), 1) == 2.0  # 2 and 0: mean 1, variance 2


def test_evenly_spaced_calls_have_no_dispersion_and_no_variation() -> None:
    told = describe(trace_of(np.arange(0, 3601 * NS, NS // 4, dtype=np.int64)))
    assert told["dispersion"] == {"1s": 0.0, "10s": 0.0, "60s": 0.0, "300s": 0.0}
    assert told["interarrival_cv"] == 0.0


def test_a_century_between_calls_costs_no_memory() -> None:
    # n windows of which the first alone holds a call: index (n x 1 - 1) / ((n - 1) x 1) = 1.
    assert dispersion(ns_of(0, 3_000_000_000), 1) == 1.0


@pytest.mark.parametrize("seconds", [(0,), (0, 5), (0, 0, 0)])
def test_what_too_few_calls_cannot_tell_is_none(seconds: tuple[float, ...]) -> None:
    told = describe(trace_of(ns_of(*seconds)))
    assert told["rows"] == len(seconds)
    assert told["interarrival_cv"] is None
    assert told["dispersion"]["10s"] is None
    assert told["input"] == {"mean": 1.0, "p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1}


def test_one_row_is_a_trace(tmp_path: Path) -> None:
    told = describe(read_trace(written(tmp_path / "log.csv", [(0, 12, 3)])))
    assert (told["rows"], told["span_s"], told["input_tokens"], told["output_tokens"]) == (1, 0.0, 12, 3)
    assert told["interarrival_cv"] is None
    assert set(told["dispersion"].values()) == {None}


def test_the_largest_count_is_read_and_summed_exactly(tmp_path: Path) -> None:
    told = describe(read_trace(written(tmp_path / "log.csv", [(0, MOST_TOKENS, 0)] * 5)))
    assert told["input_tokens"] == 5 * (2**31 - 1)


@given(
    gaps=st.lists(st.integers(0, 4 * NS), min_size=1, max_size=60).filter(lambda gaps: sum(gaps) >= 2 * NS),
    window_s=st.sampled_from([1, 2, 5]),
)
@example(gaps=[NS, NS], window_s=1)
def test_dispersion_is_the_variance_over_the_mean_of_counts(gaps: list[int], window_s: int) -> None:
    stamps = np.cumsum([0, *gaps], dtype=np.int64)
    counts = [0] * (sum(gaps) // (window_s * NS))
    for ns in stamps.tolist():
        if ns // (window_s * NS) < len(counts):
            counts[ns // (window_s * NS)] += 1
    if len(counts) < 2:
        assert dispersion(stamps, window_s) is None
    else:
        expected = np.var(counts, ddof=1) / np.mean(counts)
        assert dispersion(stamps, window_s) == pytest.approx(expected, rel=1e-9, abs=1e-12)


ROWS = st.lists(
    st.tuples(st.integers(0, 86_400 * NS - 1), st.integers(0, MOST_TOKENS), st.integers(0, MOST_TOKENS)),
    min_size=1,
    max_size=40,
)


@given(rows=ROWS, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_and_sums_are_exact(
    rows: list[tuple[int, int, int]], random: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("drawn") / "log.csv"
    told = describe(read_trace(written(path, rows)))
    random.shuffle(rows)
    assert describe(read_trace(written(path, rows))) == told
    stamps, read, wrote = zip(*rows, strict=True)
    assert (told["rows"], told["input_tokens"], told["output_tokens"]) == (len(rows), sum(read), sum(wrote))
    assert told["span_s"] == (max(stamps) - min(stamps)) / NS


GOOD = "2023-11-16 18:17:03.9799600,4808,10"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\r\n\n", "empty"),
        (HEADER, "a header and no row"),
        (HEADER + "\r\n", "a header and no row"),
        (f"time,in,out\n{GOOD}", HEADER),
        (f"TIMESTAMP;ContextTokens;GeneratedTokens\n{GOOD}", HEADER),
        (f"{HEADER},ContextTokens\n{GOOD},4", "each once"),
        (GOOD, HEADER),
        (b"\x7fELF\x02\x01\x00\x00", "binary"),
        (f"{HEADER}\n{GOOD}".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n{GOOD}".encode("utf-16-le"), "binary"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,4808", "line 3, the last: .* 2 fields instead of 3"),
        (f"{HEADER}\n{GOOD}\n2023-11", "line 3, the last: .* 1 field instead of 3"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,4808,", "line 3, the last: GeneratedTokens is ''"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,48 08,1\n{GOOD}", "line 3: ContextTokens is '48 08'"),
        (f"{HEADER}\n{GOOD},1\n{GOOD}", "line 2: .* 4 fields instead of 3"),
        (f"{HEADER}\r\n{GOOD}\r\n\r\n2023-11-16 18:17:04,-1,4\r\n{GOOD}", "line 4: ContextTokens is '-1'"),
        (f"{HEADER}\n2023-11-16 18:17:04,1,-2\n{GOOD}", "line 2: GeneratedTokens is '-2'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1.5,2\n{GOOD}", "line 3: ContextTokens is '1.5'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1e3,2\n{GOOD}", "line 3: ContextTokens is '1e3'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1,NaN\n{GOOD}", "line 3: GeneratedTokens is 'NaN'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1,NULL\n{GOOD}", "line 3: GeneratedTokens is 'NULL'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1,{2**31}\n{GOOD}", "line 3: GeneratedTokens is '2147483648'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04,1,{10**30}\n{GOOD}", "line 3: GeneratedTokens is '1000"),
        (f"{HEADER}\n{GOOD}\nyesterday,1,2\n{GOOD}", "line 3: TIMESTAMP is 'yesterday'"),
        (f"{HEADER}\n{GOOD}\n,1,2\n{GOOD}", "line 3: TIMESTAMP is ''"),
        (f"{HEADER}\n{GOOD}\nNaN,1,2\n{GOOD}", "line 3: TIMESTAMP is 'NaN'"),
        (f"{HEADER}\n{GOOD}\n1700158623,1,2\n{GOOD}", "line 3: TIMESTAMP is '1700158623'"),
        (f"{HEADER}\n2023-02-29 18:17:04,1,2\n{GOOD}", "line 2: TIMESTAMP is '2023-02-29 18:17:04'"),
        (f"{HEADER}\n9999-02-28 18:17:04,1,2\n{GOOD}", "line 2: TIMESTAMP is '9999-02-28 18:17:04'"),
        (f"{HEADER}\n16/11/2023 18:17,1,2\n{GOOD}", "line 2: TIMESTAMP is '16/11/2023 18:17'"),
        (f"{HEADER}\n{GOOD}\n2023-11-16 18:17:04+00:00,1,2\n", "line 3, the last: TIMESTAMP .* without a zone"),
        (f"{HEADER}\n2023-11-16 18:17:04+00:00,1,2\n{GOOD}", "line 3, the last: TIMESTAMP .* with a zone"),
        (f"{HEADER}\n{GOOD}\n".encode() + b"2023-11-16 18:17:04,\xff\xfe,2\n", "line 3, the last: ContextTokens"),
        (f"{HEADER}\n{GOOD}\n" + "1" * 2_000_000 + f"\n{GOOD}", "line 3: longer than a million characters"),
        (f"{HEADER}\n1823-11-16 18:17:04,1,2\n{GOOD}", "from 1823-11-16 to 2023-11-16; a trace spans at most 100"),
        (f"{HEADER}\n1700-11-16 18:17:04,1,2\n2250-01-01,1,2", "from 1700-11-16 to 2250-01-01"),
        (b"\x1f\x8b\x08 not really gzip", "cannot be read"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode())[:-9], "cannot be read"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode()) + b"and more", "cannot be read"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_sentence(content: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said) as refused:
        read_trace(path)
    sentence = str(refused.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 260


@pytest.mark.parametrize("fault", ["2023-11-16 18:17:04,-5,2", "2023-11-16 18:17:04,x,2", "2023-11-16 18:17:04,5"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_fault_far_down_is_told_by_its_line_in_an_editor(fault: str, packed: bool, tmp_path: Path) -> None:
    lines = [HEADER, "", *[GOOD] * 70_000, fault, *[GOOD] * 1_000]
    content = "\r\n".join(lines).encode()
    path = tmp_path / "log.csv"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    with pytest.raises(InputError, match=f"line {lines.index(fault) + 1}: "):
        read_trace(path)


def test_a_gzip_file_cut_off_or_damaged_far_down_is_refused(tmp_path: Path) -> None:
    packed = (AZURE / "AzureLLMInferenceTrace_conv.csv.gz").read_bytes()
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 255
    for content in (packed[: len(packed) // 2], packed[:-4], bytes(damaged)):
        (tmp_path / "log.csv.gz").write_bytes(content)
        with pytest.raises(InputError, match=r"log\.csv\.gz") as refused:
            read_trace(tmp_path / "log.csv.gz")
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.csv", "no such file"),
        ("", "a folder"),
        ("nul\0.csv", "no such file"),
        ("l" * 4000, r"cannot be read \("),
    ],
)
def test_a_path_that_is_no_file_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_trace(tmp_path / name)


def test_a_device_that_never_ends_is_refused() -> None:
    with pytest.raises(InputError, match="device"):
        read_trace(os.devnull)


def test_the_arrays_of_a_trace_cannot_be_written_to(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path / "log.csv", [(0, 1, 1), (5, 2, 2)]))
    for array in (trace.stamps_ns, trace.input_tokens, trace.output_tokens):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9


@pytest.mark.parametrize(
    ("stamps", "read", "wrote", "said"),
    [
        ([], [], [], "at least 1"),
        ([0, 1], [1], [1, 1], "one length"),
        ([0, 1], [1.0, 1.0], [1, 1], "int64"),
        ([1, 2], [1, 1], [1, 1], "begin at 0"),
        ([0, 2, 1], [1, 1, 1], [1, 1, 1], "never fall"),
        ([0, 1], [1, 1], [1, -1], "fewer than 0"),
    ],
)
def test_a_trace_checks_itself(stamps: list[int], read: list[int], wrote: list[int], said: str) -> None:
    columns = [np.array(column, dtype=None if column else np.int64) for column in (stamps, read, wrote)]
    with pytest.raises(ValueError, match=said):
        Trace(source="x", first_ns=0, stamps_ns=columns[0], input_tokens=columns[1], output_tokens=columns[2])
