"""Brings a database to this version's schema. Safe to call from many processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from journeyman.store import copied
from journeyman.store.database import reachable

LOCK = 0x6A6F7572
"""PostgreSQL advisory lock: one process migrates at a time."""

log = structlog.get_logger()


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Apply what is missing, in one transaction. Raises DatabaseLost.

    A database that a newer version has migrated is left as it is: migrations only add, so that
    the version before still works while a fleet is replaced (tests/contract/test_migrations.py).
    """
    with reachable(), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        now = revision_of(connection)
        if now is not None and now not in revisions():
            log.warning("schema.newer", revision=now, known=newest())
            return
        command.upgrade(_config(connection), revision)


def revision_of(connection: sa.Connection) -> str | None:
    """Of the database's schema; None: it has none yet. CONFLICT when another database has taken
    the place of this one: everybody who would work with it asks this first."""
    copied.require_unmarked(connection)
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """Of this version."""
    found = ScriptDirectory.from_config(_config(None)).get_current_head()
    assert found is not None
    return found


def revisions() -> list[str]:
    """All that this version knows, oldest first."""
    script = ScriptDirectory.from_config(_config(None))
    return [one.revision for one in reversed(list(script.walk_revisions()))]


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
