"""What the browser tests do again and again."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

MEND = "Mend the greeting\n\n```sh\nsed -i 's/nam$/name/' hello.py\n```\n"
SLOW = (
    "Count slowly\n\n```sh\nfor i in 1 2 3 4 5; do echo tick-$i; sleep 1; done\n```\n"
    "\n```sh\necho '<script>document.title=1</script>' > x.html\n```\n"
)


def start(page: Page, prompt: str) -> str:
    """The address of a task that the model `script` works on."""
    page.goto("/agents/new")
    page.get_by_label("What is to be done?").fill(prompt)
    page.get_by_label("Model").select_option("script")
    page.get_by_role("button", name="Start task").click()
    page.wait_for_url(re.compile(r"/agents/tasks/"))
    return page.url.partition("?")[0]


def completed(page: Page) -> None:
    expect(page.locator("[data-pill]")).to_have_text("completed", timeout=40_000)


def words(page: Page) -> str:
    """What the log says, without its times."""
    text = page.locator("#flow").inner_text()
    return re.sub(r"\s+", " ", re.sub(r"\d+:\d\d(:\d\d)?(\s?[AP]M)?", "", text))


def places(page: Page) -> list[str]:
    """The ids of the log's entries, in the order they stand."""
    found: list[str] = page.locator("#flow .entry[id]").evaluate_all(
        "all => all.map(one => one.id)"
    )
    return found
