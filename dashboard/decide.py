"""The first page: turn a dial, read the verdict, the bills and the day on which another option has paid back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, behind, dials, pictures, question, shown, take
from dashboard.guard import guarded
from simulator import charts, headlines
from simulator.formats import usd

if TYPE_CHECKING:
    from dashboard.question import Question
    from simulator.domain.findings import Comparison

DIALS_PX = 880
CHART_PX, HEIGHTS_PX = 440, {"cost-against-volume": 500, "bill-by-line": 480}


@st.fragment
def page() -> None:
    """The whole page is one fragment: a slider redraws it and nothing else."""
    left, right = st.columns([0.28, 0.72], gap="medium")
    with left, guarded():
        _scenario()
        with st.container(height=DIALS_PX, border=False, key="dials"):
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
    """The charts first, as they are known first: what would change the choice takes as long again."""
    said, saved, drawn, behind_it = st.container(key="said"), st.container(), st.container(), st.container()
    with said, shown.working():
        bills, curve = answer.bills_of(asked), answer.curve_of(asked)
    figures = {
        "cumulative-cost": charts.cumulative_cost(bills),
        "cost-against-volume": charts.cost_against_volume(curve, bills.break_even, bills),
        "bill-by-line": charts.bill_by_line(bills),
    }
    with drawn:
        for name, figure in figures.items():
            pictures.show(name, figure, HEIGHTS_PX.get(name, CHART_PX))
    with said, shown.working("Looking for what would change the choice."):
        comparison = answer.comparison_of(asked)
    with said:
        _said(comparison)
    doubt = charts.unsure_pictures(comparison)
    with saved:
        one, two = st.columns(2)
        with one:
            take.show(asked, comparison, figures | doubt)
        with two:
            _pin(asked)
    with behind_it:
        _side_by_side(asked, comparison)
        behind.reasons(comparison)
        behind.doubt(comparison)
        for name, figure in doubt.items():
            pictures.show(name, figure, CHART_PX)
        behind.saving(asked)


def _said(comparison: Comparison) -> None:
    """The verdict, the bills, and the most there is to save."""
    shown.verdict(comparison)
    shown.cards(headlines(comparison, shown.dark()))
    careful = len(behind.cautions(comparison))
    shown.say(
        f"The most that any alternative can save is {usd(comparison.verdict.max_saving_usd_per_month)} a month, "
        f"all that {comparison.baseline} costs. {careful} {'thing' if careful == 1 else 'things'} to be careful "
        "about: see below."
    )


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
    """The pinned state and the present one, where one is pinned."""
    pinned = st.session_state.get("pinned")
    if pinned is not None:
        with guarded():
            with shown.working():
                before = answer.comparison_of(pinned)
            behind.side_by_side({"Pinned": (_state(pinned), before), "Now": (_state(asked), comparison)})


def _state(asked: Question) -> str:
    return "; ".join([question.called(asked), *asked.flags])
