"""A task's log: as pages in the shape that GitHub's editor reads, or as a live stream.

Knows nothing of how the log is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from journeyman.api import auth, exchange, pagination, parameters, responses, wire
from journeyman.domain.errors import AppError, invalid
from journeyman.domain.events import Event, NewEvent
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor
from journeyman.service import Services
from journeyman.telemetry import metrics

STREAM = "text/event-stream"
LARGEST = 2**31 - 1
EVENTS_PER_PAGE = 100

log = structlog.get_logger(__name__)


class Events:
    """*stopping*: set when the server stops; open streams then end, and readers resume later."""

    def __init__(
        self, services: Services, *, heartbeat_seconds: float, stopping: asyncio.Event
    ) -> None:
        self._services = services
        self._heartbeat_seconds = heartbeat_seconds
        self._stopping = stopping

    async def list(self, request: Request, principal: Principal) -> Response:
        if STREAM in request.headers.get("accept", ""):
            return await self._stream(request, principal)
        pairs = parameters.pairs_of(request)
        page, per_page = parameters.paging(pairs, per_page=EVENTS_PER_PAGE)
        task_id = request.path_params["task_id"]
        found = await self._services.events.page(principal, task_id, page, per_page)
        link = pagination.link(request, page=page, has_more=page * per_page < found.total)
        content = wire.event_list(found.events, found.total)
        return responses.as_json(content, headers={"Link": link})

    async def _stream(self, request: Request, principal: Principal) -> Response:
        after, task_id = cursor_of(request), request.path_params["task_id"]
        token = auth.token_of(request.headers.get("authorization", "")) or ""
        entries = await self._services.events.tail(principal, task_id, after)

        async def allowed() -> bool:
            try:
                now = await self._services.identity.authenticate(token)
                await self._services.tasks.version(now, task_id)
            except AppError:
                return False
            return now.allows(exchange.of(request.scope).needs or "")

        return EventStream(
            entries,
            allowed=allowed,
            heartbeat_seconds=self._heartbeat_seconds,
            stopping=self._stopping,
            empty=exchange.of(request.scope).head,
        )


def cursor_of(request: Request) -> Cursor:
    """Where a reader left off: EventSource's own header, or `last_event_id` in the query."""
    text = request.headers.get("last-event-id")
    if text is None:
        text = parameters.last(parameters.pairs_of(request), "last_event_id")
    if not text:
        return Cursor()
    try:
        cursor = Cursor.parse(text)
    except ValueError:
        cursor = Cursor(-1, -1)
    if not (0 <= cursor.session_number <= LARGEST and 0 <= cursor.seq <= LARGEST):
        message = f"Last-Event-ID {text[:100]!r} is not the id of an event, such as '1-5'."
        raise invalid("Last-Event-ID", message, "invalid")
    return cursor


class EventStream(Response):
    """Server-sent events until the log ends, the reader leaves or may not read it any more, or
    the server stops."""

    media_type = STREAM

    def __init__(
        self,
        entries: AsyncIterator[Event | NewEvent],
        *,
        allowed: Callable[[], Awaitable[bool]],
        heartbeat_seconds: float,
        stopping: asyncio.Event,
        empty: bool = False,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._entries = entries
        self._allowed = allowed
        self._heartbeat_seconds = heartbeat_seconds
        self._stopping = stopping
        self._empty = empty

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if not self._empty:
            with metrics.STREAMS.labels("api").track_inprogress():
                await self._send_while_wanted(receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _send_while_wanted(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        ends = [
            sending,
            asyncio.create_task(_disconnected(receive)),
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
            async with aclosing(self._frames()) as frames:
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
        except Exception:  # noqa: BLE001 - the status is sent: the reader sees a broken stream and resumes
            log.exception("stream.failed")

    async def _frames(self) -> AsyncGenerator[bytes]:
        """Every entry as it comes, a comment while none comes, and the end. At every beat it is
        asked again whether the reader may go on; one who may not is cut off without an end."""
        waiting: asyncio.Task[Any] | None = None
        beat = time.monotonic() + self._heartbeat_seconds
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(_next(self._entries))
                await asyncio.wait({waiting}, timeout=max(0.0, beat - time.monotonic()))
                if time.monotonic() >= beat:
                    if not await self._allowed():
                        return
                    beat = time.monotonic() + self._heartbeat_seconds
                    yield b": heartbeat\n\n"
                if not waiting.done():
                    continue
                entry = waiting.result()
                waiting = None
                if entry is None:
                    break
                yield frame_of(entry)
            yield b"event: end\ndata: {}\n\n"
        finally:
            await _close(waiting, self._entries)


def frame_of(entry: Event | NewEvent) -> bytes:
    if isinstance(entry, Event):
        head = f"id: {wire.cursor(entry)}\nevent: {entry.type}\n"
        content = wire.event(entry)
    else:
        head = f"event: {entry.type}\n"
        content = wire.ephemeral(entry, datetime.now(UTC))
    return head.encode() + b"data: " + responses.encode(content) + b"\n\n"


async def _next(entries: AsyncIterator[Event | NewEvent]) -> Event | NewEvent | None:
    return await anext(entries, None)


async def _close(waiting: asyncio.Task[Any] | None, entries: AsyncIterator[Any]) -> None:
    if waiting is not None:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    if hasattr(entries, "aclose"):
        await entries.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
