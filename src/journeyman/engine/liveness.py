"""Which workers are alive: a heartbeat each, and the sweep that frees the runs of those that are
not.

Without it a run whose worker was killed would stay claimed for ever: DBOS itself recovers only the
runs of a
process that starts again under the same name.
"""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from journeyman.telemetry import metrics

log = structlog.get_logger()

_worker = sa.table(
    "worker",
    sa.column("executor_id"),
    sa.column("heartbeat_ms"),
    sa.column("place"),
    sa.column("host"),
    sa.column("pid"),
    sa.column("slots"),
)

ENDED = frozenset("ZX")
"""States of a process that runs no more (proc(5))."""
LEASE_SECONDS = 10.0
"""A worker that was not heard of for so long is taken for dead."""


@dataclass(frozen=True)
class Beat:
    """A worker that may be at work."""

    executor_id: str
    host: str
    pid: int
    slots: int
    """How many runs it takes at once."""


class Heartbeats:
    """The table of workers. Times are the database's own: machines need not agree on theirs.

    A worker is dead when it was not heard of within the lease, or at once when this process can see
    that it is: a server that was killed and started again need not wait for its own lease.
    """

    def __init__(self, database: sa.Engine, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._lease_ms = int(lease_seconds * 1000)
        self._place = _place()
        sqlite = database.dialect.name == "sqlite"
        self._now = sa.literal_column(
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
            if sqlite
            else "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
            sa.BigInteger,
        )

    def beat(self, executor_id: str, slots: int) -> None:
        mine = _worker.c.executor_id == executor_id
        with self._database.begin() as tx:
            beaten = tx.execute(_worker.update().where(mine).values(heartbeat_ms=self._now))
            if beaten.rowcount == 0:
                row = {"executor_id": executor_id, "slots": slots, "pid": os.getpid()}
                row |= {"place": self._place, "host": socket.gethostname()}
                tx.execute(_worker.insert().values(heartbeat_ms=self._now, **row))

    def live(self) -> list[Beat]:
        """Those that may be at work."""
        fresh = sa.select(_worker).where(_worker.c.heartbeat_ms > self._now - self._lease_ms)
        with self._database.connect() as connection:
            rows = connection.execute(fresh.order_by(_worker.c.host, _worker.c.pid)).all()
        return [
            Beat(row.executor_id, row.host, row.pid, row.slots)
            for row in rows
            if row.place != self._place or _runs(row.pid)
        ]

    def leave(self, executor_id: str) -> None:
        with self._database.begin() as tx:
            tx.execute(_worker.delete().where(_worker.c.executor_id == executor_id))

    def forget_dead(self) -> None:
        """Rows of workers that ended long ago say nothing any more."""
        with self._database.begin() as tx:
            tx.execute(
                _worker.delete().where(_worker.c.heartbeat_ms < self._now - 60 * self._lease_ms)
            )


def _place() -> str:
    """Where process ids mean the same: one boot of one kernel, one process namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _runs(pid: int) -> bool:
    """False also for one that was killed and that its parent has not heard of yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _exists(pid)
    return stat.rpartition(")")[2].split()[0] not in ENDED


def _exists(pid: int) -> bool:
    """Also where /proc shows nobody else's processes (its option hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Ticker(threading.Thread):
    """Calls *work* every *seconds* from a thread of its own, so that a busy event loop cannot
    delay it.

    A failure is logged and tried again at the next tick: what it does is level-triggered. Were one
    to end it, this worker would be taken for dead, or recover nobody any more.
    """

    def __init__(self, name: str, work: Callable[[], None], seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._seconds = seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._seconds * random.uniform(0.8, 1.0)):  # noqa: S311 - spreads load
            try:
                self._work()
            except sa.exc.SQLAlchemyError as error:
                metrics.BACKGROUND_FAILURES.labels(self.name).inc()
                log.warning("engine.tick_failed", ticker=self.name, error=str(error))
            except Exception:  # noqa: BLE001 - a bug must not end what keeps runs alive
                metrics.BACKGROUND_FAILURES.labels(self.name).inc()
                log.exception("engine.tick_failed", ticker=self.name)

    def stop(self) -> None:
        self._stopped.set()
        if self.is_alive():
            self.join()
