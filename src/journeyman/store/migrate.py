"""Brings a database to this version's schema. Safe to call from many processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from journeyman.store.database import reachable

LOCK = 0x6A6F7572
"""PostgreSQL advisory lock: one process migrates at a time."""


def upgrade(engine: sa.Engine) -> None:
    """Apply what is missing, in one transaction. Raises DatabaseLost."""
    with reachable(), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        command.upgrade(_config(connection), "head")


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
