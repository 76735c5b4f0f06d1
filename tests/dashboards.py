"""What tests of the dashboard share: the shipped desk of 2024, whose options are all hosted, and how pages are read."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import simulator

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from streamlit.testing.v1 import AppTest

HOSTED = "support-triage-2024-09"
HOSTED_PATH = next(path for path in simulator.shipped_scenarios() if path.stem == HOSTED)
WAIT_S = 120.0


def until(so: Callable[[], Any]) -> None:
    """Wait for something that other processes bring about."""
    end = time.monotonic() + WAIT_S
    while not so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def words(page: AppTest) -> str:
    """All the words of a page that its own HTML says."""
    return html.unescape(re.sub(r"<[^>]*>", " ", " ".join(part.proto.body for part in page.get("html"))))


def settled(page: Page) -> None:
    """Wait until the server has sent a page in a browser all that it has for it."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def nap(seconds: float) -> float:
    """Work for a worker to be seen at."""
    time.sleep(seconds)
    return seconds


def hold(until_there: Path) -> None:
    """Work that ends when a file is there."""
    until(until_there.exists)
