"""Making tasks: whole, once, and only where it can work."""

from __future__ import annotations

import asyncio

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.queries import TaskQuery
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask, Task
from journeyman.engine.queue import run_id
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.work import bring, create, find, ledger

pytestmark = EACH_DATABASE


async def make(world: World, new: NewTask, key: str | None = None, login: str = "alice") -> Task:
    return await world.parts.services.tasks.create(
        await world.principal(login), await world.access(login), new, idempotency_key=key
    )


async def test_a_task_is_made_with_its_session_its_prompt_and_its_run(world: World) -> None:
    task = await create(world, "# Fix the *bug*\n\nPlease.")
    assert (task.name, task.session.state, task.session.base_ref) == (
        "Fix the *bug*",
        State.QUEUED,
        "main",
    )
    assert await find(world, task.id) == task
    assert world.parts.queue.gone([run_id(task.session.id, 1)]) == set()
    held = await ledger(world).take(task.session.id)
    (message,) = await ledger(world).drain(held.session)
    assert message.data["content"] == "# Fix the *bug*\n\nPlease."


async def test_a_key_makes_one_task_however_often_and_at_once_it_is_used(world: World) -> None:
    made = await asyncio.gather(*(make(world, NewTask("Fix it"), "key") for _ in range(5)))
    assert len({task.id for task in made}) == 1
    assert await make(world, NewTask("Fix it"), "key") == made[0]


async def test_a_key_is_not_for_another_request(world: World) -> None:
    await make(world, NewTask("Fix it"), "key")
    with pytest.raises(AppError) as refused:
        await make(world, NewTask("Break it"), "key")
    assert refused.value.code is Code.INVALID


async def test_a_key_is_its_users_own(world: World) -> None:
    one = await make(world, NewTask("Fix it"), "key")
    other = await make(world, NewTask("Fix it"), "key", login="bob")
    assert one.id != other.id


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewTask("Fix it", model="no-such-model"), "model"),
        (NewTask("Fix it", base_ref="no-such-branch"), "base_ref"),
        (NewTask("Fix it", base_ref="main", head_ref="refs/heads/main"), "head_ref"),
        (NewTask("Fix it", head_ref="bad..name"), "head_ref"),
        (NewTask("Fix it", head_ref="HEAD"), "head_ref"),
    ],
)
async def test_what_cannot_work_is_refused_by_its_field(
    world: World, new: NewTask, field: str
) -> None:
    with pytest.raises(AppError) as refused:
        await make(world, new)
    assert [error.field for error in refused.value.fields] == [field]


async def test_the_queue_says_how_far_a_task_is(world: World) -> None:
    tasks = [await create(world, f"Task {number}") for number in range(3)]
    await bring(world, tasks[0], State.IN_PROGRESS)
    alice = await world.principal("alice")
    details = [await world.parts.services.tasks.get(alice, task.id) for task in tasks]
    assert [detail.queue_position for detail in details] == [None, 1, 2]


async def test_only_a_task_that_has_ended_is_archived(world: World) -> None:
    task = await create(world)
    alice, tasks = await world.principal("alice"), world.parts.services.tasks
    with pytest.raises(AppError) as refused:
        await tasks.archive(alice, task.id, True)
    assert refused.value.code is Code.CONFLICT
    await bring(world, task, State.COMPLETED)
    assert (await tasks.archive(alice, task.id, True)).archived_at is not None
    assert (await tasks.archive(alice, task.id, False)).archived_at is None


async def test_the_version_grows_with_what_a_reader_can_see(world: World) -> None:
    task = await create(world)
    alice, tasks = await world.principal("alice"), world.parts.services.tasks
    seen = [await tasks.version(alice, task.id)]
    await bring(world, task, State.WAITING_FOR_USER)
    seen.append(await tasks.version(alice, task.id))
    await world.parts.services.sessions.steer(alice, task.id, "Yes")
    seen.append(await tasks.version(alice, task.id))
    assert [one.version for one in seen] == sorted({one.version for one in seen})


async def test_tasks_of_a_repository_that_one_may_no_longer_see_are_not_listed(
    world: World,
) -> None:
    task = await create(world, login="bob")
    bob = await world.principal("bob")
    mine = world.parts.services.tasks.list_own
    assert [one.id for one in (await mine(bob, TaskQuery())).tasks] == [task.id]
    await world.administration.grant("alice/hello", "bob", Permission.NONE)
    page = await mine(bob, TaskQuery())
    assert (page.tasks, page.total_active_count) == ((), 0)
