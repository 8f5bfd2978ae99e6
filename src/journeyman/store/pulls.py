"""The embedded forge's pull requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.repositories import Pull, PullState
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


def find_pull(tx: sa.Connection, repository_id: int, number: int) -> Pull | None:
    row = tx.execute(
        sa.select(pull).where(pull.c.repository_id == repository_id, pull.c.number == number)
    ).first()
    return None if row is None else _pull(row)


def list_pulls(tx: sa.Connection, repository_id: int) -> list[Pull]:
    """Newest first."""
    rows = tx.execute(
        sa.select(pull).where(pull.c.repository_id == repository_id).order_by(pull.c.number.desc())
    )
    return [_pull(row) for row in rows]


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
