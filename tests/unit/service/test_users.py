"""Users, as the administrators of the server look after them."""

from __future__ import annotations

from journeyman.domain.audit import AuditQuery
from journeyman.domain.sessions import Reason, State
from tests.conftest import EACH_DATABASE, World
from tests.unit.service.work import bring, create, find, ledger


@EACH_DATABASE
async def test_what_a_suspended_user_has_begun_is_cancelled(world: World) -> None:
    services = world.parts.services
    states = (State.QUEUED, State.IN_PROGRESS, State.WAITING_FOR_USER, State.IDLE, State.COMPLETED)
    tasks = [await create(world, state, "bob") for state in states]
    for task, state in zip(tasks, states, strict=True):
        await bring(world, task, state)
    others = await create(world)
    root = (await services.users.list_all())[0]
    await services.users.suspend(root, "bob")
    after = [(await find(world, task.id)).session for task in tasks]
    ended, done = State.CANCELLED, State.COMPLETED
    # A worker ends what it is at itself, as soon as every process is gone.
    assert [one.state for one in after] == [ended, State.IN_PROGRESS, ended, ended, done]
    assert await ledger(world).wanting_cancel([one.id for one in after if not one.ended])
    assert after[0].state_reason is Reason.CANCELLED_BY_USER
    assert (await find(world, others.id)).session.state is State.QUEUED
    entries, _ = await services.audit.all(AuditQuery(per_page=100))
    told = [entry.action for entry in entries]
    assert (told.count("task.cancel"), told.count("user.suspend")) == (4, 1)
