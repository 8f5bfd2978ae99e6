"""Every table that is kept: ours, and the engine's."""

from __future__ import annotations

import sqlalchemy as sa

from journeyman.domain.errors import AppError, Code
from journeyman.engine import tables as engine
from journeyman.store import rows


def kept(dialect: str) -> dict[str, sa.Table]:
    """By a name that is the same on each database, in an order in which rows can be added."""
    schema = engine.schema_on(dialect)
    return {
        **{table.name: table for table in rows.own()},
        **{f"engine.{table.name}": rows.raw(table, schema) for table in engine.tables()},
    }


def require_empty(tx: sa.Connection) -> None:
    """CONFLICT when there is a row anywhere. The tables need not be there."""
    for name, table in kept(tx.dialect.name).items():
        if not rows.is_empty(tx, table):
            where = tx.engine.url.render_as_string(hide_password=True)
            message = f"The database {where} is not empty: {name} has rows. Name an empty one."
            raise AppError(Code.CONFLICT, message)


def require_columns(tx: sa.Connection, name: str, table: sa.Table) -> None:
    """INVALID when the database's table lacks a column of *table*'s."""
    found = {one["name"] for one in sa.inspect(tx).get_columns(table.name, schema=table.schema)}
    if missing := [column.name for column in table.columns if column.name not in found]:
        message = f"The table {name} has no column {missing[0]!r} here; migrate the database first."
        raise AppError(Code.INVALID, message)
