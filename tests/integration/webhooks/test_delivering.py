"""What happens to a delivery when its receiver, its sender or its way fails."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.hooks import Hook
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.service.deliveries import CLAIM, wait
from journeyman.service.hooks import HookEdit
from journeyman.telemetry.metrics import REGISTRY
from tests.conftest import EACH_DATABASE
from tests.integration.webhooks.conftest import Site
from tests.peers.receiver import BROKEN, MOVED, OK, REFUSED, RESET, SILENT, Received
from tests.unit.service import work

pytestmark = EACH_DATABASE


def first(answer: bytes | None, then: bytes | None = OK) -> Callable[[Received], bytes | None]:
    """*answer* once, then the other."""
    waiting = [answer]
    return lambda _: waiting.pop() if waiting else then


async def quiet_hook(site: Site, *events: str) -> Hook:
    """One whose ping is over."""
    hook = await site.hook(*events)
    await site.deliver()
    site.receiver.received.clear()
    return hook


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        (BROKEN, 500, "Invalid HTTP Response: 500"),
        (RESET, None, "failed to connect"),
        (SILENT, None, "timed out after 0.3 seconds"),
        (MOVED, 302, "redirected, which is not followed"),
        (b"nonsense\r\n\r\n", None, "failed to connect"),
    ],
    ids=["500", "reset", "timeout", "redirect", "nonsense"],
)
async def test_what_fails_is_tried_again_under_the_same_guid(
    site: Site, answer: bytes | None, code: int | None, status: str
) -> None:
    hook = await quiet_hook(site, "agent_task")
    site.receiver.answer = first(answer)
    await work.create(site.world)
    assert await site.deliver(timeout_seconds=0.3) == 1
    assert await site.deliver() == 0, "it waits before it tries again"
    site.clock.advance(wait(0).total_seconds())
    assert await site.deliver() == 1
    again, failed, _ping = await site.log(hook)
    assert (failed.response.code, failed.redelivery) == (code, False)
    assert failed.response.status.startswith(status)
    assert (again.response.code, again.redelivery, again.guid) == (200, True, failed.guid)
    one, two = site.receiver.received
    assert (one.guid, one.body) == (two.guid, two.body)


async def test_the_waits_grow_and_end_after_a_day(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    site.receiver.answer = lambda _: BROKEN
    await work.create(site.world)
    waits = [wait(attempts) for attempts in range(40)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=1)
    for attempt in range(60):
        await site.deliver()
        site.clock.advance(wait(attempt).total_seconds())
    log = await site.log(hook)
    assert 20 < len(log) < 40
    assert timedelta(hours=20) < log[0].delivered_at - log[-1].delivered_at <= timedelta(days=1)
    assert (await last_of(site, hook)) == (500, "Invalid HTTP Response: 500")


async def last_of(site: Site, hook: Hook) -> tuple[int | None, str]:
    hooks = site.world.parts.services.hooks
    found = await hooks.get(await site.world.access("alice"), hook.id)
    return found.last_response.code, found.last_response.status


async def test_what_fails_holds_up_its_own_task_alone(site: Site) -> None:
    await quiet_hook(site, "agent_task")
    one = await work.create(site.world)
    site.receiver.answer = first(BROKEN)
    await site.deliver()
    await work.bring(site.world, one, State.COMPLETED)
    other = await work.create(site.world)
    await site.deliver()
    told = [found.payload["task"]["id"] for found in site.receiver.received]
    assert told == [one.id, other.id]
    site.clock.advance(wait(0).total_seconds())
    await site.deliver()
    of_one = [r.payload for r in site.receiver.received if r.payload["task"]["id"] == one.id]
    told = [payload["action"] for payload in of_one]
    assert told == ["created", "created", "in_progress", "completed"]


async def test_what_a_receiver_refuses_holds_nothing_up(site: Site) -> None:
    await quiet_hook(site, "agent_task")
    task = await work.create(site.world)
    site.receiver.answer = first(REFUSED)
    await site.deliver()
    await work.bring(site.world, task, State.COMPLETED)
    await site.deliver()
    actions = [one.payload["action"] for one in site.receiver.received]
    assert actions == ["created", "in_progress", "completed"]
    site.clock.advance(wait(0).total_seconds())
    await site.deliver()
    assert site.receiver.received[-1].payload["action"] == "created"


async def test_a_sender_that_dies_leaves_it_to_another(site: Site) -> None:
    await quiet_hook(site, "agent_task")
    await work.create(site.world)
    lost = await site.deliveries.claim(16)
    assert len(lost) == 1
    assert await site.deliver() == 0, "it is somebody's"
    site.clock.advance(CLAIM.total_seconds())
    assert await site.deliver() == 1
    assert len(site.receiver.received) == 1


async def test_a_sender_that_comes_back_late_changes_nothing(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    await work.create(site.world)
    (late,) = await site.deliveries.claim(16)
    site.clock.advance(CLAIM.total_seconds())
    await site.deliver()
    request = site.deliveries.request(late)
    site.receiver.answer = lambda _: BROKEN
    await site.deliveries.settle(late, await site.sender().send(request), request)
    site.clock.advance(3600)
    assert await site.deliver() == 0
    assert [one.response.code for one in await site.log(hook)] == [500, 200, 200]


async def test_two_workers_do_not_deliver_the_same_at_once(site: Site) -> None:
    await quiet_hook(site, "agent_task")
    tasks = [await work.create(site.world, f"Fix {number}") for number in range(20)]
    async with site.working(4):
        async with asyncio.timeout(30):
            while len(site.receiver.received) < len(tasks):
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
    told = sorted(one.payload["task"]["id"] for one in site.receiver.received)
    assert told == sorted(task.id for task in tasks)


async def test_a_worker_delivers_what_it_finds_and_what_comes(site: Site) -> None:
    taken = {"outcome": "ok"}
    before = REGISTRY.get_sample_value("journeyman_webhook_seconds_count", taken) or 0
    hook = await site.hook("agent_task")
    async with site.working():
        async with asyncio.timeout(10):
            while not site.receiver.of("ping"):
                await asyncio.sleep(0.05)
        await work.create(site.world)
        async with asyncio.timeout(10):
            while len(await site.log(hook)) < 2:
                await asyncio.sleep(0.05)
    assert REGISTRY.get_sample_value("journeyman_webhook_seconds_count", taken) == before + 2


async def test_a_delivery_can_be_repeated(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    await work.create(site.world)
    await site.deliver()
    hooks, access = site.world.parts.services.hooks, await site.world.access("alice")
    (newest, _ping) = await site.log(hook)
    await hooks.redeliver(access, hook.id, newest.id)
    assert await site.deliver() == 1
    one, two = site.receiver.received
    assert (one.guid, one.body) == (two.guid, two.body)
    assert [found.redelivery for found in await site.log(hook)] == [True, False, False]


async def test_the_log_has_request_and_response_and_keeps_them_short(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    long = b"x" * 100_000
    site.receiver.answer = lambda _: b"HTTP/1.1 200 OK\r\nX-Kept: yes\r\n\r\n" + long
    await work.create(site.world)
    await site.deliver()
    (newest, _ping) = await site.log(hook)
    assert newest.response.headers["X-Kept"] == "yes"
    assert newest.response.payload == "x" * 16_384
    assert newest.request_payload == site.receiver.received[0].body.decode()
    assert newest.request_headers["X-GitHub-Delivery"] == newest.guid


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[::1]:8080/",
        "http://[::ffff:10.0.0.1]/",
        "http://0x7f000001.invalid/",
    ],
)
async def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(
    site: Site, url: str
) -> None:
    hook = await site.hook("agent_task", url=url)
    await site.deliver()
    (attempt,) = await site.log(hook)
    assert attempt.response.code is None
    assert "not" in attempt.response.status or "failed" in attempt.response.status


async def test_a_name_is_connected_to_where_it_was_looked_at(site: Site) -> None:
    """A second answer of its resolver leads nowhere."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    sender = site.sender()
    sender._network._resolve = resolve
    port = site.receiver.url.rpartition(":")[2]
    await quiet_hook(site, "agent_task")
    hook = await site.hook("agent_session", url=f"http://rebinding.test:{port}")
    (claimed,) = await site.deliveries.claim(16)
    response = await sender.send(site.deliveries.request(claimed))
    assert response.code == 200
    assert claimed.hook_id == hook.id
    assert answers == [["10.0.0.1"]]


async def test_an_inactive_hook_is_told_nothing_not_even_what_waits(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    await work.create(site.world)
    hooks, access = site.world.parts.services.hooks, await site.world.access("alice")
    await hooks.update(access, hook.id, HookEdit(active=False))
    await work.create(site.world)
    assert await site.deliver() == 0
    with pytest.raises(AppError) as refused:
        await hooks.redeliver(access, hook.id, (await site.log(hook))[0].id)
    assert refused.value.code is Code.CONFLICT
    await hooks.update(access, hook.id, HookEdit(active=True))
    assert await site.deliver() == 0


async def test_a_hook_that_is_deleted_meanwhile_is_no_more(site: Site) -> None:
    hook = await quiet_hook(site, "agent_task")
    await work.create(site.world)
    (claimed,) = await site.deliveries.claim(16)
    hooks, access = site.world.parts.services.hooks, await site.world.access("alice")
    await hooks.delete(access, hook.id)
    request = site.deliveries.request(claimed)
    await site.deliveries.settle(claimed, await site.sender().send(request), request)
    with pytest.raises(AppError) as gone:
        await hooks.get(access, hook.id)
    assert gone.value.code is Code.NOT_FOUND
    await work.create(site.world)
    assert await site.deliver() == 0


async def test_who_lost_the_repository_reads_nothing_and_its_hooks_go_on(site: Site) -> None:
    hooks = site.world.parts.services.hooks
    hook = await quiet_hook(site, "agent_task")
    bob = await site.world.access("bob")
    assert await hooks.list_hooks(bob) == [await hooks.get(bob, hook.id)]
    await site.world.administration.grant("alice/hello", "bob", Permission.NONE)
    with pytest.raises(AppError) as gone:
        await site.world.access("bob")
    assert gone.value.code is Code.NOT_FOUND
    await work.create(site.world)
    assert await site.deliver() == 1


async def test_a_secret_of_another_key_is_told_in_the_log(site: Site) -> None:
    hook = await site.hook("agent_task")
    key = site.world.parts.config.data / "secrets.key"
    kept = key.read_bytes()
    key.write_bytes(base64.b64decode("A" * 43 + "="))
    async with site.working():
        async with asyncio.timeout(10):
            while not await site.log(hook):
                await asyncio.sleep(0.05)
    (attempt,) = await site.log(hook)
    assert "another key" in attempt.response.status
    assert not site.receiver.received
    key.write_bytes(kept)
    site.clock.advance(wait(0).total_seconds())
    assert await site.deliver() == 1


async def test_the_stored_secret_is_not_the_secret(site: Site) -> None:
    await site.hook("agent_task", secret="hunter2-hunter2")
    data = site.world.parts.config.data
    for file in data.glob("journeyman.db*"):
        assert b"hunter2" not in file.read_bytes()
