"""The first page: turn a dial, read the verdict, the bills and the day on which another option has paid back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, dials, pictures, question, shown, take
from dashboard.guard import guarded
from simulator import charts, headlines
from simulator.formats import days, usd

if TYPE_CHECKING:
    from dashboard.question import Question
    from simulator.domain.findings import Comparison

DIALS_PX = 880
CHART_PX, BILL_PX = 440, 480


@st.fragment
def page() -> None:
    """The whole page is one fragment: a slider redraws it and nothing else."""
    left, right = st.columns([0.28, 0.72], gap="medium")
    with left, guarded():
        _scenario()
        with st.container(height=DIALS_PX, border=False):
            dials.show()
    with right, guarded():
        asked = question.asked()
        question.keep_in_address(asked)
        _answer(asked)


def _scenario() -> None:
    """The scenario that is asked: one that is shipped, or one that is sent."""
    names, own = list(question.shipped()), question.called(question.written())
    sent = question.written().folder is None
    st.selectbox(
        "Scenario", [own, *names] if sent else names, index=0 if sent else names.index(own),
        key=f"scenario {st.session_state.round}", on_change=_chosen,
    )
    with st.popover("Upload your own (YAML)", width="stretch"):
        st.file_uploader("Scenario", type=["yaml", "yml"], key="sent", on_change=_sent, label_visibility="collapsed")
        shown.say("Begin with the file of a shipped scenario: Take it along, Scenario.")


def _chosen() -> None:
    name = st.session_state[f"scenario {st.session_state.round}"]
    if name in question.shipped():
        question.choose(question.shipped()[name])


def _sent() -> None:
    file = st.session_state.sent
    if file is not None:
        question.ask(file.name, file.getvalue())


def _answer(asked: Question) -> None:
    comparison = answer.comparison_of(asked)
    curve = answer.curve_of(asked)
    shown.verdict(comparison)
    shown.cards(headlines(comparison, shown.dark()))
    shown.say(
        f"The most that any alternative can save is {usd(comparison.verdict.max_saving_usd_per_month)} a month, "
        f"all that {comparison.baseline} costs."
    )
    figures = {
        "cumulative-cost": charts.cumulative_cost(comparison),
        "cost-against-volume": charts.cost_against_volume(curve, comparison.break_even, comparison),
        "bill-by-line": charts.bill_by_line(comparison),
    }
    one, two = st.columns(2)
    with one:
        take.show(asked, comparison, figures)
    with two:
        _pin(asked)
    for name, figure in figures.items():
        pictures.show(name, figure, BILL_PX if name == "bill-by-line" else CHART_PX)
    _side_by_side(asked, comparison)
    _words(comparison)


def _words(comparison: Comparison) -> None:
    """Why, what would change it, and what to be careful about."""
    verdict = comparison.verdict
    shown.points("Because", verdict.because)
    shown.points("It would flip", verdict.flips)
    if comparison.diagnosed is not None:
        shown.points("Is tuning due?", [comparison.diagnosed.not_yet, comparison.diagnosed.worth])
    if comparison.alternatives:
        shown.points("The same tokens at other prices, quality not compared", [
            f"{one.price}: {usd(one.usd_per_month)} a month ({one.confidence})" for one in comparison.alternatives
        ])
    shown.points("Careful", [
        *verdict.caveats,
        *(f"{name} is no choice: {option.result.why_not}" for name, option in comparison.options.items()
          if option.result.why_not),
        *(f"Prices age: {price}." for price in comparison.stale),
    ])


def _pin(asked: Question) -> None:
    if "pinned" in st.session_state:
        st.button("Unpin", icon=":material/keep_off:", width="stretch", on_click=lambda: st.session_state.pop("pinned"))
    else:
        st.button(
            "Pin to compare with", icon=":material/keep:", width="stretch", on_click=_keep, args=(asked,),
            help="Keeps this state; move dials or choose another scenario and see the two side by side.",
        )


def _keep(asked: Question) -> None:
    st.session_state.pinned = asked


def _side_by_side(asked: Question, comparison: Comparison) -> None:
    """The pinned state and the present one, verdict by verdict and bill by bill."""
    pinned = st.session_state.get("pinned")
    if pinned is None:
        return
    st.html('<h4 class="tp-head">Side by side</h4>')
    for column, title, state in zip(st.columns(2), ("Pinned", "Now"), (pinned, asked), strict=True):
        with column, guarded():
            found = answer.comparison_of(state)
            shown.say(f"{title}: {question.called(state)}" + (f", {'; '.join(state.flags)}" if state.flags else ""))
            shown.points("Verdict", [found.verdict.money])
            shown.table(
                {"option": "", "a month": "n", days(found.horizon_days): "n"},
                [(name, usd(option.monthly_usd), usd(option.total_usd or option.total_until or 0.0))
                 for name, option in found.options.items()],
            )
