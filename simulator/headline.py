"""What a page says of each option before any detail: a line of ready numbers, in the order of the scenario."""

from __future__ import annotations

from simulator.charts_style import COLOURS
from simulator.domain.findings import Comparison, Headline, OptionSummary
from simulator.formats import NONE, day, days, nearly, one_more, per_call, share, usd


def headlines(comparison: Comparison) -> tuple[Headline, ...]:
    """A headline for every option.

    The month is that of running costs (one-offs stand beside), the difference is this month less the baseline's.

    Args:
        comparison: every option side by side.
    """
    base = comparison.options[comparison.baseline].monthly_usd
    paybacks = {one.between[1]: one.payback for one in comparison.break_even}
    found = []
    for place, (name, option) in enumerate(comparison.options.items()):
        difference = option.monthly_usd - base
        total = option.total_usd if option.total_usd is not None else option.total_until
        until = option.result.serves_until
        eligible = float(option.result.eligible_calls[0]) > 0
        payback = paybacks.get(name)
        found.append(
            Headline(
                option=name,
                colour=COLOURS[place % len(COLOURS)],
                chosen=name == comparison.verdict.choice,
                monthly=usd(option.monthly_usd),
                against=(
                    "what is done today" if name == comparison.baseline
                    else f"{usd(abs(difference))} {'less' if difference < 0 else 'more'} than {comparison.baseline}"
                ),
                saves=None if name == comparison.baseline or difference == 0 else difference < 0,
                facts={
                    days(comparison.horizon_days): usd(total or 0.0),
                    **({"sold until": day(until)} if until else {}),
                    "a call": per_call(option.per_call_usd),
                    "one more call": one_more(option.unit_usd),
                    "paid once": usd(option.one_off_usd),
                    "cache hits": share(float(option.result.cache_hit_rate[0])) if eligible else NONE,
                    "pays back": (
                        NONE if payback is None or not comparison.earns_back(name)
                        else "never" if payback.days is None or payback.date is None
                        else f"{days(payback.days)}, {day(payback.date)}"
                    ),
                    **_idle(option),
                    **_doubt(comparison, name),
                },
                why_not=option.result.why_not or "",
            )
        )
    return tuple(found)


def _idle(option: OptionSummary) -> dict[str, str]:
    """The share of a fleet's paid hours in which it waits, rented or owned; nothing for an option without one."""
    fleet = option.result.fleet
    paid = 0.0 if fleet is None else float(fleet.paid_hours.sum())
    return {} if fleet is None or paid <= 0 else {"idle": nearly(max(0.0, 1.0 - float(fleet.used_hours.sum()) / paid))}


def _doubt(comparison: Comparison, name: str) -> dict[str, str]:
    """Where inputs are ranges: what nine draws of ten cost, and how often the option is the cheapest."""
    if comparison.uncertainty is None:
        return {}
    risk = comparison.uncertainty.options[name]
    return {
        "9 draws of 10": f"{usd(risk.interval_usd[0])} to {usd(risk.interval_usd[2])}",
        "cheapest in": f"{share(risk.cheapest_share)} of draws",
    }
