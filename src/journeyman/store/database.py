"""Connections and transactions. SQLite is read on the calling thread and written by one thread;
PostgreSQL is
used from a pool of threads. Knows no table."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

from journeyman.domain.errors import AppError, Code, DatabaseLost

T = TypeVar("T")

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction."""
CONNECT_SECONDS = 10
SERVER = "journeyman"
"""What PostgreSQL calls the connections of servers and workers."""
THREADS = 8
"""Transactions at once of one process on PostgreSQL."""
POOL = THREADS + 2
"""The queue asks on a thread of its own."""
ATTEMPTS = 5
"""How often a transaction is begun that PostgreSQL has ended in favour of another one."""
COLLISIONS = ("40001", "40P01")
"""PostgreSQL's codes for it: serialization failure, deadlock."""
SQLITE_FAULTS = ("BUSY", "LOCKED", "FULL", "IOERR", "READONLY", "CANTOPEN", "CORRUPT", "NOTADB")
"""What a SQLite file may be; other errors of its are ours."""


def make_engine(url: str, *, pool_size: int = POOL, name: str = SERVER) -> sa.Engine:
    """An engine as both the store and the workflow engine want it: WAL on SQLite, psycopg on
    PostgreSQL, which shows *name* in its list of connections."""
    if not url.startswith("sqlite"):
        url = url.replace("postgresql:", "postgresql+psycopg:", 1)
        return sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": name},
        )
    _keep_private(Path(sa.make_url(url).database or ""))
    engine = sa.create_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=60)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _keep_private(file: Path) -> None:
    """Logs and prompts are nobody else's; SQLite gives the files beside it the mode of this one."""
    if file.parent.is_dir() and not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # IMMEDIATE: who will write takes the lock at the start, and cannot fail half-way.
    connection.isolation_level = "IMMEDIATE"
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def sqlite_url(data: Path) -> str:
    return f"sqlite:///{data / 'journeyman.db'}"


class Database:
    """Runs functions of a connection, each as one transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        threads = 1 if self.is_sqlite else THREADS
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._reader: sa.Connection | None = None

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run *work* on a connection that must not write.

        On SQLite this happens at once, on the calling thread: a read takes less time than a change
        of thread. Raises DatabaseLost, as `write` does.
        """
        if not self.is_sqlite:
            return await self._on_thread(self._read, work)
        with reachable():
            if self._reader is None:
                self._reader = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            return work(self._reader)

    async def survey(self, work: Callable[[sa.Connection], T]) -> T:
        """As `read`, for what takes long: never on the calling thread, and beside the writer."""
        return await asyncio.to_thread(self._read, work)

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run *work* in one transaction; it is committed when *work* returns.

        A cancelled caller leaves no half of it, and nothing that is still to come: the
        cancellation waits for its end. The caller's context goes with it: who acts is known in
        the transaction too.
        """
        context = contextvars.copy_context()
        writing = self._on_thread(context.run, self._write, work)
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise

    def _on_thread(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        with reachable(), self.engine.connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._write_once(work)
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in COLLISIONS:
                    raise
        return self._write_once(work)

    def _write_once(self, work: Callable[[sa.Connection], T]) -> T:
        with reachable(), self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            return work(connection)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._threads.shutdown()
        self.engine.dispose()


@contextmanager
def reachable() -> Iterator[None]:
    """DatabaseLost for what is the database's fault and not that of a statement."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not _is_lost(error):
            raise
        raise DatabaseLost(_first_line(error)) from error


def _is_lost(error: sa.exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "").removeprefix("SQLITE_")
        return name.startswith(SQLITE_FAULTS)
    operational = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return operational and getattr(cause, "sqlstate", None) not in COLLISIONS


def _first_line(error: sa.exc.DBAPIError) -> str:
    """What the driver says, without the statement."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return lines[0] if lines else type(error.orig).__name__


def ensure_data_directory(data: Path) -> None:
    """Make the data directory, or say why it cannot be used."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        probe = data / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise AppError(
            Code.UNAVAILABLE,
            f"The data directory {str(data)!r} cannot be written ({error.strerror}); "
            "choose another with --data.",
        ) from error
