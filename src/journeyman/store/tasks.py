"""Task rows and the two lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.artifacts import Artifact, BranchArtifact, PullArtifact
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Sort, TaskPage, TaskQuery
from journeyman.domain.tasks import Task
from journeyman.store.accounts import OWNER_COLUMNS, REPOSITORY_COLUMNS, labelled_repository
from journeyman.store.sessions import row_to_session
from journeyman.store.tables import account, artifact, idempotency_key, repository, session, task

_SESSION_COLUMNS = [
    c.label(f"session_{c.name}") for c in session.c if c.name != "cancel_requested_at"
]
_TASK_COLUMNS = [c.label(f"task_{c.name}") for c in task.c]
_TASKS = sa.select(
    *_TASK_COLUMNS, *_SESSION_COLUMNS, *REPOSITORY_COLUMNS, *OWNER_COLUMNS
).select_from(
    task.join(session, session.c.id == task.c.session_id)
    .join(repository, repository.c.id == task.c.repository_id)
    .join(account, account.c.id == repository.c.owner_id)
)
_FIND = _TASKS.where(task.c.id == sa.bindparam("id"))
_ARTIFACTS = (
    sa.select(artifact)
    .where(artifact.c.task_id.in_(sa.bindparam("task_ids", expanding=True)))
    .order_by(artifact.c.id)
)


def _artifact(row: sa.Row[Any]) -> Artifact:
    kind: type[BranchArtifact | PullArtifact] = (
        BranchArtifact if row.type == "branch" else PullArtifact
    )
    return kind(**row.data)


def _task(row: sa.Row[Any], artifacts: tuple[Artifact, ...]) -> Task:
    return Task(
        id=row.task_id,
        repository=labelled_repository(row),
        creator_id=row.task_creator_id,
        name=row.task_name,
        custom_agent=row.task_custom_agent,
        session=row_to_session(row, "session_"),
        session_count=row.task_session_count,
        artifacts=artifacts,
        version=row.task_version,
        created_at=row.task_created_at,
        updated_at=row.task_updated_at,
        archived_at=row.task_archived_at,
    )


def _with_artifacts(tx: sa.Connection, rows: list[sa.Row[Any]]) -> list[Task]:
    made: dict[str, list[Artifact]] = {row.task_id: [] for row in rows}
    if made:
        for row in tx.execute(_ARTIFACTS, {"task_ids": list(made)}):
            made[row.task_id].append(_artifact(row))
    return [_task(row, tuple(made[row.task_id])) for row in rows]


def find_task(tx: sa.Connection, task_id: str) -> Task | None:
    rows = list(tx.execute(_FIND, {"id": task_id}))
    return _with_artifacts(tx, rows)[0] if rows else None


def list_by_id(tx: sa.Connection, task_ids: Sequence[str]) -> list[Task]:
    """In the order of *task_ids*."""
    found = _with_artifacts(tx, list(tx.execute(_TASKS.where(task.c.id.in_(task_ids)))))
    by_id = {one.id: one for one in found}
    return [by_id[task_id] for task_id in task_ids if task_id in by_id]


_HEAD = sa.select(task.c.version, task.c.repository_id).where(task.c.id == sa.bindparam("id"))


def find_head(tx: sa.Connection, task_id: str) -> tuple[int, int] | None:
    """A task's version and repository id, without reading the rest."""
    row = tx.execute(_HEAD, {"id": task_id}).first()
    return None if row is None else (row.version, row.repository_id)


def add_task(tx: sa.Connection, new: Task) -> None:
    """The task row alone; its session is added by `store.sessions.add_session`."""
    tx.execute(
        task.insert().values(
            id=new.id,
            repository_id=new.repository.id,
            creator_id=new.creator_id,
            name=new.name,
            custom_agent=new.custom_agent,
            session_id=new.session.id,
            state=new.session.state,
            session_count=new.session_count,
            version=new.version,
            created_at=new.created_at,
            updated_at=new.updated_at,
            archived_at=new.archived_at,
        )
    )


def add_artifact(tx: sa.Connection, task_id: str, made: Artifact) -> bool:
    """False when the task has it already."""
    data: dict[str, str | int]
    match made:
        case BranchArtifact(head_ref, base_ref):
            kind, key, data = "branch", head_ref, {"head_ref": head_ref, "base_ref": base_ref}
        case PullArtifact(id, number):
            kind, key, data = "pull", str(id), {"id": id, "number": number}
    known = sa.select(artifact.c.id).where(
        artifact.c.task_id == task_id, artifact.c.type == kind, artifact.c.key == key
    )
    if tx.execute(known).first() is not None:
        return False
    tx.execute(artifact.insert().values(task_id=task_id, type=kind, key=key, data=data))
    return True


def set_newest_session(
    tx: sa.Connection, task_id: str, session_id: str, session_count: int, now: datetime
) -> None:
    """A follow-up: the task's state is that of its new session."""
    tx.execute(
        task.update()
        .where(task.c.id == task_id)
        .values(
            session_id=session_id,
            state="queued",
            session_count=session_count,
            version=task.c.version + 1,
            updated_at=now,
        )
    )


def set_archived(
    tx: sa.Connection, task_id: str, archived_at: datetime | None, now: datetime
) -> None:
    tx.execute(
        task.update()
        .where(task.c.id == task_id)
        .values(archived_at=archived_at, version=task.c.version + 1, updated_at=now)
    )


def list_for_repository(tx: sa.Connection, repository_id: int, query: TaskQuery) -> TaskPage:
    return _page(tx, task.c.repository_id == repository_id, query)


def list_for_creator(tx: sa.Connection, principal: Principal, query: TaskQuery) -> TaskPage:
    """The tasks that *principal* made, in the repositories that its token reaches."""
    scope = task.c.creator_id == principal.account.id
    public = task.c.repository_id.in_(sa.select(repository.c.id).where(~repository.c.private))
    if principal.public_only:
        scope = scope & public
    if principal.repository_ids is not None:
        scope = scope & (task.c.repository_id.in_(principal.repository_ids) | public)
    return _page(tx, scope, query)


def _page(tx: sa.Connection, scope: sa.ColumnElement[bool], query: TaskQuery) -> TaskPage:
    where = [scope, _archived(query.archived)]
    if query.creator_ids:
        where.append(task.c.creator_id.in_(query.creator_ids))
    if query.states:
        where.append(task.c.state.in_(query.states))
    if query.since is not None:
        where.append(task.c.updated_at >= query.since)
    column = task.c.created_at if query.sort is Sort.CREATED_AT else task.c.updated_at
    order = (
        (column.asc(), task.c.id.asc()) if query.ascending else (column.desc(), task.c.id.desc())
    )
    rows = list(
        tx.execute(
            _TASKS.where(*where)
            .order_by(*order)
            .limit(query.per_page + 1)
            .offset((query.page - 1) * query.per_page)
        )
    )
    counts = {archived: _count(tx, scope, archived=archived) for archived in (False, True)}
    return TaskPage(
        tasks=tuple(_with_artifacts(tx, rows[: query.per_page])),
        has_more=len(rows) > query.per_page,
        total_active_count=counts[False],
        total_archived_count=counts[True],
    )


def _archived(archived: bool) -> sa.ColumnElement[bool]:
    return task.c.archived_at.is_not(None) if archived else task.c.archived_at.is_(None)


def _count(tx: sa.Connection, scope: sa.ColumnElement[bool], *, archived: bool) -> int:
    return (
        tx.scalar(sa.select(sa.func.count()).select_from(task).where(scope, _archived(archived)))
        or 0
    )


def find_idempotent(tx: sa.Connection, account_id: int, key: str) -> tuple[bytes, str] | None:
    """The digest of the body that came with *key*, and the task it made."""
    row = tx.execute(
        sa.select(idempotency_key.c.digest, idempotency_key.c.task_id).where(
            idempotency_key.c.account_id == account_id, idempotency_key.c.key == key
        )
    ).first()
    return None if row is None else (row.digest, row.task_id)


def add_idempotent(
    tx: sa.Connection, account_id: int, key: str, digest: bytes, task_id: str, now: datetime
) -> None:
    tx.execute(
        idempotency_key.insert().values(
            account_id=account_id, key=key, digest=digest, task_id=task_id, created_at=now
        )
    )
