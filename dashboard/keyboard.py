"""The pages from the keyboard alone: what stands in a popover is reached from the button that opened it."""

from __future__ import annotations

import streamlit as st

from dashboard import pictures


def load() -> None:
    """Hand the page its script, once."""
    st.components.v2.component("tunepoint_keyboard", js=pictures.script("keyboard"))(key="keyboard", height=1)
