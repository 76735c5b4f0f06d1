"""A dial describes a tunable input once: slider, `--set`, sweep axis and chart axis read the same line."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Dial:
    """Label, unit and range of an input.

    `low` and `high` span sliders and scans; `least` and `most` are what the input may ever be.
    `default_from` says where the default comes from, and is shown beside it.
    """

    label: str
    unit: str
    low: float
    high: float
    scale: Scale = "linear"
    least: float = 0.0
    most: float = math.inf
    whole: bool = False
    default_from: str = ""

    def problem(self, name: str, value: float) -> str | None:
        """Why `value` cannot stand here, as a sentence, or None."""
        if self.least <= value <= self.most:
            return None
        unit = f" ({self.unit})" if self.unit else ""
        if self.most == math.inf:
            return f"{name} is {value:g}; it must be at least {self.least:g}{unit}"
        return f"{name} is {value:g}; it must lie between {self.least:g} and {self.most:g}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialAt:
    """A dial of one scenario: where it is and what it reads."""

    path: str
    dial: Dial
    value: float


@functools.lru_cache(maxsize=64)
def dials_of(kind: type) -> dict[str, Dial]:
    """The dials declared on the fields of a dataclass, by field name."""
    found: dict[str, Dial] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for extra in getattr(hint, "__metadata__", ()):
            if isinstance(extra, Dial):
                found[name] = extra
    return found


def check_dials(owner: object) -> None:
    """Raise ValueError for the first dial of a dataclass that stands outside what it may ever be.

    A dial on a field of numbers by name (wages, typed amounts) holds for each of them.
    """
    kind: Any = type(owner)
    for name, dial in dials_of(kind).items():
        value = getattr(owner, name)
        each = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, Mapping) else {name: value}
        for where, one in each.items():
            if one is not None and (problem := dial.problem(where, one)):
                raise ValueError(problem)


def walk_dials(node: Any, path: str = "") -> Iterator[DialAt]:
    """Every dial below a dataclass or mapping that has a value, with its dotted path."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        own = dials_of(type(node))
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            here = f"{path}.{field.name}" if path else field.name
            if field.name in own and isinstance(value, Mapping):
                for key, one in value.items():
                    yield DialAt(path=f"{here}.{key}", dial=own[field.name], value=float(one))
            elif field.name in own and value is not None:
                yield DialAt(path=here, dial=own[field.name], value=float(value))
            elif field.name not in own:
                yield from walk_dials(value, here)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from walk_dials(value, f"{path}.{key}" if path else str(key))
