"""The device flow from the first request to the token, and every way it can fail."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from journeyman.domain.oauth import AppKind
from tests.integration.signin.conftest import DEVICE_GRANT, GH, JSON, Site, hidden, text_of

TOKEN = "/login/oauth/access_token"


async def start(site: Site, client_id: str = GH, scope: str = "repo read:org gist") -> Any:
    asked = {"client_id": client_id, "scope": scope}
    return (await site.client().post("/login/device/code", data=asked, headers=JSON)).json()


async def poll(site: Site, device_code: str, client_id: str = GH, **more: str) -> Any:
    asked = {"client_id": client_id, "device_code": device_code, "grant_type": DEVICE_GRANT, **more}
    answer = await site.client().post(TOKEN, data=asked, headers=JSON)
    assert answer.status_code == 200
    return answer.json()


async def test_githubs_own_command_line_gets_a_token(site: Site) -> None:
    started = await start(site)
    assert started["verification_uri"] == "http://forge.test/login/device"
    assert (started["expires_in"], started["interval"]) == (900, 5)
    assert len(started["device_code"]) == 40
    assert (await poll(site, started["device_code"]))["error"] == "authorization_pending"
    done = await site.approve("bob", started["user_code"].lower().replace("-", " "))
    assert "is connected" in text_of(done)
    token = await poll(site, started["device_code"])
    assert token.keys() == {"access_token", "token_type", "scope"}
    assert token["access_token"].startswith("gho_")
    assert (token["token_type"], token["scope"]) == ("bearer", "gist,read:org,repo")
    headers = {"Authorization": f"token {token['access_token']}"}
    user = await site.client().get("/api/v3/user", headers=headers)
    assert user.json()["login"] == "bob"
    assert user.headers["x-oauth-scopes"] == "gist, read:org, repo"


async def test_a_code_gives_one_token_only(site: Site) -> None:
    started = await start(site)
    await site.approve("bob", started["user_code"])
    assert "access_token" in await poll(site, started["device_code"])
    assert (await poll(site, started["device_code"]))["error"] == "incorrect_device_code"
    assert "wrong, or it has expired" in text_of(await site.approve("bob", started["user_code"]))


async def test_a_denied_device_is_told_so(site: Site) -> None:
    started = await start(site)
    assert "You said no" in text_of(await site.approve("bob", started["user_code"], "deny"))
    assert (await poll(site, started["device_code"]))["error"] == "access_denied"


async def test_a_code_expires(site: Site) -> None:
    started = await start(site)
    site.clock.advance(901)
    assert (await poll(site, started["device_code"]))["error"] == "expired_token"
    assert "wrong, or it has expired" in text_of(await site.approve("bob", started["user_code"]))


async def test_a_client_that_polls_too_fast_is_slowed_down_and_served_all_the_same(
    site: Site,
) -> None:
    code = (started := await start(site))["device_code"]
    assert (await poll(site, code))["error"] == "authorization_pending"
    site.clock.advance(4)
    assert (await poll(site, code))["error"] == "authorization_pending", "a second early is fine"
    for _ in range(5):
        site.clock.advance(2)
        refused = await poll(site, code)
        assert (refused["error"], refused["interval"]) == ("slow_down", 10), "and it never grows"
    await site.approve("bob", started["user_code"])
    assert "access_token" in await poll(site, code)


async def test_every_error_has_githubs_name(site: Site) -> None:
    web_only, _ = await site.register(callback_urls=("https://gadget.example/back",))
    other, _ = await site.register(device_flow=True)
    code = (await start(site))["device_code"]
    assert (await start(site, "nobody"))["error"] == "incorrect_client_credentials"
    assert (await start(site, ""))["error"] == "incorrect_client_credentials"
    assert (await start(site, web_only.client_id))["error"] == "device_flow_disabled"
    assert (await poll(site, code, "nobody"))["error"] == "incorrect_client_credentials"
    assert (await poll(site, code, other.client_id))["error"] == "incorrect_device_code"
    assert (await poll(site, "0" * 40))["error"] == "incorrect_device_code"
    assert (await poll(site, ""))["error"] == "incorrect_device_code"
    refused = await poll(site, code, grant_type="password")
    assert refused["error"] == "unsupported_grant_type"
    assert refused["error_description"]
    assert refused["error_uri"].startswith("https://docs.github.com/")


async def test_a_github_app_gets_a_token_that_ends_and_has_no_scope(site: Site) -> None:
    app, _ = await site.register(
        kind=AppKind.GITHUB, device_flow=True, permissions={"agent_tasks": "read"}
    )
    started = await start(site, app.client_id)
    await site.approve("bob", started["user_code"])
    token = await poll(site, started["device_code"], app.client_id)
    assert token["access_token"].startswith("ghu_")
    assert token["refresh_token"].startswith("ghr_")
    assert token["scope"] == ""
    assert (token["expires_in"], token["refresh_token_expires_in"]) == (28800, 15897600)
    headers = {"Authorization": f"token {token['access_token']}"}
    answer = await site.client().get("/agents/tasks", headers=headers)
    assert answer.status_code == 200
    assert "x-oauth-scopes" not in answer.headers
    assert "2026-01-02 11:04:05 UTC" in answer.headers["github-authentication-token-expiration"]
    site.clock.advance(28800)
    assert await site.user_of(token["access_token"]) == 401


async def test_codes_can_be_tried_fifty_times_an_hour(site: Site) -> None:
    browser = await site.browser("bob")
    form = hidden(await browser.get("/login/device"))
    for _ in range(50):
        wrong = await browser.post("/login/device", data={**form, "user_code": "BBBB-BBBB"})
        assert "wrong, or it has expired" in text_of(wrong)
    started = await start(site)
    right = {**form, "user_code": started["user_code"]}
    assert "too many codes" in text_of(await browser.post("/login/device", data=right))
    site.clock.advance(3601)
    again = await start(site)
    right = {**form, "user_code": again["user_code"]}
    assert "Allow GitHub CLI" in text_of(await browser.post("/login/device", data=right))


@pytest.mark.parametrize("how", ["form", "json", "query"])
async def test_requests_come_as_form_json_or_query(site: Site, how: str) -> None:
    fields = {"client_id": GH, "scope": "repo"}
    ways: dict[str, dict[str, Any]] = {
        "form": {"data": fields},
        "json": {"json": {**fields, "client_secret": None}},
        "query": {"params": fields},
    }
    answer = await site.client().post("/login/device/code", headers=JSON, **ways[how])
    assert "device_code" in answer.json()


@pytest.mark.parametrize(
    ("accept", "kind", "start_of_body"),
    [
        ("*/*", "application/x-www-form-urlencoded; charset=utf-8", "device_code="),
        ("application/json", "application/json; charset=utf-8", '{"device_code":"'),
        ("application/vnd.github+json", "application/json; charset=utf-8", '{"device_code":"'),
        ("application/xml", "application/xml; charset=utf-8", "<OAuth><device_code>"),
    ],
)
async def test_answers_come_as_form_json_or_xml(
    site: Site, accept: str, kind: str, start_of_body: str
) -> None:
    answer = await site.client().post(
        "/login/device/code", data={"client_id": GH}, headers={"Accept": accept}
    )
    assert answer.headers["content-type"] == kind
    assert answer.text.startswith(start_of_body)
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe", b"x" * (5 << 20), b'{"client_id":{}}']
)
async def test_a_body_that_is_nonsense_is_an_error_like_the_others(
    site: Site, content: bytes
) -> None:
    headers = {**JSON, "Content-Type": "application/json"}
    answer = await site.client().post(TOKEN, content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["error"] in ("incorrect_client_credentials", "invalid_request")


async def test_only_post_is_taken(site: Site) -> None:
    for path in ("/login/device/code", TOKEN):
        answer: httpx.Response = await site.client().get(path)
        assert answer.status_code == 404
