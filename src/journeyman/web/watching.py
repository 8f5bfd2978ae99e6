"""The page of one task: its log as it grows, and where its time went.

Knows nothing of how an item of the log looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.browsing import Mark, Sight, Window
from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.events import Event, EventType
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor
from journeyman.service import Services
from journeyman.web import log, plans, timeline
from journeyman.web.desk import Desk
from journeyman.web.listing import pulls_of
from journeyman.web.outlines import Outlines
from journeyman.web.session import Visit

SHOWN = 200
"""Events of the log that the page starts with, and that each step back adds."""
AROUND = 60
FARTHEST = 2**31 - 1
SAID = {
    "started": "The task is accepted. It starts as soon as a worker is free.",
    "sent": "Your message is on its way: the agent reads it before its next turn.",
    "answered": "Your answer is on its way, and the work goes on.",
    "followed": "A new session takes this up on the same branch.",
    "pausing": "The task pauses after the turn that it is in.",
    "paused": "The task is paused. A message, or Resume, lets it go on.",
    "resumed": "The task goes on as soon as a worker is free.",
    "cancelled": "The task is cancelled. What was done so far is kept.",
    "ended": "The task had ended before it could be cancelled.",
    "cancelling": "The task is being cancelled; its worker has not said yet that all has stopped.",
    "archived": "The task is archived: it is in the lists no more.",
    "unarchived": "The task is back in the lists.",
}


@dataclass(frozen=True)
class Looked:
    """Whose eyes, and at what."""

    principal: Principal
    sight: Sight


class Watching:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services
        self._outlines = Outlines(services.browsing)

    async def show(self, request: Request, visit: Visit) -> Response:
        """The end of the log, or with `at=1-5` what is around that event."""
        seen = await self._look(request, visit)
        said = SAID.get(request.query_params.get("said", ""), "")
        return await self._page(visit, seen, cursor_of(request, "at"), said=said)

    async def side(self, request: Request, visit: Visit) -> Response:
        """What changes beside the log: state, timeline, tokens."""
        seen = await self._look(request, visit)
        return self._desk.page("side.html", visit, **await self._side(seen))

    async def older(self, request: Request, visit: Visit) -> Response:
        seen = await self._look(request, visit)
        before = cursor_of(request, "before")
        window = await self._services.browsing.before(
            seen.principal, seen.sight.task.id, before, SHOWN
        )
        return self._items(visit, seen, window)

    async def newer(self, request: Request, visit: Visit) -> Response:
        seen = await self._look(request, visit)
        after = cursor_of(request, "after") or Cursor()
        window = await self._services.browsing.after(
            seen.principal, seen.sight.task.id, after, SHOWN
        )
        return self._items(visit, seen, window)

    async def search(self, request: Request, visit: Visit) -> Response:
        seen = await self._look(request, visit)
        text = request.query_params.get("q", "").strip()[:200]
        found: Sequence[Event] = ()
        if text:
            found = await self._services.browsing.search(seen.principal, seen.sight.task.id, text)
        items = log.items(found, seen.sight.people)
        values = {
            "sight": seen.sight,
            "task": seen.sight.task,
            "offers_pull": offers_pull(seen.sight),
        }
        return self._desk.page("found.html", visit, **values, text=text, items=items)

    async def failed(
        self, visit: Visit, seen: Looked, error: AppError, *, typed: str = ""
    ) -> Response:
        """The page again, with the reason why something was not done and with what was typed."""
        return await self._page(visit, seen, None, failed=error.message, typed=typed, status=422)

    async def _page(
        self,
        visit: Visit,
        seen: Looked,
        at: Cursor | None,
        *,
        said: str = "",
        failed: str = "",
        typed: str = "",
        status: int = 200,
    ) -> Response:
        window = await self._window(seen.principal, seen.sight.task.id, at)
        items = log.items(window.events, seen.sight.people, running=running(seen.sight))
        values = {
            **await self._side(seen),
            "items": items,
            "window": window,
            "found": _nearest(items, at),
            "question": _question(window.events, seen.sight) if not window.has_newer else None,
            "said": said,
            "failed": failed,
            "typed": typed,
        }
        return self._desk.page("task.html", visit, status=status, **values)

    async def _look(self, request: Request, visit: Visit) -> Looked:
        return await look(self._desk, self._services, request, visit)

    async def _window(self, principal: Principal, task_id: str, at: Cursor | None) -> Window:
        browsing = self._services.browsing
        if at is None:
            return await browsing.before(principal, task_id, None, SHOWN)
        older = await browsing.before(principal, task_id, at, AROUND)
        newer = await browsing.after(
            principal, task_id, Cursor(at.session_number, at.seq - 1), AROUND
        )
        return Window(older.events + newer.events, older.has_older, newer.has_newer)

    async def _side(self, seen: Looked) -> dict[str, Any]:
        sight = seen.sight
        marks = await self._outlines.of(seen.principal, sight.task.id)
        now = datetime.now(UTC)
        return {
            "sight": sight,
            "task": sight.task,
            "session": sight.task.session,
            "pulls": pulls_of(sight.task),
            "offers_pull": offers_pull(sight),
            "plan": await self._plan(seen, marks),
            "timeline": timeline.of(marks, sight.sessions, now),
            "elapsed": timeline.elapsed(sight.sessions, now).total_seconds(),
            "changed_files": any(mark.type is EventType.CHECKPOINT for mark in marks),
            "now": now,
        }

    async def _plan(self, seen: Looked, marks: Sequence[Mark]) -> Sequence[plans.Step]:
        """The newest of the newest session."""
        number = seen.sight.task.session.number
        for mark in reversed(marks):
            if mark.cursor.session_number < number:
                return ()
            if mark.type is EventType.PLAN:
                event = await self._services.browsing.event(
                    seen.principal, seen.sight.task.id, mark.cursor
                )
                return plans.steps_of(event.data)
        return ()

    def _items(self, visit: Visit, seen: Looked, window: Window) -> Response:
        headers = {
            "X-First": str(window.first or ""),
            "X-Last": str(window.last or ""),
            "X-Older": "1" if window.has_older else "",
            "X-Newer": "1" if window.has_newer else "",
        }
        items = log.items(window.events, seen.sight.people, running=running(seen.sight))
        return self._desk.page(
            "items.html", visit, headers=headers, items=items, task=seen.sight.task, found=None
        )


async def look(desk: Desk, services: Services, request: Request, visit: Visit) -> Looked:
    """The task in the address, which must be in the repository in the address too."""
    principal = await desk.principal(request, visit)
    sight = await services.browsing.task(principal, request.path_params["task_id"])
    asked = f"{request.path_params['owner']}/{request.path_params['repo']}"
    if asked.lower() != sight.task.repository.full_name.lower():
        raise not_found("Not Found")
    return Looked(principal, sight)


def cursor_of(request: Request, name: str) -> Cursor | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return small(Cursor.parse(text[:24]))
    except ValueError:
        message = f"{name} is {text[:24]!r}; it is the place of an event, such as 1-5."
        raise AppError(Code.BAD_REQUEST, message) from None


def small(cursor: Cursor) -> Cursor:
    """ValueError for a place that no log has and no database can look for."""
    if not (0 <= cursor.session_number <= FARTHEST and 0 <= cursor.seq <= FARTHEST):
        raise ValueError(cursor)
    return cursor


def offers_pull(sight: Sight) -> bool:
    """Whether a pull request can be opened of what the task has pushed."""
    return bool(branches_of(sight)) and not pulls_of(sight.task)


def branches_of(sight: Sight) -> list[str]:
    return [made.head_ref for made in sight.task.artifacts if isinstance(made, BranchArtifact)]


def running(sight: Sight) -> int | None:
    session = sight.task.session
    return None if session.ended else session.number


def _nearest(items: Sequence[log.Item], at: Cursor | None) -> Cursor | None:
    """The item that stands for the event *at*, which may be drawn as part of another or not."""
    if at is None or not items:
        return None
    places = sorted(item.at for item in log.flat(items))
    return next((place for place in places if place >= at), places[-1])


def _question(events: Sequence[Event], sight: Sight) -> log.Item | None:
    """The one that waits for an answer."""
    if sight.task.session.state != "waiting_for_user":
        return None
    asked = [event for event in events if event.type is EventType.INPUT_REQUESTED]
    return log.item_of(asked[-1], sight.people) if asked else None
