"""One object is the whole question: workload, options, prices and dates; it pickles whole and has a digest."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from pricing.book import canonical
from pricing.errors import InputError
from pricing.hardware import Commitment, GpuRate, GpuSpec, GpuTable, ModelSpec
from pricing.nearest import nearest
from pricing.serving import Replica
from pricing.table import STRICT, PriceTable, PriceVersion
from simulator.domain.costs import Adjust, Credits, Dataset
from simulator.domain.diagnosis import Diagnosis
from simulator.domain.dials import Dial, check_dials, walk_dials
from simulator.domain.ledger import LINES, TOKEN_LINES
from simulator.domain.options import HostedFineTuned, HostedOption, Hybrid, SelfHosted, ServingOption
from simulator.domain.outlook import PriceOutlook
from simulator.domain.ranges import Correlation, Range
from simulator.domain.recorded import Recorded
from simulator.domain.workload import Workload

WAGES_USD_PER_HOUR = {"engineer": 110.0, "annotator": 35.0}
"""Default wages; typed ones replace them name by name. A judgement of ours that the report lists as an assumption."""

MAX_HORIZON_DAYS = 3650
COUNTED = TOKEN_LINES | {"adjust", "failures"}
"""Lines that follow from counts and factors: no typed amount may hide among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """How the simulated engine plays the days: hour totals or every call, and how many runs."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    fidelity: Literal["aggregate", "call"] = "aggregate"
    runs: int = 200

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise ValueError(f"runs is {self.runs}; play at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A question with everything needed to answer it; a worker on another machine opens no file.

    `prices` holds the bound price tables by id, `gpus` those of GPUs; `serving` the replicas that options name, with
    what they can do; `specs` and `models` the cards and shapes that training needs. `set_paths` are the dotted paths
    the user wrote, so that every other default can be listed as an assumption. `bare` sets default costs to zero.
    `recorded` holds the calls of the log that the workload names, if it names one.
    `ranges` says by dotted path what is not known exactly; the dial itself then holds the range's mean.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    name: str = "scenario"
    question: str = ""
    start: date
    horizon_days: Annotated[float, Dial("Horizon", "days", 30, 1095, least=1, most=MAX_HORIZON_DAYS, whole=True)] = 365
    discount_rate: Annotated[float, Dial("Discount rate", "share a year", 0, 0.3, least=-0.99, most=10)] = 0.08
    hours_per_month: Annotated[float, Dial("Hours in a month", "h", 672, 744, least=1, most=10_000)] = 730.0
    baseline: str
    rank_by: Literal["total_usd", "npv_usd"] = "total_usd"
    wages_usd_per_hour: Annotated[dict[str, float], Dial("Wage", "USD/h", 5, 300, most=1e5)] = field(
        default_factory=lambda: dict(WAGES_USD_PER_HOUR)
    )
    workload: Workload
    options: dict[str, ServingOption]
    existing_customer: tuple[str, ...] = ()
    announced_prices: bool = True
    outlook: PriceOutlook | None = None
    adjust: tuple[Adjust, ...] = ()
    credits: Credits | None = None
    failure_usd: Annotated[float, Dial("Cost of a wrong answer", "USD", 0.001, 100, "log")] = 0.0
    ranges: Mapping[str, Range] = field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    diagnosis: Diagnosis | None = None
    simulation: Simulation = field(default_factory=Simulation)
    assumes: dict[str, str] = field(default_factory=dict)
    prices: Mapping[str, PriceTable] = field(default_factory=dict)
    gpus: Mapping[str, GpuTable] = field(default_factory=dict)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    serving: Mapping[str, Replica] = field(default_factory=dict)
    specs: Mapping[str, GpuSpec] = field(default_factory=dict)
    recorded: Recorded | None = None
    set_paths: frozenset[str] = frozenset()
    bare: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "wages_usd_per_hour", {**WAGES_USD_PER_HOUR, **self.wages_usd_per_hour})
        check_dials(self)
        if self.horizon_days != int(self.horizon_days):
            raise ValueError(f"horizon_days is {self.horizon_days:g}; count whole days")
        if self.horizon_days > (date.max - self.start).days:
            raise ValueError(f"start is {self.start}; the horizon must end before the year 10000")
        if not self.options:
            raise ValueError("options is empty; name at least one way to serve the calls")
        self._check_replay()
        self._check_names()
        self._check_quality()
        self._check_ranges()

    def _check_replay(self) -> None:
        if self.recorded is None and (self.workload.tokens.trace or self.workload.replay):
            raise ValueError("workload names a log whose calls are not here; read the scenario from its file")
        log = self.replayed
        if log is None:
            return
        if self.horizon_days > log.days:
            raise ValueError(
                f"horizon_days is {self.horizon_days:g}; workload.replay plays a log of {log.days} "
                f"day{'s' if log.days > 1 else ''} once, so take no more, or draw from it by workload.tokens.trace"
            )
        if self.simulation.fidelity != "call":
            raise ValueError("simulation.fidelity is aggregate; workload.replay plays every call, so it must be call")

    def _check_names(self) -> None:
        def known(where: str, name: str) -> None:
            if name not in self.options:
                raise ValueError(f'{where} names "{name}", which is no option{nearest(name, self.options)}')

        known("baseline", self.baseline)
        for name, option in self.options.items():
            if option.until_ready is not None:
                known(f"options.{name}.until_ready", option.until_ready)
                if option.until_ready == name or self.options[option.until_ready].ready_after_days > 0:
                    raise ValueError(f"options.{name}.until_ready must name an option that serves from the first day")
            if option.fallback is not None:
                known(f"options.{name}.fallback.to", option.fallback.to)
                if option.fallback.to == name or self.options[option.fallback.to].fallback is not None:
                    raise ValueError(
                        f"options.{name}.fallback.to must name another option without a fallback of its own"
                    )
            wage = option.dataset.wage if option.dataset else "annotator"
            if wage not in self.wages_usd_per_hour:
                hint = nearest(wage, self.wages_usd_per_hour)
                raise ValueError(f'options.{name}.dataset.wage is "{wage}", which is not in wages_usd_per_hour{hint}')
            training = option.training if isinstance(option, HostedFineTuned | SelfHosted) else None
            made = option.dataset.examples if option.dataset else None
            if made is None and (training is None or training.examples is None) and _priced_each(option.dataset):
                raise ValueError(f"options.{name}.dataset needs examples: how many are to be made")
            self._check_outages(name, option)
            if isinstance(option, Hybrid):
                self._check_hybrid(name, option, known)
        labels = self._check_labels()
        for item in self.adjust:
            for name in item.on:
                known(f'adjust "{item.label}"', name)
            for line in item.lines:
                lines = {"tokens", *LINES, *labels}
                if line not in lines:
                    hint = nearest(line, lines) or f"; there are tokens, {', '.join(sorted(lines - {'tokens'}))}"
                    raise ValueError(f'adjust "{item.label}" names the line "{line}", which no bill has{hint}')

    def _check_labels(self) -> set[str]:
        """The lines that the user named: `training` joins that line, but none may hide among counted tokens."""
        found = set()
        for name, option in self.options.items():
            for key in ("one_off_usd", "recurring_usd_per_month"):
                for label in getattr(option, key):
                    if label in COUNTED:
                        raise ValueError(
                            f'options.{name}.{key} names "{label}", which is a line counted from calls; '
                            "choose another label"
                        )
                    found.add(label)
        return found

    def _check_outages(self, name: str, option: ServingOption) -> None:
        out, where = option.outages, f"options.{name}.outages"
        horizon_h = self.horizon_days * 24.0
        if out.per_month > 0 and out.hours >= horizon_h:
            raise ValueError(
                f"{where}.hours is {out.hours:g}; an outage must end within the horizon of {horizon_h:g} hours"
            )
        if out.per_month * out.hours >= self.hours_per_month:
            raise ValueError(
                f"{where}: {out.per_month:g} a month of {out.hours:g} h each fill a month of "
                f"{self.hours_per_month:g} h; lower one of them"
            )

    def _check_hybrid(self, name: str, option: Hybrid, known: Callable[[str, str], None]) -> None:
        for key, part, wanted in (
            ("fleet_option", option.fleet_option, SelfHosted),
            ("overflow_option", option.overflow_option, HostedOption),
        ):
            known(f"options.{name}.{key}", part)
            if not isinstance(self.options[part], wanted):
                kinds = "a self_hosted option" if wanted is SelfHosted else "a hosted option"
                raise ValueError(f'options.{name}.{key} names "{part}", which is not {kinds}')
        fleet = self.options[option.fleet_option]
        if isinstance(fleet, SelfHosted) and not isinstance(fleet.serving, str):
            raise ValueError(
                f"options.{name}.fleet_option has a typed speed; calls overflow by their number in the fleet, "
                "so name a serving profile there"
            )

    def _check_quality(self) -> None:
        unset = [name for name, option in self.options.items() if option.success_rate is None]
        if unset and len(unset) < len(self.options):
            raise ValueError(
                f"options set success_rate for some and not for {', '.join(unset)}; set it for every option or for none"
            )

    def _check_ranges(self) -> None:
        if not self.ranges and not self.correlations:
            return
        known = {at.path: at.dial for at in walk_dials(self)}
        for path in self.ranges:
            if path not in known:
                raise ValueError(f"{path} takes no range; it is no dial of this scenario{nearest(path, known)}")
        paths = list(self.ranges)
        matrix = np.eye(len(paths))
        for number, pair in enumerate(self.correlations):
            for path in pair.between:
                if path not in self.ranges:
                    hint = nearest(path, paths) or "; give it one first"
                    raise ValueError(f'correlations.{number} names "{path}", which has no range{hint}')
            here = tuple(paths.index(path) for path in pair.between)
            matrix[here], matrix[here[::-1]] = pair.rho, pair.rho
        if len(paths) and np.linalg.eigvalsh(matrix).min() < 1e-9:
            raise ValueError("correlations contradict each other: no set of inputs can move like that; weaken one rho")

    @property
    def replayed(self) -> Recorded | None:
        """The calls that are played as they were recorded, or None."""
        return None if self.workload.replay is None else self.recorded

    @property
    def end(self) -> date:
        """The first day after the horizon."""
        return self.start + timedelta(days=int(self.horizon_days))

    def day_index(self, day: date) -> int:
        """Days from the start to `day`."""
        return (day - self.start).days

    def price_on(self, price_id: str, day_index: int) -> PriceVersion:
        """The version of a bound price that a plan made at the start reckons with on a later day."""
        table = self.prices[price_id]
        return table.held_from(self.start, self.start + timedelta(days=day_index), self.announced_prices)

    def gpu_on(self, gpu_id: str, commitment: Commitment = "on_demand") -> GpuRate:
        """What a GPU costs for the whole horizon: the version in force at the start is held."""
        return self.gpus[gpu_id].on(self.start, commitment)

    @property
    def digest(self) -> str:
        """Twelve hex digits of everything that can change a number."""
        return hashlib.sha256(canonical(dataclasses.replace(self, set_paths=frozenset())).encode()).hexdigest()[:12]

    def option(self, name: str) -> ServingOption:
        """An option by name.

        Raises:
            InputError: no such option; the nearest is named.
        """
        if name not in self.options:
            raise InputError(
                f'no option "{name}"{nearest(name, self.options) or "; there are " + ", ".join(self.options)}'
            )
        return self.options[name]


def _priced_each(dataset: Dataset | None) -> bool:
    """Whether the data set costs something for every example."""
    return dataset is not None and (dataset.minutes_per_example is not None or dataset.usd_per_example is not None)
