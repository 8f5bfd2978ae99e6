"""GitHub's five operations on tasks: read the request, call the service, write the answer.

Knows nothing of tokens, limits or storage.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, pagination, parameters, responses, wire
from journeyman.api.errors import invalid_request
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import invalid, not_found
from journeyman.domain.limits import NONE_GIVEN, Limits
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Revision, TaskPage
from journeyman.domain.tasks import NewTask
from journeyman.forge import Access
from journeyman.service import Services

LONGEST_KEY = 255


class GivenLimits(msgspec.Struct, forbid_unknown_fields=True):
    """Of ours, so a name that is not known is a mistake. 0: none."""

    minutes: float | None = None
    steps: int | None = None
    tokens: int | None = None
    credits: float | None = None


class CreateTask(msgspec.Struct):
    """`problem_statement` and `event_content`: what GitHub's editor sends for `prompt`."""

    prompt: str | None = None
    problem_statement: str | None = None
    event_content: str | None = None
    model: str | None = None
    custom_agent: str | None = None
    create_pull_request: bool = False
    base_ref: str | None = None
    head_ref: str | None = None
    limits: GivenLimits | None = None
    urgent: bool = False


class Tasks:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def list_for_repository(self, request: Request, principal: Principal) -> Response:
        query = parameters.repository_query(parameters.pairs_of(request))
        access = await self._access(request, principal)
        page = await self._services.tasks.list_for_repository(access, query)
        link = pagination.link(request, page=query.page, has_more=page.has_more)
        return _page(request, page, link=link)

    async def list_own(self, request: Request, principal: Principal) -> Response:
        query = parameters.task_query(parameters.pairs_of(request))
        page = await self._services.tasks.list_own(principal, query)
        link = pagination.link(request, page=query.page, has_more=page.has_more, with_prev=False)
        return _page(request, page, link=link)

    async def create(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        new = new_task(await body.read(request, CreateTask))
        made = await self._services.tasks.create(
            principal, access, new, idempotency_key=idempotency_key(request)
        )
        return responses.as_json(wire.task(made, addresses_of(request.scope)), 201)

    async def get(self, request: Request, principal: Principal) -> Response:
        return await self._detail(request, principal, None)

    async def get_in_repository(self, request: Request, principal: Principal) -> Response:
        return await self._detail(request, principal, await self._access(request, principal))

    async def _detail(
        self, request: Request, principal: Principal, access: Access | None
    ) -> Response:
        task_id = request.path_params["task_id"]
        if "if-none-match" in request.headers:
            etag = etag_of(await self._services.tasks.version(principal, task_id))
            if responses.has(request, etag):
                return responses.not_modified(etag)
        found = await self._services.tasks.get(principal, task_id)
        if access is not None and found.task.repository.id != access.repository.id:
            raise not_found("This task is in another repository.")
        content = wire.task_detail(found, addresses_of(request.scope))
        return responses.as_json(content, headers={"ETag": etag_of(found.revision)})

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)


def new_task(asked: CreateTask) -> NewTask:
    prompt = next(
        (p for p in (asked.prompt, asked.problem_statement, asked.event_content) if p is not None),
        None,
    )
    if prompt is None:
        raise invalid_request('"prompt" wasn\'t supplied.', "prompt", "missing_field")
    return NewTask(
        prompt=body.text(prompt, "prompt") or "",
        model=body.text(asked.model, "model"),
        custom_agent=body.text(asked.custom_agent, "custom_agent"),
        create_pull_request=asked.create_pull_request,
        base_ref=body.text(asked.base_ref, "base_ref"),
        head_ref=body.text(asked.head_ref, "head_ref"),
        urgent=asked.urgent,
        limits=Limits(**msgspec.structs.asdict(asked.limits)) if asked.limits else NONE_GIVEN,
    )


def etag_of(revision: Revision) -> str:
    return responses.etag_of(revision.version, revision.queue_position or 0)


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        message = f"Idempotency-Key has {len(key)} characters; give 1 to {LONGEST_KEY}."
        raise invalid("Idempotency-Key", message, "invalid")
    return key


def _page(request: Request, page: TaskPage, *, link: str) -> Response:
    etag = responses.etag_of_list(
        [
            *((task.id, task.version) for task in page.tasks),
            page.total_active_count,
            page.total_archived_count,
            link,
        ]
    )
    if responses.has(request, etag):
        return responses.not_modified(etag)
    content = wire.task_list(page, addresses_of(request.scope))
    return responses.as_json(content, headers={"ETag": etag, "Link": link})
