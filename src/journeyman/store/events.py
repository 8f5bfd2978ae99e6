"""The log of a session, the messages waiting for its agent, and its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.queries import Cursor, EventPage
from journeyman.domain.sessions import Session
from journeyman.store.tables import checkpoint, event, message, session

_INSERT = event.insert()


def add_events(
    tx: sa.Connection, of: Session, first_seq: int, new: Sequence[NewEvent], now: datetime
) -> list[Event]:
    """Append with the numbers that `store.sessions.reserve` gave."""
    made = [
        Event(of.id, of.number, seq, item.type, now, item.data, item.record)
        for seq, item in enumerate(new, first_seq)
    ]
    tx.execute(
        _INSERT,
        [
            {
                "session_id": one.session_id,
                "seq": one.seq,
                "type": one.type,
                "created_at": one.created_at,
                "data": one.data,
                "record": one.record,
            }
            for one in made
        ],
    )
    return made


def row_to_event(row: sa.Row[Any]) -> Event:
    return Event(
        row.session_id,
        row.number,
        row.seq,
        EventType(row.type),
        row.created_at,
        row.data,
        row.record,
    )


_EVENT_OF = sa.select(event, session.c.number).select_from(event.join(session))
_WITHOUT_RECORD = sa.select(
    event.c.session_id,
    event.c.seq,
    event.c.type,
    event.c.created_at,
    event.c.data,
    sa.null().label("record"),
    session.c.number,
).select_from(event.join(session))
_SESSION_LOG = _EVENT_OF.where(event.c.session_id == sa.bindparam("id")).order_by(event.c.seq)
TASK_LOG = _WITHOUT_RECORD.where(session.c.task_id == sa.bindparam("task_id")).order_by(
    session.c.number, event.c.seq
)
_AFTER = TASK_LOG.where(
    sa.or_(
        session.c.number > sa.bindparam("after_number"),
        sa.and_(
            session.c.number == sa.bindparam("after_number"),
            event.c.seq > sa.bindparam("after_seq"),
        ),
    )
).limit(sa.bindparam("most"))


def session_log(tx: sa.Connection, session_id: str) -> list[Event]:
    """All of one session, with what the fold needs."""
    return [row_to_event(row) for row in tx.execute(_SESSION_LOG, {"id": session_id})]


_SHOWN = sa.case((session.c.events_expired_at.is_(None), session.c.last_seq), else_=1)
"""Entries of a session's log that there are to be shown."""


def task_page(tx: sa.Connection, task_id: str, page: int, per_page: int) -> EventPage:
    """Oldest first, over all sessions of the task."""
    total = tx.scalar(sa.select(sa.func.sum(_SHOWN)).where(session.c.task_id == task_id)) or 0
    rows = tx.execute(TASK_LOG.limit(per_page).offset((page - 1) * per_page), {"task_id": task_id})
    return EventPage(tuple(row_to_event(row) for row in rows), total)


_EARLIER = _WITHOUT_RECORD.where(
    session.c.task_id == sa.bindparam("task_id"),
    session.c.number < sa.bindparam("number"),
    event.c.type.in_(
        [
            EventType.USER_MESSAGE,
            EventType.MESSAGE,
            EventType.CHECKPOINT,
            EventType.SESSION_STATE,
        ]
    ),
).order_by(session.c.number, event.c.seq)


def earlier_log(tx: sa.Connection, of: Session) -> list[Event]:
    """What was said, kept and decided in the sessions of the task before this one."""
    rows = tx.execute(_EARLIER, {"task_id": of.task_id, "number": of.number})
    return [row_to_event(row) for row in rows]


def times_parked(tx: sa.Connection, session_id: str, reason: str) -> list[datetime]:
    """When the session came to rest for *reason*, again and again, since its agent last spoke."""
    spoken = sa.select(sa.func.coalesce(sa.func.max(event.c.seq), 0)).where(
        event.c.session_id == session_id, event.c.type == EventType.MESSAGE
    )
    rows = tx.execute(
        sa.select(event.c.created_at)
        .where(
            event.c.session_id == session_id,
            event.c.type == EventType.SESSION_STATE,
            event.c.seq > spoken.scalar_subquery(),
            sa.type_coerce(event.c.data, sa.Text).contains(f'"{reason}"'),
        )
        .order_by(event.c.seq)
    )
    return list(rows.scalars())


_LENGTHS = (
    sa.select(session.c.task_id, sa.func.sum(session.c.last_seq))
    .where(session.c.task_id.in_(sa.bindparam("task_ids", expanding=True)))
    .group_by(session.c.task_id)
)


def lengths(tx: sa.Connection, task_ids: Sequence[str]) -> dict[str, int]:
    """How many events each of *task_ids* has."""
    return {task_id: int(total) for task_id, total in tx.execute(_LENGTHS, {"task_ids": task_ids})}


def task_tail(tx: sa.Connection, task_id: str, after: Cursor, most: int) -> list[Event]:
    """Up to *most* events that follow *after*."""
    rows = tx.execute(
        _AFTER,
        {
            "task_id": task_id,
            "after_number": after.session_number,
            "after_seq": after.seq,
            "most": most,
        },
    )
    return [row_to_event(row) for row in rows]


@dataclass(frozen=True)
class Message:
    """What somebody wants the agent to read."""

    id: int
    user_id: int
    source: str
    content: str


def add_message(
    tx: sa.Connection, session_id: str, user_id: int, source: str, content: str, now: datetime
) -> None:
    tx.execute(
        message.insert().values(
            session_id=session_id, user_id=user_id, source=source, content=content, created_at=now
        )
    )


_UNREAD = (
    sa.select(message.c.id, message.c.user_id, message.c.source, message.c.content)
    .where(message.c.session_id == sa.bindparam("id"), message.c.consumed_seq.is_(None))
    .order_by(message.c.id)
)


def unread_messages(tx: sa.Connection, session_id: str) -> list[Message]:
    return [Message(*row) for row in tx.execute(_UNREAD, {"id": session_id})]


def mark_read(tx: sa.Connection, message_id: int, seq: int) -> None:
    tx.execute(message.update().where(message.c.id == message_id).values(consumed_seq=seq))


def save_checkpoint(tx: sa.Connection, session_id: str, saved: Checkpoint, now: datetime) -> None:
    """Replaces the one before it."""
    tx.execute(checkpoint.delete().where(checkpoint.c.session_id == session_id))
    tx.execute(
        checkpoint.insert().values(
            session_id=session_id,
            sha=saved.sha,
            head_sha=saved.head_sha,
            tree=saved.tree,
            changed_files=saved.changed_files,
            bundle=saved.bundle,
            created_at=now,
        )
    )


def copy_checkpoint(tx: sa.Connection, session_id: str, to_session_id: str, now: datetime) -> bool:
    """Let one session begin where another stopped; False when that one kept nothing."""
    kept = find_checkpoint(tx, session_id)
    if kept is None:
        return False
    save_checkpoint(tx, to_session_id, kept, now)
    return True


def find_checkpoint(tx: sa.Connection, session_id: str) -> Checkpoint | None:
    """None also for one that has expired."""
    row = tx.execute(
        sa.select(checkpoint).where(
            checkpoint.c.session_id == session_id, checkpoint.c.expired_at.is_(None)
        )
    ).first()
    return (
        None
        if row is None
        else Checkpoint(row.sha, row.head_sha, row.tree, row.changed_files, row.bundle)
    )


def checkpoint_expired(tx: sa.Connection, session_id: str) -> bool:
    """Whether something was kept that is not any more."""
    found = sa.select(checkpoint.c.session_id).where(
        checkpoint.c.session_id == session_id, checkpoint.c.expired_at.is_not(None)
    )
    return tx.execute(found).first() is not None
