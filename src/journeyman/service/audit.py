"""The audit log: written in the transaction of the action, read by administrators.

Who acts is set once, by the surface that let them in (`acting`), and goes with the call into the
transaction; the verbs only say what was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from journeyman.domain.audit import SERVER, Action, AuditQuery, Author, Entry
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Token
from journeyman.domain.repositories import Account, Permission
from journeyman.forge import Access
from journeyman.store import accounts, audit
from journeyman.store.database import Database

_author: ContextVar[Author] = ContextVar("author", default=SERVER)


def author() -> Author:
    """Who acts now; the server itself where no surface has let anybody in."""
    return _author.get()


@contextmanager
def acting(by: Author) -> Iterator[None]:
    """What is done inside is done by *by*."""
    former = _author.set(by)
    try:
        yield
    finally:
        _author.reset(former)


def record(
    tx: Connection,
    action: Action,
    now: datetime,
    *,
    repository_id: int | None = None,
    organization_id: int | None = None,
    user: Account | str | None = None,
    on_behalf: Account | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """*user* is whom it was done to, or their name alone. *on_behalf* is who counts as the actor
    where nobody is let in yet: a worker acts for a session's user, and who logs in is known only
    then. *data* never holds a secret."""
    by = author()
    actor = by.account or on_behalf
    known = user if isinstance(user, Account) else None
    repository = None if repository_id is None else accounts.get_repository(tx, repository_id)
    organization = None if organization_id is None else accounts.get_account(tx, organization_id)
    audit.add_entry(
        tx,
        {
            "created_at": now,
            "action": action,
            "surface": by.surface,
            "actor_id": None if actor is None else actor.id,
            "actor": None if actor is None else actor.login,
            "token_id": by.token_id,
            "token_kind": by.token_kind,
            "address": by.address,
            "request_id": by.request_id,
            "repository_id": repository_id,
            "repository": None if repository is None else repository.full_name,
            "organization_id": organization_id,
            "organization": None if organization is None else organization.login,
            "user_id": None if known is None else known.id,
            "user": known.login if known is not None else user,
            "data": {**by.detail, **(data or {})},
        },
    )


def token(
    tx: Connection, action: Action, of: Token, now: datetime, *, on_behalf: Account | None = None
) -> None:
    """Record what was done with a token: its id and kind, never its value."""
    data = {"token_id": of.id, "token_kind": of.kind}
    if of.client_id is not None:
        data["client_id"] = of.client_id
    record(tx, action, now, user=of.account, on_behalf=on_behalf, data=data)


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_repository(
        self, access: Access, query: AuditQuery
    ) -> tuple[Sequence[Entry], bool]:
        """A page, and whether there are more; FORBIDDEN for who does not administer it."""
        if access.permission < Permission.ADMIN:
            raise AppError(
                Code.FORBIDDEN,
                f"You need admin access to {access.repository.full_name} to see its audit log.",
            )
        return await self.all(replace(query, repository_id=access.repository.id))

    async def all(self, query: AuditQuery) -> tuple[Sequence[Entry], bool]:
        """Of everything, for the operator."""
        found = await self._database.read(lambda tx: audit.list_entries(tx, query))
        return found[: query.per_page], len(found) > query.per_page

    async def find_repository(self, full_name: str) -> int | None:
        """The id that *full_name* has now."""
        owner, _, name = full_name.partition("/")
        found = await self._database.read(lambda tx: accounts.find_repository(tx, owner, name))
        return None if found is None else found.id
