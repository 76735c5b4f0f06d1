"""Pieces of a batch as one table, whatever axes and options each of its scenarios has."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.batch import OPTION_TOTAL, Batch, Piece
from simulator.domain.batch_points import NO_CHOICE, BatchPoints

CHOSEN = ("choice", "runner_up")


def batch_points(batch: Batch, parts: Iterable[tuple[Piece, bytes]]) -> BatchPoints:
    """The table of all pieces that are there, member by member and point by point.

    Args:
        batch: what they are pieces of.
        parts: pieces with their bytes, as `packed` makes them, in any order.
    """
    blocks = [
        _block(batch, piece, content)
        for piece, content in sorted(parts, key=lambda part: (part[0].member, part[0].first))
    ]
    names = dict.fromkeys(name for block in blocks for name in block)
    first = [name for name in names if not name.startswith(OPTION_TOTAL)]
    order = [*first, *(name for name in names if name not in first)]
    lengths = [len(block["scenario"]) for block in blocks]
    text = {name for block in blocks for name, values in block.items() if values.dtype == object}
    columns = {}
    for name in order or ["scenario"]:
        missing: Any = "" if name in text else math.nan
        kind = object if name in text else np.float64
        given = [
            block[name].astype(kind) if name in block else np.full(size, missing, dtype=kind)
            for block, size in zip(blocks, lengths, strict=True)
        ]
        columns[name] = np.concatenate(given) if given else np.zeros(0, dtype=object)
    return BatchPoints(columns=columns)


def _block(batch: Batch, piece: Piece, content: bytes) -> dict[str, NDArray[Any]]:
    """Columns of a piece: the scenario, its axes, then what was priced; words and days as objects."""
    import pyarrow as pa
    import pyarrow.parquet

    member = batch.members[piece.member]
    table = pa.parquet.read_table(pa.BufferReader(content))
    size = table.num_rows
    found = {"scenario": np.full(size, member.name, dtype=object)}
    for name in table.column_names:
        values = table[name].combine_chunks()
        if name in CHOSEN or pa.types.is_dictionary(values.type):
            found[name] = np.array([word or NO_CHOICE for word in values.to_pylist()], dtype=object)
        elif pa.types.is_boolean(values.type):
            found[name] = np.array(["yes" if so else "no" for so in values.to_pylist()], dtype=object)
        elif pa.types.is_string(values.type) or pa.types.is_date(values.type):
            found[name] = np.array(["" if word is None else str(word) for word in values.to_pylist()], dtype=object)
        elif name != "point":
            found[name] = values.fill_null(math.nan).to_numpy(zero_copy_only=False).astype(np.float64)
    return found
