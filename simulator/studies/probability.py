"""What an answer is worth when its inputs are ranges: chances, cost intervals, regret, the value of knowing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError, NoFeasibleOption
from simulator.domain.drawn import Draws, checked_seed, find_dial
from simulator.domain.findings import SimulationResult
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import OptionRisk, Uncertainty, Worth, spread
from simulator.run import run
from simulator.studies.draws import DRAWS, NODES, Method, coarse, draw, nodes_each
from simulator.studies.finance import present_values

Array = NDArray[np.float64]

BLOCKS = 20
"""Blocks of draws left out one after the other for the error of a value of information."""
KNOTS = 7
"""Inner knots of the cubic spline through which costs are seen as a function of one input."""
DAILY_CHUNK = 500
"""Draws billed by day at once, so that memory stays below 64 MiB."""
LEAST_DRAWS = 100
QUANTILES = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Every option priced on the same draws: `usd` (D,) by option, infinite where it does not serve."""

    scenario: Scenario
    seed: int
    draws: Draws
    usd: Mapping[str, Array]
    results: Mapping[str, SimulationResult]

    @property
    def size(self) -> int:
        """The number of draws D."""
        return len(next(iter(self.usd.values())))

    @property
    def choice(self) -> str:
        """The option that is cheapest on average among those that serve in the most draws; ties to the baseline."""
        return _choice(self.usd, self.scenario.baseline)


def sample(scenario: Scenario, size: int = DRAWS, seed: int = 0, method: Method = "latin") -> Sample:
    """Price every option on common draws of the ranged dials.

    Args:
        scenario: the question, with at least one range.
        size: number of draws.
        seed: the same seed gives the same draws.
        method: Latin hypercube or Sobol sequence.

    Raises:
        InputError: no range, or fewer than 100 draws.
        NoFeasibleOption: nothing serves in any draw.
    """
    if not scenario.ranges:
        raise InputError("nothing is uncertain here: write a range in place of a number, as in {low: 1, high: 3}")
    if size < LEAST_DRAWS:
        raise InputError(f"{size} draws are too few to speak of chances; take {LEAST_DRAWS} or more")
    draws = draw(scenario, size, checked_seed(seed), method)
    results = {name: run(scenario, name, draws=draws) for name in scenario.options}
    if not any(result.feasible for result in results.values()):
        reasons = "; ".join(f"{name}: {result.why_not}" for name, result in results.items())
        raise NoFeasibleOption(f"no option serves the whole horizon in any draw ({reasons})")
    usd = {
        name: np.where(result.feasible_draws, ranked_usd(scenario, name, draws, result), np.inf)
        for name, result in results.items()
    }
    return Sample(scenario=scenario, seed=seed, draws=draws, usd=usd, results=results)


def ranked_usd(scenario: Scenario, name: str, draws: Draws, result: SimulationResult) -> Array:
    """What options are ranked by, (D,): horizon cash, or its net present value where the scenario says so."""
    if scenario.rank_by == "total_usd":
        return np.broadcast_to(result.total_usd, (len(next(iter(draws.values()))),))
    rate, found = draws.get("discount_rate"), []
    size = len(next(iter(draws.values())))
    for first in range(0, size, DAILY_CHUNK):
        some = {path: values[first : first + DAILY_CHUNK] for path, values in draws.items()}
        cash = run(scenario, name, draws=some, daily=True).ledger.usd()
        found.append(present_values(cash, scenario.discount_rate if rate is None else rate[first : first + len(cash)]))
    return np.concatenate(found)


def uncertainty(found: Sample, regret_above: tuple[float, ...] = ()) -> Uncertainty:
    """Chances, intervals, regret and the value of knowing everything.

    Args:
        found: options priced on draws.
        regret_above: USD; the chance that choosing an option costs more than that too much. Default: 1, 5 and
            20 % of what the choice costs on average.
    """
    usd = np.stack(list(found.usd.values()))
    least = usd.min(axis=0)
    served = np.isfinite(least)
    order = [found.scenario.baseline, *(name for name in found.usd if name != found.scenario.baseline)]
    first = np.argmin(np.stack([found.usd[name] for name in order]), axis=0)
    choice = found.choice
    mean = float(_mean(found.usd[choice]))
    above = regret_above or tuple(share * abs(mean) for share in (0.01, 0.05, 0.2))
    options: dict[str, OptionRisk] = {}
    for name, costs in found.usd.items():
        feasible = np.isfinite(costs)
        regret = costs[served] - least[served] if served.any() and feasible[served].all() else None
        options[name] = OptionRisk(
            mean_usd=_mean(costs),
            interval_usd=spread(costs[feasible]) if feasible.any() else (np.nan, np.nan, np.nan),
            cheapest_share=float(np.mean(served & (first == order.index(name)))),
            feasible_share=float(feasible.mean()),
            expected_regret_usd=None if regret is None else float(regret.mean()),
            regret_usd=None if regret is None else spread(regret),
            max_regret_usd=None if regret is None else float(regret.max()),
            quantiles_usd=tuple(np.quantile(costs[feasible], np.linspace(0, 1, QUANTILES)).tolist())
            if feasible.any()
            else (),
            regret_chances=() if regret is None else tuple((x, float(np.mean(regret > x))) for x in above),
        )
    worst = {name: risk.max_regret_usd for name, risk in options.items() if risk.max_regret_usd is not None}
    second = min(
        (name for name, risk in options.items() if name != choice and risk.feasible_share == 1.0),
        key=lambda name: options[name].mean_usd,
        default=None,
    )
    own = options[choice].expected_regret_usd
    return Uncertainty(
        draws=found.size,
        seed=found.seed,
        paths=tuple(found.draws),
        options=options,
        choice=choice,
        confidence=options[choice].cheapest_share,
        runner_up=second,
        saving_usd=None if second is None else spread((found.usd[second] - found.usd[choice])[served]),
        robust=min(worst, key=lambda name: (worst[name], name != choice)) if worst else choice,
        perfect_usd=max(0.0, own) if own is not None else 0.0,
        notes=notes(found.scenario, options),
    )


def notes(scenario: Scenario, options: Mapping[str, OptionRisk]) -> tuple[str, ...]:
    """What the draws leave out, and in how many of them an option does not serve."""
    said = [
        f"{name} does not serve in {100 * (1 - risk.feasible_share):.1f} % of the draws"
        for name, risk in options.items()
        if 0 < risk.feasible_share < 1
    ]
    if few := coarse(scenario):
        said.append(
            f"{', '.join(few)}: drawn on {nodes_each(scenario)} equally likely values each "
            f"(at most {NODES} runs), not on every draw's own"
        )
    return tuple(said)


def worth_of_knowing(found: Sample) -> tuple[Worth, ...]:
    """Value of perfect information on each input alone, largest first: what to measure first.

    `E_x[ min_a E[cost_a | x] ]` against `min_a E[cost_a]`; the inner expectation is a regression of the cost
    differences on the input (cubic spline in its rank, or group means where it takes few values): Strong,
    Oakley and Brennan, Medical Decision Making 34, 2014. The error is a jackknife over 20 blocks of draws.
    """
    names = [name for name, usd in found.usd.items() if np.isfinite(usd).all()]
    choice = found.choice
    if choice not in names:
        return ()
    apart = np.stack([found.usd[name] - found.usd[choice] for name in names], axis=1)
    rows = []
    for path, values in found.draws.items():
        usd, error = _conditional_gain(values, apart)
        low, high = found.scenario.ranges[path].ends
        dial = find_dial(found.scenario, path)
        rows.append(Worth(path=path, label=dial.label, usd=usd, error_usd=error, low=low, high=high, unit=dial.unit))
    return tuple(sorted(rows, key=lambda row: -row.usd))


def _conditional_gain(values: Array, apart: Array) -> tuple[float, float]:
    """Expected gain over the fixed choice (column of zeros among `apart`) once `values` is known, and its error."""
    basis = _basis(values)
    block = np.arange(len(values)) % BLOCKS
    squares = np.stack([basis[block == b].T @ basis[block == b] for b in range(BLOCKS)])
    products = np.stack([basis[block == b].T @ apart[block == b] for b in range(BLOCKS)])

    def gain(square: Array, product: Array, kept: NDArray[np.bool_]) -> float:
        fitted = basis[kept] @ np.linalg.lstsq(square, product, rcond=None)[0]
        return float(-fitted.min(axis=1).mean() + min(0.0, float(fitted.mean(axis=0).min())))

    whole = gain(squares.sum(axis=0), products.sum(axis=0), np.ones(len(values), dtype=bool))
    left = [
        gain(squares.sum(axis=0) - squares[b], products.sum(axis=0) - products[b], block != b) for b in range(BLOCKS)
    ]
    error = float(np.sqrt((BLOCKS - 1) / BLOCKS * np.sum(np.square(np.asarray(left) - np.mean(left)))))
    return max(0.0, whole), error


def _basis(values: Array) -> Array:
    """Group indicators where there are few values, else a cubic spline in the rank, (n, k)."""
    distinct, group = np.unique(values, return_inverse=True)
    if len(distinct) <= 2 * NODES:
        groups: Array = (group[:, None] == np.arange(len(distinct))).astype(float)
        return groups
    rank = (np.argsort(np.argsort(values)) + 0.5) / len(values)
    knots = np.arange(1, KNOTS + 1) / (KNOTS + 1)
    powers = [np.polynomial.legendre.legval(2 * rank - 1, np.eye(4)[degree]) for degree in range(4)]
    return np.stack([*powers, *(np.maximum(rank - knot, 0.0) ** 3 for knot in knots)], axis=1)


def _choice(usd: Mapping[str, Array], baseline: str) -> str:
    served = {name: float(np.isfinite(costs).mean()) for name, costs in usd.items()}
    most = max(served.values())
    able = [name for name in usd if served[name] == most]
    return min(able, key=lambda name: (_mean(usd[name]), name != baseline))


def _mean(costs: Array) -> float:
    feasible = np.isfinite(costs)
    return float(costs[feasible].mean()) if feasible.any() else float("nan")
