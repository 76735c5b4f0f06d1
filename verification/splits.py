"""Which rows of `data/throughput.csv` the parameters of a card were fitted on, and which were held out, as a table.

`docs/serving.md` holds that table; `tests/test_serving_docs.py` keeps it what is said here and in the shipped profiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pricing.load_serving import shipped_serving
from verification.throughput import Row, read_rows

KERNELS = "kernels of Llama-3.1-8B timed one by one on such a card"
MATMULS = "matmuls of Llama-3-8B on an A100 in Vidur's profile"
MIDDLE = "the default"
NO_ROW = {"RTX 4090": KERNELS, "A100 80GB SXM": MATMULS, "A100 40GB SXM": MATMULS, "H100 PCIe": MIDDLE}
"""Cards whose parameters come from no row, and from where instead."""
FITTED = {
    "H100 SXM": "a fit of all four parameters",
    "A40": "a fit of the bandwidth share; else the default",
}
STREAM = "a fit of the bandwidth share"
LLAMAS = {"Llama-3-8B": "llama-3.1-8b", "Llama-3-70B": "llama-3.3-70b"}  # the same shapes
SIXTEEN = ("fp16", "bf16")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows of one card and precision (of llama.cpp: and model) that share their parameters."""

    kind: str
    gpu: str
    fitted: tuple[Row, ...]
    held_out: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(sorted((*self.fitted, *self.held_out), key=lambda row: row.number))

    @property
    def parameters_from(self) -> str:
        return STREAM if self.kind == "single stream" else NO_ROW.get(self.gpu) or FITTED[self.gpu]


def splits() -> list[Split]:
    """Every row that can be judged, once: fitted, or held out."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in read_rows():
        if row.why_not() is None:
            alone = row.kind == "single stream"
            key = (row.kind, row.gpu, row.model, row.precision) if alone else ("served", row.gpu, row.precision)
            groups.setdefault(key, []).append(row)
    found = []
    for (kind, gpu, *_), rows in groups.items():
        if kind == "single stream":
            fitted = [row for row in rows if row.output == 1024]
        else:
            fitted = [] if gpu in NO_ROW else rows[::2]
        held_out = tuple(row for row in rows if row not in fitted)
        found.append(Split(kind=kind, gpu=gpu, fitted=tuple(fitted), held_out=held_out))
    return found


def profile_of(row: Row) -> str:
    """The shipped profile that a row speaks for: its engine, card and precision, of vLLM whatever the model."""
    card, engine = row.gpu.lower().replace(" ", "-"), row.engine.lower()
    if engine == "llama.cpp":
        return f"{engine}/{card}/{LLAMAS[row.model]}/{row.precision.removeprefix('gguf-')}"
    precision = "bf16" if row.precision in SIXTEEN else row.precision
    if engine == "vllm":
        return f"{engine}/{card}/{'qwen3-8b' if row.gpu == 'H100 SXM' else 'llama-3.1-8b'}/{precision}"
    return f"{engine}/{card}/{row.model.lower()}/{precision}"


def told() -> Iterator[str]:
    """The table of `docs/serving.md`, a line for each shipped profile that was measured."""
    yield "| profile | parameters from | fitted on | held out | error of these |"
    yield "|---|---|---|---|---|"
    by_profile: dict[str, list[tuple[Split, Row]]] = {}
    for split in splits():
        for row in split.rows:
            by_profile.setdefault(profile_of(row), []).append((split, row))
    for engine, serving in sorted(shipped_serving().items(), reverse=True):
        for name, profile in serving.profiles.items():
            rows = by_profile.get(f"{engine}/{name}", [])
            fitted = [row.number for split, row in rows if row in split.fitted]
            held_out = [row.number for split, row in rows if row in split.held_out]
            source = rows[0][0].parameters_from
            error = "" if profile.error_share is None else f"{100 * profile.error_share:.1f} %"
            yield f"| {engine}/{name} | {source} | {_lines(fitted)} | {_lines(held_out)} | {error} |"


def _lines(numbers: list[int]) -> str:
    """Line numbers, runs of equal steps drawn together.

    >>> _lines([3, 5, 7, 9, 20, 21]), _lines([])
    ('3, 5 .. 9, 20, 21', 'no row')
    """
    if not numbers:
        return "no row"
    found: list[str] = []
    at = 0
    while at < len(numbers):
        step = numbers[at + 1] - numbers[at] if at + 1 < len(numbers) else 0
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] - numbers[end] == step:
            end += 1
        if end - at >= 3:
            found += [str(numbers[at]), f"{numbers[at + 1]} .. {numbers[end]}"]
            at = end + 1
        else:
            found.append(str(numbers[at]))
            at += 1
    return ", ".join(found)
