"""Pictures of every page of the dashboard, light and dark, wide and narrow: `make screenshots`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench._served import ROOT, chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS = (1400, 900)
SETTLE_MS = 1200
WAIT_MS = 120_000
TALLEST_PX = 4_600
EXAMPLES = ROOT / "tests" / "data" / "openai_cookbook" / "drone_training.jsonl"
PROMPT = "You sort support tickets into one of forty queues. Answer with the name of the queue alone.\n" * 20
RANGES = "?set=workload.calls_per_day={low: 5000, mode: 12000, high: 30000}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page, what is done on it first, and what must be there before its picture is taken."""

    path: str
    ready: str
    first: Callable[[Page], None] = lambda page: None


def _part(words: str) -> Callable[[Page], None]:
    def choose(page: Page) -> None:
        page.get_by_text(words, exact=True).first.click()
        page.wait_for_timeout(2 * SETTLE_MS)

    return choose


def _pressed(name: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        button = page.get_by_test_id("stMain").get_by_role("button", name=name)
        button.wait_for()
        page.wait_for_timeout(SETTLE_MS)
        if button.is_enabled():                                 # else an earlier picture has asked the same
            button.click()

    return press


def _prompted(page: Page) -> None:
    page.locator("textarea").first.fill(PROMPT)
    page.locator("textarea").first.press("Control+Enter")


def _examples(page: Page) -> None:
    _part("Training examples")(page)
    page.locator("input[type=file]:visible, input[type=file]").nth(3).set_input_files(EXAMPLES)


def _pinned(page: Page) -> None:
    page.get_by_role("button", name="Pin to compare with").click()
    page.wait_for_timeout(SETTLE_MS)
    for _ in range(6):
        page.get_by_role("slider", name="Calls per day").press("ArrowLeft")
    page.get_by_text("Where does the saving come from").click()
    page.wait_for_timeout(2 * SETTLE_MS)


PICTURES = {
    "decide": Picture(path="", ready=".js-plotly-plot >> nth=2"),
    "decide-behind": Picture(path="", ready=".js-plotly-plot >> nth=5", first=_pinned),
    "decide-ranges": Picture(path=RANGES, ready=".js-plotly-plot >> nth=3"),
    "break-even": Picture(path="break-even", ready=".js-plotly-plot"),
    "map": Picture(path="break-even", ready=".js-plotly-plot", first=_part("Map of two dials")),
    "tornado": Picture(path="break-even", ready=".js-plotly-plot", first=_part("What moves it")),
    "simulate": Picture(path="simulate", ready=".js-plotly-plot >> nth=5", first=_pressed("Simulate")),
    "prices": Picture(path="prices", ready="[data-testid=stDataFrame]"),
    "machines": Picture(path="prices", ready="[data-testid=stDataFrame]", first=_part("GPUs and serving")),
    "your-data": Picture(path="your-data", ready=".tp-table", first=_prompted),
    "your-examples": Picture(path="your-data", ready=".tp-table >> nth=1", first=_examples),
    "batch": Picture(path="batch", ready="[data-testid=stDataFrame]", first=_pressed("Run the batch")),
    "about": Picture(path="about", ready="table"),
}


def main(folder: Path, wanted: list[str]) -> None:
    """Write one picture a page, theme and width, of all pages or of those named."""
    folder.mkdir(parents=True, exist_ok=True)
    with served() as app, chromium() as browser:
        for theme in ("light", "dark"):
            for width in WIDTHS:
                context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme)
                page = context.new_page()
                page.set_default_timeout(WAIT_MS)
                for name in wanted or PICTURES:
                    _taken(page, f"{app.url}/{PICTURES[name].path}", PICTURES[name], width)
                    page.screenshot(path=folder / f"{name}-{theme}-{width}.png")
                    page.set_viewport_size({"width": width, "height": 1000})
                context.close()


def _taken(page: Page, url: str, picture: Picture, width: int) -> None:
    """Bring a page to where its picture is taken, in a window as tall as it: its own scroll area would be cut."""
    page.goto(url)
    page.locator(".tp-title, .tp-verdict").first.wait_for()
    page.wait_for_timeout(SETTLE_MS)
    picture.first(page)
    page.locator(picture.ready).first.wait_for(state="attached")
    page.wait_for_timeout(SETTLE_MS)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(TALLEST_PX, height + 10)})
    page.wait_for_timeout(SETTLE_MS)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots"), sys.argv[2:])
