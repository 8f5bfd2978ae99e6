"""`/openapi.json`, and `/docs`, which shows it: a page, a style and a script of our own.

Nothing is fetched from elsewhere and nothing runs inline. Knows nothing of what is described.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import description, responses
from journeyman.api.exchange import addresses_of

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def openapi(request: Request) -> Response:
    servers = [{"url": addresses_of(request.scope).api}]
    return responses.as_json({**description.document(), "servers": servers})


def page(name: str) -> Callable[[Request], Awaitable[Response]]:
    """One file of this directory."""

    async def endpoint(_request: Request) -> Response:
        content = files(__name__).joinpath(name).read_bytes()
        kind = KINDS[name.rpartition(".")[2]]
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": POLICY}
        return Response(content, headers=headers)

    return endpoint
