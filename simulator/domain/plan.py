"""Which option and which price serve the calls on which days: cut-over, retirement, successors, closed doors."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from simulator.domain.options import HostedFineTuned, HostedOption, Hybrid
from simulator.domain.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Days `first` up to, not including, `after`, served by `option` at `price`.

    `own` is False while another option stands in before the cut-over; `moved` is True after a retirement.
    A fleet has no price by the token (`""`), a hybrid that of the option it overflows to.
    """

    option: str
    price: str
    first: int
    after: int
    own: bool = True
    moved: bool = False


def ready_at_once(scenario: Scenario, name: str) -> Scenario:
    """The scenario as if an option served from the first day, however long its models train: nobody stands in."""
    option = dataclasses.replace(scenario.option(name), ready_after_days=0.0, until_ready=None)
    return dataclasses.replace(scenario, options={**scenario.options, name: option})


def stages(scenario: Scenario, name: str) -> tuple[list[Stage], int | None]:
    """The stages of an option in order, and the first day without service (None: served to the end)."""
    option, horizon = scenario.option(name), int(scenario.horizon_days)
    ready = min(int(option.ready_after_days), horizon)
    found: list[Stage] = []
    stops: int | None = None
    if ready > 0 and option.until_ready is not None:
        for stage in _served(scenario, option.until_ready, 0, ready):
            found.append(Stage(option=stage.option, price=stage.price, first=stage.first, after=stage.after, own=False))
        reached = found[-1].after if found else 0
        stops = reached if reached < ready else None
    if stops is None:
        found += _served(scenario, name, ready, horizon)
        reached = found[-1].after if found else 0
        stops = reached if reached < horizon else None
    return found, stops


def _served(scenario: Scenario, name: str, first: int, after: int) -> Iterator[Stage]:
    option = scenario.option(name)
    if isinstance(option, Hybrid):
        for stage in _served(scenario, option.overflow_option, first, after):
            yield Stage(option=name, price=stage.price, first=stage.first, after=stage.after, moved=stage.moved)
        return
    if not isinstance(option, HostedOption):
        if after > first:
            yield Stage(option=name, price="", first=first, after=after)
        return
    price, day, moved = option.price, first, False
    seen = set()
    while day < after and price not in seen:
        seen.add(price)
        end = _last_day(scenario, price, day, after)
        if end > day:
            yield Stage(option=name, price=price, first=day, after=end, moved=moved)
        if end == after or option.successor == "stop":
            return
        day, price, moved = max(day, end), option.successor, True


def _last_day(scenario: Scenario, price: str, first: int, after: int) -> int:
    """The day within [first, after) on which a price retires, else `after`.

    Each version says when it ends; an announced one may bring the end forward, or take it back.
    """
    for begin, until in version_spans(scenario, price, first, after):
        retires = scenario.price_on(price, begin).lifecycle.retires_on
        if retires is not None and scenario.day_index(retires) < until:
            return max(scenario.day_index(retires), begin)
    return after


def closed_reason(scenario: Scenario, name: str) -> str | None:
    """Why an option cannot be bought at all, as a sentence; None if it can."""
    option = scenario.option(name)
    if option.ready_after_days >= scenario.horizon_days:
        later = f"{option.ready_after_days:g} day{'s' * (option.ready_after_days != 1)}"
        return f"it is ready after {later}, not within the horizon"
    if isinstance(option, Hybrid):
        return closed_reason(scenario, option.overflow_option) or closed_reason(scenario, option.fleet_option)
    if not isinstance(option, HostedOption):
        return None
    version = scenario.price_on(option.price, 0)
    life, provider = version.lifecycle, option.price.partition("/")[0]
    if life.available_from is not None and life.available_from > scenario.start:
        return f"{option.price} is not sold before {life.available_from}"
    closed = life.no_new_customers_from
    if provider not in scenario.existing_customer and closed is not None and closed <= scenario.start:
        return (
            f"{option.price} takes no new customers since {closed}; if you are one, say existing_customer: [{provider}]"
        )
    if isinstance(option, HostedFineTuned) and option.training is not None:
        last_day = jobs_end(scenario, training_price(option))
        if last_day is not None and scenario.day_index(last_day) <= option.ready_after_days:
            return f"{training_price(option)} takes no training jobs from {last_day}"
    return None


def training_price(option: HostedFineTuned, serving: str | None = None) -> str:
    """The price that training is bought at: the typed one, else the one that serves."""
    typed = option.training.price if option.training else None
    return typed or serving or option.price


def jobs_end(scenario: Scenario, price: str) -> date | None:
    """The day from which no training job can be started at a price, as known from the start's version."""
    return scenario.price_on(price, 0).lifecycle.no_new_jobs_from


def version_spans(scenario: Scenario, price: str, first: int, after: int) -> Iterator[tuple[int, int]]:
    """The spans of days within [first, after) on which one version of a price holds."""
    if not price:
        yield first, after
        return
    table = scenario.prices[price]
    changes = {
        scenario.day_index(version.effective)
        for version in table.versions
        if version.announced and scenario.announced_prices
    }
    edges = [first, *sorted(day for day in changes if first < day < after), after]
    yield from itertools.pairwise(edges)


def concerns(scenario: Scenario, name: str, path: str) -> bool:
    """Whether a dial can change what an option costs: a dial of an option it never uses cannot."""
    if not path.startswith("options."):
        return True
    used: set[str] = {name}
    for _ in range(4):  # a stand-in may be a hybrid, its hosted part have a fallback, and that a stand-in of its own
        for option in [scenario.options[other] for other in used]:
            parts = (option.fleet_option, option.overflow_option) if isinstance(option, Hybrid) else ()
            stood_in = (option.until_ready, option.fallback.to if option.fallback else None)
            used |= {other for other in (*stood_in, *parts) if other is not None}
    return path.split(".")[1] in used
