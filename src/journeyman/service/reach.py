"""What somebody may do where another forge knows it: asked when it is needed, and kept a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission
from journeyman.domain.roles import RoleUnknown
from journeyman.forge import Forge
from journeyman.service import outages
from journeyman.service.upstream import Seen
from journeyman.store import accounts, tasks
from journeyman.store.database import Database

T = TypeVar("T")
AT_ONCE = 10
"""Questions to the forge."""
MOST = 200
"""Repositories in a list that goes over all of them."""


class Reach:
    def __init__(self, database: Database, forge: Forge) -> None:
        self._database = database
        self._forge = forge
        self._seen = Seen(database)

    async def read(self, principal: Principal, look: Callable[[Connection], T]) -> T:
        """What *look* finds; it may ask the store what *principal* may do."""
        while True:
            try:
                return await self._database.read(look)
            except RoleUnknown as unknown:
                await self._ask(principal, unknown.repository_id)

    async def ask(self, principal: Principal, repository_ids: Sequence[int]) -> None:
        """Know what *principal* may do in all of these; nothing to do where the store knows."""
        if principal.roles is None:
            return
        asking = asyncio.Semaphore(AT_ONCE)

        async def ask(repository_id: int) -> None:
            async with asking:
                await self._ask(principal, repository_id)

        unknown = [id for id in repository_ids if not principal.roles.knows(id)]
        await asyncio.gather(*map(ask, unknown))

    async def everywhere(self, principal: Principal) -> None:
        """As `ask`, in all that the forge lists for *principal*; where it lists none, in the
        repositories that were worked on last: the newest MOST."""
        if principal.roles is None:
            return
        if self._forge.listing is not None:
            with outages.told():
                found = await self._forge.listing.repositories(principal)
            for access in found:
                repository = access.repository
                await self._seen.repository(repository)
                granted = principal.limit(
                    access.permission, repository.id, private=repository.private
                )
                principal.roles.note(repository.id, granted)
        else:
            newest = await self._database.read(lambda tx: tasks.newest_repositories(tx, MOST))
            await self.ask(principal, newest)

    async def _ask(self, principal: Principal, repository_id: int) -> None:
        """By the name it had; under that name there may be another repository by now."""
        assert principal.roles is not None
        known = await self._database.read(lambda tx: accounts.get_repository(tx, repository_id))
        with outages.told():
            found = await self._forge.find_access(principal, known.owner.login, known.name)
        same = found is not None and found.repository.id == repository_id
        principal.roles.note(repository_id, found.permission if found and same else Permission.NONE)
