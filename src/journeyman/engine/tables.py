"""The engine's own tables, for what copies or keeps the database as a whole."""

from __future__ import annotations

import sqlalchemy as sa
from dbos._schemas.system_database import SystemSchema

from journeyman.engine.queue import SCHEMA


def tables() -> list[sa.Table]:
    """Each after those that it refers to. On SQLite they lie beside ours."""
    return list(SystemSchema.metadata_obj.sorted_tables)


def schema_on(dialect: str) -> str | None:
    return None if dialect == "sqlite" else SCHEMA
