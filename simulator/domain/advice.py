"""What stands behind a verdict: where a saving comes from, what else can be bought, whether tuning is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePart:
    """One step from the cost of an option to that of another; positive saves."""

    part: str
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The saving between two options in parts that add up to it exactly, in a fixed order.

    `days` are those that each of the two is paid for: up to the end of the horizon or of its service.
    """

    between: tuple[str, str]
    from_usd: float
    to_usd: float
    parts: tuple[BridgePart, ...]
    days: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def saving_usd(self) -> float:
        """What the second option saves over the horizon."""
        return self.from_usd - self.to_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What prompting a cheaper model, with the baseline's prompt, would save of the saving by tuning.

    `by` is an option of the scenario or a price id; `share` is its saving over that of the tuned option.
    """

    tuned: str
    by: str
    saving_usd: float
    share: float
    sentence: str

    @property
    def change_of_model(self) -> bool:
        """Whether most of the saving is a change of model, not a gain from tuning."""
        return bool(self.sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The baseline's footprint at another price; quality is not compared."""

    price: str
    version: str
    confidence: str
    usd: float
    usd_per_month: float
    saving_usd: float
    note: str = "quality not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of the diagnosis, its answer and the reason for it."""

    key: str
    question: str
    answer: bool | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """Whether tuning is due: four questions, the signs that prompting is at its ceiling, and both halves of advice.

    `justified` is None while an answer is missing and none says no. `worth_usd_per_month` is what the best
    tuned (or own) option saves against the baseline, never below zero.
    """

    justified: bool | None
    answers: tuple[Question, ...]
    signs: tuple[Question, ...]
    missing: tuple[str, ...]
    not_yet: str
    worth: str
    worth_usd_per_month: float
    break_even_calls_per_month: float | None

    @property
    def advice(self) -> str:
        """Both halves."""
        return f"{self.not_yet} {self.worth}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What an option was planned to cost on the day of the decision, and what it cost until it stopped serving.

    `planned_at` are the versions of prices that the plan rests on, `versions` those that paid.
    """

    planned_usd: float | None
    paid_usd: float | None
    serves_until: date | None
    why_not: str | None
    versions: tuple[str, ...]
    planned_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A decision made with the prices known on a day, paid at the prices that followed.

    `regret_usd` is what the choice cost more than the cheapest of the options on sale that day, up to the day
    on which the choice stopped serving; None where there was no choice. `changes` names every price version
    that came into force in between.
    """

    decided_on: date
    until: date
    choice: str | None
    best: str | None
    options: Mapping[str, Paid]
    regret_usd: float | None
    changes: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One of many backtests, as a table keeps it: `paid_usd` is None where there was no choice.

    `stopped_on` is the day on which the choice stopped serving inside the horizon; `decided_at` are the versions of
    prices that any option was planned at, `paid_at` those at which the choice was paid; `by_option` is what each
    option cost, None where it could not be bought; `axes` are the axes of words of its batch, as it stands on them.
    """

    decided_on: date
    until: date
    choice: str | None
    best: str | None
    planned_usd: float | None
    paid_usd: float | None
    regret_usd: float | None
    stopped_on: date | None
    decided_at: tuple[str, ...]
    paid_at: tuple[str, ...]
    by_option: Mapping[str, float | None]
    axes: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How prices of one kind moved in the tables: changes a year, and the log of each change.

    `commitment` tells how a rented GPU is bound; empty for tokens.
    """

    kind: Literal["tokens", "gpu rents"]
    tables: int
    years: float
    changes: tuple[float, ...]
    commitment: str = ""

    @property
    def per_year(self) -> float:
        """Changes per table and year."""
        return len(self.changes) / self.years if self.years > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """Waiting some months at the baseline, then choosing what is cheapest at the prices of that day."""

    months: int
    expected_usd: float
    interval_usd: tuple[float, float, float]
    cheapest_share: float
    then: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Commit now or wait: the same horizon, prices that drift and jump as they did in the tables.

    `history` tells how they did, and is how `sentence` begins.
    """

    draws: int
    seed: int
    drift: tuple[Drift, ...]
    committed: Mapping[str, tuple[float, float, float]]
    expected_usd: Mapping[str, float]
    waits: tuple[Waited, ...]
    best: str
    history: str
    sentence: str
    notes: tuple[str, ...] = ()
