"""What was spent: in all by session, and by day, repository, user and model."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from journeyman.domain.sessions import Session
from journeyman.domain.usage import Spent
from journeyman.store import sessions
from journeyman.store.tables import usage

AMOUNTS = ("nano_credits", "input_tokens", "output_tokens")


def add(tx: sa.Connection, of: Session, spent: Spent, now: datetime) -> None:
    """Book what a session spent at *now*."""
    if spent.nano_credits:
        sessions.add_usage(tx, of.id, spent.nano_credits)
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    booked = insert(usage).values(
        day=now.date(),
        repository_id=of.repository_id,
        user_id=of.user_id,
        model=spent.model,
        **{name: getattr(spent, name) for name in AMOUNTS},
    )
    tx.execute(
        booked.on_conflict_do_update(
            index_elements=usage.primary_key.columns,
            set_={name: usage.c[name] + booked.excluded[name] for name in AMOUNTS},
        )
    )
