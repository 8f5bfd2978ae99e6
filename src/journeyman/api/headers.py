"""The headers of every answer, preflights, and HEAD as GET without a body. Pure ASGI.

Knows nothing of routes or bodies.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeyman.api.exchange import KEY, PREFIX, Exchange
from journeyman.domain.principals import TokenKind

ALWAYS = {
    "X-GitHub-Media-Type": "github.v3; format=json",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, "
        "X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, "
        "X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, "
        "X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset, Warning"
    ),
    "Strict-Transport-Security": "max-age=31536000; includeSubdomains; preload",
    "X-Frame-Options": "deny",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "origin-when-cross-origin, strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'",
    "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, X-Requested-With",
}
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
        current = Exchange(head=scope["method"] == "HEAD", public_url=self.public_url)
        inner = opened(scope, current)

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                add(MutableHeaders(scope=message), current, message["status"])
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


def add(headers: MutableHeaders, current: Exchange, status: int) -> None:
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    headers["X-GitHub-Request-Id"] = current.request_id
    headers.setdefault("Cache-Control", CACHE_SIGNED if current.principal else CACHE_ANONYMOUS)
    if current.api_version:
        headers["X-GitHub-Api-Version-Selected"] = current.api_version
    add_token(headers, current, status)
    add_window(headers, current, status)


def add_token(headers: MutableHeaders, current: Exchange, status: int) -> None:
    principal = current.principal
    if principal is not None and principal.kind in WITH_SCOPES:
        headers["X-OAuth-Scopes"] = ", ".join(principal.scopes or ())
        headers["X-Accepted-OAuth-Scopes"] = "repo" if current.needs else ""
    elif current.needs and (principal is not None or status == 403):
        headers["X-Accepted-GitHub-Permissions"] = current.needs
    if principal is not None and principal.expires_at is not None:
        headers["GitHub-Authentication-Token-Expiration"] = expiration(principal.expires_at)


def expiration(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def add_window(headers: MutableHeaders, current: Exchange, status: int) -> None:
    window = current.window
    if window is None:
        return
    if status == 304:
        window.used -= 1
    headers["X-RateLimit-Limit"] = str(window.limit)
    headers["X-RateLimit-Remaining"] = str(window.remaining)
    headers["X-RateLimit-Reset"] = str(window.resets_at)
    headers["X-RateLimit-Used"] = str(min(window.used, window.limit))
    headers["X-RateLimit-Resource"] = "core"
