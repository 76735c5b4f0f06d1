"""Every change of sign of a function that is dear to ask once and cheap to ask at many points at once.

A scan finds the brackets; each is then narrowed by cutting it into many pieces at once, until it is a billionth wide.
What still differs there by more than a smooth cost could is a jump, the rest is a root.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.studies.scanpoints import WIDTH

Array = NDArray[np.float64]

PIECES = 128
"""Equal pieces into which every bracket is cut at once."""
CLOSER = 40
"""Points on either side of where a straight line would have its root, each half as far from it as the one before."""
EQUAL = 1e-12
"""Relative difference below which two costs are the same number."""
BEYOND_USD = 1e15
"""What an option that cannot serve the calls is taken to cost: more than any that can."""
LEAP = 1e-6
"""Relative difference across a bracket narrowed to WIDTH above which the change is a jump: a thousand times what the
steepest smooth bill, one proportional to the dial, could move there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A narrowed change of sign: where, whether it jumps, and the sign of the difference on either side."""

    at: float
    jump: bool
    below: int
    above: int


Turns: TypeAlias = Generator[Array, tuple[Array, Array], tuple[list[Change], NDArray[np.int64]]]
"""Asks for a difference and the scale it is judged by at points, and finds its changes of sign."""


def sign_changes(
    difference: Callable[[Array], tuple[Array, Array]], points: Array, whole: bool = False, width: float = WIDTH
) -> tuple[list[Change], NDArray[np.int64]]:
    """Every change of sign of a difference over rising points, and its sign at every point.

    Args:
        difference: maps points (n,) to the difference and the scale it is judged by, both (n,).
        points: where to look first, rising.
        whole: whether only whole numbers lie between the points.
        width: relative width to which a change is narrowed.

    Returns:
        The changes from left to right, and the sign (-1, 0 or 1) of the difference at every point (n,).

    >>> found, _ = sign_changes(lambda x: (x**2 - 2.0, x**2 + 2.0), np.linspace(0.0, 3.0, 7))
    >>> [(round(change.at, 8), change.jump) for change in found]
    [(1.41421356, False)]
    >>> step, signs = sign_changes(lambda x: (np.where(x < 2, -1.0, 3.0), 0.0 * x + 4.0), np.array([0.0, 1.5, 3.0]))
    >>> [(round(change.at, 8), change.jump) for change in step], signs.tolist()
    ([(2.0, True)], [-1, -1, 1])
    """
    search = turns(points, whole, width)
    asked = next(search)
    while True:
        try:
            asked = search.send(difference(asked))
        except StopIteration as stop:
            found: tuple[list[Change], NDArray[np.int64]] = stop.value
            return found


def turns(points: Array, whole: bool, width: float = WIDTH) -> Turns:
    """The search of `sign_changes`: asks for the difference and its scale at points, until every turn is narrow."""
    value, scale = yield points
    signs = _signs(value, scale)
    apart = np.flatnonzero(signs)
    turns = apart[:-1][signs[apart[:-1]] != signs[apart[1:]]]
    after = apart[1:][signs[apart[:-1]] != signs[apart[1:]]]
    low, high = points[turns], points[after]
    ends, scales = np.stack([value[turns], value[after]]), np.stack([scale[turns], scale[after]])
    below, above = signs[turns], signs[after]
    smallest = 1.0 if whole else 0.0
    while len(low) and np.any(high - low > np.maximum(width * np.maximum(np.abs(low), np.abs(high)), smallest)):
        grid = _cuts(low, high, ends)
        if whole:
            grid = np.round(grid)
        value, scale = (found.reshape(grid.shape) for found in (yield grid.ravel()))
        inside = _signs(value, scale)
        inside[:, 0], inside[:, -1] = below, above
        turned = np.argmax(inside == above[:, None], axis=1)  # the first point with the sign of the far side
        rows = np.arange(len(low))
        pair = (rows, turned - 1), (rows, turned)
        if np.array_equal(grid[pair[0]], low) and np.array_equal(grid[pair[1]], high):
            break
        low, high = grid[pair[0]], grid[pair[1]]
        ends, scales = np.stack([value[at] for at in pair]), np.stack([scale[at] for at in pair])
    leap = np.abs(ends[1] - ends[0]) > LEAP * scales.max(axis=0)
    middle = np.where(leap, high, (low + high) / 2)
    found = [
        Change(at=float(at), jump=bool(jump), below=int(b), above=int(a))
        for at, jump, b, a in zip(middle, leap, below, above, strict=True)
    ]
    return found, signs


def _cuts(low: Array, high: Array, ends: Array) -> Array:
    """Rising points within each bracket, (brackets, n), both its ends among them.

    Evenly, and ever closer to the root of the straight line between the ends: a smooth root is so found in two rounds,
    a jump in a few more.
    """
    apart = ends[1] - ends[0]
    root = np.clip(-ends[0] / np.where(apart == 0.0, 1.0, apart), 0.0, 1.0)[:, None]
    near = 0.5 ** np.arange(1.0, CLOSER + 1.0)
    even = np.broadcast_to(np.linspace(0.0, 1.0, PIECES + 1), (len(low), PIECES + 1))
    parts = np.concatenate([even, root, root - near, root + near], axis=1)
    return np.asarray(low[:, None] + (high - low)[:, None] * np.sort(np.clip(parts, 0.0, 1.0), axis=1))


def _signs(value: Array, scale: Array) -> NDArray[np.int64]:
    return np.where(np.abs(value) <= EQUAL * scale, 0, np.sign(value)).astype(np.int64)
