"""What the database tells an operator at a glance: counts, ages, sizes."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.sessions import State
from journeyman.store.tables import checkpoint, session

_BY_STATE = sa.select(session.c.state, sa.func.count()).group_by(session.c.state)
_OLDEST = sa.select(sa.func.min(session.c.updated_at)).where(session.c.state == State.QUEUED)
_CHECKPOINTS = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(checkpoint.c.bundle)), 0))


def sessions_by_state(tx: sa.Connection) -> dict[State, int]:
    """Each state, also those that no session is in."""
    found = {State(state): count for state, count in tx.execute(_BY_STATE)}
    return {state: found.get(state, 0) for state in State}


def oldest_queued_at(tx: sa.Connection) -> datetime | None:
    found: datetime | None = tx.scalar(_OLDEST)
    return found


def checkpoint_bytes(tx: sa.Connection) -> int:
    """A part of the database; none where there are no tables yet."""
    if not sa.inspect(tx).has_table(checkpoint.name):
        return 0
    return int(tx.scalar(_CHECKPOINTS) or 0)


def database_bytes(tx: sa.Connection) -> int:
    """On SQLite without its log, which is written back from time to time."""
    if tx.dialect.name == "sqlite":
        count, size = (tx.exec_driver_sql(f"PRAGMA page_{what}") for what in ("count", "size"))
        return int(count.scalar() or 0) * int(size.scalar() or 0)
    return int(tx.scalar(sa.select(sa.func.pg_database_size(sa.func.current_database()))) or 0)
