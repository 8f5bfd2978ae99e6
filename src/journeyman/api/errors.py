"""The one map from errors to GitHub's statuses and bodies, and the last stop for bugs.

Knows nothing of routes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from msgspec import UNSET, UnsetType
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeyman.api import exchange
from journeyman.api.responses import as_json
from journeyman.domain.errors import AppError, Code, FieldError, Renamed

DOCS = "https://docs.github.com/rest"
RESOURCE = "Task"
FORMER = re.compile(r"^((?:/agents)?/repos/)[^/]+/[^/]+")
# 409 is not GitHub's here, and octokit would retry it three times.
STATUS: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.INVALID: 422,
    Code.CONFLICT: 422,
    Code.GONE: 410,
    Code.UNAVAILABLE: 503,
}

log = structlog.get_logger(__name__)


class Refusal(AppError):
    """An error of this surface, with what GitHub says beside the message."""

    def __init__(
        self,
        code: Code,
        message: str,
        fields: tuple[FieldError, ...] = (),
        *,
        documentation_url: str = DOCS,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code, message, fields)
        self.documentation_url = documentation_url
        self.headers = headers
        self.status = status
        """Where GitHub has one of its own for this."""


class ErrorItem(msgspec.Struct):
    """GitHub's own clients read `code`; `resource`, `field` and `message` are for people."""

    resource: str
    code: str
    message: str
    field: str | UnsetType = UNSET


class ErrorBody(msgspec.Struct):
    message: str
    documentation_url: str
    status: str | UnsetType = UNSET
    errors: list[ErrorItem] | UnsetType = UNSET


def invalid_request(message: str, field: str, code: str) -> Refusal:
    """The body has not the shape of the contract: GitHub's `Invalid request`."""
    text = f"Invalid request.\n\n{message}"
    return Refusal(Code.INVALID, text, (FieldError(field, code, message),))


def respond(error: AppError) -> Response:
    refusal = error if isinstance(error, Refusal) else None
    status = (refusal.status if refusal else None) or STATUS[error.code]
    return body_of(
        status,
        _message_of(error),
        items=_items_of(error) if status == 422 else None,
        documentation_url=refusal.documentation_url if refusal else DOCS,
        headers=refusal.headers if refusal else None,
    )


def body_of(
    status: int, message: str, *, items: list[ErrorItem] | None = None, **more: Any
) -> Response:
    headers = more.pop("headers", None)
    body = ErrorBody(message, more.pop("documentation_url", DOCS), str(status), items or UNSET)
    return as_json(body, status, headers=headers)


def redirect(scope: Scope, error: Renamed) -> Response:
    """To the same under its new name; 307 makes clients send the same method and body again."""
    status = 301 if scope["method"] == "GET" else 307
    route = scope["path"].removeprefix(scope.get("root_path", ""))
    path = quote(FORMER.sub(rf"\g<1>{error.full_name}", route, count=1))
    query = scope["query_string"].decode("latin-1")
    url = f"{exchange.addresses_of(scope).api}{path}{'?' if query else ''}{query}"
    moved = {
        "message": "Moved Permanently" if status == 301 else "Temporary Redirect",
        "url": url,
        "documentation_url": DOCS,
    }
    return as_json(moved, status, headers={"Location": url})


def _message_of(error: AppError) -> str:
    if isinstance(error, Refusal):
        return error.message
    if error.code is Code.NOT_FOUND:
        return "Not Found"
    if error.code is Code.UNAUTHENTICATED:
        return "Bad credentials"
    if error.code is Code.INVALID and error.fields:
        return "Validation Failed"
    return error.message


def _items_of(error: AppError) -> list[ErrorItem] | None:
    if error.code is Code.CONFLICT:
        return [ErrorItem(RESOURCE, "unprocessable", error.message)]
    return [ErrorItem(RESOURCE, e.code, e.message, e.field) for e in error.fields]


class Boundary:
    """Turns every exception of the application inside it into a response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, note)
        except ClientDisconnect:
            log.info("request.abandoned", path=scope["path"])
        except Renamed as error:
            await redirect(scope, error)(scope, receive, send)
        except AppError as error:
            await respond(error)(scope, receive, send)
        except Exception:  # noqa: BLE001 - a bug: the caller gets an id, the log the traceback
            request_id = exchange.of(scope).request_id
            log.exception("request.failed", path=scope["path"], request_id=request_id)
            if not started:
                await body_of(500, "Server Error")(scope, receive, send)
