"""The pages are used from the keyboard alone: what a popover holds comes after its button, and focus is seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench._served import Served
from tests.dashboards import HOSTED, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOCUS = """() => {
  const here = document.activeElement;
  const { top, bottom, left, right } = here.getBoundingClientRect();
  return {
    name: here.getAttribute("aria-label") || here.innerText,
    inside: !!here.closest("[data-testid=stPopoverBody]"),
    inSight: top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth,
    outline: getComputedStyle(here).outlineStyle,
  };
}"""
MOST_STOPS = 100
LATE = {"Set any value": "textarea", "Take it along": "pre", "Upload your own (YAML)": "button",
        "Save the charts": "button >> text=PNG"}
"""What a popover holds that the browser loads last."""


def pressed(page: Page, *keys: str) -> dict[str, Any]:
    """What has the focus after keys."""
    for key in keys:
        page.keyboard.press(key)
    found: dict[str, Any] = page.evaluate(FOCUS)
    return found


def tabbed(page: Page, label: str) -> None:
    """Go on by Tab to what is so named."""
    names = (pressed(page, "Tab")["name"] for _ in range(MOST_STOPS))
    assert any(label in name and len(name) < 60 for name in names), f"Tab does not come to {label}"


def opened(page: Page, app: Served, label: str, path: str = "") -> None:
    """A page whose popover was opened from the keyboard, found by Tab alone."""
    page.goto(f"{app.url}/{path}?scenario={HOSTED}")
    page.get_by_role("button", name=label).wait_for()
    settled(page)
    tabbed(page, label)
    pressed(page, "Enter")
    page.locator(f"[data-testid=stPopoverBody] {LATE[label]}").last.wait_for()


@pytest.mark.parametrize(("label", "path", "first", "behind"), [
    ("Set any value", "", "PATH=VALUE", "Take it along"),
    ("Take it along", "", "http", "Pin to compare with"),
    ("Upload your own (YAML)", "", "Upload", "Volume"),
    ("Save the charts", "break-even", "PNG", "Every crossing (CSV)"),
    ("Upload your own (YAML)", "batch", "Upload", "Run the batch"),
])
def test_tab_goes_from_a_button_into_its_popover_through_it_and_on_behind_the_button(
    page: Page, app: Served, label: str, path: str, first: str, behind: str
) -> None:
    opened(page, app, label, path)
    found = pressed(page, "Tab")
    assert (found["inside"], found["inSight"]) == (True, True)
    assert first in found["name"]
    assert label in pressed(page, "Shift+Tab")["name"]
    for _ in range(MOST_STOPS):
        found = pressed(page, "Tab")
        if not found["inside"]:
            break
        assert found["inSight"]
    assert behind in found["name"]
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached")


def test_escape_leaves_a_popover_to_its_button(page: Page, app: Served) -> None:
    opened(page, app, "Take it along")
    assert pressed(page, "Tab", "Tab", "Tab")["inside"]
    assert "Take it along" in pressed(page, "Escape")["name"]
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached")


def test_a_value_is_laid_and_a_file_saved_without_a_pointer(page: Page, app: Served) -> None:
    opened(page, app, "Set any value")
    pressed(page, "Tab")
    page.keyboard.type("workload.calls_per_day=123456")
    assert pressed(page, "Tab")["name"] == "Lay over"
    pressed(page, "Enter")
    page.locator(".tp-verdict", has_text="at 123,456 calls a day").wait_for()

    opened(page, app, "Take it along")
    tabbed(page, "Scenario (YAML)")
    with page.expect_download() as waiting:
        pressed(page, "Enter")
    assert b"calls_per_day" in Path(waiting.value.path()).read_bytes()


def test_a_link_to_a_page_that_has_the_focus_shows_it(page: Page, app: Served) -> None:
    page.goto(f"{app.url}/your-data?scenario={HOSTED}")
    page.locator(".tp-title").wait_for()
    settled(page)
    found = pressed(page, "Tab", "Tab", "Tab")
    assert "Break-even" in found["name"]
    assert found["outline"] == "solid"


def test_the_focus_stays_where_a_key_has_pressed(page: Page, app: Served) -> None:
    opened(page, app, "Take it along")
    tabbed(page, "Scenario (YAML)")
    with page.expect_download():
        pressed(page, "Enter")
    page.wait_for_timeout(1500)                                 # the button is off while its file is made
    assert "Scenario (YAML)" in page.evaluate(FOCUS)["name"]
    assert "Full report (HTML)" in pressed(page, "Tab")["name"]

    pressed(page, "Escape", "Tab", "Enter")
    page.wait_for_function(f"({FOCUS})().name.includes('Unpin')")
    chooser = page.get_by_role("combobox", name="Scenario")
    chooser.focus()
    pressed(page, "ArrowDown", "ArrowDown", "Enter")
    page.wait_for_function("!!document.activeElement.closest('.st-key-asked')")


def test_what_was_typed_into_a_popover_outlasts_escape_and_tab_waits_for_what_is_not_there_yet(
    page: Page, app: Served
) -> None:
    opened(page, app, "Set any value")
    pressed(page, "Tab")
    page.keyboard.type("horizon_days=90")
    pressed(page, "Escape")
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached")
    pressed(page, "Enter")
    typed = "document.querySelector('[data-testid=stPopoverBody] textarea')?.value"
    page.wait_for_function(f"{typed} === 'horizon_days=90'")
    pressed(page, "Escape", "Tab", "Enter", "Tab")
    page.wait_for_function(f"({FOCUS})().inside")
