"""The charts of the positions that a dial may be moved to next, sent to the browser before they are asked for.

A browser that has them draws them as soon as the dial is moved (`chart.js`); the server's answer comes after, with the
same charts and all the words and bills beside them.
"""

from __future__ import annotations

import time

import streamlit as st

from dashboard import answer, dials, pictures

COMPONENT = "tunepoint_ahead"
WAIT_S = 0.4
"""How long a page that has answered waits for them; what takes longer is sent after a later move."""
SENT = "sent ahead"
"""Where a session keeps which charts its browser has."""


def send() -> None:
    """Have the charts of the positions beside the present one drawn, and send those that the browser has not got."""
    beside = dials.beside()
    answer.look_ahead(one.question for one in beside)
    end, new = time.monotonic() + WAIT_S, []
    for one in beside:
        look = None if one.stop in _sent(one) else answer.look_within(one.question, end - time.monotonic())
        if look is not None:
            new.append((one, {name: chart._asdict() for name, chart in look.drawn.items()}))
    courier = st.components.v2.component(COMPONENT, html="<i></i>", js=pictures.script("chart"))
    courier(key="ahead", data=pictures.packed(beside=[(one.at, charts) for one, charts in new]))
    for one, _ in new:
        mark_sent(one)  # not before: a page whose reader moves on while it waits has sent nothing


def mark_sent(position: dials.Position) -> None:
    """Keep in mind that the browser has the charts of a position."""
    st.session_state[SENT] = (position.at[:2], _sent(position) | {position.stop})


def _sent(position: dials.Position) -> frozenset[int]:
    """Stops of the dial whose charts the browser has; as in `chart.js`, those of one dial, while all else stays."""
    around, stops = st.session_state.get(SENT, (None, frozenset()))
    return stops if around == position.at[:2] else frozenset()
