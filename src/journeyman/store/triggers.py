"""Rows of what may start work, and of where asking a forge left off.

A trigger is to be handled while it is WAITING, and to be answered while it is WORKING or REFUSED.
Whoever does either claims its thread first; what a process that died has claimed is free again
when the claim runs out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from journeyman.domain.sessions import FINAL, Reason, State
from journeyman.domain.triggers import Happening, Kind, Stage, Trigger, is_known_as, thread_of
from journeyman.store.tables import artifact, forge_cursor, session, task, trigger

OPEN = (Stage.WAITING, Stage.WORKING, Stage.REFUSED)
_COUNTED = (Stage.WORKING, Stage.ANSWERED)
_WITHOUT_NUMBERS = (Kind.REVIEW, Kind.ASSIGNED, Kind.LABELED)
_CLOCKS_APART = timedelta(hours=1)
"""What is told is noted after it happened; the forge's clock may be ahead by this much."""
_REPAIRS = (Kind.CHECKS, Kind.CONFLICT)


def add(tx: sa.Connection, told: Happening, now: datetime, due_at: datetime) -> bool:
    """False when it is known, be it by another way."""
    if tx.scalar(sa.select(trigger.c.id).where(trigger.c.key == told.key)) is not None:
        return False
    if told.kind in _WITHOUT_NUMBERS and _is_known_otherwise(tx, told):
        return False
    tx.execute(
        trigger.insert().values(
            key=told.key,
            thread=thread_of(told),
            happening=msgspec.to_builtins(told),
            stage=Stage.WAITING,
            reason="",
            created_at=now,
            due_at=due_at,
            attempts=0,
        )
    )
    return True


def _is_known_otherwise(tx: sa.Connection, told: Happening) -> bool:
    """A review is kept under its number from then on: another one is not taken for it."""
    there = sa.select(trigger).where(
        trigger.c.thread == thread_of(told),
        trigger.c.key.startswith(f"{told.kind}:", autoescape=True),
        trigger.c.created_at >= told.at - _CLOCKS_APART,
    )
    for row in tx.execute(there.order_by(trigger.c.id)):
        known = to_trigger(row)
        if not is_known_as(told, known.happening, known.created_at):
            continue
        if told.review_id is not None:
            numbered = {"key": told.key, "happening": msgspec.to_builtins(told)}
            tx.execute(trigger.update().where(trigger.c.id == known.id).values(**numbered))
        return True
    return False


def count_waiting(tx: sa.Connection, thread: str) -> int:
    waiting = sa.select(sa.func.count()).select_from(trigger)
    return (
        tx.scalar(waiting.where(trigger.c.thread == thread, trigger.c.stage == Stage.WAITING)) or 0
    )


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(trigger.c.claimed_until.is_(None), trigger.c.claimed_until <= now)


def due_threads(tx: sa.Connection, now: datetime, most: int) -> Sequence[str]:
    """With something to handle, the longest waiting first."""
    return tx.scalars(
        sa.select(trigger.c.thread)
        .where(trigger.c.stage == Stage.WAITING, trigger.c.due_at <= now, _free(now))
        .group_by(trigger.c.thread)
        .order_by(sa.func.min(trigger.c.due_at))
        .limit(most)
    ).all()


def claim_thread(
    tx: sa.Connection, thread: str, now: datetime, until: datetime
) -> Sequence[Trigger]:
    """All that waits there, due or not: empty when somebody else was quicker."""
    waiting = sa.and_(trigger.c.thread == thread, trigger.c.stage == Stage.WAITING)
    of_others = sa.select(trigger.c.id).where(waiting, trigger.c.claimed_until > now)
    if tx.execute(of_others.limit(1)).first() is not None:
        return []
    claimed = trigger.update().where(waiting, _free(now)).values(claimed_until=until)
    tx.execute(claimed)
    mine = sa.select(trigger).where(waiting, trigger.c.claimed_until == until)
    return [to_trigger(row) for row in tx.execute(mine.order_by(trigger.c.id))]


def settle(
    tx: sa.Connection,
    ids: Sequence[int],
    stage: Stage,
    now: datetime,
    *,
    reason: str = "",
    task_id: str | None = None,
    session_id: str | None = None,
) -> bool:
    """Handled. False when one of them was already: nothing is changed then."""
    handled = tx.execute(
        trigger.update()
        .where(trigger.c.id.in_(ids), trigger.c.stage == Stage.WAITING)
        .values(
            stage=stage,
            reason=reason,
            task_id=task_id,
            session_id=session_id,
            claimed_until=None,
            attempts=0,
            due_at=now,
            settled_at=now,
        )
    )
    return handled.rowcount == len(ids)


def put_off(tx: sa.Connection, id: int, due_at: datetime) -> None:
    """To be tried again."""
    tx.execute(
        trigger.update()
        .where(trigger.c.id == id, trigger.c.stage.in_(OPEN))
        .values(due_at=due_at, claimed_until=None, attempts=trigger.c.attempts + 1)
    )


def hold(tx: sa.Connection, ids: Sequence[int], due_at: datetime) -> None:
    """To be handled later; nothing has failed."""
    held = trigger.update().where(trigger.c.id.in_(ids), trigger.c.stage == Stage.WAITING)
    tx.execute(held.values(due_at=due_at, claimed_until=None))


_ASKS = sa.and_(
    sa.or_(
        session.c.state == State.WAITING_FOR_USER,
        sa.and_(session.c.state == State.IDLE, session.c.state_reason == Reason.BUDGET_EXHAUSTED),
    ),
    # Once for each run that ends so.
    trigger.c.reason != sa.literal("asked ") + sa.cast(session.c.run_number, sa.Text),
)


def due_answers(tx: sa.Connection, now: datetime, most: int) -> Sequence[int]:
    """Triggers whose asker is to be told something now: the work has ended, or waits for an
    answer; or it could not begin."""
    ended = sa.and_(trigger.c.stage == Stage.WORKING, sa.or_(session.c.state.in_(FINAL), _ASKS))
    joined = trigger.outerjoin(session, session.c.id == trigger.c.session_id)
    return tx.scalars(
        sa.select(trigger.c.id)
        .select_from(joined)
        .where(sa.or_(ended, trigger.c.stage == Stage.REFUSED), trigger.c.due_at <= now, _free(now))
        .order_by(trigger.c.due_at, trigger.c.id)
        .limit(most)
    ).all()


def claim_answers(
    tx: sa.Connection, now: datetime, until: datetime, most: int
) -> Sequence[Trigger]:
    """Of those that are due, what nobody else was quicker to claim."""
    ids = due_answers(tx, now, most)
    due = trigger.c.id.in_(ids)
    tx.execute(trigger.update().where(due, _free(now)).values(claimed_until=until))
    mine = sa.select(trigger).where(due, trigger.c.claimed_until == until)
    return [to_trigger(row) for row in tx.execute(mine.order_by(trigger.c.id))]


def note_answer(
    tx: sa.Connection, ids: Sequence[int], stage: Stage, now: datetime, reason: str
) -> None:
    """What the asker was told; WORKING: not yet the end."""
    values: dict[str, Any] = {"stage": stage, "claimed_until": None, "reason": reason}
    values |= {"attempts": 0, "settled_at": now}
    tx.execute(trigger.update().where(trigger.c.id.in_(ids)).values(**values))


def begun_since(tx: sa.Connection, thread: str, since: datetime) -> Sequence[datetime]:
    """When the sessions that work for what was asked in the thread began, the oldest first."""
    there = sa.select(session.c.id, session.c.created_at).select_from(trigger.join(session))
    there = there.where(trigger.c.thread == thread, trigger.c.stage.in_(_COUNTED))
    begun = there.where(session.c.created_at >= since).distinct()
    return [row.created_at for row in tx.execute(begun.order_by(session.c.created_at))]


def task_of_thread(tx: sa.Connection, thread: str) -> str | None:
    """The newest task that began here."""
    there = sa.select(trigger.c.task_id).where(
        trigger.c.thread == thread, trigger.c.task_id.is_not(None)
    )
    return tx.scalar(there.order_by(trigger.c.id.desc()).limit(1))


def covered_reviews(tx: sa.Connection, thread: str) -> set[int]:
    """Reviews that were worked on with all their comments."""
    known = sa.select(trigger.c.happening).where(
        trigger.c.thread == thread, trigger.c.stage.in_(_COUNTED)
    )
    told = (row.get("review_id") for row in tx.scalars(known))
    return {one for one in told if one is not None}


def count_repairs(tx: sa.Connection, task_id: str) -> int:
    """Sessions of the task that have begun by themselves since somebody last asked for one."""
    rows = tx.execute(
        sa.select(trigger.c.happening, trigger.c.session_id)
        .where(trigger.c.task_id == task_id, trigger.c.stage.in_(_COUNTED))
        .order_by(trigger.c.id.desc())
    )
    repairs = set[str]()
    for row in rows:
        if row.happening["kind"] not in _REPAIRS:
            break
        repairs.add(row.session_id)
    return len(repairs)


def tasks_with_pull(
    tx: sa.Connection, repository_id: int, *, head_ref: str = "", base_ref: str = "", most: int = 20
) -> Sequence[tuple[str, int]]:
    """Tasks that have opened a pull request, with its number, the newest first: that work on
    *head_ref*, or into *base_ref*."""
    wanted = session.c.head_ref == head_ref if head_ref else session.c.base_ref == base_ref
    found = tx.execute(
        sa.select(task.c.id, artifact.c.data)
        .select_from(task.join(session, session.c.id == task.c.session_id).join(artifact))
        .where(
            task.c.repository_id == repository_id,
            task.c.archived_at.is_(None),
            artifact.c.type == "pull",
            wanted,
        )
        .order_by(task.c.updated_at.desc(), artifact.c.id.desc())
        .limit(most)
    )
    return [(row.id, row.data["number"]) for row in found]


def resting_pulls(
    tx: sa.Connection, repository_id: int, since: datetime, most: int
) -> Sequence[int]:
    """Numbers of the newest pull requests of tasks whose work has ended, after *since*."""
    found = tx.execute(
        sa.select(artifact.c.data)
        .select_from(task.join(session, session.c.id == task.c.session_id).join(artifact))
        .where(
            task.c.repository_id == repository_id,
            task.c.archived_at.is_(None),
            task.c.updated_at >= since,
            session.c.state.in_(FINAL),
            artifact.c.type == "pull",
        )
        .order_by(task.c.updated_at.desc(), artifact.c.id.desc())
        .limit(most)
    )
    return list(dict.fromkeys(row.data["number"] for row in found))


def task_of_number(tx: sa.Connection, repository_id: int, number: int) -> str | None:
    """The newest task that has opened the pull request of this number."""
    found = tx.execute(
        sa.select(task.c.id, artifact.c.data)
        .select_from(task.join(artifact))
        .where(task.c.repository_id == repository_id, artifact.c.type == "pull")
        .order_by(artifact.c.id.desc())
    )
    return next((row.id for row in found if row.data["number"] == number), None)


def remove_before(tx: sa.Connection, *, before: datetime, most: int) -> int:
    """A few of those that were settled before; told once more, they would begin again."""
    old = sa.select(trigger.c.id).where(trigger.c.settled_at < before, trigger.c.stage.not_in(OPEN))
    return tx.execute(trigger.delete().where(trigger.c.id.in_(old.limit(most)))).rowcount


def to_trigger(row: sa.Row[Any]) -> Trigger:
    return Trigger(
        id=row.id,
        happening=msgspec.convert(row.happening, Happening),
        stage=Stage(row.stage),
        reason=row.reason,
        task_id=row.task_id,
        session_id=row.session_id,
        created_at=row.created_at,
        attempts=row.attempts,
    )


@dataclass(frozen=True)
class Cursor:
    repository: str
    """OWNER/NAME."""
    cursor: str | None


def repositories_with_tasks(tx: sa.Connection, most: int) -> Sequence[int]:
    """Those that were worked on last."""
    found = sa.select(task.c.repository_id).where(task.c.archived_at.is_(None))
    found = found.group_by(task.c.repository_id).order_by(sa.func.max(task.c.updated_at).desc())
    return tx.scalars(found.limit(most)).all()


def waiting_cursors(tx: sa.Connection, now: datetime) -> set[str]:
    """Repositories that are not to be asked about yet."""
    return set(tx.scalars(sa.select(forge_cursor.c.repository).where(forge_cursor.c.due_at > now)))


def claim_cursor(
    tx: sa.Connection, repository: str, now: datetime, until: datetime
) -> Cursor | None:
    """None when it is not due, or somebody else has it."""
    this = forge_cursor.c.repository == repository
    known = tx.execute(sa.select(forge_cursor).where(this).with_for_update()).first()
    if known is None:
        tx.execute(forge_cursor.insert().values(repository=repository, due_at=until))
        return Cursor(repository, None)
    if known.due_at > now:
        return None
    tx.execute(forge_cursor.update().where(this).values(due_at=until))
    return Cursor(repository, known.cursor)


def keep_cursor(tx: sa.Connection, repository: str, cursor: str, due_at: datetime) -> None:
    this = forge_cursor.c.repository == repository
    tx.execute(forge_cursor.update().where(this).values(cursor=cursor, due_at=due_at))
