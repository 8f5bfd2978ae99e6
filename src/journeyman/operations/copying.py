"""From SQLite to PostgreSQL: every table, ours and the engine's, while nobody works on either.

Each batch of rows is committed with a note of how far it came, so that what was broken off goes on
there. At the end both databases are read whole and compared, and the old one gets a mark by which
nobody works with it any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from journeyman.domain.errors import AppError, Code, invalid
from journeyman.engine import queue
from journeyman.operations import tables
from journeyman.operations.progress import Progress, counting, silent
from journeyman.store import copied, migrate, rows
from journeyman.store.database import SERVER, make_engine, reachable

PLACE = "_row"
NOTES = sa.Table(
    "journeyman_copy",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("row", sa.BigInteger, nullable=False),
)
"""In the target while a copy is being made: by table, the last row of the source that is there."""
_OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = :name"
)


def copy(source: str, target: str, *, progress: Progress = silent) -> dict[str, int]:
    """How many rows each table has now. Raises AppError, which says how to go on, and
    DatabaseLost."""
    _require_kinds(source, target)
    with reachable(), _alone(source) as old, _opened(target) as engine:
        address = engine.url.render_as_string(hide_password=True)
        if copied.target_of(old) == address and _has_notes(engine):
            found = _counted(old)  # Broken off after the mark.
        else:
            _require_newest(old)
            _begin(engine, target)
            found = _all_copied(old, engine, progress)
            copied.mark(old, address, datetime.now(UTC))
            old.commit()
        with engine.begin() as tx:
            NOTES.drop(tx)
    return found


def _all_copied(old: sa.Connection, engine: sa.Engine, progress: Progress) -> dict[str, int]:
    kept = tables.kept("sqlite")
    into = tables.kept("postgresql")
    for name, table in kept.items():
        _copy_table(old, engine, name, table, into[name], progress)
    return {
        name: _compared(old, engine, name, table, into[name], progress)
        for name, table in kept.items()
    }


def _has_notes(engine: sa.Engine) -> bool:
    with engine.connect() as tx:
        return sa.inspect(tx).has_table(NOTES.name)


def _counted(old: sa.Connection) -> dict[str, int]:
    return {
        name: old.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for name, table in tables.kept("sqlite").items()
    }


def undo(source: str) -> None:
    """The copy is no more than that: work goes on with *source*. NOT_FOUND where there is none."""
    _require_file(source)
    with reachable(), _alone(source) as old:
        if not copied.unmark(old):
            raise AppError(Code.NOT_FOUND, f"The database at {source} was not copied.")
        old.commit()


def _require_kinds(source: str, target: str) -> None:
    if not target.startswith("postgresql://"):
        raise invalid("to", "--to is not postgresql://…; only PostgreSQL is copied to.")
    _require_file(source)


def _require_file(source: str) -> None:
    if not source.startswith("sqlite:///"):
        raise invalid("from", "--from is not sqlite:///PATH; only SQLite is copied from.")
    path = sa.make_url(source).database or ""
    if not Path(path).is_file():
        raise AppError(Code.NOT_FOUND, f"There is no database at {path!r}.")


@contextmanager
def _alone(source: str) -> Iterator[sa.Connection]:
    """Nobody else opens the file meanwhile; CONFLICT when somebody has. What is not committed is
    not done."""
    path = sa.make_url(source).database or ""

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(path, timeout=1, isolation_level=None)
        made.execute("PRAGMA locking_mode=EXCLUSIVE")
        return made

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.StaticPool)
    try:
        with engine.connect() as opened:
            try:
                opened.exec_driver_sql("BEGIN EXCLUSIVE")
            except sa.exc.OperationalError as error:
                message = f"{path} is in use; stop the server and the workers on it first."
                raise AppError(Code.CONFLICT, message) from error
            yield opened
    finally:
        engine.dispose()


def _require_newest(old: sa.Connection) -> None:
    found = migrate.revision_of(old)
    if found != migrate.newest():
        message = (
            f"The database to be copied is at revision {found}, this version's is "
            f"{migrate.newest()}; run `journeyman migrate` with it first."
        )
        raise AppError(Code.CONFLICT, message)


@contextmanager
def _opened(target: str) -> Iterator[sa.Engine]:
    engine = make_engine(target, pool_size=1, name="journeyman copy")
    try:
        yield engine
    finally:
        engine.dispose()


def _begin(engine: sa.Engine, target: str) -> None:
    with engine.connect() as tx:
        if tx.scalar(_OTHERS, {"name": SERVER}):
            message = "A server or worker runs on the database to copy to; stop it first."
            raise AppError(Code.CONFLICT, message)
        begun = sa.inspect(tx).has_table(NOTES.name)
        if not begun:
            tables.require_empty(tx)
    migrate.upgrade(engine)
    queue.migrate(target)
    if not begun:
        with engine.begin() as tx:
            rows.remove_seeds(tx)
            NOTES.create(tx)


def _copy_table(
    old: sa.Connection,
    engine: sa.Engine,
    name: str,
    table: sa.Table,
    into: sa.Table,
    progress: Progress,
) -> None:
    mine = NOTES.c.name == name
    with engine.begin() as tx:
        tables.require_columns(tx, name, into)
        last = tx.scalar(sa.select(NOTES.c.row).where(mine))
        if last is None:
            last = 0
            tx.execute(NOTES.insert().values(name=name, row=last))
    place: sa.ColumnElement[int] = sa.literal_column("rowid", sa.BigInteger)
    asked = sa.select(table, place.label(PLACE)).where(place > last).order_by(place)
    total = old.scalar(sa.select(sa.func.count()).select_from(table).where(place > last)) or 0
    with old.execute(asked.execution_options(yield_per=rows.FETCH)) as found:
        read = ({**row._mapping} for row in counting(name, found, total, progress))
        for batch in rows.batches(read):
            with _told(name), engine.begin() as tx:
                rows.write(tx, into, [_without_place(row) for row in batch])
                tx.execute(NOTES.update().where(mine).values(row=batch[-1][PLACE]))
    if (number := rows.last_number(old, table)) is not None:
        with engine.begin() as tx:
            rows.set_last_number(tx, into, number)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What SQLite takes and PostgreSQL does not, such as a NUL in a text."""
    try:
        yield
    except sa.exc.DataError as error:
        said = str(error.orig).splitlines()[0]
        message = f"The table {name} has a row that PostgreSQL does not take: {said}"
        raise AppError(Code.INVALID, message) from error


def _without_place(row: rows.Row) -> rows.Row:
    return {name: value for name, value in row.items() if name != PLACE}


def _compared(
    old: sa.Connection,
    engine: sa.Engine,
    name: str,
    table: sa.Table,
    into: sa.Table,
    progress: Progress,
) -> int:
    before = rows.tally(old, table)
    with engine.connect() as tx:
        after = rows.tally(tx, into)
    if before != after:
        message = (
            f"The table {name} differs: {before.rows} rows here, {after.rows} there. One of the "
            "databases was used while it was copied; empty the target and copy again."
        )
        raise AppError(Code.CONFLICT, message)
    progress(f"{name} is the same", after.rows, after.rows)
    return after.rows
