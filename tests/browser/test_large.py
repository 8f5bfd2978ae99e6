"""What is too large, too long or in disguise, in a real browser."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from journeyman import app
from journeyman.domain.events import EventType, NewEvent
from journeyman.service import changes
from journeyman.service.clock import utc_now
from journeyman.store import sessions
from tests.browser.accessibility import faults, thin
from tests.browser.steps import completed, places, start
from tests.conftest import configured
from tests.e2e.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine]

STEPS = 5_000
FILES = 5_000
MB = 1 << 20
EVIL = "<script>document.title='bro'+'ken'</script><img src=x onerror=document.title='bro'+'ken'>"
ODD = f"{EVIL}\x00\x07\x1b[31mred\x1b[0m\u202egnp.exe\u2066\u200b\ufeff"
MANY = f"Many files\n\n```sh\nmkdir many; cd many; touch f{{1..{FILES}}}; echo '{EVIL}' > f1\n```\n"


def long_story() -> list[NewEvent]:
    """20,000 events."""
    return [
        event
        for number in range(STEPS)
        for event in (
            NewEvent(EventType.TURN_START, {"turnId": str(number)}),
            NewEvent(EventType.MESSAGE, {"messageId": f"m{number}", "content": f"Step {number}."}),
            NewEvent(
                EventType.TOOL_START,
                {"toolCallId": f"c{number}", "toolName": "bash", "arguments": {"command": "ls"}},
            ),
            NewEvent(
                EventType.TOOL_COMPLETE,
                {"toolCallId": f"c{number}", "success": True, "result": {"content": "README.md"}},
            ),
        )
    ]


def odd_story() -> list[NewEvent]:
    """Everything that could break a page, in every place that can hold it."""
    wide = {"command": f"echo {EVIL}{'x' * MB}"}
    return [
        NewEvent(EventType.USER_MESSAGE, {"content": ODD, "source": "steer"}),
        NewEvent(EventType.MESSAGE, {"messageId": "m1", "content": ODD, "reasoningText": ODD}),
        NewEvent(EventType.TOOL_START, {"toolCallId": "c1", "toolName": "bash", "arguments": wide}),
        NewEvent(
            EventType.TOOL_COMPLETE,
            {
                "toolCallId": "c1",
                "success": True,
                "result": {"content": f"{ODD}\n" * (50 * MB // 110)},
            },
        ),
        NewEvent(
            EventType.TOOL_START, {"toolCallId": ODD, "toolName": ODD, "arguments": {ODD: ODD}}
        ),
        NewEvent(EventType.CHECKS, {"results": [{"name": ODD, "status": ODD, "message": ODD}]}),
        NewEvent(EventType.SESSION_ERROR, {"message": ODD}),
    ]


def lengthen(server: Server, task_id: str, story: list[NewEvent]) -> None:
    """Give the ended task a longer log, past the server."""

    async def write() -> None:
        async with app.parts(configured(server.data)) as parts:
            await parts.database.write(
                lambda tx: changes.append(
                    tx, sessions.lock_newest(tx, task_id), story, utc_now(), fence=None
                )
            )

    # Playwright has a loop in this thread.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(lambda: asyncio.run(write())).result()


def test_a_long_log_opens_at_its_end_and_is_read_backwards(page: Page, server: Server) -> None:
    task = start(page, "Do nothing\n\n```sh\ntrue\n```\n")
    completed(page)
    lengthen(server, task.rpartition("/")[2], long_story())
    page.goto(task)
    expect(page.locator("#flow")).to_contain_text(f"Step {STEPS - 1}.")
    assert len(places(page)) < 250
    for _ in range(3):
        before = len(places(page))
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(
            "count => document.querySelectorAll('#flow .entry[id]').length > count", arg=before
        )
    seen = [[int(part) for part in place[1:].split("-")] for place in places(page)]
    assert seen == sorted(seen)
    assert len({tuple(place) for place in seen}) == len(seen)
    page.goto(f"{task}?at=1-9001#e1-9001")
    expect(page.locator(".entry.found")).to_be_in_viewport()
    before = len(places(page))
    for _ in range(2):
        page.get_by_role("link", name="Show what comes after").scroll_into_view_if_needed()
        page.wait_for_function(
            "count => document.querySelectorAll('#flow .entry[id]').length > count + 50",
            arg=before,
        )
        before = len(places(page))
    around = [int(place.rpartition("-")[2]) for place in places(page)]
    assert around == sorted(set(around))
    page.get_by_role("link", name="Go to the end of the log").click()
    expect(page.locator("#flow")).to_contain_text(f"Step {STEPS - 1}.")
    assert faults(page, "a long log") == []


def test_what_is_huge_or_hides_breaks_no_page(page: Page, server: Server) -> None:
    task = start(page, f"Do nothing {EVIL}\n\n```sh\ntrue\n```\n")
    completed(page)
    lengthen(server, task.rpartition("/")[2], odd_story())
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(task)
        expect(page.locator("#flow")).to_contain_text("lines are left out")
        expect(page.locator("#flow")).to_contain_text("⟨U+202E⟩gnp.exe")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert len(page.content()) < MB
    assert "broken" not in page.title()
    assert faults(page, "an odd log") == []
    page.get_by_placeholder("Search the log").fill("gnp.exe")
    page.keyboard.press("Enter")
    expect(page.get_by_text("in the log say")).to_be_visible()
    assert "broken" not in page.title()
    assert faults(page, "a search") == []


def test_a_diff_of_5_000_files_is_read_in_pages(page: Page) -> None:
    start(page, MANY)
    completed(page)
    page.get_by_role("link", name="Changes", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text(f"{FILES} files")
    assert page.locator(".files .file").count() <= 300
    assert "broken" not in page.title()
    page.get_by_role("link", name="301", exact=True).click()
    expect(page.locator(".files .file").first).to_be_visible()
    # One macro draws every file, and one every name in the tree.
    thin(page, ".files .file:nth-of-type(n+20)", ".tree li li:nth-of-type(n+20)")
    assert faults(page, "a large diff") == []
