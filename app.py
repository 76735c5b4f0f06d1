"""The dashboard's door: `tunepoint app`, or `streamlit run app.py`."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: on matrices this small, threads cost more


def main() -> None:
    """Lay out the pages and show the one that is asked.

    What it needs is imported here: a worker of the pool imports this file too, and would carry all of it for nothing.
    """
    import streamlit as st

    from dashboard import (
        about,
        batches,
        breakeven,
        decide,
        door,
        keyboard,
        own_data,
        pictures,
        prices,
        question,
        shown,
        simulate,
    )
    from dashboard.guard import guarded

    icon = Path(__file__).parent / "dashboard" / "icon.png"  # an icon by name would be asked of another server
    st.set_page_config(page_title="tunepoint", page_icon=str(icon), layout="wide", menu_items={})
    st.html(shown.STYLE)
    if not door.let_in():
        return
    pictures.settle()
    with guarded():
        question.begin()
    pages = [
        st.Page(decide.page, title="Decide", url_path="decide", icon=":material/balance:", default=True),
        st.Page(breakeven.page, title="Break-even", url_path="break-even", icon=":material/close_fullscreen:"),
        st.Page(simulate.page, title="Simulate", url_path="simulate", icon=":material/casino:"),
        st.Page(prices.page, title="Prices", url_path="prices", icon=":material/sell:"),
        st.Page(own_data.page, title="Your data", url_path="your-data", icon=":material/upload_file:"),
        st.Page(batches.page, title="Batch", url_path="batch", icon=":material/grid_on:"),
        st.Page(about.page, title="About the numbers", url_path="about", icon=":material/functions:"),
    ]
    asked = st.navigation(pages, position="top")
    pictures.load()
    keyboard.load()
    asked.run()
    door.way_out()


if __name__ == "__main__":  # a worker process that imports this file must not run the page again
    main()
