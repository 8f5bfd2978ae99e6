"""`/repos/{owner}/{repo}/pulls`: pull requests of the embedded forge.

Knows nothing of tokens, limits or git.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, commits, pagination, parameters, pull_objects, responses
from journeyman.api.errors import Refusal, invalid_request
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.history import MergeMethod
from journeyman.domain.principals import Principal
from journeyman.domain.queries import PullQuery, PullSort
from journeyman.domain.repositories import PullState
from journeyman.forge import Access, NewPull
from journeyman.service import Services
from journeyman.service.pulls import MergeRequest, PullEdit

STATES = {"open": True, "closed": False, "all": None}
SORTS = {
    "created": PullSort.CREATED,
    "updated": PullSort.UPDATED,
    # Nothing is commented on here; the order of age stands in.
    "popularity": PullSort.CREATED,
    "long-running": PullSort.CREATED,
}
LONGEST_TITLE = 256
LONGEST_BODY = 65_536


class EditPull(msgspec.Struct):
    title: str | None = None
    body: str | None = None
    state: str | None = None
    base: str | None = None


class OpenPull(msgspec.Struct):
    title: str | None = None
    head: str | None = None
    base: str | None = None
    body: str | None = None
    draft: bool = False


class MergePull(msgspec.Struct):
    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: str | None = None


class MergeResult(msgspec.Struct):
    sha: str
    merged: bool
    message: str


class Pulls:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request, principal: Principal) -> Response:
        query = pull_query(parameters.pairs_of(request))
        access = await self._access(request, principal)
        found, more = await self._services.pulls.list_pulls(access, query)
        addresses = addresses_of(request.scope)
        content = [pull_objects.simple(one, access, addresses) for one in found]
        link = pagination.link(request, page=query.page, has_more=more)
        return responses.as_json(content, headers={"Link": link})

    async def create(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        new = new_pull(await body.read(request, OpenPull))
        detail = await self._services.pulls.open(principal, access, new)
        addresses = addresses_of(request.scope)
        content = pull_objects.full(detail, access, addresses)
        return responses.as_json(content, 201, headers={"Location": content["url"]})

    async def get(self, request: Request, principal: Principal) -> Response:
        access, number = await self._place(request, principal)
        kind = responses.text_kind(request)
        if kind is not None:
            read = self._services.pulls.diff if kind == "diff" else self._services.pulls.patch
            return responses.as_text(await read(access, number), kind)
        detail = await self._services.pulls.get(access, number)
        return responses.as_json(pull_objects.full(detail, access, addresses_of(request.scope)))

    async def files(self, request: Request, principal: Principal) -> Response:
        access, number = await self._place(request, principal)
        page, per_page = parameters.paging(parameters.pairs_of(request))
        head = (await self._services.pulls.get(access, number)).found.head_sha
        found = await self._services.pulls.files(access, number)
        shown, more = parameters.page_of(found, page, per_page)
        addresses = addresses_of(request.scope)
        content = [commits.changed_file(one, head, access.repository, addresses) for one in shown]
        link = pagination.link(request, page=page, has_more=more)
        return responses.as_json(content, headers={"Link": link})

    async def commits(self, request: Request, principal: Principal) -> Response:
        access, number = await self._place(request, principal)
        page, per_page = parameters.paging(parameters.pairs_of(request))
        found = await self._services.pulls.commits(access, number)
        shown, more = parameters.page_of(found, page, per_page)
        addresses = addresses_of(request.scope)
        content = [commits.commit(one, access.repository, addresses) for one in shown]
        link = pagination.link(request, page=page, has_more=more)
        return responses.as_json(content, headers={"Link": link})

    async def update(self, request: Request, principal: Principal) -> Response:
        access, number = await self._place(request, principal)
        edit = pull_edit(await body.read(request, EditPull))
        detail = await self._services.pulls.update(principal, access, number, edit)
        return responses.as_json(pull_objects.full(detail, access, addresses_of(request.scope)))

    async def merged(self, request: Request, principal: Principal) -> Response:
        """204 when it is, 404 when it is not."""
        access, number = await self._place(request, principal)
        detail = await self._services.pulls.get(access, number)
        if detail.found.pull.state is not PullState.MERGED:
            raise not_found("It is not merged.")
        return Response(status_code=204)

    async def merge(self, request: Request, principal: Principal) -> Response:
        access, number = await self._place(request, principal)
        asked = merge_request(await body.read(request, MergePull))
        try:
            sha = await self._services.pulls.merge(principal, access, number, asked)
        except AppError as error:
            raise refused(error) from error
        return responses.as_json(MergeResult(sha, True, "Pull Request successfully merged"))

    async def _place(self, request: Request, principal: Principal) -> tuple[Access, int]:
        access = await self._access(request, principal)
        text = request.path_params["pull_number"]
        if not parameters.is_number(text, parameters.LARGEST_INTEGER):
            raise not_found("A pull request's number is a number.")
        return access, int(text)

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)


def pull_query(pairs: parameters.Pairs) -> PullQuery:
    page, per_page = parameters.paging(pairs)
    sort = parameters.choice(pairs, "sort", SORTS, PullSort.CREATED)
    return PullQuery(
        page=page,
        per_page=per_page,
        open=parameters.choice(pairs, "state", STATES, default=True),
        # `owner:branch`; there are no forks here, so the owner says nothing.
        head_ref=branch_of(parameters.last(pairs, "head")),
        base_ref=branch_of(parameters.last(pairs, "base")),
        sort=sort,
        ascending=parameters.choice(pairs, "direction", {"asc": True, "desc": False}, False),
    )


def branch_of(label: str | None) -> str | None:
    return label.rpartition(":")[2] or None if label else None


def new_pull(asked: OpenPull) -> NewPull:
    title = required(body.text(asked.title, "title"), "title")
    head = required(branch_of(body.text(asked.head, "head")), "head")
    base = required(branch_of(body.text(asked.base, "base")), "base")
    check_text(title, asked.body)
    return NewPull(title, body.text(asked.body, "body") or "", head, base, asked.draft)


def required(value: str | None, field: str) -> str:
    if not value:
        raise invalid_request(f'"{field}" wasn\'t supplied.', field, "missing_field")
    return value


def check_text(title: str | None, text: str | None) -> None:
    if title is not None and not 0 < len(title.strip()) <= LONGEST_TITLE:
        raise invalid("title", f"title has 1 to {LONGEST_TITLE} characters.", "invalid")
    if text is not None and len(text) > LONGEST_BODY:
        raise invalid("body", f"body has at most {LONGEST_BODY} characters.", "invalid")


def pull_edit(asked: EditPull) -> PullEdit:
    if asked.state not in (None, "open", "closed"):
        raise invalid("state", f"state {asked.state[:100]!r} is not open or closed.", "invalid")
    check_text(asked.title, asked.body)
    text = body.text(asked.body, "body")
    return PullEdit(
        title=body.text(asked.title, "title"),
        body="" if asked.body == "" else text,
        open=None if asked.state is None else asked.state == "open",
        base_ref=body.text(asked.base, "base"),
    )


def merge_request(asked: MergePull) -> MergeRequest:
    methods = {method.value: method for method in MergeMethod}
    name = asked.merge_method or MergeMethod.MERGE
    if name not in methods:
        wanted = parameters.one_of(methods)
        raise invalid("merge_method", f"merge_method {name[:100]!r} is not {wanted}.", "invalid")
    message = body.text(asked.commit_message, "commit_message")
    return MergeRequest(
        method=methods[name],
        title=body.text(asked.commit_title, "commit_title"),
        message="" if asked.commit_message == "" else message,
        head_sha=body.text(asked.sha, "sha"),
    )


def refused(error: AppError) -> AppError:
    """As GitHub: 409 for another head than the caller's, 405 for the rest."""
    if error.code is not Code.CONFLICT:
        return error
    return Refusal(Code.CONFLICT, error.message, status=409 if error.fields else 405)
