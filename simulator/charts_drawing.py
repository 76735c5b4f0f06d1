"""A chart while it is drawn: plain values that become a Plotly figure at once, as a page redraws at every move.

A figure object checks each value each time one is added, 40 ms a chart; built whole and unchecked it takes one.
The tests check every chart by building it again with the library's own checks.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go


class Drawing:
    """Traces and layout under the names that a Plotly figure has for them.

    >>> drawing = Drawing()
    >>> drawing.update_layout(height=300, font={"size": 13})
    >>> drawing.update_layout(font={"color": "black"})
    >>> drawing.layout["font"], drawing.figure().layout.height
    ({'size': 13, 'color': 'black'}, 300)
    """

    def __init__(self) -> None:
        self.traces: list[dict[str, Any]] = []
        self.layout: dict[str, Any] = {}

    def update_layout(self, **changes: Any) -> None:
        """Lay changes over the layout, key by key at every depth."""
        _lay_over(self.layout, changes)

    def update_xaxes(self, changes: dict[str, Any] | None = None, **more: Any) -> None:
        """Lay changes over the horizontal axis."""
        self.update_layout(xaxis={**(changes or {}), **more})

    def update_yaxes(self, changes: dict[str, Any] | None = None, **more: Any) -> None:
        """Lay changes over the vertical axis."""
        self.update_layout(yaxis={**(changes or {}), **more})

    def add_scatter(self, **trace: Any) -> None:
        """A line or points."""
        self.traces.append({"type": "scatter", **trace})

    def add_bar(self, **trace: Any) -> None:
        """Bars."""
        self.traces.append({"type": "bar", **trace})

    def add_waterfall(self, **trace: Any) -> None:
        """Bars that each begin where the one before ended."""
        self.traces.append({"type": "waterfall", **trace})

    def add_annotation(self, **annotation: Any) -> None:
        """Words at a place."""
        self.layout.setdefault("annotations", []).append(annotation)

    def add_vline(self, *, x: Any, line: dict[str, Any]) -> None:
        """A line from bottom to top."""
        shape = {"type": "line", "xref": "x", "yref": "y domain", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}
        self.layout.setdefault("shapes", []).append(shape)

    def figure(self) -> go.Figure:
        """The Plotly figure."""
        return go.Figure(data=self.traces, layout=self.layout, _validate=False)


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict):  # copied at every depth: two axes may be handed one and the same mapping
            inner = below.get(key)
            below[key] = dict(inner) if isinstance(inner, dict) else {}
            _lay_over(below[key], value)
        else:
            below[key] = value
