"""What the dashboard reads: tasks by what may be seen of them, and parts of their logs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from journeyman.domain.browsing import Mark, Search
from journeyman.domain.events import Event, EventType
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor, Sort
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.sessions import State
from journeyman.domain.tasks import Task
from journeyman.store import accounts, events, tasks
from journeyman.store.tables import (
    account,
    artifact,
    collaborator,
    event,
    repository,
    session,
    task,
    task_count,
)

SHORT = (EventType.SESSION_STATE, EventType.USAGE)
"""Types whose data is part of the outline."""


def reached(principal: Principal, permission: Permission) -> sa.ColumnElement[bool]:
    """Of the repositories in the statement: those where *principal* has *permission*.

    Says the same as `accounts.permission_of`, for many at once.
    """
    if principal.roles is not None:
        return repository.c.id.in_(principal.roles.at_least(permission))
    public: sa.ColumnElement[bool] = ~repository.c.private
    granted = sa.exists().where(
        collaborator.c.repository_id == repository.c.id,
        collaborator.c.account_id == principal.account.id,
        collaborator.c.permission >= int(permission),
    )
    role = sa.or_(repository.c.owner_id == principal.account.id, granted)
    if principal.account.site_admin:
        role = sa.or_(sa.true())
    if principal.public_only:
        writes = "public_repo" in (principal.scopes or ())
        role = sa.and_(role, public) if writes else sa.or_(sa.false())
    if principal.repository_ids is not None:
        role = sa.and_(role, repository.c.id.in_(principal.repository_ids))
    return sa.or_(role, public) if permission is Permission.READ else role


def find_tasks(
    tx: sa.Connection, principal: Principal, search: Search
) -> tuple[list[Task], dict[State, int]]:
    """One more than a page, if there are so many; and the number of tasks by state."""
    where = _conditions(principal, search)
    column = task.c.created_at if search.sort is Sort.CREATED_AT else task.c.updated_at
    order = (column, task.c.id) if search.ascending else (column.desc(), task.c.id.desc())
    chosen = where if not search.states else [*where, task.c.state.in_(search.states)]
    ids = tx.scalars(
        sa.select(task.c.id)
        .select_from(_joined(search))
        .where(*chosen)
        .order_by(*order)
        .limit(search.per_page + 1)
        .offset((search.page - 1) * search.per_page)
    ).all()
    counts = tx.execute(
        sa.select(task.c.state, sa.func.count())
        .select_from(_joined(search))
        .where(*where)
        .group_by(task.c.state)
    )
    return tasks.list_by_id(tx, ids), {State(state): count for state, count in counts}


def _joined(search: Search) -> sa.FromClause:
    joined = task.join(repository, repository.c.id == task.c.repository_id)
    return joined.join(session, session.c.id == task.c.session_id) if search.text else joined


def _conditions(principal: Principal, search: Search) -> list[sa.ColumnElement[bool]]:
    archived = task.c.archived_at
    where = [
        reached(principal, Permission.READ),
        archived.is_not(None) if search.archived else archived.is_(None),
    ]
    if search.repository_id is not None:
        where.append(task.c.repository_id == search.repository_id)
    if search.creator:
        named = sa.select(account.c.id).where(account.c.login_key == search.creator.lower())
        where.append(task.c.creator_id == named.scalar_subquery())
    if search.text:
        columns = (task.c.name, session.c.prompt, session.c.head_ref)
        where.append(
            sa.or_(*(column.icontains(search.text, autoescape=True) for column in columns))
        )
    return where


def list_repositories(
    tx: sa.Connection, principal: Principal, permission: Permission
) -> list[Repository]:
    """By name."""
    rows = tx.execute(
        sa.select(*accounts.REPOSITORY_COLUMNS, *accounts.OWNER_COLUMNS)
        .select_from(repository.join(account, repository.c.owner_id == account.c.id))
        .where(reached(principal, permission))
        .order_by(account.c.login_key, repository.c.name_key)
    )
    return [accounts.labelled_repository(row) for row in rows]


def creators(tx: sa.Connection, principal: Principal, most: int) -> list[str]:
    """The logins of those who asked for the most tasks that *principal* may see, by name."""
    tasks_of = sa.func.sum(task_count.c.active + task_count.c.archived)
    found = tx.scalars(
        sa.select(account.c.login)
        .select_from(task_count)
        .join(repository, repository.c.id == task_count.c.repository_id)
        .join(account, account.c.id == task_count.c.creator_id)
        .where(reached(principal, Permission.READ))
        .group_by(account.c.id, account.c.login)
        .having(tasks_of > 0)
        .order_by(tasks_of.desc(), account.c.id)
        .limit(most)
    )
    return sorted(found, key=str.lower)


def ids_beginning(tx: sa.Connection, principal: Principal, prefix: str, most: int) -> list[str]:
    """Ids of tasks that *principal* may see, of which *prefix* is the beginning."""
    # A range rather than LIKE, which uses no index. In an id nothing sorts behind `f`, in any
    # collation.
    found = tx.scalars(
        sa.select(task.c.id)
        .join(repository, repository.c.id == task.c.repository_id)
        .where(task.c.id >= prefix, task.c.id < f"{prefix}g")
        .where(reached(principal, Permission.READ))
        .order_by(task.c.id)
        .limit(most)
    )
    return list(found)


def logins(tx: sa.Connection, account_ids: Collection[int]) -> dict[int, str]:
    rows = tx.execute(sa.select(account.c.id, account.c.login).where(account.c.id.in_(account_ids)))
    return {row.id: row.login for row in rows}


def costs(tx: sa.Connection, task_ids: Sequence[str]) -> dict[str, int]:
    """Nano credits by task, of those that have any."""
    rows = tx.execute(
        sa.select(session.c.task_id, sa.func.sum(session.c.usage_nano_credits))
        .where(session.c.task_id.in_(task_ids), session.c.usage_nano_credits.is_not(None))
        .group_by(session.c.task_id)
    )
    return {task_id: int(amount) for task_id, amount in rows}


_NEWEST_FIRST = (session.c.number.desc(), event.c.seq.desc())


def log_before(tx: sa.Connection, task_id: str, before: Cursor | None, most: int) -> list[Event]:
    """The last *most* events that come before *before*, or of all; in their order."""
    query = events.TASK_LOG.order_by(None).order_by(*_NEWEST_FIRST).limit(most)
    if before is not None:
        query = query.where(_precedes(before))
    rows = tx.execute(query, {"task_id": task_id})
    return [events.row_to_event(row) for row in rows][::-1]


def _follows(cursor: Cursor) -> sa.ColumnElement[bool]:
    return sa.or_(
        session.c.number > cursor.session_number,
        sa.and_(session.c.number == cursor.session_number, event.c.seq > cursor.seq),
    )


def _precedes(cursor: Cursor) -> sa.ColumnElement[bool]:
    return sa.or_(
        session.c.number < cursor.session_number,
        sa.and_(session.c.number == cursor.session_number, event.c.seq < cursor.seq),
    )


def outline(tx: sa.Connection, task_id: str, after: Cursor) -> list[Mark]:
    """The log that follows *after*, without what is long in it."""
    data = sa.case((event.c.type.in_(SHORT), sa.type_coerce(event.c.data, sa.Text)))
    rows = tx.execute(
        sa.select(session.c.number, event.c.seq, event.c.type, event.c.created_at, data)
        .select_from(event.join(session))
        .where(session.c.task_id == task_id, _follows(after))
        .order_by(session.c.number, event.c.seq)
    )
    return [_mark(*row) for row in rows]


def _mark(number: int, seq: int, kind: str, created_at: Any, data: str | None) -> Mark:
    return Mark(Cursor(number, seq), EventType(kind), created_at, json.loads(data) if data else {})


def search_log(tx: sa.Connection, task_id: str, text: str, most: int) -> list[Event]:
    """The first *most* events that have *text* somewhere in what they say."""
    written = json.dumps(text)[1:-1]
    query = events.TASK_LOG.where(
        sa.type_coerce(event.c.data, sa.Text).icontains(written, autoescape=True)
    ).limit(most)
    return [events.row_to_event(row) for row in tx.execute(query, {"task_id": task_id})]


def find_event(tx: sa.Connection, task_id: str, at: Cursor) -> Event | None:
    query = events.TASK_LOG.where(session.c.number == at.session_number, event.c.seq == at.seq)
    row = tx.execute(query, {"task_id": task_id}).first()
    return None if row is None else events.row_to_event(row)


def task_of_pull(tx: sa.Connection, pull_id: int) -> str | None:
    """The id of the task that opened it."""
    made = sa.select(artifact.c.task_id).where(
        artifact.c.type == "pull", artifact.c.key == str(pull_id)
    )
    return tx.scalar(made.order_by(artifact.c.id).limit(1))
