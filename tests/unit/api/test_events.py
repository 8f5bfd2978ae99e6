"""A task's log as pages and as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Message

from journeyman.api.events import EventStream
from journeyman.api.routes import Options
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from tests.unit.api.conftest import World, create
from tests.unit.api.test_get_task import finish

STREAM = {"Accept": "text/event-stream"}


def frames(text: str) -> list[dict[str, str]]:
    """As an EventSource reads them; comments are left out."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


@pytest.fixture
async def ended(world: World, alice: httpx.AsyncClient) -> str:
    """The id of a task that is done."""
    made = await create(alice)
    await finish(world, made, State.COMPLETED)
    return made


async def test_the_log_comes_in_pages(alice: httpx.AsyncClient, ended: str) -> None:
    whole = (await alice.get(f"/agents/tasks/{ended}/events")).json()
    assert whole["total"] == len(whole["events"])
    first, second, *_ = whole["events"]
    assert first == {
        "id": "1-1",
        "type": first["type"],
        "timestamp": first["timestamp"],
        "parentId": None,
        "data": first["data"],
    }
    assert (second["id"], second["parentId"]) == ("1-2", "1-1")
    page = await alice.get(f"/agents/tasks/{ended}/events?per_page=2&page=2")
    assert page.json()["events"] == whole["events"][2:4]
    assert 'rel="next"' in page.headers["link"]


async def test_who_may_not_see_the_task_sees_no_log(mallory: httpx.AsyncClient, ended: str) -> None:
    for headers in ({}, STREAM):
        response = await mallory.get(f"/agents/tasks/{ended}/events", headers=headers)
        assert response.status_code == 404


async def test_the_stream_of_an_ended_task_tells_all_and_ends(
    alice: httpx.AsyncClient, ended: str
) -> None:
    response = await alice.get(f"/agents/tasks/{ended}/events", headers=STREAM)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    *told, end = frames(response.text)
    pages = (await alice.get(f"/agents/tasks/{ended}/events")).json()["events"]
    assert [msgspec.json.decode(frame["data"]) for frame in told] == pages
    assert [frame["id"] for frame in told] == [event["id"] for event in pages]
    assert [frame["event"] for frame in told] == [event["type"] for event in pages]
    assert end == {"event": "end", "data": "{}"}


async def test_a_reader_resumes_after_what_it_has(alice: httpx.AsyncClient, ended: str) -> None:
    target = f"/agents/tasks/{ended}/events"
    whole = frames((await alice.get(target, headers=STREAM)).text)
    rest = await alice.get(target, headers={**STREAM, "Last-Event-ID": "1-2"})
    assert frames(rest.text) == whole[2:]
    asked = await alice.get(f"{target}?last_event_id=1-2", headers=STREAM)
    assert frames(asked.text) == whole[2:]


@pytest.mark.parametrize("cursor", ["x", "1", "-1-2", "1-99999999999", "1-2-3"])
async def test_a_bad_cursor_is_named(alice: httpx.AsyncClient, ended: str, cursor: str) -> None:
    headers = {**STREAM, "Last-Event-ID": cursor}
    response = await alice.get(f"/agents/tasks/{ended}/events", headers=headers)
    assert response.status_code == 422
    assert repr(cursor) in response.json()["errors"][0]["message"]


class Reader:
    """An HTTP client that reads a stream as it comes."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.text = ""
        self.ended = False

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.text += message.get("body", b"").decode()
        self.ended = message["type"] == "http.response.body" and not message.get("more_body")

    async def sees(self, text: str) -> None:
        async with asyncio.timeout(5):
            while text not in self.text:
                await asyncio.sleep(0.001)


class Source:
    """Entries that the test hands out, as the service's tail does."""

    def __init__(self) -> None:
        self.entries: asyncio.Queue[Event | NewEvent | Exception | None] = asyncio.Queue()
        self.closed = False

    async def tail(self) -> AsyncIterator[Event | NewEvent]:
        try:
            while (entry := await self.entries.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                yield entry
        finally:
            self.closed = True


def entry(seq: int) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event("s", 1, seq, EventType.SESSION_INFO, at, {"message": "a\nb"})


class Running:
    def __init__(self, heartbeat_seconds: float = 60) -> None:
        self.reader, self.source, self.stopping = Reader(), Source(), asyncio.Event()
        self.allowed = True
        self.stream = EventStream(
            self.source.tail(),
            allowed=self._allowed,
            heartbeat_seconds=heartbeat_seconds,
            stopping=self.stopping,
        )
        scope: dict[str, Any] = {"type": "http"}
        call = self.stream(scope, self.reader.receive, self.reader.send)
        self.task = asyncio.create_task(call)

    async def _allowed(self) -> bool:
        return self.allowed

    async def ends(self) -> None:
        async with asyncio.timeout(5):
            await self.task
        assert self.reader.ended
        assert self.source.closed


async def test_entries_are_sent_as_they_come() -> None:
    running = Running()
    running.source.entries.put_nowait(entry(1))
    await running.reader.sees("id: 1-1\n")
    delta = NewEvent(EventType.MESSAGE_DELTA, {"messageId": "m", "deltaContent": "Hel"})
    running.source.entries.put_nowait(delta)
    await running.reader.sees("message_delta\n")
    running.source.entries.put_nowait(None)
    await running.ends()
    stored, ephemeral, end = frames(running.reader.text)
    assert msgspec.json.decode(stored["data"])["data"] == {"message": "a\nb"}
    assert "id" not in ephemeral
    told = msgspec.json.decode(ephemeral["data"])
    assert told["ephemeral"] is True
    assert "id" not in told
    assert end["event"] == "end"


async def test_an_idle_stream_beats_and_loses_nothing() -> None:
    running = Running(heartbeat_seconds=0.005)
    await running.reader.sees(": heartbeat\n\n: heartbeat\n\n")
    running.source.entries.put_nowait(entry(1))
    running.source.entries.put_nowait(None)
    await running.ends()
    assert [frame["event"] for frame in frames(running.reader.text)] == ["session.info", "end"]


async def test_a_reader_that_leaves_frees_the_source() -> None:
    running = Running()
    running.source.entries.put_nowait(entry(1))
    await running.reader.sees("id: 1-1\n")
    running.reader.left.set()
    await running.ends()


async def test_a_server_that_stops_ends_the_stream_without_an_end() -> None:
    """So that the reader comes back after the restart."""
    running = Running()
    running.source.entries.put_nowait(entry(1))
    await running.reader.sees("id: 1-1\n")
    running.stopping.set()
    await running.ends()
    assert "event: end" not in running.reader.text


async def test_a_failure_ends_the_stream_without_an_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = Running()
    running.source.entries.put_nowait(OSError("disk"))
    await running.ends()
    assert "event: end" not in running.reader.text
    assert "stream.failed" in capsys.readouterr().out


async def test_a_reader_who_may_not_read_on_is_cut_off_however_busy_the_log_is() -> None:
    running = Running(heartbeat_seconds=0.02)
    running.source.entries.put_nowait(entry(1))
    await running.reader.sees("id: 1-1\n")
    running.allowed = False
    for seq in range(2, 2000):
        if running.task.done():
            break
        running.source.entries.put_nowait(entry(seq))
        await asyncio.sleep(0.001)
    await running.ends()
    assert "event: end" not in running.reader.text


@pytest.mark.parametrize("lost", ["token", "access"])
async def test_an_open_stream_ends_with_the_right_to_it(world: World, lost: str) -> None:
    made = await create(world.client("alice"))
    reader = Reader()
    application = world.application(Options(heartbeat_seconds=0.02))
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/agents/tasks/{made}/events",
        "query_string": b"",
        "headers": [
            (b"accept", b"text/event-stream"),
            (b"authorization", f"token {world.tokens['alice']}".encode()),
        ],
    }
    reading = asyncio.ensure_future(application(scope, reader.receive, reader.send))
    await reader.sees(": heartbeat\n\n: heartbeat\n\n")
    if lost == "token":
        principal = await world.services.identity.authenticate(world.tokens["alice"])
        assert principal.token_id is not None
        await world.administration.revoke_token(principal.token_id)
    else:
        await world.administration.grant("octo/hello", "alice", Permission.NONE)
    async with asyncio.timeout(5):
        await reading
    assert reader.ended
    assert "event: end" not in reader.text
