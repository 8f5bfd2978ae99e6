"""Who is looking at a page: a signed cookie, a row behind it, and the proof that a form is ours.

A visitor has a session id before logging in too, so that the login form is safe against forgery;
logging in makes a new one, so that nobody can plant theirs. Knows nothing of routes or templates.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code
from journeyman.domain.repositories import Account
from journeyman.service.logins import SESSION, Logins

FORGED = "This form is too old, or it did not come from this server. Go back and try again."
OWN_SITE = frozenset({"same-origin", "none"})


@dataclass(frozen=True)
class Visit:
    """One request's session. *account* is None while nobody is logged in."""

    id: str = field(repr=False)
    account: Account | None
    csrf: str = field(repr=False)
    new: bool
    """The browser does not have its cookie yet."""


class Sessions:
    def __init__(self, logins: Logins, *, public_url: str = "") -> None:
        self._logins = logins
        self._https = public_url.startswith("https:")
        self._key: bytes | None = None

    async def visit(self, request: Request) -> Visit:
        known = await self._known(request.cookies.get(self._name(request), ""))
        if known is None:
            return await self._visit(secrets.token_urlsafe(32), None, new=True)
        return await self._visit(known, await self._logins.find_session(known), new=False)

    async def signature(self, purpose: str, visit: Visit, text: str) -> str:
        """Of a *text* that leaves the server and comes back to the same session, in hexadecimal."""
        return await self._signature(purpose, f"{visit.id}:{text}")

    async def token(self, visit: Visit) -> str | None:
        """Of another forge, where the session began with one."""
        return await self._logins.find_token(visit.id)

    async def log_in(self, before: Visit, account: Account, token: str | None = None) -> Visit:
        """A session with a new id; the one before ends. *token*: as `Logins.start_session`."""
        await self._logins.end_session(before.id)
        visit = await self._visit(secrets.token_urlsafe(32), account, new=True)
        await self._logins.start_session(visit.id, account, token)
        return visit

    async def log_out(self, before: Visit) -> Visit:
        await self._logins.end_session(before.id)
        return await self._visit(secrets.token_urlsafe(32), None, new=True)

    async def remember(self, request: Request, response: Response, visit: Visit) -> None:
        """Give the browser its cookie."""
        secure = self._secure(request)
        response.set_cookie(
            self._name(request),
            f"{visit.id}.{await self._signature('session', visit.id)}",
            max_age=int(SESSION.total_seconds()) if visit.account else None,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )

    def check_form(self, request: Request, visit: Visit, given: str) -> None:
        """FORBIDDEN for a form that another site sent, or that was made for another session."""
        site = request.headers.get("sec-fetch-site", "none")
        ours = hmac.compare_digest(given.encode(), visit.csrf.encode())
        if not ours or site not in OWN_SITE:
            raise AppError(Code.FORBIDDEN, FORGED)

    async def _visit(self, session_id: str, account: Account | None, *, new: bool) -> Visit:
        return Visit(session_id, account, await self._signature("form", session_id), new)

    async def _known(self, cookie: str) -> str | None:
        """The session id in a cookie that this server signed."""
        session_id, _, signature = cookie.partition(".")
        expected = await self._signature("session", session_id)
        same = hmac.compare_digest(signature.encode(), expected.encode())
        return session_id if same else None

    async def _signature(self, purpose: str, text: str) -> str:
        if self._key is None:
            self._key = await self._logins.key()
        message = f"{purpose}:{text}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def _secure(self, request: Request) -> bool:
        return self._https or request.url.scheme == "https"

    def _name(self, request: Request) -> str:
        """With https a name that no other host may set."""
        return "__Host-journeyman" if self._secure(request) else "journeyman"
