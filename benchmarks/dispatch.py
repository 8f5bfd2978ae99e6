"""The queue by itself: from putting a run in until a worker begins it."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

from benchmarks.report import Row, milliseconds
from journeyman import app, config
from journeyman.engine.executor import Executor, Options, Steps, Verdict
from journeyman.engine.queue import Queue
from journeyman.store.database import Database, make_engine

RUNS = 60
EVERY_SECONDS = 0.15
START_SECONDS = 2.0
"""Until the engine looks at its queues."""


async def measure(data: Path, url: str, name: str) -> Row:
    """On the database *url*, called *name*; it is migrated first."""
    app.migrate(config.load(flags={"data": str(data), "database.url": url}, environ={}))
    begun: dict[str, float] = {}
    all_begun = asyncio.Event()

    async def begin(session_id: str, _number: int, _last: Verdict) -> Verdict:
        begun[session_id] = time.monotonic()
        if len(begun) == RUNS:
            all_begun.set()
        return {"next": "end"}

    executor = Executor(url, make_engine(url), Options(concurrency=RUNS, per_user=RUNS))
    await executor.start(Steps(begin, begin, begin))
    database = Database(url)
    queue = Queue(database.engine)
    queued = {}
    await asyncio.sleep(START_SECONDS)
    for _ in range(RUNS):
        await asyncio.sleep(EVERY_SECONDS)
        session_id = str(uuid.uuid4())
        await database.write(
            lambda tx, id_=session_id: queue.enqueue(tx, id_, 1, task_id="t", owner_id=1)
        )
        queued[session_id] = time.monotonic()
    async with asyncio.timeout(10):
        await all_begun.wait()
    await executor.stop()
    queue.close()
    database.close()
    waits = [begun[one] - at for one, at in queued.items()]
    how = f"{RUNS}, one after the other, an idle worker"
    return Row(f"queued → begun, {name}", milliseconds(waits, 50, 99), how)
