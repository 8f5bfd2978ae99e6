"""What a session says, and what it leaves behind, when something of this host is broken."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.contextvars import clear_contextvars, merge_contextvars
from structlog.testing import capture_logs

from journeyman.domain.events import EventType
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Reason, State
from journeyman.domain.tasks import Task
from journeyman.runner.outcome import CANCELLED
from journeyman.sandbox import (
    Provision,
    Sandbox,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.container import recipe
from journeyman.sandbox.container.backend import Containers, Options
from journeyman.sandbox.container.engine import Engine
from journeyman.worker.loop import END, TURN, deliver_next
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, find, log, patch
from tests.integration.sandbox.requirement import require_root

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

WRITE = "Write\n\n```sh\necho one > one.txt\n```"


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """*folder* is on a disk of its own."""
    require_root()
    folder.mkdir(parents=True, exist_ok=True)
    options = ("-o", f"size={size},mode=0755")
    subprocess.run(["mount", "-n", "-t", "tmpfs", *options, "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """*folder* is on a disk without room."""
    with disk(folder, "64k"):
        (folder / "filler").write_bytes(b"x" * (60 << 10))
        yield


def fill(folder: Path) -> None:
    """To the last block."""
    with suppress(OSError), open(folder / "filler", "wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


async def said(world: World, machine: Machine, prompt: str = WRITE) -> tuple[Task, str]:
    """The task after its run, and its error."""
    task = await create(world, prompt)
    await machine.run(task)
    found = await find(world, task)
    return found, found.session.error or ""


def held(folder: Path) -> list[str]:
    if not folder.exists():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name != "filler")


@pytest.mark.root
async def test_no_room_for_the_workspace(world: World, machine: Machine) -> None:
    workspaces = machine.equipment.workspaces
    with full(workspaces):
        task, error = await said(world, machine)
        assert (task.session.state, task.session.state_reason) == (
            State.FAILED,
            Reason.SANDBOX_UNAVAILABLE,
        )
        assert "No space left on device" in error
        assert held(workspaces) == []


@pytest.mark.root
async def test_a_session_that_writes_nothing_ends_well_on_a_full_disk(
    world: World, machine: Machine
) -> None:
    workspaces = machine.equipment.workspaces
    with disk(workspaces, "64m"):
        task = await create(world, "Look\n\n```sh\nls\n```\n\n```sh\nls\n```")
        await machine.worker.prepare(task.session.id, 1, {})
        fill(workspaces)
        await machine.run(task, verdict=TURN)
        found = await find(world, task)
        assert (found.session.state, found.session.error) == (State.COMPLETED, None)
        assert held(workspaces) == []


class Remembering(Bubblewrap):
    box: Sandbox

    async def start(self, spec: SandboxSpec) -> Sandbox:
        self.box = await super().start(spec)
        return self.box


async def test_no_sandbox_is_left_when_a_note_of_a_former_run_cannot_be_removed(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    sandboxes = Remembering()
    await machine.equip(replace(machine.equipment, sandboxes=sandboxes))
    (machine.equipment.workspace(task.session.id) / "unchanged-0").mkdir(parents=True)
    verdict = await machine.worker.prepare(task.session.id, 1, {})
    assert verdict["next"] == "deliver"
    with pytest.raises(SandboxLost):
        await sandboxes.box.exec(["true"])


@pytest.mark.root
async def test_no_room_for_the_mirror(world: World, machine: Machine) -> None:
    mirrors = machine.equipment.mirrors.path(1).parent
    with full(mirrors):
        task, _ = await said(world, machine)
        assert task.session.state_reason is Reason.REPOSITORY_UNAVAILABLE
        assert any("No space left on device" in repr(event) for event in await log(world, task))
        assert [name for name in held(mirrors) if not name.endswith(".lock")] == []
    again, error = await said(world, machine)
    assert (again.session.state, error) == (State.COMPLETED, "")


async def test_the_repository_is_gone(world: World, machine: Machine) -> None:
    task = await create(world, WRITE)
    shutil.rmtree(world.parts.embedded.path(task.repository.id))
    await machine.run(task)
    found = await find(world, task)
    assert found.session.state is State.FAILED
    assert found.session.state_reason in (Reason.REPOSITORY_UNAVAILABLE, Reason.BASE_REF_NOT_FOUND)
    assert found.session.error


async def test_a_broken_mirror_is_made_again(world: World, machine: Machine) -> None:
    await said(world, machine)
    for mirror in machine.equipment.mirrors.path(1).parent.glob("[0-9]*.git"):
        for pack in (*mirror.glob("objects/pack/*.pack"), *mirror.glob("objects/??/*")):
            pack.chmod(0o644)
            pack.write_bytes(b"broken")
    task, error = await said(world, machine, WRITE.replace("one", "two"))
    assert (task.session.state, error) == (State.COMPLETED, "")
    (begun,) = [one for one in await log(world, task) if one.type is EventType.SESSION_START]
    limits = {"memory", "pids", "cpu", "disk", "open_files", "network"}
    assert set(begun.data["sandbox"]) == limits  # what `doctor` says of this host


async def test_a_mirror_that_proves_broken_in_use_is_made_again(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    actor = (await world.principal("alice")).actor
    remote = await machine.equipment.forge.remote(actor, task.repository)
    mirror = await machine.equipment.mirrors.refresh(task.repository.id, remote)
    (pack,) = mirror.glob("objects/pack/*.pack")
    whole = pack.read_bytes()
    pack.chmod(0o644)
    # A file's content is last, before the checksum; nobody looks at it before it is checked out.
    pack.write_bytes(whole[:-28] + b"x" * 8 + whole[-20:])
    await machine.run(task)
    found = await find(world, task)
    assert (found.session.state, found.session.error) == (State.COMPLETED, None)


@pytest.mark.parametrize("by_its_agent", [False, True])
async def test_what_was_done_under_a_mirror_that_broke_is_kept(
    world: World, machine: Machine, by_its_agent: bool
) -> None:
    take_away = "find .git/objects -type f -delete; rm -f .git/objects/info/alternates"
    prompt = f"{WRITE}\n\n```sh\n{take_away if by_its_agent else 'true'}\n```"
    # The first has the mirror mended; the second still runs on the one that was replaced.
    tasks = [await create(world, prompt) for _ in range(1 if by_its_agent else 2)]
    for task in tasks:
        await machine.worker.prepare(task.session.id, 1, {})
    mirror = machine.equipment.mirrors.path(tasks[0].repository.id)
    before = mirror.stat().st_ino
    if not by_its_agent:
        break_packs(mirror)
    for task in tasks:
        await machine.run(task, verdict=TURN)
        found = await find(world, task)
        assert (mirror.stat().st_ino == before) is by_its_agent
        if by_its_agent:
            assert found.session.state_reason is Reason.WORKSPACE_NOT_SAVED
            assert "Not committed: Git inside failed" in repr(await log(world, task))
        else:
            assert (found.session.state, found.session.error) == (State.COMPLETED, None)
            assert "+one" in await patch(world, task)
    assert len(list(mirror.parent.glob(".retired-*"))) == (0 if by_its_agent else 1)


class Exhausted(Remembering):
    """Has room for one sandbox."""

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if hasattr(self, "box"):
            raise SandboxUnavailable("No room for another.")
        return await super().start(spec)


async def test_a_session_rests_also_when_there_is_no_other_sandbox_to_save_it_in(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    await machine.equip(replace(machine.equipment, sandboxes=Exhausted()))
    await machine.worker.prepare(task.session.id, 1, {})
    break_packs(machine.equipment.mirrors.path(task.repository.id))
    await machine.worker.turn(task.session.id, 1, TURN)
    await world.parts.services.sessions.pause(await world.principal("alice"), task.id)
    assert await machine.worker.turn(task.session.id, 1, TURN) == END
    found = await find(world, task)
    assert (found.session.state, found.session.state_reason) == (State.IDLE, Reason.PAUSED)
    assert "not saved this time" in repr(await log(world, task))


async def test_who_cancels_does_not_wait_for_a_mirror(world: World, machine: Machine) -> None:
    task = await create(world, WRITE)
    await machine.worker.prepare(task.session.id, 1, {})
    mirror = machine.equipment.mirrors.path(task.repository.id)
    before = mirror.stat().st_ino
    break_packs(mirror)
    await machine.worker.turn(task.session.id, 1, TURN)
    await machine.run(task, verdict=deliver_next(CANCELLED))
    assert (await find(world, task)).session.state is State.CANCELLED
    assert "not saved this time" in repr(await log(world, task))
    assert mirror.stat().st_ino == before


def break_packs(mirror: Path) -> None:
    for pack in mirror.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"broken")


async def test_a_bug_is_found_in_the_log_by_what_the_task_says(
    world: World, machine: Machine
) -> None:
    async def provision(_repository: Repository) -> Provision:
        raise ZeroDivisionError("a bug")

    await machine.equip(replace(machine.equipment, provision=provision))
    asked = await create(world, WRITE)
    clear_contextvars()  # a worker has not made the task
    with capture_logs(processors=[merge_contextvars]) as told:
        await machine.run(asked)
    task = await find(world, asked)
    error = task.session.error or ""
    assert (task.session.state, task.session.state_reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert "a bug" not in error
    assert "run.failed with this task's id" in error
    (failed,) = [line for line in told if line["event"] == "run.failed"]
    assert (failed["task_id"], failed["session_id"]) == (task.id, task.session.id)


async def test_the_engine_is_gone(world: World, machine: Machine, tmp_path: Path) -> None:
    require_root()
    away = Containers(Options("docker", str(tmp_path / "no.sock")))
    await machine.equip(replace(machine.equipment, sandboxes=away))
    task, error = await said(world, machine)
    assert task.session.state_reason is Reason.SANDBOX_UNAVAILABLE
    assert "docker" in error
    assert "no.sock" in error
    assert held(machine.equipment.workspaces) == []


@pytest.mark.containers
@pytest.mark.parametrize("engine", ["docker", "podman"])
async def test_the_image_is_not_there(
    world: World, machine: Machine, engine: str, request: pytest.FixtureRequest
) -> None:
    socket: Path = request.getfixturevalue(engine)

    async def given(_repository: Repository) -> Provision:
        return Provision(image="localhost/none:1")

    options = Options("podman" if engine == "podman" else "docker", str(socket))
    containers = Containers(options)
    await machine.equip(replace(machine.equipment, sandboxes=containers, provision=given))
    task, error = await said(world, machine)
    assert task.session.state_reason is Reason.SANDBOX_UNAVAILABLE
    assert "no image 'localhost/none:1'" in error
    assert f"{engine} pull localhost/none:1" in error
    assert await Engine(engine, socket).labelled(recipe.SESSION) == {}
    assert held(machine.equipment.workspaces) == []
