"""How the agent works on a repository, and what it is given."""

from typing import Any

import httpx
import pytest
from markupsafe import escape

from journeyman.domain.configuration import AgentConfiguration
from tests.unit.web.conftest import EVIL, Site, csrf

AGENT, SECRETS = "/alice/hello/settings", "/alice/hello/settings/secrets"


async def send(browser: httpx.AsyncClient, path: str, at: str = "", **sent: Any) -> httpx.Response:
    form = await browser.get(at or path)
    return await browser.post(path, data={"csrf": csrf(form), **sent})


async def known(site: Site) -> AgentConfiguration:
    return await site.world.parts.services.configurations.get(await site.world.access("alice"))


async def test_the_configuration_is_what_was_set(site: Site, alice: httpx.AsyncClient) -> None:
    sent = {
        "is_firewall_enabled": "1",
        "custom_allowlist": "example.com\r\n*.example.org\r\n",
        "mcp_configuration": '{"mcpServers": {}}',
        "tool-secret_scanning": "1",
    }
    answer = await send(alice, AGENT, **sent)
    assert answer.headers["location"] == f"{AGENT}?said=saved"
    found = await known(site)
    assert (found.is_firewall_enabled, found.is_automations_enabled) == (True, False)
    assert found.custom_allowlist == ("example.com", "*.example.org")
    assert found.mcp_configuration == {"mcpServers": {}}
    assert (found.enabled_tools.secret_scanning, found.enabled_tools.codeql) == (True, False)
    page = await alice.get(answer.headers["location"])
    assert "Saved." in page.text
    assert "example.com\n*.example.org</textarea>" in page.text


async def test_switches_without_effect_say_so(alice: httpx.AsyncClient) -> None:
    page = (await alice.get(AGENT)).text
    codeql = page[page.index('id="tool-codeql-hint"') :]
    assert codeql.partition("</p>")[0].endswith("nothing is scanned here.")
    assert "there are no automations and no workflows here" in page


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("mcp_configuration", "{nonsense <b>"),
        ("mcp_configuration", "[1]"),
        ("mcp_configuration", "[" * 100_000),
        ("custom_allowlist", "exa mple <b>"),
        ("custom_allowlist", "\n".join(f"h{n}.example.com" for n in range(501))),
    ],
)
async def test_a_bad_configuration_changes_nothing_and_comes_back(
    site: Site, alice: httpx.AsyncClient, field: str, text: str
) -> None:
    before = await known(site)
    page = await send(alice, AGENT, **{field: text})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    assert str(escape(text)) in page.text
    assert await known(site) == before


async def test_a_writer_looks_and_an_administrator_sets(
    site: Site, alice: httpx.AsyncClient
) -> None:
    bob = await site.logged_in("bob")
    page = await bob.get(AGENT)
    assert '<fieldset class="whole" disabled>' in page.text
    sent = {"csrf": csrf(page), "custom_allowlist": "example.com"}
    assert (await bob.post(AGENT, data=sent)).status_code == 422
    assert (await known(site)).custom_allowlist == ()


async def test_a_secret_is_kept_and_never_shown(site: Site, alice: httpx.AsyncClient) -> None:
    value = "line one\r\nline two ü <b>"
    answer = await send(alice, SECRETS, name="api_key", kind="secret", value=value)
    assert answer.status_code == 303
    page = await alice.get(SECRETS)
    assert "API_KEY" in page.text
    assert "line one" not in page.text
    given = await site.world.parts.services.secrets.environment_for(site.world.repository)
    assert given == {"API_KEY": "line one\nline two ü <b>"}
    await send(alice, SECRETS, name="API_KEY", kind="secret", value="new")
    given = await site.world.parts.services.secrets.environment_for(site.world.repository)
    assert given == {"API_KEY": "new"}
    removed = await send(alice, f"{SECRETS}/secret/API_KEY/remove", at=SECRETS)
    assert removed.headers["location"] == f"{SECRETS}?said=removed"
    assert "API_KEY" not in (await alice.get(SECRETS)).text


async def test_a_variable_is_shown_and_replaced(alice: httpx.AsyncClient) -> None:
    await send(alice, SECRETS, name="URL", kind="variable", value=EVIL)
    await send(alice, SECRETS, name="url", kind="variable", value=f"{EVIL}!")
    page = await alice.get(SECRETS)
    assert EVIL not in page.text
    assert "&lt;/script&gt;!" in page.text


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "1bad"}, "name"),
        ({"name": "GITHUB_X"}, "name"),
        ({"name": EVIL}, "name"),
        ({"value": "x" * 50_000}, "value"),
    ],
)
@pytest.mark.parametrize("kind", ["secret", "variable"])
async def test_a_bad_value_stands_at_its_field(
    alice: httpx.AsyncClient, sent: dict[str, str], field: str, kind: str
) -> None:
    typed = {"name": "GOOD", "value": "typed already", "kind": kind}
    page = await send(alice, SECRETS, **{**typed, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    assert EVIL not in page.text
    if "value" not in sent:
        assert "typed already</textarea>" in page.text


@pytest.mark.parametrize("path", [AGENT, SECRETS])
async def test_a_stranger_finds_no_settings(site: Site, path: str) -> None:
    mallory = await site.logged_in("mallory")
    assert (await mallory.get(path)).status_code == 404


async def test_what_is_not_there_cannot_be_removed(alice: httpx.AsyncClient) -> None:
    for below in ("secret/NOTHING", "variable/NOTHING", "nonsense/NOTHING"):
        answer = await send(alice, f"{SECRETS}/{below}/remove", at=SECRETS)
        assert answer.status_code == 404


async def test_a_repository_one_may_write_to_is_listed(
    site: Site, alice: httpx.AsyncClient
) -> None:
    assert f'href="{AGENT}"' in (await alice.get("/settings/repositories")).text
    mallory = await site.logged_in("mallory")
    assert AGENT not in (await mallory.get("/settings/repositories")).text


async def test_a_configuration_of_the_api_is_shown_as_it_is(
    site: Site, alice: httpx.AsyncClient
) -> None:
    mcp = {"mcpServers": {"x": {"type": "http", "url": f"https://a.test/{EVIL}"}}}
    await site.world.parts.services.configurations.put(
        await site.world.access("alice"), AgentConfiguration(mcp_configuration=mcp)
    )
    page = await alice.get(AGENT)
    assert EVIL not in page.text
    assert str(escape(f"https://a.test/{EVIL}")) in page.text
