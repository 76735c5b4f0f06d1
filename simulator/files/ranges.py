"""Takes ranges out of a scenario page before it is checked: the number becomes the range's mean, the range is kept."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

from pricing.errors import InputError
from pricing.load_checked import checked
from pricing.nearest import nearest
from pricing.yaml12 import Place
from simulator.domain.dials import dials_of, walk_dials
from simulator.domain.drawn import value_at, with_dials
from simulator.domain.options import KINDS
from simulator.domain.ranges import FORMS, RANGES, Range, range_kind, within
from simulator.domain.scenario import Scenario
from simulator.files.layers import Layered, dotted

_NOT_HERE = ("prices", "correlations", "assumes", "diagnosis")
"""Keys of a scenario file below which no dial stands."""
LABELLED = frozenset({"one_off_usd", "recurring_usd_per_month", "wages_usd_per_hour"})
"""Dials that hold an amount a label, and any word may be one."""
_PINNED = re.compile(r"^(options\.[^.]+)\.caching\.cache_hit_rate$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged:
    """A page without its ranges, and the ranges with their places."""

    page: Layered
    ranges: Mapping[Place, Range] = field(default_factory=dict)


def without_ranges(page: Layered) -> Ranged:
    """The page with every range replaced by its mean, rounded where the dial counts whole things.

    Raises:
        InputError: a range that cannot be (low above high, mode outside), with its place.
    """
    found: dict[Place, Range] = {}
    value = {
        key: inner if key in _NOT_HERE else _taken(inner, (key,), page, found) for key, inner in page.value.items()
    }
    return Ranged(page=dataclasses.replace(page, value=value), ranges=found)


def with_ranges(scenario: Scenario, ranged: Ranged) -> Scenario:
    """The scenario with its ranges, each cut at the bounds of its dial.

    Raises:
        InputError: a range where no dial stands, or beyond what the dial may be.
    """
    if not ranged.ranges:
        return scenario
    known = {at.path: at.dial for at in walk_dials(scenario)}
    ranges, means = {}, {}
    for place, one in ranged.ranges.items():
        path = _PINNED.sub(r"\1.cache_hit_rate", dotted(place))
        if path not in known:
            raise InputError(f"{ranged.page.where(place)}: takes no range{nearest(path, known) or '; give a number'}")
        dial = known[path]
        try:
            ranges[path] = within(one, dial)
        except ValueError as error:
            raise InputError(f"{ranged.page.where(place)}: {error}") from None
        mean = ranges[path].expected
        if not dial.whole and mean != value_at(scenario, path):
            means[path] = mean
    placed: Scenario = with_dials(scenario, means) if means else scenario
    return dataclasses.replace(placed, ranges=ranges)


def _taken(node: Any, place: Place, page: Layered, found: dict[Place, Range]) -> Any:
    if isinstance(node, list):
        return [_taken(inner, (*place, number), page, found) for number, inner in enumerate(node)]
    if not isinstance(node, dict) or not node:
        return node
    kind = range_kind(node)
    if kind is None:
        if place[-1] in dial_names() - LABELLED and any(frozenset(map(str, node)) & keys for keys in RANGES):
            raise InputError(f"{page.where(place)}: {', '.join(map(str, node))} make no range; write {FORMS}")
        return {key: _taken(inner, (*place, key), page, found) for key, inner in node.items()}
    one: Range = checked(kind, node, page, place)
    found[place] = one
    return float(round(one.expected)) if place[-1] in whole_names() else one.expected


@functools.lru_cache
def whole_names() -> frozenset[str]:
    """Names of the dials that count whole things."""
    return dial_names(whole=True)


@functools.lru_cache
def dial_names(whole: bool = False) -> frozenset[str]:
    """Names of all dials, or of those that count whole things."""
    dials = (item for kind in _kinds(Scenario, *KINDS.values()) for item in dials_of(kind).items())
    return frozenset(name for name, dial in dials if dial.whole or not whole)


def _kinds(*kinds: Any) -> Iterator[type]:
    """Every dataclass reached from the fields of `kinds`."""
    waiting, seen = list(kinds), set()
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
            seen.add(kind)
            waiting += get_type_hints(kind).values()
            yield kind
