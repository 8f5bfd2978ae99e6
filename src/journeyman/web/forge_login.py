"""Logging in with an account of the forge that has the users, and back.

What leaves with the browser and comes back (RFC 6749, RFC 7636) is signed for its session, so that
nothing is kept meanwhile and nobody can be logged in by a link of another's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code
from journeyman.service.forge_logins import ForgeLogins
from journeyman.web import forms, render
from journeyman.web.desk import LOGIN, Desk
from journeyman.web.login import HOME
from journeyman.web.session import Visit
from journeyman.web.token_login import TokenLogin

BEGIN = f"{LOGIN}/forge"
CALLBACK = f"{LOGIN}/forge/callback"
FOREIGN = "This login did not begin in this browser, or it has ended since. Log in again."


class ForgeLogin:
    """*public_url*: without a slash at the end; empty: the address that was asked for."""

    def __init__(
        self, desk: Desk, logins: ForgeLogins, tokens: TokenLogin, public_url: str
    ) -> None:
        self._desk = desk
        self._logins = logins
        self._tokens = tokens
        self._public_url = public_url

    async def begin(self, request: Request, visit: Visit) -> Response:
        return_to = forms.local(request.query_params.get("return_to", "")) or HOME
        packed = base64.urlsafe_b64encode(return_to.encode()).decode().rstrip("=")
        content = f"{secrets.token_urlsafe(16)}.{packed}"
        address = self._logins.address(
            redirect_uri=self._callback(request),
            state=f"{content}.{await self._desk.signature('state', visit, content)}",
            verifier=await self._desk.signature("verifier", visit, content),
        )
        return render.redirect(address)

    async def back(self, request: Request, visit: Visit) -> Response:
        """What the forge sent the browser here with."""
        asked = request.query_params
        content, _, signature = asked.get("state", "").rpartition(".")
        expected = await self._desk.signature("state", visit, content)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise AppError(Code.FORBIDDEN, FOREIGN)
        target = _unpacked(content)
        if "error" in asked:
            why = asked.get("error_description") or asked["error"]
            return self._tokens.form(visit, target, f"You were not logged in: {why[:300]}")
        try:
            account, token = await self._logins.arrive(
                asked.get("code", ""),
                redirect_uri=self._callback(request),
                verifier=await self._desk.signature("verifier", visit, content),
            )
        except AppError as error:
            return self._tokens.form(visit, target, error.message)
        return await self._desk.enter(request, visit, account, target, token=token)

    def _callback(self, request: Request) -> str:
        return f"{self._public_url or str(request.base_url).rstrip('/')}{CALLBACK}"


def _unpacked(content: str) -> str:
    packed = content.partition(".")[2]
    try:
        text = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, ValueError):
        return HOME
    return forms.local(text) or HOME
