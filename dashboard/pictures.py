"""A chart on a page: of a fixed height, told in words, with a button that saves it.

The page keeps a chart and redraws it in place. Streamlit's own element makes a new one for every figure, which
takes four times as long in the browser and loses what was zoomed.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.dataframe_util import is_dataframe_like

from dashboard.work import Drawn, drawn
from simulator import charts

if TYPE_CHECKING:
    from simulator.charts import Figure

LOADER = "tunepoint_plotly"
CHART = "tunepoint_chart"

LOADED = f"""
;window.Plotly ??= self.moduleName;
window.tpNight = {json.dumps({"colours": charts.NIGHT, "shown": charts.SHOWN})};
window.dispatchEvent(new Event("tp-plotly"));
export default function () {{}}
"""


@st.cache_resource(show_spinner=False)
def settle() -> None:
    """Let the first session load, alone, what a chart needs; all others wait for it.

    Plotly asks whether pandas is loaded, which Streamlit loads when it first shows a chart; a session that draws
    while another is half-way through that would be told of a pandas that has nothing in it yet.
    """
    is_dataframe_like({})


def load() -> None:
    """Hand the drawing library to the page, once; from this server, as no request may leave it."""
    st.components.v2.component(LOADER, js=_library())(key="plotly", height=1)


@functools.cache
def _library() -> str:
    return f"{charts.plotly_script()}{LOADED}"


@functools.cache
def script(name: str) -> str:
    """The JavaScript of a component, from the file of that name beside this one."""
    return Path(__file__).with_name(f"{name}.js").read_text("utf-8")


def packed(**said: Any) -> bytes:
    """What a component is told, as bytes: Streamlit writes anything else out as JSON twice, to tell it from others."""
    return json.dumps(said).encode()


def show(name: str, figure: Figure, height: int = charts.PLOT_PX, *, narrow: bool = False) -> None:
    """A chart under a plain name, which is also that of the picture its button saves; `narrow` in half a page."""
    put(name, drawn(figure, height, narrow=narrow))


def put(name: str, one: Drawn, at: tuple[str, str, int] | None = None) -> None:
    """A chart as a worker has drawn it; `at` is that of the `dials.Position` at which it holds."""
    picture = st.session_state.get("camera", "PNG").lower()
    chart = st.components.v2.component(
        CHART, html='<div class="tp-chart" role="figure"></div>', js=script("chart"), isolate_styles=False
    )
    chart(
        key=f"chart {name}", height=one.height,
        data=packed(name=name, chart=one._asdict(), config=charts.page_config(name, picture), at=at),
    )
