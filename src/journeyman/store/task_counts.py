"""How many tasks there are in a repository of one creator, so that no list has to count its tasks.

`store.tasks` changes them in the transaction that adds or archives a task.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from journeyman.store.tables import task_count

# One statement for both databases: whoever comes second adds to what the first has made.
_CHANGE = sa.text(
    "INSERT INTO task_count (repository_id, creator_id, active, archived) "
    "VALUES (:repository_id, :creator_id, :active, :archived) "
    "ON CONFLICT (repository_id, creator_id) DO UPDATE SET "
    "active = task_count.active + excluded.active, "
    "archived = task_count.archived + excluded.archived"
)


def change(
    tx: sa.Connection, repository_id: int, creator_id: int, *, active: int, archived: int = 0
) -> None:
    """Add to both; a task that is archived takes one from *active*."""
    values = {"repository_id": repository_id, "creator_id": creator_id}
    tx.execute(_CHANGE, {**values, "active": active, "archived": archived})


def total(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Both, of all that *condition* on `task_count` lets through."""
    active, archived = sa.func.sum(task_count.c.active), sa.func.sum(task_count.c.archived)
    return sa.select(sa.func.coalesce(active, 0), sa.func.coalesce(archived, 0)).where(condition)
