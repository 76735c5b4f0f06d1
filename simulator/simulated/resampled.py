"""Draws the lengths of calls from the pairs of a log, input and output of one call together.

Twin of `expected/resampled.py`, class *exact* for the shares of a band, *unbiased* for what is drawn from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.simulated.footprint import Moments

Array = NDArray[np.float64]
WHOLE = 1e-9
"""Tokens by which a scaled length may miss a whole number and still not be above it."""


def relative(column: ArrayLike) -> Array:
    """Lengths relative to their mean; all alike where there are none."""
    values = np.asarray(column, dtype=float)
    mean = values.mean()
    return values / mean if mean > 0 else np.ones_like(values)


def pair_moments(
    inputs: Array,
    outputs: Array,
    fixed: ArrayLike,
    mean_input: ArrayLike,
    mean_output: ArrayLike,
    thresholds: tuple[float, ...] = (),
) -> Moments:
    """Moments of the lengths by band, over the pairs of a log.

    Args:
        inputs: relative to their mean, (pairs,).
        outputs: the same.
        fixed: tokens before the caller's input, (rows,) or a number, as all that follow.
        mean_input: tokens of the caller's input, to which the pairs are scaled.
        mean_output: tokens written.
        thresholds: prompt tokens above which each next band begins.

    >>> found = pair_moments(np.array([0.5, 1.5]), np.array([1.5, 0.5]), 0, 200, 20, (200,))
    >>> found.share.ravel().tolist(), found.output.ravel().tolist()
    ([0.5, 0.5], [30.0, 10.0])
    """
    columns = np.stack(np.broadcast_arrays(*(np.ravel(np.asarray(x, float)) for x in (fixed, mean_input, mean_output))))
    alike, rows = np.unique(columns, axis=1, return_inverse=True)
    found = np.zeros((6, len(thresholds) + 1, alike.shape[1]))
    for place, (before, mean_in, mean_out) in enumerate(alike.T.tolist()):
        x, y = mean_in * inputs, mean_out * outputs
        tier = np.searchsorted(np.asarray(thresholds, dtype=float), before + x - WHOLE, side="left")
        for band in range(len(thresholds) + 1):
            own = tier == band if thresholds else slice(None)
            of_x, of_y = x[own], y[own]
            if len(of_x):
                covariance = np.mean((of_x - of_x.mean()) * (of_y - of_y.mean()))
                found[:, band, place] = (
                    len(of_x) / len(x), of_x.mean(), of_y.mean(), of_x.var(), of_y.var(), covariance,
                )  # fmt: skip
    share, input, output, input_var, output_var, covariance = found[:, :, np.ravel(rows)]
    return Moments(
        share=share, input=input, output=output, input_var=input_var, output_var=output_var, covariance=covariance
    )
