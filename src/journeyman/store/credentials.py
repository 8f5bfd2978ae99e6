"""The tokens that sessions work with on another forge, encrypted: one of each, until its end."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.store.tables import session_credential


def put(tx: sa.Connection, session_id: str, encrypted: bytes, now: datetime) -> None:
    """In place of the one it had."""
    remove(tx, session_id)
    tx.execute(
        session_credential.insert().values(session_id=session_id, value=encrypted, created_at=now)
    )


def find(tx: sa.Connection, session_id: str) -> bytes | None:
    found = sa.select(session_credential.c.value)
    return tx.scalar(found.where(session_credential.c.session_id == session_id))


def remove(tx: sa.Connection, session_id: str) -> None:
    tx.execute(session_credential.delete().where(session_credential.c.session_id == session_id))
