"""How drawn tests are drawn, the same on every machine of a build; and the one dashboard that browsers are shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from bench._served import Served, browser_path, chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WAIT_MS = 180_000

settings.register_profile(
    "tunepoint",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("tunepoint")


@pytest.fixture(scope="session")
def app() -> Iterator[Served]:
    """A dashboard on a port of its own, for all tests together."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine; of a module, as its driver keeps the thread's event loop for itself."""
    if browser_path() is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER=1, and there is no chromium, chromium-browser or google-chrome")
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """One reader's browser, which keeps what it has loaded; every page of it is a session of its own."""
    return browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A new page, not yet anywhere."""
    found = context.new_page()
    found.set_default_timeout(WAIT_MS)
    yield found
    found.close()
