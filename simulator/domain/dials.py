"""A dial describes a tunable input once: slider, `--set`, sweep axis and chart axis read the same line."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

Scale = Literal["linear", "log"]

PER_DECADE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Round numbers, each about a quarter above the one before (after the R10 series of ISO 3, rounded to be read)."""
LINEAR_STOPS = 40
"""About how many positions a linear dial has; more cannot be told apart on a slider of 250 px."""
WIDE = 1_000.0
"""A linear dial from zero that reaches so far is stepped like a log one: equal steps would skip all that is small."""
FAR, FAR_WHOLE = 1e6, 1e2
"""How many times the end of its slider an input may ever be, and one that counts whole things, which take time each:
beyond lie typing mistakes, whose answer would be memory used up or a number that is none."""
NEXT_TO_NOTHING = 1e-12
"""On a log scale a number below, other than zero, is none that anybody means, and what is divided by it overflows."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Label, unit and range of an input.

    `low` and `high` span sliders and scans; `least` and `most` are what the input may ever be, `most` by default a
    million times `high`, or a hundred times where whole things are counted.
    `default_from` says where the default comes from, and is shown beside it.
    """

    label: str
    unit: str
    low: float
    high: float
    scale: Scale = "linear"
    least: float = 0.0
    most: float = math.inf
    whole: bool = False
    default_from: str = ""

    def __post_init__(self) -> None:
        if self.most == math.inf:
            object.__setattr__(self, "most", self._far)

    @property
    def _far(self) -> float:
        return self.high * (FAR_WHOLE if self.whole else FAR)

    def bounds(self, value: float) -> str:
        """The bounds that `value` lies outside of, to end a sentence: who is below is not told of an end so far off."""
        if value < self.least and self.most == self._far:
            return f"at least {self.least:g}"
        return f"between {self.least:g} and {self.most:g}"

    def problem(self, name: str, value: float) -> str | None:
        """Why `value` cannot stand here, as a sentence, or None."""
        unit = f" ({self.unit})" if self.unit else ""
        if not self.least <= value <= self.most:
            bounds = self.bounds(value)
            return f"{name} is {value:g}; it must {'be' if bounds.startswith('at') else 'lie'} {bounds}{unit}"
        if self.scale == "log" and 0.0 < abs(value) < NEXT_TO_NOTHING:
            return f"{name} is {value:g}; it must be 0, or at least {NEXT_TO_NOTHING:g}{unit}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialAt:
    """A dial of one scenario: where it is and what it reads."""

    path: str
    dial: Dial
    value: float


@functools.lru_cache(maxsize=64)
def dials_of(kind: type) -> dict[str, Dial]:
    """The dials declared on the fields of a dataclass, by field name."""
    found: dict[str, Dial] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for extra in getattr(hint, "__metadata__", ()):
            if isinstance(extra, Dial):
                found[name] = extra
    return found


def check_dials(owner: object) -> None:
    """Raise ValueError for the first dial of a dataclass that stands outside what it may ever be.

    A dial on a field of numbers by name (wages, typed amounts) holds for each of them.
    """
    kind: Any = type(owner)
    for name, dial in dials_of(kind).items():
        value = getattr(owner, name)
        each = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, Mapping) else {name: value}
        for where, one in each.items():
            if one is not None and (problem := dial.problem(where, one)):
                raise ValueError(problem)


def walk_dials(node: Any, path: str = "") -> Iterator[DialAt]:
    """Every dial below a dataclass or mapping that has a value, with its dotted path; none that a log has settled."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        own = dials_of(type(node))
        for field in dataclasses.fields(node):
            if field.name in getattr(node, "settled", ()):
                continue
            value = getattr(node, field.name)
            here = f"{path}.{field.name}" if path else field.name
            if field.name in own and isinstance(value, Mapping):
                for key, one in value.items():
                    yield DialAt(path=f"{here}.{key}", dial=own[field.name], value=float(one))
            elif field.name in own and value is not None:
                yield DialAt(path=here, dial=own[field.name], value=float(value))
            elif field.name not in own:
                yield from walk_dials(value, here)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from walk_dials(value, f"{path}.{key}" if path else str(key))


def stops(dial: Dial, *also: float) -> tuple[float, ...]:
    """The positions of a slider: round numbers from low to high, and each of `also`, in order.

    >>> stops(Dial("Calls per day", "1/day", 10, 100, "log"), 50_000)
    (10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 50000.0)
    >>> stops(Dial("Epochs", "passes", 1, 5, whole=True))
    (1.0, 2.0, 3.0, 4.0, 5.0)
    """
    from_zero = dial.low == 0.0 and dial.high >= WIDE and not dial.whole
    if (dial.scale == "log" and dial.low > 0) or from_zero:
        lowest = dial.high / WIDE if from_zero else dial.low
        decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(dial.high)) + 1)
        round_ones = [round(step * 10.0**decade, 12) for decade in decades for step in PER_DECADE]
    else:
        wide = (dial.high - dial.low) / LINEAR_STOPS
        size = 10.0 ** math.floor(math.log10(wide))
        step = min((m * size for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * size >= wide * 0.999), default=10.0 * size)
        step = max(1.0, round(step)) if dial.whole else step
        first, last = math.ceil(dial.low / step - 1e-9), math.floor(dial.high / step + 1e-9)
        round_ones = [round(number * step, 12) for number in range(first, last + 1)]
    ends = (dial.low, dial.high)
    inside = {float(value) for value in (*round_ones, *ends) if dial.low <= value <= dial.high}
    if from_zero:
        inside = {value for value in inside if value == 0.0 or value >= dial.high / WIDE}
    if dial.whole:
        inside = {value for value in inside if value == int(value)}
    return tuple(sorted({*inside, *map(float, also)}))
