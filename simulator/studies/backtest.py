"""What a decision would have been worth: decide with the prices known on a day, pay those that really followed.

The day of the decision sees only versions recorded by then, among them announced changes. What follows is
everything the tables hold today: each version from its effective day, corrections included, retirements that
nobody could know of. An option whose price was not sold that day is infeasible, not an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta

from pricing.changes import known_on
from pricing.errors import InputError
from pricing.table import ALWAYS, PriceTable, PriceVersion
from simulator.domain.advice import Backtest, Paid
from simulator.domain.batch import months
from simulator.domain.drawn import with_dials
from simulator.domain.findings import SimulationResult
from simulator.domain.options import HostedFineTuned, HostedOption, Hybrid, SelfHosted, ServingOption
from simulator.domain.scenario import MAX_HORIZON_DAYS, Scenario
from simulator.formats import usd
from simulator.run import run

TIE = 1e-9
"""Share of the bill below which a regret is a rounding error."""


def backtest(scenario: Scenario, decide_on: date, until: date | None = None) -> Backtest:
    """Decide on a day with what was known, then pay what followed.

    Args:
        scenario: the question; its start is moved to `decide_on`.
        decide_on: day of the decision and first day of the bill; one after the last price decides with that.
        until: day after the last (default: as many days as the scenario's horizon).

    Raises:
        InputError: `until` not after `decide_on`, or no option of the scenario had a price that day.
    """
    until = until or decide_on + timedelta(days=int(scenario.horizon_days))
    days = (until - decide_on).days
    if not 1 <= days <= MAX_HORIZON_DAYS:
        raise InputError(f"until {until}: {days} days after the decision on {decide_on}; take 1 to {MAX_HORIZON_DAYS}")
    moved = dataclasses.replace(scenario, ranges={}, correlations=(), outlook=None)
    moved = with_dials(moved, {"horizon_days": float(days)})
    known = {name: seen for name, table in scenario.prices.items() if (seen := known_on(table, decide_on)) is not None}
    missing = {name: unsold(option, known, scenario, decide_on) for name, option in scenario.options.items()}
    _spread_gaps(moved, missing)
    sold = {name: option for name, option in scenario.options.items() if missing[name] is None}
    if not sold:
        first = min(version.recorded for table in scenario.prices.values() for version in table.versions)
        if decide_on >= first:
            raise InputError(f"no option of this scenario was sold on {decide_on}: {next(iter(missing.values()))}")
        raise InputError(
            f"no option of this scenario had a price on {decide_on}; the first of them was known on {first}"
        )
    baseline = scenario.baseline if scenario.baseline in sold else next(iter(sold))
    seen, real = (
        dataclasses.replace(
            moved,
            start=decide_on,
            options=sold,
            baseline=baseline,
            adjust=tuple(item for item in moved.adjust if all(name in sold for name in item.on)),
            prices=prices,
        )
        for prices in (known, {name: that_followed(table) for name, table in scenario.prices.items()})
    )
    plans = {name: run(seen, name) for name in sold}
    bills = {name: run(real, name) for name in sold}
    return _judged(scenario, decide_on, until, missing, plans, bills, changes(real, sold))


def monthly(
    scenario: Scenario, first: date, last: date, until: date | None = None, every_months: int = 1
) -> Iterator[Backtest]:
    """A decision on the same day of every month from `first` to `last`, each paid to its own horizon.

    Args:
        scenario: the question.
        first: the first decision.
        last: no decision after this day.
        until: every decision is paid up to here (default: to its own horizon).
        every_months: months between two decisions.
    """
    if last < first:
        raise InputError(f"the last decision on {last} is before the first on {first}")
    for day in months(first, last, every_months):
        yield backtest(scenario, day, until)


def that_followed(table: PriceTable) -> PriceTable:
    """The table as it turned out: the last word on every effective day, each change applied from its day.

    What is known today of the end of a model is known throughout: the bill stops where service stopped.
    """
    last = max(table.versions, key=lambda version: (version.recorded, version.effective)).lifecycle
    latest = {version.effective: version for version in table.versions}
    versions = tuple(
        dataclasses.replace(
            version,
            recorded=ALWAYS if version.effective == ALWAYS else version.effective - timedelta(days=1),
            lifecycle=dataclasses.replace(
                version.lifecycle,
                retires_on=last.retires_on,
                no_new_jobs_from=last.no_new_jobs_from,
                successor=last.successor,
            ),
        )
        for version in latest.values()
    )
    return dataclasses.replace(table, versions=versions)


def unsold(option: ServingOption, known: dict[str, PriceTable], scenario: Scenario, day: date) -> str | None:
    """Why an option could not be bought on a day, or None."""
    if isinstance(option, SelfHosted):
        return _unrented(option, scenario, day)
    if not isinstance(option, HostedOption):
        return None
    training = option.training if isinstance(option, HostedFineTuned) else None
    needed = [option.price, *([training.price] if training and training.price else [])]
    if training and training.grader is not None:
        needed.append(training.grader.price)
    for price in needed:
        if price not in known:
            first = min(version.recorded for version in scenario.prices[price].versions)
            return f"{price} was not sold on {day}; its first price was known on {first}"
        life = known[price].known_on(day).lifecycle
        if life.retires_on is not None and life.retires_on <= day:
            return f"{price} had retired on {life.retires_on}"
    return None


def _unrented(option: SelfHosted, scenario: Scenario, day: date) -> str | None:
    """Why the cards of an option could not be had on a day, or None."""
    trained_on = option.training.gpu if option.training is not None else None
    for gpu in dict.fromkeys(name for name in (option.gpu, trained_on) if name is not None):
        first = min(version.recorded for version in scenario.gpus[gpu].versions)
        if first > day:
            return f"no price of {gpu} was known on {day}; its first was recorded on {first}"
    return None


def changes(real: Scenario, sold: dict[str, ServingOption]) -> tuple[str, ...]:
    """Every price version that came into force inside the horizon, oldest first, with what it replaced."""
    found = []
    for price in sorted({option.price for option in sold.values() if isinstance(option, HostedOption)}):
        table = real.prices[price]
        inside = [version for version in table.versions if real.start < version.effective < real.end]
        for version in inside:
            before = table.on(version.effective - timedelta(days=1))
            found.append((version.effective, f"{table.version_id(version)}: {_change(before, version)}"))
        retires = table.on(real.start).lifecycle.retires_on
        if retires is not None and real.start < retires < real.end:
            found.append((retires, f"{price} retired on {retires}"))
    return tuple(sentence for _, sentence in sorted(found))


def _change(before: PriceVersion, after: PriceVersion) -> str:
    """What a version changed, rates first."""
    rates = []
    for meter in ("input", "cached_input", "output"):
        old, new = (getattr(version.usd_per_mtok, meter) for version in (before, after))
        if old != new:
            before_to_after = " to ".join("unsold" if rate is None else f"{rate:g}" for rate in (old, new))
            rates.append(f"{meter} {before_to_after}")
    if rates:
        return ", ".join(rates) + " USD per Mtok"
    if before.rules != after.rules:
        return "billing rules"
    return "other rates" if before.usd_per_mtok != after.usd_per_mtok else "lifecycle or source"


def _spread_gaps(scenario: Scenario, missing: dict[str, str | None]) -> None:
    """An option that leans on one that was not sold could not be bought either."""
    for _ in scenario.options:
        for name, option in scenario.options.items():
            leans = [option.until_ready, option.fallback.to if option.fallback else None]
            leans += [option.fleet_option, option.overflow_option] if isinstance(option, Hybrid) else []
            gone = [other for other in leans if other is not None and missing[other] is not None]
            if missing[name] is None and gone:
                missing[name] = f"it needs {gone[0]}, which was not sold that day"


def _judged(
    scenario: Scenario,
    decide_on: date,
    until: date,
    missing: dict[str, str | None],
    plans: dict[str, SimulationResult],
    bills: dict[str, SimulationResult],
    changed: tuple[str, ...],
) -> Backtest:
    """Choice by plan, best by bill; where the choice stopped serving, bills are compared up to that day."""
    planned = {name: float(plan.total_usd[0]) for name, plan in plans.items() if plan.feasible}
    order = list(scenario.options)

    def cheapest(usd_by: dict[str, float]) -> str | None:
        return min(usd_by, key=lambda n: (usd_by[n], n != scenario.baseline, order.index(n)), default=None)

    choice = cheapest(planned)
    stop = None if choice is None else bills[choice].serves_until
    days = (min(stop or until, until) - decide_on).days
    compared = {
        name: float(bill.ledger.usd()[0, :days].sum())
        for name, bill in bills.items()
        if name in planned and (bill.serves_until is None or (bill.serves_until - decide_on).days >= days)
    }
    best = cheapest(compared)
    regret = None if choice is None or best is None else max(0.0, compared[choice] - compared[best])
    options = {
        name: Paid(
            planned_usd=planned.get(name),
            paid_usd=float(bills[name].total_usd[0]) if name in planned else None,
            serves_until=bills[name].serves_until if name in bills else None,
            why_not=missing[name] or _why_not(name, plans, bills),
            versions=_versions(scenario, bills[name]) if name in bills else (),
            planned_at=_versions(scenario, plans[name]) if name in planned else (),
        )
        for name in order
    }
    return Backtest(
        decided_on=decide_on,
        until=until,
        choice=choice,
        best=best,
        options=options,
        regret_usd=regret,
        changes=changed,
        sentence=_sentence(decide_on, until, choice, best, planned, compared, stop),
    )


def _versions(scenario: Scenario, bill: SimulationResult) -> tuple[str, ...]:
    """The versions of prices on a bill; its other lines name a path of the scenario."""
    known = {table.version_id(version) for table in scenario.prices.values() for version in table.versions}
    return tuple(sorted(known & {line.price_version for line in bill.ledger.lines}))


def _why_not(name: str, plans: dict[str, SimulationResult], bills: dict[str, SimulationResult]) -> str | None:
    if plans[name].why_not is not None:
        return plans[name].why_not
    stopped = bills[name].serves_until
    return None if stopped is None else f"it stopped serving on {stopped}, which nobody knew at the decision"


def _sentence(
    decide_on: date,
    until: date,
    choice: str | None,
    best: str | None,
    planned: dict[str, float],
    paid: dict[str, float],
    stop: date | None,
) -> str:
    if choice is None or best is None:
        return f"On {decide_on} nothing on sale served every day until {until}."
    said = f"On {decide_on} the prices known that day chose {choice}, planned at {usd(planned[choice])} until {until}"
    ended = "" if stop is None else f" until it stopped serving on {stop}"
    said += f"; {usd(paid[choice])} was paid{ended}"
    regret = paid[choice] - paid[best]
    if regret <= TIE * abs(paid[choice]):
        return f"{said}, and nothing on sale that day would have been cheaper."
    return f"{said}, {usd(regret)} more than with {best}."
