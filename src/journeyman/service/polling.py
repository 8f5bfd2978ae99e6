"""Asking a forge what has happened, for who cannot receive its webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from journeyman.domain.errors import AppError
from journeyman.forge import ForgeError
from journeyman.service.means import Means
from journeyman.service.watching import Watching
from journeyman.store import accounts, triggers

log = structlog.get_logger()

MOST_REPOSITORIES = 100
"""Asked about in one round, beside those that are named."""


class Polling:
    def __init__(self, means: Means, *, every: timedelta, named: Sequence[str] = ()) -> None:
        """*named*: OWNER/NAME of repositories that may have no task yet."""
        self._means = means
        self._every = every
        self._named = named
        self._watching = Watching(means)

    async def ask(self) -> None:
        """About each repository whose time has come, one after another."""
        if self._means.forge.news is None:
            return
        for repository in await self._means.database.read(self._due):
            try:
                await self._ask(repository)
            except (AppError, ForgeError) as error:
                log.warning("poll.failed", repository=repository, error=str(error))

    def _due(self, tx: Connection) -> Sequence[str]:
        waiting = triggers.waiting_cursors(tx, self._means.clock())
        return [one for one in self._repositories(tx) if one not in waiting]

    def _repositories(self, tx: Connection) -> Sequence[str]:
        ids = triggers.repositories_with_tasks(tx, MOST_REPOSITORIES)
        known = (accounts.get_repository(tx, one).full_name for one in ids)
        return list(dict.fromkeys(one.lower() for one in (*self._named, *known)))

    async def _ask(self, repository: str) -> None:
        """The cursor is kept after what it has brought: a crash between the two tells it twice,
        and what is told twice is known."""
        news = self._means.forge.news
        assert news is not None
        now = self._means.clock()
        due_at = now + self._every
        due = await self._means.database.write(
            lambda tx: triggers.claim_cursor(tx, repository, now, due_at)
        )
        if due is None:
            return
        actor = await self._means.machine.own()
        owner, _, name = repository.partition("/")
        principal = await self._means.machine.acting_for(actor.account)
        access = await self._means.identity.access_now(principal, owner, name)
        told, cursor = await news.news(actor, access.repository, due.cursor)
        await self._means.triggers.take(told)
        await self._means.database.write(
            lambda tx: triggers.keep_cursor(tx, repository, cursor, due_at)
        )
        faults = await self._watching.look(actor, access.repository)
        await self._means.triggers.take(faults)
