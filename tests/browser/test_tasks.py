"""A newcomer's way through the dashboard, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.accessibility import faults
from tests.browser.steps import MEND, SLOW, completed, places, start, words
from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine]


@pytest.fixture(autouse=True)
def log_of_the_server(server: Server) -> Iterator[None]:
    yield
    print(server.log.read_text()[-3000:])


def test_from_the_empty_list_to_a_merged_pull_request(page: Page) -> None:
    page.goto("/agents")
    page.get_by_role("link", name="Start the first task").click()
    page.get_by_label("What is to be done?").fill(MEND)
    page.get_by_label("Model").select_option("script")
    page.get_by_text("The same with curl").click()
    expect(page.locator("[data-curl] code")).to_contain_text(f"/agents/repos/{REPOSITORY}/tasks")
    page.get_by_role("button", name="Start task").click()
    completed(page)
    page.get_by_role("link", name="Changes", exact=True).click()
    expect(page.locator(".lines .add.text")).to_contain_text('return "Hello " + name')
    page.get_by_role("link", name="Side by side").click()
    expect(page.locator(".lines.split .del.text")).to_contain_text('"Hello " + nam')
    assert faults(page, "changes") == []
    page.get_by_role("link", name="Conversation").click()
    page.locator("#flow").get_by_role("link", name="pull request #").click()
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("main")).to_contain_text("Merged by alice")


def test_the_log_grows_by_itself_and_is_the_same_after_a_reload(page: Page) -> None:
    start(page, SLOW)
    expect(page.locator("[data-partial]")).to_contain_text("tick-2")
    completed(page)
    ids = places(page)
    assert len(ids) == len(set(ids))
    live = words(page)
    page.reload()
    assert words(page) == live
    assert "<script>document.title=1</script>" in live
    assert page.title() != "1"


def test_nothing_is_lost_or_doubled_when_the_server_comes_back(page: Page, server: Server) -> None:
    start(page, SLOW.replace("Count", "Recount"))
    expect(page.locator("[data-partial]")).to_contain_text("tick-1")
    server.kill()
    expect(page.locator("[data-connection]")).to_contain_text("reconnecting")
    server.start()
    completed(page)
    ids = places(page)
    assert ids == sorted(set(ids), key=lambda one: [int(n) for n in one[1:].split("-")])
    live = set(ids)
    page.reload()
    assert live == set(places(page))


def test_a_running_task_is_cancelled_by_keyboard(page: Page) -> None:
    start(page, SLOW.replace("Count", "Stop counting"))
    expect(page.locator("[data-partial]")).to_contain_text("tick-1")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The task is cancelled")).to_be_visible()
    page.get_by_label("Message to the agent").fill("Go on:\n\n```sh\ntrue\n```")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("A new session takes this up")).to_be_visible()
    completed(page)
    expect(page.locator("#flow")).to_contain_text("Session 2")


def test_the_list_shows_what_happens_without_a_reload(context: BrowserContext, page: Page) -> None:
    page.goto("/agents?q=Watch+me")
    expect(page.get_by_text("No task is like that")).to_be_visible()
    other = context.new_page()
    start(other, MEND.replace("Mend the greeting", "Watch me"))
    expect(page.get_by_role("link", name="Watch me")).to_be_visible()
    expect(page.get_by_role("img", name="completed")).to_be_visible(timeout=40_000)
    _archived_on_a_phone(page)


def _archived_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_label("Creator").fill("nobody")
    page.get_by_label("Creator").press("Enter")
    expect(page.get_by_text("No task is like that")).to_be_visible()
    page.get_by_label("Creator").fill("alice")
    page.get_by_label("Creator").press("Enter")
    page.get_by_label("Choose Watch me").check()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("1 task archived.")).to_be_visible()


def test_a_draft_survives_a_reload_and_a_lost_session(context: BrowserContext, page: Page) -> None:
    page.goto("/agents/new")
    page.get_by_label("What is to be done?").fill("A long thought")
    page.get_by_label("Base branch").fill("main")
    page.reload()
    expect(page.get_by_label("What is to be done?")).to_have_value("A long thought")
    kept = context.cookies()
    context.clear_cookies()
    page.get_by_role("button", name="Start task").click()
    page.wait_for_url(re.compile("/login"))
    context.add_cookies(kept)  # type: ignore[arg-type]
    page.goto("/agents/new")
    expect(page.get_by_label("What is to be done?")).to_have_value("A long thought")
    expect(page.get_by_label("Base branch")).to_have_value("main")


def test_no_page_is_wider_than_its_window(page: Page) -> None:
    task = start(page, MEND)
    completed(page)
    pulls = f"/{REPOSITORY}/pulls"
    for path in ("/agents", "/agents/new", task, f"{task}/changes", pulls, f"{pulls}/1"):
        for width in (390, 768, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_theme_is_remembered(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/agents")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="light and dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
