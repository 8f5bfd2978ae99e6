"""Level-triggered repair: what the ledger says is at work must be known to the engine, and
nothing else may lie about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.engine.queue import Queue, run_id
from journeyman.runner.equipment import Equipment
from journeyman.runner.outcome import EXPECTED
from journeyman.service.ledger import Ledger
from journeyman.service.parked import Parked
from journeyman.telemetry import metrics

log = structlog.get_logger()

EVERY_SECONDS = 5.0
GIVEN_UP = "The work on this session was given up after repeated failures of its workers."
FORGET_EVERY = timedelta(hours=1)
KEEP_RUNS = timedelta(days=7)
"""How long the engine's own notes of ended runs are kept: only for who looks into a fault."""


class Janitor:
    """Ends sessions whose run the engine has given up, tries parked ones again, and removes the
    workspaces of ended ones."""

    def __init__(self, ledger: Ledger, parked: Parked, queue: Queue, equipment: Equipment) -> None:
        self._ledger = ledger
        self._parked = parked
        self._forgot_at = datetime.min.replace(tzinfo=UTC)
        self._queue = queue
        self._equipment = equipment

    async def run(self) -> None:
        """Until cancelled. What fails is told, and tried again with the next round."""
        for sweep in (
            self.sweep_workspaces,
            self._equipment.mirrors.sweep,
            self._equipment.publisher.sweep,
        ):
            await self._told(sweep)
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            for repair in (self.end_lost_runs, self._parked.retry, self._forget_runs):
                await self._told(repair)

    async def _told(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except (DatabaseLost, OSError, *EXPECTED) as error:
            log.warning("repair.failed", error=repr(error))

    async def _forget_runs(self) -> None:
        now = datetime.now(UTC)
        if now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now
            await asyncio.to_thread(self._queue.forget, now - KEEP_RUNS)

    async def end_lost_runs(self) -> None:
        active = await self._ledger.list_working()
        gone = await asyncio.to_thread(
            self._queue.gone, [run_id(session.id, session.run_number) for session in active]
        )
        for session in active:
            if run_id(session.id, session.run_number) in gone and await self._ledger.give_up(
                session, GIVEN_UP
            ):
                metrics.LOST.inc()
                log.warning("run.lost", session_id=session.id, task_id=session.task_id)

    async def sweep_workspaces(self) -> None:
        """Once at the start: a worker that was killed could not remove what it had."""
        if not self._equipment.workspaces.exists():
            return
        for directory in self._equipment.workspaces.iterdir():
            if await self._ledger.has_ended(directory.name):
                await self._equipment.sandboxes.remove(directory)
