"""Every page of the settings as a person uses it, and as axe sees it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.accessibility import faults
from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import Server, journeyman

pytestmark = pytest.mark.browser

OF_REPOSITORY = tuple(
    f"/{REPOSITORY}/settings{below}"
    for below in ("", "/secrets", "/access", "/hooks", "/hooks/new", "/audit-log")
)
PAGES = (
    "/settings/tokens",
    "/settings/tokens/new",
    "/settings/tokens/new-fine-grained",
    "/settings/applications",
    "/settings/repositories",
    "/settings/users",
    "/settings/organizations",
    "/settings/apps",
    "/settings/apps/new",
    "/settings/audit-log",
    *OF_REPOSITORY,
)


def too_wide_at(page: Page) -> list[int]:
    """The widths at which the page has to be scrolled sideways."""
    found = []
    for width in (390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(width)
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_settings(page: Page, path: str) -> None:
    """Alice is the first user, and so administers the server."""
    page.goto(path)
    assert faults(page) == []
    assert too_wide_at(page) == []


def test_a_token_is_made_and_revoked(page: Page) -> None:
    page.goto("/agents")
    page.get_by_role("link", name="Settings of alice").click()
    page.get_by_role("link", name="Fine-grained").click()
    page.get_by_label("What is it for?").fill("Pocket <b>")
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one permission")
    expect(page.get_by_label("What is it for?")).to_have_value("Pocket <b>")
    page.get_by_label("Agent tasks", exact=True).select_option("write")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("pre code")).to_have_text(re.compile("^github_pat_"))
    assert faults(page) == []
    page.get_by_role("link", name="All tokens").click()
    expect(page.get_by_text("Pocket <b>")).to_be_visible()
    assert faults(page) == []
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke Pocket <b>").press("Enter")
    expect(page.get_by_text("The token is revoked.")).to_be_visible()


def test_a_webhook_with_errors_at_its_fields(page: Page) -> None:
    page.goto(f"/{REPOSITORY}/settings/hooks/new")
    page.get_by_label("Address").fill("https://user@example.com/")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    assert faults(page) == []
    page.get_by_label("Address").fill("https://example.invalid/hook")
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Send a ping").click()
    delivery = page.get_by_role("link", name="ping").first
    for _ in range(80):
        if delivery.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    assert faults(page, "a webhook") == []
    assert too_wide_at(page) == []
    delivery.click()
    expect(page.get_by_role("heading", name="ping")).to_be_visible()
    assert faults(page, "a delivery") == []
    assert too_wide_at(page) == []


def test_what_is_shown_once(page: Page) -> None:
    page.goto("/settings/users")
    page.get_by_label("New user").fill("carol")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("pre code")).to_contain_text("/login/link/")
    assert faults(page, "a login link") == []
    page.goto("/settings/apps/new")
    page.get_by_label("Name", exact=True).fill("Gadget <b>")
    page.get_by_label("Callback URLs").fill("https://gadget.example/callback")
    page.get_by_role("button", name="Register the app").click()
    expect(page.get_by_text("Gadget <b>").first).to_be_visible()
    assert faults(page, "a registered app") == []


def test_an_organization_shares_a_secret(page: Page, server: Server, place: Path) -> None:
    source = str(place / "hello")
    added = journeyman("repo", "add", "harbour/tolls", source, data=server.data)
    assert added.returncode == 0, added.stderr
    page.goto("/settings/organizations")
    page.get_by_role("link", name="harbour").click()
    page.get_by_label("Name", exact=True).fill("deploy_key")
    page.get_by_label("Value").fill("open sesame")
    page.get_by_label("Only these:").check()
    page.get_by_label("tolls").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("for tolls")).to_be_visible()
    assert faults(page, "an organization") == []
    page.goto("/harbour/tolls/settings/secrets")
    expect(page.get_by_text("of harbour")).to_be_visible()


def test_a_session_that_ended_in_the_middle_of_a_form_loses_nothing(
    context: BrowserContext, page: Page
) -> None:
    page.goto(f"/{REPOSITORY}/settings")
    page.get_by_label("More hosts and addresses").fill("one.example.com\ntwo.example.com")
    page.get_by_label("Automations may start tasks").uncheck()
    kept = context.cookies()
    context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("/login"))
    context.add_cookies(kept)  # type: ignore[arg-type]
    page.goto(f"/{REPOSITORY}/settings")
    expect(page.get_by_label("More hosts and addresses")).to_have_value(
        "one.example.com\ntwo.example.com"
    )
    expect(page.get_by_label("Automations may start tasks")).not_to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_label("More hosts and addresses").fill("")
    page.get_by_role("button", name="Save").click()
    page.goto(f"/{REPOSITORY}/settings")
    expect(page.get_by_label("More hosts and addresses")).to_have_value("")
