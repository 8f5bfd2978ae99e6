"""The agent's configuration of a repository, as one document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.store.tables import agent_configuration


def find(tx: sa.Connection, repository_id: int) -> dict[str, Any] | None:
    row = tx.execute(
        sa.select(agent_configuration.c.data).where(
            agent_configuration.c.repository_id == repository_id
        )
    ).first()
    return None if row is None else dict(row.data)


def put(tx: sa.Connection, repository_id: int, data: dict[str, Any], now: datetime) -> None:
    tx.execute(
        agent_configuration.delete().where(agent_configuration.c.repository_id == repository_id)
    )
    tx.execute(
        agent_configuration.insert().values(repository_id=repository_id, data=data, updated_at=now)
    )
