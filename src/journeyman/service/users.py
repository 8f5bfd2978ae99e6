"""The users of this server, as its administrators look after them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.repositories import Account, AccountType
from journeyman.service import audit
from journeyman.service.administration import Administration
from journeyman.service.clock import Clock, utc_now
from journeyman.service.logins import Logins
from journeyman.service.sessions import Sessions
from journeyman.store import accounts, logins
from journeyman.store.database import Database


class Users:
    def __init__(
        self,
        database: Database,
        administration: Administration,
        of_logins: Logins,
        of_sessions: Sessions,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._administration = administration
        self._logins = of_logins
        self._sessions = of_sessions
        self._clock = clock

    async def list_all(self) -> Sequence[Account]:
        return await self._administration.list_users()

    async def create(self, login: str) -> Account:
        return await self._administration.create_user(login)

    async def create_link(self, login: str) -> str:
        """The secret part of a one-time link."""
        return await self._logins.create_link(login)

    async def suspend(self, by: Account, login: str) -> None:
        """They cannot log in any more, no token of theirs is taken, and what they have begun is
        cancelled. CONFLICT for oneself: at least one administrator must be able to take it back.
        """
        if login.lower() == by.login.lower():
            raise AppError(Code.CONFLICT, "You cannot suspend yourself.")
        await self._set_suspended(login, self._clock())

    async def reinstate(self, login: str) -> None:
        await self._set_suspended(login, None)

    async def _set_suspended(self, login: str, since: datetime | None) -> None:
        now = self._clock()

        def change(tx: Connection) -> None:
            account = accounts.find_account(tx, login)
            if account is None or account.type is not AccountType.USER:
                raise not_found(f"There is no user {login[:100]!r}.")
            accounts.set_suspended(tx, account.id, since)
            action = Action.USER_UNSUSPEND if since is None else Action.USER_SUSPEND
            audit.record(tx, action, now, user=account)
            if since is not None:
                logins.end_sessions_of(tx, account.id, now)
                self._sessions.cancel_all_of(tx, account.id)

        await self._database.write(change)
