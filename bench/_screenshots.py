"""Pictures of every page of the dashboard, light and dark, wide and narrow: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench._served import chromium, served

PAGES = {
    "decide": ("", ".js-plotly-plot >> nth=2"),
    "break-even": ("break-even", ".js-plotly-plot >> nth=0"),
    "map": ("break-even", ".js-plotly-plot >> nth=0"),
    "tornado": ("break-even", ".js-plotly-plot >> nth=0"),
    "prices": ("prices", "[data-testid=stDataFrame]"),
    "your-data": ("your-data", "textarea"),
    "about": ("about", "table"),
}
PARTS = {"map": "Map of two dials", "tornado": "What moves it"}
"""Parts of a page that are chosen on it."""
WIDTHS = (1400, 900)
SETTLE_MS = 1200


def main(folder: Path) -> None:
    """Write one picture a page, theme and width."""
    folder.mkdir(parents=True, exist_ok=True)
    with served() as app, chromium() as browser:
        for theme in ("light", "dark"):
            for width in WIDTHS:
                context = browser.new_context(
                    viewport={"width": width, "height": 1000}, color_scheme=theme
                )
                page = context.new_page()
                for name, (path, ready) in PAGES.items():
                    page.goto(f"{app.url}/{path}")
                    page.locator(ready).first.wait_for(timeout=60_000)
                    if name in PARTS:
                        page.get_by_text(PARTS[name], exact=True).click()
                        page.wait_for_timeout(2 * SETTLE_MS)
                    page.wait_for_timeout(SETTLE_MS)
                    _tall(page, width)
                    page.screenshot(path=folder / f"{name}-{theme}-{width}.png")
                    page.set_viewport_size({"width": width, "height": 1000})
                context.close()


def _tall(page: object, width: int) -> None:
    """Make the window as tall as the page, whose own scroll area a full-page picture would cut."""
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")  # type: ignore[attr-defined]
    page.set_viewport_size({"width": width, "height": min(4000, height + 10)})  # type: ignore[attr-defined]
    page.wait_for_timeout(SETTLE_MS)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots"))
