"""Steering a task in the browser: pauses, questions, two windows, a session that is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.accessibility import faults
from tests.browser.conftest import logged_in
from tests.browser.steps import SLOW, completed, places, start, words
from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import Server, journeyman

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine]

ASK = "Choose\n\n```ask\nWhich colour?\n```\n\n```sh\necho chosen > colour.txt\n```\n"


def test_a_question_is_answered_in_one_window_and_seen_in_the_other(
    context: BrowserContext, page: Page
) -> None:
    task = start(page, ASK)
    expect(page.locator("[data-pill]")).to_have_text("waiting for user", timeout=40_000)
    expect(page.get_by_placeholder("Your answer")).to_be_visible()
    assert faults(page, "a question") == []
    other = context.new_page()
    other.goto(task)
    other.get_by_label("Answer", exact=True).fill("Half a thought")
    page.get_by_label("Answer", exact=True).fill("blue")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your answer is on its way")).to_be_visible()
    completed(page)
    # The other window has followed, and what was typed in it is still there.
    completed(other)
    expect(other.locator("#flow")).to_contain_text("blue")
    expect(other.locator("#content")).to_have_value("Half a thought")
    expect(other.get_by_role("button", name="Follow up")).to_be_visible()
    assert places(other) == places(page)


def test_two_people_steer_one_session_at_once(
    chromium: Browser, server: Server, page: Page
) -> None:
    for arguments in (("user", "create", "bob"), ("repo", "grant", REPOSITORY, "bob", "write")):
        done = journeyman(*arguments, data=server.data)
        assert done.returncode == 0, done.stderr
    with logged_in(chromium, server, "bob") as theirs:
        other = theirs.new_page()
        longer = SLOW.replace("1 2 3 4 5", "$(seq 15)")
        task = start(page, longer.replace("Count", "Count for two people"))
        other.goto(task)
        both = (("alice", page), ("bob", other))
        for name, one in both:
            wish = f"A wish of {name}\n\n```sh\necho {name} >> wishes.txt\n```"
            one.get_by_label("Message to the agent").fill(wish)
        for _, one in both:
            one.locator("[data-compose]").evaluate("form => form.requestSubmit()")
        for _, one in both:
            expect(one.get_by_text("Your message is on its way")).to_be_visible()
        for _, one in both:
            completed(one)
            expect(one.locator("#flow .user", has_text="while it worked")).to_have_count(2)
        assert places(page) == places(other)
        heard = [re.findall("A wish of (\\w+)", words(one)) for _, one in both]
    assert sorted(heard[0]) == ["alice", "bob"]
    assert heard[0] == heard[1]
    page.goto(f"{task}/changes")
    wishes = page.locator(".file", has_text="wishes.txt").locator(".text.add")
    expect(wishes).to_have_text(heard[0])


def test_a_task_is_paused_and_goes_on_by_keyboard(page: Page) -> None:
    start(page, SLOW.replace("Count", "Rest while counting"))
    expect(page.locator("[data-partial]")).to_contain_text("tick-1")
    page.keyboard.press("p")
    # Which of both depends on how soon the worker has put the command aside.
    said = re.compile("The task (pauses after the turn|is paused)")
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator("[data-pill]")).to_have_text(re.compile("idle"), timeout=40_000)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.keyboard.press("p")
    completed(page)
    expect(page.get_by_role("link", name="Run again")).to_be_visible()
    page.keyboard.press("r")
    page.wait_for_url(re.compile("again="))
    expect(page.get_by_label("What is to be done?")).to_have_value(re.compile("Rest while"))
    expect(page.get_by_label("Model")).to_have_value("script")


def test_who_comes_late_sees_what_a_command_has_said_so_far(
    context: BrowserContext, page: Page
) -> None:
    task = start(page, SLOW.replace("Count", "Count for two"))
    expect(page.locator("[data-partial]")).to_contain_text("tick-2")
    late = context.new_page()
    late.goto(task)
    expect(late.locator("[data-partial]")).to_contain_text("tick-1")
    late.reload()
    expect(late.locator("[data-partial]")).to_contain_text("tick-3")
    assert late.locator("[data-partial]").inner_text().count("tick-1") == 1
    completed(late)


def test_a_session_lost_in_the_middle_of_a_message_loses_no_word(
    context: BrowserContext, page: Page
) -> None:
    task = start(page, "Do nothing\n\n```sh\ntrue\n```\n")
    completed(page)
    page.get_by_label("Message to the agent").fill("A long follow-up")
    kept = context.cookies()
    context.clear_cookies()
    page.get_by_role("button", name="Follow up").click()
    page.wait_for_url(re.compile("/login"))
    assert "return_to" in page.url
    context.add_cookies(kept)  # type: ignore[arg-type]
    page.goto(page.url)
    page.wait_for_url(task)
    expect(page.get_by_label("Message to the agent")).to_have_value("A long follow-up")


def test_a_cancel_is_asked_for_twice_and_done_once(page: Page) -> None:
    longer = SLOW.replace("1 2 3 4 5", "$(seq 60)")
    start(page, longer.replace("Count", "Stop counting at once"))
    expect(page.locator("[data-partial]")).to_contain_text("tick-1")
    page.on("dialog", lambda dialog: dialog.accept())
    page.set_viewport_size({"width": 390, "height": 600})
    expect(page.locator("#flow .entry.user")).not_to_be_in_viewport()
    for always in (page.locator("[data-pill]"), page.get_by_role("button", name="Cancel")):
        expect(always).to_be_in_viewport()
    page.get_by_role("link", name="About this task").click()
    expect(page.locator("#side .facts").first).to_be_in_viewport()
    expect(page.get_by_role("button", name="Cancel")).to_be_in_viewport()
    page.keyboard.press("x")
    expect(page.get_by_text("The task is cancelled")).to_be_visible()
    expect(page.get_by_role("link", name="Run again")).to_be_visible()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("in the lists no more")).to_be_visible()


def test_the_keys_are_told(page: Page) -> None:
    page.goto("/agents")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert faults(page, "the keys") == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("c")
    page.wait_for_url("**/agents/new")
