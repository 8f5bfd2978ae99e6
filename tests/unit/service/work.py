"""A task of Alice's, and a worker's hold on its session, for tests without a worker."""

from __future__ import annotations

from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask, Task
from journeyman.service.ledger import Ledger
from tests.conftest import World

SHA = "a" * 40
STARTED = NewEvent(EventType.SESSION_START, {"baseSha": SHA})
INFO = NewEvent(EventType.SESSION_INFO, {"message": "Something happened."})


async def create(world: World, prompt: str = "Fix it", login: str = "alice") -> Task:
    services = world.parts.services
    return await services.tasks.create(
        await world.principal(login), await world.access(login), NewTask(prompt)
    )


async def find(world: World, task_id: str) -> Task:
    return (await world.parts.services.tasks.get(await world.principal("alice"), task_id)).task


async def log(world: World, task_id: str) -> list[Event]:
    alice = await world.principal("alice")
    page = await world.parts.services.events.page(alice, task_id, 1, 100)
    return list(page.events)


def ledger(world: World) -> Ledger:
    return Ledger(world.parts.database, world.parts.live, world.parts.changes)


async def hold(world: World, task: Task) -> Held:
    """The newest session, taken by a worker that has read its prompt and begun."""
    books = ledger(world)
    held = await books.take((await find(world, task.id)).session.id)
    await books.drain(held.session)
    await books.begin(held.session, SHA, STARTED)
    return await books.take(held.session.id)


async def bring(world: World, task: Task, state: State) -> None:
    """Carry the newest session to *state* as a worker and a user would."""
    if state is State.QUEUED:
        return
    held = await hold(world, task)
    books = ledger(world)
    if state in (State.WAITING_FOR_USER, State.IDLE):
        assert await books.rest(held.session, state)
    elif state is not State.IN_PROGRESS:
        assert await books.finish(held.session, state)
