"""The formulas behind every figure, each beside what it gives for one option of the reader's own scenario."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator import charts, ledger_rows
from simulator.formats import NONE, count, day, days, quantity, share, usd

if TYPE_CHECKING:
    from simulator import Scenario
    from simulator.domain.findings import Comparison

TOKENS = ("Mtok",)
MACHINES = ("gpu", "gpu_idle", "hardware", "residual", "electricity", "egress")
FORMULAS: Mapping[str, str] = {
    "Calls": "calls a day x growth x hour of the week x level of the day; every factor has mean one but growth",
    "Cache hits": "a call hits when its cache had a call within the time to live, times the share that really comes",
    "Tokens": "shared prompt + input + message overhead + output + hidden reasoning, times attempts",
    "Tokens in USD": "million tokens x the dated rate of the meter, length tier and service",
    "Step of a replica": "overhead + the longer of reading weights and computing tokens + sequences + reading KV cache",
    "Replicas": "replicas that calls keep full / target utilisation, between least and most, plus spares",
    "Machines": "paid hours x GPUs x rent; or purchase and host - what is left of them + kWh x rate",
    "Tuning": "tokens x epochs x runs x rate, with the provider's minimum; or GPU-hours x rent; again when retrained",
    "People": "hours x wage: making the data set, building, upkeep a month",
    "Break-even": "the value of a dial at which two totals are equal; every one is found, roots and jumps",
    "Payback": "the day from which the cumulative cash of the larger outlay stays at or below the other's",
}


def filled(scenario: Scenario, comparison: Comparison, name: str) -> dict[str, str]:
    """What each formula of `FORMULAS` gives for an option, in words; `n/a` where it has no part in its bill."""
    option = comparison.options[name]
    rows = [row for row in ledger_rows(comparison) if row["option"] == name]
    load, result = scenario.workload, option.result
    found = {
        "Calls": f"{quantity(load.calls_per_day)} a day, {share(load.growth_per_month)} more a month: "
                 f"{count(float(result.calls[0]))} over {days(comparison.horizon_days)}",
        "Tokens": ", ".join(f"{quantity(round(mtok, 1))} Mtok {meter.replace('_', ' ')}" for meter, values
                            in result.tokens.items() if (mtok := float(values[0]) / 1e6)),
        "Tokens in USD": _sum(row for row in rows if row["unit"] in TOKENS),
        "Machines": _sum(row for row in rows if row["line"] in MACHINES),
        "Tuning": _sum(row for row in rows if row["line"] == "training"),
        "People": _sum(row for row in rows if row["price_version"].startswith("wages_")),
        **_crossed(comparison, name),
    }
    if float(result.eligible_calls[0]) > 0:
        found["Cache hits"] = f"{share(float(result.cache_hit_rate[0]))} of the calls that could find their prompt"
    if result.fleet is not None:
        use = result.fleet
        found["Step of a replica"] = (f"{1000 * float(use.tpot_s[0]):.3g} ms a further token, "
                                      f"{float(use.e2e_s[0]):.3g} s a call")
        found["Replicas"] = (f"{count(float(use.paid_hours[0]))} paid replica-hours, "
                             f"{share(float(use.utilisation[0]))} of them filled")
    return {what: found.get(what) or NONE for what in FORMULAS}


def _sum(rows: Iterable[Mapping[str, Any]]) -> str:
    """`694.7 Mtok x $0.75 = $521, 2,444 Mtok x ...`, the largest three, and the sum where there are several."""
    priced = sorted((row for row in rows if row["usd"]), key=lambda row: -abs(row["usd"]))
    said = [f"{_short(row['quantity'])} {row['unit']} x {usd(row['usd_per_unit'])}" for row in priced[:3]]
    more = f" + {len(priced) - 3} more" if len(priced) > 3 else ""
    return f"{' + '.join(said)}{more} = {usd(sum(row['usd'] for row in priced))}" if said else ""


def _short(value: float) -> str:
    return count(value) if abs(value) >= 1000 else f"{value:,.3g}"


def _crossed(comparison: Comparison, name: str) -> dict[str, str]:
    """Where the option and that of today cost the same, and when the larger outlay is earned back."""
    for pair in comparison.break_even:
        if pair.between[1] == name:
            at = [charts.crossing_words(one, pair.unit) for one in pair.crossings if one.basis == "horizon"]
            paid = pair.payback
            when = ""
            if paid.days is not None and paid.date is not None and comparison.earns_back(name):
                when = f"{days(paid.days)}, {day(paid.date)}"
            return {"Break-even": "; ".join(at[:2]) or pair.reason or "", "Payback": when or paid.reason}
    return {}
