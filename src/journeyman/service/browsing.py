"""Looking at tasks as a person does: lists to search in, parts of a log, what is asked for.

Changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection

from journeyman.domain.browsing import Found, Mark, Row, Search, Sight, Waiting, Window
from journeyman.domain.errors import invalid, not_found
from journeyman.domain.events import Event, EventType
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor, PullQuery
from journeyman.domain.repositories import Account, Permission, Pull, Repository
from journeyman.domain.sessions import Session
from journeyman.domain.tasks import Task
from journeyman.forge import Access
from journeyman.service.tasks import Tasks
from journeyman.store import accounts, browsing, events, pulls, sessions
from journeyman.store.database import Database

BEGINNING = Cursor()
SEARCH_MOST = 200
CREATORS_MOST = 100
IDS_MOST = 10
ID_BEGINNING = re.compile(r"[0-9a-f-]{6,36}")
ALIGN_MOST = 40
"""How many events a window may leave to the next older one, so as to begin with a turn."""
BEGINNINGS = frozenset({EventType.TURN_START, EventType.SESSION_START, EventType.USER_MESSAGE})


class Browsing:
    def __init__(self, database: Database, of_tasks: Tasks) -> None:
        self._database = database
        self._tasks = of_tasks

    async def find(self, principal: Principal, search: Search) -> Found:
        """Of all tasks in the repositories that *principal* may read."""
        await self._tasks.reach.everywhere(principal)

        def find(tx: Connection) -> Found:
            found, counts = browsing.find_tasks(tx, principal, search)
            shown = found[: search.per_page]
            costs = browsing.costs(tx, [task.id for task in shown])
            people = browsing.logins(tx, {task.creator_id for task in shown})
            rows = (Row(task, people[task.creator_id], costs.get(task.id)) for task in shown)
            return Found(tuple(rows), len(found) > len(shown), counts)

        return await self._database.read(find)

    async def repositories(
        self, principal: Principal, permission: Permission = Permission.READ
    ) -> Sequence[Repository]:
        """Those where *principal* has at least *permission*, by name."""
        await self._tasks.reach.everywhere(principal)
        return await self._database.read(
            lambda tx: browsing.list_repositories(tx, principal, permission)
        )

    async def creators(self, principal: Principal) -> Sequence[str]:
        """The logins of those who asked for the most tasks that *principal* may see, by name."""
        await self._tasks.reach.everywhere(principal)
        return await self._database.read(lambda tx: browsing.creators(tx, principal, CREATORS_MOST))

    async def ids_beginning(self, principal: Principal, prefix: str) -> Sequence[str]:
        """Ids of tasks that *principal* may see: the first IDS_MOST that begin with *prefix*."""
        # A hyphen at the end says nothing, and some collations pass over it.
        begins = prefix.rstrip("-")
        if not ID_BEGINNING.fullmatch(begins):
            message = f"{prefix[:50]!r} is not the beginning of a task's id; give 6 characters."
            raise invalid("prefix", message)
        await self._tasks.reach.everywhere(principal)
        return await self._database.read(
            lambda tx: browsing.ids_beginning(tx, principal, begins, IDS_MOST)
        )

    async def task(self, principal: Principal, task_id: str) -> Sight:
        """NOT_FOUND also for a task of a repository that *principal* may not see."""
        detail = await self._tasks.get(principal, task_id)
        task, sessions = detail.task, detail.sessions

        def look(tx: Connection) -> Sight:
            unread = [] if task.session.ended else events.unread_messages(tx, task.session.id)
            involved = {task.creator_id, *(s.user_id for s in sessions)}
            people = browsing.logins(tx, involved | {message.user_id for message in unread})
            waiting = (Waiting(people[m.user_id], m.source, m.content) for m in unread)
            granted = accounts.permission_of(tx, principal, task.repository.id)
            writable = granted >= Permission.WRITE and not task.repository.archived
            return Sight(task, sessions, writable, people, tuple(waiting))

        return await self._tasks.reach.read(principal, look)

    async def before(
        self, principal: Principal, task_id: str, before: Cursor | None, most: int
    ) -> Window:
        """The end of the log, or what comes before an event; begins with a turn where it can, so
        that a call and its result stay together."""
        await self._tasks.version(principal, task_id)

        def read(tx: Connection) -> Window:
            found = browsing.log_before(tx, task_id, before, most + 1)
            older = len(found) > most
            kept = _aligned(found[-most:]) if older else found
            return Window(tuple(kept), older, before is not None)

        return await self._database.read(read)

    async def after(self, principal: Principal, task_id: str, after: Cursor, most: int) -> Window:
        await self._tasks.version(principal, task_id)

        def read(tx: Connection) -> Window:
            found = events.task_tail(tx, task_id, after, most + 1)
            return Window(tuple(found[:most]), after > Cursor(1, 0), len(found) > most)

        return await self._database.read(read)

    async def event(self, principal: Principal, task_id: str, at: Cursor) -> Event:
        await self._tasks.version(principal, task_id)
        found = await self._database.read(lambda tx: browsing.find_event(tx, task_id, at))
        if found is None:
            raise not_found(f"The log has no event {at}.")
        return found

    async def outline(
        self, principal: Principal, task_id: str, after: Cursor = BEGINNING
    ) -> Sequence[Mark]:
        """The log that follows *after*, without what is long in it."""
        await self._tasks.version(principal, task_id)
        return await self._database.read(lambda tx: browsing.outline(tx, task_id, after))

    async def task_of_pull(self, principal: Principal, pull: Pull) -> Task | None:
        """The task that opened it."""
        task_id = await self._database.read(lambda tx: browsing.task_of_pull(tx, pull.id))
        return None if task_id is None else (await self._tasks.get(principal, task_id)).task

    async def session(self, principal: Principal, session_id: str) -> tuple[Task, Session]:
        """With its task; NOT_FOUND also for one that *principal* may not see."""
        found = await self._database.read(lambda tx: sessions.find_session(tx, session_id))
        if found is None:
            raise not_found("There is no such session.")
        return (await self._tasks.get(principal, found.task_id)).task, found

    async def pull(self, principal: Principal, pull_id: int) -> tuple[Access, Pull]:
        """By its database id, with its repository; NOT_FOUND also for one that *principal* may
        not see."""

        def find(tx: Connection) -> tuple[Access, Pull] | None:
            pull = pulls.find_by_id(tx, pull_id)
            if pull is None:
                return None
            granted = accounts.permission_of(tx, principal, pull.repository_id)
            if granted < Permission.READ:
                return None
            return Access(accounts.get_repository(tx, pull.repository_id), granted), pull

        found = await self._tasks.reach.read(principal, find)
        if found is None:
            raise not_found("There is no such pull request.")
        return found

    async def pull_numbered(self, access: Access, number: int) -> Pull | None:
        repository_id = access.repository.id
        return await self._database.read(lambda tx: pulls.find_pull(tx, repository_id, number))

    async def pulls(self, access: Access, query: PullQuery) -> Sequence[Pull]:
        """The first page."""
        repository_id = access.repository.id
        found = await self._database.read(lambda tx: pulls.list_page(tx, repository_id, query))
        return found[: query.per_page]

    async def account(self, account_id: int) -> Account | None:
        """Anybody's: who is there is no secret among users."""
        return await self._database.read(lambda tx: accounts.find_account_by_id(tx, account_id))

    async def search(self, principal: Principal, task_id: str, text: str) -> Sequence[Event]:
        """The first SEARCH_MOST events that say *text*."""
        await self._tasks.version(principal, task_id)
        return await self._database.read(
            lambda tx: browsing.search_log(tx, task_id, text, SEARCH_MOST)
        )


def _aligned(found: list[Event]) -> list[Event]:
    for index, event in enumerate(found[:ALIGN_MOST]):
        if event.type in BEGINNINGS:
            return found[index:]
    return found
