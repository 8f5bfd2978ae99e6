"""What administrators of the server look after: users and registered apps."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.domain.oauth import PERMISSIONS, READ_ONLY, App, AppKind
from journeyman.domain.repositories import Account
from journeyman.service import Services
from journeyman.service.apps import NewApp
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings.filled import Filled

USERS = f"{addresses.SETTINGS}/users"
APPS = f"{addresses.SETTINGS}/apps"
USER_FIELDS = frozenset({"user"})
APP_FIELDS = frozenset({"name", "callback_url"})
SAID = frozenset({"created", "suspended", "reinstated", "deleted"})


class Managed:
    """Every page is Not Found for those who do not administer the server."""

    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    def _administrator(self, request: Request, visit: Visit) -> Account:
        account = self._desk.account(request, visit)
        if not account.site_admin:
            raise not_found("Not Found")
        return account

    # --- Users -----------------------------------------------------------------------------------

    async def users(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        return await self._users(request, visit)

    async def create_user(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        sent = await self._desk.form(request, visit)
        try:
            made = await self._services.users.create(sent.get("user", "").strip())
        except AppError as error:
            return await self._users(request, visit, Filled(sent, error, USER_FIELDS))
        return await self._link(request, visit, made.login)

    async def change_user(self, request: Request, visit: Visit) -> Response:
        administrator = self._administrator(request, visit)
        await self._desk.form(request, visit)
        login, verb = request.path_params["login"], request.path_params["verb"]
        if verb == "link":
            return await self._link(request, visit, login)
        if verb == "suspend":
            await self._services.users.suspend(administrator, login)
        elif verb == "reinstate":
            await self._services.users.reinstate(login)
        else:
            raise not_found("Not Found")
        return render.redirect(f"{USERS}?said={verb.removesuffix('e')}ed")

    async def _link(self, request: Request, visit: Visit, login: str) -> Response:
        secret = await self._services.users.create_link(login)
        address = f"{str(request.base_url).rstrip('/')}/login/link/{secret}"
        return self._desk.page("settings/link_made.html", visit, login=login, address=address)

    async def _users(
        self, request: Request, visit: Visit, filled: Filled | None = None
    ) -> Response:
        form = filled or Filled()
        return self._desk.page(
            "settings/users.html",
            visit,
            status=form.status,
            form=form,
            users=await self._services.users.list_all(),
            said=_said(request),
        )

    # --- Registered apps -------------------------------------------------------------------------

    async def apps(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        made = await self._services.apps.list()
        return self._desk.page("settings/apps.html", visit, apps=made, said=_said(request))

    async def new_app(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        return self._app_form(visit, Filled({"kind": AppKind.OAUTH}))

    async def create_app(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        sent = await self._desk.form(request, visit)
        try:
            app, secret = await self._services.apps.create(_new_app(sent))
        except AppError as error:
            return self._app_form(visit, Filled(sent, error, APP_FIELDS))
        return self._made(visit, app, secret)

    async def change_app(self, request: Request, visit: Visit) -> Response:
        self._administrator(request, visit)
        await self._desk.form(request, visit)
        client_id, verb = request.path_params["client_id"], request.path_params["verb"]
        if verb == "delete":
            await self._services.apps.delete(client_id)
            return render.redirect(f"{APPS}?said=deleted")
        if verb != "secret":
            raise not_found("Not Found")
        secret = await self._services.apps.renew_secret(client_id)
        apps = await self._services.apps.list()
        return self._made(visit, next(one for one in apps if one.client_id == client_id), secret)

    def _made(self, visit: Visit, app: App, secret: str | None) -> Response:
        return self._desk.page("settings/app_made.html", visit, app=app, secret=secret)

    def _app_form(self, visit: Visit, filled: Filled) -> Response:
        return self._desk.page(
            "settings/app_new.html",
            visit,
            status=filled.status,
            form=filled,
            permissions=PERMISSIONS,
            read_only=READ_ONLY,
        )


def _new_app(sent: Mapping[str, str]) -> NewApp:
    kind = AppKind.GITHUB if sent.get("kind") == AppKind.GITHUB else AppKind.OAUTH
    return NewApp(
        name=sent.get("name", "").strip(),
        kind=kind,
        callback_urls=tuple(sent.get("callback_url", "").split()),
        device_flow=bool(sent.get("device_flow")),
        permissions={
            name: sent[f"permission-{name}"]
            for name in PERMISSIONS
            if sent.get(f"permission-{name}") in ("read", "write")
        },
        public=bool(sent.get("public")),
    )


def _said(request: Request) -> str:
    said = request.query_params.get("said", "")
    return said if said in SAID else ""
