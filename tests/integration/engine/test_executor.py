"""The queue and its workers, on a real database, with workers that are really killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
import sqlalchemy as sa

from journeyman.engine import tables
from journeyman.engine.executor import Executor, Options
from journeyman.engine.queue import Queue, run_id
from journeyman.store.database import Database, make_engine
from tests.conftest import EACH_DATABASE
from tests.integration.engine import worker_process
from tests.integration.engine.worker_process import OPTIONS

pytestmark = [pytest.mark.engine, EACH_DATABASE]

STORY = ["prepare s.1", "turn s.1 1", "turned s.1 1", "turn s.1 0", "turned s.1 0", "deliver s.1"]


@pytest.fixture
def sending(database: Database) -> Iterator[Queue]:
    made = Queue(database.engine)
    yield made
    made.close()


def schema_of(database: Database, table: str) -> str:
    schema = tables.schema_on(database.engine.dialect.name)
    return f"{schema}.{table}" if schema else table


@asynccontextmanager
async def worker(
    database: Database, log: Path, seconds: float = 0.01, options: Options = OPTIONS
) -> AsyncIterator[Executor]:
    executor = Executor(database.url, make_engine(database.url), options)
    await executor.start(worker_process.steps(log, seconds))
    try:
        yield executor
    finally:
        await executor.stop()


async def until(log: Path, line: str, seconds: float = 20) -> list[str]:
    async with asyncio.timeout(seconds):
        while True:
            lines = log.read_text().splitlines() if log.exists() else []
            if line in lines:
                return lines
            await asyncio.sleep(0.02)


async def test_a_queued_run_is_carried_from_step_to_step(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    async with worker(database, tmp_path / "log"):
        assert await until(tmp_path / "log", "deliver s.1") == STORY


async def test_a_transaction_that_fails_queues_nothing(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    def fail(tx: object) -> None:
        sending.enqueue(tx, "lost", 1, task_id="t", owner_id=1)  # type: ignore[arg-type]
        raise RuntimeError("after the enqueue")

    with pytest.raises(RuntimeError, match="after the enqueue"):
        await database.write(fail)
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    async with worker(database, tmp_path / "log"):
        lines = await until(tmp_path / "log", "deliver s.1")
    assert not any("lost" in line for line in lines)
    assert sending.gone([run_id("lost", 1), run_id("s", 2)]) == {"lost.1", "s.2"}


async def test_a_run_that_ended_is_gone_and_a_waiting_one_is_not(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    assert sending.gone(["s.1"]) == set()
    async with worker(database, tmp_path / "log"):
        await until(tmp_path / "log", "deliver s.1")
        async with asyncio.timeout(5):
            while not await asyncio.to_thread(sending.gone, ["s.1"]):
                await asyncio.sleep(0.02)


async def test_a_run_of_a_killed_worker_goes_on_after_its_last_finished_step(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    doomed = subprocess.Popen(
        [sys.executable, worker_process.__file__, database.url, log, "0.5"], stdout=subprocess.PIPE
    )
    try:
        await until(log, "turn s.1 0")
        doomed.send_signal(signal.SIGKILL)
    finally:
        doomed.kill()
        doomed.communicate()
    async with worker(database, log):
        lines = await until(log, "deliver s.1")
    # The interrupted turn is repeated; what was finished before it is not.
    assert lines == [*STORY[:4], *STORY[3:]]


async def test_a_busy_worker_stops_in_silence_and_another_takes_its_run_at_once(
    database: Database, sending: Queue, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    async with worker(database, log, seconds=60):
        await until(log, "turn s.1 1")
    assert capfd.readouterr().err == ""
    async with worker(database, log):
        lines = await until(log, "deliver s.1", seconds=OPTIONS.lease_seconds)
    assert lines == [*STORY[:2], *STORY[1:]]


async def test_a_journal_that_was_written_turn_by_turn_is_carried_on(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    """As the version before did: it may have died, or be replaced process by process."""
    journal = schema_of(database, "operation_outputs")

    def begun(tx: sa.Connection) -> None:
        sending.enqueue(tx, "s", 1, task_id="t", owner_id=1)
        for number, step in enumerate(("prepare", "turn", "turn"), 1):
            tx.execute(
                sa.text(
                    f"INSERT INTO {journal} (workflow_uuid, function_id, function_name, output,"
                    " serialization, retention_timestamp)"
                    " VALUES (:run, :number, :step, :output, 'journeyman_json', 0)"
                ),
                {
                    "run": run_id("s", 1),
                    "number": number,
                    "step": step,
                    "output": '{"next":"turn"}',
                },
            )

    await database.write(begun)
    (log := tmp_path / "log").touch()
    async with worker(database, log):
        lines = await until(log, "deliver s.1")
    assert lines == STORY[1:]


async def test_one_users_many_runs_do_not_keep_another_waiting(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    for number in range(12):
        await database.write(
            partial(sending.enqueue, session_id=f"a{number}", run_number=1, task_id="t", owner_id=1)
        )
    await database.write(lambda tx: sending.enqueue(tx, "b", 1, task_id="t", owner_id=2))
    async with worker(database, log, seconds=0.2):
        lines = await until(log, "prepare b.1")
        # A place is always left for somebody else: only what ran already may end before.
        before = lines[: lines.index("prepare b.1")]
        ended = sum(line.startswith("deliver a") for line in before)
        assert ended <= OPTIONS.per_user
        for number in range(12):
            await until(log, f"deliver a{number}.1")


async def test_no_more_runs_are_carried_at_once_than_all_processes_may(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    for number in range(4):
        await database.write(
            partial(
                sending.enqueue, session_id=f"a{number}", run_number=1, task_id="t", owner_id=number
            )
        )
    one = [sys.executable, worker_process.__file__, database.url, str(log), "0.1", "1"]
    with subprocess.Popen(one, stdout=subprocess.PIPE) as other:
        try:
            async with worker(
                database, log, seconds=0.1, options=replace(OPTIONS, all_processes=1)
            ):
                for number in range(4):
                    lines = await until(log, f"deliver a{number}.1")
        finally:
            other.kill()
    begun = [line.split()[1] for line in lines]
    assert len([one for one, _ in groupby(begun)]) == 4, "two were carried at once"


async def test_a_claim_that_never_begins_is_given_up(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    """Its confirmation got lost: the database says that this worker has it, and nobody has."""
    log = tmp_path / "log"
    options = replace(OPTIONS, begin_seconds=0.3)
    async with worker(database, log, seconds=0.3, options=options) as executor:

        def claim(tx: sa.Connection) -> None:
            sending.enqueue(tx, "lost", 1, task_id="t", owner_id=1)
            runs = schema_of(database, "workflow_status")
            tx.execute(
                sa.text(
                    f"UPDATE {runs} SET status = 'PENDING', executor_id = :mine, owner_xid = 'lost'"
                ),
                {"mine": executor.id},
            )

        await database.write(claim)
        await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
        await until(log, "deliver lost.1")
        lines = await until(log, "deliver s.1")
    # One that has begun is left alone, however long it takes.
    assert lines.count("prepare s.1") == lines.count("turn s.1 1") == 1


async def test_an_urgent_run_does_not_wait_for_the_places_of_others(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    for number in range(6):
        await database.write(
            partial(
                sending.enqueue, session_id=f"a{number}", run_number=1, task_id="t", owner_id=number
            )
        )
    async with worker(database, log, seconds=30.0):
        # Which users' runs get the places is the engine's choice.
        async with asyncio.timeout(20):
            while not log.exists() or log.read_text().count("turn ") < OPTIONS.concurrency:
                await asyncio.sleep(0.02)
        await database.write(
            lambda tx: sending.enqueue(tx, "b", 1, task_id="t", owner_id=1, urgent=True)
        )
        lines = await until(log, "prepare b.1")
        assert not any(line.startswith("deliver") for line in lines)
        assert sum(line.startswith("prepare a") for line in lines) == OPTIONS.concurrency


async def test_a_run_is_owned_by_the_worker_that_has_it_alone(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    async with worker(database, log, seconds=0.3) as executor:
        await until(log, "turn s.1 1")
        assert await executor.owns("s", 1)
        assert not await executor.owns("s", 2)
        await until(log, "deliver s.1")
        async with asyncio.timeout(5):
            while await executor.owns("s", 1):
                await asyncio.sleep(0.02)


async def test_the_run_of_a_worker_that_only_paused_is_carried_by_one(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    paused = subprocess.Popen(
        [sys.executable, worker_process.__file__, database.url, log, "0.5"], stdout=subprocess.PIPE
    )
    try:
        await until(log, "turn s.1 0")
        paused.send_signal(signal.SIGSTOP)
        async with worker(database, log, seconds=0.5):
            lines = await until(log, "turned s.1 0")
            paused.send_signal(signal.SIGCONT)
            lines = await until(log, "deliver s.1")
            await asyncio.sleep(1)
    finally:
        paused.kill()
        paused.communicate()
    assert (lines.count("turned s.1 1"), lines.count("deliver s.1")) == (1, 1)


async def test_ended_runs_are_forgotten_after_their_time(
    database: Database, sending: Queue, tmp_path: Path
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)  # the engine cuts an end to whole seconds
    await database.write(lambda tx: sending.enqueue(tx, "s", 1, task_id="t", owner_id=1))
    async with worker(database, tmp_path / "log"):
        await until(tmp_path / "log", "deliver s.1")
        async with asyncio.timeout(5):
            while not await asyncio.to_thread(sending.gone, ["s.1"]):
                await asyncio.sleep(0.02)
    await database.write(lambda tx: sending.enqueue(tx, "waits", 1, task_id="t", owner_id=1))
    assert sending.forget(before) == 0
    assert sending.forget(datetime.now(UTC) + timedelta(seconds=2)) == 1
    assert sending.gone(["waits.1"]) == set()
