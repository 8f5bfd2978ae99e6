"""Level-triggered repair: what the ledger says is at work must be known to the engine, and
nothing else may lie about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.domain.retention import Retention, before
from journeyman.engine.queue import Queue, run_id
from journeyman.runner.equipment import Equipment
from journeyman.runner.outcome import EXPECTED
from journeyman.service.clock import Clock, utc_now
from journeyman.service.ledger import Ledger
from journeyman.service.parked import Parked
from journeyman.service.retention import Expiry
from journeyman.telemetry import metrics

log = structlog.get_logger()

EVERY_SECONDS = 5.0
LEAVING = ".leaving-"
GIVEN_UP = "The work on this session was given up after repeated failures of its workers."
EXPIRE_SECONDS = 900.0
SWEEP_SECONDS = 600.0
LEFT = timedelta(minutes=10)
"""By then a worker has removed what it had of a session that has ended, or never will."""


class Janitor:
    """Ends sessions whose run the engine has given up, tries parked ones again, and removes what
    is no longer needed or has become old."""

    def __init__(
        self,
        ledger: Ledger,
        parked: Parked,
        queue: Queue,
        equipment: Equipment,
        expiry: Expiry,
        keep: Retention,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._ledger = ledger
        self._parked = parked
        self._expiry = expiry
        self._keep = keep
        self._clock = clock
        self._queue = queue
        self._equipment = equipment

    async def run(self) -> None:
        """Until cancelled. What fails is told, and tried again with the next round."""
        for sweep in (
            self.sweep_workspaces,
            self._equipment.mirrors.sweep,
            self._equipment.bases.sweep,
        ):
            await self._told(sweep)
        await asyncio.gather(
            self._every(EVERY_SECONDS, self.end_lost_runs, self._parked.retry),
            self._every(EXPIRE_SECONDS, self.expire),
            self._every(SWEEP_SECONDS, self.sweep_workspaces_left, self._equipment.publisher.sweep),
        )

    async def _every(self, seconds: float, *repairs: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            for repair in repairs:
                await self._told(repair)

    async def _told(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except (DatabaseLost, OSError, *EXPECTED) as error:
            metrics.BACKGROUND_FAILURES.labels("repairs").inc()
            log.warning("repair.failed", error=repr(error))
        except Exception:  # noqa: BLE001 - one repair's bug must not end all of them
            metrics.BACKGROUND_FAILURES.labels("repairs").inc()
            log.exception("repair.failed")

    async def expire(self) -> None:
        """Remove what is older than the configuration wants."""
        now, keep = self._clock(), self._keep
        await self._expiry.sweep()
        if (old := before(now, keep.runs_days)) is not None:
            await asyncio.to_thread(self._queue.forget, old)
        if (old := before(now, keep.workspaces_days)) is not None:
            await self._remove_resting(old)
        old = before(now, keep.mirrors_days)
        unused_since = None if old is None else old.timestamp()
        await self._equipment.bases.sweep(unused_since)
        await self._equipment.sweep_caches(unused_since)
        if old is not None:
            in_use = await self._ledger.repositories_in_use()
            await self._equipment.mirrors.tidy(old.timestamp(), in_use)
            await self._equipment.mirrors.sweep()

    async def end_lost_runs(self) -> None:
        active = await self._ledger.list_working()
        gone = await asyncio.to_thread(
            self._queue.gone, [run_id(run.session_id, run.number) for run in active]
        )
        for run in active:
            is_gone = run_id(run.session_id, run.number) in gone
            if is_gone and await self._ledger.give_up(run, GIVEN_UP):
                metrics.LOST.inc()
                log.warning("run.lost", session_id=run.session_id, task_id=run.task_id)

    async def _remove_resting(self, old: datetime) -> None:
        """The files of sessions that have rested since before *old*: their checkpoint has them.

        Renamed first: a session that is resumed at this moment finds all of it or nothing.
        """
        for directory in self._directories():
            if await self._ledger.rests_since(directory.name, old):
                leaving = directory.with_name(f"{LEAVING}{directory.name}")
                directory.rename(leaving)
                await self._equipment.sandboxes.remove(leaving)

    def _directories(self) -> list[Path]:
        workspaces = self._equipment.workspaces
        return list(workspaces.iterdir()) if workspaces.exists() else []

    async def sweep_workspaces(self) -> None:
        """Once at the start: a worker that was killed could not remove what it had."""
        await self._remove_ended(self._clock())

    async def sweep_workspaces_left(self) -> None:
        """From time to time: of a worker that was killed while another one works on this disk."""
        await self._remove_ended(self._clock() - LEFT)

    async def _remove_ended(self, before: datetime) -> None:
        for directory in self._directories():
            if await self._ledger.ended_before(directory.name, before):
                await self._equipment.sandboxes.remove(directory)
