"""What stands behind a verdict: how sure it is, where the saving comes from, and reasons beside cautions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, pictures, question, shown, take
from simulator import charts
from simulator.charts_style import places
from simulator.formats import NONE, NOT_WORTH_MEASURING, day, days, reading, share, short, usd

if TYPE_CHECKING:
    from dashboard.work import Question
    from simulator.charts import Figure
    from simulator.domain.advice import Question as Asked
    from simulator.domain.findings import Comparison
    from simulator.domain.uncertain import Uncertainty

SIDE_PX, DOUBT_PX = 460, 440
ELSEWHERE = (
    "Asked here: calls a day, tokens, prices and prompts of the two best, and from where on it lasts. Break-even, What "
    "would flip it, has every dial and where it first flips."
)
SAID = {True: "Yes", False: "No", None: "Not said"}


def reasons(comparison: Comparison) -> None:
    """Why, and whether tuning is due, beside what would change it and what to be careful about; then what draws say."""
    verdict, diagnosed = comparison.verdict, comparison.diagnosed
    left, right = st.columns(2, gap="medium")
    with left:
        shown.points("Because", verdict.because)
        if diagnosed is None:
            shown.points("Is tuning due?", ["Answer the questions at the end of the dials, and it is told here."])
        else:
            shown.points("Is tuning due?", [
                *(_said(one) for one in (*diagnosed.answers, *diagnosed.signs) if one.answer is False),
                diagnosed.not_yet, diagnosed.worth,
            ])
    with right:
        shown.points("It would flip", [*verdict.flips, ELSEWHERE] if verdict.flips else [])
        shown.points("Careful", cautions(comparison))
    shown.points("Over all draws", _spreads(comparison))


def _said(one: Asked) -> str:
    """A question of the diagnosis with its answer, and the reason where it is more than the answer."""
    said = SAID[one.answer]
    return f"{one.question} {said}." if one.why == said.lower() else f"{one.question} {said}: {one.why}."


def cautions(comparison: Comparison) -> list[str]:
    """Caveats of the verdict, options that are no choice, prices that may be old."""
    barred = {name: option.result.why_not for name, option in comparison.options.items() if option.result.why_not}
    return [
        *comparison.verdict.caveats,
        *(f"{name} is no choice: {why}" for name, why in barred.items()),
        *(f"Prices age: {price}." for price in comparison.stale),
    ]


def doubt(comparison: Comparison, pictured: Mapping[str, Figure]) -> None:
    """How far each option strays where inputs are ranges; nothing where all are plain numbers."""
    if comparison.uncertainty is not None:
        st.html('<h4 class="tp-head">How sure is that?</h4>')
        for name, figure in pictured.items():
            pictures.show(name, figure, DOUBT_PX)
        if "measure-first" not in pictured:
            shown.say(NOT_WORTH_MEASURING)
        _intervals(comparison.uncertainty)


def _intervals(found: Uncertainty) -> None:
    shown.table(
        {"option": "", "mean": "n", "nine draws of ten": "n", "cheapest in, of draws": "n", "expected regret": "n"},
        [(name, usd(risk.mean_usd), f"{usd(risk.interval_usd[0])} to {usd(risk.interval_usd[2])}",
          share(risk.cheapest_share), NONE if risk.expected_regret_usd is None else usd(risk.expected_regret_usd))
         for name, risk in found.options.items()],
    )


def _spreads(comparison: Comparison) -> list[str]:
    """Where pairs break even and when they pay back, over draws."""
    levels = [
        f"{one.between[1]} against {one.between[0]}: they cost the same {_between(one.at, one.unit)} in nine draws of "
        f"ten that cross ({share(one.crosses)} do)."
        for one in comparison.break_even_spreads if one.at is not None
    ]
    paid = [
        f"{one.between[1]} against {one.between[0]}: paid back after {days(one.days[0])} to {days(one.days[2])}, by "
        f"{day(one.dates[2])} at the latest in nine draws of ten ({share(one.paid_share)} pay back)."
        for one in comparison.payback_spreads if one.days is not None and one.dates is not None
    ]
    return levels + paid


def _between(at: tuple[float, float, float], unit: str) -> str:
    low, high = reading(at[0], unit), reading(at[2], unit)
    return f"at {low}" if low == high else f"between {low} and {high}"


def saving(asked: Question) -> None:
    """The saving part by part, and the same tokens at other prices; worked out when it is opened."""
    turn = st.session_state.round
    fold = st.expander("Where does the saving come from, and what else could be bought?", key=f"behind {turn}",
                       on_change="rerun")
    if not fold.open:
        return
    with fold, st.container(key="saving"):
        with shown.working():
            whole = answer.priced_everywhere(asked)
        if whole.bridge is not None:
            figure = charts.bridge(whole.bridge, whole)
            pictures.show("bridge", figure)
            take.chart_of(question.called(asked), "bridge", figure)
            shown.points("", whole.bridge.notes)
        if whole.control is not None:
            shown.say(whole.control.sentence or f"Of the saving by {whole.control.tuned}, {whole.control.by} without "
                      f"tuning would bring {share(whole.control.share)}.")
        if whole.alternatives:
            st.html('<h4 class="tp-head">The same tokens at other prices; quality is not compared</h4>')
            shown.table(
                {"price": "", "a month": "n", "saves over the horizon": "n", "how sure": ""},
                [(one.price, usd(one.usd_per_month), usd(one.saving_usd), one.confidence)
                 for one in whole.alternatives],
            )
        else:
            shown.say("No other price in the book would be cheaper for the same tokens.")


def difference(pinned: Comparison, now: Comparison) -> str:
    """What the choice of the one state costs and that of the other: over the horizon, or a month where these differ."""
    alike = pinned.horizon_days == now.horizon_days
    period = f"over {days(now.horizon_days)}" if alike else "a month"
    (before, was), (after, costs) = (
        (found.verdict.choice, _total(found) if alike else found.options[found.verdict.choice].monthly_usd)
        for found in (pinned, now)
    )
    gap = costs - was
    words = f"{usd(abs(gap))} {'less' if gap < 0 else 'more'}" if gap else "the same"
    return (f"Pinned: {short(before)}, {usd(was)} {period}. Now: {short(after)}, {usd(costs)}, {words}. "
            "Both stand side by side below.")


def _total(found: Comparison) -> float:
    """What the choice costs over the horizon, or until it stops serving."""
    option = found.options[found.verdict.choice]
    return option.total_usd or option.total_until or 0.0


def side_by_side(states: Mapping[str, tuple[str, Comparison]]) -> None:
    """States beside each other: the cash on axes of one range, the verdict and the bills of each.

    Args:
        states: by heading, what was asked in words, and its answer.
    """
    st.html('<h4 class="tp-head">Side by side</h4>')
    looks = places(*[found.options for _, found in states.values()][::-1])  # of the last, as on its cards
    cash = [charts.cumulative_cost(found, looks) for _, found in states.values()]
    charts.share_axes(cash)
    for column, figure, (title, (words, found)) in zip(st.columns(len(states)), cash, states.items(), strict=True):
        with column:
            picture = f"cumulative-cost {title.lower()}"
            st.html(f'<h4 class="tp-head">{title}</h4>')
            pictures.show(picture, figure, SIDE_PX, narrow=True)
            with st.container(key=f"beside-{title.lower()}"):  # of one height, so that no chart below is pushed
                shown.say(f"{words}; {days(found.horizon_days)} from {day(found.start)}")
                shown.points("Verdict", [found.verdict.money])
            shown.table(
                {"option": "", "a month": "n", days(found.horizon_days): "n", "hits": "n"},
                [(name, usd(option.monthly_usd), usd(option.total_usd or option.total_until or 0.0),
                  share(float(option.result.cache_hit_rate[0]))) for name, option in found.options.items()],
            )
            take.chart_of(found.scenario_name, picture, figure)
