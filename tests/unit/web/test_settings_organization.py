"""What an organization keeps for the agent, and which of its repositories get it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from journeyman.domain.repositories import Repository
from journeyman.domain.secrets import Kind
from tests.unit.web.conftest import EVIL, Site, csrf

LIST, PAGE = "/settings/organizations", "/settings/organizations/harbour"


@pytest.fixture
async def root(site: Site) -> httpx.AsyncClient:
    return await site.logged_in("root")


@pytest.fixture
async def owned(site: Site, source: Path) -> dict[str, Repository]:
    """The organization's repositories by name: two private ones and a public one."""
    add = site.world.administration.add_repository
    return {
        name: await add(f"harbour/{name}", str(source), private=name != "site")
        for name in ("books", "tolls", "site")
    }


async def send(browser: httpx.AsyncClient, path: str, at: str = "", **sent: Any) -> httpx.Response:
    form = await browser.get(at or path)
    return await browser.post(path, data={"csrf": csrf(form), **sent})


async def given(site: Site, repository: Repository) -> dict[str, str]:
    return await site.world.parts.services.secrets.environment_for(repository)


async def test_a_value_reaches_the_repositories_it_is_shared_with(
    site: Site, root: httpx.AsyncClient, owned: dict[str, Repository]
) -> None:
    assert f'href="{PAGE}"' in (await root.get(LIST)).text
    chosen = {f"repository-{owned['tolls'].id}": "1"}
    for name, kind, who in (
        ("everywhere", "variable", {"visibility": "all"}),
        ("inside", "secret", {"visibility": "private"}),
        ("picked", "secret", {"visibility": "selected", **chosen}),
    ):
        answer = await send(root, PAGE, name=name, kind=kind, value=f"{EVIL} {name}", **who)
        assert answer.headers["location"] == f"{PAGE}?said=saved"
    names = {name: set(await given(site, found)) for name, found in owned.items()}
    assert names == {
        "books": {"EVERYWHERE", "INSIDE"},
        "tolls": {"EVERYWHERE", "INSIDE", "PICKED"},
        "site": {"EVERYWHERE"},
    }
    page = (await root.get(PAGE)).text
    assert EVIL not in page
    assert "inside" not in page
    assert "for tolls" in page
    await send(root, PAGE, name="everywhere", kind="variable", value="new", visibility="private")
    assert await given(site, owned["site"]) == {}
    removed = await send(root, f"{PAGE}/secret/PICKED/remove", at=PAGE)
    assert removed.headers["location"] == f"{PAGE}?said=removed"
    assert set(await given(site, owned["tolls"])) == {"EVERYWHERE", "INSIDE"}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": EVIL}, "name"),
        ({"value": "x" * 50_000}, "value"),
        ({"visibility": "selected", "repository-9999": "1"}, "selected_repository_ids"),
    ],
)
async def test_a_bad_value_stands_at_its_field(
    root: httpx.AsyncClient,
    owned: dict[str, Repository],
    sent: dict[str, str],
    field: str,
    kind: Kind,
) -> None:
    typed = {"name": "GOOD", "value": "typed already", "kind": kind, "visibility": "all"}
    page = await send(root, PAGE, **{**typed, **sent})
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    assert EVIL not in page.text
    if "value" not in sent:
        assert "typed already</textarea>" in page.text


async def test_what_is_not_there_is_not_found(
    site: Site, root: httpx.AsyncClient, owned: dict[str, Repository]
) -> None:
    for path in (f"{LIST}/alice", f"{LIST}/nobody"):
        assert (await root.get(path)).status_code == 404
    for below in ("secret/NOTHING", "nonsense/NOTHING"):
        assert (await send(root, f"{PAGE}/{below}/remove", at=PAGE)).status_code == 404
    alice = await site.logged_in("alice")
    assert (await alice.get(LIST)).status_code == 404
    assert (await alice.get(PAGE)).status_code == 404
    sent = {"csrf": csrf(await alice.get("/settings/tokens/new")), "name": "X", "value": "x"}
    assert (await alice.post(PAGE, data=sent)).status_code == 404
