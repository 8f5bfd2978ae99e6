"""A log of 20,000 events in a real browser."""

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
from tests.browser.accessibility import faults
from tests.browser.steps import completed, places, start
from tests.conftest import configured
from tests.e2e.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.engine]

STEPS = 5_000


def lengthen(server: Server, task_id: str) -> None:
    """Give the ended task a log of 20,000 more events, past the server."""
    story = [
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
    lengthen(server, task.rpartition("/")[2])
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
    page.get_by_role("link", name="Go to the end of the log").click()
    expect(page.locator("#flow")).to_contain_text(f"Step {STEPS - 1}.")
    assert faults(page, "a long log") == []
