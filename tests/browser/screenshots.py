"""Makes the pictures in docs/: `python -m tests.browser.screenshots [FOLDER [WIDTHxHEIGHT]]`."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.showcase import REPOSITORY, Showcase, showcase
from tests.e2e.server import journeyman

DOCS = Path(__file__).parents[2] / "docs" / "pictures"
Scheme = Literal["light", "dark"]
LARGEST = 150_000
"""Bytes of one picture."""


def main(folder: Path = DOCS, width: int = 1280, height: int = 800) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="journeyman-pictures-") as place,
        showcase(Path(place)) as shown,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            base_url=shown.server.url, viewport={"width": width, "height": height}
        )
        page = context.new_page()
        _log_in(page, shown)
        for name, path, scheme in _pictures(shown):
            page.emulate_media(color_scheme=scheme)
            page.goto(path)
            page.wait_for_timeout(1500)
            _take(page, folder / f"{name}.webp")
        browser.close()


def _pictures(shown: Showcase) -> list[tuple[str, str, Scheme]]:
    """Name, address and colours of each."""
    cent = shown.tasks["cent"]
    return [
        ("tasks", "/agents", "light"),
        ("new-task", "/agents/new", "light"),
        ("task", cent, "light"),
        ("question", shown.tasks["question"], "dark"),
        ("changes", f"{cent}/changes?view=split", "light"),
        ("pull", f"/{REPOSITORY}/pulls/1", "dark"),
    ]


def _log_in(page: Page, shown: Showcase) -> None:
    server = shown.server
    link = journeyman("user", "link", "ada", "--url", server.url, data=server.data)
    page.goto(next(word for word in link.stdout.split() if "/login/link/" in word))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()


def _take(page: Page, file: Path) -> None:
    """As WebP, which Playwright itself cannot write."""
    devtools = page.context.new_cdp_session(page)
    taken = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": 82})
    content = base64.b64decode(taken["data"])
    if len(content) > LARGEST:
        raise SystemExit(f"{file.name} has {len(content)} bytes; a picture may have {LARGEST}.")
    file.write_bytes(content)
    sys.stdout.write(f"{file}  {len(content) // 1000} kB\n")


if __name__ == "__main__":
    main()
