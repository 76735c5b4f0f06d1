"""`--fail-if EXPR`: one figure of the answer against one number, so that a pipeline can stop on it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pricing.errors import InputError
from pricing.nearest import nearest
from simulator.cli.flags import typed_number

FLAG = "--fail-if"
HOW = "write KEY > NUMBER, as in total_usd > 5000 or options.my-option.per_call_usd >= 0.01"

COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

_FORM = re.compile(rf"\s*([^\s<>=!]+)\s*({'|'.join(COMPARED)})\s*(\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`path` against `number`: a dotted path into the JSON answer, or a key of the chosen option."""

    path: str
    sign: str
    number: float

    def __str__(self) -> str:
        return f"{self.path} {self.sign} {self.number:,.10g}"

    def holds(self, answer: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it holds of an answer of `compare`, and what was found, in words.

        Raises:
            InputError: no such key, or what stands there is no number.
        """
        whole, value = self._found(answer)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            stands = "holds further keys" if isinstance(value, (Mapping, list)) else f"is {_shown(value)}"
            raise InputError(f"{FLAG} {self}: {whole} {stands}, not a number{_inside(value)}")
        return COMPARED[self.sign](value, self.number), f"{whole} is {value:,.10g}"

    def _found(self, answer: Mapping[str, Any]) -> tuple[str, Any]:
        """The full path and what stands there: from the top of the answer, else of its chosen option."""
        keys = self.path.split(".")
        if keys[0] in answer:
            return self.path, _at(self, answer, keys)
        if "options" not in answer:
            raise InputError(f"{FLAG} {self}: no key {keys[0]!r}{nearest(keys[0], answer) or _inside(answer)}")
        choice = answer["verdict"]["choice"]
        option = answer["options"][choice]
        if keys[0] not in option:
            raise _no_key(self, keys[0], nearest(keys[0], [*option, *answer]))
        return f"options.{choice}.{self.path}", _at(self, option, keys)


def read_condition(text: str) -> Condition:
    """A condition as typed; `verdict changed` is said for `verdict_changed > 0`.

    Raises:
        InputError: it is not of the form KEY SIGN NUMBER.

    >>> read_condition("total_usd > 5_000")
    Condition(path='total_usd', sign='>', number=5000.0)
    >>> read_condition("verdict changed")
    Condition(path='verdict_changed', sign='>', number=0.0)
    """
    if text.split() == ["verdict", "changed"]:
        return Condition(path="verdict_changed", sign=">", number=0.0)
    found = _FORM.fullmatch(text)
    if found is None:
        raise InputError(f'{FLAG}: "{text}" is no comparison; {HOW}')
    path, sign, typed = found.groups()
    return Condition(path=path, sign=sign, number=typed_number(typed, f'{FLAG} "{text}"'))


def _at(condition: Condition, node: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            known = list(node) if isinstance(node, Mapping) else []
            raise _no_key(condition, key, nearest(key, known) or _inside(node))
    return node


def _no_key(condition: Condition, key: str, hint: str) -> InputError:
    return InputError(f'{FLAG} {condition}: no key "{key}"{hint}')


def _inside(node: Any) -> str:
    if isinstance(node, Mapping) and node:
        return f"; there are {', '.join(map(str, node))}"
    return f"; it is a list of {len(node)}, counted from 0" if isinstance(node, list) else ""


def _shown(value: Any) -> str:
    return "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()
