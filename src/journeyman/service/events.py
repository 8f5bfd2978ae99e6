"""Reading a task's log: by pages, or from a cursor on and as it grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from sqlalchemy import Connection

from journeyman.domain.events import Event, NewEvent
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor, EventPage
from journeyman.service.live import Live
from journeyman.service.tasks import Tasks
from journeyman.store import events, tasks
from journeyman.store.database import Database

BATCH = 200
POLL_SECONDS = 2.0
"""A watcher that nobody wakes looks by itself after so long."""


class Events:
    def __init__(self, database: Database, of_tasks: Tasks, live: Live) -> None:
        self._database = database
        self._tasks = of_tasks
        self._live = live

    async def page(self, principal: Principal, task_id: str, page: int, per_page: int) -> EventPage:
        """Oldest first; NOT_FOUND when the task may not be seen."""
        await self._tasks.version(principal, task_id)
        return await self._database.read(lambda tx: events.task_page(tx, task_id, page, per_page))

    async def tail(
        self, principal: Principal, task_id: str, after: Cursor, *, from_the_start: bool = False
    ) -> AsyncIterator[Event | NewEvent]:
        """All that follows *after*, then what comes; ends when the newest session has ended and
        all is told.

        Ephemeral entries are NewEvents: they have no place in the log and no cursor. With
        *from_the_start* they begin with what was told before and no event repeats yet, for a
        reader who has nothing of it. NOT_FOUND is raised at once, before the first entry.
        """
        await self._tasks.version(principal, task_id)
        return self._follow(task_id, after, from_the_start=from_the_start)

    async def _follow(
        self, task_id: str, after: Cursor, *, from_the_start: bool
    ) -> AsyncIterator[Event | NewEvent]:
        with self._live.watch(task_id, from_the_start=from_the_start) as watcher:
            while True:
                ended, stored = await self._database.read(
                    partial(_look, task_id=task_id, after=after)
                )
                for event in stored:
                    yield event
                    after = Cursor(event.session_number, event.seq)
                if len(stored) == BATCH:
                    continue
                if ended:
                    return
                for entry in watcher.take():
                    yield entry
                await watcher.wait(POLL_SECONDS)


def _look(tx: Connection, task_id: str, after: Cursor) -> tuple[bool, list[Event]]:
    # The state first: what an ended session has logged is there by then.
    task = tasks.find_task(tx, task_id)
    return task is None or task.session.ended, events.task_tail(tx, task_id, after, BATCH)
