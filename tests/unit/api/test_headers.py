"""The headers of every answer, HEAD, preflights and versions of the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest

from journeyman.api.exchange import Exchange
from journeyman.api.headers import of_token
from journeyman.api.routes import Options
from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.repositories import Account, AccountType
from tests.unit.api.conftest import TASKS, World, create


async def test_every_answer_has_githubs_headers(alice: httpx.AsyncClient) -> None:
    for target in ("/user", "/nothing", f"{TASKS}?page=0", "/healthz"):
        headers = (await alice.get(target)).headers
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["x-github-media-type"] == "github.v3; format=json"
        assert headers["x-github-api-version-selected"] == "2022-11-28"
        assert headers["access-control-allow-origin"] == "*"
        assert "Link" in headers["access-control-expose-headers"]
        assert headers["content-security-policy"] == "default-src 'none'"
        assert headers["x-frame-options"] == "deny"
        assert "Authorization" in headers["vary"]
        assert re.fullmatch(r"[0-9A-F]{4}(:[0-9A-F]{6,8}){4}", headers["x-github-request-id"])


async def test_each_request_has_its_own_id(alice: httpx.AsyncClient) -> None:
    found = {(await alice.get("/user")).headers["x-github-request-id"] for _ in range(3)}
    assert len(found) == 3


async def test_only_the_callers_own_cache_keeps_an_answer(
    alice: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    signed = (await alice.get("/agents/tasks")).headers["cache-control"]
    assert signed == "private, max-age=0, must-revalidate"
    assert (await anonymous.get("/meta")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("version", ["2022-11-28", "2026-01-09", "2026-03-10"])
async def test_a_known_version_is_selected(alice: httpx.AsyncClient, version: str) -> None:
    response = await alice.get("/agents/tasks", headers={"X-GitHub-Api-Version": version})
    assert response.status_code == 200
    assert response.headers["x-github-api-version-selected"] == version


@pytest.mark.parametrize(
    ("version", "status"), [("v3", 400), ("2027-01-01", 400), ("2021-01-01", 410)]
)
async def test_another_version_is_refused(
    alice: httpx.AsyncClient, version: str, status: int
) -> None:
    response = await alice.get("/agents/tasks", headers={"X-GitHub-Api-Version": version})
    assert response.status_code == status
    assert response.json()["message"] == (
        f'The version you specified in the "X-GitHub-API-Version" request header, "{version}", '
        "is not a supported version. The following versions are currently supported: "
        '"2026-03-10" (most recent), "2022-11-28".'
    )


async def test_what_2026_03_10_removes_is_kept(alice: httpx.AsyncClient) -> None:
    newest = {"X-GitHub-Api-Version": "2026-03-10"}
    assert "rate" in (await alice.get("/rate_limit", headers=newest)).json()
    assert "hub_url" in (await alice.get("/", headers=newest)).json()


async def test_a_client_without_a_name_is_served(alice: httpx.AsyncClient) -> None:
    del alice.headers["user-agent"]
    assert (await alice.get("/user")).status_code == 200


@pytest.mark.parametrize("kind", [TokenKind.FINE_GRAINED, TokenKind.APP_USER])
def test_a_token_without_scopes_is_told_the_permission(kind: TokenKind) -> None:
    account = Account(1, "alice", AccountType.USER, False, datetime(2026, 1, 1, tzinfo=UTC))
    current = Exchange(principal=Principal(account, kind), needs="agent_tasks=write")
    assert of_token(current, 200) == {"x-accepted-github-permissions": "agent_tasks=write"}


async def test_head_is_get_without_a_body(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    for target in ("/", "/api/v3", "/user", "/agents/tasks", f"/agents/tasks/{made}", "/nothing"):
        get, head = await alice.get(target), await alice.head(target)
        assert head.status_code == get.status_code
        assert head.headers["content-length"] == str(len(get.content))
        assert head.headers.get("etag") == get.headers.get("etag")


async def test_head_of_a_stream_ends(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    accept = {"Accept": "text/event-stream"}
    response = await alice.head(f"/agents/tasks/{made}/events", headers=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("target", ["/agents/tasks", "/api/v3/user", "/nothing"])
async def test_a_preflight_is_allowed(anonymous: httpx.AsyncClient, target: str) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = await anonymous.options(target, headers=headers)
    assert response.status_code == 204
    assert "content-type" not in response.headers
    assert "POST" in response.headers["access-control-allow-methods"]
    for name in ("Authorization", "If-None-Match", "X-GitHub-Api-Version", "Idempotency-Key"):
        assert name in response.headers["access-control-allow-headers"]


async def test_a_configured_address_is_used_in_answers(world: World) -> None:
    of = world.application(Options(public_url="https://agents.example/"))
    response = await world.client(of=of).get("/api/v3/user")
    assert response.json()["url"] == "https://agents.example/api/v3/users/alice"
