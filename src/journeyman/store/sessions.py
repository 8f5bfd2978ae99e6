"""Session rows. Each change of a state is a compare-and-set, and is written to the task in the
same transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from journeyman.domain.limits import Limits
from journeyman.domain.sessions import ACTIVE, FINAL, Reason, Run, Session, State
from journeyman.store.columns import Instant
from journeyman.store.tables import session, task

_FIELDS = tuple(field.name for field in fields(Session))
COLUMNS = tuple(session.c[name] for name in _FIELDS)
"""All but the wishes that its worker looks for; in the order of Session's fields."""
_STATE, _REASON, _LIMITS = map(_FIELDS.index, ("state", "state_reason", "limits"))
_REASONS: Mapping[str | None, Reason] = {str(one): one for one in Reason}
"""One that only a newer version has is shown as none, while a fleet is replaced."""
_limits = lru_cache(256)(Limits)
"""Most sessions have the server's own, and each is checked when it is made."""


def to_session(values: Sequence[Any]) -> Session:
    """From the values of COLUMNS. A page is made of many: by place takes a third of the time that
    names would."""
    found = list(values)
    found[_STATE] = State(found[_STATE])
    found[_REASON] = _REASONS.get(found[_REASON])
    found[_LIMITS] = _limits(**found[_LIMITS])
    return Session(*found)


_SESSIONS = sa.select(*COLUMNS)
_GET = _SESSIONS.where(session.c.id == sa.bindparam("session_id"))


def get_session(tx: sa.Connection, session_id: str) -> Session:
    return to_session(tx.execute(_GET, {"session_id": session_id}).one())


_LOCK = _GET.with_for_update()
_NEWEST = sa.select(task.c.session_id).where(task.c.id == sa.bindparam("task_id"))


def lock_session(tx: sa.Connection, session_id: str) -> Session:
    """As `get_session`, and nobody else changes it until the transaction ends."""
    return to_session(tx.execute(_LOCK, {"session_id": session_id}).one())


def lock_newest(tx: sa.Connection, task_id: str) -> Session:
    """As `lock_session`, for the newest session of a task. Whoever adds one holds this lock."""
    while True:
        session_id = tx.scalar(_NEWEST, {"task_id": task_id})
        assert session_id is not None, "a task has a session from its start"
        found = lock_session(tx, session_id)
        if tx.scalar(_NEWEST, {"task_id": task_id}) == session_id:
            return found


def find_session(tx: sa.Connection, session_id: str) -> Session | None:
    row = tx.execute(_GET, {"session_id": session_id}).first()
    return None if row is None else to_session(row)


_EARLIER = _SESSIONS.where(
    session.c.task_id == sa.bindparam("task_id"), session.c.number < sa.bindparam("number")
).order_by(session.c.number)


def list_earlier(tx: sa.Connection, newest: Session) -> list[Session]:
    """The sessions of its task before *newest*, oldest first."""
    values = {"task_id": newest.task_id, "number": newest.number}
    return [to_session(row) for row in tx.execute(_EARLIER, values)]


def find_origin(tx: sa.Connection, of: Session) -> str | None:
    """The commit that the task's first session began from, of those before *of*."""
    return next((one.base_sha for one in list_earlier(tx, of) if one.base_sha), None)


def add_session(tx: sa.Connection, new: Session) -> None:
    values = {name: getattr(new, name) for name in _FIELDS}
    values["limits"] = asdict(new.limits)
    tx.execute(session.insert().values(**values))


def set_state(
    tx: sa.Connection,
    current: Session,
    state: State,
    *,
    reason: Reason | None = None,
    error: str | None = None,
    run_number: int | None = None,
    now: datetime,
) -> bool:
    """Compare-and-set from *current*'s state; False when somebody else has changed it first.

    Only `service` calls this, with what `transition()` allowed.
    """
    values: dict[str, Any] = {
        "state": state,
        "state_reason": reason,
        "error": error,
        "updated_at": now,
    }
    if state in FINAL:
        values["completed_at"] = now
    if state is State.IN_PROGRESS:
        values["started_at"] = sa.func.coalesce(session.c.started_at, sa.literal(now, Instant))
    else:
        values["pause_requested_at"] = None
    if run_number is not None:
        values["run_number"] = run_number
    changed = tx.execute(
        session.update()
        .where(session.c.id == current.id, session.c.state == current.state)
        .values(**values)
    )
    if changed.rowcount != 1:
        return False
    touch_task(tx, current.task_id, now, state=state)
    return True


def touch_task(
    tx: sa.Connection, task_id: str, now: datetime, *, state: State | None = None
) -> None:
    """A reader could see a difference from now on."""
    values: dict[str, Any] = {"version": task.c.version + 1, "updated_at": now}
    if state is not None:
        values["state"] = state
    tx.execute(task.update().where(task.c.id == task_id).values(**values))


def take(tx: sa.Connection, session_id: str) -> Session:
    """A worker takes the session: its fence grows, so that an older holder can no longer append."""
    row = tx.execute(
        session.update()
        .where(session.c.id == session_id)
        .values(fence=session.c.fence + 1)
        .returning(*COLUMNS)
    ).one()
    return to_session(row)


_RESERVE = (
    session.update()
    .where(session.c.id == sa.bindparam("session_id"), session.c.fence == sa.bindparam("holder"))
    .values(last_seq=session.c.last_seq + sa.bindparam("count"))
    .returning(session.c.last_seq)
)
_RESERVE_UNFENCED = (
    session.update()
    .where(session.c.id == sa.bindparam("session_id"))
    .values(last_seq=session.c.last_seq + sa.bindparam("count"))
    .returning(session.c.last_seq)
)


def reserve(tx: sa.Connection, session_id: str, fence: int | None, count: int) -> int | None:
    """The first of *count* new sequence numbers, or None when *fence* is no longer the session's.

    A *fence* of None is for the service itself, which appends whoever holds the session.
    """
    if fence is None:
        values: dict[str, Any] = {"session_id": session_id, "count": count}
        last: int | None = tx.execute(_RESERVE_UNFENCED, values).scalar()
    else:
        values = {"session_id": session_id, "holder": fence, "count": count}
        last = tx.execute(_RESERVE, values).scalar()
    return None if last is None else last - count + 1


def want_pull_request(tx: sa.Connection, session_id: str) -> None:
    """Also where the session began without."""
    wanted = session.update().where(session.c.id == session_id).values(create_pull_request=True)
    tx.execute(wanted)


def set_base(tx: sa.Connection, session_id: str, base_sha: str) -> None:
    tx.execute(session.update().where(session.c.id == session_id).values(base_sha=base_sha))


_ADD_USAGE = (
    session.update()
    .where(session.c.id == sa.bindparam("session_id"))
    .values(
        usage_nano_credits=sa.func.coalesce(session.c.usage_nano_credits, 0) + sa.bindparam("more")
    )
)


def add_usage(tx: sa.Connection, session_id: str, nano_credits: int) -> None:
    tx.execute(_ADD_USAGE, {"session_id": session_id, "more": nano_credits})


def request_cancel(tx: sa.Connection, session_id: str, now: datetime) -> None:
    tx.execute(
        session.update()
        .where(session.c.id == session_id, session.c.cancel_requested_at.is_(None))
        .values(cancel_requested_at=now)
    )


def cancel_requested(tx: sa.Connection, session_ids: Sequence[str]) -> set[str]:
    """Those of *session_ids* that somebody wants to end."""
    if not session_ids:
        return set()
    found = tx.execute(
        sa.select(session.c.id).where(
            session.c.id.in_(session_ids), session.c.cancel_requested_at.is_not(None)
        )
    )
    return set(found.scalars())


def pause_requested(tx: sa.Connection, session_ids: Sequence[str], before: datetime) -> set[str]:
    """Those of *session_ids* that somebody has wanted to rest since *before*."""
    if not session_ids:
        return set()
    found = tx.execute(
        sa.select(session.c.id).where(
            session.c.id.in_(session_ids), session.c.pause_requested_at <= before
        )
    )
    return set(found.scalars())


def want_pause(tx: sa.Connection, session_id: str, since: datetime | None) -> None:
    """None: nobody wants it any more."""
    wanted = {"pause_requested_at": since}
    tx.execute(session.update().where(session.c.id == session_id).values(wanted))


_PAUSE_WANTED = sa.select(session.c.pause_requested_at).where(
    session.c.id == sa.bindparam("session_id")
)


def pause_wanted(tx: sa.Connection, session_id: str) -> bool:
    return tx.scalar(_PAUSE_WANTED, {"session_id": session_id}) is not None


def runs_in(tx: sa.Connection, states: Collection[State]) -> list[Run]:
    """The newest run of each session in one of *states*."""
    runs = sa.select(session.c.id, session.c.task_id, session.c.run_number)
    return [Run(*row) for row in tx.execute(runs.where(session.c.state.in_(states)))]


def repositories_in(tx: sa.Connection, states: Collection[State]) -> set[int]:
    """Those that have a session in one of *states*."""
    found = sa.select(session.c.repository_id).where(session.c.state.in_(states))
    return set(tx.scalars(found.distinct()))


def idle_for(tx: sa.Connection, reasons: Collection[Reason]) -> list[Run]:
    """The newest run of each session that rests for one of *reasons*."""
    runs = sa.select(session.c.id, session.c.task_id, session.c.run_number)
    resting = (session.c.state == State.IDLE, session.c.state_reason.in_(reasons))
    return [Run(*row) for row in tx.execute(runs.where(*resting))]


def active_tasks_of(tx: sa.Connection, user_id: int) -> list[str]:
    """The tasks whose session of this user has not ended, always in the same order."""
    wanted = (session.c.user_id == user_id, session.c.state.in_(tuple(ACTIVE)))
    return list(tx.scalars(sa.select(session.c.task_id).where(*wanted).order_by(session.c.task_id)))


_TURNS = (
    sa.select(
        session.c.id,
        session.c.urgent,
        session.c.state,
        session.c.updated_at,
        sa.func.row_number()
        .over(
            partition_by=(session.c.urgent, session.c.user_id),
            order_by=(session.c.state == State.QUEUED, session.c.updated_at, session.c.id),
        )
        .label("turn"),
    )
    .where(session.c.state.in_((State.QUEUED, State.IN_PROGRESS)))
    .subquery()
)
"""First one of each user, then the second one of each, …: what is at work has had its turn. A
session that is queued again waits since then."""
_MINE = _TURNS.alias()
_QUEUE_POSITION = (
    sa.select(sa.func.count())
    .select_from(_TURNS.join(_MINE, _MINE.c.urgent == _TURNS.c.urgent))
    .where(
        _MINE.c.id == sa.bindparam("session_id"),
        _TURNS.c.state == State.QUEUED,
        sa.or_(
            _TURNS.c.turn < _MINE.c.turn,
            sa.and_(_TURNS.c.turn == _MINE.c.turn, _TURNS.c.updated_at <= _MINE.c.updated_at),
        ),
    )
)


def queue_position(tx: sa.Connection, session_id: str) -> int:
    """1: it is the next one. Users take turns, and what is urgent has a queue of its own."""
    return tx.scalar(_QUEUE_POSITION, {"session_id": session_id}) or 1
