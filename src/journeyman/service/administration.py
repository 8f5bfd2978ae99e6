"""What an operator does at the machine: repositories, users and tokens of the embedded forge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.principals import Token, TokenKind
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.service import audit, collaborators
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts, renames
from journeyman.store.database import Database

LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
"""GitHub's rule for logins: letters, digits and inner hyphens, 39 at the most."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
SCOPES = ("repo", "user")
"""What a classic token of the embedded forge may do: all that its user may."""


RESERVED = frozenset(
    [
        "agents",
        "api",
        "app",
        "applications",
        "assets",
        "credentials",
        "docs",
        "graphql",
        "healthz",
        "hooks",
        "login",
        "logout",
        "meta",
        "metrics",
        "orgs",
        "rate-limit",
        "readyz",
        "repos",
        "session",
        "settings",
        "static",
        "user",
        "users",
        "versions",
        "zen",
    ]
)
"""What addresses of this server begin with; no account may be named so."""


class Repositories(Protocol):
    """Where the embedded forge keeps the git data."""

    async def import_repository(
        self, repository_id: int, source: str, *, upstream: bool = False
    ) -> str:
        """Fill a repository from a path or URL; its default branch. *upstream*: its home stays
        there."""
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
        self, full_name: str, source: str, *, private: bool = True, upstream: bool = False
    ) -> Repository:
        """Take *source* (a path or a URL that git can fetch) in as OWNER/NAME; nothing is kept
        when that fails. *upstream*: its home stays there, and tasks push there."""
        owner, _, name = full_name.partition("/")
        if not LOGIN.fullmatch(owner) or owner.lower() in RESERVED or not _is_name(name):
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
            branch = await self._repositories.import_repository(
                repository_id, source, upstream=upstream
            )
        except BaseException:
            await self._database.write(lambda tx: accounts.remove_repository(tx, repository_id))
            raise

        def complete(tx: Connection) -> None:
            accounts.set_default_branch(tx, repository_id, branch)
            audit.record(tx, Action.REPO_CREATE, self._clock(), repository_id=repository_id)

        await self._database.write(complete)
        return await self._database.read(lambda tx: accounts.get_repository(tx, repository_id))

    async def rename_repository(self, full_name: str, name: str) -> Repository:
        """*name* alone, without the owner. The former name goes on leading here."""
        owner, _, former = full_name.partition("/")
        if not _is_name(name):
            raise invalid("name", f"{name!r} is not a name for a repository, for example hello.")

        def rename(tx: Connection) -> Repository:
            known = accounts.find_repository(tx, owner, former)
            if known is None:
                raise not_found(f"There is no repository {full_name!r}.")
            taken = accounts.find_repository(tx, owner, name)
            if taken is not None and taken.id != known.id:
                raise AppError(Code.CONFLICT, f"There is a repository {owner}/{name} already.")
            renames.rename(tx, known, name)
            data = {"old_name": known.name}
            audit.record(tx, Action.REPO_RENAME, self._clock(), repository_id=known.id, data=data)
            return accounts.get_repository(tx, known.id)

        return await self._database.write(rename)

    async def list_repositories(self) -> Sequence[Repository]:
        return await self._database.read(accounts.list_repositories)

    async def grant(self, full_name: str, login: str, permission: Permission) -> None:
        """Let a user read or write a repository that is not theirs; Permission.NONE takes it
        back."""
        owner, _, name = full_name.partition("/")

        def grant(tx: Connection) -> None:
            repository = accounts.find_repository(tx, owner, name)
            if repository is None:
                raise not_found(f"There is no repository {full_name!r}.")
            collaborators.grant(tx, repository, login, permission, self._clock())

        await self._database.write(grant)

    async def create_token(
        self,
        login: str,
        *,
        note: str = "",
        expires_at: datetime | None = None,
        scopes: Sequence[str] = SCOPES,
    ) -> tuple[str, Token]:
        """A classic personal access token, shown only now. Makes the user when there is none of
        that name; the
        first user of all administers the site, and so may work on every repository."""
        secret = self._tokens.mint("ghp_")
        new = self._new(TokenKind.CLASSIC, secret, note, expires_at)
        return secret, await self._add_token(login, replace(new, scopes=tuple(scopes)))

    async def create_fine_grained_token(
        self,
        login: str,
        *,
        permissions: Mapping[str, str],
        repositories: Sequence[str] | None = None,
        note: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[str, Token]:
        """A token that reaches the selected repositories (None: all of its user's), and no more
        than *permissions* there. Shown only now."""
        secret = self._tokens.mint("github_pat_")
        ids = None if repositories is None else await self._ids(repositories)
        new = self._new(TokenKind.FINE_GRAINED, secret, note, expires_at)
        new = replace(new, permissions=dict(permissions), repository_ids=ids)
        return secret, await self._add_token(login, new)

    async def create_user(self, login: str) -> Account:
        """CONFLICT when there is one; the first user of all administers the site."""
        check_login(login)

        def create(tx: Connection) -> Account:
            known = accounts.find_account(tx, login)
            if known is not None and known.type is AccountType.USER:
                raise AppError(Code.CONFLICT, f"There is a user {known.login!r} already.")
            return self._user(tx, login)

        return await self._database.write(create)

    async def list_users(self) -> Sequence[Account]:
        return await self._database.read(accounts.list_users)

    def _new(
        self, kind: TokenKind, secret: str, note: str, expires_at: datetime | None
    ) -> accounts.NewToken:
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise invalid(
                "expires_at", f"{expires_at:%Y-%m-%d %H:%M} is over; choose a time to come."
            )
        return accounts.NewToken(
            kind=kind,
            digest=self._tokens.digest(secret),
            last_eight=secret[-8:],
            created_at=now,
            note=note,
            expires_at=expires_at,
        )

    async def _add_token(self, login: str, new: accounts.NewToken) -> Token:
        check_login(login)

        def add(tx: Connection) -> Token:
            token_id = accounts.add_token(tx, self._user(tx, login), new)
            token = accounts.find_token_by_id(tx, token_id)
            assert token is not None
            audit.token(tx, Action.TOKEN_CREATE, token, new.created_at)
            return token

        return await self._database.write(add)

    async def _ids(self, full_names: Sequence[str]) -> frozenset[int]:
        """NOT_FOUND names the repository that is not there."""

        def find(tx: Connection) -> frozenset[int]:
            found = set()
            for full_name in full_names:
                owner, _, name = full_name.partition("/")
                repository = accounts.find_repository(tx, owner, name)
                if repository is None:
                    raise not_found(f"There is no repository {full_name!r}.")
                found.add(repository.id)
            return frozenset(found)

        return await self._database.read(find)

    async def list_tokens(self) -> Sequence[Token]:
        return await self._database.read(accounts.list_tokens)

    async def revoke_token(self, token_id: int) -> None:
        """NOT_FOUND when there is no such token; one that was revoked stays so."""
        now = self._clock()

        def revoke(tx: Connection) -> None:
            token = accounts.find_token_by_id(tx, token_id)
            if token is None:
                raise not_found(
                    f"There is no token {token_id}; `journeyman token list` shows them."
                )
            if accounts.revoke_token(tx, token_id, now):
                audit.token(tx, Action.TOKEN_REVOKE, token, now)

        await self._database.write(revoke)

    def _user(self, tx: Connection, login: str) -> Account:
        first = not accounts.has_users(tx)
        known = accounts.find_account(tx, login)
        if known is not None and known.type is AccountType.USER and not first:
            return known
        if known is None:
            made = accounts.add_account(
                tx, login, AccountType.USER, site_admin=first, now=self._clock()
            )
        else:
            accounts.become_user(tx, known.id, site_admin=first)
            made = accounts.get_account(tx, known.id)
        audit.record(tx, Action.USER_CREATE, self._clock(), user=made)
        return made


def _is_name(name: str) -> bool:
    """`.git` at the end is what clone addresses have there, as on GitHub."""
    return bool(NAME.fullmatch(name)) and name not in (".", "..") and not name.endswith(".git")


def check_login(login: str) -> None:
    """INVALID for what no user may be named."""
    if not LOGIN.fullmatch(login) or login.lower() in RESERVED:
        raise invalid(
            "user",
            f"{login!r} is not a user name: letters, digits and inner hyphens, at most 39, "
            "and not the first part of one of this server's own addresses.",
        )
