"""Rows of the audit log: added, read, and removed by age alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.audit import AuditQuery, Entry, Surface
from journeyman.domain.principals import TokenKind
from journeyman.store.tables import audit_entry


def _entry(row: sa.Row[Any]) -> Entry:
    values = dict(row._mapping)
    values["surface"] = Surface(row.surface)
    values["token_kind"] = None if row.token_kind is None else TokenKind(row.token_kind)
    return Entry(**values)


def add_entry(tx: sa.Connection, values: dict[str, Any]) -> None:
    """*values* by column."""
    tx.execute(audit_entry.insert().values(**values))


def list_entries(tx: sa.Connection, query: AuditQuery) -> list[Entry]:
    """A page, and one more when there are more."""
    found, column = sa.select(audit_entry), audit_entry.c
    if query.repository_id is not None:
        found = found.where(column.repository_id == query.repository_id)
    if query.actions:
        exact = column.action.in_(query.actions)
        below = [column.action.startswith(f"{name}.", autoescape=True) for name in query.actions]
        found = found.where(sa.or_(exact, *below))
    if query.actors:
        lowered = [name.lower() for name in query.actors]
        found = found.where(sa.func.lower(column.actor).in_(lowered))
    if query.since is not None:
        found = found.where(column.created_at >= query.since)
    if query.until is not None:
        found = found.where(column.created_at < query.until)
    if query.after is not None:
        behind = column.id > query.after if query.ascending else column.id < query.after
        found = found.where(behind)
    order = column.id.asc() if query.ascending else column.id.desc()
    rows = tx.execute(found.order_by(order).limit(query.per_page + 1))
    return [_entry(row) for row in rows]


def remove_before(tx: sa.Connection, before: datetime, most: int) -> int:
    """Delete up to *most* of the oldest entries. How many."""
    old = (
        sa.select(audit_entry.c.id)
        .where(audit_entry.c.created_at < before)
        .order_by(audit_entry.c.id)
        .limit(most)
    )
    return tx.execute(audit_entry.delete().where(audit_entry.c.id.in_(old))).rowcount
