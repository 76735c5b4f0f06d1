"""How two engines are held against each other: exact, or within four standard errors, or by an exact Poisson test."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import poisson

from simulator.domain.findings import SimulationResult

EXACT = 1e-9
STANDARD_ERRORS = 4.0
RARE = 25.0
UNLIKELY = 1e-4


def agrees(runs: ArrayLike, expected: float, what: str = "") -> None:
    """The mean of the runs is the expectation, as far as their spread can tell (exactly, where they do not spread)."""
    values = np.asarray(runs, dtype=float)
    error, spread = abs(values.mean() - expected), values.std(ddof=1)
    size = max(abs(expected), abs(values.mean()), 1e-12)
    if spread <= EXACT * size:
        assert error <= EXACT * size, f"{what}: {values.mean()!r} is not {expected!r}"
    else:
        allowed = STANDARD_ERRORS * spread / np.sqrt(len(values))
        off = error / allowed * STANDARD_ERRORS
        assert error <= allowed, f"{what}: {values.mean():.8g} is {off:.1f} standard errors off {expected:.8g}"


def rarely(count: float, expected: float, what: str = "") -> None:
    """A count of rare events is not one that a Poisson law of the expected mean shows once in ten thousand times."""
    low, high = poisson.cdf(count, expected), poisson.sf(count - 1, expected)
    assert min(low, high) > UNLIKELY / 2, f"{what}: {count:g} where {expected:g} were expected"


def results_agree(simulated: SimulationResult, expected: SimulationResult) -> None:
    """Every total, line, token and call of two results."""
    name = expected.option
    assert simulated.feasible == expected.feasible
    assert simulated.serves_until == expected.serves_until
    agrees(simulated.total_usd, float(expected.total_usd[0]), f"{name} total")
    agrees(simulated.one_off_usd, float(expected.one_off_usd[0]), f"{name} one-off")
    for field in ("calls", "served_calls", "delivered_calls", "success_calls", "eligible_calls", "hit_calls"):
        agrees(getattr(simulated, field), float(getattr(expected, field)[0]), f"{name} {field}")
    lines, theirs = simulated.ledger.by_line(), expected.ledger.by_line()
    for line in {**lines, **theirs}:
        runs = lines.get(line, np.zeros(len(simulated.total_usd)))
        agrees(runs, float(theirs.get(line, np.zeros(1))[0]), f"{name} {line}")
    for meter, tokens in expected.tokens.items():
        agrees(simulated.tokens[meter], float(tokens[0]), f"{name} {meter} tokens")
