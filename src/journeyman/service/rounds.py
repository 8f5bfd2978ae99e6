"""Work that is done again and again beside everything else, for as long as the process lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.telemetry import metrics

log = structlog.get_logger()

AFTER_A_BUG_SECONDS = 5.0


async def every(
    seconds: float,
    work: Callable[[], Awaitable[object]],
    name: str,
    *,
    after_a_bug: float = AFTER_A_BUG_SECONDS,
) -> None:
    """Until cancelled. A round that fails is made again: nobody would notice if there were no more
    of them. A lost database is told by those who wait for it."""
    while True:
        try:
            await work()
        except DatabaseLost as error:
            log.debug("round.interrupted", name=name, error=str(error))
        except Exception:  # noqa: BLE001 - a bug in one round must not end all further ones
            metrics.BACKGROUND_FAILURES.labels(name).inc()
            log.exception("round.failed", name=name)
            await asyncio.sleep(after_a_bug)
        await asyncio.sleep(seconds)
