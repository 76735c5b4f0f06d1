"""Commit now or wait: what prices did in the tables is played forward, and choices of different days are compared.

Prices of one kind change at random times, as often as their tables changed, each time by a factor drawn from
the changes that happened (they fall and rise). Costs are linear in a price, so the bill of every day is
scaled by the index of its price; what is not billed by the provider (people, data sets) is not scaled.
Waiting means: the baseline serves, then the option is chosen that is cheapest at the prices of that day.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from pricing.book import PriceBook
from pricing.errors import InputError, NoFeasibleOption, TunepointError
from simulator.domain.advice import Drift, Outlook, Waited
from simulator.domain.drawn import with_dials
from simulator.domain.findings import SimulationResult
from simulator.domain.ledger import TOKEN_LINES
from simulator.domain.options import HostedOption, Hybrid
from simulator.domain.outlook import drift
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import spread
from simulator.formats import usd
from simulator.run import run

Array = NDArray[np.float64]

DRAWS = 2000
WAITS = (1, 3, 6, 12)
BOOKED = TOKEN_LINES | {"hosting", "storage"}
"""Lines that move with a provider's price."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Daily cost of an option from some day on: scaled by its price's index, and not scaled, (days,) each."""

    price: str
    booked: Array
    other: Array

    def total(self, index: Mapping[str, Array], first: int) -> Array:
        """Cost by draw of the days from `first`, (D,)."""
        path = index[self.price][:, first : first + len(self.booked)]
        total: Array = path @ self.booked + self.other.sum()
        return total


def index_paths(moves: Drift, price: str, days: int, size: int, seed: int) -> Array:
    """Index of one price by day, one on the first, (size, days): a compound Poisson process keyed by seed and price.

    Args:
        moves: how often and by how much such prices changed.
        price: id of the price.
        days: length of the path.
        size: number of paths.
        seed: the same seed gives the same paths.
    """
    rng = np.random.default_rng([seed, zlib.crc32(price.encode())])
    logs = np.zeros((size, days))
    if moves.changes and moves.years > 0:
        counts = rng.poisson(moves.per_year / 365.0, (size, days))
        counts[:, 0] = 0
        for _ in range(int(counts.max(initial=0))):
            hit = counts > 0
            logs[hit] += rng.choice(moves.changes, int(hit.sum()))
            counts -= hit
    return np.exp(np.cumsum(logs, axis=1))


def outlook(
    scenario: Scenario, book: PriceBook, *, waits: Sequence[int] | None = None, draws: int = DRAWS, seed: int = 0
) -> Outlook:
    """Compare committing to each option now with waiting some months at the baseline.

    Args:
        scenario: the question; ranges are taken at their means.
        book: every price there is: its history up to the start says how prices move.
        waits: months to wait, each inside the horizon (default: 1, 3, 6 and 12, as far as they fit).
        draws: number of price paths.
        seed: the same seed gives the same paths.

    Raises:
        InputError: a wait beyond the horizon, or too few draws.
        NoFeasibleOption: nothing, or not the baseline, serves the whole horizon.
    """
    days, per_month = int(scenario.horizon_days), scenario.hours_per_month / 24.0
    if draws < 100:
        raise InputError(f"{draws} price paths are too few; take 100 or more")
    waits = [months for months in WAITS if round(months * per_month) < days] if waits is None else waits
    steps = {months: round(months * per_month) for months in waits}
    for months, step in steps.items():
        if not 0 < step < days:
            raise InputError(f"waiting {months} months does not fit into {days} days; wait less or look further")
    plain = dataclasses.replace(scenario, ranges={}, correlations=(), adjust=(), credits=None, outlook=None)
    results = {name: run(plain, name) for name in plain.options}
    able = [name for name, result in results.items() if result.feasible]
    if scenario.baseline not in able:
        why = results[scenario.baseline].why_not
        raise NoFeasibleOption(f"the baseline {scenario.baseline} cannot serve while one waits: {why}")
    moves = drift(tuple(book.prices.values()), scenario.start)
    prices = sorted({_price(plain, name) for name in able} - {""})
    index = {price: index_paths(moves, price, days, draws, seed) for price in prices} | {"": np.ones((draws, days))}
    now = {name: _plan(plain, results[name]) for name in able}
    committed = {name: plan.total(index, 0) for name, plan in now.items()}
    base, rows, paths = now[scenario.baseline], [], dict(committed)
    for months, step in steps.items():
        rest = _later(plain, able, step)
        before = _Plan(price=base.price, booked=base.booked[:step], other=base.other[:step]).total(index, 0)
        # What can be seen on the day of the choice: prices of that day, held to the end.
        expected = np.stack(
            [index[plan.price][:, step] * plan.booked.sum() + plan.other.sum() for plan in rest.values()]
        )
        chosen = np.argmin(expected, axis=0)
        after = np.stack([plan.total(index, step) for plan in rest.values()])
        paths[_waiting(months)] = before + after[chosen, np.arange(draws)]
        shares = {name: float(np.mean(chosen == row)) for row, name in enumerate(rest)}
        rows.append((months, {name: share for name, share in shares.items() if share > 0}))
    costs = np.stack(list(paths.values()))
    least = np.argmin(costs, axis=0)
    means = {name: float(cost.mean()) for name, cost in paths.items()}
    names = list(paths)
    waited = tuple(
        Waited(
            months=months,
            expected_usd=means[_waiting(months)],
            interval_usd=spread(paths[_waiting(months)]),
            cheapest_share=float(np.mean(least == names.index(_waiting(months)))),
            then=then,
        )
        for months, then in rows
    )
    best = min(means, key=lambda name: (means[name], names.index(name)))
    return Outlook(
        draws=draws,
        seed=seed,
        drift=(moves,),
        committed={name: spread(cost) for name, cost in committed.items()},
        expected_usd=means,
        waits=waited,
        best=best,
        sentence=_sentence(best, means, committed, moves),
        notes=() if moves.changes else ("no price in the tables had changed by the start, so none changes here",),
    )


def _plan(scenario: Scenario, result: SimulationResult) -> _Plan:
    cash = result.ledger.usd()[0]
    booked = np.zeros_like(cash)
    for line in result.ledger.lines:
        if line.line in BOOKED:
            booked += np.broadcast_to(line.usd, (1, len(cash)))[0]
    return _Plan(price=_price(scenario, result.option), booked=booked, other=cash - booked)


def _price(scenario: Scenario, name: str) -> str:
    """The price an option pays by the token; none of its own where it runs on machines."""
    option = scenario.options[name]
    if isinstance(option, Hybrid):
        option = scenario.options[option.overflow_option]
    return option.price if isinstance(option, HostedOption) else ""


def _later(scenario: Scenario, able: Sequence[str], step: int) -> dict[str, _Plan]:
    """Every option begun some days later, for the rest of the horizon, at the volume of that day."""
    months = step * 24.0 / scenario.hours_per_month
    calls = scenario.workload.calls_per_day * (1.0 + scenario.workload.growth_per_month) ** months
    later = dataclasses.replace(
        with_dials(
            scenario, {"horizon_days": scenario.horizon_days - step, "workload.calls_per_day": calls}
        ),
        start=scenario.start + timedelta(days=step),
    )
    found = {}
    for name in able:
        try:
            result = run(later, name)
        except TunepointError:
            continue
        if result.feasible:
            found[name] = _plan(later, result)
    if not found:
        raise NoFeasibleOption(f"no option can be begun {step} days after the start")
    return found


def _sentence(best: str, means: Mapping[str, float], committed: Mapping[str, Array], moves: Drift) -> str:
    said = (
        f"Token prices in the tables changed {moves.per_year:.2f} times a year, "
        f"{sum(change < 0 for change in moves.changes)} of {len(moves.changes)} changes downwards. "
    )
    now = min(committed, key=lambda name: means[name])
    if best in committed:
        waiting = min((name for name in means if name not in committed), key=lambda name: means[name], default=None)
        tail = "" if waiting is None else f", {usd(means[waiting] - means[best])} less than to {waiting}"
        return f"{said}Commit now: {best} costs {usd(means[best])} on average{tail}."
    return f"{said}To {best} costs {usd(means[now] - means[best])} less on average than to commit to {now} now."


def _waiting(months: int) -> str:
    return f"wait {months} month{'s' if months > 1 else ''}"
