"""What receivers are to be told (notices), and each attempt to do so (deliveries).

A notice is waiting while it has a `next_attempt_at`. Whoever attempts it claims it first; what a
process that died has claimed is free again when the claim runs out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.hooks import ContentType, Delivery, HookEvent, Response
from journeyman.store.tables import hook, hook_delivery, hook_notice

EARLIER = hook_notice.alias("earlier")


@dataclass(frozen=True)
class NewNotice:
    guid: str
    hook_id: int
    task_id: str | None
    """Notices of one task reach a hook in their order."""
    event: HookEvent
    action: str | None
    payload: bytes = field(repr=False)
    created_at: datetime
    give_up_at: datetime


@dataclass(frozen=True)
class Notice:
    """One to be attempted now, with what is known of its hook."""

    id: int
    guid: str
    hook_id: int
    repository_id: int
    event: HookEvent
    payload: bytes = field(repr=False)
    attempts: int
    """Those before this one."""
    created_at: datetime
    give_up_at: datetime
    url: str
    content_type: ContentType
    insecure_ssl: bool
    secret: bytes | None = field(repr=False)
    claimed_until: datetime


def add_notice(tx: sa.Connection, new: NewNotice) -> int:
    added: int = tx.execute(
        hook_notice.insert()
        .values(
            guid=new.guid,
            hook_id=new.hook_id,
            task_id=new.task_id,
            event=new.event,
            action=new.action,
            payload=new.payload,
            created_at=new.created_at,
            attempts=0,
            holds=True,
            next_attempt_at=new.created_at,
            give_up_at=new.give_up_at,
        )
        .returning(hook_notice.c.id)
    ).scalar_one()
    return added


_FREE = sa.or_(
    hook_notice.c.claimed_until.is_(None), hook_notice.c.claimed_until <= sa.bindparam("now")
)
_HELD_UP = sa.exists().where(
    EARLIER.c.hook_id == hook_notice.c.hook_id,
    EARLIER.c.task_id == hook_notice.c.task_id,
    EARLIER.c.id < hook_notice.c.id,
    EARLIER.c.next_attempt_at.is_not(None),
    EARLIER.c.holds,
)
_DUE = (
    sa.select(hook_notice.c.id, hook_notice.c.hook_id)
    .select_from(hook_notice.join(hook))
    .where(
        hook_notice.c.next_attempt_at <= sa.bindparam("now"),
        hook_notice.c.hook_id.not_in(sa.bindparam("busy", expanding=True)),
        sa.or_(hook.c.active, hook_notice.c.event == HookEvent.PING),
        _FREE,
        ~_HELD_UP,
    )
    .order_by(hook_notice.c.next_attempt_at, hook_notice.c.id)
    .limit(sa.bindparam("most"))
)


def due(
    tx: sa.Connection, now: datetime, most: int, busy: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Notices that may be attempted, by id, with their hooks, none of which is *busy*: the longest
    waiting first."""
    values = {"now": now, "most": most, "busy": list(busy)}
    return [(row.id, row.hook_id) for row in tx.execute(_DUE, values)]


_CLAIM = (
    hook_notice.update()
    .where(
        hook_notice.c.id == sa.bindparam("notice_id"),
        hook_notice.c.next_attempt_at <= sa.bindparam("now"),
        _FREE,
    )
    .values(claimed_until=sa.bindparam("until"))
)
_CLAIMED = (
    sa.select(
        hook_notice,
        *(
            hook.c[name]
            for name in ("repository_id", "url", "content_type", "insecure_ssl", "secret")
        ),
    )
    .select_from(hook_notice.join(hook))
    .where(hook_notice.c.id == sa.bindparam("notice_id"))
)


def claim(tx: sa.Connection, notice_id: int, now: datetime, until: datetime) -> Notice | None:
    """None when somebody else was quicker."""
    values = {"notice_id": notice_id, "now": now, "until": until}
    if tx.execute(_CLAIM, values).rowcount != 1:
        return None
    row = tx.execute(_CLAIMED, {"notice_id": notice_id}).one()
    return Notice(
        id=row.id,
        guid=row.guid,
        hook_id=row.hook_id,
        repository_id=row.repository_id,
        event=HookEvent(row.event),
        payload=row.payload,
        attempts=row.attempts,
        created_at=row.created_at,
        give_up_at=row.give_up_at,
        url=row.url,
        content_type=ContentType(row.content_type),
        insecure_ssl=row.insecure_ssl,
        secret=row.secret,
        claimed_until=until,
    )


def settle(tx: sa.Connection, of: Notice, *, next_attempt_at: datetime | None, holds: bool) -> bool:
    """One attempt more, and the claim is over; what was called off meanwhile stays so. False when
    the notice is gone with its hook."""
    this = hook_notice.update().where(hook_notice.c.id == of.id)
    if tx.execute(this.values(attempts=hook_notice.c.attempts + 1)).rowcount != 1:
        return False
    after: dict[str, Any] = {"next_attempt_at": next_attempt_at, "claimed_until": None}
    if not holds:
        after["holds"] = False
    tx.execute(
        this.where(
            hook_notice.c.claimed_until == of.claimed_until,
            hook_notice.c.next_attempt_at.is_not(None),
        ).values(**after)
    )
    return True


def repeat(tx: sa.Connection, notice_id: int, now: datetime, give_up_at: datetime) -> None:
    """Attempt it (again) now, without holding up what came later."""
    tx.execute(
        hook_notice.update()
        .where(hook_notice.c.id == notice_id)
        .values(next_attempt_at=now, give_up_at=give_up_at, holds=False)
    )


def forget_waiting(tx: sa.Connection, hook_id: int) -> None:
    """Attempt nothing more for a hook."""
    tx.execute(
        hook_notice.update().where(hook_notice.c.hook_id == hook_id).values(next_attempt_at=None)
    )


def add_delivery(
    tx: sa.Connection, of: Notice, sent: Mapping[str, str], got: Response, at: datetime
) -> None:
    """*sent*: the headers."""
    tx.execute(
        hook_delivery.insert().values(
            notice_id=of.id,
            hook_id=of.hook_id,
            delivered_at=at,
            redelivery=of.attempts > 0,
            duration_ms=round(got.seconds * 1000),
            status=got.status,
            status_code=got.code,
            url=of.url,
            request_headers=dict(sent),
            response_headers=dict(got.headers),
            response_payload=got.payload,
        )
    )


_DELIVERIES = sa.select(
    hook_delivery,
    hook_notice.c.guid,
    hook_notice.c.event,
    hook_notice.c.action,
    hook_notice.c.payload,
    hook.c.repository_id,
).select_from(hook_delivery.join(hook_notice).join(hook, hook.c.id == hook_delivery.c.hook_id))


def _delivery(row: sa.Row[Any]) -> Delivery:
    response = Response(
        code=row.status_code,
        status=row.status,
        headers=row.response_headers,
        payload=row.response_payload,
        seconds=row.duration_ms / 1000,
    )
    return Delivery(
        id=row.id,
        guid=row.guid,
        hook_id=row.hook_id,
        repository_id=row.repository_id,
        event=HookEvent(row.event),
        action=row.action,
        delivered_at=row.delivered_at,
        redelivery=row.redelivery,
        url=row.url,
        request_headers=row.request_headers,
        request_payload=row.payload.decode(),
        response=response,
    )


def list_deliveries(
    tx: sa.Connection, hook_id: int, before: int | None, most: int, *, success: bool | None
) -> list[Delivery]:
    """Newest first: those older than the one with the id *before*."""
    found = _DELIVERIES.where(hook_delivery.c.hook_id == hook_id)
    if before is not None:
        found = found.where(hook_delivery.c.id < before)
    if success is not None:
        good = sa.func.coalesce(hook_delivery.c.status_code, 0).between(200, 299)
        found = found.where(good if success else ~good)
    rows = tx.execute(found.order_by(hook_delivery.c.id.desc()).limit(most))
    return [_delivery(row) for row in rows]


def find_delivery(tx: sa.Connection, hook_id: int, delivery_id: int) -> tuple[Delivery, int] | None:
    """With the id of its notice."""
    found = _DELIVERIES.where(hook_delivery.c.hook_id == hook_id, hook_delivery.c.id == delivery_id)
    row = tx.execute(found).first()
    return None if row is None else (_delivery(row), row.notice_id)


def remove_before(tx: sa.Connection, before: datetime, most: int) -> int:
    """Delete up to *most* notices that were made *before* and wait for nothing, with their
    deliveries. How many."""
    old: Sequence[int] = (
        tx.execute(
            sa.select(hook_notice.c.id)
            .where(hook_notice.c.created_at < before, hook_notice.c.next_attempt_at.is_(None))
            .order_by(hook_notice.c.id)
            .limit(most)
        )
        .scalars()
        .all()
    )
    if old:
        tx.execute(hook_delivery.delete().where(hook_delivery.c.notice_id.in_(old)))
        tx.execute(hook_notice.delete().where(hook_notice.c.id.in_(old)))
    return len(old)
