"""One path and its methods, and what is answered where there is none.

Knows no path by name.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from journeyman.api import exchange
from journeyman.api.auth import Endpoint
from journeyman.domain.errors import not_found
from journeyman.service import audit
from journeyman.telemetry.requests import note_route


class Methods:
    """One path's endpoints; another method is a 404, as with GitHub."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.endpoints.get(scope["method"])
        if endpoint is None or "\0" in scope["path"]:
            raise not_found("Nothing is served here.")
        note_route(scope)
        with audit.acting(exchange.author_of(scope)):
            response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


def route(path: str, **endpoints: Endpoint) -> Route:
    return Route(path, Methods(endpoints))


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose()(scope, receive, send)
        return
    raise not_found("Nothing is served here.")
