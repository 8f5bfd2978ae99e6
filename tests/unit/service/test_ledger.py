"""What a worker writes down: fenced, and each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import FINAL, LeaseLost, Reason, Session, State
from journeyman.service.ledger import Ledger
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.work import INFO, SHA, STARTED, create, find, hold, ledger, log

pytestmark = EACH_DATABASE

WRITES: dict[str, Callable[[Ledger, Session], Awaitable[object]]] = {
    "append": lambda books, held: books.append(held, [INFO]),
    "drain": lambda books, held: books.drain(held),
    "begin": lambda books, held: books.begin(held, SHA, STARTED),
    "save": lambda books, held: books.save(held, Checkpoint(SHA, SHA, SHA, 1, b"bundle")),
    "add_artifact": lambda books, held: books.add_artifact(held, BranchArtifact("fix", "main")),
    "rest": lambda books, held: books.rest(held, State.IDLE, reason=Reason.PAUSED),
    "finish": lambda books, held: books.finish(held, State.COMPLETED),
}


@pytest.mark.parametrize("write", WRITES)
async def test_a_former_holder_writes_nothing(world: World, write: str) -> None:
    task = await create(world)
    former = (await hold(world, task)).session
    await steer(world, task.id, "More")
    await ledger(world).take(former.id)
    before = (await log(world, task.id), await find(world, task.id))
    with pytest.raises(LeaseLost):
        await WRITES[write](ledger(world), former)
    assert (await log(world, task.id), await find(world, task.id)) == before


async def steer(world: World, task_id: str, content: str) -> None:
    bob = await world.principal("bob")
    await world.parts.services.sessions.steer(bob, task_id, content)


async def test_a_new_holder_finds_all_that_the_former_one_wrote(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    books = ledger(world)
    await books.append(held.session, [INFO])
    saved = Checkpoint(SHA, SHA, SHA, 1, b"bundle")
    await books.save(held.session, saved)
    await books.add_artifact(held.session, BranchArtifact("fix", "main"))
    found = await books.take(held.session.id)
    assert found.session.fence == held.session.fence + 1
    assert found.session.base_sha == SHA
    assert found.checkpoint == saved
    assert found.artifacts == (BranchArtifact("fix", "main"),)
    assert [event.type for event in found.log][-3:] == [
        EventType.SESSION_INFO,
        EventType.CHECKPOINT,
        EventType.ARTIFACT,
    ]


async def test_appends_are_whole_and_numbered_without_gaps(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    books = ledger(world)
    await asyncio.gather(*(books.append(held.session, [INFO, INFO]) for _ in range(10)))
    assert [event.seq for event in await log(world, task.id)] == list(range(1, 24))


async def test_the_price_of_replies_adds_up(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    books = ledger(world)
    for cost in (5, None, 7):
        await books.append(held.session, [NewEvent(EventType.USAGE, {"cost": cost})])
    assert (await find(world, task.id)).session.usage_nano_credits == 12


async def test_a_message_becomes_an_event_exactly_once(world: World) -> None:
    task = await create(world, "Do it")
    books = ledger(world)
    held = await books.take(task.session.id)
    first = await books.drain(held.session)
    await steer(world, task.id, "And that")
    second = await books.drain(held.session)
    assert await books.drain(held.session) == []
    told = [(event.data["content"], event.data["source"]) for event in (*first, *second)]
    assert told == [("Do it", "prompt"), ("And that", "steer")]


async def test_an_artifact_is_told_once(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    for _ in range(2):
        await ledger(world).add_artifact(held.session, BranchArtifact("fix", "main"))
    kinds = [event.type for event in await log(world, task.id)]
    assert kinds.count(EventType.ARTIFACT) == 1


async def test_beginning_again_changes_no_state(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    again, (event,) = await ledger(world).begin(
        held.session, SHA, NewEvent(EventType.SESSION_RESUME, {"run": 1})
    )
    assert (again.state, event.type) == (State.IN_PROGRESS, EventType.SESSION_RESUME)


async def test_a_session_that_ended_before_its_worker_came_does_not_begin(world: World) -> None:
    task = await create(world)
    held = await ledger(world).take(task.session.id)
    await world.parts.services.sessions.cancel(await world.principal("alice"), task.id)
    session, begun = await ledger(world).begin(held.session, SHA, STARTED)
    assert (session.state, begun) == (State.CANCELLED, [])


async def test_completing_is_refused_while_a_message_waits(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    await steer(world, task.id, "One more thing")
    assert not await ledger(world).finish(held.session, State.COMPLETED)
    assert (await find(world, task.id)).session.state is State.IN_PROGRESS
    await ledger(world).drain(held.session)
    assert await ledger(world).finish(held.session, State.COMPLETED)


@pytest.mark.parametrize("state", [State.WAITING_FOR_USER, State.IDLE])
async def test_resting_is_refused_while_a_message_waits(world: World, state: State) -> None:
    task = await create(world)
    held = await hold(world, task)
    await steer(world, task.id, "The answer, before the question")
    assert not await ledger(world).rest(held.session, state)
    await ledger(world).drain(held.session)
    assert await ledger(world).rest(held.session, state)
    assert (await find(world, task.id)).session.state is state


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_an_end_is_final(world: World, state: State) -> None:
    task = await create(world)
    held = await hold(world, task)
    books = ledger(world)
    assert await books.finish(held.session, state, message="So it ended.")
    assert await books.finish(held.session, State.FAILED, message="Said again.")
    assert await books.rest(held.session, State.IDLE)
    ended = (await find(world, task.id)).session
    assert (ended.state, ended.completed_at is not None) == (state, True)
    told = state in (State.FAILED, State.TIMED_OUT)
    assert ended.error == ("So it ended." if told else None)


async def test_what_ended_or_was_never_there_needs_no_workspace(world: World) -> None:
    task = await create(world)
    books = ledger(world)
    assert not await books.has_ended(task.session.id)
    assert await books.has_ended("nobody")
    assert await books.list_working() == [task.session.run]
    held = await hold(world, task)
    await books.finish(held.session, State.COMPLETED)
    assert await books.has_ended(task.session.id)
    assert await books.list_working() == []


async def test_the_wish_to_cancel_reaches_the_worker(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    cancelling = asyncio.ensure_future(
        world.parts.services.sessions.cancel(await world.principal("alice"), task.id)
    )
    books = ledger(world)
    async with asyncio.timeout(5):
        while not await books.wanting_cancel([held.session.id]):
            await asyncio.sleep(0.01)
    await books.finish(held.session, State.CANCELLED, reason=Reason.CANCELLED_BY_USER)
    assert (await cancelling).session.state is State.CANCELLED


async def test_a_wish_to_cancel_is_not_lost_when_the_session_comes_to_rest(world: World) -> None:
    task = await create(world)
    held = (await hold(world, task)).session
    cancelling = asyncio.ensure_future(
        world.parts.services.sessions.cancel(await world.principal("alice"), task.id)
    )
    async with asyncio.timeout(10):
        while not await ledger(world).wanting_cancel([held.id]):
            await asyncio.sleep(0.01)
    assert await ledger(world).rest(held, State.WAITING_FOR_USER)
    assert (await cancelling).session.state is State.CANCELLED


async def test_a_session_is_given_up_only_while_it_is_as_it_was_listed(world: World) -> None:
    task = await create(world)
    listed = (await hold(world, task)).session
    assert await ledger(world).rest(listed, State.WAITING_FOR_USER)
    assert not await ledger(world).give_up(listed.run, "Lost")
    await steer(world, task.id, "Go on")
    assert not await ledger(world).give_up(listed.run, "Lost")
    queued = (await find(world, task.id)).session
    assert await ledger(world).give_up(queued.run, "Lost")
    ended = (await find(world, task.id)).session
    assert (ended.state, ended.state_reason) == (State.FAILED, Reason.WORKER_LOST)
