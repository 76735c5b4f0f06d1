"""Turns a parsed document into checked objects, and every mistake into one sentence with its line."""

from __future__ import annotations

import difflib
import functools
import json
import math
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pricing.errors import InputError
from pricing.yaml12 import Document, Place

T = TypeVar("T")


@functools.lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def checked(kind: type[T], value: Any, document: Document, place: Place = ()) -> T:
    """Build `kind` (a dataclass or any annotated type) from plain values, strictly.

    Args:
        kind: the type to build; dataclasses forbid unknown keys by their `__pydantic_config__`.
        value: what the document holds at `place`.
        document: where it came from, for the sentence.
        place: the keys that lead to it.

    Raises:
        InputError: naming file, line, key, value and remedy.
    """
    try:
        text = json.dumps(_integral(value))
        return _adapter(kind).validate_json(text, strict=True)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise InputError(_sentence(kind, error, document, place)) from None


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the closest known word, or nothing.

    >>> nearest("promt_tokens", ["prefix_tokens", "prompt_tokens"])
    '; did you mean "prompt_tokens"?'
    >>> nearest("zebra", ["prompt"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _integral(value: Any) -> Any:
    """Whole floats as integers (`1e6` is a count too), infinities kept for the check that names them."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, dict):
        return {key: _integral(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_integral(inner) for inner in value]
    return value


def _sentence(kind: Any, error: ValidationError, document: Document, place: Place) -> str:
    """The first mistake in words; unknown keys come first, because they often cause the others."""
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] in _UNKNOWN), problems[0])
    below = tuple(_without_model_names(first["loc"]))
    where = document.where(place + below)
    got = first["input"]
    match first["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = _fields_at(kind, below[:-1])
            hint = nearest(str(below[-1]), known) or _listing(known)
            return f"{where}: unknown key{hint}"
        case "missing" | "missing_argument":
            return f"{where}: is required and missing"
        case "finite_number":
            return f"{where}: {_shown(got)} is not a finite number; give an ordinary number"
        case "float_type" | "int_type" | "float_parsing" | "int_parsing":
            noun = "a number" if first["type"].startswith("float") else "a whole number"
            return f"{where}: {_shown(got)} is not {noun}"
        case "int_from_float":
            return f"{where}: {_shown(got)} is not a whole number"
        case "string_type":
            return f"{where}: {_shown(got)} is not text; put it in quotes"
        case "bool_type":
            return f"{where}: {_shown(got)} is neither true nor false"
        case "literal_error":
            allowed = first.get("ctx", {}).get("expected", "")
            words = [word.strip(" '") for word in allowed.replace(" or ", ", ").split(",")]
            return f"{where}: {_shown(got)} is not one of {', '.join(words)}{nearest(str(got), words)}"
        case "date_type" | "date_from_datetime_parsing" | "date_parsing" | "date_from_datetime_inexact":
            return f"{where}: {_shown(got)} is not a date; write YYYY-MM-DD"
        case "value_error" | "assertion_error":
            return f"{where}: {first['msg'].removeprefix('Value error, ')}"
        case "dataclass_type" | "dict_type":
            return f"{where}: {_shown(got)} stands where keys and values are expected{_listing(_fields_at(kind, below))}"
        case "list_type" | "tuple_type":
            return f"{where}: {_shown(got)} is not a list; write [a, b]"
        case _:
            return f"{where}: {_shown(got)} is refused ({first['msg'][:1].lower() + first['msg'][1:]})"


_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else text[:57] + "..."


def _listing(known: Iterable[str]) -> str:
    words = sorted(known)
    return f"; known here: {', '.join(words)}" if words else ""


def _without_model_names(location: tuple[Any, ...]) -> list[Any]:
    """pydantic names union members and dict keys inside the location; the file does not hold them."""
    return [part for part in location if not (isinstance(part, str) and (part == "[key]" or part[:1].isupper()
            or "[" in part or part in ("float", "int", "str", "constrained-str")))]


def _fields_at(kind: Any, below: Place) -> list[str]:
    """Names of the keys allowed at a place, read from the schema of the type."""
    schema = _adapter(kind).json_schema()
    definitions = schema.get("$defs", {})

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]]
        for option in node.get("anyOf", ()):
            inner = resolve(option)
            if "properties" in inner or "additionalProperties" in inner or "items" in inner:
                return inner
        return node

    node = resolve(schema)
    for part in below:
        if isinstance(part, int) and "items" in node:
            inner = node["items"]
        else:
            inner = node.get("properties", {}).get(str(part)) or node.get("additionalProperties")
        if not isinstance(inner, dict):
            return []
        node = resolve(inner)
    return list(node.get("properties", {}))
