"""Level-triggered repair: what the ledger says is at work must be known to the engine, and
nothing else may lie about."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.domain.sessions import LeaseLost, Reason, State
from journeyman.engine.queue import Queue, run_id
from journeyman.runner.equipment import Equipment
from journeyman.service.ledger import Ledger
from journeyman.service.parked import Parked

log = structlog.get_logger()

EVERY_SECONDS = 5.0
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
        """Until cancelled."""
        await self.sweep_workspaces()
        await self._equipment.mirrors.sweep()
        await self._equipment.publisher.sweep()
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            with suppress(DatabaseLost):
                await self.end_lost_runs()
                await self._parked.retry()
                await self._forget_runs()

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
            if run_id(session.id, session.run_number) not in gone:
                continue
            log.warning("run.lost", session_id=session.id)
            held = await self._ledger.take(session.id)
            message = (
                "The work on this session was given up after repeated failures of its workers."
            )
            try:
                await self._ledger.finish(
                    held.session, State.FAILED, reason=Reason.WORKER_LOST, message=message
                )
            except LeaseLost:
                continue

    async def sweep_workspaces(self) -> None:
        """Once at the start: a worker that was killed could not remove what it had."""
        if not self._equipment.workspaces.exists():
            return
        for directory in self._equipment.workspaces.iterdir():
            if await self._ledger.has_ended(directory.name):
                await self._equipment.sandboxes.remove(directory)
