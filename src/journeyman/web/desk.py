"""What every page does: find the session, check the form, render, give the cookie, show errors.

Knows nothing of what a page is about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from journeyman.domain.audit import Author, Surface
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Account
from journeyman.service import audit
from journeyman.service.identity import Identity
from journeyman.telemetry.requests import note_route
from journeyman.web import forms, render
from journeyman.web.session import Sessions, Visit
from journeyman.web.viewer import principal_of

STATUS: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.INVALID: 422,
    Code.GONE: 410,
    Code.UNAVAILABLE: 503,
}
LOGIN = "/login"

Page = Callable[[Request, Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger(__name__)


class Templates(Protocol):
    def page(
        self, template: str, *, account: Account | None, status: int = ..., **values: Any
    ) -> Response: ...


class LoggedOut(Exception):
    """The page is for somebody who is logged in."""


class Desk:
    def __init__(
        self, pages: Templates, sessions: Sessions, identity: Identity | None = None
    ) -> None:
        """*identity*: who says what a session's token may do, where another forge knows it; None:
        the store knows what its account may do."""
        self._pages = pages
        self._sessions = sessions
        self._identity = identity

    def endpoint(self, page: Page) -> Endpoint:
        async def respond(request: Request) -> Response:
            if "route" in request.scope:
                note_route(request.scope)
            visit = await self._sessions.visit(request)
            response = await self._guarded(page, request, visit)
            if visit.new and "set-cookie" not in response.headers:
                await self._sessions.remember(request, response, visit)
            return response

        return respond

    async def _guarded(self, page: Page, request: Request, visit: Visit) -> Response:
        address = request.client.host if request.client else None
        try:
            with audit.acting(Author(Surface.WEB, visit.account, address=address)):
                return await page(request, visit)
        except LoggedOut:
            return render.redirect(_login_for(request))
        except AppError as error:
            return self.page("error.html", visit, status=STATUS[error.code], error=error.message)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - a bug: the reader is told so, the log has the traceback
            log.exception("page.failed", path=request.url.path)
            return self.page("error.html", visit, status=500, error="Something went wrong here.")

    async def visit(self, request: Request) -> Visit:
        """Who sent it, as of now: a session may have ended since it came."""
        return await self._sessions.visit(request)

    def page(self, template: str, visit: Visit, **values: Any) -> Response:
        return self._pages.page(template, account=visit.account, csrf=visit.csrf, **values)

    async def form(
        self, request: Request, visit: Visit, *, limit: int = forms.LIMIT
    ) -> dict[str, str]:
        """What was sent, once it is sure that one of this session's pages sent it."""
        sent = await forms.read(request, limit=limit)
        self._sessions.check_form(request, visit, sent.get("csrf", ""))
        return sent

    def account(self, _request: Request, visit: Visit) -> Account:
        """Who is logged in; without anybody, the browser is sent to log in first."""
        if visit.account is None:
            raise LoggedOut
        return visit.account

    async def principal(self, request: Request, visit: Visit) -> Principal:
        """Who is logged in, and what they may do; sent to log in again when their token has
        ended."""
        account = self.account(request, visit)
        if self._identity is None:
            return principal_of(account)
        token = await self._sessions.token(visit)
        try:
            return await self._identity.authenticate(token or "")
        except AppError as error:
            if error.code is Code.UNAUTHENTICATED:
                raise LoggedOut from error
            raise

    async def signature(self, purpose: str, visit: Visit, text: str) -> str:
        """As `Sessions.signature`."""
        return await self._sessions.signature(purpose, visit, text)

    async def enter(
        self,
        request: Request,
        before: Visit,
        account: Account,
        target: str,
        *,
        token: str | None = None,
    ) -> Response:
        """On to *target*, logged in; with a *token* of another forge."""
        response = render.redirect(target)
        visit = await self._sessions.log_in(before, account, token)
        await self._sessions.remember(request, response, visit)
        return response

    async def leave(self, request: Request, before: Visit) -> Response:
        response = render.redirect(LOGIN)
        await self._sessions.remember(request, response, await self._sessions.log_out(before))
        return response


def _login_for(request: Request) -> str:
    """The login page, which leads back; a form that was sent is not sent again, but its page is
    shown, where the browser has kept what was typed."""
    query = request.url.query
    target = request.url.path + (f"?{query}" if query else "")
    if request.method != "GET":
        before = urlsplit(request.headers.get("referer", ""))
        target = before.path if before.netloc == request.url.netloc else request.url.path
    return f"{LOGIN}?return_to={quote(target, safe='')}"
