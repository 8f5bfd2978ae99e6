"""What an operator reads off the database and the disk: for the metrics, and for `doctor`."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.pool import QueuePool

from journeyman.domain.errors import DatabaseLost
from journeyman.domain.sessions import State
from journeyman.service import rounds
from journeyman.service.clock import Clock, utc_now
from journeyman.store import readings
from journeyman.store.database import Database
from journeyman.telemetry import metrics

log = structlog.get_logger()

DISK_EVERY_SECONDS = 300.0
"""Counting what is in large directories takes a while."""
BLOCK = 512
"""What st_blocks counts, whatever the file system's own blocks are."""


@dataclass(frozen=True)
class Disk:
    """Bytes: what each part takes, and what is left where the data directory is."""

    parts: Mapping[str, int]
    free: int


class Readings:
    """*directories*: the parts of the data directory that grow, by name."""

    def __init__(
        self,
        database: Database,
        data: Path,
        directories: Mapping[str, Path],
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._data = data
        self._directories = directories
        self._clock = clock

    async def refresh(self) -> None:
        """Set what is read off at each scrape. A database that is away is told, not raised."""
        self._read_pool()
        try:
            states, oldest = await self._database.read(
                lambda tx: (readings.sessions_by_state(tx), readings.oldest_queued_at(tx))
            )
        except DatabaseLost as error:
            log.warning("metrics.database_lost", error=str(error))
            metrics.DATABASE_UP.set(0)
            return
        metrics.DATABASE_UP.set(1)
        for state in State:
            metrics.SESSIONS.labels(state).set(states[state])
        age = 0.0 if oldest is None else (self._clock() - oldest).total_seconds()
        metrics.QUEUE_OLDEST.set(max(age, 0.0))

    async def watch_disk(self) -> None:
        """Until cancelled: what takes too long for each scrape."""
        await rounds.every(DISK_EVERY_SECONDS, self._read_disk, "disk")

    async def _read_disk(self) -> None:
        found = await self.disk()
        for part, size in found.parts.items():
            metrics.DISK.labels(part).set(size)
        metrics.DISK_FREE.set(found.free)

    async def disk(self) -> Disk:
        """Raises DatabaseLost. Checkpoints are a part of the database."""

        def stored(tx: Connection) -> dict[str, int]:
            return {
                "database": readings.database_bytes(tx),
                "checkpoints": readings.checkpoint_bytes(tx),
            }

        directories = await asyncio.to_thread(
            lambda: {name: used(path) for name, path in self._directories.items()}
        )
        free = shutil.disk_usage(self._data).free
        return Disk({**await self._database.read(stored), **directories}, free)

    def _read_pool(self) -> None:
        pool = self._database.engine.pool
        if isinstance(pool, QueuePool):
            for kind, count in (
                ("in_use", pool.checkedout()),
                ("idle", pool.checkedin()),
                ("most", pool.size()),
            ):
                metrics.DATABASE_CONNECTIONS.labels(kind).set(count)


def used(directory: Path) -> int:
    """Bytes on disk below *directory*; what vanishes meanwhile does not count."""
    return sum(_sizes(directory))


def _sizes(directory: Path) -> Iterator[int]:
    seen: set[tuple[int, int]] = set()
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                found = os.lstat(os.path.join(folder, name))
                if (found.st_dev, found.st_ino) not in seen:
                    if found.st_nlink > 1:
                        seen.add((found.st_dev, found.st_ino))
                    yield found.st_blocks * BLOCK
