"""What of a task can be taken away as a file: its log, one whole output, its changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from journeyman.domain.errors import AppError, Code
from journeyman.domain.events import Event, EventType
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor
from journeyman.service import Services
from journeyman.web import render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.visible import instant
from journeyman.web.watching import cursor_of, look

BATCH = 500
HEADERS = render.HEADERS | {"Content-Security-Policy": "sandbox; default-src 'none'"}


class Taking:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def log(self, request: Request, visit: Visit) -> Response:
        """Everything that was said, as text."""
        seen = await look(self._desk, self._services, request, visit)
        task_id = seen.sight.task.id
        return StreamingResponse(
            self._lines(seen.principal, task_id),
            headers=HEADERS | _as_file(f"task-{task_id[:8]}.log"),
            media_type="text/plain; charset=utf-8",
        )

    async def _lines(self, principal: Principal, task_id: str) -> AsyncIterator[bytes]:
        after = Cursor()
        while True:
            window = await self._services.browsing.after(principal, task_id, after, BATCH)
            for event in window.events:
                yield "".join(_written(event)).encode("utf-8", "replace")
            if not window.has_newer or window.last is None:
                return
            after = window.last

    async def output(self, request: Request, visit: Visit) -> Response:
        """What one call gave back, whole and as it was."""
        seen = await look(self._desk, self._services, request, visit)
        at = cursor_of(request, "at")
        if at is None:
            raise AppError(Code.BAD_REQUEST, "Say which event's output, as in ?at=1-5.")
        event = await self._services.browsing.event(seen.principal, seen.sight.task.id, at)
        return Response(
            _said(event).encode("utf-8", "replace"),
            headers=HEADERS,
            media_type="text/plain; charset=utf-8",
        )

    async def patch(self, request: Request, visit: Visit) -> Response:
        seen = await look(self._desk, self._services, request, visit)
        patch = await self._services.patches.patch(seen.principal, seen.sight.task.id)
        name = f"task-{seen.sight.task.id[:8]}.patch"
        return Response(
            patch, headers=HEADERS | _as_file(name), media_type="text/x-patch; charset=utf-8"
        )


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _written(event: Event) -> Iterator[str]:
    at = Cursor(event.session_number, event.seq)
    yield f"--- {at}  {instant(event.created_at)}  {event.type}\n"
    said = _said(event)
    if said:
        yield said if said.endswith("\n") else f"{said}\n"


def _said(event: Event) -> str:
    """The text of what speaks in text; the data of what does not."""
    data = event.data
    match event.type:
        case EventType.USER_MESSAGE | EventType.MESSAGE:
            return str(data.get("content", ""))
        case EventType.TOOL_COMPLETE:
            said = data.get("result") or data.get("error") or {}
            return str(said.get("content") or said.get("message") or "")
    return json.dumps(data, ensure_ascii=False, indent=2)
