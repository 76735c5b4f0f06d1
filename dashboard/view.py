"""What a page shows of an answer: choices that outlive the page, as widgets do not, and stand in the link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import shown
from simulator.formats import short

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def choice(box: DeltaGenerator, label: str, options: Sequence[str], default: str, name: str, **how: Any) -> str:
    """One of some options in a list, kept under a name."""
    kept = _kept(label, name, default, options)
    chosen: str = box.selectbox(label, options, options.index(kept), key=name, on_change=_keep, args=(name,), **how)
    return chosen


def switch(box: DeltaGenerator, label: str, options: Sequence[str], default: str, name: str, **how: Any) -> str:
    """The same side by side."""
    kept = _kept(label, name, default, options)
    chosen: str = box.segmented_control(label, options, default=kept, required=True, key=name, on_change=_keep,
                                        args=(name,), **how)
    return chosen


def number(
    box: DeltaGenerator, label: str, default: float, name: str, low: float | None = None, high: float | None = None,
    **how: Any,
) -> float:
    """A number between bounds, kept under a name; a whole one where `default` is an int."""
    said = st.session_state.view.get(name)
    try:
        value = default if said is None else type(default)(said)
    except ValueError:
        value = math.nan
    if not (-math.inf if low is None else low) <= value <= (math.inf if high is None else high) or math.isinf(value):
        value = _not_here(label, name, default)
    return box.number_input(label, low, high, value, key=name, on_change=_keep, args=(name,), **how)


def _keep(name: str) -> None:
    st.session_state.view[name] = f"{st.session_state[name]}"


def _kept(label: str, name: str, default: str, options: Sequence[str]) -> str:
    said: str = st.session_state.view.get(name, default)
    return said if said in options else _not_here(label, name, default)


def _not_here(label: str, name: str, default: Any) -> Any:
    """What holds in place of what a link, or the scenario before, has and this one has not."""
    said = short(st.session_state.view.pop(name), 40)
    shown.say(f'"{label}" cannot be "{said}" here; {default} is shown.')
    return default
