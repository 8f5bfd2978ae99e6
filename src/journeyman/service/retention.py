"""Removing what is older than the configuration wants, a little at a time.

Each batch is a transaction of its own, short enough that nobody waits for it; between two there is
room for everybody else. What is gone says so: a session's log is then one entry that tells it, and
a patch answers that it has expired.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.retention import Retention, before
from journeyman.service.changes import append
from journeyman.service.clock import Clock, utc_now
from journeyman.store import audit, deliveries, retention, sessions, triggers
from journeyman.store.database import Database

ROWS = 500
"""In one transaction."""
BUNDLES = 20
"""Each may have megabytes."""
REST_SECONDS = 0.05
EXPIRED = "The events of this session have expired: they were kept for {days} days."


class Expiry:
    def __init__(self, database: Database, keep: Retention, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock

    async def sweep(self) -> None:
        """Until nothing that is old is left."""
        now, keep = self._clock(), self._keep
        if (old := before(now, keep.deliveries_days)) is not None:
            await self._batches(partial(deliveries.remove_before, before=old, most=ROWS))
            await self._batches(partial(triggers.remove_before, before=old, most=ROWS))
        if (old := before(now, keep.audit_days)) is not None:
            await self._batches(partial(audit.remove_before, before=old, most=ROWS))
        if (old := before(now, keep.checkpoints_days)) is not None:
            dropped = partial(retention.expire_checkpoints, before=old, now=now, most=BUNDLES)
            await self._batches(dropped)
        if (old := before(now, keep.events_days)) is not None:
            await self._batches(partial(self._expire_events, old=old, now=now))
        await self._batches(partial(retention.remove_expired_events, most=ROWS))

    async def _batches(self, remove: Callable[[Connection], int]) -> None:
        while True:
            if not await self._database.write(remove):
                return
            await asyncio.sleep(REST_SECONDS)

    def _expire_events(self, tx: Connection, old: datetime, now: datetime) -> int:
        """Tell it in the log of one session; what comes before that is deleted later."""
        for found in retention.with_old_events(tx, old, 1):
            session = sessions.lock_newest(tx, found.task_id)
            if not session.ended or not retention.still_old(tx, found.id, old):
                continue
            message = EXPIRED.format(days=self._keep.events_days)
            data = {"message": message, "infoType": "events_expired"}
            append(tx, found, [NewEvent(EventType.SESSION_INFO, data)], now, fence=None)
            retention.expire_events(tx, found, now)
            return 1
        return 0
