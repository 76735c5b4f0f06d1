"""What is asked for: how many calls, when, and how long they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pricing.table import STRICT
from simulator.domain.dials import Dial, check_dials

Shape = Literal["flat", "office", "consumer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """On/off bursts: while on, calls come `ratio` times as fast as while off; the mean stays one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    ratio: Annotated[float, Dial("Burst to quiet ratio", "x", 1, 100, "log", least=1)]
    on_share: Annotated[float, Dial("Share of time in bursts", "share", 0.01, 0.9, least=1e-6, most=1 - 1e-6)]
    mean_on_s: Annotated[float, Dial("Mean length of a burst", "s", 1, 3600, "log", least=1e-3)]

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How the rate moves within the week and around its mean; every factor has mean one.

    `day_sd` and `hour_sd` are log standard deviations of autocorrelated lognormal levels,
    `day_lag1` and `hour_lag1` their correlation from one day or hour to the next.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    weekday: Shape | tuple[float, ...] = "flat"
    hours: Shape | tuple[float, ...] = "flat"
    day_sd: Annotated[float, Dial("Day-to-day spread", "log-sd", 0, 1, most=3)] = 0.0
    day_lag1: Annotated[float, Dial("Day-to-day correlation", "", 0, 0.99, least=-0.999, most=0.999)] = 0.0
    hour_sd: Annotated[float, Dial("Hour-to-hour spread", "log-sd", 0, 1, most=3)] = 0.0
    hour_lag1: Annotated[float, Dial("Hour-to-hour correlation", "", 0, 0.99, least=-0.999, most=0.999)] = 0.0
    burst: Burst | None = None

    def __post_init__(self) -> None:
        check_dials(self)
        for name, length in (("weekday", 7), ("hours", 24)):
            shape = getattr(self, name)
            if isinstance(shape, str):
                continue
            if len(shape) != length or min(shape) < 0 or sum(shape) <= 0:
                raise ValueError(f"{name} must be flat, office, consumer or {length} numbers of zero or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Length of a call: mean and coefficient of variation (sd / mean) of input and output.

    With a `trace`, pairs of input and output are drawn from that log, scaled where a mean is changed; spreads and
    correlation then say what they were there.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    input: Annotated[float, Dial("Input per call", "tokens", 1, 200_000, "log")]
    output: Annotated[float, Dial("Output per call", "tokens", 1, 20_000, "log")]
    input_cv: Annotated[float, Dial("Spread of input length", "cv", 0, 3, most=20)] = 0.0
    output_cv: Annotated[float, Dial("Spread of output length", "cv", 0, 3, most=20)] = 0.0
    correlation: Annotated[float, Dial("Input-output correlation (logs)", "", -1, 1, least=-1, most=1)] = 0.0
    trace: str | None = None

    def __post_init__(self) -> None:
        check_dials(self)

    @property
    def measured(self) -> tuple[str, ...]:
        """Fields that a log has settled, so that nobody can turn them."""
        return () if self.trace is None else ("input_cv", "output_cv", "correlation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Latency the feature must keep, in seconds at the 95th percentile."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    ttft_p95_s: Annotated[float | None, Dial("Time to first token, p95", "s", 0.1, 60, "log", least=1e-3)] = None
    tpot_p95_s: Annotated[float | None, Dial("Time per output token, p95", "s", 0.005, 1, "log", least=1e-4)] = None
    e2e_p95_s: Annotated[float | None, Dial("End-to-end latency, p95", "s", 0.1, 600, "log", least=1e-3)] = None

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A dated change of demand: from `from_` up to, not including, `to`, calls are multiplied by `factor`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {**STRICT, "alias_generator": lambda key: key.rstrip("_")}
    name: str
    from_: date
    to: date
    factor: Annotated[float, Dial("Demand factor", "x", 0, 10)]

    def __post_init__(self) -> None:
        check_dials(self)
        if self.to <= self.from_:
            raise ValueError(f"{self.name} ends on {self.to}, not after its begin on {self.from_}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The calls of one feature; `calls_per_day` is the mean over all seven days at the start.

    With `replay`, the calls of a log come when they came there, as long as they were: its first day is played on
    the first day of the scenario, on the clock of `timezone`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    calls_per_day: Annotated[float, Dial("Calls per day", "1/day", 10, 10_000_000, "log", most=1e10)]
    tokens: Tokens
    growth_per_month: Annotated[float, Dial("Growth per month", "share", -0.2, 0.5, least=-0.99, most=10)] = 0.0
    timezone: str = "UTC"
    demand: Demand = field(default_factory=Demand)
    deferrable_share: Annotated[float, Dial("Calls that may wait a day", "share", 0, 1, most=1)] = 0.0
    slo: Slo = field(default_factory=Slo)
    events: tuple[Event, ...] = ()
    cap_per_s: Annotated[float | None, Dial("Cap on the call rate", "1/s", 0.01, 10_000, "log", least=1e-9)] = None
    replay: str | None = None

    @property
    def measured(self) -> tuple[str, ...]:
        """Fields that a log has settled, so that nobody can turn them."""
        return () if self.replay is None else ("growth_per_month", "demand", "events", "cap_per_s")

    def __post_init__(self) -> None:
        check_dials(self)
        if self.calls_per_day == 0:
            raise ValueError("calls_per_day is 0; with no calls there is nothing to compare")
        if not math.isfinite(self.calls_per_day):
            raise ValueError(f"calls_per_day is {self.calls_per_day}; give an ordinary number")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f'timezone "{self.timezone}" is not known; write one like Europe/Berlin or UTC') from None
