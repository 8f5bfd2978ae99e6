"""The headers of every answer, preflights, and HEAD as GET without a body. Pure ASGI.

Knows nothing of routes or bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeyman.api.exchange import KEY, PREFIX, Exchange, new_request_id
from journeyman.domain.principals import TokenKind
from journeyman.telemetry.requests import request_id

ALWAYS = {
    "X-GitHub-Media-Type": "github.v3; format=json",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, "
        "X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, "
        "X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, "
        "X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset, Warning"
    ),
    "X-Frame-Options": "deny",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "origin-when-cross-origin, strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'",
    "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, X-Requested-With",
}
ALWAYS_RAW = tuple((name.lower().encode(), value.encode()) for name, value in ALWAYS.items())
# Not GitHub's max-age=60: a client that polls a task would see it a minute late.
CACHE_SIGNED = "private, max-age=0, must-revalidate"
CACHE_ANONYMOUS = "no-cache"
PREFLIGHT = {
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
        "If-Unmodified-Since, Accept-Encoding, X-GitHub-OTP, X-Requested-With, User-Agent, "
        "GraphQL-Features, X-GitHub-Api-Version, Idempotency-Key, Last-Event-ID"
    ),
    "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
    "Access-Control-Max-Age": "86400",
}
Lines = Mapping[str, str]

WITH_SCOPES = frozenset({TokenKind.CLASSIC, TokenKind.OAUTH})


class Headers:
    """Outermost: opens the exchange, and completes whatever answer comes back."""

    def __init__(self, app: ASGIApp, *, public_url: str = "") -> None:
        self.app = app
        self.public_url = public_url.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        current = Exchange(
            head=scope["method"] == "HEAD",
            public_url=self.public_url,
            request_id=request_id(scope) or new_request_id(),
        )
        inner = opened(scope, current)

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": completed(message, current)}
            elif current.head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=PREFLIGHT)(inner, receive, complete)
        else:
            await self.app(inner, receive, complete)


def opened(scope: Scope, current: Exchange) -> Scope:
    """The scope as routes see it: HEAD is GET, the prefix is part of the root path."""
    inner = {**scope, KEY: current}
    if current.head:
        inner["method"] = "GET"
    root = scope.get("root_path", "")
    if scope["path"] == root + PREFIX:
        inner["path"] = root + PREFIX + "/"
    if inner["path"].startswith(root + PREFIX + "/"):
        inner["root_path"] = root + PREFIX
    return inner


def completed(message: Message, current: Exchange) -> list[tuple[bytes, bytes]]:
    """The answer's own headers, and what is missing of the others."""
    own = list(message["headers"])
    names = {name for name, _ in own}
    more = {
        "x-github-request-id": current.request_id,
        "cache-control": CACHE_SIGNED if current.principal else CACHE_ANONYMOUS,
        **of_version(current),
        **of_token(current, message["status"]),
        **of_window(current, message["status"]),
    }
    written = [(name.encode(), value.encode("latin-1")) for name, value in more.items()]
    return own + [pair for pair in (*ALWAYS_RAW, *written) if pair[0] not in names]


def of_version(current: Exchange) -> Lines:
    if current.api_version is None:
        return {}
    return {"x-github-api-version-selected": current.api_version}


def of_token(current: Exchange, status: int) -> Lines:
    found, principal = {}, current.principal
    if principal is not None and principal.kind in WITH_SCOPES:
        found["x-oauth-scopes"] = ", ".join(principal.scopes or ())
        found["x-accepted-oauth-scopes"] = "repo" if current.needs else ""
    elif current.needs and (principal is not None or status == 403):
        found["x-accepted-github-permissions"] = current.needs
    if principal is not None and principal.expires_at is not None:
        until = principal.expires_at.astimezone(UTC)
        found["github-authentication-token-expiration"] = f"{until:%Y-%m-%d %H:%M:%S} UTC"
    return found


def of_window(current: Exchange, status: int) -> Lines:
    """What is unchanged does not count."""
    window = current.window
    if window is None:
        return {}
    if status == 304:
        window.count(-1)
    return {
        "x-ratelimit-limit": str(window.limit),
        "x-ratelimit-remaining": str(window.remaining),
        "x-ratelimit-reset": str(window.resets_at),
        "x-ratelimit-used": str(min(window.used, window.limit)),
        "x-ratelimit-resource": "core",
    }
