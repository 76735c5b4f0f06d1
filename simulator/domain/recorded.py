"""The calls of a log inside a scenario: tokens, and when they came, as bytes, so that the whole stays one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricing.table import STRICT, TokenRule

Counts = NDArray[np.int64]
NS_PER_DAY = 86_400_000_000_000
LENGTHS_OF_A_FLEET = (
    "the lengths of the log on its machines: lognormals of their mean, spread and correlation; the simulated engine "
    "call by call serves the log's own pairs"
)
"""What is said of a fleet whose hours are tabulated rather than served call by call."""
MOST_CALLS = 10_000_000
"""Calls of a log that a scenario may carry: 16 bytes each, and a worker holds them beside what it computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Calls of a log in order of time; the arrays are views of the bytes and cannot be written to.

    Attributes:
        input_tokens: tokens read by call, 32-bit little-endian.
        output_tokens: tokens written by call, 32-bit little-endian.
        stamps_ns: when each call came, ns since midnight of the first day, 64-bit little-endian; empty where only
            the pairs of tokens are drawn from.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    input_tokens: bytes = field(repr=False)
    output_tokens: bytes = field(repr=False)
    stamps_ns: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, inputs: ArrayLike, outputs: ArrayLike, stamps_ns: ArrayLike | None = None) -> Recorded:
        """The calls of three arrays of one length.

        >>> Recorded.of([100, 300], [10, 20]).means
        (200.0, 15.0)
        """
        return cls(
            input_tokens=np.asarray(inputs).astype("<i4").tobytes(),
            output_tokens=np.asarray(outputs).astype("<i4").tobytes(),
            stamps_ns=b"" if stamps_ns is None else np.asarray(stamps_ns).astype("<i8").tobytes(),
        )

    def __len__(self) -> int:
        return len(self.input_tokens) // 4

    @property
    def inputs(self) -> NDArray[np.int32]:
        """Tokens read by call, (rows,)."""
        return np.frombuffer(self.input_tokens, dtype="<i4")

    @property
    def outputs(self) -> NDArray[np.int32]:
        """Tokens written by call, (rows,)."""
        return np.frombuffer(self.output_tokens, dtype="<i4")

    @property
    def stamps(self) -> Counts:
        """When each call came, ns since the first midnight, (rows,) or (0,)."""
        return np.frombuffer(self.stamps_ns, dtype="<i8")

    @property
    def means(self) -> tuple[float, float]:
        """Mean tokens read and written by a call."""
        return int(self.inputs.sum(dtype=np.int64)) / len(self), int(self.outputs.sum(dtype=np.int64)) / len(self)

    @property
    def days(self) -> int:
        """Calendar days from the first call to the last, counting both."""
        return int(self.stamps[-1]) // NS_PER_DAY + 1

    @property
    def calls_per_day(self) -> float:
        """Calls over the days of the log."""
        return len(self) / self.days


def overhead_tokens(rule: TokenRule, prefix_tokens: Any, recorded: Recorded | None) -> Any:
    """Tokens a provider adds around a prompt: one message for the call, one more for a prefix, and the request.

    Counts of a log hold what stood around the call; only the message of a prefix comes on top.

    Args:
        rule: what the provider adds.
        prefix_tokens: of the option, a number or one a draw.
        recorded: the log that lengths come from, or None where they are typed.

    >>> rule = TokenRule(per_message=3, per_request=3)
    >>> float(overhead_tokens(rule, 100, None)), float(overhead_tokens(rule, 0, Recorded.of([1], [1])))
    (9.0, 0.0)
    """
    before = rule.per_message * (np.asarray(prefix_tokens, dtype=float) > 0)
    return before if recorded is not None else before + rule.per_request + rule.per_message
