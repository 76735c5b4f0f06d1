"""What a log, a fit or a training set says of a scenario: paths and values, as `--set` takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pricing.errors import InputError
from simulator.intake.dataset import DatasetCheck
from simulator.intake.fit import Fit
from simulator.intake.usage import Usage

WHOLE_INPUT = ("input", "cached", "cache_write")
"""Meters that together are what a call sends."""


def usage_settings(usage: Usage, prefix_tokens: float = 0.0) -> dict[str, str]:
    """Calls a day, tokens of a call and, where the log shows them, the hours of a day and the days of a week.

    Args:
        usage: the log, summed up; its hours are UTC.
        prefix_tokens: the shared prompt, which a log counts as input of every call and a scenario apart.

    Raises:
        InputError: no calls or an unknown number of them (see `Usage.counting`), or the input of a mean call is
            shorter than the shared prompt.

    >>> from datetime import date
    >>> one = {"calls": 10.0, "input": 900.0, "cached": 100.0, "cache_write": 0.0, "output": 50.0, "usd": 0.0}
    >>> log = Usage(rows=1, calls=10.0, days=2.0, models={"m": one}, by_day={date(2026, 11, 2): 10.0}, hours=None,
    ...             weekdays=None, failed=0.0, usd=None)
    >>> usage_settings(log, 60.0)
    {'workload.calls_per_day': '5', 'workload.tokens.input': '40', 'workload.tokens.output': '5'}
    """
    if usage.calls is None:
        raise InputError("the log sums up tokens and does not say how many calls it holds; give their number")
    if usage.calls <= 0 or usage.days <= 0:
        raise InputError("the log holds no calls; give one with some")
    sent = sum(usage.total(meter) for meter in WHOLE_INPUT) / usage.calls
    if sent <= prefix_tokens:
        raise InputError(
            f"a mean call of the log sends {sent:,.0f} tokens, and the shared prompt alone is {prefix_tokens:,.0f}; "
            "set the length of the prompt first, or count all input as the call's own"
        )
    found = {
        "workload.calls_per_day": _digits(usage.calls / usage.days),
        "workload.tokens.input": _digits(sent - prefix_tokens),
        "workload.tokens.output": _digits(max(1.0, usage.total("output") / usage.calls)),
    }
    for path, profile in (("hours", usage.hours), ("weekday", usage.weekdays)):
        if profile is not None:
            found[f"workload.demand.{path}"] = json.dumps([round(share, 4) for share in profile])
    return found | ({"workload.timezone": "UTC"} if usage.hours is not None else {})


def fit_settings(fit: Fit) -> dict[str, str]:
    """A fitted workload: how calls come replaces the scenario's demand whole, the rest goes number by number.

    >>> fit_settings(Fit(workload={"calls_per_day": 5.0, "demand": {"day_sd": 0.1}, "tokens": {"input": 350.0}},
    ...                  rows=(), notes=()))
    {'workload.calls_per_day': '5', 'workload.demand': '{"day_sd": 0.1}', 'workload.tokens.input': '350'}
    """
    found = {}
    for key, value in fit.workload.items():
        if key == "demand":
            found["workload.demand"] = json.dumps(value)
        elif isinstance(value, Mapping):
            found |= {f"workload.{key}.{inner}": _digits(number) for inner, number in value.items()}
        else:
            found[f"workload.{key}"] = _digits(value)
    return found


def dataset_settings(check: DatasetCheck, option: str) -> dict[str, str]:
    """Examples and tokens of an example, for the training of an option.

    Args:
        check: a training set that was read.
        option: name of the fine-tuned option.
    """
    examples = len(check.lengths)
    path = f"options.{option}.training"
    return {f"{path}.examples": str(examples), f"{path}.tokens_per_example": _digits(check.tokens / examples)}


def _digits(value: float) -> str:
    return f"{value:.6g}"
