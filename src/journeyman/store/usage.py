"""What was spent: in all by session, and by day, repository, user and model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from journeyman.domain.sessions import Session
from journeyman.domain.usage import Spent
from journeyman.store import sessions
from journeyman.store.tables import usage

AMOUNTS = ("nano_credits", "input_tokens", "output_tokens")


def _booking(insert: Any) -> Any:
    made = insert(usage)
    return made.on_conflict_do_update(
        index_elements=usage.primary_key.columns,
        set_={name: usage.c[name] + made.excluded[name] for name in AMOUNTS},
    )


_BOOKING = {"sqlite": _booking(sqlite.insert), "postgresql": _booking(postgresql.insert)}
"""By the name of the database's dialect."""


def add(tx: sa.Connection, of: Session, spent: Spent, now: datetime) -> None:
    """Book what a session spent at *now*."""
    if spent.nano_credits:
        sessions.add_usage(tx, of.id, spent.nano_credits)
    booked = {
        "day": now.date(),
        "repository_id": of.repository_id,
        "user_id": of.user_id,
        "model": spent.model,
        **{name: getattr(spent, name) for name in AMOUNTS},
    }
    tx.execute(_BOOKING[tx.dialect.name], booked)
