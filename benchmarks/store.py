"""The store: fills it with ended tasks, and measures how fast a worker's events are appended."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, select

from benchmarks.report import Row, milliseconds
from journeyman.api.payloads import Payloads
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.repositories import Account, Repository
from journeyman.domain.sessions import Session, State
from journeyman.domain.tasks import NewTask, Task, branch_for
from journeyman.service.changes import Changes
from journeyman.service.ledger import Ledger
from journeyman.service.live import Live
from journeyman.service.outbox import Outbox
from journeyman.store import accounts, sessions, tables, task_counts, tasks
from journeyman.store.database import Database, sqlite_url

TASKS = 100_000
BATCH = 5_000
APPEND_SECONDS = 3.0
OUTPUT = "a line of a command's output\n" * 10


async def fill(data: Path, owner: str, name: str, login: str, *, count: int = TASKS) -> None:
    """Ended tasks of one user in one repository, a minute apart: each like the first."""
    database = Database(sqlite_url(data))

    def fill(tx: Connection) -> None:
        repository = accounts.find_repository(tx, owner, name)
        account = accounts.find_account(tx, login)
        assert repository is not None
        assert account is not None
        first = _task(repository, account, datetime.now(UTC).replace(microsecond=0), 0)
        tasks.add_task(tx, first)
        sessions.add_session(tx, first.session)
        for made in (BranchArtifact(first.session.head_ref, "main"), PullArtifact(1, 1)):
            tasks.add_artifact(tx, first.id, made)
        _multiply(tx, first, count)

    await database.write(fill)
    database.close()


def _multiply(tx: Connection, first: Task, count: int) -> None:
    task, session = (
        dict(tx.execute(select(table).where(table.c.id == id_)).one()._mapping)
        for table, id_ in ((tables.task, first.id), (tables.session, first.session.id))
    )
    artifacts = [
        {"type": row.type, "key": row.key, "data": row.data}
        for row in tx.execute(select(tables.artifact).where(tables.artifact.c.task_id == first.id))
    ]
    task_counts.change(tx, first.repository.id, first.creator_id, active=count - 1)
    for start in range(1, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        ids = [(str(uuid.uuid4()), str(uuid.uuid4())) for _ in numbers]
        at = [first.created_at - timedelta(minutes=number) for number in numbers]
        times = [{"created_at": one, "updated_at": one} for one in at]
        tx.execute(
            tables.task.insert(),
            [
                {**task, **when, "id": id_, "session_id": session_id}
                for (id_, session_id), when in zip(ids, times, strict=True)
            ],
        )
        tx.execute(
            tables.session.insert(),
            [
                {**session, **when, "id": session_id, "task_id": id_}
                for (id_, session_id), when in zip(ids, times, strict=True)
            ],
        )
        tx.execute(
            tables.artifact.insert(),
            [{**artifact, "task_id": id_} for id_, _ in ids for artifact in artifacts],
        )


def newest(tx: Connection) -> str:
    """The id of the task that was changed last."""
    last = select(tables.task.c.id).order_by(tables.task.c.updated_at.desc()).limit(1)
    return str(tx.execute(last).scalar_one())


async def measure_appends(url: str, owner: str, name: str, kind: str) -> Row:
    """One event per transaction, as a worker appends the result of a tool, on a *kind* of
    database."""
    database = Database(url)
    ledger = Ledger(database, Live(), Changes(Outbox(Payloads("http://127.0.0.1"))))

    def add(tx: Connection) -> Task:
        repository = accounts.find_repository(tx, owner, name)
        account = accounts.find_account(tx, owner)
        assert repository is not None
        assert account is not None
        ended = _task(repository, account, datetime.now(UTC), TASKS)
        session = replace(ended.session, state=State.IN_PROGRESS, completed_at=None)
        task = replace(ended, session=session)
        tasks.add_task(tx, task)
        sessions.add_session(tx, session)
        return task

    task = await database.write(add)
    held = (await ledger.take(task.session.id)).session
    entry = NewEvent(EventType.TOOL_COMPLETE, {"toolCallId": "1", "result": {"content": OUTPUT}})
    took: list[float] = []
    started = before = time.monotonic()
    while before - started < APPEND_SECONDS:
        await ledger.append(held, [entry])
        after = time.monotonic()
        took.append(after - before)
        before = after
    await ledger.finish(held, State.CANCELLED)
    database.close()
    result = f"{len(took) / APPEND_SECONDS:,.0f} / s  {milliseconds(took, 50, 99)}"
    return Row(f"events appended, {kind}", result, "one per transaction, one session")


def _task(repository: Repository, account: Account, at: datetime, number: int) -> Task:
    session_id, task_id = str(uuid.uuid4()), str(uuid.uuid4())
    new = NewTask(prompt=f"Task {number}: do something small and say what was done.")
    session = Session(
        id=session_id,
        task_id=task_id,
        repository_id=repository.id,
        number=1,
        user_id=account.id,
        state=State.COMPLETED,
        state_reason=None,
        prompt=new.prompt,
        model=None,
        custom_agent=None,
        create_pull_request=False,
        base_ref="main",
        base_sha=None,
        head_ref=branch_for(new.prompt, session_id),
        on_existing_branch=False,
        error=None,
        usage_nano_credits=None,
        run_number=1,
        fence=0,
        last_seq=0,
        created_at=at,
        updated_at=at,
        completed_at=at,
    )
    return Task(
        id=task_id,
        repository=repository,
        creator_id=account.id,
        name=new.prompt,
        custom_agent=None,
        session=session,
        session_count=1,
        artifacts=(),
        version=1,
        created_at=at,
        updated_at=at,
        archived_at=None,
    )
