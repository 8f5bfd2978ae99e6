"""A task's log as it grows, drawn: server-sent events for the page of the task.

Each stored entry carries its place, so that a reader who was cut off goes on after the last one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from journeyman.domain.errors import AppError
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.queries import Cursor
from journeyman.service import Services
from journeyman.telemetry import metrics
from journeyman.web import ansi
from journeyman.web import log as items
from journeyman.web.desk import Desk, LoggedOut
from journeyman.web.pages import Pages
from journeyman.web.session import Visit
from journeyman.web.visible import visible
from journeyman.web.watching import Looked, cursor_of, look, small

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 1500
DRAWN_MOST = 200
"""Entries that are kept as they were drawn, for the next who watches the same."""
Entries = AsyncIterator[Event | NewEvent]

log = structlog.get_logger(__name__)


class Stream:
    """*stopping*: set when the server stops; readers come back to the next one."""

    def __init__(
        self,
        desk: Desk,
        services: Services,
        pages: Pages,
        *,
        stopping: asyncio.Event,
        heartbeat_seconds: float,
    ) -> None:
        self._desk = desk
        self._services = services
        self._pages = pages
        self._stopping = stopping
        self._heartbeat_seconds = heartbeat_seconds
        self._drawn: OrderedDict[tuple[str, int, str | None], bytes] = OrderedDict()

    async def open(self, request: Request, visit: Visit) -> Response:
        seen = await look(self._desk, self._services, request, visit)
        after = _resumed(request) or cursor_of(request, "after") or Cursor()
        entries = await self._services.events.tail(
            seen.principal, seen.sight.task.id, after, from_the_start=True
        )

        async def still_allowed() -> bool:
            try:
                now = await self._desk.visit(request)
                await look(self._desk, self._services, request, now)
            except (AppError, LoggedOut):
                return False
            return True

        frames = self._frames(entries, seen, after, still_allowed)
        return Frames(frames, stopping=self._stopping)

    async def _frames(
        self,
        entries: Entries,
        seen: Looked,
        after: Cursor,
        still_allowed: Callable[[], Any],
    ) -> AsyncGenerator[bytes]:
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        session_number = max(after.session_number, 1)
        waiting: asyncio.Task[Any] | None = None
        beat = time.monotonic() + self._heartbeat_seconds
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(_next(entries))
                await asyncio.wait({waiting}, timeout=max(0.0, beat - time.monotonic()))
                if time.monotonic() >= beat:
                    if not await still_allowed():
                        return
                    beat = time.monotonic() + self._heartbeat_seconds
                    yield b": still here\n\n"
                if not waiting.done():
                    continue
                entry, waiting = waiting.result(), None
                if entry is None:
                    break
                if isinstance(entry, Event):
                    session_number = entry.session_number
                    yield self._stored(entry, seen)
                else:
                    yield _passing(entry, session_number)
            yield b"event: over\ndata: {}\n\n"
        finally:
            await _close(waiting, entries)

    def _stored(self, event: Event, seen: Looked) -> bytes:
        """Drawn once for all who watch."""
        user_id = event.data.get("userId")
        speaker = seen.sight.people.get(user_id) if isinstance(user_id, int) else None
        key = (event.session_id, event.seq, speaker)
        if key not in self._drawn:
            self._drawn[key] = self._draw(event, seen)
            while len(self._drawn) > DRAWN_MOST:
                self._drawn.popitem(last=False)
        return self._drawn[key]

    def _draw(self, event: Event, seen: Looked) -> bytes:
        at = Cursor(event.session_number, event.seq)
        content: dict[str, Any] = {"type": event.type}
        if not items.hidden(event):
            item = items.item_of(event, seen.sight.people)
            html = self._pages.render("item.html", item=item, task=seen.sight.task, found=None)
            content |= {"html": html, "kind": item.kind, "key": item.key}
        return f"id: {at}\n".encode() + _frame("entry", content)


def _resumed(request: Request) -> Cursor | None:
    """Where the browser says that it was cut off; nonsense starts again."""
    try:
        return small(Cursor.parse(request.headers.get("last-event-id", "")[:24]))
    except ValueError:
        return None


def _passing(entry: NewEvent, session_number: int) -> bytes:
    """What is shown while it comes, and then told again whole."""
    data, key = entry.data, items.key_of
    caller = data.get("parentToolCallId")
    match entry.type:
        case EventType.TOOL_PARTIAL:
            content = {
                "key": key(session_number, "call", data.get("toolCallId")),
                "text": visible(ansi.SEQUENCE.sub("", str(data.get("partialOutput", "")))),
            }
            return _frame("output", content)
        case EventType.MESSAGE_DELTA | EventType.REASONING_DELTA:
            content = {
                "key": key(session_number, "message", data.get("messageId")),
                "text": visible(data.get("deltaContent", "")),
                "within": key(session_number, "call", caller) if caller else "",
            }
            kind = "text" if entry.type is EventType.MESSAGE_DELTA else "reasoning"
            return _frame(kind, content)
    return b""


def _frame(name: str, content: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()


class Frames(Response):
    """Sent as they come, until they end, the reader leaves or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], *, stopping: asyncio.Event) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with metrics.STREAMS.labels("web").track_inprogress():
            await self._send_while_wanted(receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _send_while_wanted(self, receive: Receive, send: Send) -> None:
        ends = [
            asyncio.create_task(self._send_all(send)),
            asyncio.create_task(_left(receive)),
            asyncio.create_task(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        try:
            async with aclosing(self._frames) as frames:
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
        except Exception:  # noqa: BLE001 - the status is sent: the reader comes back and goes on
            log.exception("stream.failed")


async def _next(entries: Entries) -> Event | NewEvent | None:
    return await anext(entries, None)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(waiting: asyncio.Task[Any] | None, entries: Any) -> None:
    if waiting is not None:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    if hasattr(entries, "aclose"):
        await entries.aclose()
