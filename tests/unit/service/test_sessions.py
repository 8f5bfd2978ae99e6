"""What a user does to a session that is there."""

from __future__ import annotations

import asyncio

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.events import EventType
from journeyman.domain.sessions import ACTIVE, FINAL, Reason, State
from journeyman.engine.queue import run_id
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.work import bring, create, find, hold, ledger, log

pytestmark = EACH_DATABASE


@pytest.mark.parametrize("state", sorted(ACTIVE - {State.IN_PROGRESS}))
async def test_a_session_that_no_worker_has_is_cancelled_at_once(
    world: World, state: State
) -> None:
    task = await create(world)
    await bring(world, task, state)
    ended = await world.parts.services.sessions.cancel(await world.principal("alice"), task.id)
    assert ended.session.state is State.CANCELLED
    assert ended.session.state_reason is Reason.CANCELLED_BY_USER
    (*_, last) = await log(world, task.id)
    assert last.data == {"state": "cancelled", "stateReason": "cancelled_by_user"}


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_what_has_ended_stays_as_it_is(world: World, state: State) -> None:
    task = await create(world)
    await bring(world, task, state)
    before = await find(world, task.id)
    ended = await world.parts.services.sessions.cancel(await world.principal("alice"), task.id)
    assert ended == before


@pytest.mark.parametrize("state", [State.WAITING_FOR_USER, State.IDLE])
async def test_a_message_queues_the_next_run_of_a_resting_session(
    world: World, state: State
) -> None:
    task = await create(world)
    await bring(world, task, state)
    steered = await world.parts.services.sessions.steer(
        await world.principal("bob"), task.id, "Go on"
    )
    assert (steered.session.state, steered.session.run_number) == (State.QUEUED, 2)
    assert world.parts.queue.gone([run_id(task.session.id, 2)]) == set()
    held = await ledger(world).take(task.session.id)
    (message,) = await ledger(world).drain(held.session)
    assert message.data["source"] == ("answer" if state is State.WAITING_FOR_USER else "steer")


@pytest.mark.parametrize("state", [State.QUEUED, State.IN_PROGRESS])
async def test_a_message_for_a_session_at_work_only_waits(world: World, state: State) -> None:
    task = await create(world)
    await bring(world, task, state)
    steered = await world.parts.services.sessions.steer(
        await world.principal("alice"), task.id, "Also this"
    )
    assert (steered.session.state, steered.session.run_number) == (state, 1)


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_a_message_after_the_end_begins_a_new_session_on_the_same_branch(
    world: World, state: State
) -> None:
    task = await create(world, "First")
    await bring(world, task, state)
    followed = await world.parts.services.sessions.steer(
        await world.principal("bob"), task.id, "Second"
    )
    new = followed.session
    assert (followed.session_count, new.number, new.state) == (2, 2, State.QUEUED)
    assert (new.head_ref, new.base_ref) == (task.session.head_ref, task.session.base_ref)
    assert new.user_id == (await world.principal("bob")).account.id
    assert (new.prompt, new.error, new.completed_at) == ("Second", None, None)
    held = await ledger(world).take(new.id)
    (message,) = await ledger(world).drain(held.session)
    assert (message.data["content"], message.data["source"]) == ("Second", "prompt")
    assert world.parts.queue.gone([run_id(new.id, 1)]) == set()


async def test_messages_at_once_after_the_end_make_one_session(world: World) -> None:
    task = await create(world)
    await bring(world, task, State.COMPLETED)
    bob = await world.principal("bob")
    sending = (
        world.parts.services.sessions.steer(bob, task.id, f"Message {number}")
        for number in range(4)
    )
    await asyncio.gather(*sending)
    followed = await find(world, task.id)
    assert followed.session_count == 2
    held = await ledger(world).take(followed.session.id)
    assert len(await ledger(world).drain(held.session)) == 4


async def test_a_message_is_never_lost_between_the_end_and_a_new_session(world: World) -> None:
    bob = await world.principal("bob")
    for _ in range(5):
        task = await create(world)
        held = await hold(world, task)
        books = ledger(world)
        done, _ = await asyncio.gather(
            books.finish(held.session, State.COMPLETED),
            world.parts.services.sessions.steer(bob, task.id, "Not too late"),
        )
        found = await find(world, task.id)
        assert found.session.number == (2 if done else 1)
        newest = await books.take(found.session.id)
        (message,) = await books.drain(newest.session)
        assert message.data["content"] == "Not too late"


@pytest.mark.parametrize("content", ["", "  \n", "x" * 100_001])
async def test_a_message_says_something_and_not_too_much(world: World, content: str) -> None:
    task = await create(world)
    with pytest.raises(AppError) as refused:
        await world.parts.services.sessions.steer(await world.principal("alice"), task.id, content)
    assert refused.value.code is Code.INVALID


@pytest.mark.parametrize("verb", ["steer", "cancel"])
async def test_a_stranger_does_not_learn_that_the_task_is_there(world: World, verb: str) -> None:
    task = await create(world)
    mallory, sessions = await world.principal("mallory"), world.parts.services.sessions
    asked = (
        sessions.steer(mallory, task.id, "Hi")
        if verb == "steer"
        else sessions.cancel(mallory, task.id)
    )
    with pytest.raises(AppError) as refused:
        await asked
    assert refused.value.code is Code.NOT_FOUND


async def test_an_archived_task_takes_no_message(world: World) -> None:
    task = await create(world)
    await bring(world, task, State.COMPLETED)
    alice = await world.principal("alice")
    await world.parts.services.tasks.archive(alice, task.id, True)
    with pytest.raises(AppError) as refused:
        await world.parts.services.sessions.steer(alice, task.id, "Wake up")
    assert refused.value.code is Code.CONFLICT


async def test_every_change_of_state_is_in_the_log(world: World) -> None:
    task = await create(world)
    await bring(world, task, State.WAITING_FOR_USER)
    await world.parts.services.sessions.steer(await world.principal("alice"), task.id, "Yes")
    changes = [
        event.data["state"]
        for event in await log(world, task.id)
        if event.type is EventType.SESSION_STATE
    ]
    assert changes == ["in_progress", "waiting_for_user", "queued"]
