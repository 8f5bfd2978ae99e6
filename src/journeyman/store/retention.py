"""Finding and removing what is old. Of a task that is at work or rests nothing is ever found."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.sessions import FINAL, Session
from journeyman.store.sessions import COLUMNS, to_session
from journeyman.store.tables import checkpoint, event, session, task

NEWEST = session.alias("newest")
_ENDED = (
    sa.select(task.c.id)
    .join(NEWEST, NEWEST.c.id == task.c.session_id)
    .where(NEWEST.c.state.in_(FINAL), NEWEST.c.completed_at < sa.bindparam("before"))
)
"""Tasks whose last session has ended before."""


def with_old_events(tx: sa.Connection, before: datetime, most: int) -> list[Session]:
    found = (
        sa.select(*COLUMNS)
        .where(session.c.events_expired_at.is_(None), session.c.task_id.in_(_ENDED))
        .order_by(session.c.completed_at)
        .limit(most)
    )
    return [to_session(row) for row in tx.execute(found, {"before": before})]


def still_old(tx: sa.Connection, session_id: str, before: datetime) -> bool:
    """Whether its task has come to nothing new; asked under the session's lock."""
    found = sa.select(session.c.id).where(
        session.c.id == session_id,
        session.c.events_expired_at.is_(None),
        session.c.task_id.in_(_ENDED),
    )
    return tx.execute(found, {"before": before}).first() is not None


def expire_events(tx: sa.Connection, of: Session, now: datetime) -> None:
    """From now on the session counts as one whose log is its last entry alone."""
    tx.execute(session.update().where(session.c.id == of.id).values(events_expired_at=now))
    tx.execute(task.update().where(task.c.id == of.task_id).values(version=task.c.version + 1))


_REMOVE = event.delete().where(
    event.c.session_id == sa.bindparam("old_session"), event.c.seq == sa.bindparam("old_seq")
)


def remove_expired_events(tx: sa.Connection, most: int) -> int:
    """Delete up to *most* entries of sessions that have expired, but for each one's last. How
    many."""
    old = (
        sa.select(event.c.session_id, event.c.seq)
        .join(session, session.c.id == event.c.session_id)
        .where(session.c.events_expired_at.is_not(None), event.c.seq < session.c.last_seq)
        .limit(most)
    )
    rows = tx.execute(old).all()
    if rows:
        tx.execute(_REMOVE, [{"old_session": row.session_id, "old_seq": row.seq} for row in rows])
    return len(rows)


def expire_checkpoints(tx: sa.Connection, before: datetime, now: datetime, most: int) -> int:
    """Drop the files of up to *most* checkpoints, but not that there were some. How many."""
    old = (
        sa.select(checkpoint.c.session_id)
        .join(session, session.c.id == checkpoint.c.session_id)
        .where(checkpoint.c.bundle.is_not(None), session.c.task_id.in_(_ENDED))
        .limit(most)
    )
    ids = list(tx.execute(old, {"before": before}).scalars())
    if ids:
        tx.execute(
            checkpoint.update()
            .where(checkpoint.c.session_id.in_(ids))
            .values(bundle=None, expired_at=now)
        )
    return len(ids)
