"""`/agents/secrets` and `/agents/variables` of repositories and organizations."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

import httpx
import pytest
from nacl.public import PublicKey, SealedBox

from journeyman import app
from journeyman.api import routes
from journeyman.forge import Access
from tests.unit.api.conftest import World, configuration

REPO = "/repos/octo/hello/agents"
OTHER = "/repos/octo/other/agents"
ORG = "/orgs/octo/agents"


@pytest.fixture
def root(world: World) -> httpx.AsyncClient:
    """Administers the site, and so its organizations."""
    return world.client("root")


async def sealed(client: httpx.AsyncClient, value: str, base: str = REPO) -> dict[str, str]:
    key = (await client.get(f"{base}/secrets/public-key")).json()
    box = SealedBox(PublicKey(base64.b64decode(key["key"])))
    encrypted = base64.b64encode(box.encrypt(value.encode())).decode()
    return {"encrypted_value": encrypted, "key_id": key["key_id"]}


async def access_to(world: World, name: str) -> Access:
    principal = await world.services.identity.authenticate(world.tokens["root"])
    return await world.services.identity.access(principal, "octo", name)


async def environment(world: World, name: str = "hello", *, mcp: bool = False) -> dict[str, str]:
    repository = (await access_to(world, name)).repository
    return await world.services.secrets.environment_for(repository, mcp=mcp)


async def test_a_secret_is_put_listed_and_never_shown(
    world: World, alice: httpx.AsyncClient
) -> None:
    first = await alice.put(f"{REPO}/secrets/api_key", json=await sealed(alice, "s3cret"))
    again = await alice.put(f"{REPO}/secrets/API_KEY", json=await sealed(alice, "other"))
    assert (first.status_code, first.json(), again.status_code) == (201, {}, 204)
    listed = await alice.get(f"{REPO}/secrets")
    assert list(listed.json()) == ["total_count", "secrets"]
    (entry,) = listed.json()["secrets"]
    assert set(entry) == {"name", "created_at", "updated_at"}
    assert (await alice.get(f"{REPO}/secrets/api_key")).json() == entry
    assert "other" not in listed.text
    assert await environment(world) == {"API_KEY": "other"}


async def test_a_secret_is_deleted_once(alice: httpx.AsyncClient) -> None:
    await alice.put(f"{REPO}/secrets/KEY", json=await sealed(alice, "x"))
    assert (await alice.delete(f"{REPO}/secrets/key")).status_code == 204
    assert (await alice.delete(f"{REPO}/secrets/key")).status_code == 404
    assert (await alice.get(f"{REPO}/secrets/key")).status_code == 404


async def test_nothing_readable_is_stored(world: World, alice: httpx.AsyncClient) -> None:
    await alice.put(f"{REPO}/secrets/KEY", json=await sealed(alice, "needle-1"))
    await alice.post(f"{REPO}/variables", json={"name": "V", "value": "needle-2"})
    with sqlite3.connect(world.data / "journeyman.db") as database:
        stored = database.execute("SELECT value FROM agent_value").fetchall()
    assert len(stored) == 2
    assert not any(b"needle" in value for (value,) in stored)
    key = world.data / "secrets.key"
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)


@pytest.mark.parametrize("name", ["1st", "GITHUB_TOKEN", "a-b", "é", "x" * 256, "github_x"])
async def test_a_bad_name_is_refused(alice: httpx.AsyncClient, name: str) -> None:
    response = await alice.put(f"{REPO}/secrets/{name}", json=await sealed(alice, "x"))
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "name"


async def test_what_is_not_sealed_for_this_server_is_refused(alice: httpx.AsyncClient) -> None:
    good = await sealed(alice, "x")
    cases: list[tuple[dict[str, Any], str]] = [
        ({**good, "key_id": "1"}, "key_id"),
        ({**good, "encrypted_value": "AAAA"}, "encrypted_value"),
        ({**good, "encrypted_value": "!"}, "encrypted_value"),
        ({"key_id": good["key_id"]}, "encrypted_value"),
        ({"encrypted_value": good["encrypted_value"]}, "key_id"),
        (await sealed(alice, "a\0b"), "value"),
        (await sealed(alice, "x" * 50_000), "value"),
    ]
    for content, field in cases:
        response = await alice.put(f"{REPO}/secrets/KEY", json=content)
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == field


async def test_a_variable_is_made_read_changed_and_deleted(
    world: World, alice: httpx.AsyncClient
) -> None:
    body = {"name": "level", "value": "debug"}
    made = await alice.post(f"{REPO}/variables", json=body)
    assert (made.status_code, made.json()) == (201, {})
    twice = await alice.post(f"{REPO}/variables", json=body)
    assert (twice.status_code, twice.json()["errors"][0]["code"]) == (422, "already_exists")
    found = (await alice.get(f"{REPO}/variables/level")).json()
    assert (found["name"], found["value"]) == ("LEVEL", "debug")
    changed = await alice.patch(f"{REPO}/variables/level", json={"name": "LOG", "value": "info"})
    assert changed.status_code == 204
    assert await environment(world) == {"LOG": "info"}
    assert (await alice.delete(f"{REPO}/variables/log")).status_code == 204
    assert (await alice.get(f"{REPO}/variables")).json() == {"total_count": 0, "variables": []}


async def test_a_variable_takes_no_other_ones_name(alice: httpx.AsyncClient) -> None:
    for name in ("A", "B"):
        await alice.post(f"{REPO}/variables", json={"name": name, "value": name})
    assert (await alice.patch(f"{REPO}/variables/A", json={"name": "b"})).status_code == 422
    assert (await alice.patch(f"{REPO}/variables/A", json={"name": "a"})).status_code == 204
    assert (await alice.patch(f"{REPO}/variables/C", json={"value": "x"})).status_code == 404


async def test_variables_come_in_pages_of_ten(alice: httpx.AsyncClient) -> None:
    for number in range(12):
        name = f"V{number:02}"
        await alice.post(f"{REPO}/variables", json={"name": name, "value": str(number)})
    first = await alice.get(f"{REPO}/variables")
    assert (len(first.json()["variables"]), first.json()["total_count"]) == (10, 12)
    assert 'rel="next"' in first.headers["link"]
    second = await alice.get(f"{REPO}/variables?page=2")
    assert [v["name"] for v in second.json()["variables"]] == ["V10", "V11"]
    assert (await alice.get(f"{REPO}/variables?per_page=31")).status_code == 422


async def test_who_may_only_read_sees_none(
    bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    for path in ("secrets", "secrets/public-key", "variables", "organization-secrets"):
        assert (await bob.get(f"{REPO}/{path}")).status_code == 403
        assert (await mallory.get(f"{REPO}/{path}")).status_code == 404


async def test_an_organization_shares_by_visibility(world: World, root: httpx.AsyncClient) -> None:
    hello = (await access_to(world, "hello")).repository.id
    shared: dict[str, dict[str, object]] = {
        "EVERY": {"visibility": "all"},
        "CLOSED": {"visibility": "private"},
        "SOME": {"visibility": "selected", "selected_repository_ids": [hello]},
    }
    for name, sharing in shared.items():
        content = {**await sealed(root, name.lower(), ORG), **sharing}
        assert (await root.put(f"{ORG}/secrets/{name}", json=content)).status_code == 201
    assert set(await environment(world, "hello")) == {"EVERY", "CLOSED", "SOME"}
    assert set(await environment(world, "other")) == {"EVERY", "CLOSED"}
    listed = (await root.get(f"{REPO}/organization-secrets")).json()
    assert (listed["total_count"], len(listed["secrets"])) == (3, 3)
    some = (await root.get(f"{ORG}/secrets/some")).json()
    assert some["visibility"] == "selected"
    assert some["selected_repositories_url"].endswith("/orgs/octo/agents/secrets/SOME/repositories")
    assert "selected_repositories_url" not in (await root.get(f"{ORG}/secrets/every")).json()


async def test_the_repositorys_own_wins(world: World, root: httpx.AsyncClient) -> None:
    await root.post(f"{ORG}/variables", json={"name": "LEVEL", "value": "org", "visibility": "all"})
    assert await environment(world) == {"LEVEL": "org"}
    await root.post(f"{REPO}/variables", json={"name": "LEVEL", "value": "repo"})
    assert await environment(world) == {"LEVEL": "repo"}
    assert await environment(world, "other") == {"LEVEL": "org"}


async def test_repositories_are_selected_and_deselected(
    world: World, root: httpx.AsyncClient
) -> None:
    hello = (await access_to(world, "hello")).repository.id
    other = (await access_to(world, "other")).repository.id
    body = {"name": "V", "value": "x", "visibility": "selected"}
    await root.post(f"{ORG}/variables", json=body)
    target = f"{ORG}/variables/V/repositories"
    assert (await root.get(target)).json() == {"total_count": 0, "repositories": []}
    put = await root.put(target, json={"selected_repository_ids": [hello]})
    assert put.status_code == 204
    assert (await root.put(f"{target}/{other}")).status_code == 204
    names = [r["full_name"] for r in (await root.get(target)).json()["repositories"]]
    assert names == ["octo/hello", "octo/other"]
    assert (await root.delete(f"{target}/{hello}")).status_code == 204
    assert [r["id"] for r in (await root.get(target)).json()["repositories"]] == [other]
    for strange in (99, 10**30, -1):
        content = {"selected_repository_ids": [strange]}
        assert (await root.put(target, json=content)).status_code == 422
    assert (await root.put(target, json={"selected_repository_ids": ["x"]})).status_code == 422
    assert (await root.put(target, json={})).status_code == 422
    assert (await root.put(f"{target}/x")).status_code == 404


async def test_only_what_is_selected_has_selected_repositories(root: httpx.AsyncClient) -> None:
    body = {"name": "V", "value": "x", "visibility": "all"}
    await root.post(f"{ORG}/variables", json=body)
    assert (await root.put(f"{ORG}/variables/V/repositories/1")).status_code == 409
    both = {**body, "name": "W", "selected_repository_ids": [1]}
    assert (await root.post(f"{ORG}/variables", json=both)).status_code == 422
    assert (
        await root.post(f"{ORG}/variables", json={**body, "visibility": "x"})
    ).status_code == 422
    without = {"name": "X", "value": "x"}
    assert (await root.post(f"{ORG}/variables", json=without)).status_code == 422


async def test_organizations_are_the_site_administrators(
    alice: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    assert (await alice.get(f"{ORG}/secrets")).status_code == 403
    for name in ("alice", "nobody"):
        assert (await root.get(f"/orgs/{name}/agents/secrets")).status_code == 404


async def test_what_is_for_mcp_servers_is_not_in_the_agents_environment(
    world: World, alice: httpx.AsyncClient
) -> None:
    for name in ("COPILOT_MCP_TOKEN", "PLAIN"):
        await alice.put(f"{REPO}/secrets/{name}", json=await sealed(alice, name.lower()))
    assert await environment(world) == {"PLAIN": "plain"}
    assert await environment(world, mcp=True) == {"COPILOT_MCP_TOKEN": "copilot_mcp_token"}
    repository = (await access_to(world, "hello")).repository
    masked = await world.services.secrets.masked_for(repository)
    assert masked == {"plain", "copilot_mcp_token"}


async def test_another_key_is_told_not_guessed(world: World, alice: httpx.AsyncClient) -> None:
    await alice.post(f"{REPO}/variables", json={"name": "V", "value": "x"})
    (world.data / "secrets.key").write_bytes(b"k" * 32)
    async with app.parts(configuration(world.data)) as parts:
        application = routes.build_app(parts.services)
        client = world.client("alice", of=application)
        response = await client.get(f"{REPO}/variables", extensions={"also": {503}})
    assert response.status_code == 503
    assert "secrets.key" in response.json()["message"]
