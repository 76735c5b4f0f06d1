"""What a reader has sent or typed, and what was read from it: kept for the session, and nowhere else.

Streamlit itself forgets what was sent and typed when another page is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

import streamlit as st

from dashboard import shown

Given = TypeVarTuple("Given")
Found = TypeVar("Found")


class Sent(NamedTuple):
    """A file as it was sent."""

    name: str
    raw: bytes


def file(kind: str, label: str, types: list[str]) -> Sent | None:
    """The file of a kind that was sent last, one a kind; the browser's own list of it is empty on a page come back to.

    Args:
        kind: what is sent, and what its widgets are called by.
        label: what the page asks for.
        types: endings of names that are taken.
    """
    key = f"{kind} file"
    st.file_uploader(label, type=types, key=key, on_change=_take_up, args=(kind,))
    found: Sent | None = st.session_state.get(f"sent {kind}")
    if found is not None and st.session_state[key] is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            shown.say(f"{found.name}, sent before.")
            st.button("Take it off", key=f"take off {kind}", on_click=_take_off, args=(kind,))
    return found


def once(kind: str, read: Callable[[*Given], Found], *given: *Given) -> Found:
    """What a function finds in what was sent of a kind, worked out once however often its page is redrawn.

    A cache of the function would keep what was sent for as long as the server runs.
    """
    found: dict[Any, Any] = st.session_state.setdefault(f"found {kind}", {})
    if read not in found or found[read][0] != given:
        found[read] = given, read(*given)
    last: Found = found[read][1]
    return last


def typed(key: str) -> dict[str, Any]:
    """What makes a widget keep what is typed into it, with its key."""
    if key not in st.session_state and f"kept {key}" in st.session_state:
        st.session_state[key] = st.session_state[f"kept {key}"]
    return {"key": key, "on_change": _keep, "args": (key,)}


def _take_up(kind: str) -> None:
    sent = st.session_state[f"{kind} file"]
    _take_off(kind)
    if sent is not None:
        st.session_state[f"sent {kind}"] = Sent(sent.name, sent.getvalue())


def _take_off(kind: str) -> None:
    for key in (f"sent {kind}", f"found {kind}"):
        st.session_state.pop(key, None)


def _keep(key: str) -> None:
    st.session_state[f"kept {key}"] = st.session_state[key]
