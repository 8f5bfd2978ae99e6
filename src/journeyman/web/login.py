"""Logging in and out: the password form, the one-time link, the password of one's own.

Knows nothing of apps and devices.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError
from journeyman.domain.repositories import Account
from journeyman.service.logins import SHORTEST, Logins
from journeyman.web import forms, render
from journeyman.web.desk import LOGIN, Desk
from journeyman.web.session import Visit

HOME = "/agents"


class Login:
    def __init__(self, desk: Desk, logins: Logins) -> None:
        self._desk = desk
        self._logins = logins

    async def show(self, request: Request, visit: Visit) -> Response:
        """The form; for somebody who is logged in, what they can do here."""
        return_to = forms.local(request.query_params.get("return_to", ""))
        if visit.account is None:
            return self._form(visit, return_to or "")
        if return_to is not None:
            return render.redirect(return_to)
        known = await self._logins.has_password(visit.account)
        return self._desk.page("account.html", visit, has_password=known)

    async def log_in(self, request: Request, visit: Visit) -> Response:
        sent = await self._desk.form(request, visit)
        login, return_to = sent.get("login", "").strip(), forms.local(sent.get("return_to", ""))
        address = request.client.host if request.client else "local"
        try:
            account = await self._logins.log_in(login, sent.get("password", ""), address)
        except AppError as error:
            return self._form(visit, return_to or "", login=login, error=error.message)
        return await self._desk.enter(request, visit, account, return_to or HOME)

    def _form(self, visit: Visit, return_to: str, *, login: str = "", error: str = "") -> Response:
        values = {"return_to": return_to, "login": login, "error": error}
        return self._desk.page("login.html", visit, status=422 if error else 200, **values)

    async def show_log_out(self, _request: Request, visit: Visit) -> Response:
        if visit.account is None:
            return render.redirect(LOGIN)
        return self._desk.page("logout.html", visit)

    async def log_out(self, request: Request, visit: Visit) -> Response:
        await self._desk.form(request, visit)
        return await self._desk.leave(request, visit)

    # --- One-time links: opening one does nothing, so that a preview does not use it up ----------

    async def show_link(self, request: Request, visit: Visit) -> Response:
        return await self._link_form(request, visit)

    async def _link_form(
        self, request: Request, visit: Visit, *, login: str = "", error: str = ""
    ) -> Response:
        link = await self._logins.find_link(request.path_params["secret"])
        return self._desk.page(
            "link.html",
            visit,
            status=422 if error else 200,
            link=link,
            login=login,
            error=error,
            shortest=SHORTEST,
        )

    async def use_link(self, request: Request, visit: Visit) -> Response:
        sent = await self._desk.form(request, visit)
        secret, login = request.path_params["secret"], sent.get("login", "").strip()
        await self._logins.find_link(secret)
        try:
            password = sent.get("password", "")
            account = await self._logins.use_link(secret, login=login, password=password)
        except AppError as error:
            return await self._link_form(request, visit, login=login, error=error.message)
        return await self._desk.enter(request, visit, account, HOME)

    # --- The password of one's own ---------------------------------------------------------------

    async def show_password(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        return await self._password_form(visit, account)

    async def _password_form(self, visit: Visit, account: Account, error: str = "") -> Response:
        known = await self._logins.has_password(account)
        return self._desk.page(
            "password.html",
            visit,
            status=422 if error else 200,
            has_password=known,
            error=error,
            shortest=SHORTEST,
        )

    async def change_password(self, request: Request, visit: Visit) -> Response:
        account = self._desk.account(request, visit)
        sent = await self._desk.form(request, visit)
        try:
            await self._logins.change_password(
                account, sent.get("current", ""), sent.get("password", "")
            )
        except AppError as error:
            return await self._password_form(visit, account, error.message)
        return await self._desk.enter(request, visit, account, HOME)
