"""`tunepoint app`: the dashboard, on this machine alone unless told otherwise."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

HERE = "127.0.0.1"


def app(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port it listens on.")] = 8501,
    address: Annotated[
        str, typer.Option("--address", help="The address it listens on; another than this lets others in.")
    ] = HERE,
) -> None:
    """Open the dashboard: move a slider, see the answer move."""
    from simulator import dashboard_path

    ended = subprocess.run([
        sys.executable, "-m", "streamlit", "run", str(dashboard_path()),
        "--server.address", address, "--server.port", str(port),
        "--browser.gatherUsageStats", "false", "--server.maxUploadSize", "20", "--client.showErrorDetails", "none",
    ], check=False)
    if ended.returncode not in (0, -2, 130):
        raise typer.Exit(ended.returncode)
