"""Whose a token is, as GitHub says: asked at most once a minute, however many ask meanwhile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import SCOPED, Principal, TokenKind, kind_of
from journeyman.domain.roles import FRESH_SECONDS, FRESH_SECONDS_WITHOUT, Roles
from journeyman.forge import CredentialRefused
from journeyman.forge.github.answers import User
from journeyman.forge.github.api import Api, Missing, Refused
from journeyman.forge.lately import Lately

_TEXT = re.compile(r"[\x21-\x7e]{1,4096}")
"""Only that much is known of a token: GitHub's formats change."""


class Tokens:
    """*clock* gives seconds."""

    def __init__(self, api: Api, *, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._lately = Lately[bytes, Principal | AppError](_fresh_seconds, clock=clock)

    async def identify(self, token: str) -> Principal:
        """Raises AppError for a bad token, ForgeError when GitHub cannot be asked."""
        kind = kind_of(token)
        if kind is TokenKind.INSTALLATION:
            raise AppError(Code.FORBIDDEN, "Resource not accessible by integration")
        if kind is None or not _TEXT.fullmatch(token):
            raise bad_credentials()
        key = digest(token)
        found = await self._lately.get(key, lambda: self._ask(token, kind, self._roles(key)))
        if isinstance(found, AppError):
            raise AppError(found.code, found.message)
        if found.expires_at is not None and found.expires_at <= datetime.now(UTC):
            raise bad_credentials()
        return found

    def _roles(self, key: bytes) -> Roles:
        """What is known of a token outlives the next look at the token itself."""
        known = self._lately.stale(key)
        if isinstance(known, Principal) and known.roles is not None:
            return known.roles
        return Roles(self._clock)

    async def _ask(self, token: str, kind: TokenKind, roles: Roles) -> Principal | AppError:
        try:
            answer = await self._api.read(token, "/user")
        except CredentialRefused:
            return bad_credentials()
        except Refused as error:
            if not error.permanent:
                raise
            return AppError(Code.FORBIDDEN, str(error))  # a suspended account, a policy
        except Missing:
            return bad_credentials()
        scopes = answer.headers.get("x-oauth-scopes")
        return Principal(
            account=self._api.decoded(answer.body, User).account(),
            kind=kind,
            scopes=_scopes(scopes or "") if kind in SCOPED else None,
            expires_at=_time(answer.headers.get("github-authentication-token-expiration", "")),
            secret=token,
            roles=roles,
        )


def bad_credentials() -> AppError:
    return AppError(Code.UNAUTHENTICATED, "Bad credentials")


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _fresh_seconds(found: Principal | AppError) -> float:
    return FRESH_SECONDS if isinstance(found, Principal) else FRESH_SECONDS_WITHOUT


def _scopes(header: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, header.split(","))))


def _time(header: str) -> datetime | None:
    """`2026-12-31 23:59:59 UTC`, or with an offset."""
    text = header.strip().replace(" UTC", " +0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
