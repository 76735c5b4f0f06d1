"""Charts and reports as files: PNG, SVG and PDF through a Chrome that was tried first, HTML without one."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from pricing.errors import InputError

PICTURES = ("png", "svg", "pdf")
WIDTH, HEIGHT, SCALE = 960, 540, 3
"""A slide of 16:9 in points, so that letters of 13 px are 13 pt on it; PNG at three times that stays sharp."""
CHROMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PROBE_S, PRINT_S = 60, 120
ASK = "install Chrome or Chromium (on Debian: apt install chromium), or set BROWSER_PATH"
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


def chrome() -> str:
    """The path of a Chrome that starts: tried, because one that does not makes the drawing library wait for ever.

    Raises:
        InputError: there is none, or it does not start.
    """
    found = os.environ.get("BROWSER_PATH") or next((path for name in CHROMES if (path := shutil.which(name))), None)
    if found is None:
        raise InputError(f"pictures and PDF need a Chrome and there is none; {ASK}")
    try:
        with tempfile.TemporaryDirectory() as profile:
            command = [found, *QUIET, f"--user-data-dir={profile}", "--dump-dom", "about:blank"]
            tried = subprocess.run(command, capture_output=True, timeout=PROBE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{found}: does not start ({type(error).__name__}); {ASK}") from None
    if tried.returncode != 0 or b"<html" not in tried.stdout:
        raise InputError(f"{found}: does not start (exit code {tried.returncode}); {ASK}")
    return found


def drawn(charts: Mapping[str, go.Figure], formats: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """File name and content of every chart in every format of `PICTURES`.

    Args:
        charts: by plain name.
        formats: some of png, svg, pdf.

    Raises:
        InputError: no Chrome, or no kaleido.
    """
    browser = chrome()
    try:
        kaleido: Any = importlib.import_module("kaleido")
    except ImportError:
        raise InputError('pictures need kaleido; install it with pip install "tunepoint[export]"') from None
    wanted = list(formats)
    kaleido.start_sync_server(n=1, path=browser, silence_warnings=True)
    try:
        for name, chart in charts.items():
            height = max(HEIGHT, int(chart.layout.height or HEIGHT))
            for form in wanted:
                kept = "png" if form == "png" else "svg"
                options = {"format": kept, "width": WIDTH, "height": height, "scale": SCALE if kept == "png" else 1}
                content = kaleido.calc_fig_sync(chart, opts=options)
                yield f"{name}.{form}", _sheet(content, height, browser) if form == "pdf" else content
    finally:
        with contextlib.suppress(Exception):                    # it may have died; what is drawn is drawn
            kaleido.stop_sync_server(silence_warnings=True)


def _sheet(svg: bytes, height: int, browser: str) -> bytes:
    """A drawing as a PDF of its own size: kaleido's own PDF leaves a margin and cuts off as much at the far edges."""
    style = f"@page{{size:{WIDTH}px {height}px;margin:0}}body{{margin:0}}svg{{display:block}}"
    return _printed(f"<!doctype html><meta charset=utf-8><style>{style}</style>{svg.decode()}", browser)


def chart_of(text: str) -> go.Figure:
    """A chart from the JSON that a results folder keeps.

    Raises:
        ValueError: it is none.
    """
    import plotly.io

    return plotly.io.from_json(text)


def page(chart: go.Figure) -> str:
    """A chart as one HTML file that asks nothing of the network."""
    html: str = chart.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return html


def printed(html: str) -> bytes:
    """A page as PDF.

    Raises:
        InputError: no Chrome, or it did not print.
    """
    return _printed(html, chrome())


def _printed(html: str, browser: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(html, "utf-8")
        command = [
            browser, *QUIET, f"--user-data-dir={folder}/profile", "--no-pdf-header-footer",
            "--virtual-time-budget=10000", f"--print-to-pdf={out}", source.as_uri(),
        ]
        try:
            subprocess.run(command, capture_output=True, timeout=PRINT_S)
            return out.read_bytes()
        except (OSError, subprocess.TimeoutExpired):
            raise InputError(f"{browser}: did not print a page as PDF; {ASK}") from None
