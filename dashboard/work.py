"""What workers do for a page: every function here answers a question, in a process that serves no page itself.

It must be importable without Streamlit; what it takes and gives back must pickle within a millisecond.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator import (
    board,
    break_even,
    charts,
    compare,
    cost_curve,
    cost_map,
    explore,
    flips,
    parse_scenario,
    shipped_book,
    tornado,
    with_flips,
)

if TYPE_CHECKING:
    from simulator import Scenario
    from simulator.charts import Figure
    from simulator.domain.findings import BreakEven, Comparison, CostCurve, Knob

KEPT = 64
"""Scenarios a process keeps as they were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A scenario's text and the `PATH=VALUE` laid over it; `folder` is None for one that was sent."""

    name: str
    raw: bytes
    folder: Path | None
    flags: tuple[str, ...] = ()


class Drawn(NamedTuple):
    """A chart as a page takes it: the text it is drawn from, what it says in words, and the room it has."""

    figure: str
    alt: str
    room: dict[str, Any]
    height: int


class Look(NamedTuple):
    """What is known first of a question: the bills, the curve, and the charts of both by name."""

    bills: Comparison
    curve: CostCurve
    drawn: dict[str, Drawn]


class Chart(NamedTuple):
    """A chart of the first page, and its height."""

    figure: Callable[[Comparison, CostCurve], Figure]
    height: int


CHARTS = {
    "cumulative-cost": Chart(lambda bills, _: charts.cumulative_cost(bills), 440),
    "cost-against-volume": Chart(
        lambda bills, curve: charts.cost_against_volume(curve, bills.break_even, bills, meetings=bills.meetings), 500
    ),
    "bill-by-line": Chart(lambda bills, _: charts.bill_by_line(bills), 480),
}


@functools.lru_cache(maxsize=KEPT)
def scenario_of(question: Question) -> Scenario:
    """The scenario of a question, read and checked as the command line reads it."""
    return parse_scenario(question.raw, question.name, question.flags, folder=question.folder)


def done(task: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    """What a function of this module gives, called with all its arguments: a worker is handed both as one task."""
    function, given = task
    return function(*given)


def drawn(figure: Figure, height: int = charts.PLOT_PX, *, narrow: bool = False) -> Drawn:
    """A chart for a page, `narrow` in half of it."""
    return Drawn(charts.page_json(figure, height, narrow=narrow), figure.layout.meta["alt"],
                 charts.page_room(figure, narrow=narrow), height)


def look(question: Question) -> Look:
    """The bills of all options and the first charts; without what would change the choice, in half the time."""
    scenario = scenario_of(question)
    bills, curve = compare(scenario, flips=False), cost_curve(scenario)
    return Look(bills, curve, {name: drawn(one.figure(bills, curve), one.height) for name, one in CHARTS.items()})


def comparison(question: Question, bills: Comparison) -> Comparison:
    """The same bills, and what would change the choice."""
    found: Comparison = with_flips(scenario_of(question), bills)
    return found


def priced_everywhere(question: Question) -> Comparison:
    """The comparison with every price there is: the saving taken apart, and what else could be bought."""
    found: Comparison = compare(scenario_of(question), book=shipped_book())
    return found


def knobs(question: Question, linked: tuple[tuple[str, float], ...]) -> tuple[Knob, ...]:
    """The dials of a question, with the positions a link has added."""
    found: tuple[Knob, ...] = board(scenario_of(question), dict(linked))
    return found


def crossings(
    question: Question, pair: tuple[str, str], along: str, ends: tuple[float, float]
) -> tuple[BreakEven, CostCurve]:
    """Where two options cost the same along a dial, and the curve of all on which that is seen."""
    scenario = scenario_of(question)
    return break_even(scenario, pair, along, *ends), cost_curve(scenario, along, *ends)


def moves(question: Question) -> Any:
    """What each dial does to the lead of the best option."""
    return tornado(scenario_of(question))


def flipped(question: Question) -> Any:
    """The smallest change of each dial that changes the choice."""
    return flips(scenario_of(question))


def explored(question: Question) -> Any:
    """What a report shows of what moves the answer."""
    return explore(scenario_of(question))


def mapped(question: Question, x: str, y: str) -> Any:
    """The cheapest option over two dials."""
    return cost_map(scenario_of(question), x, y)
