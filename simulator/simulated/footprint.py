"""Draws the tokens of many calls at once: sums with the exact mean, variance and covariance of the calls' lengths.

Twin of `expected/footprint.py`, class *unbiased*. Input and output of a call are lognormals; a sum of many is drawn
as a pair of lognormals of its own two means, variances and covariance (Fenton, "The sum of log-normal probability
distributions", 1960), which is exact for one call and close to normal for many, and never negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of the calls of each length band: their share, and mean, variance and covariance of input and output.

    All have shape (bands, rows) or (bands, 1).
    """

    share: Array
    input: Array
    output: Array
    input_var: Array
    output_var: Array
    covariance: Array


def moments(
    fixed: ArrayLike,
    input: ArrayLike,
    output: ArrayLike,
    input_cv: ArrayLike,
    output_cv: ArrayLike,
    correlation: ArrayLike,
    thresholds: tuple[float, ...] = (),
) -> Moments:
    """Moments of the lengths by band; a call is in a band by its whole prompt, `fixed + input`.

    Args:
        fixed: tokens before the caller's input, (rows,) or a number, as all that follow.
        input: mean tokens of the caller's input.
        output: mean tokens written.
        input_cv: sd over mean of the input.
        output_cv: sd over mean of the output.
        correlation: of the logs of input and output.
        thresholds: prompt tokens above which each next band begins.

    With `X = exp(mu + s Z)`, a power `E[X^k; X > a] = E[X^k] Phi(depth + k s)`; the output's powers shift the
    depth by the covariance of the logs.

    >>> found = moments(0, 100, 10, 0.5, 0, 0, (100,))
    >>> float(found.share.sum()), round(float((found.share * found.input).sum()), 9)
    (1.0, 100.0)
    """
    columns = (np.atleast_1d(np.asarray(x, float)) for x in (fixed, input, output, input_cv, output_cv, correlation))
    before, mean_in, mean_out, cv_in, cv_out, rho = np.broadcast_arrays(*columns)
    log_in, log_out = np.log1p(cv_in**2), np.log1p(cv_out**2)
    tied = rho * np.sqrt(log_in * log_out)
    raw = (
        (np.ones_like(mean_in), 0.0 * tied),
        (mean_in, log_in),
        (mean_out, tied),
        (mean_in**2 * (1 + cv_in**2), 2 * log_in),
        (mean_out**2 * (1 + cv_out**2), 2 * tied),
        (mean_in * mean_out * np.exp(tied), log_in + tied),
    )
    edges = (-np.inf, *thresholds, np.inf)
    above = np.stack([[_above(edge - before, mean_in, log_in, whole, shift) for whole, shift in raw] for edge in edges])
    within = above[:-1] - above[1:]
    share = np.clip(within[:, 0], 0.0, 1.0)
    weight = np.where(share > 0, share, 1.0)
    x, y, xx, yy, xy = (np.where(share > 0, within[:, k] / weight, 0.0) for k in range(1, 6))
    return Moments(
        share=share,
        input=x,
        output=y,
        input_var=np.maximum(xx - x * x, 0.0),
        output_var=np.maximum(yy - y * y, 0.0),
        covariance=xy - x * y,
    )


def _above(room: Array, mean: Array, log_var: Array, whole: Array, shift: Array) -> Array:
    """The part of a moment that calls with an input above `room` make up; `shift` is its covariance with the log."""
    sd = np.sqrt(log_var)
    certain = np.where(mean > room, whole, 0.0)
    if np.all(np.isinf(room)) or not np.any(sd > 0):
        return certain
    from scipy.special import ndtr

    safe = np.where(sd > 0, sd, 1.0)
    with np.errstate(divide="ignore"):
        depth = (np.log(mean) - log_var / 2 - np.log(np.maximum(room, 0.0))) / safe
    return np.where((sd > 0) & (room > 0), whole * ndtr(depth + shift / safe), np.where(room <= 0, whole, certain))


def draw_sums(generator: Generator, lengths: Moments, count: Array, squares: Array) -> tuple[Array, Array]:
    """Sums of input and output over `count` attempts, by band and row.

    Args:
        generator: where the randomness comes from.
        lengths: moments by band.
        count: attempts, (bands, rows); a call tried again counts again.
        squares: sum over calls of the square of their attempts, (bands, rows): an attempt made again has the same
            length, so the variance of a sum is `squares x var`.

    Returns:
        Two arrays (bands, rows).
    """
    z = generator.standard_normal((count.shape[1], 2, count.shape[0])).transpose(1, 2, 0)  # rows first: runs in order
    some = count > 0
    inputs, outputs = count * lengths.input, count * lengths.output
    safe_in, safe_out = np.where(inputs > 0, inputs, 1.0), np.where(outputs > 0, outputs, 1.0)
    log_in = np.log1p(np.where(some, squares * lengths.input_var / safe_in**2, 0.0))
    log_out = np.log1p(np.where(some, squares * lengths.output_var / safe_out**2, 0.0))
    tied = np.log1p(np.where(some, squares * lengths.covariance / (safe_in * safe_out), 0.0))
    sd_in, sd_out = np.sqrt(log_in), np.sqrt(log_out)
    both = sd_in * sd_out
    rho = np.clip(np.where(both > 0, tied / np.where(both > 0, both, 1.0), 0.0), -1.0, 1.0)
    shifted = rho * z[0] + np.sqrt(1.0 - rho**2) * z[1]
    return inputs * np.exp(sd_in * z[0] - log_in / 2), outputs * np.exp(sd_out * shifted - log_out / 2)
