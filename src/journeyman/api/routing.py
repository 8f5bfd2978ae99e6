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
from journeyman.api.errors import Refusal
from journeyman.domain.errors import Code, not_found
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


class Nowhere:
    """*forge_url*: where to look instead for what a forge has; empty for nowhere else."""

    def __init__(self, forge_url: str) -> None:
        elsewhere = f"Users, repositories and pull requests are at {forge_url}."
        self._message = elsewhere if forge_url else "Not Found"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        raise Refusal(Code.NOT_FOUND, self._message)
