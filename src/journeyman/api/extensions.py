"""What Journeyman adds to GitHub's operations, in the shape its editor knows where there is one.

Knows nothing of tokens, limits or storage.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, parameters, responses, wire
from journeyman.api.errors import invalid_request
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import invalid, not_found
from journeyman.domain.principals import Principal
from journeyman.domain.tasks import Task
from journeyman.forge import Access
from journeyman.service import Services

PATCH = "application/vnd.github.patch"
MESSAGES = ("user_message", "ask_user_response")
ABORT = "abort"


class Steer(msgspec.Struct):
    content: str | None = None
    problem_statement: str | None = None
    type: str | None = None


class OpenedPull(msgspec.Struct):
    id: int
    number: int
    repository_id: int


class Extensions:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def patch(self, request: Request, principal: Principal) -> Response:
        """Empty while nothing has changed."""
        task_id = request.path_params["task_id"]
        etag = responses.etag_of(await self._services.patches.version(principal, task_id))
        if responses.has(request, etag):
            return responses.not_modified(etag)
        patch = await self._services.patches.patch(principal, task_id)
        as_patch = PATCH in request.headers.get("accept", "")
        kind = f"{PATCH}; charset=utf-8" if as_patch else "text/plain; charset=utf-8"
        headers = {"X-GitHub-Media-Type": "github.v3; param=patch", "ETag": etag}
        return Response(patch, headers={**headers, "Content-Type": kind})

    async def task_ids(self, request: Request, principal: Principal) -> Response:
        """Which tasks somebody means who types the beginning of an id."""
        prefix = parameters.last(parameters.pairs_of(request), "prefix") or ""
        found = await self._services.browsing.ids_beginning(principal, prefix)
        return responses.as_json({"task_ids": found})

    async def cancel(self, request: Request, principal: Principal) -> Response:
        task = await self._services.sessions.cancel(principal, request.path_params["task_id"])
        return _answer(request, task)

    async def steer(self, request: Request, principal: Principal) -> Response:
        asked = await body.read(request, Steer)
        if asked.type == ABORT:
            return await self.cancel(request, principal)
        if asked.type is not None and asked.type not in MESSAGES:
            message = f"type {asked.type[:100]!r} is not one of {', '.join((*MESSAGES, ABORT))}."
            raise invalid("type", message, "invalid")
        content = asked.content if asked.content is not None else asked.problem_statement
        if content is None:
            raise invalid_request('"content" wasn\'t supplied.', "content", "missing_field")
        task = await self._services.sessions.steer(
            principal, request.path_params["task_id"], body.text(content, "content") or ""
        )
        return _answer(request, task)

    async def propose(self, request: Request, principal: Principal) -> Response:
        """The task's pull request, opened where there was none."""
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        task_id = request.path_params["task_id"]
        pull = await self._services.proposing.propose(principal, access, task_id)
        return responses.as_json(OpenedPull(pull.id, pull.number, pull.repository_id), 201)

    async def pause(self, request: Request, principal: Principal) -> Response:
        task_id = await self._task_id(request, principal)
        return _answer(request, await self._services.sessions.pause(principal, task_id))

    async def archive(self, request: Request, principal: Principal) -> Response:
        return await self._archive(request, principal, archived=True)

    async def unarchive(self, request: Request, principal: Principal) -> Response:
        return await self._archive(request, principal, archived=False)

    async def _archive(self, request: Request, principal: Principal, *, archived: bool) -> Response:
        task_id = await self._task_id(request, principal)
        return _answer(request, await self._services.tasks.archive(principal, task_id, archived))

    async def _task_id(self, request: Request, principal: Principal) -> str:
        """Under both spellings of a task's address."""
        task_id: str = request.path_params["task_id"]
        if "repo" in request.path_params:
            access = await self._access(request, principal)
            task = (await self._services.tasks.get(principal, task_id)).task
            if task.repository.id != access.repository.id:
                raise not_found("This task is in another repository.")
        return task_id

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await self._services.identity.access(principal, owner, name)

    async def custom_agents(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        found = await self._services.custom_agents.list(principal, access)
        return responses.as_json(wire.custom_agents(found))

    async def models(self, _request: Request, _principal: Principal) -> Response:
        found = await asyncio.to_thread(self._services.models.list)
        return responses.as_json(wire.models(found))


def _answer(request: Request, task: Task) -> Response:
    """Always 200: clients take a 202 for an answer that is still to come."""
    return responses.as_json(wire.task(task, addresses_of(request.scope)))
