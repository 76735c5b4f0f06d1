"""The charts of positions that a dial may be moved to next, handed to the page before they are asked.

A page that has them draws them when the dial is moved; the answer of the server, which is the same chart and all
that is said beside it, comes after.
"""

from __future__ import annotations

import time

import streamlit as st

from dashboard import answer, dials, pictures

COMPONENT = "tunepoint_ahead"
SOON_S = 0.4
"""How long a page waits for them after it has answered; what takes longer is sent after a later move."""


def send() -> None:
    """Have the positions beside the present one looked at, and hand over those the page has not got."""
    beside = dials.beside()
    answer.look_ahead(one.question for one in beside)
    end, new = time.monotonic() + SOON_S, []
    for one in beside:
        look = None if _has(one) else answer.soon(one.question, end - time.monotonic())
        if look is not None:
            new.append((one, {name: chart._asdict() for name, chart in look.drawn.items()}))
    hand_over = st.components.v2.component(COMPONENT, html="<i></i>", js=pictures.script("chart"))
    hand_over(key="ahead", data=pictures.packed(beside=[(one.at, charts) for one, charts in new]))
    for one, _ in new:
        note(one)  # not before: a page that is called away while it waits has handed over nothing


def note(spot: dials.Spot) -> None:
    """The page has got the charts of a position."""
    rest, places = st.session_state.get("ahead of", (None, frozenset()))
    st.session_state["ahead of"] = (spot.at[:2], (places if rest == spot.at[:2] else frozenset()) | {spot.at[2]})


def _has(spot: dials.Spot) -> bool:
    rest, places = st.session_state.get("ahead of", (None, frozenset()))
    return bool(rest == spot.at[:2] and spot.at[2] in places)
