"""The first page: turn a dial, read the verdict, the bills and the day on which another option has paid back."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from dashboard import ahead, answer, behind, dials, pictures, question, shown, take, work
from dashboard.guard import guarded
from simulator import TunepointError, charts, headlines
from simulator.formats import usd

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from dashboard.work import Look, Question
    from simulator.domain.findings import Comparison

DIALS_PX = 880
BREATH_S = 0.03
"""A pause after charts known already: without it they come in one lot with the dials, and are drawn after these."""


@st.fragment
def page() -> None:
    """The whole page is one fragment: a slider redraws it and nothing else.

    What a worker knows already is drawn before the dials; what it must work out is begun before them.
    """
    left, right = st.columns([0.28, 0.72], gap="medium")
    with right:
        rooms = Rooms(st.container(key="said"), st.container(), st.container(), st.container())
    with rooms.said, guarded():
        _take_up()
    known = None
    with right, guarded():
        known = answer.look_if_known(question.asked())
        if known is not None:
            _draw(rooms, known)
            time.sleep(BREATH_S)
    with left, guarded():
        _scenario()
        with st.container(height=DIALS_PX, border=False, key="dials"), contextlib.suppress(TunepointError):
            dials.show()  # of a scenario that cannot be read nothing is known; the verdict's place says why
    with right, guarded():
        _answer(question.asked(), rooms, drawn=known is not None)
    with guarded():
        question.keep_in_address(question.asked())
    with right, contextlib.suppress(TunepointError):
        ahead.send()


class Rooms(NamedTuple):
    """The parts of the page from top to bottom: the verdict and bills, what can be taken along, charts, and reasons."""

    said: DeltaGenerator
    saved: DeltaGenerator
    drawn: DeltaGenerator
    behind: DeltaGenerator


def _draw(rooms: Rooms, look: Look) -> None:
    """Put the charts where they stand, each with the position of the dial at which it holds."""
    position = dials.here()
    with rooms.drawn:
        for name, chart in look.drawn.items():
            pictures.put(name, chart, None if position is None else position.at)
    if position is not None:
        ahead.mark_sent(position)


def _scenario() -> None:
    """The scenario that is asked: one that is shipped, or one that is sent."""
    names, own = list(question.shipped()), question.called(question.written())
    sent = question.written().folder is None
    with st.container(key="asked"):  # which stays when another scenario brings another list
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
        st.session_state.taken_up = work.Question(name=file.name, raw=file.getvalue(), folder=None)


def _take_up() -> None:
    """Ask the scenario that was sent, if it can be read; of one that cannot, that is said, and all else stays."""
    sent = st.session_state.pop("taken_up", None)
    if sent is not None:
        work.scenario_of(sent)
        question.ask(sent.name, sent.raw)


def _answer(asked: Question, rooms: Rooms, *, drawn: bool) -> None:
    """The charts first, as they are known first: what would change the choice takes as long again."""
    with rooms.said, shown.working():
        look = answer.look_at(asked)
    if not drawn:
        _draw(rooms, look)
    with rooms.said, shown.working("Looking for what would change the choice."):
        comparison = answer.comparison_of(asked)
    with rooms.said:
        _said(comparison)
        if question.link(asked) is None:
            shown.say("This is too long for a link, so the address bar does not hold it; its file does: Take it along.")
        if question.leaves_out_pinned(asked):
            shown.say("The pinned state finds no room in the link, nor in the address bar; its file holds it: "
                      "Take it along.")
    doubt = charts.unsure_pictures(comparison)
    with rooms.saved:
        one, two = st.columns(2)
        with one:
            take.show(asked, comparison, look.curve, doubt)
        with two, st.container(key="pinning"):
            _pin(asked)
    with rooms.behind:  # first what stays as tall as it is while a dial moves, so that no chart is pushed
        behind.doubt(comparison, doubt)
        _side_by_side(asked, comparison, rooms)
        behind.saving(asked)
        behind.reasons(comparison)


def _said(comparison: Comparison) -> None:
    """The verdict, the bills, and the most there is to save."""
    shown.verdict(comparison)
    shown.cards(headlines(comparison))
    careful = len(behind.cautions(comparison))
    cautions = f" {careful} {'thing' if careful == 1 else 'things'} to be careful about: see below." if careful else ""
    shown.say(
        f"The most that any alternative can save is {usd(comparison.verdict.max_saving_usd_per_month)} a month, "
        f"all that {comparison.baseline} costs.{cautions}"
    )


def _pin(asked: Question) -> None:
    if question.pinned() is not None:
        st.button("Unpin", icon=":material/keep_off:", width="stretch",
                  on_click=lambda: st.session_state.pop("pinned"))
    else:
        st.button(
            "Pin to compare with", icon=":material/keep:", width="stretch", on_click=_keep, args=(asked,),
            help="Keeps this state; move dials or choose another scenario and see the two side by side.",
        )


def _keep(asked: Question) -> None:
    st.session_state.pinned = asked


def _side_by_side(asked: Question, comparison: Comparison, rooms: Rooms) -> None:
    """The pinned state beside the present one; above the charts already, in one line, the difference in money."""
    pinned = question.pinned()
    if pinned is None:
        return
    before = None
    with rooms.saved, st.container(key="difference"), guarded():
        try:
            with rooms.said, shown.working():
                before = answer.comparison_of(pinned)
        except TunepointError as error:
            raise TunepointError(f"the pinned state: {error}") from None
        shown.say(behind.difference(before, comparison))
    if before is not None:
        behind.side_by_side({"Pinned": (_state(pinned), before), "Now": (_state(asked), comparison)})


def _state(asked: Question) -> str:
    return "; ".join([question.called(asked), *asked.flags])
