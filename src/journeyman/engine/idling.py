"""What an idle worker costs: ten times a second it looks into each queue, so that a task starts at
once, and nearly every look finds nothing.

The engine asks for the queue's settings each time, and then a large question for the users whose
runs wait there: together most of what the worker takes of a core.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from dbos import Queue
from dbos._sys_db import SystemDatabase

SETTINGS_SECONDS = 1.0
"""How old a queue's settings may be: they change when a worker with others starts."""


def ask_less(engine: SystemDatabase) -> None:
    """Of this engine, from now on."""
    _ask_first_whether_anything_waits(engine)
    _keep_settings(engine)


def _ask_first_whether_anything_waits(engine: SystemDatabase) -> None:
    runs, users_of = engine.tables.workflow_status, engine.get_queue_partitions
    some = sa.select(runs.c.workflow_uuid).where(
        runs.c.queue_name == sa.bindparam("queue"),
        runs.c.status == "ENQUEUED",
        engine._in_flight_status_prover(),  # by which SQLite finds the index
    )
    some = some.limit(1)

    def users(queue: str) -> list[str]:
        with engine.engine.connect() as connection:
            waits = connection.scalar(some, {"queue": queue}) is not None
        return users_of(queue) if waits else []

    engine.get_queue_partitions = users  # type: ignore[method-assign, assignment]


def _keep_settings(engine: SystemDatabase) -> None:
    ask = engine.get_queue
    kept: dict[str, tuple[float, Queue | None]] = {}

    def get(name: str, **more: Any) -> Queue | None:
        if more:
            return ask(name, **more)
        at, found = kept.get(name, (0.0, None))
        if found is None or time.monotonic() - at > SETTINGS_SECONDS:
            kept[name] = at, found = time.monotonic(), ask(name)
        return found

    engine.get_queue = get  # type: ignore[method-assign]
