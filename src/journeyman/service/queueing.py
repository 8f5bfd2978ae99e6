"""How a session comes into the queue, for the first time or again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.sessions import Session, State
from journeyman.engine.queue import Queue
from journeyman.service.changes import Changes


def enqueue(queue: Queue, tx: Connection, session: Session, run_number: int = 1) -> None:
    """Its run is worked on once *tx* is committed."""
    queue.enqueue(
        tx,
        session.id,
        run_number,
        task_id=session.task_id,
        owner_id=session.user_id,
        urgent=session.urgent,
    )


def enqueue_again(
    queue: Queue, changes: Changes, tx: Connection, session: Session, now: datetime
) -> None:
    """A session that rests goes on in a new run."""
    run_number = session.run_number + 1
    changes.state(tx, session, State.QUEUED, now, run_number=run_number)
    enqueue(queue, tx, session, run_number)
