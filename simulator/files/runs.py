"""Runs on disk, so that runs of another machine can join: arrays as they are, all else as JSON, and no code."""

from __future__ import annotations

import dataclasses
import io
import json
import types
import typing
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.findings import VERSION
from simulator.domain.played import Runs
from simulator.files.results import why_not, write_whole

FORMAT = "tunepoint runs 1"
_TOLD = "told"
"""The entry that says everything but the arrays, which stand beside it by number."""


def write_runs(path: Path, runs: Runs) -> None:
    """Write runs to a file, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    arrays: list[NDArray[Any]] = []
    told = {"format": FORMAT, "version": VERSION, "runs": _plain(runs, arrays)}
    out = io.BytesIO()
    entries: dict[str, Any] = {str(place): array for place, array in enumerate(arrays)}
    entries[_TOLD] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    np.savez_compressed(out, **entries)
    try:
        write_whole(path, out.getvalue())
    except OSError as error:
        raise InputError(f"{path}: {why_not(error)}") from None


def read_runs(path: Path) -> Runs:
    """Runs that `write_runs` has written, to the last bit.

    Raises:
        InputError: there is no such file, it holds no runs, or another version of this program played them.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            told = json.loads(kept[_TOLD].tobytes())
            if told["format"] != FORMAT:
                raise ValueError(told["format"])
            if told["version"] != VERSION:
                raise InputError(
                    f"{path}: played by version {told['version']} of this program, and this is {VERSION}, "
                    f"whose numbers may differ; play these runs again"
                )
            runs: Runs = _typed(Runs, told["runs"], kept)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write one with compare --engine simulated --save-runs") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, TypeError, KeyError, EOFError, AttributeError, zipfile.BadZipFile):
        raise InputError(f"{path}: holds no runs; write it with compare --engine simulated --save-runs") from None
    return runs


def _plain(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return len(arrays) - 1
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name), arrays) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner, arrays) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner, arrays) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def _typed(kind: Any, node: Any, arrays: Mapping[str, Any]) -> Any:
    """What a plain value is, by the type of the field it stands in."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if node is None else _typed(next(one for one in inner if one is not type(None)), node, arrays)
    if origin is np.ndarray:
        return arrays[str(node)]
    if dataclasses.is_dataclass(origin):
        hints = typing.get_type_hints(origin)
        return origin(**{key: _typed(hints[key], one, arrays) for key, one in node.items()})  # type: ignore[operator]
    if origin is Mapping:
        return {key: _typed(inner[1], one, arrays) for key, one in node.items()}
    if origin is tuple:
        return tuple(_typed(inner[0], one, arrays) for one in node)
    if origin is date:
        return date.fromisoformat(node)
    if origin is not typing.Literal and not isinstance(node, origin):
        raise TypeError(f"{node!r} is no {origin}")
    return node
