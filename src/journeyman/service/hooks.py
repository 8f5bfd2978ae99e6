"""Webhooks of a repository: made and changed by those who may write to it, and their deliveries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.hooks import (
    ALL_EVENTS,
    SUBSCRIBABLE,
    ContentType,
    Delivery,
    Hook,
    HookConfig,
)
from journeyman.domain.repositories import Permission
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.service.outbox import GIVE_UP_AFTER, Outbox
from journeyman.service.vault import Vault
from journeyman.store import deliveries, hooks
from journeyman.store.database import Database

MOST = 20
"""Hooks of one repository, as GitHub has it."""
LONGEST_URL = 2_000
LONGEST_SECRET = 1_000
URL = re.compile(r"https?://[^\s/@]+(/\S*)?", re.ASCII)


@dataclass(frozen=True)
class HookEdit:
    """What to change; None leaves it as it is."""

    active: bool | None = None
    events: tuple[str, ...] | None = None
    add_events: tuple[str, ...] = ()
    remove_events: tuple[str, ...] = ()
    url: str | None = None
    content_type: ContentType | None = None
    insecure_ssl: bool | None = None
    secret: str | None = field(default=None, repr=False)
    """An empty one takes it away."""


class Hooks:
    def __init__(
        self, database: Database, vault: Vault, outbox: Outbox, *, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._vault = vault
        self._outbox = outbox
        self._clock = clock

    async def list_hooks(self, access: Access) -> Sequence[Hook]:
        """FORBIDDEN, here and below, for who may not write."""
        repository_id = _require(access)
        return await self._database.read(lambda tx: hooks.list_hooks(tx, repository_id))

    async def get(self, access: Access, hook_id: int) -> Hook:
        repository_id = _require(access)
        return await self._database.read(lambda tx: _get(tx, repository_id, hook_id))

    async def create(
        self, access: Access, config: HookConfig, events: Sequence[str], *, active: bool = True
    ) -> Hook:
        """A new hook, which is sent a ping at once."""
        repository_id, kept = _require(access), _checked_events(events)
        _check_url(config.url)
        sealed = self._sealed(config.secret)

        def create(tx: Connection) -> Hook:
            there = hooks.list_hooks(tx, repository_id)
            if len(there) >= MOST:
                message = f"There are {MOST} webhooks already, the most a repository may have."
                raise AppError(Code.CONFLICT, message)
            _require_new(there, config.url, kept)
            now = self._clock()
            made = hooks.add_hook(tx, repository_id, config, kept, active, sealed, now)
            self._outbox.ping(tx, made, now)
            _record(tx, Action.HOOK_CREATE, made, now)
            return made

        return await self._database.write(create)

    async def update(self, access: Access, hook_id: int, edit: HookEdit) -> Hook:
        repository_id = _require(access)
        if edit.url is not None:
            _check_url(edit.url)
        sealed = self._sealed(edit.secret)

        def update(tx: Connection) -> Hook:
            known, now = _get(tx, repository_id, hook_id), self._clock()
            changes: dict[str, Any] = {
                "active": edit.active,
                "events": list(_edited(known.events, edit)),
                "url": edit.url,
                "content_type": edit.content_type,
                "insecure_ssl": edit.insecure_ssl,
            }
            changes = {name: value for name, value in changes.items() if value is not None}
            if edit.secret is not None:
                changes["secret"] = sealed
            made = hooks.change_hook(tx, hook_id, changes, now)
            if not made.active:
                deliveries.forget_waiting(tx, hook_id)
            _record(tx, Action.HOOK_UPDATE, made, now, changed=sorted(changes))
            return made

        return await self._database.write(update)

    async def delete(self, access: Access, hook_id: int) -> None:
        repository_id = _require(access)

        def delete(tx: Connection) -> None:
            known = _get(tx, repository_id, hook_id)
            hooks.remove_hook(tx, hook_id)
            _record(tx, Action.HOOK_DESTROY, known, self._clock())

        await self._database.write(delete)

    async def ping(self, access: Access, hook_id: int) -> None:
        repository_id = _require(access)

        def ping(tx: Connection) -> None:
            known, now = _get(tx, repository_id, hook_id), self._clock()
            self._outbox.ping(tx, known, now)
            _record(tx, Action.HOOK_PING, known, now)

        await self._database.write(ping)

    async def list_deliveries(
        self,
        access: Access,
        hook_id: int,
        *,
        before: int | None = None,
        per_page: int = 30,
        success: bool | None = None,
    ) -> tuple[Sequence[Delivery], bool]:
        """Newest first, from behind the one with the id *before* on; and whether there are more."""
        repository_id = _require(access)

        def read(tx: Connection) -> list[Delivery]:
            _get(tx, repository_id, hook_id)
            return deliveries.list_deliveries(tx, hook_id, before, per_page + 1, success=success)

        found = await self._database.read(read)
        return found[:per_page], len(found) > per_page

    async def get_delivery(self, access: Access, hook_id: int, delivery_id: int) -> Delivery:
        repository_id = _require(access)

        def read(tx: Connection) -> Delivery:
            _get(tx, repository_id, hook_id)
            return _get_delivery(tx, hook_id, delivery_id)[0]

        return await self._database.read(read)

    async def redeliver(self, access: Access, hook_id: int, delivery_id: int) -> None:
        """Tell the receiver the same once more, under the same guid. CONFLICT for a hook that is
        not active."""
        repository_id = _require(access)

        def redeliver(tx: Connection) -> None:
            known, now = _get(tx, repository_id, hook_id), self._clock()
            if not known.active:
                raise AppError(Code.CONFLICT, "The webhook is not active; activate it first.")
            delivery, notice_id = _get_delivery(tx, hook_id, delivery_id)
            deliveries.repeat(tx, notice_id, now, now + GIVE_UP_AFTER)
            _record(tx, Action.HOOK_REDELIVER, known, now, guid=delivery.guid)

        await self._database.write(redeliver)

    def _sealed(self, secret: str | None) -> bytes | None:
        if not secret:
            return None
        if len(secret) > LONGEST_SECRET:
            message = f"It has {len(secret)} characters; the most is {LONGEST_SECRET}."
            raise invalid("secret", message, "invalid")
        return self._vault.encrypt(secret.encode("utf-8", "surrogatepass"))


def _require(access: Access) -> int:
    if access.permission < Permission.WRITE:
        raise AppError(
            Code.FORBIDDEN, f"You need write access to {access.repository.full_name} for webhooks."
        )
    return access.repository.id


def _get(tx: Connection, repository_id: int, hook_id: int) -> Hook:
    found = hooks.find_hook(tx, repository_id, hook_id)
    if found is None:
        raise not_found(f"There is no webhook {hook_id}.")
    return found


def _get_delivery(tx: Connection, hook_id: int, delivery_id: int) -> tuple[Delivery, int]:
    found = deliveries.find_delivery(tx, hook_id, delivery_id)
    if found is None:
        raise not_found(f"There is no delivery {delivery_id}; old ones are forgotten.")
    return found


def _require_new(there: Sequence[Hook], url: str, events: tuple[str, ...]) -> None:
    if any(known.config.url == url and known.events == events for known in there):
        raise invalid("url", "Hook already exists on this repository", "custom")


def _check_url(url: str) -> None:
    """An address to POST to. Where it leads is looked at for each delivery, not here: names lead
    elsewhere from one moment to the next."""
    try:
        known = (
            len(url) <= LONGEST_URL
            and url.isascii()
            and URL.fullmatch(url)
            and urlsplit(url).port != 0
        )
        known = known and bool(urlsplit(url).hostname)
    except ValueError:
        known = False
    if not known:
        message = f"{url[:100]!r} is not an address like https://example.com/hook, without a user."
        raise invalid("url", message, "invalid")


def _checked_events(events: Sequence[str]) -> tuple[str, ...]:
    for event in events:
        if event != ALL_EVENTS and event not in SUBSCRIBABLE:
            wanted = ", ".join((*SUBSCRIBABLE, ALL_EVENTS))
            raise invalid("events", f"{event[:100]!r} is not one of {wanted}.", "invalid")
    if not events:
        raise invalid("events", "events is empty; name at least one.", "invalid")
    return (ALL_EVENTS,) if ALL_EVENTS in events else tuple(dict.fromkeys(events))


def _edited(known: tuple[str, ...], edit: HookEdit) -> tuple[str, ...]:
    events = [*(known if edit.events is None else edit.events), *edit.add_events]
    return _checked_events([event for event in events if event not in edit.remove_events])


def _record(tx: Connection, action: Action, hook: Hook, now: datetime, **more: Any) -> None:
    """The address without its query, in which some services want a secret."""
    data = {"hook_id": hook.id, "url": hook.config.url.partition("?")[0], **more}
    audit.record(tx, action, now, repository_id=hook.repository_id, data=data)
