"""Logging in with a token of the forge that has the users; and out again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError
from journeyman.service import Services
from journeyman.web import forms
from journeyman.web.desk import Desk
from journeyman.web.login import HOME
from journeyman.web.session import Visit


class TokenLogin:
    """*forge_url*: where people get their tokens."""

    def __init__(self, desk: Desk, services: Services, forge_url: str) -> None:
        self._desk = desk
        self._services = services
        self._forge_url = forge_url

    async def show(self, request: Request, visit: Visit) -> Response:
        """Always the form: who is logged in may come here because their token has ended."""
        return self.form(visit, forms.local(request.query_params.get("return_to", "")) or "")

    async def log_in(self, request: Request, visit: Visit) -> Response:
        sent = await self._desk.form(request, visit)
        token, return_to = sent.get("token", "").strip(), forms.local(sent.get("return_to", ""))
        try:
            await self._services.logins.count_token(
                request.client.host if request.client else "local"
            )
            principal = await self._services.identity.authenticate(token)
        except AppError as error:
            return self.form(visit, return_to or "", error=error.message)
        target = return_to or HOME
        return await self._desk.enter(request, visit, principal.account, target, token=token)

    def form(self, visit: Visit, return_to: str, error: str = "") -> Response:
        return self._desk.page(
            "token.html",
            visit,
            status=422 if error else 200,
            return_to=return_to,
            error=error,
            forge_url=self._forge_url,
            at_the_forge=self._services.forge_logins is not None,
        )
