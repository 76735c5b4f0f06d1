"""Writes a scenario back as YAML, with what was laid over it, so that reading it again asks the same question."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pricing.yaml12 import parse_yaml, scalar
from simulator.files.layers import under_flags
from simulator.files.scenario import KEYS

WIDTH = 100


class _Strict(yaml.SafeDumper):
    """Quotes every text that the scenario's own rules would read as something else."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if scalar(value) != value or value.strip() != value or not value.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Strict.add_representer(str, _text)
_Strict.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


def scenario_yaml(raw: bytes | str, name: str, overrides: Sequence[str] = ()) -> str:
    """The text of a scenario with `PATH=VALUE` laid over it; its own opening comment is kept.

    Raises:
        InputError: as `parse_scenario`, of the text's form and of the paths.
    """
    document = parse_yaml(raw, name)
    value = under_flags(document, overrides, KEYS).value if overrides else document.value
    body = yaml.dump(value, Dumper=_Strict, sort_keys=False, allow_unicode=True, width=WIDTH)
    return f"{_opening(raw)}{_laid(overrides)}{body}"


def price_override(raw: bytes | str, name: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The `PATH=VALUE` that replaces rates of prices, beside the scenario's own; rules and dates stay.

    >>> price_override("prices: {}", "x.yaml", {"a/b": {"usd_per_mtok": {"input": 1.0}}})
    'prices={a/b: {like: a/b, usd_per_mtok: {input: 1.0}}}'
    >>> price_override("prices: {a/b: {usd_per_mtok: {input: 3}, base: c}}", "x.yaml", {"a/b": {"usd_per_mtok": {}}})
    'prices={a/b: {usd_per_mtok: {}, base: c}}'
    """
    own = _beside(raw, name, "prices")
    typed = {price: _as_typed(own, price) | dict(entry) for price, entry in entries.items()}
    return f"prices={_one_line(own | typed)}"


def _as_typed(own: Mapping[str, Any], price: str) -> dict[str, Any]:
    """What a scenario types of a price besides its rates by the token, of its last version; else a copy of the book."""
    if price not in own:
        return {"like": price}
    entry = own[price]
    if "versions" in entry:
        entry = entry | max(entry["versions"], key=lambda one: (str(one["effective"]), str(one["recorded"])))
    left = ("versions", "effective", "recorded", "source", "batch", "flex", "priority", "tiers", "windows")
    return {key: value for key, value in entry.items() if key not in left}


def gpu_override(raw: bytes | str, name: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The `PATH=VALUE` that replaces what machines cost, beside the scenario's own.

    >>> gpu_override("gpus: {}", "x.yaml", {"a/rtx-4090": {"usd_per_gpu_hour": {"on_demand": 0.4}}})
    'gpus={a/rtx-4090: {usd_per_gpu_hour: {on_demand: 0.4}}}'
    """
    return f"gpus={_one_line(_beside(raw, name, 'gpus') | dict(entries))}"


def _beside(raw: bytes | str, name: str, key: str) -> dict[str, Any]:
    """What the scenario itself types under a key."""
    value = parse_yaml(raw, name).value
    own = value.get(key) if isinstance(value, dict) else None
    return dict(own) if isinstance(own, dict) else {}


def _one_line(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Strict, sort_keys=False, allow_unicode=True, default_flow_style=True,
                          width=1 << 30)
    return text.strip()


def _opening(raw: bytes | str) -> str:
    """The lines of comment with which a text begins."""
    text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    kept = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        kept.append(f"{line}\n")
    return "".join(kept)


def _laid(overrides: Sequence[str]) -> str:
    if not overrides:
        return ""
    paths = ", ".join(dict.fromkeys(flag.partition("=")[0] for flag in overrides))
    words = textwrap.wrap(f"Changed against the file it came from: {paths}.", WIDTH, break_on_hyphens=False)
    return "#\n" + "".join(f"# {line}\n" for line in words)
