"""The audit log: of the server, for its administrators, and of one repository, for its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.audit import Action, AuditQuery, Entry
from journeyman.domain.errors import not_found
from journeyman.domain.repositories import Repository
from journeyman.service import Services
from journeyman.web import addresses
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

PER_PAGE = 50
KINDS = tuple(dict.fromkeys(action.partition(".")[0] for action in Action))


class AuditLog:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def of_server(self, request: Request, visit: Visit) -> Response:
        if not self._desk.account(request, visit).site_admin:
            raise not_found("Not Found")
        found, more = await self._services.audit.all(_query(request.query_params))
        return self._page(request, visit, found, more, None)

    async def of_repository(self, request: Request, visit: Visit) -> Response:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        query = _query(request.query_params)
        found, more = await self._services.audit.of_repository(access, query)
        return self._page(request, visit, found, more, access.repository)

    def _page(
        self,
        request: Request,
        visit: Visit,
        found: Sequence[Entry],
        more: bool,
        repository: Repository | None,
    ) -> Response:
        asked = {key: request.query_params.get(key, "") for key in ("actor", "kind")}
        older = {**asked, "after": found[-1].id if found else ""}
        path = request.url.path
        return self._desk.page(
            "settings/audit_of_repository.html" if repository else "settings/audit.html",
            visit,
            repository=repository,
            found=found,
            asked=asked,
            kinds=KINDS,
            path=path,
            older=addresses.with_query(path, older) if more else "",
        )


def _query(asked: Mapping[str, str]) -> AuditQuery:
    after, kind, actor = asked.get("after", ""), asked.get("kind", ""), asked.get("actor", "")
    return AuditQuery(
        per_page=PER_PAGE,
        after=int(after) if after.isdecimal() and after.isascii() and len(after) < 19 else None,
        actions=frozenset({kind}) if kind in KINDS else frozenset(),
        actors=frozenset({actor.strip()[:39]}) if actor.strip() else frozenset(),
    )
