"""`/repos/{owner}/{repo}/branches`, `/git/ref`, `/git/refs`, `/commits`.

Knows nothing of tokens, limits or git.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import commits, pagination, parameters, responses
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import not_found
from journeyman.domain.history import Tips
from journeyman.domain.principals import Principal
from journeyman.forge import Access
from journeyman.service import Services

HEADS = "heads/"


class History:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def branches(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        page, per_page = parameters.paging(parameters.pairs_of(request))
        tips = sorted((await self._services.histories.tips(access)).items())
        shown, more = parameters.page_of(tips, page, per_page)
        addresses = addresses_of(request.scope)
        content = [commits.short_branch(*tip, access.repository, addresses) for tip in shown]
        link = pagination.link(request, page=page, has_more=more)
        return responses.as_json(content, headers={"Link": link})

    async def branch(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        name = request.path_params["branch"]
        tip = await self._services.histories.tip_commit(access, name)
        addresses = addresses_of(request.scope)
        return responses.as_json(commits.branch(name, tip, access.repository, addresses))

    async def ref(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        tips = await self._services.histories.tips(access)
        name: str = request.path_params["ref"]
        if not name.startswith(HEADS) or name.removeprefix(HEADS) not in tips:
            raise not_found("There is no such branch.")
        return responses.as_json(self._ref(request, access, name.removeprefix(HEADS), tips))

    async def refs(self, request: Request, principal: Principal) -> Response:
        """Those that start with what is asked for, all of them without."""
        access = await self._access(request, principal)
        tips = await self._services.histories.tips(access)
        wanted = request.path_params.get("ref", "")
        names = [name for name in sorted(tips) if f"{HEADS}{name}".startswith(wanted)]
        return responses.as_json([self._ref(request, access, name, tips) for name in names])

    async def commit(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        name = request.path_params["ref"]
        found, files = await self._services.histories.commit(access, name)
        addresses = addresses_of(request.scope)
        content = commits.commit_with_files(found, files, access.repository, addresses)
        return responses.as_json(content)

    def _ref(self, request: Request, access: Access, name: str, tips: Tips) -> dict[str, Any]:
        return commits.ref(name, tips[name], access.repository, addresses_of(request.scope))

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)
