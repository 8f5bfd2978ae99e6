"""What a person waits for in the browser: the list, a task, an event on its way to many viewers."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from benchmarks import store
from benchmarks.report import Row, milliseconds
from journeyman.cli import temporary
from journeyman.domain.events import EventType, NewEvent
from journeyman.service import changes
from journeyman.store import sessions
from journeyman.store.database import Database, sqlite_url
from journeyman.web import assets
from tests.browser.conftest import CHROMIUM, FLAGS

USER, REPOSITORY = "bench", "bench/bench"
TASKS = 10_000
EVENTS, MOST_EVENTS = 2_000, 20_000
LOOKS = 30
OPENED = 10
VIEWERS = 200
BLOCKS = 15
"""Of the task that the viewers watch, each with some six events."""
PROMPT = "Speak slowly.\n" + "\n```sh\nsleep 0.4\n```\n" * BLOCKS


def measure() -> list[Row]:
    with temporary.server() as server:
        token = _populate(server)
        task_id = asyncio.run(_lengthen(server.data, EVENTS))
        server.start()
        cookie = _log_in(server)
        task = f"/{REPOSITORY}/agents/tasks/{task_id}"
        short = (f"task of {EVENTS:,} events", task)
        rows = _pages(server.url, cookie, (f"list, {TASKS:,} tasks", "/agents"), short)
        asyncio.run(_lengthen(server.data, MOST_EVENTS - EVENTS))
        rows += _pages(server.url, cookie, (f"task of {MOST_EVENTS:,} events", task))
        rows.append(asyncio.run(_viewers(server.url, cookie, token)))
        rows.append(_script())
        server.stop()
    return rows


def _populate(server: temporary.Server) -> str:
    source = server.directory / "source"
    for arguments in (["init", "-q", "-b", "main", str(source)],):
        subprocess.run(["git", *arguments], check=True)
    identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
    commit = ["commit", "--quiet", "--allow-empty", "--message", "Begin"]
    subprocess.run(["git", *identity, *commit], cwd=source, check=True)
    token = server.run("token", "create", "--user", USER)
    server.run("repo", "add", REPOSITORY, str(source))
    asyncio.run(store.fill(server.data, *REPOSITORY.split("/"), USER, count=TASKS))
    return token


async def _lengthen(data: Path, count: int) -> str:
    """The id of the newest task, once its log has *count* events more."""
    database = Database(sqlite_url(data))
    story = [
        event
        for number in range(count // 4)
        for event in (
            NewEvent(EventType.TURN_START, {"turnId": str(number)}),
            NewEvent(EventType.MESSAGE, {"messageId": str(number), "content": f"Step *{number}*"}),
            NewEvent(
                EventType.TOOL_START,
                {"toolCallId": str(number), "toolName": "bash", "arguments": {"command": "ls"}},
            ),
            NewEvent(
                EventType.TOOL_COMPLETE,
                {"toolCallId": str(number), "success": True, "result": {"content": store.OUTPUT}},
            ),
        )
    ]
    task_id = await database.write(store.newest)
    await database.write(
        lambda tx: changes.append(
            tx, sessions.lock_newest(tx, task_id), story, datetime.now(UTC), fence=None
        )
    )
    database.close()
    return task_id


def _log_in(server: temporary.Server) -> dict[str, str]:
    said = server.run("user", "link", USER, "--url", server.url)
    link = next(word for word in said.split() if "/login/link/" in word)
    with httpx.Client() as http:
        proof = re.search(r'name="csrf" value="([^"]+)"', http.get(link).text)
        assert proof is not None
        http.post(link, data={"csrf": proof[1], "login": USER})
        return dict(http.cookies)


def _pages(url: str, cookie: dict[str, str], *named: tuple[str, str]) -> list[Row]:
    """*named*: pages by what they show, and their addresses."""
    rows = []
    with httpx.Client(base_url=url, cookies=cookie) as http:
        for name, path in named:
            rows.append(Row(f"dashboard: first byte, {name}", *_first_bytes(http, path)))
    if CHROMIUM is None:
        return [*rows, Row("dashboard: interactive", "not measured", "Chromium is missing")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, path in named:
            result = _interactive(browser, url, cookie, path)
            rows.append(Row(f"dashboard: interactive, {name}", *result))
        browser.close()
    return rows


def _first_bytes(http: httpx.Client, path: str) -> tuple[str, str]:
    seconds = []
    for _ in range(LOOKS):
        started = time.monotonic()
        with http.stream("GET", path) as answer:
            next(answer.iter_raw())
            seconds.append(time.monotonic() - started)
            assert answer.status_code == 200, answer.status_code
    return milliseconds(seconds, 50, 95), f"{LOOKS}, one after the other"


def _interactive(browser: Browser, url: str, cookie: dict[str, str], path: str) -> tuple[str, str]:
    """Until the page's scripts have run, from a browser that has nothing of it."""
    took = []
    for _ in range(OPENED):
        with browser.new_context(base_url=url) as context:
            context.add_cookies([{"name": n, "value": v, "url": url} for n, v in cookie.items()])
            page = context.new_page()
            page.goto(path, wait_until="load")
            took.append(
                page.evaluate(
                    "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
                )
            )
    how = f"{OPENED} browsers with an empty cache; wanted: under 1,000 ms"
    return f"p50 {statistics.median(took):,.0f} ms", how


async def _viewers(url: str, cookie: dict[str, str], token: str) -> Row:
    """From the time in an event to its arrival, over all events and all viewers."""
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=VIEWERS + 10)
    async with httpx.AsyncClient(base_url=url, cookies=cookie, limits=limits, timeout=120) as http:
        body = {"prompt": PROMPT, "model": "script"}
        made = await http.post(f"/agents/repos/{REPOSITORY}/tasks", json=body, headers=headers)
        task_id = made.raise_for_status().json()["id"]
        path = f"/{REPOSITORY}/agents/tasks/{task_id}/stream"
        begun = time.time()
        arrived = await asyncio.gather(*(_watch(http, path) for _ in range(VIEWERS)))
        told = await _times(http, task_id, headers)
    late = [
        at - told[place]
        for seen in arrived
        for place, at in seen.items()
        # What was there before everybody had come is no news.
        if told[place] > begun + 2
    ]
    how = f"{VIEWERS} viewers, {len(late) // VIEWERS} events, in one process"
    return Row("dashboard: an event's way to its viewers", milliseconds(late, 50, 95), how)


async def _watch(http: httpx.AsyncClient, path: str) -> dict[str, float]:
    """When each event came, by its place."""
    seen = {}
    async with http.stream("GET", path) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                seen[line.removeprefix("id: ")] = time.time()
            elif line == "event: over":
                break
    return seen


async def _times(
    http: httpx.AsyncClient, task_id: str, headers: dict[str, str]
) -> dict[str, float]:
    found: dict[str, float] = {}
    page = 1
    while True:
        answer = await http.get(
            f"/agents/tasks/{task_id}/events?per_page=100&page={page}", headers=headers
        )
        events = json.loads(answer.text)["events"]
        for event in events:
            at = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
            found[event["id"]] = at.timestamp()
        if len(events) < 100:
            return found
        page += 1


def _script() -> Row:
    scripts = [file for name, file in assets.load().files.items() if name.endswith(".js")]
    size = sum(len(file.compressed) for file in scripts)
    return Row(
        "dashboard: script, compressed",
        f"{size / 1000:,.1f} kB",
        "all pages' together; wanted: under 60 kB",
    )
