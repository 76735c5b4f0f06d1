"""A chart on a page: in the page's colours, of a fixed height, told in words, with a button that saves it.

The page keeps a chart and redraws it in place. Streamlit's own element makes a new one for every figure, which
takes four times as long in the browser and loses what was zoomed.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.dataframe_util import is_dataframe_like

from dashboard.shown import dark
from dashboard.work import PLOT_PX, Drawn, drawn
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
const plain = (words) => words.replace(/<[^>]*>/g, "").replace(/&#36;/g, "$").replace(/&lt;/g, "<")
  .replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const safe = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
  .replace(/\\$/g, "&#36;");
const pen = document.createElement("canvas").getContext("2d");

function lines(words, width, most) {
  const found = [];
  let line = "";
  for (const word of words.split(" ")) {
    const longer = line ? line + " " + word : word;
    if (line && pen.measureText(longer).width > width) {
      found.push(line);
      line = word;
    } else line = longer;
  }
  if (line) found.push(line);
  return found.length <= most ? found : [...found.slice(0, most - 1), found[most - 1] + " ..."];
}

function fitted(figure, room, width) {
  const { layout } = figure;
  pen.font = "12px " + layout.font.family;
  const free = width - layout.margin.l - layout.margin.r;
  const entries = figure.data.filter((trace) => trace.name && trace.showlegend !== false)
    .map((trace) => pen.measureText(plain(trace.name)).width + 44);
  const across = Math.max(1, Math.floor(free / Math.max(1, ...entries)));
  const all = entries.reduce((sum, one) => sum + one, 0);
  const shown = layout.showlegend === false || (entries.length < 2 && layout.showlegend !== true) ? 0 : entries.length;
  layout.margin.b = room.bottom + room.row * (all <= free ? Math.min(1, shown) : Math.ceil(shown / across));
  if (room.words) {
    const most = width > 800 ? room.lines - 1 : room.lines;
    layout.title.subtitle.text = lines(room.words, width - 30, most).map(safe).join("<br>");
    layout.margin.t = room.top - room.line * (room.lines - most);
  }
  const tall = layout.height - layout.margin.t - layout.margin.b;
  const up = layout.yaxis && layout.yaxis.domain === undefined ? layout.yaxis.title : undefined;
  pen.font = "13px " + layout.font.family;
  if (up && up.text && pen.measureText(plain(up.text)).width > tall) up.text = up.text.split(", ")[0];
  return figure;
}

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".tp-chart");
  place.style.height = data.height + "px";
  place.setAttribute("aria-label", data.alt);
  place.tpNext = data;
  const draw = () => {
    if (place.tpNext !== data) return;
    place.tpWidth = place.clientWidth;
    if (!place.tpWidth) return;
    const figure = fitted(JSON.parse(data.figure), data.room, place.clientWidth);
    window.Plotly.react(place, figure.data, figure.layout, data.config);
    place.tpDrawn = (place.tpDrawn || 0) + 1;
  };
  place.tpDraw = draw;
  const inTurn = () => {
    const box = place.getBoundingClientRect();
    if (box.top < window.innerHeight && box.bottom > 0) draw();
    else setTimeout(draw);
  };
  place.tpLook ??= new ResizeObserver(() => {
    if (place.tpWidth !== undefined && Math.abs(place.clientWidth - place.tpWidth) > 20) place.tpDraw();
  });
  place.tpLook.observe(place);
  if (window.Plotly) inTurn();
  else window.addEventListener("tp-plotly", inTurn, { once: true });
}
"""
"""What is in sight is drawn first; words and legend are laid out for the width that is there.

What a closed tab hides is drawn when it is opened. A newer figure takes the place of one that still waits.
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


def show(name: str, figure: Figure, height: int = PLOT_PX, *, narrow: bool = False) -> None:
    """A chart under a plain name, which is also that of the picture its button saves; `narrow` in half a page."""
    put(name, drawn(figure, dark(), height, narrow=narrow))


def put(name: str, one: Drawn) -> None:
    """A chart that was drawn before, in the colours of this page."""
    picture = st.session_state.get("picture", "PNG").lower()
    chart = st.components.v2.component(
        CHART, html='<div class="tp-chart" role="figure"></div>', js=DRAW, isolate_styles=False
    )
    chart(
        key=f"chart {name}", height=one.height,
        data={"figure": one.figure, "config": charts.page_config(name, picture), "height": one.height, "alt": one.alt,
              "room": one.room},
    )
