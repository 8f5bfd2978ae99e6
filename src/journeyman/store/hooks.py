"""Rows of webhooks; secrets are encrypted before they come here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.hooks import ContentType, Hook, HookConfig, LastResponse
from journeyman.store.tables import hook, hook_delivery, hook_notice


def _hook(row: sa.Row[Any]) -> Hook:
    config = HookConfig(
        url=row.url,
        content_type=ContentType(row.content_type),
        insecure_ssl=row.insecure_ssl,
        has_secret=row.secret is not None,
    )
    return Hook(
        id=row.id,
        repository_id=row.repository_id,
        active=row.active,
        events=tuple(row.events),
        config=config,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_response=LastResponse(row.last_code, row.last_status),
    )


_OF_REPOSITORY = (
    sa.select(hook).where(hook.c.repository_id == sa.bindparam("repository_id")).order_by(hook.c.id)
)


def list_hooks(tx: sa.Connection, repository_id: int) -> list[Hook]:
    return [_hook(row) for row in tx.execute(_OF_REPOSITORY, {"repository_id": repository_id})]


_SHARE = _OF_REPOSITORY.with_for_update(read=True, key_share=True)


def keep_hooks(tx: sa.Connection, repository_id: int) -> list[Hook]:
    """As `list_hooks`, and none of them goes away until the transaction ends."""
    return [_hook(row) for row in tx.execute(_SHARE, {"repository_id": repository_id})]


def find_hook(tx: sa.Connection, repository_id: int, hook_id: int) -> Hook | None:
    row = tx.execute(
        sa.select(hook).where(hook.c.id == hook_id, hook.c.repository_id == repository_id)
    ).first()
    return None if row is None else _hook(row)


def add_hook(
    tx: sa.Connection,
    repository_id: int,
    config: HookConfig,
    events: tuple[str, ...],
    active: bool,
    secret: bytes | None,
    now: datetime,
) -> Hook:
    row = tx.execute(
        hook.insert()
        .values(
            repository_id=repository_id,
            active=active,
            events=list(events),
            url=config.url,
            content_type=config.content_type,
            insecure_ssl=config.insecure_ssl,
            secret=secret,
            last_status=LastResponse.status,
            created_at=now,
            updated_at=now,
        )
        .returning(*hook.c)
    ).one()
    return _hook(row)


def change_hook(tx: sa.Connection, hook_id: int, changes: dict[str, Any], now: datetime) -> Hook:
    """*changes* by column: active, events, url, content_type, insecure_ssl, secret."""
    row = tx.execute(
        hook.update()
        .where(hook.c.id == hook_id)
        .values(**changes, updated_at=now)
        .returning(*hook.c)
    ).one()
    return _hook(row)


def remove_hook(tx: sa.Connection, hook_id: int) -> None:
    """With what was to be told to it, and what was."""
    tx.execute(sa.select(hook.c.id).where(hook.c.id == hook_id).with_for_update())
    tx.execute(hook_delivery.delete().where(hook_delivery.c.hook_id == hook_id))
    tx.execute(hook_notice.delete().where(hook_notice.c.hook_id == hook_id))
    tx.execute(hook.delete().where(hook.c.id == hook_id))


def note_response(tx: sa.Connection, hook_id: int, code: int | None, status: str) -> None:
    tx.execute(hook.update().where(hook.c.id == hook_id).values(last_code=code, last_status=status))
