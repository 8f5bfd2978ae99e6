"""Access tokens and authorised apps, as their owner sees and ends them."""

import re
from typing import Any

import httpx
import pytest

from journeyman.domain.errors import AppError
from journeyman.forge.embedded import tokens
from journeyman.service.apps import NewApp
from journeyman.service.clock import utc_now
from journeyman.service.grants import Grant, issue
from tests.unit.web.conftest import EVIL, Site, csrf

CLASSIC, FINE = "/settings/tokens/new", "/settings/tokens/new-fine-grained"


async def send(browser: httpx.AsyncClient, path: str, at: str = "", **sent: Any) -> httpx.Response:
    """A form of the page *at*, or of *path* itself."""
    form = await browser.get(at or path)
    return await browser.post(path, data={"csrf": csrf(form), **sent})


def secret_in(page: httpx.Response) -> str:
    found = re.search(r"<pre><code>(g\w+)</code></pre>", page.text)
    assert found is not None, page.text
    return found[1]


async def test_a_classic_token_is_shown_once_and_ends_when_revoked(
    site: Site, alice: httpx.AsyncClient
) -> None:
    made = await send(alice, CLASSIC, note="Laptop", days="30", **{"scope-repo": "1"})
    secret = secret_in(made)
    principal = await site.world.parts.services.identity.authenticate(secret)
    assert (principal.account.login, principal.scopes) == ("alice", ("repo",))
    assert principal.expires_at is not None
    page = await alice.get("/settings/tokens")
    assert secret not in page.text
    assert f"…{secret[-8:]}" in page.text
    answer = await send(
        alice, f"/settings/tokens/{principal.token_id}/revoke", at="/settings/tokens"
    )
    assert answer.headers["location"] == "/settings/tokens?said=revoked"
    assert f"…{secret[-8:]}" not in (await alice.get(answer.headers["location"])).text
    with pytest.raises(AppError, match="Bad credentials"):
        await site.world.parts.services.identity.authenticate(secret)


async def test_a_fine_grained_token_reaches_what_was_chosen(
    site: Site, alice: httpx.AsyncClient
) -> None:
    made = await send(
        alice,
        FINE,
        note="CI",
        days="",
        reach="selected",
        **{"repository-alice/hello": "1", "permission-agent_tasks": "write"},
    )
    principal = await site.world.parts.services.identity.authenticate(secret_in(made))
    assert principal.permissions == {"agent_tasks": "write"}
    assert principal.repository_ids == frozenset({site.world.repository.id})
    assert principal.expires_at is None


@pytest.mark.parametrize(
    ("path", "sent", "field"),
    [
        (CLASSIC, {"note": " "}, "note"),
        (CLASSIC, {"note": "x" * 201}, "note"),
        (CLASSIC, {"days": "0"}, "days"),
        (CLASSIC, {"days": "400"}, "days"),
        (CLASSIC, {"days": "<b>"}, "days"),
        (CLASSIC, {"scope-nonsense": "1"}, "scopes"),
        (FINE, {"permission-agent_tasks": ""}, "permissions"),
        (FINE, {"permission-nonsense": "write"}, "permissions"),
        (FINE, {"permission-metadata": "write"}, "permissions"),
        (FINE, {"reach": "selected"}, "repositories"),
        (FINE, {"reach": "selected", "repository-bob/secret": "1"}, "repositories"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    alice: httpx.AsyncClient, path: str, sent: dict[str, str], field: str
) -> None:
    typed = {"note": "Keep <this>", "days": "90", "permission-agent_tasks": "read", "reach": "all"}
    page = await send(alice, path, **{**typed, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    if "note" not in sent:
        assert 'value="Keep &lt;this&gt;"' in page.text
    if "days" not in sent:
        assert '<option value="90" selected>' in page.text


async def test_nobody_revokes_somebody_elses_token(site: Site, alice: httpx.AsyncClient) -> None:
    principal = await site.world.principal("bob")
    answer = await send(
        alice, f"/settings/tokens/{principal.token_id}/revoke", at="/settings/tokens/new"
    )
    assert answer.status_code == 404
    assert (await site.world.principal("bob")).account.login == "bob"


async def test_a_form_from_elsewhere_makes_no_token(site: Site, alice: httpx.AsyncClient) -> None:
    answer = await alice.post(CLASSIC, data={"note": "stolen", "csrf": "0" * 64})
    assert answer.status_code == 403
    form = csrf(await alice.get(CLASSIC))
    cross = {"sec-fetch-site": "cross-site"}
    sent = {"note": "stolen", "csrf": form}
    assert (await alice.post(CLASSIC, data=sent, headers=cross)).status_code == 403
    assert "stolen" not in (await alice.get("/settings/tokens")).text


async def test_an_app_that_was_let_in_is_listed_and_revoked(
    site: Site, alice: httpx.AsyncClient
) -> None:
    parts = site.world.parts
    new = NewApp(f"Editor {EVIL}", callback_urls=("http://127.0.0.1/back",))
    app, _ = await parts.services.apps.create(new)
    account = (await site.world.principal("alice")).account

    def let_in(tx: Any) -> str:
        return issue(tx, tokens, Grant(app, account, ("repo",)), utc_now()).access_token

    secret = await parts.database.write(let_in)
    page = await alice.get("/settings/applications")
    assert "Editor &lt;script&gt;" in page.text
    assert EVIL not in page.text
    path = f"/settings/applications/{app.client_id}/revoke"
    answer = await send(alice, path, at="/settings/applications")
    assert answer.status_code == 303
    with pytest.raises(AppError, match="Bad credentials"):
        await parts.services.identity.authenticate(secret)
    again = await send(alice, path, at="/settings/tokens/new")
    assert again.status_code == 404


async def test_settings_lead_to_logging_out(alice: httpx.AsyncClient) -> None:
    page = await alice.get("/settings", follow_redirects=True)
    assert all(f'href="{path}"' in page.text for path in ("/logout", "/login/device"))


async def test_github_clients_are_led_to_the_list_of_apps(alice: httpx.AsyncClient) -> None:
    answer = await alice.get("/settings/connections/applications/Iv1.abc")
    assert answer.headers["location"] == "/settings/applications"


@pytest.mark.parametrize(
    "path", ["/settings", "/settings/tokens", CLASSIC, FINE, "/settings/applications"]
)
async def test_settings_are_for_those_who_are_logged_in(site: Site, path: str) -> None:
    answer = await site.browser().get(path)
    assert answer.headers["location"].startswith("/login?return_to=%2Fsettings")
