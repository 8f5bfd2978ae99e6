"""The embedded forge's pull requests: the list, and one with its diff, its merge and its task."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.domain.history import MergeMethod
from journeyman.domain.principals import Principal
from journeyman.domain.queries import PullQuery
from journeyman.domain.repositories import Permission, PullState
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.service.pulls import MergeRequest, PullEdit
from journeyman.web import addresses, diff, render, review
from journeyman.web.desk import Desk
from journeyman.web.session import Visit
from journeyman.web.viewer import principal_of

FOLDED = re.compile(
    r"\n<details>\n<summary>([^<\n]*)</summary>\n\n(.*?)\n\n</details>\n", re.DOTALL
)
"""The original prompt, as our own pull requests carry it."""
SAID = {
    "merge": "Merged.",
    "close": "Closed.",
    "reopen": "Open again.",
    "opened": "The pull request is open.",
}


class Pulling:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def list(self, request: Request, visit: Visit) -> Response:
        _, access = await self._access(request, visit)
        is_open = request.query_params.get("state") != "closed"
        asked = request.query_params.get("page", "1")
        page = max(1, int(asked)) if asked.isdecimal() and len(asked) < 6 else 1
        query = PullQuery(open=is_open, page=page)
        found, has_more = await self._services.pulls.list_pulls(access, query)
        values = {
            "repository": access.repository,
            "found": found,
            "has_more": has_more,
            "page_number": page,
            "is_open": is_open,
        }
        return self._desk.page("pulls.html", visit, **values)

    async def show(self, request: Request, visit: Visit) -> Response:
        principal, access = await self._access(request, visit)
        said = SAID.get(request.query_params.get("said", ""), "")
        return await self._page(request, visit, principal, access, said=said)

    async def act(self, request: Request, visit: Visit) -> Response:
        """Merge, close or open again, as the button that was pressed says."""
        principal, access = await self._access(request, visit)
        sent, number = await self._desk.form(request, visit), _number(request)
        verb = sent.get("verb", "")
        try:
            await self._do(principal, access, number, sent)
        except AppError as error:
            return await self._page(request, visit, principal, access, failed=error.message)
        return render.redirect(f"{addresses.pull(access.repository, number)}?said={verb}")

    async def _do(
        self, principal: Principal, access: Access, number: int, sent: dict[str, str]
    ) -> None:
        pulls, verb = self._services.pulls, sent.get("verb")
        if verb == "merge":
            method = sent.get("method", "")
            asked = MergeRequest(
                method=MergeMethod(method) if method in set(MergeMethod) else MergeMethod.MERGE,
                head_sha=sent.get("head") or None,
            )
            await pulls.merge(principal, access, number, asked)
        elif verb in ("close", "reopen"):
            await pulls.update(principal, access, number, PullEdit(open=verb == "reopen"))

    async def _page(
        self,
        request: Request,
        visit: Visit,
        principal: Principal,
        access: Access,
        *,
        said: str = "",
        failed: str = "",
    ) -> Response:
        number, pulls = _number(request), self._services.pulls
        detail = await pulls.get(access, number)
        files = diff.parse(await pulls.diff(access, number))
        values = {
            **review.shown(files, request),
            "repository": access.repository,
            "detail": detail,
            "pull": detail.found.pull,
            "body": _parts(detail.found.pull.body),
            "commits": await pulls.commits(access, number),
            "made_by": await self._services.browsing.task_of_pull(principal, detail.found.pull),
            "writable": access.permission >= Permission.WRITE,
            "is_open": detail.found.pull.state is PullState.OPEN,
            "path": addresses.pull(access.repository, number),
            "said": said,
            "failed": failed,
        }
        part = request.query_params.get("part") == "file"
        status = 422 if failed else 200
        template = "file.html" if part else "pull.html"
        return self._desk.page(template, visit, status=status, **values)

    async def _access(self, request: Request, visit: Visit) -> tuple[Principal, Access]:
        principal = principal_of(self._desk.account(request, visit))
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return principal, await self._services.identity.access(principal, owner, name)


def _number(request: Request) -> int:
    text = request.path_params["number"]
    if not text.isdecimal() or len(text) > 9:
        raise not_found("Not Found")
    return int(text)


def _parts(body: str) -> list[tuple[str, str]]:
    """The body in its order: folded parts with their title, and what stands between them."""
    parts: list[tuple[str, str]] = []
    position = 0
    for found in FOLDED.finditer(body):
        parts += [("", body[position : found.start()]), (found[1], found[2])]
        position = found.end()
    return [*parts, ("", body[position:])]
