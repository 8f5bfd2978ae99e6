"""The composition root of the operator's commands: verbs on a data directory, nothing that serves.

Apart from `app`, because a command must answer at once: no engine, model or page is imported here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from journeyman.config import Config
from journeyman.config.forges import EMBEDDED
from journeyman.domain.audit import Author, Surface
from journeyman.domain.errors import AppError, Code
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.upstreams import Credentials
from journeyman.service import audit
from journeyman.service.administration import Administration
from journeyman.service.apps import Apps
from journeyman.service.audit import Audit
from journeyman.service.logins import Logins
from journeyman.service.records import StoredRecords
from journeyman.store import migrate as schema
from journeyman.store.database import (
    Database,
    ensure_data_directory,
    make_engine,
    reachable,
)


@dataclass(frozen=True)
class Operator:
    """What may be done by whoever may use the data directory."""

    administration: Administration
    logins: Logins
    apps: Apps
    audit: Audit


@asynccontextmanager
async def operating(config: Config, *, anywhere: bool = False) -> AsyncIterator[Operator]:
    """On a data directory that a server may be using at the same time.

    The database is brought up to date first; what is done is the operator's in the audit log, told
    by the user id that the system knows. CONFLICT where another forge has users and repositories,
    unless what is done is the same *anywhere*.
    """
    if config.forge.kind != EMBEDDED and not anywhere:
        message = f"Users, tokens and repositories are at {config.forge.url}: go there for that."
        raise AppError(Code.CONFLICT, message)
    await asyncio.to_thread(upgrade, config)
    database = Database(config.database.url)
    forge = EmbeddedForge(
        StoredRecords(database),
        config.data / "repositories",
        credentials=git_credentials(config),
    )
    try:
        with audit.acting(Author(Surface.CLI, detail={"uid": os.getuid()})):
            yield Operator(
                administration=Administration(database, forge, tokens),
                logins=Logins(database),
                apps=Apps(database, tokens),
                audit=Audit(database),
            )
    finally:
        database.close()


def git_credentials(config: Config) -> Credentials:
    """For the git servers that repositories are at."""
    return Credentials(
        by_host=config.git.credentials,
        ca_files=config.git.ca_files,
        proxies=config.proxies,
        ssh_key_file=config.git.ssh_key_file,
        ssh_known_hosts_file=config.git.ssh_known_hosts_file,
    )


def upgrade(config: Config) -> None:
    """Bring our own tables to this version's schema; does nothing when they are there."""
    ensure_data_directory(config.data)
    engine = make_engine(config.database.url)
    try:
        schema.upgrade(engine)
    finally:
        engine.dispose()


def revisions(config: Config) -> tuple[str | None, str]:
    """Of the database's schema (None: it has none) and of this version's. Raises DatabaseLost."""
    engine = make_engine(config.database.url)
    try:
        with reachable(), engine.connect() as connection:
            return schema.revision_of(connection), schema.newest()
    finally:
        engine.dispose()
