"""Reads a YAML file strictly: 1.2 core scalars, no surprises, and every value knows its line.

PyYAML's own constructors follow YAML 1.1, where `no` is false, `010` is 8 and `7:30` is 450.
Here the parser's events are read instead, and a plain scalar means what the 1.2 core schema says
(https://yaml.org/spec/1.2.2/#103-core-schema), with one addition: digits may be grouped (`50_000`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pricing.errors import InputError

MAX_BYTES = 1 << 20
MAX_NODES = 200_000
MAX_DEPTH = 40
MAX_DIGITS = 300
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Key = str | int
Place = tuple[Key, ...]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9][0-9_]*\Z")
_RADIX = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?\Z")
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z")
_NAN = frozenset({".nan", ".NaN", ".NAN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: its value, and the line (from 1) on which each dotted place begins."""

    name: str
    value: Any
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """`file:line: dotted.path` for the deepest part of `place` whose line is known."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known)
        path = ".".join(str(part) for part in place)
        return ": ".join(part for part in (f"{self.name}:{line}" if line else self.name, path) if part)


def read_yaml(path: Path, name: str | None = None) -> Document:
    """Read a YAML file of at most 1 MiB.

    Args:
        path: the file.
        name: how messages call it (default: the path as given).

    Raises:
        InputError: missing, unreadable, too large, not UTF-8, or not the YAML this project accepts.
    """
    name = name or str(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            called = 'an empty name or "." is this folder' if path == Path() else "is a folder"
            raise InputError(f"{name}: {called}; name a YAML file in it")
        if size > MAX_BYTES:
            raise InputError(f"{name}: {size:,} bytes; a YAML file may hold at most {MAX_BYTES:,}")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from None
    return parse_yaml(raw, name)


def parse_yaml(raw: bytes | str, name: str) -> Document:
    """Parse YAML text already in memory; see `read_yaml`."""
    if isinstance(raw, bytes):
        if len(raw) > MAX_BYTES:
            raise InputError(f"{name}: {len(raw):,} bytes; a YAML file may hold at most {MAX_BYTES:,}")
        if raw.startswith(_UTF16):
            raise InputError(f"{name}: the file is UTF-16 text; save it as UTF-8")
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: not UTF-8 text (byte {error.start:,}); save it as UTF-8") from None
    else:
        text = raw.removeprefix("\ufeff")
    composer = _Composer(name)
    try:
        value = composer.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        tab = mark is not None and _char_at(text, mark) == "\t"
        problem = "a tab stands where only spaces may" if tab else error.problem or error.context
        raise InputError(f"{name}{line}: not valid YAML ({problem})") from None
    except yaml.YAMLError as error:
        reason = str(getattr(error, "reason", error)).splitlines()[0]
        raise InputError(f"{name}: not a text file ({reason})") from None
    return Document(name=name, value=value, lines=composer.lines)


def _char_at(text: str, mark: yaml.Mark) -> str:
    """The character at which the parser stopped; empty at the end of a line."""
    line = "".join(text.split("\n")[mark.line : mark.line + 1])
    return line[mark.column : mark.column + 1]


def scalar(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar by the 1.2 core schema.

    >>> [scalar(s) for s in ("1e6", "010", "7:30", "no", "50_000", "0x1F", "~", "true")]
    [1000000.0, 10, '7:30', 'no', 50000, 31, None, True]
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text) or _RADIX.match(text):
        digits = text.replace("_", "")
        if len(digits) > MAX_DIGITS:
            return float("inf")  # refused by name where a number is expected: it is none that can be reckoned with
        return int(digits, 0 if _RADIX.match(text) else 10)
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    if infinite := _INF.match(text):
        return float(infinite[1] + "inf")
    return float("nan") if text in _NAN else text


class _Composer:
    """Turns parser events into plain values, counting nodes so that aliases cannot explode."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0

    def document(self, events: Iterator[Any]) -> Any:
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second document begins; keep one document a file")
                value = self._node(next(events), events, (), 0)
        return value

    def _line(self, event: Any) -> int:
        """The line of an event, counted from 1."""
        return int(event.start_mark.line) + 1

    def _error(self, event: Any, problem: str) -> InputError:
        return InputError(f"{self.name}:{self._line(event)}: {problem}")

    def _node(self, event: Any, events: Iterator[Any], place: Place, depth: int) -> Any:
        self.lines.setdefault(place, self._line(event))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._error(event, f"the alias *{event.anchor} has no finished anchor before it")
            value, size = self.anchors[event.anchor]
            self._count(event, size)
            return value
        if event.tag not in (None, "!") and not (isinstance(event, yaml.ScalarEvent) and any(event.implicit)):
            raise self._error(event, f"the tag {event.tag} is not allowed; write the plain value")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        before = self.nodes
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = scalar(event.value) if event.implicit[0] and not event.style else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                value.append(self._node(inner, events, (*place, len(value)), depth + 1))
        else:
            value = self._mapping(events, place, depth)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def _mapping(self, events: Iterator[Any], place: Place, depth: int) -> dict[Key, Any]:
        value: dict[Key, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise self._error(event, "a key must be plain text or a whole number")
            read = event.value if event.style else scalar(event.value)
            if read == "<<" and not event.style:
                raise self._error(event, "the merge key << is not of YAML 1.2; write its keys out, or use like: NAME")
            key: Key = read if type(read) is int else event.value
            if key in value:
                raise self._error(event, f"the key {event.value!r} stands twice; keep one")
            self.lines[(*place, key)] = self._line(event)
            value[key] = self._node(next(events), events, (*place, key), depth + 1)
        return value

    def _count(self, event: Any, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._error(event, f"aliases expand to more than {MAX_NODES:,} values; write them out or use fewer")
