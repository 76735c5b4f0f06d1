"""A chart on a page: in the page's colours, of a fixed height, told in words, with a button that saves it.

The page keeps a chart and redraws it in place. Streamlit's own element makes a new one for every figure, which
takes four times as long in the browser and loses what was zoomed.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.shown import dark
from simulator import charts

if TYPE_CHECKING:
    from simulator.charts import Figure

LOADER = "tunepoint_plotly"
CHART = "tunepoint_chart"

LOADED = """
;window.Plotly ??= self.moduleName;
window.dispatchEvent(new Event("tp-plotly"));
export default function () {}
"""

DRAW = """
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".tp-chart");
  place.style.height = data.height + "px";
  place.setAttribute("aria-label", data.alt);
  place.tpNext = data;
  const draw = () => {
    if (place.tpNext !== data) return;
    const figure = JSON.parse(data.figure);
    window.Plotly.react(place, figure.data, figure.layout, data.config);
    place.tpDrawn = (place.tpDrawn || 0) + 1;
  };
  const inTurn = () => {
    const box = place.getBoundingClientRect();
    if (box.top < window.innerHeight && box.bottom > 0) draw();
    else setTimeout(draw);
  };
  if (window.Plotly) inTurn();
  else window.addEventListener("tp-plotly", inTurn, { once: true });
}
"""
"""What is in sight is drawn first. A newer figure takes the place of one that still waits."""


def load() -> None:
    """Hand the drawing library to the page, once; from this server, as no request may leave it."""
    st.components.v2.component(LOADER, js=_library())(key="plotly", height=1)


@functools.cache
def _library() -> str:
    return f"{charts.plotly_script()}{LOADED}"


PLOT_PX = 460


def show(name: str, figure: Figure, height: int = PLOT_PX, *, narrow: bool = False) -> None:
    """A chart under a plain name, which is also that of the picture its button saves; `narrow` in half a page."""
    picture = st.session_state.get("picture", "PNG").lower()
    drawn = charts.on_page(figure, dark(), height, narrow=narrow)
    chart = st.components.v2.component(
        CHART, html='<div class="tp-chart" role="figure"></div>', js=DRAW, isolate_styles=False
    )
    chart(
        key=f"chart {name}", height=height,
        data={
            "figure": drawn.to_json(validate=False), "config": charts.page_config(name, picture), "height": height,
            "alt": figure.layout.meta["alt"],
        },
    )
