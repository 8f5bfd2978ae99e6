"""Reading a log as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.queries import Cursor
from journeyman.domain.sessions import State
from journeyman.service.events import Events
from journeyman.service.ledger import Ledger
from journeyman.service.live import Live
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.work import INFO, bring, create, hold, ledger

pytestmark = EACH_DATABASE


async def tail(
    world: World, task_id: str, after: Cursor | None = None
) -> AsyncIterator[Event | NewEvent]:
    alice = await world.principal("alice")
    return await world.parts.services.events.tail(alice, task_id, after or Cursor())


async def collect(entries: AsyncIterator[Event | NewEvent]) -> list[Event | NewEvent]:
    return [entry async for entry in entries]


async def test_a_tail_ends_with_the_session(world: World) -> None:
    task = await create(world)
    reading = asyncio.ensure_future(collect(await tail(world, task.id)))
    await bring(world, task, State.COMPLETED)
    async with asyncio.timeout(10):
        told = await reading
    assert [entry.seq for entry in told if isinstance(entry, Event)] == [1, 2, 3, 4]
    assert told[-1].data == {"state": "completed"}


async def test_a_tail_goes_on_after_its_cursor(world: World) -> None:
    task = await create(world)
    await bring(world, task, State.COMPLETED)
    told = await collect(await tail(world, task.id, Cursor(1, 3)))
    assert [entry.seq for entry in told if isinstance(entry, Event)] == [4]


async def test_what_is_not_stored_is_shown_to_those_who_watch(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    entries = await tail(world, task.id)
    while not (isinstance(entry := await anext(entries), Event) and entry.seq == 3):
        pass
    waiting = asyncio.ensure_future(anext(entries))
    await asyncio.sleep(0)
    delta = NewEvent(EventType.MESSAGE_DELTA, {"messageId": "1", "deltaContent": "Hel"})
    async with asyncio.timeout(10):
        while not waiting.done():
            ledger(world).publish(held.session, delta)
            await asyncio.sleep(0.01)
    assert waiting.result() == delta
    await entries.aclose()  # type: ignore[attr-defined]


async def test_another_processs_events_arrive_without_a_word_from_it(world: World) -> None:
    task = await create(world)
    held = await hold(world, task)
    alice = await world.principal("alice")
    # Its worker has its own connections, and cannot wake this process's watchers.
    elsewhere = Ledger(world.parts.database, Live(), world.parts.changes)
    entries = await world.parts.services.events.tail(alice, task.id, Cursor(1, 3))
    for _ in range(3):
        waiting = asyncio.ensure_future(anext(entries))
        await asyncio.sleep(0.05)
        [appended] = await elsewhere.append(held.session, [INFO])
        async with asyncio.timeout(10):
            seen = await waiting
        assert isinstance(seen, Event)
        assert seen.seq == appended.seq
    await entries.aclose()  # type: ignore[attr-defined]


async def test_a_stranger_gets_no_stream(world: World) -> None:
    task = await create(world)
    events: Events = world.parts.services.events
    with pytest.raises(AppError) as refused:
        await events.tail(await world.principal("mallory"), task.id, Cursor())
    assert refused.value.code is Code.NOT_FOUND


def part(text: str, call: str = "c1") -> NewEvent:
    return NewEvent(EventType.TOOL_PARTIAL, {"toolCallId": call, "partialOutput": text})


async def test_who_begins_late_is_told_what_was_said_in_passing(world: World) -> None:
    task = await create(world)
    held = (await hold(world, task)).session
    books, alice = ledger(world), await world.principal("alice")
    for entry in (part("one\n"), part("other\n", "c2"), part("two\n")):
        books.publish(held, entry)
    events = world.parts.services.events
    late = await events.tail(alice, task.id, Cursor(1, 3), from_the_start=True)
    async with asyncio.timeout(10):
        assert [await anext(late) for _ in range(2)] == [part("one\ntwo\n"), part("other\n", "c2")]
        books.publish(held, part("three\n"))
        assert await anext(late) == part("three\n")
    await late.aclose()  # type: ignore[attr-defined]

    done = NewEvent(EventType.TOOL_COMPLETE, {"toolCallId": "c1", "result": {"content": "all"}})
    (stored,) = await books.append(held, [done])
    later = await events.tail(alice, task.id, Cursor(1, stored.seq), from_the_start=True)
    async with asyncio.timeout(10):
        assert await anext(later) == part("other\n", "c2")
    await later.aclose()  # type: ignore[attr-defined]
    await books.finish(held, State.FAILED)
    assert world.parts.live.watched == []
    rest = await collect(
        await events.tail(alice, task.id, Cursor(1, stored.seq), from_the_start=True)
    )
    assert all(isinstance(entry, Event) for entry in rest)
