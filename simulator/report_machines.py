"""The part of the report on machines: how much of each fleet is used, and how long calls take on it."""

from __future__ import annotations

import math

import numpy as np

from simulator.domain.findings import Comparison, OptionSummary
from simulator.domain.usage import OVERLOADED, Array
from simulator.formats import NONE, count, share
from simulator.report_page import escape, row, table

KEPT = {True: "kept", False: "missed", None: "none set"}


def machines_table(comparison: Comparison) -> str:
    """A row a fleet, or nothing where no option runs on machines of its own."""
    rows = [
        row(_cells(name, option), numbers=frozenset(range(1, 7)))
        for name, option in comparison.options.items()
        if option.result.fleet is not None
    ]
    if not rows:
        return ""
    caption = (
        "Used: tokens served over tokens at saturation, in paid hours. Busy: a replica holds a call. A fleet is paid "
        "for both, and for the rest."
    )
    heads = ["Machines", "#Replica-hours", "#Used", "#Busy", "#Calls beyond it", "#First token", "#Whole call",
             "Latency targets"]
    return table(caption, heads, rows)


def _cells(name: str, option: OptionSummary) -> list[str]:
    use = option.result.fleet
    assert use is not None
    beyond = float(use.overload_share.mean())
    told = beyond <= OVERLOADED
    return [
        escape(name), count(float(use.paid_hours.mean())), share(float(use.utilisation.mean())),
        share(float(use.busy_share.mean())), share(beyond),
        _seconds(use.ttft_s, use.ttft_p95_s) if told else NONE, _seconds(use.e2e_s, use.e2e_p95_s) if told else NONE,
        KEPT[option.meets_slo],
    ]


def _seconds(mean: Array, p95: Array) -> str:
    """A mean latency, and its p95 where calls were served one by one."""
    if not math.isfinite(float(np.mean(mean))):
        return NONE
    found = f"{float(np.mean(mean)):.3g} s"
    late = float(np.mean(p95))
    return f'{found}<br><span class="tag">p95 {late:.3g} s</span>' if math.isfinite(late) else found
