"""The expected wing: asks its rooms for counts and hands over an Activity; it knows no dollars."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.domain.drawn import Drawn, Draws
from simulator.domain.options import HostedFineTuned
from simulator.domain.overload import ROOM_UNSURE, fleet_flags, overwhelmed
from simulator.domain.plan import Stage, closed_reason, stages, version_spans
from simulator.domain.recorded import LENGTHS_OF_A_FLEET
from simulator.domain.scenario import Scenario
from simulator.domain.usage import Activity, Count, FleetUse
from simulator.expected.calls import attempts
from simulator.expected.engine_calendar import Calendar, clock_changes
from simulator.expected.engine_handover import turns
from simulator.expected.engine_lines import Lines
from simulator.expected.engine_machines import as_likely, served_by_fleet, together
from simulator.expected.engine_replayed import ReplayedCalendar
from simulator.expected.engine_servers import answered, servers
from simulator.expected.engine_tokens import token_counts
from simulator.expected.outlook import expected_index

Array = NDArray[np.float64]
CAPPED = "cache hits are those of calls spread over the day like demand, at the mean rate workload.cap_per_s admits"


def count(scenario: Scenario, option: str, draws: Draws, *, daily: bool) -> Activity:
    """Count everything an option does over the horizon, in expectation.

    Args:
        scenario: the question.
        option: name of the option.
        draws: dials replaced by arrays of shape (D,).
        daily: periods of one day; else as long as every price is constant (fewer, faster, the same totals).

    Raises:
        InputError: the option cannot be counted as written (a time to live that is not sold, no data set size).
    """
    planned, stops = stages(scenario, option)
    view: Any = Drawn(scenario, draws) if draws else scenario
    served_by = turns(scenario, view, option, planned)
    plan = [turn.stage for turn in served_by]
    changes = sorted(_changes(scenario, plan).union(*(turn.changes for turn in served_by)))
    by_day = daily or scenario.outlook is not None
    edges = np.arange(int(scenario.horizon_days) + 1) if by_day else np.asarray(changes)
    calendar = (Calendar if scenario.workload.replay is None else ReplayedCalendar)(scenario, view, edges)
    shape = (max([len(calendar.calls), *(len(values) for values in draws.values())]), len(edges) - 1)
    counts: list[Count] = []
    fleets: list[FleetUse] = []
    doubtful = False
    eligible, hits, served = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for turn in served_by:
        stage = turn.stage
        for first, after in itertools.pairwise(day for day in changes if stage.first <= day <= stage.after):
            span = slice(int(np.searchsorted(edges, first)), int(np.searchsorted(edges, after)))
            chance = turn.share(edges[span.start : span.stop + 1])
            if not np.any(chance):
                continue
            share: Any
            for name, price, share, time in servers(scenario, view, stage, first):
                fleet = served_by_fleet(scenario, view, calendar, name, stage.option, span, not draws)
                if fleet is not None:
                    doubtful |= fleet.doubtful
                    fleets.append(as_likely(fleet.use, np.atleast_2d(chance)[:, 0]))
                    counts += [_placed(item, span, shape, chance) for item in fleet.counts]
                    name, share = fleet.overflow_option, fleet.overflow_share
                    if name == "":
                        continue
                version = scenario.price_on(price, first)
                found = token_counts(calendar, view.options[name], name, price, version, span, share, time)
                counts += [_placed(item, span, shape, chance) for item in found.counts]
                if name == stage.option:
                    eligible[:, span] += chance * found.eligible
                    hits[:, span] += chance * found.hits
            answers = calendar.column(answered(scenario, view, stage, first))
            served[:, span] += chance * calendar.calls[:, span] * answers
    flags = list(_unserved(scenario, plan))
    lines = Lines(scenario, view, option, calendar, served_by)
    counts += [*lines.building(), *lines.releases(flags), *lines.recurring()]
    chosen = view.options[option]
    _, delivered = attempts(chosen.retries.failure_rate, chosen.retries.max)
    used = together(fleets)
    if used is not None:
        flags += fleet_flags(used)
    return Activity(
        option=option,
        edges=edges,
        counts=tuple(counts),
        calls=calendar.calls,
        served=served,
        eligible=eligible,
        hits=hits,
        peak_per_s=calendar.peak_per_s,
        delivered_share=np.atleast_1d(delivered),
        serves_until=stops,
        why_not=closed_reason(scenario, option) or (overwhelmed(used) if used is not None and not draws else None),
        flags=tuple(flags),
        price_index=_price_index(scenario, view),
        approximate=(*_approximate(scenario, used is not None, bool(eligible.any())), *[ROOM_UNSURE] * doubtful),
        fleet=used,
    )


def _price_index(scenario: Scenario, view: Any) -> dict[str, Array]:
    """What unknown changes multiply every price by on each day, on average."""
    if scenario.outlook is None:
        return {}
    moves, days = view.outlook, int(scenario.horizon_days)
    index = expected_index(days, moves.changes_per_year, scenario.outlook.mean_factor, moves.drift_per_year)
    return dict.fromkeys(scenario.prices, index)


def _approximate(scenario: Scenario, fleet: bool, cached: bool) -> Iterator[str]:
    """What of the counts is a good guess rather than an expectation."""
    if fleet:
        yield "the fleet: replicas and latency"
        if scenario.recorded is not None:
            yield LENGTHS_OF_A_FLEET
    if scenario.workload.cap_per_s is not None and cached:
        yield CAPPED


def _changes(scenario: Scenario, plan: list[Stage]) -> set[int]:
    """Days on which a stage begins, a price or a clock it is tied to may change, and the ends of the horizon."""
    found = {0, int(scenario.horizon_days)}
    if scenario.credits and scenario.credits.until:
        found.add(min(max(scenario.day_index(scenario.credits.until), 0), int(scenario.horizon_days)))
    for stage in plan:
        fallback = scenario.options[stage.option].fallback
        served = [(stage.price, stage.first, stage.after)]
        for other in stages(scenario, fallback.to)[0] if fallback else ():
            served.append((other.price, max(other.first, stage.first), min(other.after, stage.after)))
        for price, first, after in served:
            for span in version_spans(scenario, price, first, after) if first < after else ():
                found.update(span)
                if price and scenario.price_on(price, span[0]).usd_per_mtok.windows:
                    found.update(clock_changes(scenario.start, scenario.workload.timezone, *span))
        for price in _training_prices(scenario, stage):
            for span in version_spans(scenario, price, stage.first, stage.after):
                found.update(span)
    return found


def _unserved(scenario: Scenario, plan: list[Stage]) -> Iterator[str]:
    """What to say of a fallback that ends before the option that relies on it."""
    for stage in plan:
        fallback = scenario.options[stage.option].fallback
        stop = stages(scenario, fallback.to)[1] if fallback else None
        if fallback is not None and stop is not None and stop < stage.after:
            day = scenario.start + timedelta(days=max(stop, stage.first))
            yield f"nothing serves the fallback of {stage.option} from {day}, when {fallback.to} has stopped"


def _training_prices(scenario: Scenario, stage: Stage) -> Iterator[str]:
    """The prices at which the option of a stage trains and grades, besides the one that serves."""
    option = scenario.options[stage.option]
    training = option.training if isinstance(option, HostedFineTuned) else None
    if training is not None and training.price is not None and training.price != stage.price:
        yield training.price
    if training is not None and training.grader is not None:
        yield training.grader.price


def _placed(item: Count, span: slice, shape: tuple[int, int], chance: Array | float) -> Count:
    """The count on the whole time axis, as likely as it is."""
    quantity = item.quantity * chance
    whole = np.zeros((len(quantity), shape[1]))
    whole[:, span] = quantity
    return Count(line=item.line, unit=item.unit, quantity=whole, basis=item.basis, option=item.option)
