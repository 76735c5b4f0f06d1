"""Spreads the calls of a log over length tiers: partial sums over its own pairs of input and output.

Twin of the moments in `simulated/resampled.py`, class *exact* (a sum over the same pairs).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
WHOLE = 1e-9
"""Tokens by which a scaled length may miss a whole number and still not be above it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Calls of a log in order of input, relative to its mean; shares of calls, input and output from each one on.

    The shares have shape (rows + 1,): of all calls first, of none last.
    """

    input: Array
    calls_from: Array
    input_from: Array
    output_from: Array

    @classmethod
    def of(cls, inputs: ArrayLike, outputs: ArrayLike) -> Pairs:
        """The pairs of a log, each as likely as any other.

        >>> Pairs.of([300, 100], [10, 30]).output_from.tolist()
        [1.0, 0.25, 0.0]
        """
        x, y = (relative(column) for column in (inputs, outputs))
        order = np.argsort(x)
        shares = [np.append(np.cumsum(column[::-1])[::-1], 0.0) for column in (np.ones(len(x)), x[order], y[order])]
        calls, read, written = (share / share[0] if share[0] else share for share in shares)
        return cls(input=x[order], calls_from=calls, input_from=read, output_from=written)


def relative(column: ArrayLike) -> Array:
    """Lengths relative to their mean; all alike where there are none."""
    values = np.asarray(column, dtype=float)
    mean = values.mean()
    return values / mean if mean > 0 else np.ones_like(values)


def pair_tier_shares(
    pairs: Sequence[Pairs], fixed: ArrayLike, mean_input: ArrayLike, thresholds: tuple[float, ...]
) -> tuple[list[Array], list[Array], list[Array]]:
    """How calls, input and output spread over length tiers, as `calls.tier_shares` says for typed lengths.

    Args:
        pairs: of the whole log, or of each period, (T,).
        fixed: tokens of a prompt before the caller's input, (D, 1).
        mean_input: tokens of the input, (D, 1) or (D, T): the pairs are scaled to it.
        thresholds: prompt tokens above which each next tier begins.

    >>> calls, inputs, outputs = pair_tier_shares([Pairs.of([100, 300], [30, 10])], 0, 200, (200,))
    >>> [float(share) for share in (calls[1].item(), inputs[1].item(), outputs[1].item())]
    [0.5, 0.75, 0.25]
    """
    before, mean = np.atleast_2d(np.asarray(fixed, dtype=float)), np.atleast_2d(np.asarray(mean_input, dtype=float))
    shape = np.broadcast_shapes(before.shape, mean.shape, (1, len(pairs)))
    before, mean = np.broadcast_to(before, shape), np.broadcast_to(mean, shape)
    one = np.ones(shape)
    above = [(one, one, one)]
    for threshold in thresholds:
        room = (threshold - before + WHOLE) / np.where(mean > 0, mean, 1.0)
        parts = np.empty((3, *shape))
        for period, law in enumerate(pairs):
            columns = slice(None) if len(pairs) == 1 else slice(period, period + 1)
            at = np.searchsorted(law.input, np.where(mean > 0, room, np.inf)[:, columns], side="right")
            for part, shares in zip(parts, (law.calls_from, law.input_from, law.output_from), strict=True):
                part[:, columns] = shares[at]
        above.append((parts[0], parts[1], parts[2]))
    above.append((0 * one, 0 * one, 0 * one))
    bands = [[low[k] - high[k] for low, high in itertools.pairwise(above)] for k in range(3)]
    return bands[0], bands[1], bands[2]
