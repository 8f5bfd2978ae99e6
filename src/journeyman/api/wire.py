"""Tasks, sessions and events as GitHub writes them. Absent fields are left out, not null.

Knows nothing of where they come from.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from journeyman.agent.customisation.profiles import Profile
from journeyman.api.exchange import Addresses
from journeyman.domain.artifacts import Artifact, BranchArtifact, PullArtifact
from journeyman.domain.events import Event, NewEvent
from journeyman.domain.queries import Cursor, TaskDetail, TaskPage
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Session
from journeyman.domain.tasks import Task, name_of
from journeyman.llm import Facts, ModelInfo


class Id(msgspec.Struct):
    id: int


class CustomAgent(msgspec.Struct):
    id: str


class PullData(msgspec.Struct):
    id: int
    global_id: str
    number: int


class BranchData(msgspec.Struct):
    head_ref: str
    base_ref: str


class ArtifactOut(msgspec.Struct):
    provider: str
    type: str
    data: PullData | BranchData


class Usage(msgspec.Struct):
    type: str
    amount: int


class ErrorOut(msgspec.Struct):
    message: str


class SessionOut(msgspec.Struct, kw_only=True):
    id: str
    name: str
    user: Id
    owner: Id
    repository: Id
    task_id: str
    state: str
    state_reason: str | UnsetType
    created_at: str
    updated_at: str
    completed_at: str | UnsetType
    prompt: str
    head_ref: str
    base_ref: str
    model: str | UnsetType
    usage: Usage | UnsetType
    error: ErrorOut | UnsetType
    events_expired_at: str | UnsetType = UNSET


class TaskOut(msgspec.Struct, kw_only=True):
    id: str
    url: str
    html_url: str
    name: str
    creator: Id
    creator_type: str
    owner: Id
    repository: Id
    state: str
    state_reason: str | UnsetType
    session_count: int
    artifacts: list[ArtifactOut]
    custom_agent: CustomAgent | UnsetType
    archived_at: str | None
    created_at: str
    updated_at: str


class TaskDetailOut(TaskOut, kw_only=True):
    queue_position: int | UnsetType
    sessions: list[SessionOut]


class TaskListOut(msgspec.Struct):
    """Never a `total_count`: octokit would take it for another kind of list."""

    tasks: list[TaskOut]
    total_active_count: int
    total_archived_count: int


class EventOut(msgspec.Struct, kw_only=True, rename={"parent_id": "parentId"}):
    id: str | UnsetType = UNSET
    type: str
    timestamp: str
    parent_id: str | UnsetType | None = UNSET
    ephemeral: bool | UnsetType = UNSET
    data: dict[str, Any]


class EventListOut(msgspec.Struct):
    events: list[EventOut]
    total: int


class ModelOut(msgspec.Struct):
    id: str
    name: str
    provider: str
    healthy: bool
    images: bool
    detail: str | UnsetType
    window_tokens: int | UnsetType
    price: PriceOut | UnsetType
    """Absent where it is not known."""


class PriceOut(msgspec.Struct):
    """USD for a million tokens, in the lowest tier."""

    input: float
    output: float


class ModelListOut(msgspec.Struct):
    models: list[ModelOut]


class CustomAgentOut(msgspec.Struct):
    """*id*: what `custom_agent` of a new task says."""

    id: str
    name: str
    description: str
    path: str
    tools: list[str] | UnsetType
    models: list[str] | UnsetType


class CustomAgentListOut(msgspec.Struct):
    custom_agents: list[CustomAgentOut]


def time(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return at.astimezone(UTC).isoformat()[:19] + "Z"


def precise_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def node_id(prefix: str, *ids: int) -> str:
    """GitHub's global ids, which its CLI computes for itself: `U_kgAB` is user 1."""
    packed = base64.urlsafe_b64encode(msgspec.msgpack.encode((0, *ids)))
    return f"{prefix}_{packed.decode().rstrip('=')}"


def task(found: Task, addresses: Addresses) -> TaskOut:
    return TaskOut(**_task_fields(found, addresses))


def task_detail(found: TaskDetail, addresses: Addresses) -> TaskDetailOut:
    sessions = [session(one, found.task.repository) for one in found.sessions]
    position = found.queue_position or UNSET
    fields = _task_fields(found.task, addresses)
    return TaskDetailOut(**fields, queue_position=position, sessions=sessions)


def task_list(page: TaskPage, addresses: Addresses) -> TaskListOut:
    tasks = [task(one, addresses) for one in page.tasks]
    return TaskListOut(tasks, page.total_active_count, page.total_archived_count)


def _task_fields(found: Task, addresses: Addresses) -> dict[str, Any]:
    repository = found.repository
    return {
        "id": found.id,
        "url": addresses.task(repository, found.id),
        "html_url": addresses.task_page(repository, found.id),
        "name": found.name,
        "creator": Id(found.creator_id),
        "creator_type": "user",
        "owner": Id(repository.owner.id),
        "repository": Id(repository.id),
        "state": found.session.state,
        "state_reason": found.session.state_reason or UNSET,
        "session_count": found.session_count,
        "artifacts": [artifact(one, repository) for one in found.artifacts],
        "custom_agent": CustomAgent(found.custom_agent) if found.custom_agent else UNSET,
        "archived_at": time(found.archived_at) if found.archived_at else None,
        "created_at": time(found.created_at),
        "updated_at": time(found.updated_at),
    }


def artifact(made: Artifact, repository: Repository) -> ArtifactOut:
    match made:
        case BranchArtifact(head_ref, base_ref):
            return ArtifactOut("github", "branch", BranchData(head_ref, base_ref))
        case PullArtifact(id, number):
            global_id = node_id("PR", repository.id, id)
            return ArtifactOut("github", "pull", PullData(id, global_id, number))


def session(found: Session, repository: Repository) -> SessionOut:
    usage = found.usage_nano_credits
    return SessionOut(
        id=found.id,
        name=name_of(found.prompt),
        user=Id(found.user_id),
        owner=Id(repository.owner.id),
        repository=Id(repository.id),
        task_id=found.task_id,
        state=found.state,
        state_reason=found.state_reason or UNSET,
        created_at=time(found.created_at),
        updated_at=time(found.updated_at),
        completed_at=time(found.completed_at) if found.completed_at else UNSET,
        prompt=found.prompt,
        head_ref=found.head_ref,
        base_ref=found.base_ref,
        model=found.model or UNSET,
        usage=UNSET if usage is None else Usage("ai_credits", usage),
        error=ErrorOut(found.error) if found.error else UNSET,
        events_expired_at=time(found.events_expired_at) if found.events_expired_at else UNSET,
    )


def cursor(found: Event) -> str:
    return str(Cursor(found.session_number, found.seq))


def event(found: Event) -> EventOut:
    before = Cursor(found.session_number, found.seq - 1) if found.seq > 1 else None
    return EventOut(
        id=cursor(found),
        type=found.type,
        timestamp=precise_time(found.created_at),
        parent_id=str(before) if before else None,
        data=found.data,
    )


def ephemeral(found: NewEvent, now: datetime) -> EventOut:
    """Without an id: it has no place in the log, and nobody can resume after it."""
    return EventOut(type=found.type, timestamp=precise_time(now), ephemeral=True, data=found.data)


def event_list(found: Sequence[Event], total: int) -> EventListOut:
    return EventListOut([event(one) for one in found], total)


def models(found: Sequence[ModelInfo]) -> ModelListOut:
    return ModelListOut(
        [
            ModelOut(
                m.id,
                m.name,
                m.provider,
                m.healthy,
                m.facts.images,
                m.detail or UNSET,
                m.facts.window_tokens or UNSET,
                _price(m.facts),
            )
            for m in found
        ]
    )


def _price(facts: Facts) -> PriceOut | UnsetType:
    if facts.input_price is None or facts.output_price is None:
        return UNSET
    return PriceOut(facts.input_price, facts.output_price)


def custom_agents(found: Sequence[Profile]) -> CustomAgentListOut:
    return CustomAgentListOut([_custom_agent(profile) for profile in found])


def _custom_agent(found: Profile) -> CustomAgentOut:
    return CustomAgentOut(
        found.id,
        found.name,
        found.description,
        found.path,
        UNSET if found.tools is None else list(found.tools),
        list(found.models) or UNSET,
    )
