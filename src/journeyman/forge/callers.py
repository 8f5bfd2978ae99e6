"""Who asks with a token of another forge, and what they may do there: asked at most once a minute,
however many ask meanwhile.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.principals import Actor, Principal, TokenKind, kind_of
from journeyman.domain.repositories import Repository
from journeyman.domain.roles import FRESH_SECONDS, FRESH_SECONDS_WITHOUT, Roles
from journeyman.forge import Access, CredentialRefused
from journeyman.forge.lately import Lately
from journeyman.forge.rest import Missing, Refused, secret_of

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
"""Only that much is known of a token: formats change."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")

Whose = Callable[[str, Roles], Awaitable[Principal]]
"""Asks the forge whose a token is. Raises CredentialRefused, Missing, or another ForgeError."""
Reaches = Callable[[str, str, str], Awaitable[Access]]
"""Asks with a token for the repository of an owner and a name. Raises Missing, or a ForgeError."""


class Callers:
    """*clock* gives seconds that only grow."""

    def __init__(
        self, whose: Whose, reaches: Reaches, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._whose = whose
        self._reaches = reaches
        self._clock = clock
        self._people = Lately[bytes, Principal | AppError](_fresh_seconds, clock=clock)
        self._accesses = Lately[tuple[bytes, str], Access | None](_fresh_seconds, clock=clock)

    async def identify(self, token: str) -> Principal:
        """Raises AppError for a bad token, ForgeError when the forge cannot be asked."""
        if kind_of(token) is TokenKind.INSTALLATION:
            raise AppError(Code.FORBIDDEN, "Resource not accessible by integration")
        if not _TOKEN.fullmatch(token):
            raise bad_credentials()
        key = _digest(token)
        found = await self._people.get(key, lambda: self._ask(token, self._roles(key)))
        if isinstance(found, AppError):
            raise AppError(found.code, found.message)
        if found.expires_at is not None and found.expires_at <= datetime.now(UTC):
            raise bad_credentials()
        return found

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        """A token that has been revoked since it was looked at is UNAUTHENTICATED."""
        if not principal.secret or not (_is_name(owner) and _is_name(name)):
            return None
        secret, key = principal.secret, f"{owner}/{name}".lower()
        try:
            found = await self._accesses.get(
                (_digest(secret), key), lambda: self._look(secret, owner, name)
            )
        except CredentialRefused:
            raise bad_credentials() from None
        except Refused as error:
            if not error.permanent:
                raise
            # Single sign-on, an allow list of addresses, a repository that was taken down.
            raise AppError(Code.FORBIDDEN, str(error)) from error
        if found is None:
            return None
        repository = found.repository
        reaches = principal.limit(found.permission, repository.id, private=repository.private)
        return Access(repository, reaches) if reaches else None

    async def look(self, actor: Actor, repository: Repository) -> Access:
        """The repository now, by the name that it has now. NOT_FOUND when *actor* may not see it,
        or when another repository has its name."""
        asked = secret_of(actor), repository.owner.login, repository.name
        try:
            found = await self._reaches(*asked)
        except Missing:
            raise not_found(
                f"{repository.full_name} is not visible to {actor.account.login}."
            ) from None
        if found.repository.id != repository.id:
            raise not_found(f"Another repository is called {repository.full_name} by now.")
        return found

    def _roles(self, key: bytes) -> Roles:
        """What is known of a token outlives the next look at the token itself."""
        known = self._people.stale(key)
        if isinstance(known, Principal) and known.roles is not None:
            return known.roles
        return Roles(self._clock)

    async def _ask(self, token: str, roles: Roles) -> Principal | AppError:
        try:
            return await self._whose(token, roles)
        except (CredentialRefused, Missing):
            return bad_credentials()
        except Refused as error:
            if not error.permanent:
                raise
            return AppError(Code.FORBIDDEN, str(error))  # a suspended account, a policy

    async def _look(self, secret: str, owner: str, name: str) -> Access | None:
        try:
            return await self._reaches(secret, owner, name)
        except Missing:
            return None


def bad_credentials() -> AppError:
    return AppError(Code.UNAUTHENTICATED, "Bad credentials")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _fresh_seconds(found: Principal | AppError | Access | None) -> float:
    return FRESH_SECONDS if isinstance(found, Principal | Access) else FRESH_SECONDS_WITHOUT


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text not in (".", "..")
