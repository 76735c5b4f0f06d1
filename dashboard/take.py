"""What a reader takes along: the link, the scenario, the report, every table and every chart."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import streamlit as st

from dashboard import answer, question
from dashboard.shown import say, working
from dashboard.work import CHARTS
from simulator import as_csv, as_json, charts, comparison_json, ledger_rows, report_html, scenario_yaml

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_popover_container import PopoverContainer

    from dashboard.work import Question
    from simulator.charts import Figure
    from simulator.domain.findings import Comparison, CostCurve


def show(asked: Question, comparison: Comparison, curve: CostCurve, doubt: Mapping[str, Figure]) -> None:
    """The popover with everything that can be saved, `doubt` among its charts; what is large is made when asked for."""
    fold = _fold("stretch")
    if fold.open:
        _whole(fold, asked, comparison, curve)
        with fold:
            _charts(question.called(asked),
                    {title: one.figure(comparison, curve) for title, one in CHARTS.items()} | dict(doubt))


def scenario(asked: Question) -> None:
    """The same on a page that answers something else, without charts; worked out when it is opened."""
    fold = _fold()
    if fold.open:
        with fold, working():
            look, comparison = answer.look_at(asked), answer.comparison_of(asked)
        _whole(fold, asked, comparison, look.curve)


def _fold(width: Literal["content", "stretch"] = "content") -> PopoverContainer:
    return st.popover("Take it along", icon=":material/download:", key="take", on_change="rerun", width=width)


def _whole(fold: PopoverContainer, asked: Question, comparison: Comparison, curve: CostCurve) -> None:
    with fold:
        _link(asked)
        name = question.called(asked)
        _button("Scenario (YAML)", f"{name}.yaml", "application/yaml",
                lambda: scenario_yaml(asked.raw, asked.name, asked.flags))
        pinned = question.pinned()
        if pinned is not None and question.leaves_out_pinned(asked):
            _button("Pinned scenario (YAML)", f"{question.called(pinned)}-pinned.yaml", "application/yaml",
                    lambda: scenario_yaml(pinned.raw, pinned.name, pinned.flags))
        _button("Full report (HTML)", f"{name}-report.html", "text/html",
                lambda: report_html(comparison, curve, answer.explored_of(asked)))
        _button("Every line of every bill (CSV)", f"{name}-ledger.csv", "text/csv",
                lambda: as_csv(ledger_rows(comparison)))
        _button("Everything (JSON)", f"{name}.json", "application/json", lambda: as_json(comparison_json(comparison)))


def charts_of(name: str, pictures: Mapping[str, Figure]) -> None:
    """The popover of a page that has charts alone to take along."""
    fold = st.popover("Save the charts", icon=":material/download:", key="take charts", on_change="rerun")
    if fold.open:
        with fold:
            _charts(name, pictures)


def _charts(name: str, pictures: Mapping[str, Figure]) -> None:
    st.segmented_control("Camera button of each chart saves", ["PNG", "SVG"], key="picture", required=True,
                         default=st.session_state.get("camera", "PNG"), on_change=_camera)
    for title, figure in pictures.items():
        chart_of(name, title, figure)


def _camera() -> None:
    """Keep the choice apart from its switch, which Streamlit forgets when the popover is closed."""
    st.session_state.camera = st.session_state.picture


def chart_of(name: str, title: str, figure: Figure) -> None:
    """The buttons that save a chart as a page of its own and as a table; its camera button saves it as a picture."""
    with st.container(horizontal=True):
        alone, points = functools.partial(charts.standalone, figure), functools.partial(_points, figure)
        _button(f"{title} (HTML)", f"{name}-{title}.html", "text/html", alone)
        _button(f"{title} (CSV)", f"{name}-{title}.csv", "text/csv", points)


def _link(asked: Question) -> None:
    address = question.link(asked)
    if address is None:
        say("This scenario is too long for a link; send its file, which holds the whole state.")
    else:
        st.code(address, language=None, wrap_lines=True)
        if question.leaves_out_pinned(asked):
            say("The pinned state is not in this link, as both are too long for one; send its file too.")


def _points(figure: Figure) -> str:
    found: str = as_csv(charts.plotted(figure))
    return found


def _button(label: str, file: str, kind: str, made: Callable[[], str]) -> None:
    st.download_button(label, data=made, file_name=file, mime=kind, on_click="ignore", key=f"save {label}")
