"""The versions of the API that `X-GitHub-Api-Version` may name.

None of them changes anything about tasks. Knows nothing of routes.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from journeyman.api import errors, exchange

SUPPORTED = ("2026-03-10", "2022-11-28")
"""Newest first."""
DEFAULT = SUPPORTED[-1]
KNOWN = frozenset({*SUPPORTED, "2026-01-09"})
"""2026-01-09 is what GitHub's CLI names for its agent commands."""
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Versions:
    """Selects the version, or refuses: 410 for one older than the oldest, 400 for any other."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = Request(scope).headers.get("x-github-api-version") or DEFAULT
        if wanted not in KNOWN:
            response = errors.body_of(status_of(wanted), message_of(wanted))
            await response(scope, receive, send)
            return
        exchange.of(scope).api_version = wanted
        await self.app(scope, receive, send)


def status_of(version: str) -> int:
    return 410 if DATE.fullmatch(version) and version < DEFAULT else 400


def message_of(version: str) -> str:
    newest, *older = SUPPORTED
    names = ", ".join([f'"{newest}" (most recent)', *(f'"{name}"' for name in older)])
    return (
        f'The version you specified in the "X-GitHub-API-Version" request header, "{version}", '
        f"is not a supported version. The following versions are currently supported: {names}."
    )
