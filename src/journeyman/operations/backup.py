"""Everything that cannot be made again, in one file, while a server goes on working.

In this order, so that what the database says is true of the repositories beside it: refs, then the
database at one moment, then refs again (`repositories.agreed` says which count), then objects, of
which there are only ever more. Mirrors and workspaces are left out: the first are copies, and of
the second the last checkpoint is in the database. Settings are not in it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from journeyman.domain.sessions import ACTIVE
from journeyman.operations import archive, repositories, tables
from journeyman.operations.progress import Progress, counted, counting, silent
from journeyman.store import migrate, rows
from journeyman.store.snapshot import snapshot
from journeyman.store.tables import repository, session

_AT_WORK = sa.select(session.c.repository_id, session.c.head_ref).where(
    session.c.state.in_([state.value for state in ACTIVE])
)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Place:
    """What is backed up, and what is restored."""

    version: str
    database_url: str
    data: Path

    @property
    def repositories(self) -> Path:
        return self.data / "repositories"

    @property
    def key_files(self) -> list[Path]:
        return sorted(self.data.glob("*.key"))


async def back_up(place: Place, path: Path, *, progress: Progress = silent) -> archive.Manifest:
    """Write *path*. Raises AppError, DatabaseLost; then there is no file."""
    with ExitStack() as stack:
        writer = stack.enter_context(archive.writing(path))
        before = await _refs(place, _on_disk(place), "refs", progress)
        progress("database", 0, 0)
        opened = stack.enter_context(snapshot(place.database_url, path.parent))
        revision = migrate.revision_of(opened) or ""
        known, at_work = _known(opened), _at_work(opened)
        after = await _refs(place, known, "refs again", progress)
        kept = await asyncio.to_thread(_add_tables, opened, writer, path.parent, progress)
        for number in counted("repositories", sorted(after), progress):
            refs = repositories.agreed(before.get(number), after[number], at_work[number])
            await repositories.add(writer, _path(place, number), refs)
        for key in place.key_files:
            with key.open("rb") as content:
                writer.add(f"keys/{key.name}", content)
        manifest = archive.Manifest(
            format=archive.FORMAT,
            version=place.version,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            revision=revision,
            tables=kept,
            files=writer.files.copy(),
        )
        writer.finish(manifest)
    return manifest


def _path(place: Place, number: int) -> Path:
    return place.repositories / f"{number}.git"


def _on_disk(place: Place) -> list[int]:
    return [int(path.stem) for path in place.repositories.glob("*.git") if path.stem.isdecimal()]


def _known(opened: sa.Connection) -> list[int]:
    return list(opened.scalars(sa.select(repository.c.id)))


async def _refs(
    place: Place, numbers: Iterable[int], what: str, progress: Progress
) -> Mapping[int, repositories.Refs]:
    """Of those that are there: one that is being added has a row first."""
    there = [number for number in numbers if (_path(place, number) / "HEAD").is_file()]
    return {
        number: await repositories.refs_of(_path(place, number))
        for number in counted(what, there, progress)
    }


def _at_work(opened: sa.Connection) -> Mapping[int, Set[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    for number, branch in opened.execute(_AT_WORK):
        found[number].add(f"refs/heads/{branch}")
    return found


def _add_tables(
    opened: sa.Connection, writer: archive.Writer, scratch: Path, progress: Progress
) -> dict[str, archive.Table]:
    kept = tables.kept(opened.dialect.name)
    return {name: _add_table(opened, name, kept[name], writer, scratch, progress) for name in kept}


def _add_table(
    opened: sa.Connection,
    name: str,
    table: sa.Table,
    writer: archive.Writer,
    scratch: Path,
    progress: Progress,
) -> archive.Table:
    total, found = rows.count(opened, table), rows.Tally()
    with tempfile.TemporaryFile(dir=scratch) as file:
        for row in counting(name, rows.read(opened, table), total, progress):
            found = found.plus(row)
            file.write(_encode(list(row)) + b"\n")
        file.seek(0)
        writer.add(f"database/{name}.jsonl", file)
    return archive.Table(
        columns=[str(column.name) for column in table.columns],
        binary=[str(c.name) for c in table.columns if isinstance(c.type, sa.LargeBinary)],
        rows=found.rows,
        digest=f"{found.digest:064x}",
        last_number=rows.last_number(opened, table),
    )


def values_of(line: bytes, columns: list[str], binary: Set[str]) -> dict[str, Any]:
    """A line of a table, as it was written."""
    values = dict(zip(columns, msgspec.json.decode(line), strict=True))
    for name in binary:
        if values[name] is not None:
            values[name] = msgspec.convert(values[name], bytes)
    return values
