"""What is done again and again is not ended by what becomes of one round."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from journeyman.domain.errors import DatabaseLost
from journeyman.service import rounds


async def test_neither_a_lost_database_nor_a_bug_ends_it() -> None:
    faults, over = [DatabaseLost("away"), ValueError("a bug")], asyncio.Event()

    async def work() -> None:
        if faults:
            raise faults.pop(0)
        over.set()

    with capture_logs() as told:
        made = asyncio.create_task(rounds.every(0.001, work, "test", after_a_bug=0.001))
        async with asyncio.timeout(5):
            await over.wait()
        made.cancel()
        await asyncio.gather(made, return_exceptions=True)
    assert [(line["event"], line["log_level"]) for line in told] == [
        ("round.interrupted", "debug"),
        ("round.failed", "error"),
    ]
