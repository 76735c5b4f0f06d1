"""Draws what is not known exactly: one value of every ranged dial a draw, spread evenly, keyed by seed and dial.

Latin hypercube: every dial is cut into as many equally likely slices as there are draws, and each slice is
drawn from once, in an order keyed by (seed, dial), so that a further range leaves the others' draws as they
are. Sobol sequences fill all dials together, and need a power of two draws for their best.

Some dials move days or the shape of demand (`run.is_structural`): every distinct value of theirs costs a run
of its own. Such dials are drawn on at most 32 equally likely nodes together: 32 for one dial, 5 for each of
two, 3 for each of three, 2 from four dials on. Where there is a fleet, so are dials that change the shape of
the days (growth): its hours are counted for each shape. `coarse` names them, and results say so in `approximate`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.domain.drawn import BY_DAY, find_dial, is_structural
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.ranges import Correlation, Lognormal, Normal, Pert, Range, Uniform
from simulator.domain.scenario import Scenario

Array = NDArray[np.float64]
Method = Literal["latin", "sobol"]

DRAWS = 10_000
NODES = 32
"""Runs that structural dials may cost together."""


def draw(scenario: Scenario, size: int = DRAWS, seed: int = 0, method: Method = "latin") -> dict[str, Array]:
    """Values of every ranged dial, shape (size,) each, by dotted path.

    Args:
        scenario: the question; its `ranges` and `correlations` are drawn.
        size: number of draws.
        seed: the same seed gives the same draws.
        method: Latin hypercube or a scrambled Sobol sequence.
    """
    paths = sorted(scenario.ranges)
    if not paths:
        return {}
    scores = correlated(_even(paths, size, seed, method), paths, scenario.correlations)
    return {path: at_share(scenario, path, share) for path, share in zip(paths, scores, strict=True)}


def at_share(scenario: Scenario, path: str, share: ArrayLike, ranges: Mapping[str, Range] | None = None) -> Array:
    """Values of a ranged dial at probabilities, on nodes where the dial is structural, rounded where it is whole."""
    ranges = scenario.ranges if ranges is None else ranges
    probability = np.asarray(share, dtype=float)
    if is_coarse(scenario, path):
        nodes = nodes_each(scenario, ranges)
        probability = (np.minimum(np.floor(probability * nodes), nodes - 1) + 0.5) / nodes
    dial = find_dial(scenario, path)
    values = np.clip(quantile(ranges[path], probability), dial.least, dial.most)
    return np.round(values) if dial.whole else values


def coarse(scenario: Scenario) -> tuple[str, ...]:
    """The ranged dials that are drawn on a few nodes."""
    return tuple(path for path in sorted(scenario.ranges) if is_coarse(scenario, path))


def is_coarse(scenario: Scenario, path: str) -> bool:
    """Whether a dial is drawn on a few nodes: a structural one, and one that bends the days of a fleet."""
    if path not in BY_DAY:
        return is_structural(path)
    return any(isinstance(option, SelfHosted | Hybrid) for option in scenario.options.values())


def nodes_each(scenario: Scenario, ranges: Mapping[str, Range] | None = None) -> int:
    """Nodes of each such dial, so that together they cost at most 32 runs (2 each from five dials on)."""
    count = sum(is_coarse(scenario, path) for path in (scenario.ranges if ranges is None else ranges))
    return max(2, int(NODES ** (1.0 / max(count, 1)) + 1e-9))


def quantile(found: Range, share: ArrayLike) -> Array:
    """The value below which a range lies with the given probability.

    >>> from simulator.domain.ranges import Pert
    >>> float(quantile(Pert(low=0, mode=5, high=10), 0.5)), quantile(Uniform(low=1, high=3), [0, 1]).tolist()
    (5.0, [1.0, 3.0])
    """
    from scipy.special import betaincinv, ndtri

    probability = np.asarray(share, dtype=float)
    if isinstance(found, Uniform):
        return found.low + (found.high - found.low) * probability
    if isinstance(found, Pert):
        inside: Array = betaincinv(*found.shapes, probability)
        return found.low + (found.high - found.low) * inside
    if isinstance(found, Normal | Lognormal):
        below, above = found.span
        score: Array = ndtri(below + (above - below) * probability)
        if isinstance(found, Normal):
            return found.mean + found.sd * score
        return np.exp(found.mu + found.sigma * score)
    place = np.searchsorted(np.cumsum(found.weights) * (1 - 1e-12), probability, side="left")
    picked: Array = np.asarray(found.values, dtype=float)[np.minimum(place, len(found.values) - 1)]
    return picked


def correlated(shares: Array, paths: list[str], pairs: tuple[Correlation, ...]) -> Array:
    """Probabilities (d, n) whose normal scores correlate as stated; each keeps its own distribution."""
    if not pairs:
        return shares
    from scipy.special import ndtr, ndtri

    matrix = np.eye(len(paths))
    for pair in pairs:
        here = tuple(paths.index(path) for path in pair.between)
        matrix[here], matrix[here[::-1]] = pair.rho, pair.rho
    mixed: Array = ndtr(np.linalg.cholesky(matrix) @ ndtri(shares))
    return mixed


def _even(paths: list[str], size: int, seed: int, method: Method) -> Array:
    """Evenly spread probabilities, (d, n), strictly between 0 and 1."""
    from scipy.stats import qmc

    if method == "sobol":
        shares = qmc.Sobol(d=len(paths), rng=np.random.default_rng(seed)).random(size).T
    else:
        rows = [
            qmc.LatinHypercube(d=1, rng=np.random.default_rng([seed, zlib.crc32(path.encode())])).random(size)[:, 0]
            for path in paths
        ]
        shares = np.stack(rows)
    inside: Array = np.clip(shares, 1e-12, 1 - 1e-12)
    return inside
