"""What receivers are told, and how: over a socket, on each database."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import parse_qs

import pytest

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.hooks import ContentType
from journeyman.domain.sessions import State
from tests.conftest import EACH_DATABASE
from tests.integration.webhooks.conftest import SECRET, Site
from tests.unit.service import work

pytestmark = EACH_DATABASE


def signed(key: str, body: bytes) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


async def test_a_new_hook_is_sent_a_ping(site: Site) -> None:
    hook = await site.hook("agent_task")
    await site.deliver()
    (ping,) = site.receiver.received
    assert ping.event == "ping"
    assert ping.payload["hook_id"] == hook.id
    assert ping.payload["hook"]["config"]["secret"] == "********"
    assert ping.payload["repository"]["full_name"] == "alice/hello"
    assert SECRET not in ping.body.decode()


async def test_each_state_of_a_task_and_its_artifacts_are_told_in_order(site: Site) -> None:
    await site.hook()
    task = await work.create(site.world)
    held = await work.hold(site.world, task)
    made = BranchArtifact("journeyman/fix", "main")
    await work.ledger(site.world).add_artifact(held.session, made)
    await work.ledger(site.world).finish(held.session, State.COMPLETED)
    await site.deliver()
    told = [(one.event, one.payload.get("action")) for one in site.receiver.received]
    assert told == [
        ("ping", None),
        ("agent_task", "created"),
        ("agent_session", "created"),
        ("agent_task", "in_progress"),
        ("agent_session", "in_progress"),
        ("agent_artifact", "created"),
        ("agent_task", "completed"),
        ("agent_session", "completed"),
    ]


async def test_a_payload_is_in_githubs_form_and_of_its_moment(site: Site) -> None:
    await site.hook("agent_task", "agent_artifact")
    task = await work.create(site.world)
    held = await work.hold(site.world, task)
    made = BranchArtifact("journeyman/fix", "main")
    await work.ledger(site.world).add_artifact(held.session, made)
    await work.ledger(site.world).finish(held.session, State.COMPLETED)
    await site.deliver()
    created, begun, completed = (one.payload for one in site.receiver.of("agent_task"))
    states = [one["task"]["state"] for one in (created, begun, completed)]
    assert states == ["queued", "in_progress", "completed"]
    assert list(created) == ["action", "task", "session", "repository", "sender"]
    assert created["task"]["id"] == task.id
    assert created["task"]["html_url"].endswith(f"/alice/hello/agents/tasks/{task.id}")
    assert created["session"]["id"] == task.session.id
    assert created["sender"]["login"] == "alice"
    (artifact,) = (one.payload for one in site.receiver.of("agent_artifact"))
    assert artifact["artifact"]["data"]["head_ref"] == "journeyman/fix"
    assert completed["task"]["artifacts"] == [artifact["artifact"]]


async def test_the_headers_are_those_that_githubs_receivers_read(site: Site) -> None:
    hook = await site.hook()
    await site.deliver()
    (ping,) = site.receiver.received
    assert ping.headers["x-hub-signature-256"] == signed(SECRET, ping.body)
    assert ping.headers["content-type"] == "application/json"
    assert ping.headers["x-github-hook-id"] == str(hook.id)
    assert ping.headers["x-journeyman-event"] == "ping"
    assert ping.headers["x-journeyman-delivery"] == ping.guid


async def test_a_form_has_the_payload_in_a_field_and_is_signed_whole(site: Site) -> None:
    await site.hook(content_type=ContentType.FORM)
    await site.deliver()
    (ping,) = site.receiver.received
    assert ping.headers["content-type"] == "application/x-www-form-urlencoded"
    assert ping.headers["x-hub-signature-256"] == signed(SECRET, ping.body)
    (field,) = parse_qs(ping.body.decode())["payload"]
    assert json.loads(field)["zen"]


async def test_without_a_secret_nothing_is_signed(site: Site) -> None:
    await site.hook(secret=None)
    await site.deliver()
    assert "x-hub-signature-256" not in site.receiver.received[0].headers


async def test_only_what_was_asked_for_is_told(site: Site) -> None:
    await site.hook("agent_artifact")
    await work.create(site.world)
    await site.deliver()
    assert [one.event for one in site.receiver.received] == ["ping"]


async def test_two_hooks_are_told_the_same_under_one_guid(site: Site) -> None:
    await site.hook("agent_task")
    await site.hook("agent_task", url=site.receiver.url + "2")
    await work.create(site.world)
    await site.deliver()
    first, second = site.receiver.of("agent_task")
    assert first.guid == second.guid
    assert first.body == second.body


async def test_a_rolled_back_change_tells_nobody(site: Site) -> None:
    await site.hook("agent_task")
    await site.deliver()
    database = site.world.parts.database
    task = await work.create(site.world)
    await site.deliver()

    def fail(tx: object) -> None:
        session = task.session
        site.world.parts.changes.state(tx, session, State.CANCELLED, site.clock())  # type: ignore[arg-type]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(fail)
    await site.deliver()
    assert [one.payload["action"] for one in site.receiver.of("agent_task")] == ["created"]
