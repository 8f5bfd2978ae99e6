"""githubkit's OAuth strategies: it gets, renews and ends its tokens by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from githubkit import GitHub, OAuthAppAuthStrategy, OAuthDeviceAuthStrategy, OAuthWebAuthStrategy
from githubkit.exception import AuthExpiredError, RequestFailed

from tests.conformance.browser import agree, enter_code, query_of
from tests.conformance.conftest import BACK, Forge, Registered

PREFIX = {"oauth": "gho_", "github": "ghu_"}


@pytest.fixture(params=["", "/api/v3"])
def base(forge: Forge, request: pytest.FixtureRequest) -> str:
    return forge.url + str(request.param)


def client(auth: Any, base: str) -> GitHub[Any]:
    return GitHub(auth, base_url=base, auto_retry=False, http_cache=False)


def by_web(browser: httpx.Client, app: Registered) -> OAuthWebAuthStrategy:
    asked = {"client_id": app.client_id, "redirect_uri": BACK, "scope": "repo", "state": "x"}
    back = query_of(agree(browser, f"/login/oauth/authorize?{urlencode(asked)}"))
    assert back["state"] == "x"
    return OAuthWebAuthStrategy(app.client_id, app.secret, back["code"], BACK)


def status_of(kit: GitHub[Any]) -> int:
    try:
        return kit.rest.users.get_authenticated().status_code
    except RequestFailed as refused:
        return refused.response.status_code


@pytest.mark.parametrize("kind", ["oauth", "github"])
def test_the_device_flow(
    forge: Forge, base: str, browser: httpx.Client, apps: dict[str, Registered], kind: str
) -> None:
    shown: list[dict[str, Any]] = []

    def told(verification: dict[str, Any]) -> None:
        shown.append(verification)
        enter_code(browser, verification["user_code"])

    auth = OAuthDeviceAuthStrategy(apps[kind].client_id, told, scopes=["repo", "gist"])
    kit = client(auth, base)
    assert kit.rest.users.get_authenticated().parsed_data.login == "alice"
    assert kit.rest.agent_tasks.list_tasks(per_page=1).parsed_data.tasks
    assert auth.token.startswith(PREFIX[kind])
    assert [one["verification_uri"] for one in shown] == [f"{forge.url}/login/device"]


@pytest.mark.parametrize("kind", ["oauth", "github"])
def test_the_web_flow(
    base: str, browser: httpx.Client, apps: dict[str, Registered], kind: str
) -> None:
    auth = by_web(browser, apps[kind])
    kit = client(auth, base)
    assert kit.rest.users.get_authenticated().parsed_data.login == "alice"
    assert auth.token.startswith(PREFIX[kind])
    again = OAuthWebAuthStrategy(auth.client_id, auth.client_secret, auth.code, BACK)
    with pytest.raises(AuthExpiredError) as caught:
        again.exchange_token(client(None, base))
    assert "bad_verification_code" in str(caught.value.args), "a code works once"


async def test_the_web_flow_asynchronously(
    base: str, browser: httpx.Client, apps: dict[str, Registered]
) -> None:
    async with client(by_web(browser, apps["oauth"]), base) as kit:
        answer = await kit.rest.users.async_get_authenticated()
    assert answer.parsed_data.login == "alice"


def test_a_token_of_a_github_app_is_renewed_when_its_time_is_over(
    base: str, browser: httpx.Client, apps: dict[str, Registered]
) -> None:
    web = by_web(browser, apps["github"])
    auth = web.exchange_token(client(None, base))
    before, renewing = auth.token, auth.refresh_token
    assert auth.expire_time is not None
    hours = (auth.expire_time - datetime.now(UTC)) / timedelta(hours=1)
    assert 7.9 < hours < 8
    auth.expire_time = datetime.now(UTC) - timedelta(seconds=1)
    kit = client(auth, base)
    assert status_of(kit) == 200
    assert auth.token != before
    assert auth.refresh_token != renewing
    auth.refresh(kit)
    assert status_of(kit) == 200
    auth.refresh_token = renewing
    with pytest.raises(AuthExpiredError):
        auth.refresh(kit)


def test_an_app_checks_resets_and_ends_its_tokens(
    base: str, browser: httpx.Client, apps: dict[str, Registered]
) -> None:
    app = apps["oauth"]
    web = by_web(browser, app)
    user = client(web.exchange_token(client(None, base)), base)
    own = client(OAuthAppAuthStrategy(app.client_id, app.secret), base)
    known: Any = own.rest.apps
    found = known.check_token(app.client_id, access_token=web.token).parsed_data
    assert (found.user.login, found.scopes) == ("alice", ["repo"])
    reset = known.reset_token(app.client_id, access_token=web.token).parsed_data
    assert status_of(user) == 401
    assert known.delete_token(app.client_id, access_token=reset.token).status_code == 204
    with pytest.raises(RequestFailed) as caught:
        known.check_token(app.client_id, access_token=reset.token)
    assert caught.value.response.status_code == 404
    other = by_web(browser, app)
    held = client(other.exchange_token(client(None, base)), base)
    assert known.delete_authorization(app.client_id, access_token=other.token).status_code == 204
    assert status_of(held) == 401
