"""Task rows and the two lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from journeyman.domain.artifacts import Artifact, BranchArtifact, PullArtifact
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Sort, TaskPage, TaskQuery
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.sessions import State
from journeyman.domain.tasks import Task
from journeyman.store import sessions, task_counts
from journeyman.store.accounts import OWNER_COLUMNS, REPOSITORY_COLUMNS, labelled_repository
from journeyman.store.tables import (
    account,
    artifact,
    collaborator,
    idempotency_key,
    repository,
    session,
    task,
    task_count,
)

_SESSION_COLUMNS = [c.label(f"session_{c.name}") for c in sessions.COLUMNS]
_SESSION = slice(len(_SESSION_COLUMNS))
_TASK_COLUMNS = [c.label(f"task_{c.name}") for c in task.c]
_TASKS = sa.select(
    *_SESSION_COLUMNS, *_TASK_COLUMNS, *REPOSITORY_COLUMNS, *OWNER_COLUMNS
).select_from(
    task.join(session, session.c.id == task.c.session_id)
    .join(repository, repository.c.id == task.c.repository_id)
    .join(account, account.c.id == repository.c.owner_id)
)
_FIND = _TASKS.where(task.c.id == sa.bindparam("id"))
_ARTIFACTS: sa.Select[Any] = sa.select(
    artifact.c.task_id, artifact.c.type, artifact.c.data
).order_by(artifact.c.id)
_ARTIFACTS_OF_ONE = _ARTIFACTS.where(artifact.c.task_id == sa.bindparam("task_id"))
_ARTIFACTS_OF_MANY = _ARTIFACTS.where(
    artifact.c.task_id.in_(sa.bindparam("task_ids", expanding=True))
)


def _artifact(row: sa.Row[Any]) -> Artifact:
    kind: type[BranchArtifact | PullArtifact] = (
        BranchArtifact if row.type == "branch" else PullArtifact
    )
    return kind(**row.data)


def _task(row: sa.Row[Any], of: Repository, artifacts: tuple[Artifact, ...]) -> Task:
    return Task(
        id=row.task_id,
        repository=of,
        creator_id=row.task_creator_id,
        name=row.task_name,
        custom_agent=row.task_custom_agent,
        session=sessions.to_session(row[_SESSION]),
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
        for row in tx.execute(_ARTIFACTS_OF_MANY, {"task_ids": list(made)}):
            made[row.task_id].append(_artifact(row))
    # A page is often of one repository; building it once is a quarter of the page's time.
    known = {row.repository_id: row for row in rows}
    repositories = {id_: labelled_repository(row) for id_, row in known.items()}
    return [_task(row, repositories[row.repository_id], tuple(made[row.task_id])) for row in rows]


def find_task(tx: sa.Connection, task_id: str) -> Task | None:
    row = tx.execute(_FIND, {"id": task_id}).first()
    if row is None:
        return None
    made = tx.execute(_ARTIFACTS_OF_ONE, {"task_id": task_id})
    return _task(row, labelled_repository(row), tuple(_artifact(one) for one in made))


def list_by_id(tx: sa.Connection, task_ids: Sequence[str]) -> list[Task]:
    """In the order of *task_ids*."""
    found = _with_artifacts(tx, list(tx.execute(_TASKS.where(task.c.id.in_(task_ids)))))
    by_id = {one.id: one for one in found}
    return [by_id[task_id] for task_id in task_ids if task_id in by_id]


@dataclass(frozen=True)
class Head:
    """What of a task is known without reading the rest."""

    version: int
    repository_id: int
    session_id: str
    state: State


_HEAD = sa.select(task.c.version, task.c.repository_id, task.c.session_id, task.c.state).where(
    task.c.id == sa.bindparam("id")
)


def find_head(tx: sa.Connection, task_id: str) -> Head | None:
    row = tx.execute(_HEAD, {"id": task_id}).first()
    return None if row is None else Head(*row[:3], State(row.state))


def add_task(tx: sa.Connection, new: Task) -> None:
    """Its session is added by `store.sessions.add_session`."""
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
    task_counts.change(tx, new.repository.id, new.creator_id, active=1)


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
    """Changes nothing where it is so already."""
    row = tx.execute(
        task.update()
        .where(task.c.id == task_id, _archived(archived_at is None))
        .values(archived_at=archived_at, version=task.c.version + 1, updated_at=now)
        .returning(task.c.repository_id, task.c.creator_id)
    ).first()
    if row is not None:
        step = -1 if archived_at else 1
        task_counts.change(tx, row.repository_id, row.creator_id, active=step, archived=-step)


def list_for_repository(tx: sa.Connection, repository_id: int, query: TaskQuery) -> TaskPage:
    return _page(tx, _Scope(of_repository=True), {"repository_id": repository_id}, query)


def repositories_of(tx: sa.Connection, creator_id: int) -> Sequence[int]:
    """Those in which somebody has made tasks."""
    query = sa.select(task_count.c.repository_id).where(task_count.c.creator_id == creator_id)
    return tx.scalars(query).all()


def newest_repositories(tx: sa.Connection, most: int) -> Sequence[int]:
    """All that are known, those with the newest tasks first."""
    newest = sa.func.max(task.c.updated_at)
    query = (
        sa.select(repository.c.id)
        .select_from(repository.outerjoin(task, task.c.repository_id == repository.c.id))
        .group_by(repository.c.id)
        .order_by(newest.desc().nulls_last(), repository.c.id.desc())
    )
    return tx.scalars(query.limit(most)).all()


def list_for_creator(tx: sa.Connection, principal: Principal, query: TaskQuery) -> TaskPage:
    """The tasks that *principal* made, in the repositories that it still sees and its token
    reaches."""
    values: dict[str, Any] = {"creator_id": principal.account.id}
    if principal.roles is not None:
        values["repository_ids"] = principal.roles.at_least(Permission.READ)
        return _page(tx, _Scope(everywhere=True, told=True), values, query)
    selected = principal.repository_ids is not None
    if principal.repository_ids is not None:
        values["repository_ids"] = sorted(principal.repository_ids)
    everywhere = principal.account.site_admin
    scope = _Scope(everywhere=everywhere, public_only=principal.public_only, selected=selected)
    return _page(tx, scope, values, query)


_OWN = sa.select(repository.c.id).where(repository.c.owner_id == sa.bindparam("creator_id"))
_GRANTED = sa.select(collaborator.c.repository_id).where(
    collaborator.c.account_id == sa.bindparam("creator_id"), collaborator.c.permission > 0
)


@dataclass(frozen=True)
class _Scope:
    """Whose tasks are listed: a repository's, or a creator's as far as the token reaches."""

    of_repository: bool = False
    everywhere: bool = False
    """The creator administers the site, and sees every repository."""
    public_only: bool = False
    selected: bool = False
    told: bool = False
    """Another forge has said which repositories they are."""

    def condition(self, of: sa.Table) -> sa.ColumnElement[bool]:
        """*of*: the tasks, or their counts."""
        repository_id = of.c.repository_id
        if self.of_repository:
            return repository_id == sa.bindparam("repository_id")
        found = of.c.creator_id == sa.bindparam("creator_id")
        public = repository_id.in_(sa.select(repository.c.id).where(~repository.c.private))
        if not self.everywhere:
            own, granted = repository_id.in_(_OWN), repository_id.in_(_GRANTED)
            found = found & (public | own | granted)
        if self.public_only:
            found = found & public
        ids: sa.BindParameter[Any] = sa.bindparam("repository_ids", expanding=True)
        if self.selected:
            found = found & (repository_id.in_(ids) | public)
        if self.told:
            found = found & repository_id.in_(ids)
        return found


@dataclass(frozen=True)
class _Shape:
    """All that changes the text of a list's statement; the rest are its parameters."""

    scope: _Scope
    archived: bool
    sort: Sort
    ascending: bool
    by_creator: bool
    by_state: bool
    by_time: bool


@cache
def _list(shape: _Shape) -> sa.Select[Any]:
    """Built once for each shape: building it takes longer than running it."""
    where = [shape.scope.condition(task), _archived(shape.archived)]
    if shape.by_creator:
        where.append(task.c.creator_id.in_(sa.bindparam("creator_ids", expanding=True)))
    if shape.by_state:
        where.append(task.c.state.in_(sa.bindparam("states", expanding=True)))
    if shape.by_time:
        where.append(task.c.updated_at >= sa.bindparam("since"))
    column = task.c.created_at if shape.sort is Sort.CREATED_AT else task.c.updated_at
    order = [column, task.c.id] if shape.ascending else [column.desc(), task.c.id.desc()]
    statement = _TASKS.where(*where).order_by(*order)
    return statement.limit(sa.bindparam("most")).offset(sa.bindparam("skipped"))


def _page(tx: sa.Connection, scope: _Scope, values: dict[str, Any], query: TaskQuery) -> TaskPage:
    shape = _Shape(
        scope=scope,
        archived=query.archived,
        sort=query.sort,
        ascending=query.ascending,
        by_creator=bool(query.creator_ids),
        by_state=bool(query.states),
        by_time=query.since is not None,
    )
    given = {
        "creator_ids": sorted(query.creator_ids),
        "states": sorted(query.states),
        "since": query.since,
        "most": query.per_page + 1,
        "skipped": (query.page - 1) * query.per_page,
    }
    rows = list(tx.execute(_list(shape), {**given, **values}))
    active, archived = tx.execute(_count(scope), values).one()
    return TaskPage(
        tasks=tuple(_with_artifacts(tx, rows[: query.per_page])),
        has_more=len(rows) > query.per_page,
        total_active_count=active,
        total_archived_count=archived,
    )


def _archived(archived: bool) -> sa.ColumnElement[bool]:
    return task.c.archived_at.is_not(None) if archived else task.c.archived_at.is_(None)


@cache
def _count(scope: _Scope) -> sa.Select[Any]:
    return task_counts.total(scope.condition(task_count))


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
