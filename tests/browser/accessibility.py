"""What axe finds wrong with the pages, in both themes, wide and on a phone."""

from __future__ import annotations

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDTHS = (1440, 390)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def faults(page: Page, name: str = "") -> list[str]:
    """Of the page as it stands now; empty when axe finds nothing. Leaves the window as it was."""
    size = page.viewport_size
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{name or page.url} {theme} {width}: {fault}" for fault in _violations(page)]
    page.emulate_media(color_scheme="null", reduced_motion="null")
    if size is not None:
        page.set_viewport_size(size)
    return found


def thin(page: Page, *selectors: str) -> None:
    """Take out of the page what *selectors* find: more of what is drawn the same way, where it is
    thousands of elements, over which axe needs minutes."""
    page.evaluate(
        "all => all.forEach(s => document.querySelectorAll(s).forEach(one => one.remove()))",
        list(selectors),
    )


def _violations(page: Page) -> list[str]:
    return [
        f"{rule['id']}: {node['html']}\n    {node['failureSummary']}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]
