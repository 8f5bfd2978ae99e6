"""Putting runs into the queue, in the caller's own transaction. Used by processes that run
nothing, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions

from journeyman.domain.errors import DatabaseLost
from journeyman.engine.serializer import StrictJson
from journeyman.telemetry.carried import carry

APPLICATION = "journeyman"
QUEUE, URGENT = "runs", "urgent"
"""Each with places of its own: what is urgent waits for nothing else."""
SCHEMA = "dbos"
WORKFLOW = "run"
WAITING = ("ENQUEUED", "DELAYED", "PENDING")
"""The engine's states of a run that is still to be carried to its end."""
BATCH = 200
PRIORITY = 100
"""Lower goes first, within one user's runs."""


def run_id(session_id: str, run_number: int) -> str:
    return f"{session_id}.{run_number}"


def migrate(url: str) -> None:
    """Make or update the engine's own tables, so that a process that runs nothing can queue."""
    DBOS.migrate(url, schema=SCHEMA)


def client_of(database: sa.Engine) -> DBOSClient:
    """Of the engine, in a process that may not run it."""
    return DBOSClient(
        system_database_engine=database,
        dbos_system_schema=SCHEMA,
        serializer=StrictJson(),
        application_name=APPLICATION,
    )


class Queue:
    """The sending side of the queue."""

    def __init__(self, database: sa.Engine) -> None:
        self._client = client_of(database)

    def enqueue(
        self,
        tx: sa.Connection,
        session_id: str,
        run_number: int,
        *,
        task_id: str,
        owner_id: int,
        urgent: bool = False,
    ) -> None:
        """Queue one run; it exists when *tx* is committed. *owner_id* is whose turn it is to be
        fair to. The trace, the request and the task that lead here go along, for the log."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": URGENT if urgent else QUEUE,
            "workflow_id": run_id(session_id, run_number),
            "workflow_id_reuse_policy": "reject",
            "queue_partition_key": str(owner_id),
            "priority": PRIORITY,
        }
        self._client.enqueue_in_transaction(tx, options, session_id, run_number, carry(task_id))

    def gone(self, run_ids: Sequence[str]) -> set[str]:
        """Those of *run_ids* that will never be worked on again, because they have ended or were
        given up. Raises DatabaseLost."""
        if not run_ids:
            return set()
        try:
            found = self._client.list_workflows(
                workflow_ids=list(run_ids), load_input=False, load_output=False
            )
        except sa.exc.DBAPIError as error:
            raise DatabaseLost(type(error.orig).__name__) from error
        waiting = {run.workflow_id for run in found if run.status in WAITING}
        return set(run_ids) - waiting

    def running(self) -> Counter[str]:
        """How many runs each executor has claimed. Raises DatabaseLost."""
        try:
            claimed = self._client.list_workflows(
                status="PENDING", load_input=False, load_output=False
            )
        except sa.exc.DBAPIError as error:
            raise DatabaseLost(type(error.orig).__name__) from error
        return Counter(run.executor_id for run in claimed if run.executor_id)

    def forget(self, before: datetime) -> int:
        """Delete what is known of runs that ended *before*: nobody asks for them. How many."""
        deleted = 0
        while True:
            ended = self._client.list_workflows(
                completed_before=before.isoformat(),
                limit=BATCH,
                load_input=False,
                load_output=False,
            )
            if not ended:
                return deleted
            self._client.delete_workflows([run.workflow_id for run in ended])
            deleted += len(ended)

    def close(self) -> None:
        self._client.destroy()
