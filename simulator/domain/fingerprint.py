"""What an answer rests on, as plain values that can be kept, and how two of them differ: prices, dials, code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pricing.book import canonical
from pricing.errors import NotInForce
from simulator.domain.dials import walk_dials
from simulator.domain.findings import VERSION
from simulator.domain.options import HostedOption, Hybrid, SelfHosted, ServingOption
from simulator.domain.scenario import Scenario

Kind = Literal["code", "price", "dial", "option", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same; None where it is not there at all."""

    kind: Kind
    path: str
    before: float | str | None
    after: float | str | None

    def __str__(self) -> str:
        if self.kind == "price" and self.before == self.after:
            return f"price {self.path}: other figures behind {self.after}"
        return f"{self.kind} {self.path}: {_said(self.before)} -> {_said(self.after)}"


def fingerprint(scenario: Scenario) -> dict[str, Any]:
    """Everything that can move a number of a scenario: its dials, the versions of its prices, this program."""
    prices = {}
    for name, table in sorted(scenario.prices.items()):
        try:
            version = table.version_id(table.on(scenario.start))
        except NotInForce:                                       # a successor that is sold only later
            version = "later"
        prices[name] = {"version": version, "digest": _digest(table)}
    machines: dict[str, Any] = {**scenario.gpus, **scenario.serving}
    for name, thing in sorted(machines.items()):
        prices[name] = {"version": name, "digest": _digest(thing)}
    return {
        "code": VERSION,
        "digest": scenario.digest,
        "start": scenario.start.isoformat(),
        "baseline": scenario.baseline,
        "options": {name: _served_by(option) for name, option in scenario.options.items()},
        "dials": {at.path: at.value for at in walk_dials(scenario)},
        "prices": prices,
    }


def _served_by(option: ServingOption) -> str:
    """The price, profile or parts that an option serves its calls with."""
    if isinstance(option, SelfHosted):
        return option.serving if isinstance(option.serving, str) else f"a typed speed on {option.gpu}"
    if isinstance(option, Hybrid):
        return f"{option.fleet_option}, then {option.overflow_option}"
    return option.price if isinstance(option, HostedOption) else option.kind


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """How two fingerprints differ: the program first, then prices, options, dials; nothing where they agree.

    >>> differences({"digest": "a", "code": "1"}, {"digest": "b", "code": "2"})
    [Difference(kind='code', path='tunepoint', before='1', after='2')]
    """
    found = []
    if before.get("code") != after.get("code"):
        found.append(_difference("code", "tunepoint", before.get("code"), after.get("code")))
    for name, (old, new) in _apart(before.get("prices", {}), after.get("prices", {})):
        versions = [None if price is None else price["version"] for price in (old, new)]
        found.append(_difference("price", name, *versions))
    for name, (old, new) in _apart(before.get("options", {}), after.get("options", {})):
        found.append(_difference("option", name, old, new))
    for key in ("start", "baseline"):
        if before.get(key) != after.get(key):
            found.append(_difference("other", key, before.get(key), after.get(key)))
    there = {f"options.{name}." for name in (*before.get("options", {}), *after.get("options", {}))}
    both = {f"options.{name}." for name in before.get("options", {}) if name in after.get("options", {})}
    alone = tuple(there - both)
    for path, (old, new) in _apart(before.get("dials", {}), after.get("dials", {})):
        if not path.startswith(alone):
            found.append(_difference("dial", path, old, new))
    if not found and before.get("digest") != after.get("digest"):
        found.append(_difference("other", "scenario", before.get("digest"), after.get("digest")))
    return found


def _apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, tuple[Any, Any]]]:
    names = [*before, *(name for name in after if name not in before)]
    return [(name, (before.get(name), after.get(name))) for name in names if before.get(name) != after.get(name)]


def _difference(kind: Kind, path: str, before: Any, after: Any) -> Difference:
    return Difference(kind=kind, path=path, before=before, after=after)


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:12]


def _said(value: float | str | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else f"{value:,.10g}"
