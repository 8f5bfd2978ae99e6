"""A backup, brought back into an empty data directory and an empty database.

Everything is read, checked and made beside its place first; the database comes last, so that what
was broken off is no server's data. Either database takes a backup of either.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from journeyman.domain.errors import AppError, Code
from journeyman.engine import queue
from journeyman.operations import archive, repositories, tables
from journeyman.operations.backup import Place, values_of
from journeyman.operations.progress import Progress, counted, counting, silent
from journeyman.store import migrate, rows
from journeyman.store.database import make_engine, reachable

STAGING = ".restoring"
NO_DATA = ("journeyman.toml", "lost+found")
"""What an empty data directory may have."""


async def restore(place: Place, path: Path, *, progress: Progress = silent) -> archive.Manifest:
    """Raises AppError with the way out, and leaves what it found then."""
    if not path.is_file():
        raise AppError(Code.NOT_FOUND, f"There is no file {str(path)!r}.")
    _require_empty_directory(place)
    staging = place.data / STAGING
    staging.mkdir(mode=0o700)
    try:
        manifest = await asyncio.to_thread(_unpacked, path, staging, progress)
        found = sorted((staging / "repositories").glob("*.git"))
        for one in counted("checking repositories", found, progress):
            await repositories.check(one)
        await asyncio.to_thread(_Filling(place, staging, manifest, progress).run)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _require_empty_directory(place: Place) -> None:
    found = sorted(one.name for one in place.data.iterdir() if one.name not in NO_DATA)
    if STAGING in found:
        message = (
            f"{place.data / STAGING} is there: a restore is running, or was cut off; remove it."
        )
        raise AppError(Code.CONFLICT, message)
    if found:
        message = (
            f"The data directory {str(place.data)!r} is not empty: it has {', '.join(found[:3])}. "
            "Name an empty one with --data DIR."
        )
        raise AppError(Code.CONFLICT, message)
    url = sa.make_url(place.database_url)
    if url.drivername == "sqlite" and Path(url.database or "").exists():
        raise AppError(Code.CONFLICT, f"There is a database at {url.database!r} already.")


def _unpacked(path: Path, staging: Path, progress: Progress) -> archive.Manifest:
    size = path.stat().st_size
    manifest = archive.extract(path, staging, lambda done: progress("reading", done, size))
    if manifest.revision not in migrate.revisions():
        message = (
            f"{str(path)!r} was made by Journeyman {manifest.version}, whose database is newer "
            f"({manifest.revision}) than this version's ({migrate.newest()}); install that version."
        )
        raise AppError(Code.INVALID, message)
    return manifest


@dataclass(frozen=True)
class _Filling:
    """What was unpacked and checked, on its way to its place."""

    place: Place
    staging: Path
    manifest: archive.Manifest
    progress: Progress

    def run(self) -> None:
        url = sa.make_url(self.place.database_url)
        making = self.staging / "database.db"
        with reachable():
            if url.drivername == "sqlite":
                self._fill(f"sqlite:///{making}")
                making.rename(url.database or "")
            else:
                self._fill(self.place.database_url)

    def _fill(self, url: str) -> None:
        engine = make_engine(url, pool_size=1)
        try:
            with engine.connect() as tx:
                tables.require_empty(tx)
            migrate.upgrade(engine, self.manifest.revision)
            queue.migrate(url)
            with engine.begin() as tx:
                rows.remove_seeds(tx)
                self._add_tables(tx)
                _move(self.staging / "repositories", self.place.repositories)
                for key in (self.staging / "keys").glob("*"):
                    _move(key, self.place.data / key.name)
            migrate.upgrade(engine)
        finally:
            engine.dispose()

    def _add_tables(self, tx: sa.Connection) -> None:
        known = tables.kept(tx.dialect.name)
        if strange := sorted(self.manifest.tables.keys() - known.keys()):
            message = f"The backup has a table {strange[0]!r} that this version does not know."
            raise AppError(Code.INVALID, message)
        for name, table in known.items():
            if name in self.manifest.tables:
                self._add_table(tx, name, table, self.manifest.tables[name])

    def _add_table(
        self, tx: sa.Connection, name: str, table: sa.Table, kept: archive.Table
    ) -> None:
        table = _narrowed(name, table, kept.columns)
        tables.require_columns(tx, name, table)
        binary = frozenset(kept.binary)
        with (self.staging / "database" / f"{name}.jsonl").open("rb") as lines:
            read = (values_of(line, kept.columns, binary) for line in lines)
            for batch in rows.batches(counting(name, read, kept.rows, self.progress)):
                rows.write(tx, table, batch)
        if kept.last_number is not None:
            rows.set_last_number(tx, table, kept.last_number)
        found = rows.tally(tx, table)
        if (found.rows, f"{found.digest:064x}") != (kept.rows, kept.digest):
            message = f"The table {name!r} did not come back as it was: {found.rows} rows."
            raise AppError(Code.INVALID, message)


def _narrowed(name: str, table: sa.Table, columns: Sequence[str]) -> sa.Table:
    """*table* as it was when the backup was made; what came later has its default."""
    if strange := [column for column in columns if column not in table.columns]:
        message = f"The backup's {name!r} has a column {strange[0]!r} that this version lacks."
        raise AppError(Code.INVALID, message)
    return sa.Table(
        table.name,
        sa.MetaData(schema=table.schema),
        *(table.columns[column]._copy() for column in columns),
        sqlite_autoincrement=table.dialect_options["sqlite"]["autoincrement"],
    )


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.rename(target)
