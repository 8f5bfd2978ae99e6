"""The embedded forge's pull requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.queries import PullQuery, PullSort
from journeyman.domain.repositories import Pull, PullEnd, PullState
from journeyman.store.tables import pull


def _pull(row: sa.Row[Any]) -> Pull:
    return Pull(
        id=row.id,
        number=row.number,
        repository_id=row.repository_id,
        user_id=row.user_id,
        title=row.title,
        body=row.body,
        head_ref=row.head_ref,
        base_ref=row.base_ref,
        draft=row.draft,
        state=PullState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        end=_end(row, row.ended_at) if row.ended_at else None,
        merging=_end(row, row.updated_at) if row.merge_sha and not row.ended_at else None,
    )


def _end(row: sa.Row[Any], at: datetime) -> PullEnd:
    return PullEnd(
        at=at,
        head_sha=row.ended_head_sha,
        base_sha=row.ended_base_sha,
        merged_by_id=row.merged_by_id,
        merge_sha=row.merge_sha,
    )


def find_open_pull(
    tx: sa.Connection, repository_id: int, head_ref: str, base_ref: str
) -> Pull | None:
    row = tx.execute(
        sa.select(pull).where(
            pull.c.repository_id == repository_id,
            pull.c.head_ref == head_ref,
            pull.c.base_ref == base_ref,
            pull.c.state == PullState.OPEN,
        )
    ).first()
    return None if row is None else _pull(row)


def open_pulls(tx: sa.Connection, repository_id: int) -> list[Pull]:
    there = sa.select(pull).where(pull.c.repository_id == repository_id)
    is_open = pull.c.state == PullState.OPEN
    return [_pull(row) for row in tx.execute(there.where(is_open).order_by(pull.c.number))]


def find_pull(tx: sa.Connection, repository_id: int, number: int) -> Pull | None:
    row = tx.execute(
        sa.select(pull).where(pull.c.repository_id == repository_id, pull.c.number == number)
    ).first()
    return None if row is None else _pull(row)


def get_pull(tx: sa.Connection, repository_id: int, number: int) -> Pull:
    found = find_pull(tx, repository_id, number)
    assert found is not None, "a pull request is never removed"
    return found


def find_by_id(tx: sa.Connection, pull_id: int) -> Pull | None:
    row = tx.execute(sa.select(pull).where(pull.c.id == pull_id)).first()
    return None if row is None else _pull(row)


def list_pulls(tx: sa.Connection, repository_id: int) -> list[Pull]:
    """Newest first."""
    rows = tx.execute(
        sa.select(pull).where(pull.c.repository_id == repository_id).order_by(pull.c.number.desc())
    )
    return [_pull(row) for row in rows]


def list_page(tx: sa.Connection, repository_id: int, query: PullQuery) -> list[Pull]:
    """One more than the page holds, when there are more."""
    found = sa.select(pull).where(pull.c.repository_id == repository_id)
    if query.open is not None:
        is_open = pull.c.state == PullState.OPEN
        found = found.where(is_open if query.open else ~is_open)
    if query.head_ref is not None:
        found = found.where(pull.c.head_ref == query.head_ref)
    if query.base_ref is not None:
        found = found.where(pull.c.base_ref == query.base_ref)
    column = pull.c.updated_at if query.sort is PullSort.UPDATED else pull.c.created_at
    order = [column, pull.c.id] if query.ascending else [column.desc(), pull.c.id.desc()]
    skipped = (query.page - 1) * query.per_page
    rows = tx.execute(found.order_by(*order).limit(query.per_page + 1).offset(skipped))
    return [_pull(row) for row in rows]


def begin_merge(tx: sa.Connection, repository_id: int, number: int, end: PullEnd) -> bool:
    """Note what the merge will have been, before the branch moves; False when it is not open."""
    changed = tx.execute(
        pull.update()
        .where(
            pull.c.repository_id == repository_id,
            pull.c.number == number,
            pull.c.state == PullState.OPEN,
        )
        .values(
            ended_head_sha=end.head_sha,
            ended_base_sha=end.base_sha,
            merged_by_id=end.merged_by_id,
            merge_sha=end.merge_sha,
            updated_at=end.at,
        )
    )
    return changed.rowcount == 1


def end_pull(
    tx: sa.Connection, repository_id: int, number: int, state: PullState, end: PullEnd
) -> Pull | None:
    """Compare-and-set: None when it is not open any more."""
    row = tx.execute(
        pull.update()
        .where(
            pull.c.repository_id == repository_id,
            pull.c.number == number,
            pull.c.state == PullState.OPEN,
        )
        .values(
            state=state,
            ended_at=end.at,
            ended_head_sha=end.head_sha,
            ended_base_sha=end.base_sha,
            merged_by_id=end.merged_by_id,
            merge_sha=end.merge_sha,
            updated_at=end.at,
        )
        .returning(*pull.c)
    ).first()
    return None if row is None else _pull(row)


def reopen_pull(tx: sa.Connection, repository_id: int, number: int, now: datetime) -> Pull | None:
    """None when it is not closed; one that was merged stays so."""
    row = tx.execute(
        pull.update()
        .where(
            pull.c.repository_id == repository_id,
            pull.c.number == number,
            pull.c.state == PullState.CLOSED,
        )
        .values(
            state=PullState.OPEN,
            ended_at=None,
            ended_head_sha=None,
            ended_base_sha=None,
            merged_by_id=None,
            merge_sha=None,
            updated_at=now,
        )
        .returning(*pull.c)
    ).first()
    return None if row is None else _pull(row)


def add_pull(
    tx: sa.Connection,
    *,
    repository_id: int,
    user_id: int,
    title: str,
    body: str,
    head_ref: str,
    base_ref: str,
    draft: bool,
    now: datetime,
) -> Pull:
    taken = sa.select(sa.func.coalesce(sa.func.max(pull.c.number), 0)).where(
        pull.c.repository_id == repository_id
    )
    row = tx.execute(
        pull.insert()
        .values(
            repository_id=repository_id,
            number=(tx.scalar(taken) or 0) + 1,
            user_id=user_id,
            title=title,
            body=body,
            head_ref=head_ref,
            base_ref=base_ref,
            draft=draft,
            state=PullState.OPEN,
            created_at=now,
            updated_at=now,
        )
        .returning(*pull.c)
    ).one()
    return _pull(row)


def update_pull(
    tx: sa.Connection,
    repository_id: int,
    number: int,
    changes: dict[str, str | bool],
    now: datetime,
) -> Pull | None:
    """*changes* by column: title, body, draft, state. None when there is no such pull request."""
    row = tx.execute(
        pull.update()
        .where(pull.c.repository_id == repository_id, pull.c.number == number)
        .values(**changes, updated_at=now)
        .returning(*pull.c)
    ).first()
    return None if row is None else _pull(row)
