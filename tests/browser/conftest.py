"""A real server, a real Chromium, and Alice, who is logged in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.conftest import REPOSITORY, hello
from tests.e2e.server import Server, journeyman, running

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="journeyman-browser-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with running(Server(place / "data")) as started:
        made = journeyman("user", "create", "alice", data=started.data)
        assert made.returncode == 0, made.stderr
        source = hello(place / "hello")
        added = journeyman("repo", "add", REPOSITORY, str(source), data=started.data)
        assert added.returncode == 0, added.stderr
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: scripts/bootstrap system browser")
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def logged_in(chromium: Browser, server: Server, login: str) -> BrowserContext:
    """A browser of a user's own."""
    link = journeyman("user", "link", login, "--url", server.url, data=server.data)
    assert link.returncode == 0, link.stderr
    context = chromium.new_context(base_url=server.url)
    page = context.new_page()
    page.goto(next(word for word in link.stdout.split() if "/login/link/" in word))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()
    return context


@pytest.fixture(scope="module")
def session(server: Server, chromium: Browser, place: Path) -> Path:
    """The cookies of Alice's browser after she has logged in."""
    with logged_in(chromium, server, "alice") as context:
        context.storage_state(path=place / "session.json")
    return place / "session.json"


@pytest.fixture
def context(server: Server, chromium: Browser, session: Path) -> Iterator[BrowserContext]:
    made = chromium.new_context(base_url=server.url, storage_state=session)
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test when the browser had something to complain about."""
    complaints: list[str] = []
    made = context.new_page()
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    yield made
    expected = ("Failed to load resource", "net::ERR")
    assert not [one for one in complaints if not any(word in one for word in expected)]
