"""The answer to a question, worked out once however many pages and sessions ask it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dashboard.question import Question
from simulator import (
    board,
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
    from simulator.domain.findings import Comparison, CostCurve, Knob

KEPT = 64
"""Answers kept for all sessions; each is below 1 MB, and an answer tells nothing but what its question said."""


@functools.lru_cache(maxsize=KEPT)
def scenario_of(question: Question) -> Scenario:
    """The scenario of a question, read and checked as the command line reads it."""
    return parse_scenario(question.raw, question.name, question.flags, folder=question.folder)


@functools.lru_cache(maxsize=KEPT)
def bills_of(question: Question) -> Comparison:
    """Every option side by side, without what would change the choice: all that the charts need, in half the time."""
    found: Comparison = compare(scenario_of(question), flips=False)
    return found


@functools.lru_cache(maxsize=KEPT)
def comparison_of(question: Question) -> Comparison:
    """Every option side by side, and what would change the choice."""
    found: Comparison = with_flips(scenario_of(question), bills_of(question))
    return found


@functools.lru_cache(maxsize=KEPT)
def priced_everywhere(question: Question) -> Comparison:
    """The same with every price there is: the saving taken apart, and what else could be bought."""
    found: Comparison = compare(scenario_of(question), book=shipped_book())
    return found


@functools.lru_cache(maxsize=KEPT)
def curve_of(question: Question) -> CostCurve:
    """Monthly cost against volume."""
    found: CostCurve = cost_curve(scenario_of(question))
    return found


@functools.lru_cache(maxsize=KEPT)
def knobs_of(question: Question, linked: tuple[tuple[str, float], ...]) -> tuple[Knob, ...]:
    """The dials of a question, with the positions a link has added."""
    found: tuple[Knob, ...] = board(scenario_of(question), dict(linked))
    return found


@functools.lru_cache(maxsize=KEPT)
def tornado_of(question: Question) -> Any:
    """What each dial does to the lead of the best option."""
    return tornado(scenario_of(question))


@functools.lru_cache(maxsize=KEPT)
def flips_of(question: Question) -> Any:
    """The smallest change of each dial that changes the choice."""
    return flips(scenario_of(question))


@functools.lru_cache(maxsize=KEPT)
def explored_of(question: Question) -> Any:
    """What a report shows of what moves the answer."""
    return explore(scenario_of(question))


@functools.lru_cache(maxsize=KEPT)
def map_of(question: Question, x: str, y: str) -> Any:
    """The cheapest option over two dials."""
    return cost_map(scenario_of(question), x, y)
