"""What another forge answers itself: GitHub's own reads of users, repositories and their code.

Nothing is changed through here, and the caller's token is asked with.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from journeyman.api.auth import Gate
from journeyman.api.exchange import addresses_of
from journeyman.api.routing import route
from journeyman.domain.errors import not_found
from journeyman.domain.principals import Principal
from journeyman.service.upstream import Upstream

REPOSITORY = "/repos/{owner}/{repo}"
PATHS = (
    "/user",
    REPOSITORY,
    *(
        f"{REPOSITORY}/{rest}"
        for rest in (
            "pulls",
            "pulls/{pull_number}",
            "pulls/{pull_number}/files",
            "pulls/{pull_number}/commits",
            "pulls/{pull_number}/merge",
            "branches",
            "branches/{branch:path}",
            "git/ref/{ref:path}",
            "git/matching-refs/{ref:path}",
            "commits/{ref:path}",
        )
    ),
)
"""What the embedded forge answers, too."""


class Passed:
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def get(self, request: Request, principal: Principal) -> Response:
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        if {".", ".."} & set(path.split("/")):
            raise not_found("Not Found")
        answer = await self._upstream.get(
            principal,
            quote(path, safe="/"),
            request.url.query,
            request.headers.get("accept", "*/*"),
        )
        api = addresses_of(request.scope).api
        headers = {name: value.replace("{api}", api) for name, value in answer.headers.items()}
        return Response(answer.body, answer.status, headers)


def of_upstream(gate: Gate, upstream: Upstream) -> list[BaseRoute]:
    passed = Passed(upstream)
    return [route(path, GET=gate.signed(passed.get)) for path in PATHS]
