"""A worker's steps, driven one by one: real sandbox, real forge, no queue."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from journeyman.agent.conversation import UNDONE
from journeyman.agent.verdict import CONTINUE
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import EventType
from journeyman.domain.limits import Limits
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Reason, State
from journeyman.domain.tasks import NewTask, Task
from journeyman.forge import ForgeError, NewPull, Remote
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.runner import run as runner
from journeyman.service.parked import Parked
from journeyman.service.records import StoredRecords
from journeyman.worker.loop import END, TURN
from tests.conftest import EACH_DATABASE, Clock, World, git
from tests.integration.engine.machine import (
    WRITE,
    Machine,
    count,
    create,
    find,
    log,
    patch,
    steer,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


async def resumed(world: World, task: Task) -> list[dict[str, Any]]:
    return [e.data for e in await log(world, task) if e.type is EventType.SESSION_RESUME]


@EACH_DATABASE
async def test_a_run_is_prepared_turned_and_delivered(world: World, machine: Machine) -> None:
    task = await create(world, WRITE)
    taken = await machine.run(task)
    assert (taken[0], taken[-1]) == ("prepare", "deliver")
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "+two" in await patch(world, task)
    assert not any(machine.equipment.workspaces.glob("[!.]*"))


async def test_another_machine_goes_on_with_the_same_files(
    world: World, machine: Machine, tmp_path: Path
) -> None:
    task = await create(world, WRITE)
    await machine.worker.prepare(task.session.id, 1, {})
    await machine.worker.turn(task.session.id, 1, TURN)
    other = Machine(world, tmp_path / "other")
    await other.run(task)
    await other.worker.stop()
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "+one" in (made := await patch(world, task))
    assert "+two" in made
    assert await resumed(world, task) == [{"run": 1, "attempt": 2}]
    # The first one learns of it at its next step, and leaves the session alone.
    machine.owned = False
    assert await machine.worker.turn(task.session.id, 1, TURN) == END


LOOK = "Look\n\n```sh\ncat README.md\n```\n\n```sh\necho two > two.txt\n```"


async def results(machine: Machine, task: Task, run: int = 1) -> list[str]:
    """Of the newest reply's calls, as a worker that takes the session up tells them."""
    await machine.worker.prepare(task.session.id, run, {})
    conversation = machine.worker._open[task.session.id].conversation
    return [part.model_response_str() for part in conversation._results.values()]


@pytest.mark.parametrize("paused", [False, True], ids=["restarted", "paused"])
async def test_who_goes_on_here_knows_that_nothing_was_changed(
    world: World, machine: Machine, paused: bool
) -> None:
    task = await create(world, LOOK)
    await machine.worker.prepare(task.session.id, 1, {})
    await machine.worker.turn(task.session.id, 1, TURN)
    if paused:
        await world.parts.services.sessions.pause(await world.principal("alice"), task.id)
        assert await machine.worker.turn(task.session.id, 1, TURN) == END
        await steer(world, task, "Go on")
    else:
        await machine.worker._open[task.session.id].saved()
    await machine.equip(machine.equipment)
    (told,) = await results(machine, task, 1 + paused)
    assert UNDONE not in told
    # And so for whoever is next, who reads it in the log.
    await machine.equip(machine.equipment)
    assert await results(machine, task, 1 + paused) == [told]


async def test_what_is_gone_or_not_known_is_told_as_undone(
    world: World, machine: Machine, tmp_path: Path
) -> None:
    task = await create(world, WRITE)
    await machine.worker.prepare(task.session.id, 1, {})
    run = machine.worker._open[task.session.id]
    await runner.attend(run)
    assert await runner._own_turn(run) == CONTINUE
    await machine.equip(machine.equipment)
    (told,) = await results(machine, task)
    assert told.startswith(UNDONE)
    task = await create(world, LOOK)
    await machine.worker.prepare(task.session.id, 1, {})
    await machine.worker.turn(task.session.id, 1, TURN)
    await machine.worker._open[task.session.id].saved()
    other = Machine(world, tmp_path / "other")
    (told,) = await results(other, task)
    await other.worker.stop()
    assert told.startswith(UNDONE)


async def test_a_run_holds_no_bundle_between_its_steps(world: World, machine: Machine) -> None:
    """It may have hundreds of megabytes; it is read from the store where it is needed."""
    task = await create(world, WRITE)
    verdict = await machine.work(task)
    run = machine.worker._open[task.session.id]
    assert run.checkpoint is not None
    assert run.checkpoint.bundle is None
    kept = await machine.ledger.kept(run.held.session)
    assert kept is not None
    assert kept.without_bundle == run.checkpoint
    assert kept.bundle
    del kept
    await machine.equip(machine.equipment)
    await machine.worker.prepare(task.session.id, 1, {})
    gc.collect()
    known = (one for one in gc.get_objects() if type(one) is Checkpoint)
    held = [one for one in known if one.sha == run.checkpoint.sha]
    assert held
    assert [one.bundle for one in held if one.bundle] == [], "nor one that was taken up again"
    await machine.run(task, verdict=verdict)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_the_rightful_worker_takes_its_session_back(world: World, machine: Machine) -> None:
    task = await create(world, WRITE)
    await machine.worker.prepare(task.session.id, 1, {})
    # One that was paused, and has not noticed yet that the run is not its own any more.
    await machine.ledger.take(task.session.id)
    await machine.run(task)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_a_message_before_the_end_is_worked_on(world: World, machine: Machine) -> None:
    task = await create(world, WRITE)
    session_id = task.session.id
    verdict = await machine.work(task)
    await steer(world, task, "```sh\necho three > three.txt\n```")
    assert await machine.worker.deliver(session_id, 1, verdict) == TURN
    await machine.run(task)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "+three" in await patch(world, task)


async def test_a_question_frees_the_worker_until_it_is_answered(
    world: World, machine: Machine
) -> None:
    task = await create(world, "Ask\n\n```ask\nWhich?\n```\n\n```sh\necho done > done.txt\n```")
    assert (await machine.run(task))[-1] == "turn"
    assert (await find(world, task)).session.state is State.WAITING_FOR_USER
    await steer(world, task, "The first")
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_a_paused_session_keeps_its_files_and_a_message_resumes_it(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    alice, sessions = await world.principal("alice"), world.parts.services.sessions
    await machine.worker.prepare(task.session.id, 1, {})
    await machine.worker.turn(task.session.id, 1, TURN)
    assert (await sessions.pause(alice, task.id)).session.state is State.IN_PROGRESS
    assert await machine.worker.turn(task.session.id, 1, TURN) == END
    paused = (await find(world, task)).session
    assert (paused.state, paused.state_reason) == (State.IDLE, Reason.PAUSED)
    assert "+one" in await patch(world, task)
    await steer(world, task, "Go on")
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert await resumed(world, task) == [{"run": 2, "attempt": 1}]


async def test_a_session_that_was_paused_in_the_queue_is_not_begun(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    alice = await world.principal("alice")
    paused = await world.parts.services.sessions.pause(alice, task.id)
    assert paused.session.state is State.IDLE
    assert await machine.run(task) == ["prepare"]
    resumed = await steer(world, task, "Go on")
    assert (resumed.session.state, resumed.session.run_number) == (State.QUEUED, 2)
    # The first run's place in the queue is still there.
    assert await machine.run(task, 1) == ["prepare"]
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_out_of_steps_the_session_rests_and_a_message_gives_it_as_many_again(
    world: World, machine: Machine
) -> None:
    blocks = "\n\n".join(f"```sh\necho {number} >> log.txt\n```" for number in range(7))
    task = await create(world, f"Count\n\n{blocks}", Limits(steps=5))
    await machine.run(task)
    resting = (await find(world, task)).session
    assert (resting.state, resting.state_reason) == (State.IDLE, Reason.BUDGET_EXHAUSTED)
    told = [event for event in await log(world, task) if event.data.get("source") == "limit"]
    assert [event.data["limit"] for event in told] == ["steps"]
    assert "+4" in await patch(world, task)
    await steer(world, task, "Go on")
    await machine.run(task, 2)
    await steer(world, task, "And on")
    await machine.run(task, 3)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "+6" in await patch(world, task)


@EACH_DATABASE
async def test_out_of_time_the_work_so_far_is_delivered(world: World, machine: Machine) -> None:
    prompt = "Wait\n\n```sh\necho kept > kept.txt\n```\n\n```sh\nsleep 60\n```"
    task = await create(world, prompt, Limits(minutes=0.1))
    async with asyncio.timeout(40):
        await machine.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.TIMED_OUT
    assert "0.1 minutes" in (ended.session.error or "")
    assert [type(made).__name__ for made in ended.artifacts] == ["BranchArtifact"]
    assert "+kept" in await patch(world, task)
    assert [
        event.data["limit"]
        for event in await log(world, task)
        if event.data.get("source") == "limit"
    ] == ["time"]


class Down(EmbeddedForge):
    """A forge that is there again when `up` is."""

    up = False

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        if not self.up:
            raise ForgeError("The forge does not answer.")
        return await super().remote(actor, repository)


async def test_what_cannot_be_pushed_is_parked_and_tried_again(
    world: World, machine: Machine, clock: Clock
) -> None:
    task = await create(world, "Write\n\n```sh\necho one > one.txt\n```")
    session_id = task.session.id
    verdict = await machine.work(task)
    parts = world.parts
    forge = Down(StoredRecords(parts.database), parts.config.data / "repositories")
    await machine.equip(replace(machine.equipment, forge=forge))
    assert await machine.worker.deliver(session_id, 1, verdict) == END
    parked = (await find(world, task)).session
    assert (parked.state, parked.state_reason) == (State.IDLE, Reason.PUSH_PENDING)
    clock.now = parked.updated_at
    retries = Parked(parts.database, parts.queue, parts.live, parts.changes, clock=clock)
    await retries.retry()
    assert (await find(world, task)).session.state is State.IDLE
    clock.advance(61)
    await retries.retry()
    queued = (await find(world, task)).session
    assert (queued.state, queued.run_number) == (State.QUEUED, 2)
    forge.up = True
    replies = count(await log(world, task), EventType.MESSAGE)
    await machine.run(task, 2)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED
    assert [type(made).__name__ for made in ended.artifacts] == ["BranchArtifact"]
    assert count(await log(world, task), EventType.MESSAGE) == replies


async def test_a_forge_that_stays_away_for_a_day_ends_the_session(
    world: World, machine: Machine, clock: Clock
) -> None:
    task = await create(world, WRITE)
    parts = world.parts
    forge = Down(StoredRecords(parts.database), parts.config.data / "repositories")
    await machine.equip(replace(machine.equipment, forge=forge))
    await machine.run(task)
    parked = (await find(world, task)).session
    assert (parked.state, parked.state_reason) == (State.IDLE, Reason.REPOSITORY_UNAVAILABLE)
    clock.now = parked.updated_at
    clock.advance(86_400)
    await Parked(parts.database, parts.queue, parts.live, parts.changes, clock=clock).retry()
    assert (await find(world, task)).session.state is State.FAILED


async def test_a_follow_up_goes_on_from_what_was_never_pushed(
    world: World, machine: Machine
) -> None:
    task = await create(world, "First\n\n```sh\necho one > one.txt\n```\n\n```sh\nexit 3\n```")
    await machine.run(task)
    assert (await find(world, task)).session.state is State.FAILED
    followed = await steer(world, task, "Then\n\n```sh\ncat one.txt > two.txt\n```")
    await machine.run(followed)
    ended = await find(world, task)
    assert (ended.session.number, ended.session.state) == (2, State.COMPLETED), ended.session.error
    made = await patch(world, task)
    assert "b/one.txt" in made
    assert "b/two.txt" in made


async def test_the_patch_of_a_task_spans_its_sessions(world: World, machine: Machine) -> None:
    task = await create(world, "First\n\n```sh\necho one > one.txt\n```")
    await machine.run(task)
    followed = await steer(world, task, "Then\n\n```sh\necho two > two.txt\n```")
    await machine.run(followed)
    made = await patch(world, task)
    assert "b/one.txt" in made
    assert "b/two.txt" in made


async def test_a_delivery_of_a_former_run_leaves_the_newer_one_alone(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    await machine.worker.prepare(task.session.id, 1, {})
    alice = await world.principal("alice")
    await world.parts.services.sessions.pause(alice, task.id)
    assert await machine.worker.turn(task.session.id, 1, TURN) == END
    await steer(world, task, "Go on")
    late = {"next": "deliver", "outcome": {"state": "failed", "reason": None, "message": "Late"}}
    assert await machine.worker.deliver(task.session.id, 1, late) == END
    assert (await find(world, task)).session.state is State.QUEUED
    await machine.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED


async def test_a_pull_request_of_somebody_else_keeps_its_words_and_gets_a_section(
    world: World, machine: Machine, tmp_path: Path
) -> None:
    forge, records = world.parts.embedded, StoredRecords(world.parts.database)
    alice = await world.principal("alice")
    bare = forge.path(world.repository.id)
    git("branch", "feature", "main", cwd=bare)
    new = NewPull("Mine", "My own words.", "feature", "main", draft=False)
    mine = await records.add_pull(world.repository.id, alice.account.id, new)
    asked = NewTask(WRITE, head_ref="feature", base_ref="main", create_pull_request=True)
    task = await world.parts.services.tasks.create(alice, await world.access("alice"), asked)
    await machine.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED
    assert [type(made).__name__ for made in ended.artifacts] == ["BranchArtifact", "PullArtifact"]
    found = await records.find_open_pull(world.repository.id, "feature", "main")
    assert found is not None
    assert (found.title, found.draft, found.number) == ("Mine", False, mine.number)
    words, section = found.body.split("\n\n", 1)
    assert words == "My own words."
    assert section.startswith(f"<!-- journeyman {task.id} -->")
    assert section.endswith("<!-- /journeyman -->")
