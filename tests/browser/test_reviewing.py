"""From a pull request back to the agent: comments on lines, sent as one review."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import faults
from tests.browser.steps import MEND, completed, start

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine]


@pytest.fixture
def pull(page: Page) -> str:
    """The address of a pull request that a task has opened."""
    start(page, MEND)
    completed(page)
    page.locator("#flow").get_by_role("link", name="pull request #").click()
    page.wait_for_url(re.compile(r"/pulls/\d+"))
    return page.url.partition("?")[0]


def comment(page: Page, line: str, text: str) -> None:
    page.locator(".lines .no.add", has_text=line).click()
    box = page.get_by_label("Comment", exact=True)
    expect(box).to_be_focused()
    box.fill(text)
    page.keyboard.press("Control+Enter")
    note = page.locator(".line-note.pending", has_text=text.partition("\n")[0])
    expect(note).to_be_visible()


def test_a_line_comment_starts_a_session_on_the_same_branch(page: Page, pull: str) -> None:
    comment(page, "2", "Say it twice:\n\n```sh\necho twice > twice.txt\n```")
    assert faults(page, "a pull request with a comment") == []
    page.get_by_label("What the agent should change").fill("One remark")
    page.get_by_role("button", name="Ask for changes").click()
    expect(page.get_by_text("The review is sent")).to_be_visible()
    expect(page.locator("#conversation")).to_contain_text("One remark")
    page.get_by_role("link", name="What became of it").click()
    expect(page.locator("#flow")).to_contain_text("Session 2", timeout=40_000)
    completed(page)
    page.goto(pull)
    expect(page.locator(".tree")).to_contain_text("twice.txt")
    expect(page.locator(".line-note")).to_contain_text("Say it twice")


def test_a_comment_that_was_not_sent_survives_a_reload(page: Page, pull: str) -> None:
    page.locator(".lines .no.add", has_text="2").click()
    page.get_by_label("Comment", exact=True).fill("Half a thought")
    page.reload()
    expect(page.get_by_label("Comment", exact=True)).to_have_value("Half a thought")
    page.get_by_role("link", name="Side by side").click()
    expect(page.get_by_label("Comment", exact=True)).to_have_value("Half a thought")


def test_a_comment_is_written_without_a_mouse(page: Page, pull: str) -> None:
    page.get_by_text("Comment on a line").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Line", exact=True).fill("99")
    page.get_by_label("Comment", exact=True).fill("Nowhere")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("no line")
    expect(page.get_by_label("Comment", exact=True)).to_have_value("Nowhere")
    page.get_by_label("Line", exact=True).fill("2")
    page.get_by_role("button", name="Add to the review").press("Enter")
    expect(page.locator(".line-note.pending")).to_contain_text("Nowhere")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("The comment is taken back")).to_be_visible()


def test_a_prompt_is_kept_and_used_again(page: Page) -> None:
    page.goto("/agents/new")
    page.get_by_label("What is to be done?").fill("Upgrade what is old")
    page.get_by_text("Templates", exact=True).click()
    page.get_by_label("Name of the template").fill("Upgrade")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is kept as a template")).to_be_visible()
    expect(page.get_by_label("What is to be done?")).to_have_value("Upgrade what is old")
    assert faults(page, "the new task with templates") == []
    page.goto("/agents/new")
    page.get_by_label("What is to be done?").fill("")
    page.get_by_text("Templates", exact=True).click()
    page.get_by_role("button", name="Upgrade", exact=True).click()
    expect(page.get_by_label("What is to be done?")).to_have_value("Upgrade what is old")
