"""What GitHub's CLI asks for `gh agent-task`: the API before agent tasks, over tasks and sessions.

A job is a task with a pull request; both ids are the task's and its session's own. Knows nothing of
GraphQL, which gh asks for the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, parameters, responses, wire
from journeyman.api.errors import Refusal, invalid_request
from journeyman.api.job_logs import JobLog
from journeyman.api.renames import follow
from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.events import Event
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor, Sort, TaskQuery
from journeyman.domain.repositories import Account, Pull, Repository
from journeyman.domain.sessions import Session
from journeyman.domain.tasks import NewTask, Task, name_of
from journeyman.forge import Access
from journeyman.service import Services

BATCH = 200
"""Events of a log that are read at once."""
PAGE_SIZE = 50
SORTS = {
    f"{field}{direction}": (sort, direction == ",asc")
    for field, sort in (("last_updated_at", Sort.UPDATED_AT), ("created_at", Sort.CREATED_AT))
    for direction in ("", ",desc", ",asc")
}
PULL = "pull"


class WantedPull(msgspec.Struct):
    base_ref: str | None = None
    head_ref: str | None = None


class CreateJob(msgspec.Struct):
    """`pull_request` is read apart: what is wrong in it is named by its own field."""

    problem_statement: str | None = None
    custom_agent: str | None = None
    model: str | None = None
    pull_request: dict[str, Any] = {}


class Actor(msgspec.Struct):
    id: int
    login: str


class JobPull(msgspec.Struct):
    id: int
    number: int
    base_ref: str


class JobError(msgspec.Struct):
    message: str
    service: str = "journeyman"


class JobOut(msgspec.Struct, kw_only=True):
    job_id: str
    session_id: str
    problem_statement: str
    custom_agent: str | UnsetType
    status: str
    actor: Actor | UnsetType
    created_at: str
    updated_at: str
    pull_request: JobPull | UnsetType
    error: JobError | UnsetType


class SessionError(msgspec.Struct):
    code: str
    message: str


class JobSessionOut(msgspec.Struct, kw_only=True):
    """Without the four `resource_…` fields while there is no pull request."""

    id: str
    name: str
    task_id: str
    user_id: int
    agent_id: int
    owner_id: int
    repo_id: int
    state: str
    created_at: str
    last_updated_at: str
    completed_at: str | UnsetType
    premium_requests: int
    head_ref: str
    base_ref: str
    error: SessionError | UnsetType
    resource_type: str | UnsetType = UNSET
    resource_id: int | UnsetType = UNSET
    resource_global_id: str | UnsetType = UNSET
    resource_number: int | UnsetType = UNSET


class JobSessionsOut(msgspec.Struct):
    sessions: list[JobSessionOut]


class ResourceSession(msgspec.Struct):
    id: str
    name: str
    state: str
    last_updated_at: int


class ResourceOut(msgspec.Struct, kw_only=True):
    id: str
    user_id: int
    resource_type: str
    resource_id: int
    resource_global_id: str
    resource_state: str
    session_count: int
    last_updated_at: int
    state: str | UnsetType
    sessions: list[ResourceSession]


class Jobs:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def create(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        asked = await body.read(request, CreateJob)
        try:
            new = new_task(asked)
            task = await self._services.tasks.create(principal, access, new)
        except AppError as error:
            raise spoken(error) from error
        return responses.as_json(job(task, principal.account), 201)

    async def get(self, request: Request, principal: Principal) -> Response:
        access = await self._access(request, principal)
        task = (await self._services.tasks.get(principal, request.path_params["job_id"])).task
        if task.repository.id != access.repository.id:
            raise not_found("This job is in another repository.")
        actor = await self._services.browsing.account(task.creator_id)
        return responses.as_json(job(task, actor))

    async def list(self, request: Request, principal: Principal) -> Response:
        """The newest session of each of the caller's tasks."""
        query = session_query(parameters.pairs_of(request))
        page = await self._services.tasks.list_own(principal, query)
        found = [session(task, task.session) for task in page.tasks]
        return responses.as_json(JobSessionsOut(found))

    async def session(self, request: Request, principal: Principal) -> Response:
        task, found = await self._session(request, principal)
        return responses.as_json(session(task, found))

    async def logs(self, request: Request, principal: Principal) -> Response:
        task, found = await self._session(request, principal)
        log, lines = JobLog(task.repository), bytearray()
        async for events in self._events(principal, found):
            for line in log.lines(events):
                lines += line
        return Response(bytes(lines), media_type="text/plain; charset=utf-8")

    async def of_pull(self, request: Request, principal: Principal) -> Response:
        """The sessions of the task that opened a pull request, newest first."""
        text = request.path_params["resource_id"]
        if not parameters.is_number(text, parameters.LARGEST_ID):
            raise not_found("A pull request's id is a number.")
        access, pull = await self._services.browsing.pull(principal, int(text))
        task = await self._services.browsing.task_of_pull(principal, pull)
        found: tuple[Session, ...] = ()
        if task is not None:
            found = (await self._services.tasks.get(principal, task.id)).sessions
        return responses.as_json(resource(access.repository, pull, found[::-1]))

    async def _access(self, request: Request, principal: Principal) -> Access:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        return await follow(self._services.identity, principal, owner, name)

    async def _session(self, request: Request, principal: Principal) -> tuple[Task, Session]:
        session_id = request.path_params["session_id"]
        return await self._services.browsing.session(principal, session_id)

    async def _events(self, principal: Principal, of: Session) -> AsyncIterator[Sequence[Event]]:
        after, more = Cursor(of.number), True
        while more:
            window = await self._services.browsing.after(principal, of.task_id, after, BATCH)
            own = [event for event in window.events if event.session_number == of.number]
            yield own
            more = window.has_newer and len(own) == len(window.events)
            after = window.last or after


def new_task(asked: CreateJob) -> NewTask:
    """A job always ends in a pull request."""
    if asked.problem_statement is None:
        message = '"problem_statement" wasn\'t supplied.'
        raise invalid_request(message, "problem_statement", "missing_field")
    present = {key: value for key, value in asked.pull_request.items() if value is not None}
    try:
        wanted = msgspec.convert(present, WantedPull)
    except msgspec.ValidationError as error:
        raise body.wrong_type(str(error), present) from None
    return NewTask(
        prompt=body.text(asked.problem_statement, "problem_statement") or "",
        model=body.text(asked.model, "model"),
        custom_agent=body.text(asked.custom_agent, "custom_agent"),
        create_pull_request=True,
        base_ref=body.text(wanted.base_ref, "base_ref"),
        head_ref=body.text(wanted.head_ref, "head_ref"),
    )


def spoken(error: AppError) -> AppError:
    """gh shows an error's message and nothing else of it."""
    if error.code is Code.INVALID and not isinstance(error, Refusal):
        return Refusal(Code.INVALID, error.message, error.fields)
    return error


def session_query(pairs: parameters.Pairs) -> TaskQuery:
    sort, ascending = parameters.choice(pairs, "sort", SORTS, (Sort.UPDATED_AT, False))
    return TaskQuery(
        page=parameters.number(pairs, "page_number", default=1, most=parameters.LAST_PAGE),
        per_page=parameters.number(
            pairs, "page_size", default=PAGE_SIZE, most=parameters.MOST_PER_PAGE
        ),
        sort=sort,
        ascending=ascending,
    )


def job(task: Task, actor: Account | None) -> JobOut:
    newest, pull = task.session, pull_of(task)
    return JobOut(
        job_id=task.id,
        session_id=newest.id,
        problem_statement=newest.prompt,
        custom_agent=task.custom_agent or UNSET,
        status=newest.state,
        actor=Actor(actor.id, actor.login) if actor else UNSET,
        created_at=wire.time(task.created_at),
        updated_at=wire.time(task.updated_at),
        pull_request=JobPull(pull.id, pull.number, newest.base_ref) if pull else UNSET,
        error=JobError(newest.error) if newest.error else UNSET,
    )


def session(task: Task, found: Session) -> JobSessionOut:
    told = JobSessionOut(
        id=found.id,
        name=name_of(found.prompt),
        task_id=task.id,
        user_id=found.user_id,
        agent_id=0,
        owner_id=task.repository.owner.id,
        repo_id=task.repository.id,
        state=found.state,
        created_at=wire.time(found.created_at),
        last_updated_at=wire.time(found.updated_at),
        completed_at=wire.time(found.completed_at) if found.completed_at else UNSET,
        premium_requests=0,
        head_ref=found.head_ref,
        base_ref=found.base_ref,
        error=SessionError(found.state_reason or found.state, found.error)
        if found.error
        else UNSET,
    )
    pull = pull_of(task)
    if pull is not None:
        told.resource_type, told.resource_id, told.resource_number = PULL, pull.id, pull.number
        told.resource_global_id = wire.node_id("PR", task.repository.id, pull.id)
    return told


def resource(repository: Repository, pull: Pull, newest_first: tuple[Session, ...]) -> ResourceOut:
    newest = newest_first[0] if newest_first else None
    return ResourceOut(
        id=f"{PULL}-{pull.id}",
        user_id=newest.user_id if newest else pull.user_id,
        resource_type=PULL,
        resource_id=pull.id,
        resource_global_id=wire.node_id("PR", repository.id, pull.id),
        resource_state="draft" if pull.draft and pull.end is None else pull.state,
        session_count=len(newest_first),
        last_updated_at=int((newest or pull).updated_at.timestamp()),
        state=newest.state if newest else UNSET,
        sessions=[
            ResourceSession(one.id, name_of(one.prompt), one.state, int(one.updated_at.timestamp()))
            for one in newest_first
        ],
    )


def pull_of(task: Task) -> PullArtifact | None:
    return next((one for one in task.artifacts if isinstance(one, PullArtifact)), None)
