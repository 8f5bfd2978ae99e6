"""Every page that a person is led to, as axe sees it."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.accessibility import faults
from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import Server, journeyman

pytestmark = pytest.mark.browser

PAGES = (
    "/agents",
    "/agents?q=nothing",
    "/agents/new",
    "/agents/overview",
    f"/{REPOSITORY}/pulls",
    "/nobody/nothing/agents",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_dashboard(page: Page, path: str) -> None:
    page.goto(path)
    assert faults(page) == []


def test_the_pages_that_log_people_in(server: Server, chromium: Browser) -> None:
    made = journeyman("user", "link", "alice", "--url", server.url, data=server.data)
    link = next(word for word in made.stdout.split() if "/login/link/" in word)
    with chromium.new_context(base_url=server.url) as context:
        page = context.new_page()
        found = []
        for path in ("/login", link):
            page.goto(path)
            found += faults(page, path.rpartition("/")[0])
        page.get_by_role("button", name="Log in").click()
        for path in ("/login", "/login/password", "/login/device", "/logout"):
            page.goto(path)
            found += faults(page)
    assert found == []
