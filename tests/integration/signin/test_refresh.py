"""Refresh tokens: a new pair for the old one, which ends."""

from __future__ import annotations

from typing import Any

import pytest

from journeyman.domain.oauth import App, AppKind
from tests.integration.signin.conftest import DEVICE_GRANT, JSON, Site
from tests.integration.signin.test_web_flow import BACK, code_for, question

TOKEN = "/login/oauth/access_token"


async def ask(site: Site, **fields: Any) -> Any:
    return (await site.client().post(TOKEN, json=fields, headers=JSON)).json()


async def by_device(site: Site) -> tuple[App, str | None, Any]:
    app, secret = await site.register(kind=AppKind.GITHUB, device_flow=True)
    started = await site.services.oauth.start_device(app.client_id, "")
    await site.approve("alice", started.user_code)
    grant = {"device_code": started.device_code, "grant_type": DEVICE_GRANT}
    return app, secret, await ask(site, client_id=app.client_id, **grant)


async def refresh(site: Site, app: App, token: str, secret: str | None = None) -> Any:
    grant = {"grant_type": "refresh_token", "refresh_token": token}
    return await ask(site, client_id=app.client_id, client_secret=secret, **grant)


async def test_a_refresh_gives_a_new_pair_and_ends_the_old_one(site: Site) -> None:
    app, _, old = await by_device(site)
    new = await refresh(site, app, old["refresh_token"])
    assert new.keys() == old.keys()
    assert await site.user_of(old["access_token"]) == 401
    assert await site.user_of(new["access_token"]) == 200
    assert "access_token" in await refresh(site, app, new["refresh_token"])


async def test_a_refresh_token_that_is_shown_again_ends_all_that_came_of_it(site: Site) -> None:
    app, _, old = await by_device(site)
    _, _, others = await by_device(site)
    second = await refresh(site, app, old["refresh_token"])
    third = await refresh(site, app, second["refresh_token"])
    assert await site.user_of(third["access_token"]) == 200
    assert (await refresh(site, app, old["refresh_token"]))["error"] == "bad_refresh_token"
    assert await site.user_of(third["access_token"]) == 401
    assert (await refresh(site, app, third["refresh_token"]))["error"] == "bad_refresh_token"
    assert await site.user_of(others["access_token"]) == 200


async def test_an_expired_token_can_be_refreshed_for_six_months(site: Site) -> None:
    app, _, old = await by_device(site)
    site.clock.advance(15897600 - 1)
    assert await site.user_of(old["access_token"]) == 401
    new = await refresh(site, app, old["refresh_token"])
    assert await site.user_of(new["access_token"]) == 200
    site.clock.advance(15897600)
    assert (await refresh(site, app, new["refresh_token"]))["error"] == "bad_refresh_token"


async def test_a_token_of_the_web_flow_needs_the_secret(site: Site) -> None:
    app, secret = await site.register(kind=AppKind.GITHUB, callback_urls=(BACK,))
    code = await code_for(site, question(app))
    old = await ask(site, client_id=app.client_id, client_secret=secret, code=code)
    for wrong in (None, "x"):
        refused = await refresh(site, app, old["refresh_token"], wrong)
        assert refused["error"] == "incorrect_client_credentials"
    assert "access_token" in await refresh(site, app, old["refresh_token"], secret)


async def test_a_secret_that_is_given_must_be_right(site: Site) -> None:
    app, secret, old = await by_device(site)
    refused = await refresh(site, app, old["refresh_token"], "x")
    assert refused["error"] == "incorrect_client_credentials"
    assert "access_token" in await refresh(site, app, old["refresh_token"], secret)


@pytest.mark.parametrize("token", ["", "x", "ghr_" + "0" * 76])
async def test_what_is_no_refresh_token_is_refused(site: Site, token: str) -> None:
    app, secret, _ = await by_device(site)
    assert (await refresh(site, app, token, secret))["error"] == "bad_refresh_token"
    assert (await refresh(site, app, token))["error"] == "bad_refresh_token"


async def test_a_refresh_token_is_its_apps_alone_and_no_credential(site: Site) -> None:
    _, _, old = await by_device(site)
    other, secret = await site.register(kind=AppKind.GITHUB, device_flow=True)
    refused = await refresh(site, other, old["refresh_token"], secret)
    assert refused["error"] == "bad_refresh_token"
    assert await site.user_of(old["refresh_token"]) == 401


async def test_a_revoked_token_cannot_be_refreshed(site: Site) -> None:
    app, _, old = await by_device(site)
    await site.services.apps.revoke_credentials([old["access_token"]])
    assert (await refresh(site, app, old["refresh_token"]))["error"] == "bad_refresh_token"


async def test_a_token_can_be_narrowed_to_one_repository(site: Site) -> None:
    app, _ = await site.register(kind=AppKind.GITHUB, device_flow=True)
    started = await site.services.oauth.start_device(app.client_id, "")
    await site.approve("alice", started.user_code)
    grant = {"device_code": started.device_code, "grant_type": DEVICE_GRANT}
    issued = await ask(site, client_id=app.client_id, repository_id=7, **grant)
    principal = await site.services.identity.authenticate(issued["access_token"])
    assert principal.repository_ids == frozenset([7])
    new = await refresh(site, app, issued["refresh_token"])
    again = await site.services.identity.authenticate(new["access_token"])
    assert again.repository_ids == frozenset([7])


async def test_what_the_operator_has_revoked_does_not_come_back(site: Site) -> None:
    app, _, old = await by_device(site)
    [issued] = [
        token
        for token in await site.administration.list_tokens()
        if token.last_eight == old["access_token"][-8:]
    ]
    await site.administration.revoke_token(issued.id)
    assert (await refresh(site, app, old["refresh_token"]))["error"] == "bad_refresh_token"
