"""A worker that dies anywhere on its way: another one ends its task as if nothing had happened."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from journeyman.config import Config
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.events import EventType
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask, Task
from journeyman.engine.executor import Executor
from journeyman.engine.queue import run_id
from journeyman.store.database import make_engine
from journeyman.worker.loop import Worker
from tests.conftest import World, git
from tests.integration.engine import doomed
from tests.integration.engine.machine import count, equip, find, log, until
from tests.integration.engine.worker_process import OPTIONS

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

PROMPT = "Count\n\n```sh\necho one >> log.txt\n```\n\n```sh\necho two >> log.txt\n```"
STATIONS = (
    "ledger.take",
    "forge.find_tip",
    "mirrors.refresh",
    "sandboxes.start",
    "box.exec:checkout",
    "ledger.begin",
    "worker.prepare",
    "ledger.drain",
    "ledger.append:assistant.turn_start",
    "model.reply",
    "ledger.append:assistant.message",
    "box.exec",
    "ledger.append:tool.execution_complete",
    "box.export:snapshot",
    "ledger.save",
    "worker.turn",
    "box.export:snapshot#2",
    "ledger.save#2",
    "box.exec:commit",
    "publisher.deliver",
    "ledger.add_artifact",
    "forge.open_pull",
    "ledger.add_artifact#2",
    "ledger.append:checks.completed",
    "box.kill_all",
    "box.close",
    "publisher.deliver#2",
    "forge.update_pull",
    "ledger.finish",
    "sandboxes.remove",
    "worker.deliver",
)
"""In the order of the walk. A call that only reads is between two of these."""
IN_THE_DATABASE = (
    "ledger.take",
    "ledger.append:assistant.message",
    "ledger.save",
    "ledger.add_artifact",
    "ledger.finish",
    "worker.turn",
)


@dataclass
class Hell:
    """Makes workers that die."""

    process: subprocess.Popen[str]

    async def kill(self, station: str, when: str, config: Config, task: Task) -> int:
        """The exit code of a worker that took the task and was to die at *station*."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        where = f"{config.data} {config.database.url}"
        self.process.stdin.write(f"{station} {when} {task.session.id} {where}\n")
        self.process.stdin.flush()
        return int(await asyncio.to_thread(self.process.stdout.readline))


@pytest.fixture(scope="module")
def hell() -> Iterator[Hell]:
    with subprocess.Popen(
        [sys.executable, "-m", doomed.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Hell(process)
        assert process.stdin is not None
        process.stdin.close()


@asynccontextmanager
async def another_worker(world: World) -> AsyncIterator[None]:
    """On the same machine: it finds what the dead one has left."""
    config = world.parts.config
    executor = Executor(config.database.url, make_engine(config.database.url), OPTIONS)
    equipment = equip(world.parts, config.data)
    worker = Worker(equipment.ledger, equipment, executor.owns)  # type: ignore[arg-type]
    worker.start()
    await executor.start(worker.steps())
    try:
        yield
    finally:
        await executor.stop()
        await worker.stop()


async def dies(world: World, hell: Hell, station: str, when: str) -> None:
    alice, access = await world.principal("alice"), await world.access("alice")
    asked = NewTask(PROMPT, create_pull_request=True)
    task = await world.parts.services.tasks.create(alice, access, asked)
    died = await hell.kill(station, when, world.parts.config, task)
    assert died == doomed.DEAD, f"{station} was never reached"

    async def carried_out() -> bool:
        return bool(await asyncio.to_thread(world.parts.queue.gone, [run_id(task.session.id, 1)]))

    async with another_worker(world):
        await until(carried_out)
    await check(world, await find(world, task), f"{when} {station}")


async def check(world: World, task: Task, where: str) -> None:
    """It is done, once, and nothing is left."""
    events = await log(world, task)
    assert task.session.state is State.COMPLETED, (where, task.session.error)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    results = [e.data["toolCallId"] for e in events if e.type is EventType.TOOL_COMPLETE]
    assert len(results) == len(set(results)), where
    assert [type(made) for made in task.artifacts] == [BranchArtifact, PullArtifact], where
    assert count(events, EventType.ARTIFACT) == 2
    bare = world.parts.embedded.path(world.repository.id)
    assert git("show", f"{task.session.head_ref}:log.txt", cwd=bare) == "one\ntwo\n", where
    workspaces = world.parts.config.data / "workspaces"
    assert not any(workspaces.glob("[!.]*")), where

    async def no_process() -> bool:
        found = await asyncio.create_subprocess_exec(
            "pgrep", "-f", str(workspaces), stdout=asyncio.subprocess.DEVNULL
        )
        return await found.wait() == 1

    await until(no_process)


@pytest.mark.parametrize("station", STATIONS)
async def test_a_worker_that_dies_before_or_after(world: World, hell: Hell, station: str) -> None:
    for when in ("before", "after"):
        await dies(world, hell, station, when)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("station", IN_THE_DATABASE)
async def test_a_worker_on_postgresql_that_dies_before_or_after(
    world: World, hell: Hell, station: str
) -> None:
    for when in ("before", "after"):
        await dies(world, hell, station, when)
