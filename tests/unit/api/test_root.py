"""What the server says of itself, of accounts and of repositories."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.api.conftest import HOST, World


@pytest.mark.parametrize("target", ["/", "/api/v3", "/api/v3/"])
async def test_the_root_lists_addresses(anonymous: httpx.AsyncClient, target: str) -> None:
    links = (await anonymous.get(target)).json()
    assert links["current_user_url"] == f"{HOST}{target.rstrip('/')}/user"


async def test_meta_versions_and_zen_are_public(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/meta")).json() == {"verifiable_password_authentication": False}
    assert (await anonymous.get("/versions")).json() == ["2022-11-28", "2026-03-10"]
    zen = await anonymous.get("/zen")
    assert zen.headers["content-type"].startswith("text/plain")


async def test_the_user_is_complete(alice: httpx.AsyncClient) -> None:
    user = (await alice.get("/user")).json()
    assert (user["login"], user["type"], user["site_admin"]) == ("alice", "User", False)
    assert user["node_id"].startswith("U_kg")
    assert user["url"] == f"{HOST}/users/alice"


async def test_a_repository_is_complete_and_says_what_the_caller_may(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    found = (await alice.get("/repos/OCTO/hello")).json()
    assert (found["full_name"], found["private"]) == ("octo/hello", True)
    assert found["default_branch"] == "main"
    assert found["clone_url"] == f"{HOST}/octo/hello.git"
    assert found["owner"] == found["organization"]
    assert found["permissions"]["push"]
    assert not (await bob.get("/repos/octo/hello")).json()["permissions"]["push"]
    assert (await mallory.get("/repos/octo/hello")).status_code == 404


async def test_health_and_readiness_need_no_token(world: World) -> None:
    client = world.client(None)
    for target in ("/healthz", "/readyz"):
        assert (await client.get(target)).json() == {"status": "ok"}


async def test_a_server_that_is_not_ready_says_so(world: World) -> None:
    async def unready() -> bool:
        return False

    client = world.client(None, of=world.application(ready=unready))
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
    assert (await client.get("/healthz")).status_code == 200
