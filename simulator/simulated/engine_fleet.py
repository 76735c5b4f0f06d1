"""The part of the simulated engine that knows one fleet: a replica, its calls, the autoscaler, replicas by hour."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError
from simulator.domain.fleet import TARGET_LOAD, WEEKDAYS, Capacity
from simulator.domain.options import Hybrid, SelfHosted
from simulator.domain.scenario import Scenario
from simulator.simulated.autoscaled import Bounds
from simulator.simulated.engine_replica import engine_of, told
from simulator.simulated.queueing import Engine, serve, serve_closed_loop
from simulator.simulated.slots import Policy
from simulator.simulated.steptime import StepTime

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
MEASURED_CALLS = 20_000
"""Calls by which a replica's saturation and its hold at a load are measured: the first is known to 0.3 %."""
MOST_INSIDE = 300_000
"""Calls that a fleet keeps; those beyond are shed, and count as left unserved. Behind so many the wait is hours."""
NEVER = 2**30
COUNTED = {"": 0.0, "output": 1.0, "both": 2.0}
"""What a typed speed counts, as the kernel that lays calls before a fleet reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What calls ask of a replica: tokens before the caller's input, mean tokens, their spreads and correlation.

    `counted` says which tokens a typed speed counts: "" for a simulated replica, else `output` or `both`.
    """

    fixed: int
    input: float
    output: float
    input_cv: float
    output_cv: float
    correlation: float
    counted: str = ""

    def law(self) -> Array:
        """Log sd of input and output and the correlation of the logs, as the kernel that draws lengths reads them."""
        return np.array([np.sqrt(np.log1p(self.input_cv**2)), np.sqrt(np.log1p(self.output_cv**2)), self.correlation])

    def tokens(self, count: int) -> tuple[Counts, Counts]:
        """Prompts and outputs of so many calls, (N,) each: evenly spread over their law, so that the means are kept."""
        from scipy.special import ndtri

        random = np.random.default_rng(count)
        first, second = (random.permutation(ndtri((np.arange(count) + 0.5) / count)) for _ in range(2))
        other = self.correlation * first + np.sqrt(max(1.0 - self.correlation**2, 0.0)) * second
        chance = random.random((2, count))

        def whole(mean: float, cv: float, z: Array, up: Array) -> Counts:
            sigma = float(np.sqrt(np.log1p(cv * cv)))
            drawn = np.exp(sigma * z)
            return np.asarray(np.floor(mean * drawn / drawn.mean() + up), dtype=np.int64)

        inputs = self.fixed + whole(self.input, self.input_cv, first, chance[0])
        outputs = whole(self.output, self.output_cv, other, chance[1])
        if self.counted:
            work = outputs if self.counted == "output" else inputs + outputs
            return np.maximum(work, 1), np.ones(count, dtype=np.int64)
        return np.maximum(inputs, 1), np.maximum(outputs, 1)


@functools.lru_cache(maxsize=256)
def saturation_per_s(engine: Engine, load: Load) -> float:
    """Calls a second that one replica can just serve: measured with more calls waiting than it takes in."""
    if load.counted:  # one call after the other, by tokens: nothing to measure
        tokens = load.output if load.counted == "output" else load.fixed + load.input + load.output
        return 1.0 / (tokens * engine.step.per_token_s)
    prompt, output = load.tokens(MEASURED_CALLS)
    crowd = min(2 * engine.max_num_seqs, MEASURED_CALLS // 4)
    served = serve_closed_loop(prompt, output, engine, concurrency=crowd)
    return told(served, engine, 1, 0.1).requests_per_s


@functools.lru_cache(maxsize=256)
def held_at_target(engine: Engine, load: Load) -> float:
    """Mean number of calls in a replica at TARGET_LOAD of what it can serve, measured with Poisson arrivals."""
    prompt, output = load.tokens(MEASURED_CALLS)
    rate = TARGET_LOAD * saturation_per_s(engine, load)
    arrival = np.cumsum(np.random.default_rng(0).exponential(1.0 / rate, MEASURED_CALLS))
    return max(serve(arrival, prompt, output, engine).mean_concurrency, 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTerms:
    """Everything about the fleet of an option in one run; `overflow_above` is 0 but for a hybrid."""

    option: str
    engine: Engine
    load: Load
    policy: Policy
    saturation_per_s: float
    least: int
    most: int
    failure_rate: float
    retries: int
    smooth: float

    @classmethod
    def of(cls, scenario: Scenario, view: Any, name: str) -> FleetTerms:
        """Read the fleet of a self-hosted option, or of the base of a hybrid.

        Args:
            scenario: the question.
            view: the scenario with drawn dials as arrays of one value.
            name: the option.
        """
        above = 0
        option = scenario.options[name]
        if isinstance(option, Hybrid):
            above = max(round(_number(view.options[name].overflow_above)), 1)
            name = option.fleet_option
        plain, drawn = scenario.options[name], view.options[name]
        assert isinstance(plain, SelfHosted)
        serving = scenario.serving[plain.serving] if isinstance(plain.serving, str) else plain.serving
        load = _load(plain, view, drawn)
        if isinstance(serving, Capacity):
            engine, load = _as_queue(serving, load)
        else:
            shared = load.fixed if plain.prefix_caching else 0
            engine = engine_of(serving, shared, int(plain.fleet.adapters))
            own = load.fixed - shared + load.input + load.output
            if (reason := serving.why_too_long(shared, own)) is not None:
                raise InputError(f"options.{name}: {reason}")
        fleet = plain.fleet
        terms = scenario.gpu_on(plain.gpu, plain.commitment).terms if plain.gpu is not None else None
        target = fleet.target_concurrency
        scales = fleet.shifts or fleet.replicas.min < fleet.replicas.max or not np.isscalar(drawn.fleet.replicas.max)
        policy = Policy(
            target=float(target) if target is not None else held_at_target(engine, load) if scales else 1.0,
            spare=int(fleet.spare),
            window_s=float(fleet.window_s),
            control_s=float(fleet.control_s),
            down_window_s=float(fleet.down_window_s),
            startup_s=float(fleet.startup_s),
            granularity_s=float(terms.granularity_s or 0) if terms is not None else 0.0,
            losses_per_s=float(fleet.interruptions_per_day) / 86_400.0,
            overflow_above=above,
            most_inside=MOST_INSIDE,
        )
        most = int(_number(drawn.fleet.replicas.max))
        return cls(
            option=name,
            engine=engine,
            load=load,
            policy=policy,
            saturation_per_s=saturation_per_s(engine, load),
            least=min(int(_number(drawn.fleet.replicas.min)), most),
            most=most,
            failure_rate=_number(drawn.retries.failure_rate),
            retries=int(_number(drawn.retries.max)),
            smooth=_number(view.workload.deferrable_share) * _number(drawn.smooths),
        )

    def bounds(self, scenario: Scenario, first: int, after: int) -> Bounds:
        """Replicas by hour of days `first` up to `after`: the first shift that covers an hour, else the fleet's own."""
        plain = scenario.options[self.option]
        assert isinstance(plain, SelfHosted)
        least = np.full((after - first, 24), self.least, dtype=np.int64)
        most = np.full((after - first, 24), self.most, dtype=np.int64)
        weekdays = (scenario.start.weekday() + np.arange(first, after)) % 7
        for shift in reversed(plain.fleet.shifts):
            on = np.isin(weekdays, [WEEKDAYS.index(day) for day in shift.weekdays])
            hours = slice(*shift.hours)
            least[on, hours], most[on, hours] = int(shift.replicas.min), int(shift.replicas.max)
        return Bounds(begin_s=86_400.0 * first, least=least.ravel(), most=most.ravel())

    def room_per_s(self, bounds: Bounds) -> Array:
        """Calls a second that the whole fleet can serve by hour, spares included."""
        return np.asarray((bounds.most + self.policy.spare * (bounds.most > 0)) * self.saturation_per_s)

    @property
    def most_per_s(self) -> float:
        """Calls a second that its most replicas serve, shifts left aside."""
        return (self.most + self.policy.spare) * self.saturation_per_s


def _load(plain: SelfHosted, view: Any, drawn: Any) -> Load:
    tokens = view.workload.tokens
    output = tokens.output if drawn.output_tokens is None else drawn.output_tokens
    return Load(
        fixed=round(_number(drawn.prefix_tokens)),
        input=_number(tokens.input if drawn.input_tokens is None else drawn.input_tokens),
        output=_number(output) + _number(drawn.reasoning_tokens),
        input_cv=_number(tokens.input_cv),
        output_cv=_number(tokens.output_cv),
        correlation=_number(tokens.correlation),
    )


def _as_queue(capacity: Capacity, load: Load) -> tuple[Engine, Load]:
    """A typed speed as a replica that takes one call after the other: its tokens stand where prefill would."""
    counted = "output" if capacity.tokens_per_s is None else "both"
    speed = float(capacity.output_tokens_per_s or capacity.tokens_per_s or 0.0) * capacity.max_utilisation
    step = StepTime(0.0, 0.0, 0.0, 1.0, 1.0 / speed, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    engine = Engine(step=step, kv_tokens=NEVER, max_num_seqs=1, scheduler="stall", prefix_caching=False)
    return engine, replace(load, counted=counted)


def _number(value: Any) -> float:
    return float(np.ravel(value)[0])
