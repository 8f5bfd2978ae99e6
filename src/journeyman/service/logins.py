"""Logging in on the web: passwords, one-time links, sessions. Knows nothing of cookies or pages."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.rates import network_of
from journeyman.domain.repositories import Account, AccountType
from journeyman.service import audit, server_keys
from journeyman.service.administration import check_login
from journeyman.service.clock import Clock, utc_now
from journeyman.service.vault import Vault
from journeyman.store import accounts, logins
from journeyman.store.database import Database

SHORTEST, LONGEST = 10, 1000
"""Characters of a password."""
LONGEST_NAME = 39
SESSION = timedelta(days=14)
LINK = timedelta(hours=1)
HOUR = timedelta(hours=1)
TRIES_PER_LOGIN, TRIES_PER_ADDRESS = 30, 100
"""Passwords that may be tried in an hour."""
HASHES_AT_ONCE = 2
"""Each takes 64 MiB."""
WRONG = "The user name or the password is wrong."
OVER = "This link has been used or has expired. Ask for a new one."
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$"
NOBODYS += "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Link:
    """Whom a one-time link is for; None: the first user of all, who chooses a name."""

    account: Account | None
    has_password: bool


class Logins:
    def __init__(
        self, database: Database, vault: Vault | None = None, *, clock: Clock = utc_now
    ) -> None:
        """*vault*: for the tokens of those who log in with one of another forge."""
        self._database = database
        self._vault = vault
        self._clock = clock
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def key(self) -> bytes:
        """What this server signs cookies with; the same in all of its processes."""
        return await server_keys.key_of(self._database, "web")

    # --- Passwords -------------------------------------------------------------------------------

    async def log_in(self, login: str, password: str, address: str) -> Account:
        """UNAUTHENTICATED for a wrong password or name, FORBIDDEN after too many."""
        await self._count(f"login:{login.lower()[:39]}", TRIES_PER_LOGIN)
        await self._count(f"address:{network_of(address)}", TRIES_PER_ADDRESS)
        account = await self._database.read(lambda tx: accounts.find_account(tx, login))
        if not await self._is_password(account, password):
            now, user = self._clock(), account or login[:LONGEST_NAME]
            await self._database.write(
                lambda tx: audit.record(tx, Action.USER_FAILED_LOGIN, now, user=user)
            )
            raise AppError(Code.UNAUTHENTICATED, WRONG)
        assert account is not None
        _require_not_suspended(account)
        return account

    async def has_password(self, account: Account) -> bool:
        return await self._hash_of(account) is not None

    async def change_password(self, account: Account, current: str, new: str) -> None:
        """*current* is asked for where there is one. All of the user's sessions end."""
        if await self.has_password(account):
            await self._count(f"login:{account.login.lower()}", TRIES_PER_LOGIN)
            if not await self._is_password(account, current):
                raise invalid("current", "The current password is wrong.")
        await self.set_password(account.login, new)

    async def set_password(self, login: str, password: str) -> None:
        """All of the user's sessions end."""
        hashed = await self._hashed(password)
        now = self._clock()

        def change(tx: Connection) -> None:
            account = accounts.find_account(tx, login)
            if account is None or account.type is not AccountType.USER:
                raise not_found(f"There is no user {login!r}.")
            logins.set_password(tx, account.id, hashed, now)
            logins.end_sessions_of(tx, account.id, now)
            audit.record(tx, Action.USER_CHANGE_PASSWORD, now, user=account)

        await self._database.write(change)

    async def _hashed(self, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise invalid("password", f"A password has at least {SHORTEST} characters.")
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _hash_of(self, account: Account | None) -> str | None:
        if account is None:
            return None
        return await self._database.read(lambda tx: logins.find_password(tx, account.id))

    async def _is_password(self, account: Account | None, password: str) -> bool:
        """Takes as long for a user that is not there."""
        known = await self._hash_of(account)
        try:
            async with self._hashing:
                await asyncio.to_thread(self._hasher.verify, known or NOBODYS, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    async def _count(self, key: str, most: int) -> None:
        now = self._clock()
        tries = await self._database.write(
            lambda tx: logins.count_attempt(tx, key, now, now - HOUR)
        )
        if tries > most:
            raise AppError(
                Code.FORBIDDEN,
                "There were too many tries to log in. Wait an hour, or ask for a one-time link.",
            )

    # --- One-time links --------------------------------------------------------------------------

    async def create_link(self, login: str) -> str:
        """The secret part of a link that logs *login* in, once, within the hour."""

        def find(tx: Connection) -> int:
            account = accounts.find_account(tx, login)
            if account is None or account.type is not AccountType.USER:
                raise not_found(f"There is no user {login!r}; `journeyman user create` makes one.")
            return account.id

        return await self._link(await self._database.read(find))

    async def invite_first(self) -> str | None:
        """A link for the first user of all, while nobody has ever logged in; else None.

        It is for whoever administers the site; without any user, for one who chooses a name.
        """

        def find(tx: Connection) -> tuple[bool, int | None]:
            admins = [user.id for user in accounts.list_users(tx) if user.site_admin]
            return logins.anybody_logged_in(tx), min(admins, default=None)

        done, account_id = await self._database.read(find)
        return None if done else await self._link(account_id)

    async def _link(self, account_id: int | None) -> str:
        secret = secrets.token_urlsafe(32)
        now = self._clock()

        def add(tx: Connection) -> None:
            logins.remove_expired(tx, now)
            logins.add_link(tx, _digest(secret), account_id, now + LINK)
            user = None if account_id is None else accounts.get_account(tx, account_id)
            audit.record(tx, Action.USER_CREATE_LINK, now, user=user)

        await self._database.write(add)
        return secret

    async def find_link(self, secret: str) -> Link:
        """NOT_FOUND when it is over."""
        found = await self._database.read(
            lambda tx: logins.find_link(tx, _digest(secret), self._clock())
        )
        if found is None:
            raise not_found(OVER)
        return Link(found[0], await self._hash_of(found[0]) is not None)

    async def use_link(self, secret: str, *, login: str = "", password: str = "") -> Account:
        """Logs in whom the link is for; a *password* is set on the way, and *login* is the name
        that the first user of all chooses."""
        link, now = await self.find_link(secret), self._clock()
        if link.account is None:
            check_login(login)
        hashed = await self._hashed(password) if password or link.account is None else None

        if link.account is not None:
            _require_not_suspended(link.account)

        def use(tx: Connection) -> Account:
            account = link.account or self._first(tx, login)
            if not logins.use_link(tx, _digest(secret), now):
                raise not_found(OVER)
            if hashed is not None:
                logins.set_password(tx, account.id, hashed, now)
                logins.end_sessions_of(tx, account.id, now)
                action = Action.USER_CHANGE_PASSWORD
                audit.record(tx, action, now, user=account, on_behalf=account)
            return account

        return await self._database.write(use)

    def _first(self, tx: Connection, login: str) -> Account:
        if accounts.has_users(tx):
            raise not_found(OVER)
        known = accounts.find_account(tx, login)
        if known is None:
            made = accounts.add_account(
                tx, login, AccountType.USER, site_admin=True, now=self._clock()
            )
        else:
            accounts.become_user(tx, known.id, site_admin=True)
            made = accounts.get_account(tx, known.id)
        audit.record(tx, Action.USER_CREATE, self._clock(), user=made, on_behalf=made)
        return made

    # --- Sessions --------------------------------------------------------------------------------

    async def start_session(
        self, session_id: str, account: Account, token: str | None = None
    ) -> None:
        """*token*: of another forge, which is asked with it until the session ends."""
        now = self._clock()
        secret = self._vault.encrypt(token.encode()) if self._vault and token else None

        def start(tx: Connection) -> None:
            logins.remove_expired(tx, now)
            until = now + SESSION
            logins.add_session(tx, _digest(session_id), account.id, now, until, secret=secret)
            audit.record(tx, Action.USER_LOGIN, now, user=account, on_behalf=account)

        await self._database.write(start)

    async def find_session(self, session_id: str) -> Account | None:
        """Who is logged in; None when nobody is any more."""
        now = self._clock()
        return await self._database.read(
            lambda tx: logins.find_session(tx, _digest(session_id), now)
        )

    async def find_token(self, session_id: str) -> str | None:
        """The one that the session began with, if it began with one."""
        find = logins.find_session_secret
        found = await self._database.read(lambda tx: find(tx, _digest(session_id)))
        return self._vault.decrypt(found).decode() if self._vault and found else None

    async def count_token(self, address: str) -> None:
        """FORBIDDEN when too many have been tried from *address*."""
        await self._count(f"address:{network_of(address)}", TRIES_PER_ADDRESS)

    async def end_session(self, session_id: str) -> None:
        now = self._clock()

        def end(tx: Connection) -> None:
            account = logins.find_session(tx, _digest(session_id), now)
            logins.end_session(tx, _digest(session_id), now)
            if account is not None:
                audit.record(tx, Action.USER_LOGOUT, now, user=account, on_behalf=account)

        await self._database.write(end)


def _require_not_suspended(account: Account) -> None:
    if account.suspended_at is not None:
        raise AppError(
            Code.FORBIDDEN,
            "This account is suspended; an administrator of this server can say why.",
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
