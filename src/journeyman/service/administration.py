"""What an operator does at the machine: repositories, users and tokens of the embedded forge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.principals import Token, TokenKind
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts
from journeyman.store.database import Database

LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
"""GitHub's rule for logins: letters, digits and inner hyphens, 39 at the most."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
SCOPES = ("repo", "user")
"""What a classic token of the embedded forge may do: all that its user may."""


class Repositories(Protocol):
    """Where the embedded forge keeps the git data."""

    async def import_repository(self, repository_id: int, source: str) -> str:
        """Fill a repository from a path or URL; its default branch."""
        ...


class Tokens(Protocol):
    """How the embedded forge's tokens look."""

    def mint(self, prefix: str) -> str: ...

    def digest(self, token: str) -> bytes: ...


class Administration:
    def __init__(
        self,
        database: Database,
        repositories: Repositories,
        tokens: Tokens,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._repositories = repositories
        self._tokens = tokens
        self._clock = clock

    async def add_repository(
        self, full_name: str, source: str, *, private: bool = True
    ) -> Repository:
        """Take *source* (a path or a URL that git can fetch) in as OWNER/NAME; nothing is kept
        when that fails."""
        owner, _, name = full_name.partition("/")
        if not LOGIN.fullmatch(owner) or not NAME.fullmatch(name) or name in (".", ".."):
            raise invalid("repository", f"{full_name!r} is not OWNER/NAME, for example octo/hello.")

        def add(tx: Connection) -> int:
            if accounts.find_repository(tx, owner, name) is not None:
                raise AppError(
                    Code.CONFLICT,
                    f"There is a repository {full_name} already; choose another name.",
                )
            now = self._clock()
            account = accounts.find_account(tx, owner) or accounts.add_account(
                tx, owner, AccountType.ORGANIZATION, site_admin=False, now=now
            )
            return accounts.add_repository(tx, account, name, private=private, now=now)

        repository_id = await self._database.write(add)
        try:
            branch = await self._repositories.import_repository(repository_id, source)
        except BaseException:
            await self._database.write(lambda tx: accounts.remove_repository(tx, repository_id))
            raise
        await self._database.write(
            lambda tx: accounts.set_default_branch(tx, repository_id, branch)
        )
        return await self._database.read(lambda tx: accounts.get_repository(tx, repository_id))

    async def list_repositories(self) -> Sequence[Repository]:
        return await self._database.read(accounts.list_repositories)

    async def grant(self, full_name: str, login: str, permission: Permission) -> None:
        """Let a user read or write a repository that is not theirs; Permission.NONE takes it
        back."""
        owner, _, name = full_name.partition("/")

        def grant(tx: Connection) -> None:
            repository = accounts.find_repository(tx, owner, name)
            account = accounts.find_account(tx, login)
            if repository is None or account is None:
                missing = f"repository {full_name!r}" if repository is None else f"user {login!r}"
                raise not_found(f"There is no {missing}.")
            accounts.set_collaborator(tx, repository.id, account.id, permission)

        await self._database.write(grant)

    async def create_token(
        self, login: str, *, note: str = "", expires_at: datetime | None = None
    ) -> tuple[str, Token]:
        """A classic personal access token, shown only now. Makes the user when there is none of
        that name; the
        first user of all administers the site, and so may work on every repository."""
        if not LOGIN.fullmatch(login):
            raise invalid(
                "user",
                f"{login!r} is not a user name: letters, digits and inner hyphens, at most 39.",
            )
        if expires_at is not None and expires_at <= self._clock():
            raise invalid(
                "expires_at", f"{expires_at:%Y-%m-%d %H:%M} is over; choose a time to come."
            )
        secret = self._tokens.mint("ghp_")

        def create(tx: Connection) -> int:
            return accounts.add_token(
                tx,
                self._user(tx, login),
                kind=TokenKind.CLASSIC,
                digest=self._tokens.digest(secret),
                last_eight=secret[-8:],
                note=note,
                scopes=SCOPES,
                expires_at=expires_at,
                now=self._clock(),
            )

        token_id = await self._database.write(create)
        token = await self._database.read(lambda tx: accounts.find_token_by_id(tx, token_id))
        assert token is not None
        return secret, token

    async def list_tokens(self) -> Sequence[Token]:
        return await self._database.read(accounts.list_tokens)

    async def revoke_token(self, token_id: int) -> None:
        """NOT_FOUND when there is no such token; one that was revoked stays so."""
        now = self._clock()

        def revoke(tx: Connection) -> None:
            if accounts.find_token_by_id(tx, token_id) is None:
                raise not_found(
                    f"There is no token {token_id}; `journeyman token list` shows them."
                )
            accounts.revoke_token(tx, token_id, now)

        await self._database.write(revoke)

    def _user(self, tx: Connection, login: str) -> Account:
        first = not accounts.has_users(tx)
        known = accounts.find_account(tx, login)
        if known is None:
            return accounts.add_account(
                tx, login, AccountType.USER, site_admin=first, now=self._clock()
            )
        accounts.become_user(tx, known.id, site_admin=first)
        return accounts.get_account(tx, known.id)
