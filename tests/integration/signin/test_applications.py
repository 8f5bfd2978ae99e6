"""What an app asks of a token that it holds: check, reset, revoke."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from journeyman.domain.oauth import App
from tests.integration.signin.conftest import Site


async def held(site: Site, user: str = "alice") -> tuple[App, str, str]:
    """An app, its secret, and a token of *user* that it holds."""
    app, secret = await site.register(device_flow=True)
    assert secret is not None
    return app, secret, await token_of(site, app, user)


async def token_of(site: Site, app: App, user: str) -> str:
    started = await site.services.oauth.start_device(app.client_id, "repo gist")
    await site.approve(user, started.user_code)
    return (await site.services.oauth.poll_device(app.client_id, started.device_code)).access_token


async def ask(
    site: Site, method: str, app: App, secret: str, body: Any, path: str = "token"
) -> httpx.Response:
    return await site.client().request(
        method, f"/applications/{app.client_id}/{path}", json=body, auth=(app.client_id, secret)
    )


async def test_check_tells_what_the_token_is(site: Site) -> None:
    app, secret, token = await held(site)
    answer = await ask(site, "POST", app, secret, {"access_token": token})
    assert answer.status_code == 200
    told = answer.json()
    assert told["token"] == token
    assert told["scopes"] == ["gist", "repo"]
    assert told["user"]["login"] == "alice"
    assert told["app"] == {
        "name": "Gadget", "client_id": app.client_id, "url": "http://forge.test",
    }  # fmt: skip
    below = await site.client().post(
        f"/api/v3/applications/{app.client_id}/token",
        json={"access_token": token},
        auth=(app.client_id, secret),
    )
    assert below.status_code == 200


async def test_reset_gives_another_token_with_the_same_rights(site: Site) -> None:
    app, secret, token = await held(site)
    answer = await ask(site, "PATCH", app, secret, {"access_token": token})
    new = answer.json()
    assert new["scopes"] == ["gist", "repo"]
    assert await site.user_of(token) == 401
    assert await site.user_of(new["token"]) == 200


async def test_revoke_ends_the_token_and_nothing_else(site: Site) -> None:
    app, secret, token = await held(site)
    other = await token_of(site, app, "alice")
    assert (await ask(site, "DELETE", app, secret, {"access_token": token})).status_code == 204
    assert await site.user_of(token) == 401
    assert await site.user_of(other) == 200
    assert (await ask(site, "POST", app, secret, {"access_token": token})).status_code == 404


async def test_revoking_the_grant_ends_all_of_its_users_tokens(site: Site) -> None:
    app, secret, token = await held(site)
    other, bobs = await token_of(site, app, "alice"), await token_of(site, app, "bob")
    body = {"access_token": token}
    assert (await ask(site, "DELETE", app, secret, body, "grant")).status_code == 204
    assert [await site.user_of(one) for one in (token, other, bobs)] == [401, 401, 200]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_an_app_sees_its_own_tokens_and_must_show_its_secret(site: Site, method: str) -> None:
    app, secret, token = await held(site)
    other, other_secret, _ = await held(site)
    body = {"access_token": token}
    path = f"/applications/{app.client_id}/token"
    assert (await ask(site, method, other, other_secret, body)).status_code == 404
    assert (await ask(site, method, app, "x", body)).status_code == 401
    assert (await ask(site, method, app, "", body)).status_code == 401
    assert (await ask(site, method, app, secret, {})).status_code == 422
    stranger = (other.client_id, other_secret)
    wrong = await site.client().request(method, path, json=body, auth=stranger)
    assert wrong.status_code == 404
    assert (await site.client().request(method, path, json=body)).status_code == 401
    assert await site.user_of(token) == 200


async def test_a_deleted_app_takes_its_tokens_with_it(site: Site) -> None:
    app, secret, token = await held(site)
    await site.services.apps.delete(app.client_id)
    assert await site.user_of(token) == 401
    assert (await ask(site, "POST", app, secret, {"access_token": token})).status_code == 401


async def test_whoever_holds_a_token_may_end_it(site: Site) -> None:
    _, _, token = await held(site)
    client = site.client()
    answer = await client.post("/credentials/revoke", json={"credentials": [token, "ghp_x"]})
    assert answer.status_code == 202
    assert await site.user_of(token) == 401
    nonsense: list[Any] = [{}, {"credentials": []}, {"credentials": [1]}, {"credentials": "x"}]
    for wrong in nonsense:
        assert (await client.post("/credentials/revoke", json=wrong)).status_code == 422
