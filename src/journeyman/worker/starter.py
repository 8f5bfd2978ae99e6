"""Handles what may start work, and answers it: any worker, whatever it was that was told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.domain.triggers import Trigger
from journeyman.service.answering import Answering, groups
from journeyman.service.means import Means
from journeyman.service.polling import Polling
from journeyman.service.repairing import Repairing
from journeyman.service.starting import Starting
from journeyman.telemetry import metrics

log = structlog.get_logger()

AT_ONCE = 8
EVERY_SECONDS = 1.0
"""How often it looks for what has become due."""
BUG = "There was an internal error, which the server's log tells."


class Starter:
    def __init__(
        self, means: Means, *, poll_seconds: int = 0, repositories: Sequence[str] = ()
    ) -> None:
        """*poll_seconds*: how often the forge is asked about *repositories*, and about those that
        have tasks; 0: never."""
        self._triggers = means.triggers
        self._starting = Starting(means)
        self._repairing = Repairing(means)
        self._answering = Answering(means)
        every = timedelta(seconds=poll_seconds)
        self._polling = Polling(means, every=every, named=repositories) if every else None

    async def run(self) -> None:
        """Until cancelled. What was claimed and not finished then is free again a while later."""
        loops = [self._every(self.handle), self._every(self.answer)]
        if self._polling is not None:
            loops.append(self._every(self._polling.ask))
        await asyncio.gather(*loops)

    async def handle(self) -> None:
        """All that is due now."""
        claimed = await self._triggers.claim(AT_ONCE)
        await asyncio.gather(*(self._guarded(self._handle(some), some) for some in claimed))

    async def answer(self) -> None:
        for group in groups(await self._triggers.claim_answers(AT_ONCE)):
            await self._guarded(self._answering.tell(group), group)

    async def _handle(self, waiting: Sequence[Trigger]) -> None:
        await self._starting.begin(waiting)
        await self._repairing.begin(waiting)

    async def _every(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._guarded(work())
            await asyncio.sleep(EVERY_SECONDS)

    async def _guarded(self, work: Awaitable[None], of: Sequence[Trigger] = ()) -> None:
        try:
            await work
        except DatabaseLost as error:
            log.warning("triggers.interrupted", error=str(error))
        except Exception:  # noqa: BLE001 - one trigger's bug must not hold up the others
            metrics.BACKGROUND_FAILURES.labels("triggers").inc()
            log.exception("triggers.failed")
            if of:
                await self._triggers.put_off(of, BUG)
