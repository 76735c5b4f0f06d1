"""What moves the answer: a bar for every dial (tornado) and shares of the variance (Sobol)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.drawn import checked_seed, find_dial
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import Bar, Sobol, SobolRow, Tornado
from simulator.run import run
from simulator.studies.draws import at_share, coarse, nodes_each
from simulator.studies.moves import cheapest_first, explicit, priced, spans, supposed, today_usd
from simulator.studies.probability import ranked_usd

Array = NDArray[np.float64]

SAMPLES = 1024
RESAMPLES = 100
"""Bootstrap samples for the intervals of the indices."""
TRIED = 64
"""Points at which a function is first asked whether it varies at all."""
CONFIDENCE = 0.95
NOTHING = 1e-12
"""Relative change below which a dial changes nothing."""


def tornado(scenario: Scenario) -> Tornado:
    """Effect of every dial, from the low to the high end of its range, on the difference of the two best options.

    Args:
        scenario: the question; where a dial has no range it is tried at 1/1.25 and 1.25 times its value.

    Raises:
        InputError: fewer than two options serve.
    """
    scenario = explicit(scenario)
    names = list(scenario.options)
    first, second, today = two_best(scenario)
    tried = spans(scenario)
    moves = [(span.at.path, end) for span in tried for end in span.range.ends]
    usd = priced(scenario, moves, today)
    bars, idle, ruled_out = [], [], []
    scale = abs(today[first]) + abs(today[second])
    for span, ends in zip(tried, usd.T.reshape(-1, 2, len(names)), strict=True):
        pair = ends[:, [first, second]]
        if not np.isfinite(pair).all():
            ruled_out.append(span.at.path)
            continue
        if np.all(np.abs(pair - today[[first, second]]) <= NOTHING * scale):
            idle.append(span.at.path)
            continue
        low, high = span.range.ends
        at_low, at_high = pair[:, 1] - pair[:, 0]
        bars.append(
            Bar(
                path=span.at.path,
                label=span.at.dial.label,
                unit=span.at.dial.unit,
                low=low,
                high=high,
                today=span.at.value,
                at_low=float(at_low),
                at_high=float(at_high),
                basis=span.basis,
            )
        )
    return Tornado(
        choice=names[first],
        runner_up=names[second],
        difference_usd=float(today[second] - today[first]),
        bars=tuple(sorted(bars, key=lambda bar: -bar.effect_usd)),
        without_effect=tuple(idle),
        ruled_out=tuple(ruled_out),
    )


def sobol(scenario: Scenario, samples: int = SAMPLES, seed: int = 0) -> Sobol:
    """First-order and total Sobol indices of the difference between the two best options.

    Saltelli's design by scipy.stats.sobol_indices, `samples (d + 2)` runs an option; intervals at 95 % by
    bootstrap. Inputs are taken as independent.

    Args:
        scenario: the question.
        samples: a power of two.
        seed: the same seed gives the same numbers.

    Raises:
        InputError: `samples` is no power of two, or fewer than two options serve.
    """
    if samples < 2 or samples & (samples - 1):
        raise InputError(f"{samples} samples: a Sobol sequence needs a power of two, as in 1024")
    checked_seed(seed)
    scenario, said = supposed(scenario)
    names = list(scenario.options)
    first, second, _ = two_best(scenario)
    paths = sorted(scenario.ranges)

    def difference(values: Array) -> Array:
        draws = dict(zip(paths, values, strict=True))
        cost = {
            name: ranked_usd(scenario, name, draws, run(scenario, name, draws=draws))
            for name in (names[first], names[second])
        }
        return np.atleast_2d(cost[names[second]] - cost[names[first]])

    notes = [said] if said else []
    if few := coarse(scenario):
        notes.append(f"{', '.join(few)}: on {nodes_each(scenario)} equally likely values each")
    if scenario.correlations:
        notes.append("The indices take inputs as independent; the correlations of the scenario are left out.")
    rows = indices(difference, scenario, paths, samples, seed)
    if not rows:
        notes.append("No input changes the difference of the two best options.")
    elif idle := [path for path in paths if path not in {row.path for row in rows}]:
        notes.append(f"Changes nothing between the two best options: {', '.join(idle)}.")
    return Sobol(choice=names[first], runner_up=names[second], samples=samples, rows=rows, notes=tuple(notes))


def indices(
    difference: Any, scenario: Scenario, paths: list[str], samples: int, seed: int
) -> tuple[SobolRow, ...]:
    """Sobol rows of a function of values (d, n), largest total first, without the inputs it does not depend on."""
    from scipy.stats import bootstrap, sobol_indices

    inputs = [_Ranged(scenario, path) for path in paths]
    rng = np.random.default_rng(seed)
    here, there = (np.stack([one.ppf(rng.random(TRIED)) for one in inputs]) for _ in range(2))
    base, moving = difference(here), []
    for row in range(len(paths)):
        moved = here.copy()
        moved[row] = there[row]
        if np.any(np.abs(difference(moved) - base) > NOTHING * np.abs(base).max()):
            moving.append(row)
    if not moving:
        return ()

    def of_moving(values: Array) -> Array:
        whole = np.repeat(here[:, :1], values.shape[1], axis=1)
        whole[moving] = values
        found: Array = difference(whole)
        return found

    paths = [paths[row] for row in moving]
    if len(paths) == 1:
        label = find_dial(scenario, paths[0]).label
        ends = (1.0, 1.0)  # what alone moves a function explains all of its variance
        return (
            SobolRow(path=paths[0], label=label, first=1.0, first_interval=ends, total=1.0, total_interval=ends),
        )
    outputs: list[tuple[Array, Array, Array]] = []

    def kept(f_A: Array, f_B: Array, f_AB: Array) -> tuple[Array, Array]:  # names that scipy asks for
        outputs.append((f_A, f_B, f_AB))
        return _saltelli(f_A, f_B, f_AB)

    found = sobol_indices(
        func=of_moving,
        n=samples,
        dists=[inputs[row] for row in moving],
        method=kept,
        rng=np.random.default_rng(seed),
    )
    spread = bootstrap(  # not the one of the result found, which takes no seed
        [np.arange(samples)],
        statistic=lambda drawn: np.stack(_saltelli(*(part[..., drawn] for part in outputs[0]))),
        method="BCa",
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    first, total = (np.atleast_2d(x)[0] for x in (found.first_order, found.total_order))
    around = [
        [np.atleast_2d(end[part])[0] for end in (spread.low, spread.high)]
        for part in (0, 1)
    ]
    rows = [
        SobolRow(
            path=path,
            label=find_dial(scenario, path).label,
            first=float(first[i]),
            first_interval=(float(around[0][0][i]), float(around[0][1][i])),
            total=float(total[i]),
            total_interval=(float(around[1][0][i]), float(around[1][1][i])),
        )
        for i, path in enumerate(paths)
    ]
    return tuple(sorted(rows, key=lambda row: -row.total))


def _saltelli(f_a: Array, f_b: Array, f_ab: Array) -> tuple[Array, Array]:
    """First-order and total indices after Saltelli (2010) and Jansen, of outputs (s, n), (s, n) and (d, s, n)."""
    variance = np.var([f_a, f_b], axis=(0, -1))
    first = np.mean(f_b * (f_ab - f_a), axis=-1) / variance
    total = 0.5 * np.mean((f_a - f_ab) ** 2, axis=-1) / variance
    return first.T, total.T


class _Ranged:
    """A ranged dial as a distribution: what scipy asks of one is its quantile function."""

    def __init__(self, scenario: Scenario, path: str) -> None:
        self._scenario, self._path = scenario, path

    def ppf(self, share: Array) -> Array:
        """Values at probabilities."""
        return at_share(self._scenario, self._path, np.clip(share, 1e-12, 1 - 1e-12))


def two_best(scenario: Scenario) -> tuple[int, int, Array]:
    """Indices of the cheapest and the second cheapest option as the scenario stands, and what all cost.

    Raises:
        InputError: fewer than two options serve the whole horizon.
    """
    today = today_usd(scenario)
    if np.isfinite(today).sum() < 2:
        raise InputError("fewer than two options serve the whole horizon, so there is no difference to explain")
    order = cheapest_first(today[:, None], list(scenario.options).index(scenario.baseline))[:, 0]
    return int(order[0]), int(order[1]), today
