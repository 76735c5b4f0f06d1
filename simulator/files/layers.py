"""Lays the layers of a scenario over one another: the file, flags `PATH=VALUE`, and options copied by `like`.

All of it happens on plain values before anything is checked, so that a flag or a copy is judged as if written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pricing.errors import InputError
from pricing.load_checked import shown
from pricing.nearest import nearest
from pricing.yaml12 import Document, Key, Place, parse_yaml
from simulator.domain.options import KINDS

FLAG = "--set"
FOUND = "prompt_exact"
"""The one field of an option that is found when its prompt is counted, and never written."""

OPTION_KEYS = {name: frozenset(f.name for f in fields(kind)) - {FOUND} for name, kind in KINDS.items()}
"""The keys an option may have, by kind."""

_SAME = (("prompt", "prefix_tokens"), ("caching.cache_hit_rate", "cache_hit_rate"))
"""Two ways to write one thing on an option: the one in an upper layer replaces the other in a lower one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered(Document):
    """A scenario file under its flags; `typed` says which flag wrote what stands at a place."""

    typed: dict[Place, str] = field(default_factory=dict)

    def where(self, place: Place) -> str:
        """`file:line: dotted.path`, or `--set dotted.path` for what a flag wrote."""
        known = place
        while known and known not in self.lines and known not in self.typed:
            known = known[:-1]
        path = dotted(place)
        for depth in range(1, len(known) + 1):
            if flag := self.typed.get(known[:depth]):
                return f"{FLAG} {path}" if f"{path}.".startswith(f"{flag}.") else f"{FLAG} {flag}: {path}"
        return Document.where(self, place)


def dotted(place: Iterable[Key]) -> str:
    """A place as users write it.

    >>> dotted(("workload", "events", 0, "factor"))
    'workload.events.0.factor'
    """
    return ".".join(map(str, place))


def leaves(node: Any, place: Place = ()) -> Iterator[Place]:
    """Every place that holds a plain value or a list.

    >>> list(leaves({"a": {"b": 1, "c": [2, 3]}}))
    [('a', 'b'), ('a', 'c')]
    """
    if isinstance(node, dict) and node:
        for key, inner in node.items():
            yield from leaves(inner, (*place, key))
    else:
        yield place


def under_flags(document: Document, flags: Sequence[str], keys: Iterable[str]) -> Layered:
    """The document with every `PATH=VALUE` laid over it, later flags over earlier ones.

    Args:
        document: the scenario file; its value is a mapping.
        flags: dotted keys, `=`, and a value read by the scenario's own YAML rules, which replaces the node whole.
        keys: the keys a scenario may have at its top.

    Raises:
        InputError: not of that form, no such path, or a value that is not YAML.
    """
    page = Layered(name=document.name, value=document.value, lines=dict(document.lines))
    for flag in flags:
        path, value, inner = _read(flag)
        _check_path(path, page.value, keys)
        place, laid = _replaced(page.value, path, (), value)
        made = [place[:depth] for depth in range(1, len(place)) if place[:depth] not in page.lines]
        page = Layered(
            name=page.name,
            value=laid,
            lines={**page.lines, **{place + below: 1 for below in inner.lines}},
            typed={**dict.fromkeys(made, dotted(place)), **page.typed, place: dotted(place)},
        )
        if place[0] == "options" and len(place) > 2:
            own = value
            for key in reversed(place[2:]):
                own = {key: own}
            _give_way(page.value["options"][place[1]], own)
    return page


def with_copies(page: Layered) -> Layered:
    """The page with every option's `like` replaced by what it names: a copy, on which own keys stand whole.

    Raises:
        InputError: `like` names no option, or leads back to where it began.
    """
    options = page.value.get("options")
    if not isinstance(options, dict):
        return page
    full: dict[Key, Any] = {}
    lines, typed = dict(page.lines), dict(page.typed)

    def resolve(name: Key, trail: tuple[Key, ...]) -> Any:
        own = options[name]
        if name in full or not isinstance(own, dict) or "like" not in own:
            return full.setdefault(name, own)
        here: Place = ("options", name, "like")
        model = own["like"]
        if model not in options:
            raise InputError(f"{page.where(here)}: no option {shown(model)}{nearest(str(model), map(str, options))}")
        if model == name or model in trail:
            circle = " -> ".join(map(str, (*trail, name, model)))
            raise InputError(f"{page.where(here)}: copies go round in a circle ({circle}); write one of them out")
        copied = resolve(model, (*trail, name))
        if not isinstance(copied, dict):
            raise InputError(f"{page.where(here)}: {model} holds no keys and values to copy")
        own = {key: inner for key, inner in own.items() if key != "like"}
        inherited = {key: inner for key, inner in copied.items() if _fits(key, own, copied)}
        full[name] = _under(own, inherited, ("options", name), page.typed)
        for known in (lines, typed):
            _follow(known, ("options", model), ("options", name), inherited.keys() - own.keys())
        _give_way(full[name], own)
        return full[name]

    whole = {name: resolve(name, ()) for name in options}
    return Layered(name=page.name, value={**page.value, "options": whole}, lines=lines, typed=typed)


def _under(own: dict[Key, Any], copied: dict[Key, Any], here: Place, typed: dict[Place, str]) -> dict[Key, Any]:
    """What is copied with own keys over it: whole, but for a block that is only on the way to what a flag wrote."""
    laid = dict(own)
    for key, inner in own.items():
        place, below = (*here, key), copied.get(key)
        if typed.get(place, dotted(place)) != dotted(place) and isinstance(inner, dict) and isinstance(below, dict):
            laid[key] = _under(inner, below, place, typed)
    return {**copied, **laid}


def _fits(key: Key, own: dict[Key, Any], copied: dict[Key, Any]) -> bool:
    """Whether a copy takes the key: one of another kind leaves behind what only the model's kind has."""
    kind, before = (str(option.get("kind")) for option in (own, copied))
    only_there = OPTION_KEYS.get(before, frozenset()) - OPTION_KEYS.get(kind, frozenset())
    return kind not in OPTION_KEYS or key not in only_there


def _follow(known: dict[Place, Any], model: Place, copy: Place, keys: Iterable[Key]) -> None:
    """Let what is known of a model's places hold for the keys copied from it."""
    wanted = set(keys)
    for place, what in list(known.items()):
        if place == model and isinstance(what, str):            # a flag wrote the model whole
            known.update(dict.fromkeys(((*copy, key) for key in wanted), what))
        elif place[:2] == model and len(place) > 2 and place[2] in wanted:
            known[copy + place[2:]] = what


def _give_way(option: Any, upper: Any) -> None:
    """Take from a merged option what its upper layer has written in the other of two ways."""
    for pair in _SAME:
        for way, other in (pair, pair[::-1]):
            if _has(upper, way) and not _has(upper, other) and _has(option, other):
                *above, last = other.split(".")
                if above:
                    inner = {key: value for key, value in option[above[0]].items() if key != last}
                    option[above[0]] = inner
                else:
                    del option[last]


def _has(node: Any, way: str) -> bool:
    for key in way.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _read(flag: str) -> tuple[Place, Any, Document]:
    path, equals, text = flag.partition("=")
    path = path.strip()
    if not equals or not path or "" in path.split("."):
        raise InputError(f"{FLAG} {shown(flag)}: write PATH=VALUE, as in workload.calls_per_day=1e6")
    name = f"{FLAG} {path}"
    try:
        read = parse_yaml(text.encode(), name)
    except UnicodeEncodeError:
        raise InputError(f"{name}: the value is not UTF-8 text") from None
    except InputError as error:
        raise InputError(re.sub(rf"^{re.escape(name)}:\d+:", f"{name}:", str(error))) from None
    return tuple(path.split(".")), read.value, read


def _check_path(place: Place, value: dict[Key, Any], keys: Iterable[str]) -> None:
    path, top = dotted(place), list(keys)
    if place[0] not in top:
        written = (dotted(leaf) for leaf in leaves(value))
        hint = nearest(path, [*top, *written]) or f"; a path begins with one of {', '.join(top)}"
        raise InputError(f"{FLAG} {path}: unknown path{hint}")
    if place[0] == "prices" and len(place) > 1:
        raise InputError(f"{FLAG} {path}: prices are no paths; scale one by options.NAME.price_factor")
    options = value.get("options")
    if place[0] == "options" and len(place) > 2 and isinstance(options, dict) and place[1] not in options:
        there = ", ".join(map(str, options))
        hint = nearest(str(place[1]), map(str, options)) or f"; there are {there}"
        raise InputError(f'{FLAG} {path}: no option "{place[1]}"{hint}')


def _replaced(node: Any, path: Sequence[Key], above: Place, value: Any) -> tuple[Place, Any]:
    """The place of `path`, and `node` with `value` there, copied on the way: an anchor's other users keep theirs."""
    if not path:
        return above, value
    key: Key = path[0]
    if isinstance(node, list) and str(key).isdecimal() and int(key) < len(node):
        key = int(key)
        place, inner = _replaced(node[key], path[1:], (*above, key), value)
        return place, [*node[:key], inner, *node[key + 1 :]]
    if node is None or isinstance(node, dict):
        node = node or {}
        place, inner = _replaced(node.get(key), path[1:], (*above, key), value)
        return place, {**node, key: inner}
    inside = f"a list of {len(node)}, counted from 0" if isinstance(node, list) else shown(node)
    whole = dotted((*above, *path))
    raise InputError(f"{FLAG} {whole}: {dotted(above)} is {inside}; nothing is called {key} in it")
