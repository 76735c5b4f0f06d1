"""Takes a usage log apart into its records, be it CSV, lines of JSON, or one JSON document."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pricing.errors import InputError
from simulator.formats import many
from simulator.intake.lines import lines_of


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and keys of every record: lines of JSON, one JSON document, or CSV rows under a header."""
    source = lines_of(path)
    first = next(((number, line) for number, line in source if line.strip()), None)
    if first is None:
        return
    number, line = first
    if line.lstrip()[0] not in "{[":
        header = next(csv.reader([line]))
        for mark, marks in ((";", "semicolons"), ("\t", "tabs")):
            if len(next(csv.reader([line], delimiter=mark))) > len(header):
                between = f"has {marks} between its columns; save it with commas, and with points in numbers"
                raise InputError(f"{path}: line {number}: {between}")
        csv.field_size_limit(2**25)                                     # a logged prompt may stand in a cell
        rows = csv.reader(text + "\n" for _, text in source)            # and may hold line ends
        before = number
        try:
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    fields = f"{many(len(cells), 'field')} instead of {len(header)}"
                    raise InputError(f"{path}: line {before + rows.line_num}: {fields}; was the file cut off?")
                yield before + rows.line_num, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            where = f"{path}: line {before + rows.line_num}"
            raise InputError(f"{where}: {error}; is a quotation mark not closed?") from None
        return
    try:
        whole = _loaded(line)
    except ValueError:
        text = "\n".join([line, *(rest for _, rest in source)])
        try:
            whole = _loaded(text)
        except ValueError as error:
            raise InputError(f"{path}: line {number}: not JSON ({error})") from None
        yield from ((number, one) for one in _unfolded(whole))
        return
    yield from ((number, one) for one in _unfolded(whole))
    for number, line in source:
        if line.strip():
            try:
                yield from ((number, one) for one in _unfolded(_loaded(line)))
            except ValueError as error:
                raise InputError(f"{path}: line {number}: not JSON ({error}); was the file cut off?") from None


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unfolded(whole: Any) -> Iterator[dict[str, Any]]:
    """The records inside lists, pages, time buckets and OpenTelemetry resource spans, however deep they stand."""
    nodes = [whole]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += reversed(node)
        elif isinstance(node, dict):
            if isinstance(node.get("results"), list) and "start_time" in node:  # a bucket of OpenAI's usage API
                yield from ({"start_time": node["start_time"], **one} for one in node["results"])
            elif inner := next((node[key] for key in ("data", "resourceSpans", "scopeSpans", "spans")
                                if isinstance(node.get(key), list)), None):
                nodes.append(inner)
            else:
                yield node
