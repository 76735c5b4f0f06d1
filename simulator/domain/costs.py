"""What is paid besides tokens: training jobs, data sets, people, retries, and typed amounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar

from pricing.table import STRICT, TrainingMethod
from simulator.domain.dials import Dial, check_dials

DEFAULT_EPOCHS = 3
"""Where neither scenario nor price table says: the target of OpenAI's own rule (cookbook, data prep notebook)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """Tokens that grade a reinforcement job, at another price."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    price: str
    input_tokens: Annotated[float, Dial("Grader input", "tokens", 1e4, 1e9, "log")]
    output_tokens: Annotated[float, Dial("Grader output", "tokens", 1e4, 1e9, "log")]

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training campaign: what a run is billed by, how often it runs, and when it runs again.

    Exactly one of `usd`, `tokens`, `examples` with `tokens_per_example`, and `hours` says how large a run is.
    `job_hours` is how long one takes on the calendar; runs follow each other from the first day on, so that failed
    ones can put the cut-over off (the simulated engine plays it; in expectation the cut-over is on its day).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    usd: Annotated[float | None, Dial("Training run", "USD", 1, 100_000, "log")] = None
    tokens: Annotated[float | None, Dial("Training set", "tokens", 1e4, 1e9, "log")] = None
    examples: Annotated[float | None, Dial("Training examples", "examples", 10, 100_000, "log", least=1)] = None
    tokens_per_example: Annotated[float | None, Dial("Tokens per example", "tokens", 50, 20_000, "log")] = None
    hours: Annotated[float | None, Dial("Training time", "h", 0.1, 1000, "log")] = None
    epochs: Annotated[float | None, Dial("Epochs", "passes", 1, 10, least=1e-6)] = None
    validation_tokens: Annotated[float, Dial("Validation set", "tokens", 0, 1e8)] = 0.0
    evaluations: Annotated[float, Dial("Passes over the validation set", "passes", 0, 50)] = 0.0
    grader: Grader | None = None
    runs_per_model: Annotated[float, Dial("Runs per released model", "runs", 1, 10)] = 1.0
    failure_rate: Annotated[float, Dial("Training runs that fail and are paid", "share", 0, 0.9, most=0.99)] = 0.0
    job_hours: Annotated[float, Dial("Wall time of a training run", "h", 0, 200, most=10_000)] = 0.0
    retrain_every_days: Annotated[float | None, Dial("Retrain every", "days", 7, 730, least=1, whole=True)] = None
    price: str | None = None
    method: TrainingMethod = "sft"

    def __post_init__(self) -> None:
        check_dials(self)
        if (self.examples is None) != (self.tokens_per_example is None):
            raise ValueError("examples and tokens_per_example go together; give both or neither")
        sizes = [name for name in ("usd", "tokens", "examples", "hours") if getattr(self, name) is not None]
        if len(sizes) != 1:
            given = " and ".join(sizes) or "nothing"
            raise ValueError(f"a run is sized by one of usd, tokens, examples or hours; {given} is given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Making the training set: by hand (minutes at a wage), or bought (USD per example), or as a sum."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    examples: Annotated[float | None, Dial("Examples to make", "examples", 10, 100_000, "log")] = None
    minutes_per_example: Annotated[float | None, Dial("Work per example", "min", 0.1, 60, "log")] = None
    usd_per_example: Annotated[float | None, Dial("Price per example", "USD", 0.01, 100, "log")] = None
    hours: Annotated[float | None, Dial("Work on the data set", "h", 1, 1000, "log")] = None
    usd: Annotated[float | None, Dial("Data set", "USD", 10, 100_000, "log")] = None
    wage: str = "annotator"

    def __post_init__(self) -> None:
        check_dials(self)
        ways = ("minutes_per_example", "usd_per_example", "hours", "usd")
        given = [name for name in ways if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"a data set costs something: give one or more of {', '.join(ways)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Failed attempts: their share, how often a call is tried again, and whether they are billed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    failure_rate: Annotated[float, Dial("Attempts that fail", "share", 0, 0.5, most=1)] = 0.0
    max: Annotated[float, Dial("Retries at most", "retries", 0, 10, most=100, whole=True)] = 0.0
    billed: bool = True

    def __post_init__(self) -> None:
        check_dials(self)
        if self.max != int(self.max):
            raise ValueError(f"max is {self.max:g}; a call is retried a whole number of times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """A share of calls that is served again by another option, which also takes all calls during an outage."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    to: str
    share: Annotated[float, Dial("Calls served again elsewhere", "share", 0, 0.5, most=1)] = 0.0

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """Times in which a provider does not answer: how many begin a month, and how long one lasts on average.

    The calls go to the option named by `fallback`, else they are lost.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    per_month: Annotated[float, Dial("Outages a month", "1/month", 0, 10)] = 0.0
    hours: Annotated[float, Dial("Length of an outage", "h", 0, 48)] = 0.0

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Human:
    """A share of calls that a person looks at, and what that costs a call."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    share: Annotated[float, Dial("Calls that a person handles", "share", 0, 1, most=1)]
    usd: Annotated[float, Dial("Cost of a handled call", "USD", 0.01, 100, "log")]

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """A negotiated factor on book prices, shown as its own line; `on` and `lines` narrow it (default: all)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    label: str
    factor: Annotated[float, Dial("Price factor", "x", 0, 2, most=100)]
    on: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_dials(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Prepaid credit that pays book prices until it or its time is used up."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    usd: Annotated[float, Dial("Credit", "USD", 0, 1_000_000)]
    until: date | None = None

    def __post_init__(self) -> None:
        check_dials(self)
