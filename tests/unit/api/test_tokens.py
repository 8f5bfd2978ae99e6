"""Who may ask at all, and what the answer says of the token."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from journeyman.forge.embedded import tokens
from tests.unit.api.conftest import TASKS, World

SIGNED = ("/user", "/agents/tasks", TASKS, "/repos/octo/hello", "/agents/models")


@pytest.mark.parametrize("target", SIGNED)
async def test_no_token_requires_authentication(anonymous: httpx.AsyncClient, target: str) -> None:
    response = await anonymous.get(target)
    assert response.status_code == 401
    assert response.json()["message"] == "Requires authentication"
    assert response.json()["status"] == "401"


@pytest.mark.parametrize("target", [*SIGNED, "/", "/meta", "/rate_limit"])
@pytest.mark.parametrize("header", ["token nonsense", "Bearer unknown", "Digest x", "Basic !", "ü"])
async def test_a_bad_token_is_bad_credentials_everywhere(
    anonymous: httpx.AsyncClient, target: str, header: str
) -> None:
    header = header.replace("unknown", tokens.mint("ghp_"))
    response = await anonymous.get(target, headers=[(b"Authorization", header.encode())])
    assert response.status_code == 401
    assert response.json()["message"] == "Bad credentials"


async def test_every_form_of_a_good_token_is_taken(world: World) -> None:
    token = world.tokens["alice"]
    pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    for header in (f"token {token}", f"Bearer {token}", f"BEARER {token}", f"basic {pair}"):
        response = await world.client(None).get("/user", headers={"Authorization": header})
        assert response.json()["login"] == "alice"


async def test_an_installation_token_is_refused(anonymous: httpx.AsyncClient) -> None:
    headers = {"Authorization": "Bearer ghs_12345_eyJh.bGci.OiJI"}
    response = await anonymous.get("/agents/tasks", headers=headers)
    assert response.status_code == 403
    assert response.json()["message"] == "Resource not accessible by integration"
    assert response.headers["x-accepted-github-permissions"] == "agent_tasks=read"
    assert "retry-after" not in response.headers


async def test_a_revoked_and_an_expired_token_are_bad(world: World) -> None:
    secret, token = await world.administration.create_token("alice")
    headers = {"Authorization": f"token {secret}"}
    client = world.client(None)
    assert (await client.get("/user", headers=headers)).status_code == 200
    await world.administration.revoke_token(token.id)
    assert (await client.get("/user", headers=headers)).status_code == 401


async def test_scopes_and_expiration_are_told(world: World, alice: httpx.AsyncClient) -> None:
    response = await alice.get("/")
    assert response.headers["x-oauth-scopes"] == "repo, user"
    assert response.headers["x-accepted-oauth-scopes"] == ""
    assert "github-authentication-token-expiration" not in response.headers
    until = datetime.now(UTC) + timedelta(hours=8)
    secret, _ = await world.administration.create_token("alice", expires_at=until)
    response = await alice.get(TASKS, headers={"Authorization": f"token {secret}"})
    told = response.headers["github-authentication-token-expiration"]
    assert told == f"{until:%Y-%m-%d %H:%M:%S} UTC"
    assert response.headers["x-accepted-oauth-scopes"] == "repo"


async def test_a_stranger_is_told_nothing_of_scopes(anonymous: httpx.AsyncClient) -> None:
    assert "x-oauth-scopes" not in (await anonymous.get("/")).headers
