"""Cancels that come at a bad moment, and rests with a workspace that cannot be saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from journeyman.agent.loop import CUT_OFF
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.events import EventType
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Pull, Repository
from journeyman.domain.sessions import Reason, State
from journeyman.domain.tasks import NewTask, Task
from journeyman.forge import NewPull, Remote
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.service.records import StoredRecords
from journeyman.worker import loop
from journeyman.worker.loop import END, TURN
from tests.conftest import World
from tests.integration.engine.machine import Machine, count, create, find, log, patch, steer, until

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

KEEP = "Keep\n\n```sh\necho kept > kept.txt\n```"
BREAK = "Break\n\n```sh\necho lost > lost.txt; rm -rf .git\n```"


async def test_cancelling_stops_the_command_and_keeps_the_work(
    world: World, machine: Machine
) -> None:
    task = await create(world, "Slow\n\n```sh\necho kept > kept.txt\n```\n\n```sh\nsleep 60\n```")
    running = asyncio.ensure_future(machine.run(task))

    async def busy() -> bool:
        return count(await log(world, task), EventType.TOOL_START) == 2

    await until(busy)
    alice = await world.principal("alice")
    async with asyncio.timeout(15):
        ended = await world.parts.services.sessions.cancel(alice, task.id)
        await running
    assert ended.session.state is State.CANCELLED
    assert "+kept" in await patch(world, task)


async def test_what_was_saved_outlives_a_sandbox_that_is_lost(
    world: World, machine: Machine
) -> None:
    task = await create(world, f"{KEEP}\n\n```sh\nsleep 60\n```")
    running = asyncio.ensure_future(machine.run(task))

    async def busy() -> bool:
        return count(await log(world, task), EventType.TOOL_START) == 2

    await until(busy)
    await machine.worker._open[task.session.id].box.close()
    async with asyncio.timeout(20):
        await running
    ended = (await find(world, task)).session
    assert (ended.state, ended.state_reason) == (State.FAILED, Reason.SANDBOX_LOST)
    assert "in the patch" in (ended.error or "")
    assert "+kept" in await patch(world, task)


class Silent(EmbeddedForge):
    """A forge whose git takes every connection and says nothing, once `address` is given."""

    address: str | None = None

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        usual = await super().remote(actor, repository)
        return usual if self.address is None else replace(usual, url=self.address)


@dataclass
class Silence:
    url: str
    heard: asyncio.Event


@pytest.fixture
async def silence() -> AsyncIterator[Silence]:
    heard, over = asyncio.Event(), asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1")
    host, port = server.sockets[0].getsockname()
    yield Silence(f"http://{host}:{port}/hello.git", heard)
    over.set()
    server.close()
    await server.wait_closed()


async def cancelled(world: World, task: Task, delivering: asyncio.Task[list[str]]) -> Task:
    """The task once the cancel, sent while *delivering*, has been answered."""
    alice = await world.principal("alice")
    assert not delivering.done()
    ended = await world.parts.services.sessions.cancel(alice, task.id)
    await delivering
    return ended


async def test_a_cancel_does_not_wait_for_a_forge_that_hangs(
    world: World, machine: Machine, silence: Silence
) -> None:
    task = await create(world, KEEP)
    parts = world.parts
    forge = Silent(StoredRecords(parts.database), parts.config.data / "repositories")
    await machine.equip(replace(machine.equipment, forge=forge))
    verdict = await machine.work(task)
    forge.address = silence.url
    delivering = asyncio.ensure_future(machine.run(task, verdict=verdict))
    async with asyncio.timeout(20):
        await silence.heard.wait()
    ended = await cancelled(world, task, delivering)
    assert ended.session.state is State.CANCELLED
    assert "+kept" in await patch(world, task)
    assert not any(machine.equipment.workspaces.glob("[!.]*"))


class Stuck(EmbeddedForge):
    """A forge that opens the pull request and never says so."""

    opened = False

    async def open_pull(self, actor: Actor, repository: Repository, new: NewPull) -> Pull:
        await super().open_pull(actor, repository, new)
        self.opened = True
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_what_is_on_the_forge_after_a_cancel_is_told(world: World, machine: Machine) -> None:
    alice, access = await world.principal("alice"), await world.access("alice")
    asked = NewTask(KEEP, create_pull_request=True)
    task = await world.parts.services.tasks.create(alice, access, asked)
    parts = world.parts
    forge = Stuck(StoredRecords(parts.database), parts.config.data / "repositories")
    await machine.equip(replace(machine.equipment, forge=forge))
    delivering = asyncio.ensure_future(machine.run(task))

    async def opening() -> bool:
        return forge.opened

    await until(opening)
    ended = await cancelled(world, task, delivering)
    assert ended.session.state is State.CANCELLED
    assert [type(made) for made in ended.artifacts] == [BranchArtifact, PullArtifact]
    assert count(await log(world, task), EventType.ARTIFACT) == 2


async def test_a_question_is_asked_also_when_the_files_cannot_be_saved(
    world: World, machine: Machine
) -> None:
    task = await create(world, f"{BREAK}\n\n```ask\nWhich?\n```")
    await machine.run(task)
    resting = await find(world, task)
    assert resting.session.state is State.WAITING_FOR_USER, resting.session.error
    assert await told_unsaved(world, task)
    await steer(world, task, "The first")
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_a_pause_holds_also_when_the_files_cannot_be_saved(
    world: World, machine: Machine
) -> None:
    task = await create(world, BREAK)
    await machine.worker.prepare(task.session.id, 1, {})
    await machine.worker.turn(task.session.id, 1, TURN)
    await world.parts.services.sessions.pause(await world.principal("alice"), task.id)
    assert await machine.worker.turn(task.session.id, 1, TURN) == END
    resting = (await find(world, task)).session
    assert (resting.state, resting.state_reason) == (State.IDLE, Reason.PAUSED)
    assert await told_unsaved(world, task)


async def test_a_pause_does_not_wait_for_a_long_command(world: World, machine: Machine) -> None:
    await machine.equip(machine.equipment, pause_seconds=0.2)
    task = await create(
        world, f"{KEEP}\n\n```sh\n[ -e half.txt ] || {{ echo half > half.txt; sleep 60; }}\n```"
    )
    running = asyncio.ensure_future(machine.run(task))

    async def busy() -> bool:
        return count(await log(world, task), EventType.TOOL_START) == 2

    await until(busy)
    await world.parts.services.sessions.pause(await world.principal("alice"), task.id)
    async with asyncio.timeout(20):
        assert (await running)[-1] == "turn"
    resting = (await find(world, task)).session
    assert (resting.state, resting.state_reason) == (State.IDLE, Reason.PAUSED)
    assert "+half" in await patch(world, task)
    told = [event for event in await log(world, task) if event.type is EventType.SESSION_INFO]
    assert [event.data["message"] for event in told] == [loop.PAUSED]

    await steer(world, task, "Go on.")
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED
    errors = [event.data.get("error") for event in await log(world, task)]
    assert [error["message"] for error in errors if error] == [CUT_OFF]


async def told_unsaved(world: World, task: Task) -> bool:
    told = [event for event in await log(world, task) if event.type is EventType.SESSION_INFO]
    return any("not saved" in event.data["message"] for event in told)
