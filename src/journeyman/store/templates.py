"""The prompts that are kept for a repository."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.templates import NewTemplate, Template
from journeyman.store.tables import template


def list_templates(tx: sa.Connection, repository_id: int) -> list[Template]:
    """By name."""
    columns = (template.c.id, template.c.name, template.c.prompt, template.c.updated_at)
    rows = tx.execute(
        sa.select(*columns)
        .where(template.c.repository_id == repository_id)
        .order_by(template.c.name)
    )
    return [Template(*row) for row in rows]


def save_template(tx: sa.Connection, repository_id: int, new: NewTemplate, now: datetime) -> None:
    """In place of the one with that name, if there is one."""
    same = (template.c.repository_id == repository_id, template.c.name == new.name)
    changed = tx.execute(
        template.update().where(*same).values(prompt=new.prompt, updated_at=now)
    ).rowcount
    if not changed:
        tx.execute(
            template.insert().values(
                repository_id=repository_id, name=new.name, prompt=new.prompt, updated_at=now
            )
        )


def delete_template(tx: sa.Connection, repository_id: int, template_id: int) -> None:
    tx.execute(
        template.delete().where(
            template.c.repository_id == repository_id, template.c.id == template_id
        )
    )
