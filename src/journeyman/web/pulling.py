"""The embedded forge's pull requests: the list, and one with its conversation, diff and merge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.history import MergeMethod
from journeyman.domain.principals import Principal
from journeyman.domain.queries import PullQuery
from journeyman.domain.repositories import Permission, PullState
from journeyman.forge import Access
from journeyman.service import Services
from journeyman.service.pulls import MergeRequest, PullDetail, PullEdit
from journeyman.web import addresses, notes, render, review
from journeyman.web.desk import Desk
from journeyman.web.diff import FileDiff
from journeyman.web.patches import Parsed
from journeyman.web.session import Visit

FOLDED = re.compile(
    r"\n<details>\n<summary>([^<\n]*)</summary>\n\n(.*?)\n\n</details>\n", re.DOTALL
)
"""The original prompt, as our own pull requests carry it."""
SAID = {
    "merge": "Merged.",
    "close": "Closed.",
    "reopen": "Open again.",
    "opened": "The pull request is open.",
    "comment": "The comment waits to be sent with your review, at the end of this page.",
    "discard": "The comment is taken back.",
    "review": "The review is sent. The agent works on it on this branch.",
}
LARGEST_FORM = 2 << 20


@dataclass(frozen=True)
class Looked:
    """Whose eyes, and at which pull request."""

    principal: Principal
    access: Access
    number: int


class Pulling:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services
        self._parsed = Parsed()

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
        seen = await self._look(request, visit)
        said = SAID.get(request.query_params.get("said", ""), "")
        return await self._page(request, visit, seen, said=said)

    async def act(self, request: Request, visit: Visit) -> Response:
        """Merge, close, comment and so on, as the button that was pressed says."""
        seen = await self._look(request, visit)
        sent = await self._desk.form(request, visit, limit=LARGEST_FORM)
        verb = sent.get("verb", "")
        try:
            place = await self._do(seen, verb, sent)
        except AppError as error:
            return await self._page(request, visit, seen, failed=error.message, typed=sent)
        # The reader stays at the view of the diff that the form was in.
        view = {"said": verb, "view": "split" if sent.get("view") == "split" else ""}
        path = addresses.pull(seen.access.repository, seen.number)
        return render.redirect(f"{addresses.with_query(path, view)}{place}")

    async def _do(self, seen: Looked, verb: str, sent: Mapping[str, str]) -> str:
        """The place on the page to go to."""
        principal, access, number = seen.principal, seen.access, seen.number
        pulls, reviews = self._services.pulls, self._services.reviews
        match verb:
            case "merge":
                await pulls.merge(principal, access, number, _merge(sent))
            case "close" | "reopen":
                edit = PullEdit(open=verb == "reopen")
                await pulls.update(principal, access, number, edit)
            case "comment":
                files = await self._files(seen, await pulls.get(access, number))
                comment = notes.comment_on(files, sent)
                await reviews.comment(principal, access, number, comment)
                return next(f"#file-{file.index}" for file in files if file.path == comment.path)
            case "discard":
                chosen = sent.get("comment", "")
                if chosen.isdecimal() and len(chosen) < 18:
                    await reviews.discard(principal, access, number, int(chosen))
            case "review":
                body = sent.get("content", "").replace("\r\n", "\n")
                await reviews.send(principal, access, number, body)
                return "#conversation"
            case _:
                raise AppError(Code.BAD_REQUEST, f"{verb[:40]!r} is nothing that can be done here.")
        return ""

    async def _page(
        self,
        request: Request,
        visit: Visit,
        seen: Looked,
        *,
        said: str = "",
        failed: str = "",
        typed: Mapping[str, str] | None = None,
    ) -> Response:
        access, number = seen.access, seen.number
        detail = await self._services.pulls.get(access, number)
        discussion = await self._services.reviews.list(seen.principal, access, number)
        pull, writable = detail.found.pull, access.permission >= Permission.WRITE
        is_open = pull.state is PullState.OPEN
        browsing = self._services.browsing
        files = await self._files(seen, detail)
        noted = notes.by_path(discussion, seen.principal.account.login)
        values = {
            **await asyncio.to_thread(review.shown, files, request, noted),
            "repository": access.repository,
            "detail": detail,
            "pull": pull,
            "body": tuple(_parts(pull.body)),
            "commits": await self._services.pulls.commits(access, number),
            "made_by": await browsing.task_of_pull(seen.principal, pull),
            "discussion": discussion,
            "writable": writable,
            "is_open": is_open,
            "commentable": writable and is_open and not access.repository.archived,
            "path": addresses.pull(access.repository, number),
            "said": said,
            "failed": failed,
            "typed": typed or {},
        }
        part = request.query_params.get("part") == "file"
        template = "file.html" if part else "pull.html"
        return self._desk.page(template, visit, status=422 if failed else 200, **values)

    async def _files(self, seen: Looked, detail: PullDetail) -> Sequence[FileDiff]:
        found = detail.found
        key = (found.pull.id, found.pull.base_ref, found.base_sha, found.head_sha)
        return await self._parsed.get(
            key, lambda: self._services.pulls.diff(seen.access, seen.number)
        )

    async def _look(self, request: Request, visit: Visit) -> Looked:
        return Looked(*await self._access(request, visit), _number(request))

    async def _access(self, request: Request, visit: Visit) -> tuple[Principal, Access]:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return principal, await self._services.identity.access(principal, owner, name)


def _merge(sent: Mapping[str, Any]) -> MergeRequest:
    method = sent.get("method", "")
    return MergeRequest(
        method=MergeMethod(method) if method in set(MergeMethod) else MergeMethod.MERGE,
        head_sha=sent.get("head") or None,
    )


def _number(request: Request) -> int:
    text = request.path_params["number"]
    if not text.isdecimal() or len(text) > 9:
        raise not_found("Not Found")
    return int(text)


def _parts(body: str) -> Iterator[tuple[str, str]]:
    """The body in its order: folded parts with their title, and what stands between them."""
    position = 0
    for found in FOLDED.finditer(body):
        yield "", body[position : found.start()]
        yield found[1], found[2]
        position = found.end()
    yield "", body[position:]
