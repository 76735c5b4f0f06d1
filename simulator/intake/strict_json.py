"""Reads JSON as its standard says and no more: what Python takes silently, and what a reader cannot have meant."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MOST_DIGITS = 300


class Fault(ValueError):
    """It has the form of JSON, and a value in it cannot be meant."""


def strict_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        Fault: NaN or Infinity, a key twice in one object, a number of hundreds of digits, or nested too deeply.
        json.JSONDecodeError: it is no JSON.

    >>> strict_json('{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> strict_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    simulator.intake.strict_json.Fault: the key "a" stands twice; keep one
    """
    try:
        return json.loads(text, parse_constant=_constant, parse_int=_whole, object_pairs_hook=_object)
    except RecursionError:
        raise Fault("nested too deeply") from None


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words.

    >>> kind_of(7), kind_of("a"), kind_of(None), kind_of(True)
    ('a number', 'a text', 'null', 'true')
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def _constant(name: str) -> NoReturn:
    raise Fault(f"{name} is no JSON; write null, a number, or a text in quotation marks")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Fault(f"a number of {len(digits):,} digits; write it as a text in quotation marks")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Fault(f"the key {json.dumps(key[:50])} stands twice; keep one")
        found[key] = value
    return found
