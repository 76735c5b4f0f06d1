"""Commit now or wait: what prices did in the tables is played forward, and choices of different days are compared.

Token prices and rents of GPUs change at random times, each kind as often as its tables changed, each time by a
factor drawn from the changes that happened (they fall and rise). Costs are linear in a price, so the bill of every
day is scaled by the index of its price; what nobody bills by the token or the hour (people, data sets, cards of
one's own) is not scaled. A rent that is typed moves like one of the tables, as typed token prices do.
Waiting means: the baseline serves, then the option is chosen that is cheapest at the prices of that day.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from pricing.book import PriceBook
from pricing.errors import InputError, NoFeasibleOption, TunepointError
from pricing.hardware import Commitment, HardwareBook
from simulator.domain.advice import Drift, Outlook, Waited
from simulator.domain.drawn import checked_seed, with_dials
from simulator.domain.findings import SimulationResult
from simulator.domain.ledger import TOKEN_LINES
from simulator.domain.options import HostedOption, Hybrid, SelfHosted
from simulator.domain.outlook import drift, rent_drift
from simulator.domain.scenario import Scenario
from simulator.domain.uncertain import spread
from simulator.formats import share, usd
from simulator.run import run

Array = NDArray[np.float64]

DRAWS = 2000
WAITS = (1, 3, 6, 12)
BOOKED = TOKEN_LINES | {"hosting", "storage"}
"""Lines that move with a provider's price."""
RENTED = ("gpu", "gpu_idle")
"""Lines that move with the rent of a GPU."""
ONE_SIDED = 0.75
"""Share of changes that go one way from which the paths are said to lean."""
FEW_CHANGES = 10
"""From fewer changes the pace of a Poisson process is known no better than to a third of it, 1 / sqrt(n)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Daily cost of an option from some day on, (days,): by the price or rent it is scaled with, and not scaled."""

    moving: Mapping[str, Array]
    other: Array

    def total(self, index: Mapping[str, Array], first: int) -> Array:
        """Cost by draw of the days from `first`, (D,)."""
        moved = [index[key][:, first : first + len(usd)] @ usd for key, usd in self.moving.items()]
        total: Array = np.sum(moved, axis=0) + self.other.sum()
        return total

    def held(self, index: Mapping[str, Array], day: int) -> Array:
        """Cost by draw if every price stayed what it is on a day, (D,)."""
        moved = [index[key][:, day] * usd.sum() for key, usd in self.moving.items()]
        total: Array = np.sum(moved, axis=0) + self.other.sum()
        return total

    def until(self, step: int) -> _Plan:
        """The first days of it."""
        return _Plan(moving={key: usd[:step] for key, usd in self.moving.items()}, other=self.other[:step])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Rent:
    """The GPU that an option rents, or the path of the rent that is typed for it, and how it is bound."""

    gpu: str
    commitment: Commitment

    @property
    def key(self) -> str:
        """Apart from every price of tokens, which may have the same id."""
        return f"rent of {self.gpu}, {self.commitment}"


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
    scenario: Scenario,
    book: PriceBook,
    *,
    hardware: HardwareBook | None = None,
    waits: Sequence[int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Outlook:
    """Compare committing to each option now with waiting some months at the baseline.

    Args:
        scenario: the question; ranges are taken at their means.
        book: every price there is: its history up to the start says how prices move.
        hardware: every price of a GPU, which says the same of rents (default: none, and rents stay).
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
    checked_seed(seed)
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
    rented = sorted({rent for name in able if (rent := _rent(plain, name))}, key=lambda rent: rent.key)
    bound: list[Commitment] = sorted({rent.commitment for rent in rented}) or ["on_demand"]
    tables = tuple((hardware or HardwareBook()).gpus.values())
    rents = {commitment: rent_drift(tables, scenario.start, commitment) for commitment in bound}
    index = {price: index_paths(moves, price, days, draws, seed) for price in prices} | {"": np.ones((draws, days))}
    index |= {rent.key: index_paths(rents[rent.commitment], rent.gpu, days, draws, seed) for rent in rented}
    now = {name: _plan(plain, results[name]) for name in able}
    committed = {name: plan.total(index, 0) for name, plan in now.items()}
    base, rows, paths = now[scenario.baseline], [], dict(committed)
    for months, step in steps.items():
        rest = _later(plain, able, step)
        before = base.until(step).total(index, 0)
        # What can be seen on the day of the choice: prices of that day, held to the end.
        expected = np.stack([plan.held(index, step) for plan in rest.values()])
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
    history = "; ".join(f"{_named(one)} {_pace(one)}" for one in (moves, *rents.values())) + "."
    best = min(means, key=lambda name: (means[name], names.index(name)))
    return Outlook(
        draws=draws,
        seed=seed,
        drift=(moves, *rents.values()),
        committed={name: spread(cost) for name, cost in committed.items()},
        expected_usd=means,
        waits=waited,
        best=best,
        history=history,
        sentence=f"{history} {_choice(best, means, committed)}",
        notes=(
            *(() if moves.changes else ("no price in the tables had changed by the start, so none changes here",)),
            *(note for moved in rents.values() if rented for note in (*_short(moved, days), *_leaning(moved))),
        ),
    )


def _plan(scenario: Scenario, result: SimulationResult) -> _Plan:
    cash = result.ledger.usd()[0]
    price, rent = _price(scenario, result.option), _rent(scenario, result.option)
    moving = {key: np.zeros_like(cash) for key in (price, *((rent.key,) if rent else ()))}
    for line in result.ledger.lines:
        usd = np.broadcast_to(line.usd, (1, len(cash)))[0]
        if rent and line.line in RENTED:
            moving[rent.key] += usd
        elif line.line in BOOKED and not (rent and line.price_version.startswith(f"{rent.gpu}@")):
            moving[price] += usd  # the disk of a rented machine is no storage of the provider of tokens
    return _Plan(moving=moving, other=cash - np.sum(list(moving.values()), axis=0))


def _price(scenario: Scenario, name: str) -> str:
    """The price an option pays by the token; none of its own where it runs on machines."""
    option = scenario.options[name]
    if isinstance(option, Hybrid):
        option = scenario.options[option.overflow_option]
    return option.price if isinstance(option, HostedOption) else ""


def _rent(scenario: Scenario, name: str) -> _Rent | None:
    """The GPU an option rents, or that of the fleet it rests on; None where cards are owned, or there are none."""
    option = scenario.options[name]
    if isinstance(option, Hybrid):
        name, option = option.fleet_option, scenario.options[option.fleet_option]
    if not isinstance(option, SelfHosted):
        return None
    if option.gpu_usd_per_hour is not None:
        return _Rent(gpu=option.gpu or f"options.{name}.gpu_usd_per_hour", commitment=option.commitment)
    owned = scenario.gpu_on(str(option.gpu), option.commitment).owned
    return None if owned else _Rent(gpu=str(option.gpu), commitment=option.commitment)


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


def _short(moves: Drift, days: int) -> Iterator[str]:
    """What to say of a history of rents that is shorter than the days played, or has few changes."""
    seen = f"{_counted(moves.tables, 'table')} and {moves.years:.1f} table-years"
    if not moves.changes:
        yield f"{_named(moves)}: none had changed by the start in {seen}, so none changes here"
    elif len(moves.changes) < FEW_CHANGES or moves.years < moves.tables * days / 365.0:
        yield (
            f"{_named(moves)}: {_counted(len(moves.changes), 'change')} in {seen} make a short history, "
            f"{365.0 * moves.years / moves.tables:.0f} days a table on average for the {days} days ahead"
        )


def _leaning(moves: Drift) -> Iterator[str]:
    """What to say of changes that nearly all go one way: the index then moves by `exp(pace (E[factor] - 1))` a year."""
    rises = sum(change > 0 for change in moves.changes)
    most = max(rises, len(moves.changes) - rises)
    if most <= 1 or most < ONE_SIDED * len(moves.changes):
        return
    way, up = ("rises", "upwards") if rises == most else ("falls", "downwards")
    a_year = math.expm1(moves.per_year * float(np.mean(np.expm1(moves.changes))))
    yield (
        f"{_named(moves)}: {most} of the {len(moves.changes)} known changes are {way}, so rents lean {up} here, "
        f"by {share(abs(a_year))} a year on average; nobody knows whether the next ones do"
    )


def _choice(best: str, means: Mapping[str, float], committed: Mapping[str, Array]) -> str:
    now = min(committed, key=lambda name: means[name])
    if best in committed:
        waiting = min((name for name in means if name not in committed), key=lambda name: means[name], default=None)
        tail = "" if waiting is None else f", {usd(means[waiting] - means[best])} less than to {waiting}"
        return f"Commit now: {best} costs {usd(means[best])} on average{tail}."
    return f"To {best} costs {usd(means[now] - means[best])} less on average than to commit to {now} now."


def _named(moves: Drift) -> str:
    if moves.kind == "tokens":
        return "Token prices in the tables"
    return f"GPU rents ({moves.commitment.replace('_', ' ')})"


def _pace(moves: Drift) -> str:
    """How often, and which way."""
    downwards = sum(change < 0 for change in moves.changes)
    if not moves.changes:
        return "never changed"
    return f"changed {moves.per_year:.2f} times a year, {downwards} of {len(moves.changes)} changes downwards"


def _waiting(months: int) -> str:
    return f"wait {_counted(months, 'month')}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
