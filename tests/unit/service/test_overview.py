"""What the overview adds up, on both databases."""

from __future__ import annotations

import socket
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.overview import Overview, Times
from journeyman.domain.sessions import State
from journeyman.engine.liveness import Heartbeats
from journeyman.service.ledger import Ledger
from journeyman.service.overview import Overviews
from journeyman.store.tables import session, task
from tests.conftest import EACH_DATABASE, Clock, World
from tests.unit.service.work import SHA, STARTED, create

pytestmark = [EACH_DATABASE, pytest.mark.engine]
TODAY = date(2026, 1, 2)


@pytest.fixture
def overviews(world: World, clock: Clock) -> Overviews:
    return Overviews(world.parts.database, world.parts.queue, clock=clock)


async def carried(
    world: World, clock: Clock, *, waits: float, takes: float, cost: int = 0, model: str = "m"
) -> None:
    """A session that was asked for now, carried to its end; the clock stands then as before."""
    made, began = await create(world), clock.now

    def ask(tx: Connection) -> None:
        tx.execute(session.update().where(session.c.task_id == made.id).values(created_at=began))
        tx.execute(task.update().where(task.c.id == made.id).values(created_at=began))

    await world.parts.database.write(ask)
    books = Ledger(world.parts.database, world.parts.live, world.parts.changes, clock=clock)
    held = (await books.take(made.session.id)).session
    await books.drain(held)
    clock.advance(waits)
    await books.begin(held, SHA, STARTED)
    spent = {"model": model, "cost": cost, "inputTokens": 1000, "outputTokens": 10}
    await books.append(held, [NewEvent(EventType.USAGE, spent)])
    clock.advance(takes - waits)
    await books.finish(held, State.COMPLETED)
    clock.now = began


async def look(overviews: Overviews, world: World, login: str = "alice", days: int = 7) -> Overview:
    return await overviews.look(await world.principal(login), days)


async def test_days_times_and_money_are_summed(
    world: World, overviews: Overviews, clock: Clock
) -> None:
    await carried(world, clock, waits=2, takes=60, cost=5_000, model="dear")
    await carried(world, clock, waits=4, takes=90, cost=2_000, model="dear")
    clock.now -= timedelta(days=2)
    await carried(world, clock, waits=30, takes=600, model="own")
    clock.now += timedelta(days=2)
    found = await look(overviews, world)
    assert [day.day for day in found.days] == [TODAY - timedelta(days=n) for n in range(6, -1, -1)]
    assert [day.states.get(State.COMPLETED, 0) for day in found.days] == [0, 0, 0, 0, 1, 0, 2]
    assert found.days[-1].in_queue == Times(2, 2.0, 4.0)
    assert found.in_queue == Times(3, 4.0, 30.0)
    assert found.to_completion == Times(3, 90.0, 600.0)
    assert [day.nano_credits for day in found.days] == [0] * 6 + [7_000]
    by_model = [(one.name, one.spent.nano_credits) for one in found.spending.by_model]
    assert by_model == [("dear", 7_000), ("own", 0)]
    assert [one.name for one in found.spending.by_repository] == ["alice/hello"]
    assert [one.name for one in found.spending.by_user] == ["alice"]
    assert found.spending.total.input_tokens == 3_000
    assert found.success_rate == 1.0


async def test_what_is_older_than_the_range_is_left_out(
    world: World, overviews: Overviews, clock: Clock
) -> None:
    clock.now -= timedelta(days=7)
    await carried(world, clock, waits=1, takes=2, cost=5)
    clock.now += timedelta(days=7)
    assert (await look(overviews, world)).tasks == 0
    assert (await look(overviews, world)).spending.total.nano_credits == 0
    assert (await look(overviews, world, days=30)).tasks == 1


async def test_nobody_sees_the_sums_of_what_they_may_not_read(
    world: World, overviews: Overviews, clock: Clock
) -> None:
    await carried(world, clock, waits=1, takes=2, cost=5)
    await create(world)
    assert (await look(overviews, world, "bob")).tasks == 1
    stranger = await look(overviews, world, "mallory")
    assert (stranger.tasks, stranger.queued, stranger.in_queue) == (0, 0, None)
    assert (stranger.spending.total.nano_credits, list(stranger.spending.by_model)) == (0, [])
    assert (await look(overviews, world, "bob")).queued == 1


async def test_one_repository_can_be_looked_at_alone(
    world: World, overviews: Overviews, clock: Clock
) -> None:
    await carried(world, clock, waits=1, takes=2)
    other = await world.administration.add_repository(
        "alice/other", str(world.parts.embedded.path(world.repository.id))
    )
    principal = await world.principal("alice")
    assert (await overviews.look(principal, 7, world.repository)).tasks == 1
    assert (await overviews.look(principal, 7, other)).tasks == 0


async def test_living_workers_are_listed_with_their_load(
    world: World, overviews: Overviews
) -> None:
    assert (await look(overviews, world)).workers == []
    Heartbeats(world.parts.database.engine).beat("worker-1", 4)
    (found,) = (await look(overviews, world)).workers
    assert (found.id, found.host, found.running, found.slots) == (
        "worker-1",
        socket.gethostname(),
        0,
        4,
    )
