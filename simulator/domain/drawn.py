"""A scenario seen with some of its dials replaced by arrays: one value per draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from pricing.nearest import nearest
from simulator.domain.dials import Dial, dials_of, walk_dials

Draws = Mapping[str, NDArray[np.float64]]

STRUCTURAL = ("horizon_days", "ready_after_days", "retrain_every_days", "max")
"""Dials that move days or counts of steps: draws that share their values are run together."""
BY_DAY = ("workload.growth_per_month", "hours_per_month", "workload.cap_per_s")
"""Dials that change the shape of the days: drawn, they cost an array of draws by days."""


class Drawn:
    """Attribute and item access like the node itself, but a drawn dial reads as its array of shape (D,).

    Scenario objects hold numbers only (arrays would break `==` and digests), so draws lie beside them.
    Parts without a drawn dial are handed out as they are.
    """

    __slots__ = ("_below", "_node")

    def __init__(self, node: Any, draws: Draws) -> None:
        """`draws` maps dotted paths below `node` to arrays."""
        self._node = node
        self._below: dict[str, Any] = {}
        for path, values in draws.items():
            *above, last = path.split(".")
            level = self._below
            for key in above:
                level = level.setdefault(key, {})
            level[last] = values

    @classmethod
    def _inside(cls, node: Any, below: dict[str, Any]) -> Drawn:
        part = cls(node, {})
        part._below = below
        return part

    def row(self, number: int) -> Drawn:
        """The view of one draw alone, its dials arrays of one value."""

        def one(level: dict[str, Any]) -> dict[str, Any]:
            return {
                key: one(part) if isinstance(part, dict) else part[number : number + 1] for key, part in level.items()
            }

        return Drawn._inside(self._node, one(self._below))

    def __getattr__(self, name: str) -> Any:
        below = self._below.get(name)
        if below is None:
            return getattr(self._node, name)
        return Drawn._inside(getattr(self._node, name), below) if isinstance(below, dict) else below

    def __getitem__(self, name: str) -> Any:
        below = self._below.get(name)
        if below is None:
            return self._node[name]
        return Drawn._inside(self._node[name], below) if isinstance(below, dict) else below


def is_structural(path: str) -> bool:
    """Whether a dial moves days or counts of steps, so that only draws of one value run together.

    >>> is_structural("options.tuned.retries.max"), is_structural("workload.calls_per_day")
    (True, False)
    >>> is_structural("options.own.fleet.load_s"), is_structural("options.own.fleet.replicas.max")
    (True, False)
    """
    if path.startswith("options.") and (".fleet." in path or ".serving." in path):
        return ".fleet.replicas." not in path
    return path.rsplit(".", 1)[-1] in STRUCTURAL or path.startswith(("workload.demand.", "workload.events."))


def find_dial(scenario: Any, path: str) -> Dial:
    """The dial at a dotted path.

    Raises:
        InputError: no such dial, or it has no value here; the nearest is named.
    """
    node: Any = scenario
    found: Dial | None = None
    for key in path.split("."):
        kind: Any = type(node)
        if isinstance(node, Mapping):
            node = node.get(key)
        else:
            own = dials_of(kind) if hasattr(kind, "__dataclass_fields__") else {}
            settled = key in getattr(node, "settled", ())
            found, node = (None, None) if settled else (own.get(key), getattr(node, key, None))
    if found is None or node is None or isinstance(node, Mapping):
        known = [at.path for at in walk_dials(scenario)]
        raise InputError(f'"{path}" is no dial of this scenario{nearest(path, known)}')
    return found


def value_at(scenario: Any, path: str) -> float:
    """What the dial at a dotted path reads.

    Raises:
        InputError: no such dial; the nearest is named.
    """
    find_dial(scenario, path)
    node: Any = scenario
    for key in path.split("."):
        node = node[key] if isinstance(node, Mapping) else getattr(node, key)
    return float(node)


def check_draws(scenario: Any, draws: Draws) -> int:
    """The number of draws D; every path must be a dial of the scenario and every value possible there.

    Raises:
        InputError: an unknown dial (the nearest is named), unequal lengths, or a value out of bounds.
    """
    lengths = {len(values) for values in draws.values()}
    if len(lengths) > 1:
        raise InputError(f"draws differ in length: {sorted(lengths)}")
    for path, values in draws.items():
        dial = find_dial(scenario, path)
        bad = ~((values >= dial.least) & (values <= dial.most))
        if bad.any():
            raise InputError(dial.problem(path, float(values[bad][0])) or f"{path} has a value that is not a number")
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
        return {
            key: with_dials(inner, below[key]) if key in below else here.get(key, inner) for key, inner in node.items()
        }
    changes = {name: with_dials(getattr(node, name), inner) for name, inner in below.items()}
    return dataclasses.replace(node, **here, **changes)


def checked_seed(seed: int) -> int:
    """The seed; InputError where it is negative or longer than 64 bits."""
    if 0 <= seed < 2**64:
        return seed
    raise InputError(f"seed is {seed}; it must be a whole number from 0 to 2^64 - 1")
