"""The audit log: what every action leaves in it, and who reads it."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import pytest
from nacl.public import PublicKey, SealedBox

from journeyman.administering import operating
from journeyman.domain.audit import Action, AuditQuery, Surface
from tests.unit.api.conftest import TASKS, World, configuration, create

LOG = "/repos/octo/hello/agents/audit-log"
AGENTS = "/repos/octo/hello/agents"


@pytest.fixture
def root(world: World) -> httpx.AsyncClient:
    """Administers the site, and so the repository."""
    return world.client("root")


async def actions(root: httpx.AsyncClient, query: str = "order=asc&per_page=100") -> list[str]:
    entries = (await root.get(f"{LOG}?{query}")).json()
    return [entry["action"] for entry in entries if entry["surface"] == "api"]


async def test_an_entry_says_who_did_what_with_which_token(
    world: World, root: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    sent = await alice.post(TASKS, json={"prompt": "Fix it with hunter2"})
    entry = (await root.get(LOG)).json()[0]
    alice_token = next(
        one for one in await world.administration.list_tokens() if one.account.login == "alice"
    )
    assert entry["action"] == "task.create"
    assert entry["actor"] == "alice"
    assert entry["actor_id"] == alice_token.account.id
    assert entry["token_id"] == alice_token.id
    assert entry["programmatic_access_type"] == "Personal access token (classic)"
    assert entry["actor_ip"] == "127.0.0.1"
    assert entry["request_id"] == sent.headers["X-GitHub-Request-Id"]
    assert entry["repo"] == "octo/hello"
    assert entry["data"]["task_id"] == sent.json()["id"]
    assert entry["@timestamp"] == entry["created_at"] > 1_700_000_000_000
    assert "hunter2" not in str(entry)
    assert world.tokens["alice"] not in str(entry)


async def test_each_action_leaves_its_entry(root: httpx.AsyncClient) -> None:
    task_id = await create(root)
    task = f"/agents/tasks/{task_id}"
    await root.post(f"{task}/steer", json={"content": "Hurry"})
    await root.post(f"{task}/pause")
    await root.post(f"{task}/cancel")
    await root.post(f"{task}/archive")
    await root.post(f"{task}/unarchive")
    await put_secret(root)
    await put_secret(root)
    await root.delete(f"{AGENTS}/secrets/KEY")
    await root.post(f"{AGENTS}/variables", json={"name": "A", "value": "1"})
    await root.patch(f"{AGENTS}/variables/A", json={"value": "2"})
    await root.delete(f"{AGENTS}/variables/A")
    await root.put("/repos/octo/hello/copilot/cloud-agent/configuration", json={})
    hook = (
        await root.post(f"{AGENTS}/hooks", json={"config": {"url": "https://a.example/?key=s3"}})
    ).json()
    await root.patch(f"{AGENTS}/hooks/{hook['id']}", json={"active": False})
    await root.post(f"{AGENTS}/hooks/{hook['id']}/pings")
    await root.delete(f"{AGENTS}/hooks/{hook['id']}")
    assert await actions(root) == [
        "task.create",
        "task.steer",
        "task.pause",
        "task.cancel",
        "task.archive",
        "task.unarchive",
        "agent_secret.create",
        "agent_secret.update",
        "agent_secret.remove",
        "agent_variable.create",
        "agent_variable.update",
        "agent_variable.remove",
        "agent_configuration.update",
        "hook.create",
        "hook.update",
        "hook.ping",
        "hook.destroy",
    ]
    assert "s3" not in (await root.get(f"{LOG}?phrase=action:hook")).text


async def put_secret(client: httpx.AsyncClient) -> None:
    key = (await client.get(f"{AGENTS}/secrets/public-key")).json()
    sealed = SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(b"value")
    body = {"encrypted_value": base64.b64encode(sealed).decode(), "key_id": key["key_id"]}
    assert (await client.put(f"{AGENTS}/secrets/KEY", json=body)).is_success


async def test_what_is_refused_leaves_nothing(
    root: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    before = await actions(root)
    assert (await bob.post(TASKS, json={"prompt": "No"})).status_code == 403
    assert (await root.post(TASKS, json={"prompt": "No", "base_ref": "x"})).status_code == 422
    assert (await root.delete(f"{AGENTS}/secrets/NONE")).status_code == 404
    assert await actions(root) == before


async def test_only_administrators_read_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    assert (await alice.get(LOG)).status_code == 403
    assert (await bob.get(LOG)).status_code == 403
    assert (await mallory.get(LOG)).status_code == 404


async def test_it_is_searched_and_read_in_pages(
    root: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    for client in (root, alice, root):
        await create(client)
    await root.put("/repos/octo/hello/copilot/cloud-agent/configuration", json={})
    query = "phrase=action:task+actor:ROOT"
    assert await actions(root, query) == ["task.create", "task.create"]
    assert await actions(root, "phrase=action:task.create%20created:<2020-01-01") == []
    assert len(await actions(root, "phrase=created:>=2020-01-01&per_page=100")) == 4
    first = await root.get(f"{LOG}?per_page=3")
    rest = await root.get(first.links["next"]["url"])
    ids = [int(entry["_document_id"]) for entry in first.json() + rest.json()]
    assert ids == sorted(set(ids), reverse=True)
    for wrong in ("phrase=who:me", "phrase=created:soon", "after=x", "order=up", "per_page=0"):
        assert (await root.get(f"{LOG}?{wrong}")).status_code == 422, wrong


async def test_what_the_operator_does_is_the_operators(world: World) -> None:
    async with operating(configuration(world.data)) as operator:
        await operator.administration.create_user("carol")
        _, token = await operator.administration.create_token("carol", note="laptop")
        await operator.administration.revoke_token(token.id)
    found, _ = await world.services.audit.all(AuditQuery(per_page=3))
    assert [entry.action for entry in found] == [
        Action.TOKEN_REVOKE,
        Action.TOKEN_CREATE,
        Action.USER_CREATE,
    ]
    assert {entry.surface for entry in found} == {Surface.CLI}
    assert {entry.actor for entry in found} == {None}
    assert {entry.user for entry in found} == {"carol"}
    assert all("uid" in entry.data for entry in found)
    assert found[0].data["token_kind"] == "classic"


async def test_who_is_let_in_is_known_to_nobody_else(world: World) -> None:
    """Two callers at once do not take each other's place."""
    clients: dict[str, Any] = {who: world.client(who) for who in ("root", "alice")}
    await asyncio.gather(*(create(clients[who]) for _ in range(5) for who in clients))
    found, _ = await world.services.audit.all(AuditQuery(actions=frozenset({"task.create"})))
    made: dict[str, set[Any]] = {"root": set(), "alice": set()}
    for entry in found:
        assert entry.actor is not None
        made[entry.actor].add(entry.data["task_id"])
    for who, client in clients.items():
        mine = {task["id"] for task in (await client.get("/agents/tasks")).json()["tasks"]}
        assert mine == made[who]
