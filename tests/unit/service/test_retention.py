"""What is old goes, what is at work stays, and what is gone says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.audit import AuditQuery
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.errors import AppError, Code
from journeyman.domain.hooks import HookConfig, Response
from journeyman.domain.retention import Retention
from journeyman.domain.sessions import State
from journeyman.service.clock import utc_now
from journeyman.service.retention import Expiry
from tests.conftest import EACH_DATABASE, World
from tests.unit.service import work

pytestmark = EACH_DATABASE

NOTHING = Retention(**dict.fromkeys(vars(Retention()), 0))
FAILED, SUCCEEDED = Response(500, "broken"), Response(200, "OK")
SAVED = Checkpoint("b" * 40, "a" * 40, "c" * 40, 1, b"a bundle")


async def expire(world: World, keep: Retention, *, days: float) -> None:
    """As it would be after so many *days*."""
    later = utc_now() + timedelta(days=days)
    await Expiry(world.parts.database, keep, clock=lambda: later).sweep()


async def test_an_old_log_is_one_entry_that_says_so(world: World) -> None:
    task = await work.create(world)
    held = await work.hold(world, task)
    await work.ledger(world).append(held.session, [work.INFO] * 1200)
    await work.ledger(world).finish(held.session, State.COMPLETED)
    before = await work.find(world, task.id)
    await expire(world, replace(NOTHING, events_days=10), days=9)
    assert len(await work.log(world, task.id)) == 100
    await expire(world, replace(NOTHING, events_days=10), days=11)
    (left,) = await work.log(world, task.id)
    assert left.data["infoType"] == "events_expired"
    assert "kept for 10 days" in left.data["message"]
    alice = await world.principal("alice")
    page = await world.parts.services.events.page(alice, task.id, 1, 30)
    assert (len(page.events), page.total) == (1, 1)
    after = await work.find(world, task.id)
    assert after.session.events_expired_at is not None
    assert after.version > before.version
    assert after.updated_at == before.updated_at
    await expire(world, replace(NOTHING, events_days=10), days=12)
    assert len(await work.log(world, task.id)) == 1


@pytest.mark.parametrize(
    "state", [State.QUEUED, State.IN_PROGRESS, State.WAITING_FOR_USER, State.IDLE]
)
async def test_nothing_of_a_task_that_has_not_ended_goes(world: World, state: State) -> None:
    task = await work.create(world)
    held = await work.hold(world, task)
    await work.ledger(world).save(held.session, SAVED)
    await work.ledger(world).finish(held.session, State.FAILED)
    alice = await world.principal("alice")
    again = await world.parts.services.sessions.steer(alice, task.id, "Once more")
    await work.bring(world, again, state)
    logged = await work.log(world, task.id)
    await expire(world, Retention(1, 1, 1, 1, 1, 1, 1), days=1000)
    assert await work.log(world, task.id) == logged
    assert (await work.ledger(world).take(held.session.id)).checkpoint == SAVED


async def test_a_follow_up_after_that_works_and_has_its_own_log(world: World) -> None:
    task = await work.create(world)
    await work.bring(world, task, State.COMPLETED)
    await expire(world, replace(NOTHING, events_days=1, checkpoints_days=1), days=2)
    alice = await world.principal("alice")
    again = await world.parts.services.sessions.steer(alice, task.id, "Once more")
    assert again.session.events_expired_at is None
    held = await work.hold(world, again)
    assert [event.type for event in held.earlier] == []
    assert len(held.log) > 1


async def test_a_patch_that_has_expired_says_so(world: World) -> None:
    task = await work.create(world)
    held = await work.hold(world, task)
    await work.ledger(world).save(held.session, SAVED)
    made = BranchArtifact("journeyman/fix", "main")
    await work.ledger(world).add_artifact(held.session, made)
    await work.ledger(world).finish(held.session, State.COMPLETED)
    await expire(world, replace(NOTHING, checkpoints_days=5), days=6)
    alice = await world.principal("alice")
    with pytest.raises(AppError) as gone:
        await world.parts.services.patches.patch(alice, task.id)
    assert gone.value.code is Code.GONE
    assert "expired" in gone.value.message
    assert (await work.ledger(world).take(held.session.id)).checkpoint is None


async def test_zero_days_is_for_ever(world: World) -> None:
    task = await work.create(world)
    await work.bring(world, task, State.COMPLETED)
    logged = await work.log(world, task.id)
    await expire(world, NOTHING, days=30_000)
    assert await work.log(world, task.id) == logged
    assert (await world.parts.services.audit.all(AuditQuery()))[0]


async def test_old_deliveries_and_entries_go_and_what_waits_stays(world: World) -> None:
    access = await world.access("alice")
    hook = await world.parts.services.hooks.create(
        access, HookConfig("http://127.0.0.1:9/"), ["agent_task"]
    )
    (claimed,) = await world.parts.deliveries.claim(10)
    await world.parts.deliveries.settle(claimed, FAILED)
    await work.create(world)
    await expire(world, replace(NOTHING, deliveries_days=5, audit_days=5), days=6)
    assert (await world.parts.services.audit.all(AuditQuery()))[0] == []
    assert len((await world.parts.services.hooks.list_deliveries(access, hook.id))[0]) == 1
    (waiting,) = await world.parts.deliveries.claim(10)
    await world.parts.deliveries.settle(waiting, SUCCEEDED)
    await expire(world, replace(NOTHING, deliveries_days=5), days=6)
    (left,) = (await world.parts.services.hooks.list_deliveries(access, hook.id))[0]
    assert left.event == "ping"
