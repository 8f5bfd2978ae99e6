"""`GET /metrics`, in Prometheus' text format, for those who may: whoever has the configured token,
or, where there is none, this machine itself.

Pure ASGI, so that a worker without the API can serve it too.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from journeyman.telemetry.metrics import REGISTRY
from journeyman.telemetry.requests import note_route

PATH = "/metrics"
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Whoever sends one of these is a proxy, and speaks for somebody else."""
REFUSED = (
    "Metrics are for this machine only, and not through a proxy; "
    "set metrics.token and send it as a bearer token.\n"
)

Refresh = Callable[[], Awaitable[None]]


class Metrics:
    """*refresh* brings up to date what is read off at each request."""

    def __init__(self, refresh: Refresh, *, token: str = "") -> None:
        self._refresh = refresh
        self._token = token

    def matches(self, path: str) -> bool:
        return path == PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(scope)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope) -> Response:
        if scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Not Found\n", 404)
        note_route(scope, PATH)
        headers = Headers(scope=scope)
        if self._token:
            if not _has(self._token, headers):
                challenge = {"WWW-Authenticate": 'Bearer realm="metrics"'}
                return PlainTextResponse("Requires metrics.token\n", 401, challenge)
        elif not _is_here(scope, headers):
            return PlainTextResponse(REFUSED, 403)
        await self._refresh()
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has(token: str, headers: Headers) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return scheme.lower() == "bearer" and same


def _is_here(scope: Scope, headers: Headers) -> bool:
    if any(name in headers for name in FORWARDED):
        return False
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
