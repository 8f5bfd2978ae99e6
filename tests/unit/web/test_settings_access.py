"""Who may work on a repository, as its administrators say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.web.conftest import EVIL, Site, csrf

PAGE = "/alice/hello/settings/access"


async def send(browser: httpx.AsyncClient, below: str = "", **sent: Any) -> httpx.Response:
    form = csrf(await browser.get(PAGE))
    return await browser.post(f"{PAGE}{below}", data={"csrf": form, **sent})


async def test_access_is_given_changed_and_taken_back(site: Site, alice: httpx.AsyncClient) -> None:
    mallory = await site.logged_in("mallory")
    assert (await mallory.get("/alice/hello/agents")).status_code == 404
    answer = await send(alice, user=" Mallory ", permission="read")
    assert "Saved." in (await alice.get(answer.headers["location"])).text
    assert (await mallory.get("/alice/hello/agents")).status_code == 200
    assert (await mallory.get("/alice/hello/settings")).status_code == 403
    await send(alice, user="mallory", permission="write")
    page = (await alice.get(PAGE)).text
    assert page.count("<strong>mallory</strong>") == 1
    assert '<span class="tag">write</span>' in page
    assert (await mallory.get("/alice/hello/settings")).status_code == 200
    answer = await send(alice, "/mallory/remove")
    assert "no access of their own" in (await alice.get(answer.headers["location"])).text
    assert (await mallory.get("/alice/hello/agents")).status_code == 404
    log = (await alice.get("/alice/hello/settings/audit-log")).text
    assert "repo.add_member" in log
    assert "repo.remove_member" in log


@pytest.mark.parametrize(
    ("user", "permission", "reason"),
    [
        ("nobody", "read", "There is no user &#39;nobody&#39;"),
        ("alice", "read", "alice owns alice/hello"),
        (EVIL, "write", "There is no user"),
        ("mallory", "none", "&#39;none&#39; is none of read, write, admin"),
    ],
)
async def test_what_is_wrong_stands_at_its_field(
    alice: httpx.AsyncClient, user: str, permission: str, reason: str
) -> None:
    page = await send(alice, user=user, permission=permission)
    assert page.status_code == 422
    assert reason in page.text
    assert 'aria-invalid="true"' in page.text
    assert EVIL not in page.text
    assert "<strong>mallory</strong>" not in page.text


async def test_only_administrators_say_who_may(site: Site, alice: httpx.AsyncClient) -> None:
    bob = await site.logged_in("bob")
    assert (await bob.get(PAGE)).status_code == 403
    form = csrf(await bob.get("/alice/hello/settings/secrets"))
    sent = {"csrf": form, "user": "mallory", "permission": "admin"}
    assert (await bob.post(PAGE, data=sent)).status_code == 403
    assert (await bob.post(f"{PAGE}/bob/remove", data={"csrf": form})).status_code == 403
    stranger = await site.logged_in("mallory")
    assert (await stranger.get(PAGE)).status_code == 404
