"""A scenario seen with some of its dials replaced by arrays: one value per draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.load_checked import nearest
from simulator.domain.dials import walk_dials

Draws = Mapping[str, NDArray[np.float64]]


class Drawn:
    """Attribute and item access like the node itself, but a drawn dial reads as its array of shape (D,).

    Scenario objects hold numbers only (arrays would break `==` and digests), so draws lie beside them.
    """

    __slots__ = ("_draws", "_node", "_path")

    def __init__(self, node: Any, draws: Draws, path: str = "") -> None:
        self._node, self._draws, self._path = node, draws, path

    def __getattr__(self, name: str) -> Any:
        return self._at(getattr(self._node, name), name)

    def __getitem__(self, name: str) -> Any:
        return self._at(self._node[name], name)

    def _at(self, value: Any, name: str) -> Any:
        path = f"{self._path}.{name}" if self._path else name
        if path in self._draws:
            return self._draws[path]
        inside = dataclasses.is_dataclass(value) or isinstance(value, dict)
        return Drawn(value, self._draws, path) if inside and self._draws else value


def check_draws(scenario: Any, draws: Draws) -> int:
    """The number of draws D; every path must be a dial of the scenario and every value possible there.

    Raises:
        InputError: an unknown dial (the nearest is named), unequal lengths, or a value out of bounds.
    """
    known = {at.path: at.dial for at in walk_dials(scenario)}
    lengths = {len(values) for values in draws.values()}
    if len(lengths) > 1:
        raise InputError(f"draws differ in length: {sorted(lengths)}")
    for path, values in draws.items():
        if path not in known:
            raise InputError(f'"{path}" is no dial of this scenario{nearest(path, known)}')
        bad = ~((values >= known[path].least) & (values <= known[path].most))
        if bad.any():
            raise InputError(known[path].problem(path, float(values[bad][0])) or f"{path} has a value that is not a number")
    return lengths.pop() if lengths else 1


def with_dials(node: Any, values: Mapping[str, float]) -> Any:
    """A copy of a scenario (or any part of it) with the dials at dotted paths set to numbers.

    Raises:
        ValueError: a value the owner of the dial refuses.
    """
    here = {path: value for path, value in values.items() if "." not in path}
    below: dict[str, dict[str, float]] = {}
    for path, value in values.items():
        head, dot, tail = path.partition(".")
        if dot:
            below.setdefault(head, {})[tail] = value
    if isinstance(node, Mapping):
        return {key: with_dials(inner, below[key]) if key in below else here.get(key, inner) for key, inner in node.items()}
    changes = {name: with_dials(getattr(node, name), inner) for name, inner in below.items()}
    return dataclasses.replace(node, **here, **changes)
