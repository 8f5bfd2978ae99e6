"""All rows of all tables, as plain values that mean the same on SQLite and PostgreSQL.

For what treats the database as a whole: backups, and moving to another one. Values are None, bool,
int, float, str and bytes; times and JSON stay as they are stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from journeyman.store.tables import metadata, worker

Row = Mapping[str, Any]

TRANSIENT = (worker,)
"""Tables whose rows mean nothing to another process or at another time."""
FETCH = 20
"""Rows read at once; some hold a bundle of megabytes."""
SEEDED_AT = 0
"""When a row was created that a migration has added."""
BATCH = 200
HEAVY = 8 << 20
_encode = msgspec.json.Encoder().encode


def own() -> list[sa.Table]:
    """Our tables, each after those that it refers to."""
    return [raw(table) for table in metadata.sorted_tables if table not in TRANSIENT]


def raw(table: sa.Table, schema: str | None = None) -> sa.Table:
    """*table* with the types that its database keeps, and no others."""
    columns = (
        sa.Column(column.name, _stored(column.type), primary_key=column.primary_key)
        for column in table.columns
    )
    numbered = table.dialect_options["sqlite"]["autoincrement"]
    return sa.Table(table.name, sa.MetaData(schema=schema), *columns, sqlite_autoincrement=numbered)


def _stored(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    if isinstance(kind, sa.types.TypeDecorator):
        return kind.impl_instance
    if isinstance(kind, sa.JSON):
        return sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    return kind


@dataclass(frozen=True)
class Tally:
    """What is in a table, whatever the order of its rows."""

    rows: int = 0
    digest: int = 0

    def plus(self, row: Sequence[Any]) -> Tally:
        found = int.from_bytes(hashlib.sha256(_encode(list(row))).digest(), "big")
        return Tally(self.rows + 1, (self.digest + found) % (1 << 256))


def read(tx: sa.Connection, table: sa.Table) -> Iterator[sa.Row[Any]]:
    with tx.execute(sa.select(table).execution_options(yield_per=FETCH)) as found:
        yield from found


def tally(tx: sa.Connection, table: sa.Table) -> Tally:
    total = Tally()
    for row in read(tx, table):
        total = total.plus(row)
    return total


def count(tx: sa.Connection, table: sa.Table) -> int:
    return tx.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def batches(found: Iterable[Row]) -> Iterator[list[Row]]:
    """Few enough at a time to be held in memory, many enough to be quick."""
    batch: list[Row] = []
    weight = 0
    for row in found:
        batch.append(row)
        weight += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if len(batch) >= BATCH or weight >= HEAVY:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def write(tx: sa.Connection, table: sa.Table, found: Sequence[Row]) -> None:
    tx.execute(table.insert(), list(found))


def is_empty(tx: sa.Connection, table: sa.Table) -> bool:
    """But for what a migration has put there; also when there is no such table."""
    if not sa.inspect(tx).has_table(table.name, schema=table.schema):
        return True
    asked = sa.select(sa.literal(1)).select_from(table).limit(1)
    if "created_at" in table.columns:
        asked = asked.where(table.c.created_at != SEEDED_AT)
    return tx.scalar(asked) is None


def remove_seeds(tx: sa.Connection) -> None:
    """Before all rows of another database are added, which has its own."""
    for table in reversed(own()):
        if "created_at" in table.columns:
            tx.execute(table.delete().where(table.c.created_at == SEEDED_AT))


def last_number(tx: sa.Connection, table: sa.Table) -> int | None:
    """The highest id that was ever given to a row, also to one that is gone; None: the table does
    not number its rows."""
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return None
    if tx.dialect.name == "sqlite":
        asked = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return tx.scalar(asked, {"name": table.name}) or 0
    sequence = tx.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, "id")))
    found = tx.execute(sa.text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608
    return int(found.last_value) if found.is_called else 0


def set_last_number(tx: sa.Connection, table: sa.Table, number: int) -> None:
    if number == 0:
        return
    if tx.dialect.name == "sqlite":
        name = {"name": table.name, "seq": number}
        forget = sa.text("DELETE FROM sqlite_sequence WHERE name = :name")
        tx.execute(forget, {"name": table.name})
        tx.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), name)
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, "id")
    tx.execute(sa.select(sa.func.setval(sequence, number)))
