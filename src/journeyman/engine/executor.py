"""Executes runs: claims them from the queue, journals their steps, recovers those of dead workers.

DBOS is one per process, hence so is an Executor. Five of its traps are gone round here: the
application version is constant (an upgrade must not orphan runs), the serialiser is strict,
nothing is cleaned up in the workflow (a stale owner would clean up under its successor), a claim
on SQLite is one transaction, and turns are not journaled one by one (two writes each, and a
recovery would read them all back one after the other): the log of the session says where it goes
on.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig
from dbos._sys_db import SystemDatabase
from dbos._sys_db_sqlite import SQLiteSystemDatabase

from journeyman.domain.errors import DatabaseLost
from journeyman.engine.liveness import LEASE_SECONDS, Heartbeats, Ticker
from journeyman.engine.queue import (
    APPLICATION,
    QUEUE,
    SCHEMA,
    URGENT,
    WORKFLOW,
    client_of,
    run_id,
)
from journeyman.engine.serializer import StrictJson
from journeyman.telemetry import logs, metrics
from journeyman.telemetry.carried import Carried, resumed, waited
from journeyman.telemetry.measured import measured
from journeyman.telemetry.traces import Value

log = structlog.get_logger()

APPLICATION_VERSION = "1"
"""Constant: with a computed one, every upgrade would leave the runs in flight without anybody to
take them."""
MAX_ATTEMPTS = 20
"""How often a run is taken up again before it is given up; deploys count too."""

Verdict = dict[str, Any]
"""What a step says: {"next": "turn" | "deliver" | "end", …}, plain JSON, handed on to the next
step."""
Step = Callable[[str, int, Verdict], Awaitable[Verdict]]
"""(session id, run number, verdict of the step before) → verdict. Must be idempotent and must
not raise."""


@dataclass(frozen=True)
class Steps:
    prepare: Step
    turn: Step
    """Called again while it says `turn`; after a crash with the verdict of the step before."""
    deliver: Step


@dataclass(frozen=True)
class Options:
    concurrency: int = 4
    """Runs at once in this process."""
    urgent: int = 1
    """Urgent ones at once in this process, beside those."""
    per_user: int = 4
    """Runs at once of one user, over all processes."""
    all_processes: int | None = None
    """Runs at once of all processes, beside the urgent ones; None: what they take together."""
    polling_seconds: float = 0.1
    heartbeat_seconds: float = 2.0
    lease_seconds: float = LEASE_SECONDS
    begin_seconds: float = 60.0
    """A run that was claimed here and has not begun after so long never will."""


class Executor:
    """Runs what is queued until it is stopped. *database* is its own: it is closed with it."""

    def __init__(self, url: str, database: sa.Engine, options: Options) -> None:
        self.id = f"worker-{uuid.uuid4()}"
        self._url = url
        self._database = database
        self._options = options
        self._heartbeats = Heartbeats(database, options.lease_seconds)
        self._tickers: list[Ticker] = []
        self._carried: dict[asyncio.Task[None], str] = {}
        """The runs that are carried here now, with their ids."""
        self._not_begun: dict[str, float] = {}
        """Runs that were claimed here and are not carried, and since when that is known."""

    async def owns(self, session_id: str, run_number: int) -> bool:
        """Whether the run is this executor's now. Raises DatabaseLost."""
        try:
            found = await asyncio.to_thread(
                DBOS.list_workflows,
                workflow_ids=[run_id(session_id, run_number)],
                load_input=False,
                load_output=False,
            )
        except sa.exc.DBAPIError as error:
            raise DatabaseLost(type(error.orig).__name__) from error
        return any(run.status == "PENDING" and run.executor_id == self.id for run in found)

    async def start(self, steps: Steps) -> None:
        """Begin to take runs. The first heartbeat comes before the first claim."""
        logs.identify(worker=self.id)
        await asyncio.to_thread(self._beat)
        SQLiteSystemDatabase._begin = _claiming  # type: ignore[method-assign, assignment]
        self._dbos = DBOS(config=self._config())
        _register(steps, self._carried)
        DBOS.listen_queues([QUEUE, URGENT])
        await asyncio.to_thread(self._offer)  # before it looks for queues, which it does not often
        DBOS.launch()
        every = self._options.heartbeat_seconds
        self._tickers = [
            Ticker("heartbeat", self._beat, every),
            Ticker("sweep", self._sweep, every),
        ]
        await asyncio.to_thread(self._sweep)
        for ticker in self._tickers:
            ticker.start()

    async def stop(self) -> None:
        """Take no more, and leave what is running here to others."""
        heartbeat, sweep = self._tickers
        await asyncio.to_thread(sweep.stop)
        # A cancelled run is left as it is; one that DBOS is closed under fails in its log.
        carried = list(self._carried)
        for run in carried:
            run.cancel()
        await asyncio.gather(*carried, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS has made its own threads the loop's, and has just ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await asyncio.to_thread(heartbeat.stop)
        await asyncio.to_thread(self._heartbeats.leave, self.id)
        self._database.dispose()

    def _offer(self) -> None:
        """Take as many runs as there are places here; all processes take no more than they may."""
        client, options = client_of(self._database), self._options
        for queue, places, most in (
            (QUEUE, options.concurrency, options.all_processes),
            (URGENT, options.urgent, None),
        ):
            # No limit may be above one that contains it.
            all_ = most or max(places, options.per_user)
            client.register_queue(
                queue,
                worker_concurrency=min(places, all_),
                partition_concurrency=min(options.per_user, all_),
                global_concurrency=most,
                polling_interval_sec=options.polling_seconds,
            )
        client.destroy()

    def _beat(self) -> None:
        self._heartbeats.beat(self.id, self._options.concurrency)

    def _sweep(self) -> None:
        """Level-triggered: every claimed run whose worker is not alive goes back to the queue."""
        claimed = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        owners = {run.executor_id for run in claimed if run.executor_id}
        dead = sorted(owners - {alive.executor_id for alive in self._heartbeats.live()})
        if dead:
            recovered = DBOS._recover_pending_workflows(dead)
            metrics.RECOVERED.inc(len(recovered))
            log.warning("engine.recovered", runs=len(recovered), workers=dead)
        self._free_unbegun({run.workflow_id for run in claimed if run.executor_id == self.id})
        self._heartbeats.forget_dead()

    def _free_unbegun(self, mine: Set[str]) -> None:
        """A claim whose confirmation got lost with the database's connection never begins, and
        would hold its place for as long as this process lives."""
        now, unbegun = time.monotonic(), mine - set(self._carried.values())
        since = {id_: self._not_begun.get(id_, now) for id_ in unbegun}
        late = {id_ for id_, seen in since.items() if now - seen >= self._options.begin_seconds}
        self._not_begun = {id_: seen for id_, seen in since.items() if id_ not in late}
        for id_ in late:
            # Only what is still claimed by this worker: another one may have recovered it.
            if self._dbos._sys_db.reenqueue_for_recovery(id_, [self.id], QUEUE):
                log.warning("engine.never_begun", run=id_)

    def _config(self) -> DBOSConfig:
        return DBOSConfig(
            name=APPLICATION,
            system_database_url=self._url,
            system_database_engine=self._database,
            dbos_system_schema=SCHEMA,
            application_version=APPLICATION_VERSION,
            executor_id=self.id,
            serializer=StrictJson(),
            log_level="ERROR",
            # Nothing waits for its notifications; a stop waits for the thread that looks for them.
            notification_listener_polling_interval_sec=0.1,
            notification_coalesce_sec=0.2,
            scheduler_polling_interval_sec=60.0,
        )


@contextmanager
def _claiming(self: SystemDatabase, _isolation: str | None) -> Iterator[sa.Connection]:
    """The transaction in which the engine counts the places that are free and takes some of them.

    SQLite's driver begins none before the first write: two processes would take the same place.
    """
    with self.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _register(steps: Steps, carried: dict[asyncio.Task[None], str]) -> None:
    """DBOS keeps its marks on the functions it is given: plain ones, made for this executor."""

    @DBOS.step(name="prepare", preemptible=True)
    async def prepare(session_id: str, run_number: int, last: Verdict) -> Verdict:
        waited(last)
        with _timed("prepare", session_id, run_number):
            return await steps.prepare(session_id, run_number, last)

    @DBOS.step(name="turn", preemptible=True)
    async def turn(session_id: str, run_number: int, last: Verdict) -> Verdict:
        while True:
            with _timed("turn", session_id, run_number):
                last = await steps.turn(session_id, run_number, last)
            if last["next"] != "turn":
                return last

    @DBOS.step(name="deliver", preemptible=True)
    async def deliver(session_id: str, run_number: int, last: Verdict) -> Verdict:
        with _timed("deliver", session_id, run_number):
            return await steps.deliver(session_id, run_number, last)

    following = {"turn": turn, "deliver": deliver}

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_ATTEMPTS)
    async def run(session_id: str, run_number: int, queued: Carried) -> None:
        task = asyncio.current_task()
        assert task is not None
        carried[task] = run_id(session_id, run_number)
        task.add_done_callback(lambda ended: carried.pop(ended, None))
        ids = {"session_id": session_id, "run_number": run_number}
        with resumed(queued, **ids), metrics.RUNS.track_inprogress():
            verdict = await prepare(session_id, run_number, dict(queued))
            while verdict["next"] != "end":
                verdict = await following[verdict["next"]](session_id, run_number, verdict)


def _timed(step: str, session_id: str, run_number: int) -> AbstractContextManager[object]:
    ids: dict[str, Value | None] = {
        "journeyman.session.id": session_id,
        "journeyman.run": run_number,
    }
    return measured(step, metrics.STEP, step, attributes=ids)
