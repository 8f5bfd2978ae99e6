"""Users and apps, as administrators look after them."""

import re
from typing import Any

import httpx
import pytest

from journeyman.domain.errors import AppError
from tests.unit.web.conftest import EVIL, Site, csrf

PAGES = ("/settings/users", "/settings/apps", "/settings/apps/new")


@pytest.fixture
async def root(site: Site) -> httpx.AsyncClient:
    return await site.logged_in("root")


async def send(browser: httpx.AsyncClient, path: str, at: str = "", **sent: Any) -> httpx.Response:
    form = await browser.get(at or path)
    return await browser.post(path, data={"csrf": csrf(form), **sent})


@pytest.mark.parametrize("path", PAGES)
async def test_others_find_nothing_there(
    alice: httpx.AsyncClient, root: httpx.AsyncClient, path: str
) -> None:
    assert (await root.get(path)).status_code == 200
    assert (await alice.get(path)).status_code == 404
    sent = {"csrf": csrf(await alice.get("/settings/tokens/new"))}
    assert (await alice.post("/settings/users/bob/suspend", data=sent)).status_code == 404
    assert (await alice.post("/settings/apps/x/delete", data=sent)).status_code == 404


async def test_a_new_user_gets_a_link_that_logs_them_in(
    site: Site, root: httpx.AsyncClient
) -> None:
    page = await send(root, "/settings/users", user="carol")
    link = re.search(r"<code>http://forge.test(/login/link/[^<]+)</code>", page.text)
    assert link is not None
    carol = site.browser()
    form = await carol.get(link[1])
    await carol.post(link[1], data={"csrf": csrf(form), "login": "carol"})
    assert (await carol.get("/settings/tokens")).status_code == 200


@pytest.mark.parametrize("name", ["", "no good", EVIL, "x" * 40, "settings"])
async def test_a_bad_name_comes_back_with_the_reason(root: httpx.AsyncClient, name: str) -> None:
    page = await send(root, "/settings/users", user=name)
    assert page.status_code == 422
    assert 'id="user-wrong"' in page.text
    assert EVIL not in page.text


async def test_a_name_that_is_taken_is_told(root: httpx.AsyncClient) -> None:
    page = await send(root, "/settings/users", user="alice")
    assert page.status_code == 422
    assert "There is a user" in page.text


async def test_who_is_suspended_is_out_until_reinstated(
    site: Site, root: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    identity = site.world.parts.services.identity
    await site.world.parts.services.logins.set_password("alice", "a long password")
    alice = await site.logged_in("alice")
    answer = await send(root, "/settings/users/alice/suspend", at="/settings/users")
    assert answer.headers["location"] == "/settings/users?said=suspended"
    assert (await alice.get("/settings/tokens")).status_code == 303
    with pytest.raises(AppError, match="Your account was suspended"):
        await identity.authenticate(site.world.tokens["alice"])
    page = await send(alice, "/login", login="alice", password="a long password")
    assert "suspended" in page.text
    link = await site.world.parts.services.logins.create_link("alice")
    page = await send(alice, f"/login/link/{link}", login="alice")
    assert "suspended" in page.text
    await send(root, "/settings/users/alice/reinstate", at="/settings/users")
    assert (await identity.authenticate(site.world.tokens["alice"])).account.login == "alice"
    assert (await send(alice, f"/login/link/{link}", login="alice")).status_code == 303


async def test_nobody_suspends_themselves(root: httpx.AsyncClient) -> None:
    page = await send(root, "/settings/users/Root/suspend", at="/settings/users")
    assert page.status_code == 409
    assert (await root.get("/settings/users")).status_code == 200
    for verb in ("suspend", "reinstate", "link", "nonsense"):
        path = f"/settings/users/nobody/{verb}"
        assert (await send(root, path, at="/settings/users")).status_code == 404


async def test_an_app_is_registered_renewed_and_deleted(
    site: Site, root: httpx.AsyncClient
) -> None:
    sent = {"name": f"Editor {EVIL}", "kind": "github", "callback_url": "https://a.test/back"}
    made = await send(root, "/settings/apps/new", **sent, **{"permission-agent_tasks": "write"})
    assert EVIL not in made.text
    client_id, secret = re.findall(r"<pre><code>(\w+)</code></pre>", made.text)
    apps = site.world.parts.services.apps
    app = next(one for one in await apps.list() if one.client_id == client_id)
    assert app.permissions == {"metadata": "read", "agent_tasks": "write"}
    again = await send(root, f"/settings/apps/{client_id}/secret", at="/settings/apps")
    _, renewed = re.findall(r"<pre><code>(\w+)</code></pre>", again.text)
    assert renewed != secret
    assert secret not in (await root.get("/settings/apps")).text
    answer = await send(root, f"/settings/apps/{client_id}/delete", at="/settings/apps")
    assert answer.status_code == 303
    assert client_id not in (await root.get("/settings/apps")).text
    for verb in ("delete", "secret", "nonsense"):
        path = f"/settings/apps/{client_id}/{verb}"
        assert (await send(root, path, at="/settings/apps")).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": ""}, "name"),
        ({"callback_url": ""}, "callback_url"),
        ({"callback_url": "javascript:alert(1)"}, "callback_url"),
    ],
)
async def test_what_is_wrong_with_an_app_stands_at_its_field(
    root: httpx.AsyncClient, sent: dict[str, str], field: str
) -> None:
    typed = {"name": "Mine", "callback_url": "https://a.test/back", "public": "1"}
    page = await send(root, "/settings/apps/new", **{**typed, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    assert '<input type="checkbox" name="public" value="1" checked' in page.text
