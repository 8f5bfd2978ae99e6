"""The gate before every handler: whose token, whether the caller has asked too much already.

Knows nothing of what lies behind it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import exchange
from journeyman.api.errors import Refusal
from journeyman.api.ratelimit import Limits
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal, TokenKind, kind_of
from journeyman.domain.rates import network_of
from journeyman.service import audit

LIMITS_DOCS = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
SECONDARY_DOCS = f"{LIMITS_DOCS}#about-secondary-rate-limits"

NOT_ACCESSIBLE = {
    TokenKind.FINE_GRAINED: "Resource not accessible by personal access token",
    TokenKind.APP_USER: "Resource not accessible by integration",
}

Endpoint = Callable[[Request], Awaitable[Response]]
Signed = Callable[[Request, Principal], Awaitable[Response]]


class Authenticator(Protocol):
    async def authenticate(self, token: str) -> Principal: ...


class Gate:
    def __init__(self, identity: Authenticator, limits: Limits) -> None:
        self._identity = identity
        self._limits = limits

    def signed(
        self, handler: Signed, *, needs: str | None = None, writes: bool = False
    ) -> Endpoint:
        """*handler* for callers with a good token. *writes*: it counts against bursts of writes."""

        async def endpoint(request: Request) -> Response:
            exchange.of(request.scope).needs = needs
            principal = await self._admit(request)
            if principal is None:
                raise Refusal(Code.UNAUTHENTICATED, "Requires authentication")
            if needs is not None and not principal.allows(needs):
                raise Refusal(Code.FORBIDDEN, NOT_ACCESSIBLE[principal.kind])
            if writes:
                self._limit_writes(principal)
            with audit.acting(exchange.author_of(request.scope, principal)):
                return await handler(request, principal)

        return endpoint

    def open(self, handler: Endpoint, *, counted: bool = True) -> Endpoint:
        """*handler* for everybody; a token that is given must still be a good one."""

        async def endpoint(request: Request) -> Response:
            await self._admit(request, counted=counted)
            return await handler(request)

        return endpoint

    async def _admit(self, request: Request, *, counted: bool = True) -> Principal | None:
        """Who asks; counted for the user, or for the address while nobody is known."""
        token = token_of(request.headers.get("authorization", ""))
        try:
            principal = await self._identify(token)
        except AppError:
            self._count(request, None, counted=True)
            raise
        self._count(request, principal, counted=counted)
        return principal

    async def _identify(self, token: str | None) -> Principal | None:
        if token is None:
            return None
        if kind_of(token) is TokenKind.INSTALLATION:
            raise Refusal(Code.FORBIDDEN, "Resource not accessible by integration")
        return await self._identity.authenticate(token)

    def _count(self, request: Request, principal: Principal | None, *, counted: bool) -> None:
        current, options = exchange.of(request.scope), self._limits.options
        current.principal = principal
        if principal is None:
            address = request.client.host if request.client else "local"
            key = f"address:{network_of(address)}"
            limit, who = options.anonymous_per_hour, address
        else:
            key, limit = key_of(principal), options.per_hour
            who = f"user ID {principal.account.id}"
        count = self._limits.spend if counted else self._limits.window
        current.window = count(key, limit)
        if counted and current.window is not None and current.window.exceeded:
            message = f"API rate limit exceeded for {who}."
            raise Refusal(Code.FORBIDDEN, message, documentation_url=LIMITS_DOCS)

    def _limit_writes(self, principal: Principal) -> None:
        seconds = self._limits.seconds_to_write(key_of(principal))
        if seconds:
            raise Refusal(
                Code.FORBIDDEN,
                "You have exceeded a secondary rate limit. "
                "Please wait a few minutes before you try again.",
                documentation_url=SECONDARY_DOCS,
                headers={"Retry-After": str(seconds)},
            )


def key_of(principal: Principal) -> str:
    return f"user:{principal.account.id}"


def token_of(header: str) -> str | None:
    """The token in an Authorization header, None without one; anything else in it is refused."""
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if not scheme:
        return None
    match scheme.lower():
        case "token" | "bearer" if value:
            return value
        case "basic":
            token = token_in_basic(value)
            if token:
                return token
    raise Refusal(Code.UNAUTHENTICATED, "Bad credentials")


def token_in_basic(value: str) -> str:
    """git sends the token as the password; as the user it comes with `x-oauth-basic` or nothing."""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if password in ("", "x-oauth-basic") else password
