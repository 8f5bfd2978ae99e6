"""The route table of the pages that log people in. Knows nothing of what a page does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from journeyman.domain.errors import not_found
from journeyman.service import Services
from journeyman.web import assets
from journeyman.web.consent import Consent
from journeyman.web.desk import Desk, Page
from journeyman.web.forge_login import BEGIN, CALLBACK, ForgeLogin
from journeyman.web.login import Login
from journeyman.web.pages import Pages
from journeyman.web.session import Sessions, Visit
from journeyman.web.token_login import TokenLogin

WHOLE = frozenset({"/login", "/logout"})
BELOW = "/login/"


class SignIn:
    """A pure ASGI application for the addresses that `matches`."""

    def __init__(self, services: Services, *, public_url: str = "", forge_url: str = "") -> None:
        """*forge_url*: where the users are; empty: here."""
        sessions = Sessions(services.logins, public_url=public_url)
        self._desk = Desk(Pages(assets.load(), part="login", scripted=False), sessions)
        login = Login(self._desk, services.logins)
        routes = [
            *self._login(login),
            *self._consent(Consent(self._desk, services.consents)),
        ]
        if forge_url:
            tokens = TokenLogin(self._desk, services, forge_url)
            routes = [
                self._route("/login", tokens.show, tokens.log_in),
                self._route("/logout", login.show_log_out, login.log_out),
            ]
            if services.forge_logins is not None:
                there = ForgeLogin(self._desk, services.forge_logins, tokens, public_url)
                routes += self._at_the_forge(there)
        nothing = Route("/", self._desk.endpoint(_nothing)).app
        self._router = Router(routes, redirect_slashes=False, default=nothing)

    def matches(self, path: str) -> bool:
        return path in WHOLE or path.startswith(BELOW)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)

    def _login(self, login: Login) -> list[BaseRoute]:
        return [
            self._route("/login", login.show, login.log_in),
            self._route("/logout", login.show_log_out, login.log_out),
            self._route("/login/link/{secret}", login.show_link, login.use_link),
            self._route("/login/password", login.show_password, login.change_password),
        ]

    def _at_the_forge(self, forge_login: ForgeLogin) -> list[BaseRoute]:
        return [
            Route(BEGIN, self._desk.endpoint(forge_login.begin), methods=["GET"]),
            Route(CALLBACK, self._desk.endpoint(forge_login.back), methods=["GET"]),
        ]

    def _consent(self, consent: Consent) -> list[BaseRoute]:
        return [
            self._route("/login/device", consent.show_device, consent.device),
            self._route("/login/oauth/authorize", consent.show_authorize, consent.authorize),
        ]

    def _route(self, path: str, show: Page, send: Page) -> Route:
        """*show* for GET and HEAD, *send* for the form on the page."""

        async def either(request: Request, visit: Visit) -> Response:
            return await (send if request.method == "POST" else show)(request, visit)

        return Route(path, self._desk.endpoint(either), methods=["GET", "POST"])


async def _nothing(_request: Request, _visit: Visit) -> Response:
    raise not_found("There is no such page.")
