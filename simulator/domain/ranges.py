"""What is not known exactly: a range on a dial, written where its number would stand.

A range is picked by its keys: `{low, mode, high}` PERT, `{low, high}` uniform, `{p10, p90}` lognormal,
`{mean, sd}` normal, `{values, weights}` a list. `least` and `most` are the bounds of the dial it stands on:
a normal or lognormal is cut there, the others must lie inside.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar

from pricing.table import STRICT
from simulator.domain.dials import Dial

NORMAL = NormalDist()
Z90 = NORMAL.inv_cdf(0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pert:
    """Smooth between two ends with a most likely value: a beta of shape 4 (Malcolm et al., 1959).

    >>> Pert(low=1, mode=2, high=9).expected
    3.0
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        _rising(self.low, self.high)
        if not self.low <= self.mode <= self.high:
            raise ValueError(f"mode is {self.mode:g}; it must lie between low {self.low:g} and high {self.high:g}")

    @property
    def expected(self) -> float:
        """`(low + 4 mode + high) / 6`."""
        return (self.low + 4.0 * self.mode + self.high) / 6.0

    @property
    def ends(self) -> tuple[float, float]:
        """Its low and high."""
        return self.low, self.high

    @property
    def shapes(self) -> tuple[float, float]:
        """The two parameters of its beta distribution."""
        width = self.high - self.low
        return 1.0 + 4.0 * (self.mode - self.low) / width, 1.0 + 4.0 * (self.high - self.mode) / width


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Anything between two ends, all equally likely."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    low: float
    high: float

    def __post_init__(self) -> None:
        _rising(self.low, self.high)

    @property
    def expected(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2.0

    @property
    def ends(self) -> tuple[float, float]:
        """Its low and high."""
        return self.low, self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """A normal of the given mean and standard deviation, cut at the bounds of its dial.

    >>> Normal(mean=0, sd=1, least=0).expected          # half-normal: sqrt(2 / pi)
    0.7978845608028654
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    mean: float
    sd: float
    least: float = -math.inf
    most: float = math.inf

    def __post_init__(self) -> None:
        if self.sd <= 0:
            raise ValueError(f"sd is {self.sd:g}; a spread is above zero")
        if not self.least <= self.mean <= self.most:
            raise ValueError(f"mean is {self.mean:g}; it must lie between {self.least:g} and {self.most:g}")

    @property
    def span(self) -> tuple[float, float]:
        """Probabilities of the uncut normal at the bounds."""
        return tuple(NORMAL.cdf((x - self.mean) / self.sd) for x in (self.least, self.most))  # type: ignore[return-value]

    @property
    def expected(self) -> float:
        """`mean + sd (phi(a) - phi(b)) / (Phi(b) - Phi(a))` between the bounds a, b in standard deviations."""
        below, above = self.span
        low, high = ((x - self.mean) / self.sd for x in (self.least, self.most))
        return self.mean + self.sd * (NORMAL.pdf(low) - NORMAL.pdf(high)) / (above - below)

    @property
    def ends(self) -> tuple[float, float]:
        """Its 5 % and 95 % points."""
        below, above = self.span
        points = (below + q * (above - below) for q in (0.05, 0.95))
        return tuple(self.mean + self.sd * NORMAL.inv_cdf(p) for p in points)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """A lognormal by two of its points: one in ten lies below `p10`, one in ten above `p90`; cut at the dial's bounds.

    >>> round(Lognormal(p10=1, p90=100).expected, 3)     # exp(mu + sd^2 / 2)
    50.233
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    p10: float
    p90: float
    least: float = 0.0
    most: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.p10 < self.p90:
            raise ValueError(f"a lognormal from {self.p10:g} to {self.p90:g}; p10 must be below p90, both above zero")
        if not self.least <= self.p10 < self.p90 <= self.most:
            raise ValueError(f"p10 and p90 must lie between {self.least:g} and {self.most:g}")

    @property
    def mu(self) -> float:
        """Mean of the logarithm."""
        return (math.log(self.p10) + math.log(self.p90)) / 2.0

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return (math.log(self.p90) - math.log(self.p10)) / (2.0 * Z90)

    @property
    def span(self) -> tuple[float, float]:
        """Probabilities of the uncut lognormal at the bounds."""
        return self._cdf(self.least), self._cdf(self.most)

    def _cdf(self, x: float, shift: float = 0.0) -> float:
        if x <= 0:
            return 0.0
        return 1.0 if x == math.inf else NORMAL.cdf((math.log(x) - self.mu) / self.sigma - shift)

    @property
    def expected(self) -> float:
        """`exp(mu + sigma^2 / 2)`, and of what lies between the bounds where it is cut."""
        below, above = self.span
        inside = self._cdf(self.most, self.sigma) - self._cdf(self.least, self.sigma)
        return math.exp(self.mu + self.sigma**2 / 2.0) * inside / (above - below)

    @property
    def ends(self) -> tuple[float, float]:
        """Its 5 % and 95 % points."""
        below, above = self.span
        points = (below + q * (above - below) for q in (0.05, 0.95))
        return tuple(math.exp(self.mu + self.sigma * NORMAL.inv_cdf(p)) for p in points)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One of a list, each as likely as its weight says (all alike where there are none)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    values: tuple[float, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"values holds {len(self.values)}; a range needs at least two")
        if self.weights and (len(self.weights) != len(self.values) or min(self.weights) < 0 or not sum(self.weights)):
            raise ValueError("weights needs one number of zero or more for every value, and not all zero")
        weights = self.weights or (1.0,) * len(self.values)
        pairs = sorted(zip(self.values, weights, strict=True))
        object.__setattr__(self, "values", tuple(value for value, _ in pairs))
        object.__setattr__(self, "weights", tuple(weight / sum(weights) for _, weight in pairs))

    @property
    def expected(self) -> float:
        """The weighted mean."""
        return sum(value * weight for value, weight in zip(self.values, self.weights, strict=True))

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest value."""
        return self.values[0], self.values[-1]


Range = Pert | Uniform | Normal | Lognormal | Values

RANGES: Mapping[frozenset[str], type[Range]] = {
    frozenset({"low", "mode", "high"}): Pert,
    frozenset({"low", "high"}): Uniform,
    frozenset({"p10", "p90"}): Lognormal,
    frozenset({"mean", "sd"}): Normal,
    frozenset({"values"}): Values,
    frozenset({"values", "weights"}): Values,
}
"""Which keys make which range."""

FORMS = "{low, mode, high}, {low, high}, {p10, p90}, {mean, sd} or {values, weights}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """That two ranged dials move together: `rho` is the correlation of their normal scores (Gaussian copula)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    between: tuple[str, str]
    rho: float

    def __post_init__(self) -> None:
        if not -1 < self.rho < 1:
            raise ValueError(f"rho is {self.rho:g}; a correlation lies between -1 and 1, both excluded")
        if self.between[0] == self.between[1]:
            raise ValueError(f"between names {self.between[0]} twice; name two dials")


def range_kind(keys: Iterable[object]) -> type[Range] | None:
    """The class of a range by its keys, or None.

    >>> range_kind({"low": 1, "high": 2}).__name__
    'Uniform'
    """
    return RANGES.get(frozenset(map(str, keys)))


def within(found: Range, dial: Dial) -> Range:
    """The range on a dial, cut at its bounds where it has tails.

    Raises:
        ValueError: an end lies outside the bounds.
    """
    if isinstance(found, Normal | Lognormal):
        return dataclasses.replace(found, least=max(dial.least, found.least), most=dial.most)
    for end in found.ends:
        if not dial.least <= end <= dial.most:
            raise ValueError(f"a range up to {end:g}; the dial takes numbers {dial.bounds(end)}")
    return found


def _rising(low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"a range from {low:g} to {high:g}; low must be below high")
