"""What Journeyman's reads are compared with: the same two, as one writes them with FastAPI,
pydantic and SQLAlchemy's asynchronous ORM.

Serves the data of a Journeyman server, with the same permissions and the same JSON: `throughput`
checks that. `DATABASE=/data/journeyman.db uvicorn benchmarks.stub:app`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, joinedload, relationship, selectinload

from journeyman.api.wire import node_id
from journeyman.store import tables

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['DATABASE']}")
sessions = async_sessionmaker(engine, expire_on_commit=False)
bearer = HTTPBearer()
app = FastAPI()


class Base(DeclarativeBase):
    metadata = tables.metadata


class Account(Base):
    __table__ = tables.account


class Token(Base):
    __table__ = tables.token
    account = relationship(Account)


class Collaborator(Base):
    __table__ = tables.collaborator


class Repository(Base):
    __table__ = tables.repository
    owner = relationship(Account)


class Session(Base):
    __table__ = tables.session


class Artifact(Base):
    __table__ = tables.artifact


class Task(Base):
    __table__ = tables.task
    repository = relationship(Repository)
    sessions = relationship(Session, order_by=Session.number)
    artifacts = relationship(Artifact, order_by=Artifact.id)


class IdOut(BaseModel):
    id: int


class BranchData(BaseModel):
    head_ref: str
    base_ref: str


class PullData(BaseModel):
    id: int
    global_id: str
    number: int


class ArtifactOut(BaseModel):
    provider: str = "github"
    type: str
    data: BranchData | PullData


class UsageOut(BaseModel):
    type: str = "ai_credits"
    amount: int


class ErrorOut(BaseModel):
    message: str


class SessionOut(BaseModel):
    id: str
    name: str
    user: IdOut
    owner: IdOut
    repository: IdOut
    task_id: str
    state: str
    state_reason: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    prompt: str
    head_ref: str
    base_ref: str
    model: str | None
    usage: UsageOut | None
    error: ErrorOut | None


class TaskOut(BaseModel):
    id: str
    url: str
    html_url: str
    name: str
    creator: IdOut
    creator_type: str = "user"
    owner: IdOut
    repository: IdOut
    state: str
    state_reason: str | None
    session_count: int
    artifacts: list[ArtifactOut]
    custom_agent: str | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TaskDetailOut(TaskOut):
    sessions: list[SessionOut]


class TaskListOut(BaseModel):
    tasks: list[TaskOut]
    total_active_count: int
    total_archived_count: int


async def database() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Db = Annotated[AsyncSession, Depends(database)]


async def current_account(
    db: Db, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> Account:
    digest = hashlib.sha256(credentials.credentials.encode()).digest()
    found = await db.scalar(
        sa.select(Token).options(joinedload(Token.account)).where(Token.digest == digest)
    )
    if found is None or found.revoked_at is not None:
        raise HTTPException(401, "Bad credentials")
    if found.expires_at is not None and found.expires_at <= datetime.now(UTC):
        raise HTTPException(401, "Bad credentials")
    return found.account


Caller = Annotated[Account, Depends(current_account)]


async def require_read(db: AsyncSession, account: Account, repository: Repository) -> None:
    if not repository.private or account.site_admin or repository.owner_id == account.id:
        return
    if await db.get(Collaborator, (repository.id, account.id)) is None:
        raise HTTPException(404, "Not Found")


async def readable_repository(db: Db, account: Caller, owner: str, repo: str) -> Repository:
    found = await db.scalar(
        sa.select(Repository)
        .join(Repository.owner)
        .options(joinedload(Repository.owner))
        .where(Account.login_key == owner.lower(), Repository.name_key == repo.lower())
    )
    if found is None:
        raise HTTPException(404, "Not Found")
    await require_read(db, account, found)
    return found


@app.get("/agents/tasks/{task_id}")
async def get_task(request: Request, db: Db, account: Caller, task_id: str) -> TaskDetailOut:
    task = await db.scalar(
        sa.select(Task)
        .where(Task.id == task_id)
        .options(
            joinedload(Task.repository).joinedload(Repository.owner),
            selectinload(Task.sessions),
            selectinload(Task.artifacts),
        )
    )
    if task is None:
        raise HTTPException(404, "Not Found")
    await require_read(db, account, task.repository)
    shown = [session_out(session, task.repository) for session in task.sessions]
    return TaskDetailOut(**task_fields(request, task, task.repository), sessions=shown)


@app.get("/agents/repos/{owner}/{repo}/tasks")
async def list_tasks(
    request: Request,
    db: Db,
    repository: Annotated[Repository, Depends(readable_repository)],
    page: Annotated[int, Query(ge=1)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 30,
) -> TaskListOut:
    of_repository = Task.repository_id == repository.id
    found = await db.scalars(
        sa.select(Task)
        .where(of_repository, Task.archived_at.is_(None))
        .options(selectinload(Task.sessions), selectinload(Task.artifacts))
        .order_by(Task.updated_at.desc(), Task.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    counted = sa.select(sa.func.count()).select_from(Task).where(of_repository)
    return TaskListOut(
        tasks=[TaskOut(**task_fields(request, task, repository)) for task in found],
        total_active_count=await db.scalar(counted.where(Task.archived_at.is_(None))) or 0,
        total_archived_count=await db.scalar(counted.where(Task.archived_at.is_not(None))) or 0,
    )


def task_fields(request: Request, task: Task, repository: Repository) -> dict[str, Any]:
    base, full_name = str(request.base_url), f"{repository.owner.login}/{repository.name}"
    return {
        "id": task.id,
        "url": f"{base}agents/repos/{full_name}/tasks/{task.id}",
        "html_url": f"{base}{full_name}/agents/tasks/{task.id}",
        "name": task.name,
        "creator": IdOut(id=task.creator_id),
        "owner": IdOut(id=repository.owner_id),
        "repository": IdOut(id=repository.id),
        "state": task.state,
        "state_reason": task.sessions[-1].state_reason,
        "session_count": task.session_count,
        "artifacts": [artifact_out(artifact, repository) for artifact in task.artifacts],
        "custom_agent": task.custom_agent,
        "archived_at": task.archived_at,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


def artifact_out(artifact: Artifact, repository: Repository) -> ArtifactOut:
    if artifact.type == "branch":
        return ArtifactOut(type="branch", data=BranchData(**artifact.data))
    id_, number = artifact.data["id"], artifact.data["number"]
    data = PullData(id=id_, global_id=node_id("PR", repository.id, id_), number=number)
    return ArtifactOut(type="pull", data=data)


def session_out(session: Session, repository: Repository) -> SessionOut:
    usage = session.usage_nano_credits
    return SessionOut(
        id=session.id,
        name=session.prompt.splitlines()[0][:80],
        user=IdOut(id=session.user_id),
        owner=IdOut(id=repository.owner_id),
        repository=IdOut(id=repository.id),
        task_id=session.task_id,
        state=session.state,
        state_reason=session.state_reason,
        created_at=session.created_at,
        updated_at=session.updated_at,
        completed_at=session.completed_at,
        prompt=session.prompt,
        head_ref=session.head_ref,
        base_ref=session.base_ref,
        model=session.model,
        usage=None if usage is None else UsageOut(amount=usage),
        error=ErrorOut(message=session.error) if session.error else None,
    )
