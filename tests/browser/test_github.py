"""The dashboard on a GitHub: logging in there, and a task on a repository of one's own there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessibility import faults
from tests.browser.steps import MEND, completed, start
from tests.e2e.conftest import hello
from tests.e2e.server import Server, running
from tests.peers.github.description import Description
from tests.peers.github.server import GitHub, serving
from tests.peers.in_a_thread import in_a_thread

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine, pytest.mark.npm]


@pytest.fixture(scope="module")
def github(place: Path, github_description: Description) -> Iterator[GitHub]:
    """Octo has `octo/hello` there, and the browser knows them."""
    with in_a_thread(serving(github_description, place / "github")) as made:
        made.state.add_user("octo")
        made.state.add_repository("octo/hello", hello(place / "hello"))
        yield made


@pytest.fixture(scope="module")
def server(place: Path, github: GitHub) -> Iterator[Server]:
    made = Server(
        place / "data",
        {
            "JOURNEYMAN_FORGE_URL": github.url,
            "JOURNEYMAN_FORGE_KIND": "github",
            "JOURNEYMAN_FORGE_CLIENT_ID": github.app.client_id,
            "JOURNEYMAN_FORGE_CLIENT_SECRET": github.app.client_secret,
        },
    )
    github.app.callback = f"{made.url}/login/forge/callback"
    with running(made) as started:
        yield started


def test_from_github_s_account_to_a_pull_request_there(
    server: Server, github: GitHub, chromium: Browser
) -> None:
    with chromium.new_context(base_url=server.url) as context:
        page = context.new_page()
        page.goto("/agents/new")
        assert faults(page, "logging in with GitHub") == []
        page.get_by_role("link", name="Log in with GitHub").click()
        page.wait_for_url("**/agents/new")
        expect(page.get_by_label("Repository")).to_have_value("octo/hello")
        start(page, MEND)
        completed(page)
        opened = page.locator("#flow").get_by_role("link", name="pull request #")
        expect(opened).to_be_visible()
        page.get_by_role("link", name="Settings of octo").click()
        expect(page.get_by_role("link", name="octo/hello")).to_be_visible()
        assert faults(page, "settings on GitHub") == []
    assert [pull.user.login for pull in github.state.repositories[0].pulls] == ["octo"]
    assert not github.problems, github.problems
