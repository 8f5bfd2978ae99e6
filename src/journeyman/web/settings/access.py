"""The settings of a repository: who may read it, give the agent work there, or administer it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, invalid
from journeyman.domain.repositories import Permission
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.web import addresses, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.settings.filled import Filled

FIELDS = frozenset({"user", "permission"})
GIVEN: Mapping[str, Permission] = {
    one.name.lower(): one for one in (Permission.READ, Permission.WRITE, Permission.ADMIN)
}
SAID = frozenset({"saved", "removed"})


class AccessTo:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def show(self, request: Request, visit: Visit) -> Response:
        return await self._page(request, visit, await self._access(request, visit), Filled())

    async def grant(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        sent = await self._desk.form(request, visit)
        try:
            permission = _permission(sent.get("permission", ""))
            await self._services.collaborators.grant(
                access, sent.get("user", "").strip(), permission
            )
        except AppError as error:
            return await self._page(request, visit, access, Filled(sent, error, FIELDS))
        return render.redirect(addresses.settings(access.repository, "/access?said=saved"))

    async def remove(self, request: Request, visit: Visit) -> Response:
        access = await self._access(request, visit)
        await self._desk.form(request, visit)
        login = request.path_params["login"]
        await self._services.collaborators.grant(access, login, Permission.NONE)
        return render.redirect(addresses.settings(access.repository, "/access?said=removed"))

    async def _access(self, request: Request, visit: Visit) -> Access:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)

    async def _page(
        self, request: Request, visit: Visit, access: Access, filled: Filled
    ) -> Response:
        said = request.query_params.get("said", "")
        return self._desk.page(
            "settings/access.html",
            visit,
            status=filled.status,
            form=filled,
            repository=access.repository,
            people=await self._services.collaborators.list(access),
            said=said if said in SAID else "",
        )


def _permission(word: str) -> Permission:
    if word not in GIVEN:
        raise invalid("permission", f"{word[:40]!r} is none of {', '.join(GIVEN)}.", "invalid")
    return GIVEN[word]
